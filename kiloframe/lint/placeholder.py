"""Rule: nothing of catalogue/TEMPLATE.yaml is left standing in a record."""

from __future__ import annotations

from collections.abc import Iterator

from kiloframe.factfiles import FactFiles, Problem

__all__ = ["check"]


def check(facts: FactFiles) -> Iterator[Problem]:
    """Texts that still say FILL IN, and the template's dates."""
    for record in facts.records:
        for path, value in record.walk():
            if isinstance(value, str) and "FILL IN" in value:
                asked = value.split("FILL IN:", 1)[-1].strip().splitlines()[0]
                yield record.problem(path, f"still to be filled in ({asked}); write it, or null where that is allowed")
            elif isinstance(value, str) and value in ("2000-01", "2000-01-01"):
                yield record.problem(path, f"{value!r} is the template's date; write the real one")
