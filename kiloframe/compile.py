"""Check the fact files and pack them into one snapshot that loads fast.

Only the wheel's build hook and a changed checkout come here; `kiloframe.load()` on an unchanged checkout reads the
snapshot without validating again. Imports yaml and jsonschema, so nothing else may import this module at its top
level.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from kiloframe.errors import UserError
from kiloframe.factfiles import FactFiles, Problem, read_facts
from kiloframe.files import write_atomically
from kiloframe.lint import reference, result_key, schema, slug
from kiloframe.schema import Dataset, Facts, Method, Metric
from kiloframe.snapshot import SCHEMA_VERSION, encode, fingerprint

__all__ = ["compile_catalogue", "content_hash", "write_snapshot"]

_T = TypeVar("_T", bound=msgspec.Struct)


def _unloadable(facts: FactFiles) -> Iterator[Problem]:
    """What keeps the catalogue from loading; lint knows more rules, which do not."""
    yield from facts.unread
    for rule in (schema, slug, reference, result_key):
        yield from rule.check(facts)


def compile_catalogue(catalogue: Path) -> Facts:
    """All facts, checked. Raises UserError that names file, line, field and what is allowed, if anything is wrong."""
    found = read_facts(catalogue)
    bad = list(_unloadable(found))
    if bad:
        more = f" (and {len(bad) - 1} more; `kiloframe lint` lists them all)" if len(bad) > 1 else ""
        raise UserError(f"{bad[0]}{more}")

    def convert(kind: str, struct: type[_T]) -> dict[str, _T]:
        return {loaded.file.stem: msgspec.convert(loaded.data, struct, strict=True) for loaded in found.of(kind)}

    return Facts(
        schema_version=SCHEMA_VERSION,
        fingerprint=fingerprint(catalogue),
        methods=convert("methods", Method),
        datasets=convert("datasets", Dataset),
        metrics=convert("metrics", Metric),
        survey=found.survey.data if found.survey else {},
        references=found.references,
    )


def write_snapshot(catalogue: Path, target: Path) -> Facts:
    """Compile and write the snapshot atomically; returns the facts. Raises UserError as `compile_catalogue`."""
    facts = compile_catalogue(catalogue)
    write_atomically(target, encode(facts))
    return facts


def content_hash(facts: Facts) -> str:
    """SHA-256 over the facts, independent of where they were compiled."""
    return hashlib.sha256(
        msgspec.json.encode(msgspec.structs.replace(facts, fingerprint=""), order="sorted")
    ).hexdigest()
