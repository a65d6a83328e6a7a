"""Which method builds on which, as far as the records say so: every link carries the words it was read from.

A method is built on another where its own record, in the fields that say what it is made of, names the other one.
Everything else that a record calls related stays "related", without a claim about who came from whom.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from kiloframe.schema import Method

__all__ = ["Link", "Work", "built_on", "related", "works_of"]

_FIELDS = ("architecture", "representation", "mechanism", "distinguishing")
_LONG = 260  # characters of a quoted sentence


class Link(NamedTuple):
    """A later method built on an earlier one; `words` is the sentence of the later one's record that names it."""

    later: str
    earlier: str
    field: str
    words: str


class Work(NamedTuple):
    """A work outside the catalogue that a record calls related and names in the field that says what it is made of."""

    name: str
    field: str
    words: str


def built_on(cat: Any) -> list[Link]:
    """Every such link, in the order of the later methods; none to a method that became public later."""
    names = {slug: _pattern(_short(method.name)) for slug, method in cat.methods.items()}
    out = []
    for later, method in cat.methods.items():
        for earlier, pattern in names.items():
            if earlier != later and cat.methods[earlier].first_public <= method.first_public:
                found = _find(method, pattern, _FIELDS)
                if found:
                    out.append(Link(later, earlier, *found))
    return out


def works_of(method: Method) -> list[Work]:
    """The works outside the catalogue that the record names as what the method is made of."""
    out = []
    for pointer in method.related:
        if pointer.ref is None and pointer.text:
            name = _short(pointer.text)
            found = _find(method, _pattern(name), _FIELDS[:2])
            if found:
                out.append(Work(name, *found))
    return out


def related(cat: Any) -> list[tuple[str, str]]:
    """Pairs of methods of which one record names the other as related, the earlier first; each pair once."""
    pairs = set()
    for slug, method in cat.methods.items():
        for pointer in method.related:
            if pointer.ref in cat.methods and pointer.ref != slug:
                one, two = sorted((slug, pointer.ref), key=lambda name: (cat.methods[name].first_public, name))
                pairs.add((one, two))
    return sorted(pairs)


def _short(name: str) -> str:
    """A name without what stands behind it in brackets or after a dash."""
    return re.split(r" \(| - |, ", name, maxsplit=1)[0].strip()


def _pattern(name: str) -> re.Pattern[str]:
    """The name as a word of its own; hyphens, dots and spaces inside may differ ("ModelScope T2V", "ModelscopeT2V")."""
    parts = [re.escape(part) for part in re.findall(r"[^\W_]+", name)]
    if not parts:
        return re.compile(r"(?!)")  # a name without letters is found nowhere
    loose = len("".join(parts)) > 4  # a short name as it is written, so that no other word is taken for it
    return re.compile(r"(?<![\w-])" + r"[\W_]?".join(parts) + r"(?![\w-])", re.IGNORECASE if loose else 0)


def _find(method: Method, pattern: re.Pattern[str], fields: tuple[str, ...]) -> tuple[str, str] | None:
    """The first of the fields that names it, and the sentence that does."""
    for field in fields:
        text = " ".join(getattr(method, field).split())
        found = pattern.search(text)
        if found:
            return field, _sentence(text, found.start(), found.end())
    return None


def _sentence(text: str, start: int, end: int) -> str:
    """The sentence around a place, cut where it is very long."""
    begin = max((match.end() for match in re.finditer(r"[.;] ", text[:start])), default=0)
    stop = re.search(r"[.;](?= |$)", text[end:])
    last = end + stop.start() if stop else len(text)
    words = text[begin:last].strip()
    if len(words) <= _LONG:
        return words
    low = max(0, start - begin - _LONG // 2)
    cut = words[low : low + _LONG]
    return ("…" if low else "") + cut.strip() + ("…" if low + _LONG < len(words) else "")
