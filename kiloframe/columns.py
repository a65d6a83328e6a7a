"""The columns of a table, written down once with their types and meaning."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["METHOD", "PLACE", "Column", "columns", "text_of"]


class Column(NamedTuple):
    """A column: its name, its type (text, integer or real), what it holds.

    `names` is true where it holds slugs or enumerated values: there SQL takes hyphen and underscore as one.
    """

    name: str
    type: str
    doc: str
    names: bool = False


def columns(text: str) -> tuple[Column, ...]:
    """Columns from lines `name type doc`; a type with a star marks slugs and enumerated values."""
    found = []
    for line in filter(str.strip, text.splitlines()):
        name, kind, doc = line.split(None, 2)
        found.append(Column(name, kind.rstrip("*"), doc, kind.endswith("*")))
    return tuple(found)


METHOD = "method text* slug of the method"
PLACE = """
    locator text  where it stands
    seen    text* primary, secondary or memory
"""


def text_of(value: Any) -> str | None:
    """A number or words as text; None stays None."""
    return None if value is None else str(value)
