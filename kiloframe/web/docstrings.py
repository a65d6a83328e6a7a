"""A griffe extension: docstrings are made ready for Markdown before mkdocstrings renders them."""

from __future__ import annotations

import re
from typing import Any

import griffe

from kiloframe.web.mathml import convert

__all__ = ["MathInDocstrings", "spaced_lists"]

_LIST = re.compile(r"^ {0,3}(?:\d+\.|[-*]) ")


def spaced_lists(text: str) -> str:
    """The text with an empty line before each list, which Markdown wants and docstrings leave out."""
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        starts = bool(_LIST.match(line))
        if starts and not inside and lines and lines[-1].strip():
            lines.append("")
        inside = starts or (inside and (not line.strip() or line.startswith("  ")))
        lines.append(line.lstrip() if starts else line)
    return "\n".join(lines)


class MathInDocstrings(griffe.Extension):
    """Converts the formulas of every docstring griffe finds, and sets its lists apart.

    A formula that does not parse names file and line.
    """

    def on_object(self, *, obj: griffe.Object, **rest: Any) -> None:
        """Called by griffe for every module, class, function and attribute."""
        if obj.docstring is not None:
            where = str(obj.relative_filepath)
            obj.docstring.value = spaced_lists(convert(obj.docstring.value, where, obj.docstring.lineno or 1))
