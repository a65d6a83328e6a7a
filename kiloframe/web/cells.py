"""Which cell of an executed notebook produced what a page shows."""

from __future__ import annotations

import json
import re
from pathlib import Path

__all__ = ["cell_anchor", "claim_cells"]

_CALLED = re.compile(r"\.claim\(\s*[\"']([a-z0-9-]+)[\"']")
_SHOWN = re.compile(r"^\*\*([a-z0-9-]+): (?:held|not held|inconclusive|not judged)\.\*\*", re.MULTILINE)


def cell_anchor(slug: str, cell: int) -> str:
    """The place of a cell on the page of the notebook, as `Page.to` wants it: "notebooks/fdm/#cell-31"."""
    return f"notebooks/{slug}/#cell-{cell}"


def claim_cells(notebook: Path) -> dict[str, int]:
    """Every claim that the notebook judges, with the number of the cell that does so, counted from 1 as on its page.

    A cell judges a claim where it calls `.claim("ID", ...)`, or shows what such a call shows (**ID: held.**). Cells
    that the page leaves out are none; without the notebook the answer is empty.
    """
    if not notebook.is_file():
        return {}
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    found: dict[str, int] = {}
    for number, cell in enumerate(cells, 1):
        if cell["cell_type"] != "code" or "remove-cell" in cell.get("metadata", {}).get("tags", []):
            continue
        shown = ["".join(output.get("data", {}).get("text/markdown", "")) for output in cell.get("outputs", [])]
        for id in _CALLED.findall("".join(cell["source"])) + _SHOWN.findall("\n".join(shown)):
            found.setdefault(id, number)
    return found
