"""From captions to numbers: one small vocabulary for all worlds, whole words, no weights.

The grammars stand where captions are made (`shapes`, `stories`); this is the list of words they may use and the
tokenizer that methods condition on. Captions are lower case; a full stop or comma counts as a word of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from kiloframe.words import nearest

__all__ = ["PAD", "WORDS", "decode", "encode"]

PAD = 0
"""The number of an empty place, behind a caption that is shorter than its row."""

# The place of a word is its number, and weights are trained on numbers: new words are added at the end only.
WORDS: tuple[str, ...] = (
    "", ".", ",", "a", "the", "and", "in", "on", "at", "then",
    "red", "yellow", "green", "cyan", "blue", "violet", "white", "orange", "pink",
    "circle", "square", "triangle", "star", "cross", "ring",
    "small", "large", "moving", "slowly", "quickly",
    "cat", "robot", "ghost", "fish", "bird",
    "walks", "runs", "jumps", "flies", "waits", "dances",
    "sea", "forest", "desert", "city", "snow", "night", "day",
)  # fmt: skip
_NUMBERS = {word: number for number, word in enumerate(WORDS)}
_TOKEN = re.compile(r"[.,]|[^\s.,]+")


def encode(captions: Sequence[str], length: int | None = None) -> NDArray[np.int64]:
    """Captions as rows of word numbers, (n, length), filled up with PAD; length: default the longest caption's.

    Raises UserError for a word outside the vocabulary (with the nearest ones) and a caption longer than `length`.
    """
    rows = [[_number(word, caption) for word in _TOKEN.findall(caption.lower())] for caption in captions]
    longest = max((len(row) for row in rows), default=0)
    length = longest if length is None else length
    if longest > length:
        raise UserError(f"a caption may have {length} words here; one has {longest}: {captions[_longest(rows)]!r}")
    return np.array([row + [PAD] * (length - len(row)) for row in rows], np.int64).reshape(len(rows), length)


def decode(numbers: NDArray[np.int64]) -> list[str]:
    """The captions of rows (n, length) as `encode` makes them, with single spaces and no space before . and ,

    Raises UserError for a number that stands for no word.
    """
    numbers = np.asarray(numbers)
    if numbers.size and (numbers.min() < 0 or numbers.max() >= len(WORDS)):
        raise UserError(f"words have numbers from 0 to {len(WORDS) - 1}, not {numbers.min()} to {numbers.max()}")
    rows = [" ".join(WORDS[number] for number in row if number != PAD) for row in numbers]
    return [re.sub(r" ([.,])", r"\1", row) for row in rows]


def _number(word: str, caption: str) -> int:
    if word not in _NUMBERS:
        near = nearest(word, WORDS[1:])
        hint = f"; nearest: {', '.join(near)}" if near else ""
        raise UserError(f"the word {word!r} of the caption {caption!r} is unknown{hint}; known: {', '.join(WORDS[1:])}")
    return _NUMBERS[word]


def _longest(rows: list[list[int]]) -> int:
    return max(range(len(rows)), key=lambda n: len(rows[n]))
