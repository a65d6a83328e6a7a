"""Rule: the year and month in an arXiv id fit the date of first publication."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kiloframe.factfiles import FactFiles, Problem

__all__ = ["check"]


def check(facts: FactFiles) -> Iterator[Problem]:
    """Methods whose arXiv id is neither of the month of `first_public` nor of the next one.

    A paper submitted in the last days of a month is announced, with its id, in the next; and a paper may be public
    elsewhere shortly before. Nothing is first public after arXiv has shown it.
    """
    for record in facts.of("methods"):
        arxiv, date = record.part("arxiv"), record.part("first_public")
        if not (isinstance(arxiv, str) and isinstance(date, str)):
            continue
        of_id, of_date = re.match(r"(\d\d)(\d\d)\.\d", arxiv), re.match(r"(\d{4})-(\d\d)$", date)
        if not (of_id and of_date):
            continue  # the schema rule speaks
        year, month = 2000 + int(of_id[1]), int(of_id[2])
        apart = (year - int(of_date[1])) * 12 + month - int(of_date[2])
        if not 1 <= month <= 12:
            yield record.problem(("arxiv",), f"{arxiv!r} is no arXiv id: its third and fourth digits are the month")
        elif apart not in (0, 1):
            message = (
                f"{arxiv!r} is an id of {year}-{month:02}, but first_public is {date}; the id must be of the same "
                "month or the next, so one of the two is wrong"
            )
            yield record.problem(("arxiv",), message)
