"""The spelling of values and slugs that users type: case, hyphen and underscore do not matter; errors suggest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from kiloframe.errors import UserError

__all__ = ["choose", "fold", "nearest", "refuse"]


def fold(word: str) -> str:
    """The word as it is compared: lower case, spaces and hyphens as underscores."""
    return word.strip().lower().replace("-", "_").replace(" ", "_")


def nearest(word: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known words that look most like this one, best first."""
    from difflib import SequenceMatcher

    key = fold(word)

    def likeness(name: str) -> float:
        """Of the whole names, of their parts (`conquer`), and of a name broken off (`nuwa`): the best."""
        whole = fold(name)
        parts = {whole, whole[: len(key)] if len(key) >= 3 else whole, *(p for p in whole.split("_") if len(p) >= 3)}
        return max(SequenceMatcher(None, key, part).ratio() - 0.1 * (part != whole) for part in parts)

    scored = sorted(((likeness(name), name) for name in known), key=lambda pair: (-pair[0], pair[1]))
    return [name for score, name in scored if score >= 0.6][:count]


def refuse(word: object, what: str, allowed: Collection[str]) -> UserError:
    """The error for a word that is not allowed: what is wrong, the nearest matches, and all allowed values."""
    near = nearest(str(word), allowed)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    return UserError(f"{str(word)!r} is not a {what}{hint}; allowed: {', '.join(allowed)}")


def choose(words: Sequence[str], what: str, allowed: Collection[str]) -> frozenset[str]:
    """The allowed values that are meant by the words given. Raises UserError for a word that means none."""
    folded = {fold(name): name for name in allowed}
    for word in words:
        if not isinstance(word, str) or fold(word) not in folded:
            raise refuse(word, what, allowed)
    return frozenset(folded[fold(word)] for word in words)
