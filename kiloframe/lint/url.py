"""Rule: a web address is an http or https address of a host."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from kiloframe.factfiles import FactFiles, Problem

__all__ = ["check"]


def check(facts: FactFiles) -> Iterator[Problem]:
    """Values of `url` and under `urls` that are no http(s) address."""
    for record in facts.records:
        for path, value in record.walk():
            is_url = path and (path[-1] == "url" or (len(path) > 1 and path[-2] == "urls"))
            if is_url and isinstance(value, str) and not _is_web_address(value):
                yield record.problem(path, f"{value!r} is no web address; write https://host/path, or null for unknown")


def _is_web_address(text: str) -> bool:
    if any(c.isspace() or c in "<>\"'`\\{}|^" for c in text):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and "." in (parts.hostname or "") and parts.username is None
