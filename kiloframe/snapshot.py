"""The compiled facts: one msgpack file that loads in a few milliseconds and is not validated again.

Kept apart from compile.py so that loading imports neither yaml nor jsonschema.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from kiloframe.schema import Dataset, Method, Metric

__all__ = ["SCHEMA_VERSION", "Facts", "fingerprint", "read_snapshot"]

SCHEMA_VERSION = 1


class Facts(msgspec.Struct, kw_only=True, frozen=True):
    """Everything the catalogue knows, by slug; `survey` is free-form, `references` maps BibTeX keys to entries."""

    schema_version: int
    fingerprint: str
    methods: dict[str, Method]
    datasets: dict[str, Dataset]
    metrics: dict[str, Metric]
    survey: dict[str, Any]
    references: dict[str, str]


def fingerprint(catalogue: str | Path) -> str:
    """Name, size and modification time of every fact file and of the schema: changes when any of them does."""
    parts = []
    schema = os.path.join(os.path.dirname(__file__), "schema.py")
    for folder in ("", "methods", "datasets", "metrics"):
        with os.scandir(os.path.join(catalogue, folder)) as entries:
            for entry in entries:
                if entry.name.endswith((".yaml", ".bib")):
                    stat = entry.stat()
                    parts.append(f"{folder}/{entry.name}:{stat.st_size}:{stat.st_mtime_ns}")
    parts.sort()
    stat = os.stat(schema)
    return f"{SCHEMA_VERSION};schema:{stat.st_size}:{stat.st_mtime_ns};" + ";".join(parts)


def read_snapshot(path: str | Path) -> Facts | None:
    """The facts in a snapshot file; None where it is missing, damaged or of another schema version."""
    try:
        with open(path, "rb") as file:
            facts = msgspec.msgpack.decode(file.read(), type=Facts)
    except (OSError, msgspec.MsgspecError):
        return None
    return facts if facts.schema_version == SCHEMA_VERSION else None
