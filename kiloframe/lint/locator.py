"""Rule: every fact says where it stands and how it was seen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kiloframe.factfiles import FactFiles, Loaded, Problem

__all__ = ["check"]

# Words that name no place. A place that is only remembered is named all the same, with `seen: memory`.
_NO_PLACE = {
    "", "unknown", "unclear", "unspecified", "n/a", "na", "none", "null", "nil", "not known", "not stated", "tbd",
    "tba", "todo", "to do", "various", "somewhere", "same", "ditto", "ibid", "see above", "memory", "from memory",
    "the editors", "internet", "web", "here",
}  # fmt: skip
_HINT = "name the place, for example: paper sec 4.1, Table 2"


def check(facts: FactFiles) -> Iterator[Problem]:
    """Values without a locator, locators that name no place, and locators without `seen` or the reverse."""
    for record in facts.records:
        for path, value in record.walk():
            if not (isinstance(value, dict) and "locator" in value) or _says_nothing(value, record, path):
                continue
            locator = value["locator"]
            if locator is None:
                yield record.problem((*path, "locator"), f"a value stands here without its place; {_HINT}")
            elif isinstance(locator, str) and re.sub(r"[\s.?!-]+", " ", locator).strip().lower() in _NO_PLACE:
                yield record.problem((*path, "locator"), f"{locator!r} names no place; {_HINT}")
            elif value.get("seen", "") is None:
                yield record.problem((*path, "seen"), "does not say how it was seen: primary, secondary or memory")


def _says_nothing(value: dict[str, Any], record: Loaded, path: tuple[str | int, ...]) -> bool:
    """Whether everything but the provenance is unknown; then there is no place to name."""
    facts = [v for k, v in value.items() if k not in ("locator", "seen")]
    return all(v is None or v == [] for v in facts) and value["locator"] is None and value.get("seen") is None
