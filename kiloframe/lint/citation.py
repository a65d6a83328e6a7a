"""Rule: every method can be cited, and a reader can find it."""

from __future__ import annotations

from collections.abc import Iterator

from kiloframe.factfiles import FactFiles, Problem

__all__ = ["check"]

_PLACEHOLDERS = {"et al", "et al.", "others", "unknown", "anonymous", "n/a", "tbd", "todo"}
_URLS = ("paper", "project", "code")


def check(facts: FactFiles) -> Iterator[Problem]:
    """Methods that neither references.bib (by way of the survey's cite_key_map) nor their own record lets one cite."""
    known = set()
    if facts.survey:
        known = {row.get("slug") for _, row in facts.survey.rows("cite_key_map") if row.get("bib") in facts.references}
    for record in facts.of("methods"):
        if record.file.stem in known:
            continue
        if not any([record.part("arxiv"), record.part("doi"), *(record.part("urls", key) for key in _URLS)]):
            message = "the method cannot be cited: give at least one of arxiv, doi, urls.paper, urls.project, urls.code"
            yield record.problem(("arxiv",), message)
        authors = record.part("authors")
        for i, author in enumerate(authors if isinstance(authors, list) else []):
            if isinstance(author, str) and author.strip().lower() in _PLACEHOLDERS:
                yield record.problem(("authors", i), f"{author!r} cannot be cited; write the authors' names in full")
