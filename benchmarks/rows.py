"""All rows, in the order in which they are measured."""

from __future__ import annotations

import difflib

from benchmarks.row import Row
from kiloframe.errors import UserError

__all__ = ["row", "rows"]


def rows() -> dict[str, Row]:
    """Every row by its name. Imports torch and our methods, and no compared library."""
    from benchmarks import diffusion, elsewhere, phenaki, tokens

    small = tokens.layer_row("layer-small", 64, 32)  # for notebooks and tests: milliseconds
    found = (*diffusion.ROWS, *tokens.ROWS, *phenaki.ROWS, *elsewhere.ROWS)
    return {row.name: row for row in (*found, small)}


def row(name: str) -> Row:
    """The row of a name. Raises UserError for one that does not exist."""
    known = rows()
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UserError(f"there is no row {name!r}; {hint}allowed: {', '.join(known)}")
    return known[name]
