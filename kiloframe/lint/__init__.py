"""Lint of the fact files: one rule, one file. `kiloframe lint` lists every bad record in one run.

A rule is a function from the files as read to problems; it must bear records that break the schema. What YAML itself
cannot be read from (not YAML, not UTF-8, a key that stands twice, an alias) is refused by kiloframe.factfiles.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from kiloframe.factfiles import Problem, read_facts
from kiloframe.lint import (
    arxiv_date,
    citation,
    formatting,
    locator,
    markup,
    membership,
    placeholder,
    reference,
    result_key,
    result_value,
    schema,
    schema_files,
    slug,
    survey_claim,
    url,
)

__all__ = ["RULES", "Report", "format_problems", "run"]

RULES = (
    schema.check,
    slug.check,
    reference.check,
    result_key.check,
    result_value.check,
    arxiv_date.check,
    locator.check,
    citation.check,
    membership.check,
    survey_claim.check,
    url.check,
    markup.check,
    schema_files.check,
    placeholder.check,
)


class Report(NamedTuple):
    """What lint found: the problems by file and line, the names of files it mended, and how many it read."""

    problems: list[Problem]
    fixed: list[str]
    files: int


def run(catalogue: Path, fix: bool = False) -> Report:
    """Check every fact file under all rules; with `fix`, first bring them and the JSON Schemas into canonical form.

    Raises UserError where `catalogue` is no catalogue folder. What `fix` cannot mend stays in the problems.
    """
    facts = read_facts(Path(catalogue))
    fixed: list[str] = []
    if fix:
        fixed, unformatted = formatting.fix(facts)
        fixed += schema_files.fix(facts)
        facts = read_facts(Path(catalogue))
    else:
        unformatted = list(formatting.check(facts))
    problems = [*facts.unread, *unformatted, *(problem for rule in RULES for problem in rule(facts))]
    return Report(sorted(set(problems)), sorted(fixed), len(facts.records) + bool(facts.survey) + len(facts.unread))


def format_problems(report: Report) -> str:
    """The report as text: one line per mended file and per problem (`file:line: field: message`), then the count."""
    lines = [f"fixed {name}" for name in report.fixed] + [str(problem) for problem in report.problems]
    bad = len({problem.file for problem in report.problems})
    if report.problems:
        plural = "s" if len(report.problems) > 1 else ""
        lines.append(f"{len(report.problems)} problem{plural} in {bad} file{'s' if bad > 1 else ''}")
    else:
        lines.append(f"{report.files} fact files, no problems")
    return "\n".join(lines)
