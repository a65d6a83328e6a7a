"""Rule: one name everywhere. A record's slug is its file's name, and every file in a folder of records is one."""

from __future__ import annotations

from collections.abc import Iterator

from kiloframe.factfiles import KINDS, FactFiles, Problem

__all__ = ["check"]


def check(facts: FactFiles) -> Iterator[Problem]:
    """Slugs that differ from the file name, and files that would be overlooked because of their suffix."""
    for record in facts.records:
        slug = record.part("slug")
        if isinstance(slug, str) and slug != record.file.stem:
            message = f"the slug {slug!r} must equal the file name {record.file.stem!r}; rename the file or the slug"
            yield record.problem(("slug",), message)
    for kind in KINDS:
        for file in sorted((facts.root / kind).iterdir()):
            if file.suffix != ".yaml" and not file.name.startswith("."):
                yield Problem(facts.name(file), 1, "", f"would be overlooked; records are named {kind}/<slug>.yaml")
