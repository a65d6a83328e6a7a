"""Rule: the JSON Schemas for editors and other tools are those that kiloframe.schema gives today."""

from __future__ import annotations

import json
from collections.abc import Iterator

from kiloframe.factfiles import KINDS, FactFiles, Problem
from kiloframe.files import write_atomically
from kiloframe.lint.schema import json_schema

__all__ = ["check", "fix"]


def check(facts: FactFiles) -> Iterator[Problem]:
    """Schema files that are missing or stale."""
    for name, text in _wanted().items():
        file = facts.root / "schema" / name
        if not file.is_file():
            yield Problem(facts.name(file), 1, "", "the file is missing; type: kiloframe lint --fix")
        elif file.read_bytes() != text.encode():
            yield Problem(facts.name(file), 1, "", "is not what kiloframe/schema.py gives; type: kiloframe lint --fix")


def fix(facts: FactFiles) -> list[str]:
    """Write the schema files that are missing or stale; returns their names."""
    stale = [problem.file for problem in check(facts)]
    for name, text in _wanted().items():
        if facts.name(facts.root / "schema" / name) in stale:
            write_atomically(facts.root / "schema" / name, text)
    return stale


def _wanted() -> dict[str, str]:
    """File name (method.json for kind methods) to text."""
    return {f"{kind.removesuffix('s')}.json": json.dumps(json_schema(kind), indent=2) + "\n" for kind in KINDS}
