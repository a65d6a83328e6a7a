"""CLIP's tokenizer: lower case, words and runs of signs, then byte-pair encoding.

Rules: openai/CLIP, clip/simple_tokenizer.py.

Numbers: 0 to 255 are bytes, 256 to 511 bytes that end a word, then the merges of the vocabulary file in its order, then
the start and the end mark. The file is bpe_simple_vocab_16e6.txt.gz: one merge a line, after a first line that is none.

One deviation: CLIP first mends broken encodings with the package ftfy; here text is only brought to Unicode's composed
form and curly quotes are made straight, which is all that ftfy does to text that is not broken.
"""

from __future__ import annotations

import gzip
import html
import re
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.measures.networks.table import WeightFile

__all__ = ["CONTEXT", "END", "START", "VOCABULARY", "Tokenizer"]

CONTEXT = 77
"""Tokens per caption."""
VOCABULARY = 49408
"""Numbers that a token can have."""
_MERGES = VOCABULARY - 2 * 256 - 2
START, END = VOCABULARY - 2, VOCABULARY - 1
"""The marks before and after a caption."""
_SHORT = re.compile(r"<\|startoftext\|>|<\|endoftext\|>|'(?:s|t|re|ve|m|ll|d)")
_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})


class Tokenizer:
    """Captions to CLIP's token numbers. merges: pairs of symbols, most important first; VOCABULARY - 514 of them."""

    def __init__(self, merges: Sequence[tuple[str, str]]) -> None:
        letters = _letters()
        symbols = [*letters.values(), *(letter + "</w>" for letter in letters.values()), *map("".join, merges)]
        self._letters = letters
        self._number = {symbol: i for i, symbol in enumerate(symbols)}
        self._rank = {pair: i for i, pair in enumerate(merges)}

    @classmethod
    def load(cls, path: Path, weights: WeightFile) -> Tokenizer:
        """From a vocabulary file. Raises UserError for a file that is damaged or of another kind."""
        try:
            with gzip.open(path, "rt", encoding="utf-8") as handle:
                lines = handle.read().split("\n")[1 : 1 + _MERGES]
        except (OSError, EOFError, UnicodeDecodeError, zlib.error):
            raise UserError(f"{path} cannot be read, it is damaged or cut short; expected {weights.fetch()}") from None
        merges = [tuple(line.split()) for line in lines]
        pairs = [(pair[0], pair[1]) for pair in merges if len(pair) == 2]
        if len(pairs) != _MERGES:
            raise UserError(f"{path} holds {len(pairs)} merges, not {_MERGES}; expected {weights.fetch()}")
        return cls(pairs)

    def encode(self, text: str) -> list[int]:
        """The token numbers of a text, without start and end mark."""
        text = unicodedata.normalize("NFC", html.unescape(html.unescape(text))).translate(_QUOTES)
        found: list[int] = []
        for word in _words(" ".join(text.split()).lower()):
            if word in ("<|startoftext|>", "<|endoftext|>"):
                found.append(START if word == "<|startoftext|>" else END)
            else:
                letters = [self._letters[byte] for byte in word.encode("utf-8")]
                found += [self._number[symbol] for symbol in self._merged(letters)]
        return found

    def tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Token numbers (n, 77): start mark, text, end mark, zeros. Raises UserError for a text that is too long."""
        found = np.zeros((len(texts), CONTEXT), np.int64)
        for row, text in zip(found, texts, strict=True):
            numbers = [START, *self.encode(text), END]
            if len(numbers) > CONTEXT:
                raise UserError(
                    f"a caption has at most {CONTEXT - 2} tokens for CLIP, {text[:40]!r}... has {len(numbers) - 2}"
                )
            row[: len(numbers)] = numbers
        return found

    def _merged(self, letters: list[str]) -> list[str]:
        """Join the neighbours that stand first in the list of merges, as long as there are any."""
        word = [*letters[:-1], letters[-1] + "</w>"]
        while len(word) > 1:
            best = min(pairwise(word), key=lambda pair: self._rank.get(pair, len(self._rank)))
            if best not in self._rank:
                break
            joined: list[str] = []
            for symbol in word:
                if joined and (joined[-1], symbol) == best:
                    joined[-1] += symbol  # longer than best[0] now, so it is not joined twice
                else:
                    joined.append(symbol)
            word = joined
        return word


def _letters() -> dict[int, str]:
    """A printable letter for every byte: itself where it is one, else the next unused from 256 on; in that order."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(rest)}


def _words(text: str) -> Iterable[str]:
    """Endings after an apostrophe, runs of letters, single digits, and runs of anything else that is no space."""
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
        elif short := _SHORT.match(text, at):
            yield short[0]
            at = short.end()
        else:
            kind, end = _kind(text[at]), at + 1
            while kind != "N" and end < len(text) and _kind(text[end]) == kind:
                end += 1
            yield text[at:end]
            at = end


def _kind(sign: str) -> str:
    """L for letters, N for numbers, a blank for spaces, S for all else."""
    if sign.isspace():
        return " "
    category = unicodedata.category(sign)[0]
    return category if category in "LN" else "S"
