"""A griffe extension: mathematics in docstrings becomes MathML before mkdocstrings renders them."""

from __future__ import annotations

from typing import Any

import griffe

from kiloframe.web.mathml import convert

__all__ = ["MathInDocstrings"]


class MathInDocstrings(griffe.Extension):
    """Converts the formulas of every docstring griffe finds; a formula that does not parse names file and line."""

    def on_object(self, *, obj: griffe.Object, **rest: Any) -> None:
        """Called by griffe for every module, class, function and attribute."""
        if obj.docstring is not None and "$" in obj.docstring.value:
            where = str(obj.relative_filepath)
            obj.docstring.value = convert(obj.docstring.value, where, obj.docstring.lineno or 1)
