"""The facts and results as static JSON below api/v1, and the page that describes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from kiloframe.files import write_atomically
from kiloframe.web.markdown import Page, render
from kiloframe.web.verdicts import Results

__all__ = ["API_VERSION", "KINDS", "write", "write_page"]

API_VERSION = 1
KINDS = {"methods": "method", "datasets": "data set", "metrics": "metric"}


def _save(path: Path, record: dict[str, Any]) -> Path:
    """Write one JSON file: indented, fields in the order of the schema, the same bytes for the same facts."""
    text = msgspec.json.format(msgspec.json.encode({"schema_version": API_VERSION, **record}), indent=1)
    write_atomically(path, text + b"\n")
    return path


def write(cat: Any, results: Results, out: Path) -> list[Path]:
    """Write every record below `out`/api/v1. Returns the files written."""
    root = out / "api" / "v1"
    files = []
    for kind in KINDS:
        records = getattr(cat, kind)
        for slug, record in records.items():
            files.append(_save(root / kind / f"{slug}.json", {"slug": slug, "record": record}))
        everything = dict(records.items())
        files.append(_save(root / f"{kind}.json", {"count": len(everything), "records": everything}))
    for slug, (result, _, frozen) in sorted(results.items()):
        files.append(_save(root / "results" / f"{slug}.json", {"slug": slug, "frozen": frozen, "record": result}))
    files.append(_save(root / "results.json", {"count": len(results), "slugs": sorted(results)}))
    files.append(_save(root / "survey.json", {"record": cat.survey}))
    entries = dict(sorted(cat.references.items()))
    files.append(_save(root / "references.json", {"count": len(entries), "records": entries}))
    files.append(_save(root / "index.json", {"licence": "CC BY 4.0", "endpoints": endpoints(cat, results)}))
    return files


def endpoints(cat: Any, results: Results) -> list[dict[str, Any]]:
    """What there is, as listed in index.json: path relative to api/v1, what it holds, how many records."""
    rows: list[dict[str, Any]] = []
    for kind, word in KINDS.items():
        slugs = list(getattr(cat, kind))
        rows.append({"path": f"{kind}.json", "holds": f"every {word}, by slug", "count": len(slugs)})
        rows.append({"path": f"{kind}/{{slug}}.json", "holds": f"one {word}", "count": len(slugs), "slugs": slugs})
    rows.append(
        {
            "path": "results.json",
            "holds": "the slugs of all runs, of methods and of studies",
            "count": len(results),
        }
    )
    rows.append(
        {"path": "results/{slug}.json", "holds": "one run: measures, claims with verdicts, machine, seeds",
         "count": len(results), "slugs": sorted(results)}
    )  # fmt: skip
    rows.append({"path": "survey.json", "holds": "the survey: definition, counts, sections, slips", "count": 1})
    rows.append({"path": "references.json", "holds": "BibTeX entries, by key", "count": len(cat.references)})
    return rows


def write_page(cat: Any, results: Results, out: Path) -> list[Path]:
    """Write the page that describes the JSON. Returns the files written."""
    page = Page("api/json", "JSON over HTTP", "Every fact and result as static JSON: endpoints, shape, examples.")
    example = next(iter(cat.methods))
    return [
        render(cat, page, "api.md.j2", out, endpoints=endpoints(cat, results), version=API_VERSION, example=example)
    ]
