"""Rule: a published result stands once in its method's file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kiloframe.factfiles import FactFiles, Problem

__all__ = ["check", "result_key"]


def result_key(row: dict[str, Any]) -> tuple[Any, ...]:
    """What a result is unique by: system, variant, data set, split, resolution, frames, metric and locator."""

    dataset, metric = (row[key] if isinstance(row.get(key), dict) else {} for key in ("dataset", "metric"))
    plain = (row.get(key) for key in ("system", "variant", "split", "resolution", "frames", "locator"))
    # Words tell variants of one metric apart (FID of all frames, FID of the last), but not data sets.
    return (*plain, dataset.get("ref") or dataset.get("text"), metric.get("ref"), metric.get("text"))


def check(facts: FactFiles) -> Iterator[Problem]:
    """Results whose key repeats an earlier one of the same method."""
    for record in facts.of("methods"):
        first: dict[str, int] = {}
        for path, row in record.rows("results"):
            key = repr(result_key(row))  # repr: a value of a wrong type may not be hashable
            if key in first:
                message = (
                    f"the same result key as in line {first[key]}; a result is unique by system, variant, dataset, "
                    "split, resolution, frames, metric and locator"
                )
                yield record.problem(path, message)
            first.setdefault(key, record.line(path))
