"""Rule: a method is in the catalogue because the survey's text names it, or because the editors say why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kiloframe.factfiles import FactFiles, Loaded, Problem

__all__ = ["check"]


def check(facts: FactFiles) -> Iterator[Problem]:
    """Memberships at odds with the survey's cite_key_map, and editors' choices without rule and reason."""
    keys: dict[Any, Any] = (
        {row.get("key"): row.get("slug") for _, row in facts.survey.rows("cite_key_map")} if facts.survey else {}
    )
    by_survey = {slug for slug in keys.values() if slug}
    for record in facts.of("methods"):
        by = record.part("membership", "by")
        if by == "survey-text":
            yield from _survey_text(record, keys)
        elif by == "editors":
            if record.file.stem in by_survey:
                message = "the survey's cite_key_map names this method, so it is a member by survey-text"
                yield record.problem(("membership", "by"), message)
            if record.part("membership", "rule") is None or record.part("membership", "why") is None:
                yield record.problem(("membership",), "an editors' choice needs the rule that admits it and why")
            if record.part("membership", "cite_key") is not None:
                message = "only a member by survey-text has a cite_key; the survey does not cite this method"
                yield record.problem(("membership", "cite_key"), message)


def _survey_text(record: Loaded, keys: dict[Any, Any]) -> Iterator[Problem]:
    key, path = record.part("membership", "cite_key"), ("membership", "cite_key")
    if record.part("membership", "rule") is not None:
        yield record.problem(("membership", "rule"), "rules admit editors' choices; a member by survey-text has none")
    if not isinstance(key, str):
        yield record.problem(("membership",), "a member by survey-text needs the survey's cite_key")
    elif keys.get(key) != record.file.stem:
        message = f"the survey's cite_key_map (survey.yaml) has no key {key!r} for {record.file.stem!r}"
        yield record.problem(path, message)
    elif record.part("survey") is not None and record.part("survey", "cite_key") != key:
        message = f"differs from membership.cite_key, {key!r}"
        yield record.problem(("survey", "cite_key"), message)
