"""Rule: what the survey claims can be put to the test by name: each claim is whole, and its id stands once."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from kiloframe.factfiles import FactFiles, Problem
from kiloframe.schema import Claim

__all__ = ["check"]


def check(facts: FactFiles) -> Iterator[Problem]:
    """Claims in survey.yaml that lack a part of a method's claim, hold another, or share an id."""
    if facts.survey is None:
        return
    seen: set[str] = set()
    for path, row in facts.survey.rows("claims"):
        try:
            claim = msgspec.convert(row, Claim)
        except msgspec.ValidationError as error:
            yield facts.survey.problem(path, f"is no claim as methods have them: {error}")
            continue
        if claim.id in seen:
            yield facts.survey.problem((*path, "id"), f"the id {claim.id!r} stands twice")
        seen.add(claim.id)
