"""The pages of the data sets, and what the survey prints about them beside the facts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from kiloframe.schema import Dataset, Fact, Method, Ref, ReportedResult
from kiloframe.web.markdown import Page, render
from kiloframe.web.methods import printed
from kiloframe.web.slips import Slip, same_quantity, slips_of

__all__ = ["FACTS", "Cell", "Used", "beside_table1", "reported", "used_by", "write"]

FACTS: dict[str, str] = {
    "videos": "Videos",
    "clips": "Clips",
    "total_hours": "Hours in all",
    "mean_clip_seconds": "Mean clip length (s)",
    "fps": "Frames per second",
    "native_resolution": "Native resolution",
    "splits": "Splits",
    "classes": "Classes",
    "captions": "Captions",
}
# The columns of the survey's Table 1 and the facts that answer to them.
_TABLE1 = {
    "quantity": ("Quantity", ("clips", "videos")),
    "duration": ("Duration", ("mean_clip_seconds",)),
    "resolution": ("Resolution", ("native_resolution",)),
}


_ROLES = {"train": "training", "eval": "evaluation", "both": "training and evaluation"}


class Cell(NamedTuple):
    """One printed cell of Table 1 beside the facts; `verdict` is "agrees", "differs", "left blank" or "unknown"."""

    column: str
    printed: str
    facts: list[tuple[str, Fact]]
    verdict: str


class Used(NamedTuple):
    """A method that uses a data set or metric, and how; `own` is false where only the other record names it."""

    slug: str
    says: list[str]
    own: bool = True


def beside_table1(dataset: Dataset, slips: list[Slip]) -> list[Cell]:
    """The survey's printed cells with the facts; empty where Table 1 has no row for the data set.

    A cell differs where no fact holds its numbers, or where one of the row's `slips` is an error that quotes it.
    """
    row = dataset.survey_table1
    if row is None:
        return []
    cells = []
    for name, (title, fields) in _TABLE1.items():
        value = getattr(row, name)
        facts = [(FACTS[field], getattr(dataset.facts, field)) for field in fields]
        known = [(label, fact) for label, fact in facts if fact is not None and fact.value is not None]
        wrong = any(slip["severity"] == "error" and value in slip["printed"] for slip in slips)
        verdict = _verdict(value, [fact for _, fact in known])
        cells.append(Cell(title, value, known, "differs" if wrong and verdict == "agrees" else verdict))
    return cells


def _verdict(value: str, facts: list[Fact]) -> str:
    if value.strip() in ("-", "–", ""):
        return "left blank"
    if not facts:
        return "unknown"
    return "agrees" if any(same_quantity(value, str(fact.value)) for fact in facts) else "differs"


def used_by(records: Any, slug: str, field: str, also: list[Ref]) -> list[Used]:
    """The methods whose record names `slug` in `field` ("datasets" or "metrics"), then those in `also` that do not."""
    found = []
    for name, method in records.items():
        uses = [use for use in getattr(method, field) if use.ref == slug]
        if uses:
            words = [use.text or _ROLES.get(getattr(use, "role", ""), "") for use in uses]
            found.append(Used(name, [text for text in words if text]))
    known = {use.slug for use in found}
    return found + [
        Used(pointer.ref, [pointer.text] if pointer.text else [], own=False)
        for pointer in also
        if pointer.ref and pointer.ref not in known
    ]


def reported(records: Any, slug: str, field: str) -> list[tuple[Method, ReportedResult]]:
    """Every reported result on a data set (`field` "dataset") or of a metric ("metric"), method by method."""
    rows = []
    for method in records.values():
        for result in method.results:
            pointer = getattr(result, field)
            if pointer is not None and pointer.ref == slug:
                rows.append((method, result))
    return rows


def write(cat: Any, out: Path) -> list[Path]:
    """Write datasets/index.md and one page per data set. Returns the files written."""
    uses = {slug: used_by(cat.methods, slug, "datasets", dataset.used_by) for slug, dataset in cat.datasets.items()}
    slips: dict[str, list[Slip]] = {s: slips_of(cat.survey, 1, s, d.name) for s, d in cat.datasets.items()}
    page = Page(
        "datasets",
        "Data sets",
        f"{len(cat.datasets)} data sets of long video generation: size, clip length, resolution, licence, users.",
        wide=True,
    )
    files = [render(cat, page, "datasets.md.j2", out, uses=uses, slips=slips)]
    for slug, dataset in cat.datasets.items():
        files.append(
            render(
                cat,
                Page(f"datasets/{slug}", dataset.name, f"{dataset.name}, data set: {dataset.typical_use}"),
                "dataset.md.j2",
                out,
                d=dataset,
                labels=FACTS,
                cells=beside_table1(dataset, slips[slug]),
                slips=slips[slug],
                uses=uses[slug],
                rows=reported(cat.methods, slug, "dataset"),
                printed=printed,
            )
        )
    return files
