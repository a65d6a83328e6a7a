"""Rule: the number of a result is the one that was printed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from kiloframe.factfiles import FactFiles, Problem

__all__ = ["check"]

_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*(?:e[+-]?\d+)?|\.\d+", re.IGNORECASE)


def check(facts: FactFiles) -> Iterator[Problem]:
    """Results whose `value` or `spread` does not occur in `text`, the value as printed."""
    for record in facts.of("methods"):
        for path, row in record.rows("results"):
            text = row.get("text")
            if not isinstance(text, str):
                continue
            printed = [float(number.replace(",", "")) for number in _NUMBER.findall(text)]
            for field in ("value", "spread"):
                number = row.get(field)
                if not isinstance(number, int | float) or isinstance(number, bool):
                    continue
                if not any(math.isclose(abs(number), p, rel_tol=1e-9) for p in printed):
                    yield record.problem((*path, field), f"{number!r} does not occur in the printed text {text!r}")
