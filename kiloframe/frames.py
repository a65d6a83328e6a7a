"""Answers as pandas data frames. Imports pandas, so it is imported only where a frame is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas

__all__ = ["data_frame"]


def data_frame(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> pandas.DataFrame:
    """A data frame in which whole numbers stay whole (Int64) and unknown is NA, or None in columns of text."""
    frame = pandas.DataFrame(list(rows), columns=list(columns), dtype=object)
    for at in range(len(columns)):
        known = [row[at] for row in rows if row[at] is not None]
        kinds = {type(value) for value in known}
        if not known or kinds - {int, float, bool}:
            continue
        column = frame.iloc[:, at]
        whole = kinds <= {int, bool} and all(abs(value) < 2**63 for value in known)
        frame.isetitem(at, column.astype("Int64").array if whole else column.astype("Float64").array)
    return frame
