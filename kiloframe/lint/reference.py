"""Rule: every `ref` names a record that exists; what has no record is `text`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from kiloframe.factfiles import FactFiles, Loaded, Path_, Problem

__all__ = ["check"]

# field of the record -> kind of the records it points to
_LISTS = {
    "methods": {"datasets": "datasets", "metrics": "metrics", "related": "methods"},
    "datasets": {"used_by": "methods"},
    "metrics": {},
}


def check(facts: FactFiles) -> Iterator[Problem]:
    """Dangling references of methods, data sets and the survey's key map, each with the nearest slugs."""
    for record in facts.records:
        for path, ref, target in _pointers(record):
            slug, text = ref.get("ref"), ref.get("text")
            if slug is None and text is None:
                yield record.problem(path, "needs a ref (slug) or a text (words)")
            elif isinstance(slug, str) and slug not in facts.slugs[target]:
                message = f"{_unknown(slug, facts.slugs[target])}; use text: instead of ref: for what has no record"
                yield record.problem((*path, "ref"), message)
    if facts.survey:
        for path, row in facts.survey.rows("cite_key_map"):
            for field, known in (("slug", facts.slugs["methods"]), ("bib", set(facts.references))):
                value = row.get(field)
                if value is not None and value not in known:
                    yield facts.survey.problem((*path, field), _unknown(str(value), known))


def _pointers(record: Loaded) -> Iterator[tuple[Path_, dict[str, Any], str]]:
    for field, target in _LISTS[record.kind].items():
        for path, row in record.rows(field):
            yield path, row, target
    if record.kind == "methods":
        for path, row in record.rows("results"):
            for field in ("dataset", "metric"):
                if isinstance(row.get(field), dict):
                    yield (*path, field), row[field], f"{field}s"


def _unknown(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), 3, cutoff=0.5)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    return f"{name!r} is not in the catalogue{hint}"
