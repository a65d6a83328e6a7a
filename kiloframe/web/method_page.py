"""What the page of one method shows beside its record: its standing, its run, the code's deviations, its dates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from kiloframe.results import Media
from kiloframe.schema import Method
from kiloframe.web import relations
from kiloframe.web.cells import claim_cells
from kiloframe.web.markdown import escape
from kiloframe.web.sources import Opening, opening
from kiloframe.web.verdicts import Run

__all__ = ["Checked", "checked", "coded", "context", "film", "named_by"]


class Checked(NamedTuple):
    """Something that was looked at, and the day, None where it is not recorded."""

    what: str
    date: str | None


def named_by(methods: Mapping[str, Method]) -> dict[str, list[str]]:
    """For every method, the slugs of the others whose records name it as related."""
    out: dict[str, list[str]] = {slug: [] for slug in methods}
    for slug, method in methods.items():
        for ref in dict.fromkeys(pointer.ref for pointer in method.related):
            if ref in out and ref != slug:
                out[ref].append(slug)
    return out


def checked(method: Method, run: Run | None) -> list[Checked]:
    """What of a record was looked at when; the facts say so of the authors' code, corrections and our own run."""
    corrected = max((change.date for change in method.history), default=None)
    rows = [Checked("whether the authors' code is to be had", method.code_status.date)]
    if corrected:
        rows.append(Checked("the facts that were last corrected", corrected))
    if run:
        rows.append(Checked("the claims that our run tests", run[0].created.partition("T")[0] or None))
    return [*rows, Checked("all other facts, against their sources", None)]


def film(run: Run | None) -> Media | None:
    """The video of a run with the most frames; the first of several."""
    films = [item for item in run[0].media if item.kind == "video"] if run else []
    return max(films, key=lambda item: item.frames or 0, default=None)


def coded(text: str) -> Markup:
    """Plain text, escaped, with what stands in backticks as code."""
    parts = (escape(part) for part in re.split(r"`([^`]+)`", text))
    return Markup("").join(Markup(f"<code>{part}</code>") if n % 2 else part for n, part in enumerate(parts))


def _opening(slug: str) -> Opening | None:
    """What the reproduction's file says of itself; None where there is no reproduction."""
    import reproductions

    if slug not in reproductions.names():
        return None
    return opening(Path(reproductions.__file__).with_name("methods") / f"{slug}.py")


def context(cat: Any, method: Method, run: Run | None, ran: list[str], pointing: list[str]) -> dict[str, Any]:
    """What method.md.j2 needs beyond the record; `ran` are slugs with a run, `pointing` those that name this one."""
    names = {slug: dataset.name for slug, dataset in cat.datasets.items()}
    dates = [entry.date for entry in checked(method, None) if entry.date]
    code = _opening(method.slug)
    return {
        "neighbours": relations.neighbours(method, cat.methods, pointing, names),
        "place": relations.place(method, cat.methods),
        "measured_by": relations.measured_by(method, cat.methods),
        "named_by": pointing,
        "runnable": relations.nearest(method, cat.methods, ran, 1),
        "difference": lambda slug: relations.difference(method, cat.methods[slug], names),
        "checked": checked(method, run),
        "verified": max(dates, default=None),
        "film": film(run),
        "cells": claim_cells(run[1] / f"{method.slug}.ipynb") if run else {},
        "code": code,
        "coded": coded,
        "source_page": f"reproductions/{method.slug}/" if code else None,
    }
