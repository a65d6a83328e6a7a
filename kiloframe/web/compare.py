"""Methods side by side: ready comparisons as plain pages, and the data with which a page compares any others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

from markupsafe import Markup

from kiloframe import schema
from kiloframe.commands.output import clean
from kiloframe.comparison import differ, facts
from kiloframe.files import write_atomically
from kiloframe.filters import has_reproduction
from kiloframe.schema import Method
from kiloframe.web import methods as methods_page
from kiloframe.web.explorer import script
from kiloframe.web.markdown import Page, fragment, render, sentence
from kiloframe.web.verdicts import Judged, counts
from kiloframe.web.words import WORDS

__all__ = ["FIELDS", "MOST", "Cell", "Family", "Field", "cells", "families", "write"]

MOST = 6
"""Methods side by side, at most."""


class Field(NamedTuple):
    """A row of the page: its title and the fields of `kiloframe compare` that it shows."""

    key: str
    title: str
    of: tuple[str, ...]


FIELDS = (
    Field("distinguishing", "What sets it apart", ("distinguishing",)),
    Field("first_public", "First public", ("first_public",)),
    Field("venue", "Venue", ("venue",)),
    Field("paradigm", "Paradigm", ("paradigm",)),
    Field("paradigm_survey", "Paradigm, survey", ("paradigm_survey",)),
    Field("generator", "Generator", ("generator",)),
    Field("control_signals", "Control", ("control_signals",)),
    Field("definition", "Called long", ("long_stated_frames", "long_stated_seconds")),
    Field("shown", "Longest shown", ("longest_shown_frames", "longest_shown_seconds", "longest_shown_fps")),
    Field("clip_frames", "Training clip", ("clip_frames",)),
    Field("resolution", "Resolution", ("resolution",)),
    Field("steps_or_compute", "Training steps or compute", ("steps_or_compute",)),
    Field("representation", "Representation", ("representation",)),
    Field("datasets", "Data sets", ("datasets",)),
    Field("metrics", "Metrics", ("metrics",)),
    Field("membership", "Named by", ("membership",)),
    Field("code_status", "Code", ("code_status",)),
    Field("reproduction", "Reproduction", ("reproduction",)),
    Field("verdicts", "Claims", ("verdicts",)),
)

_BETWEEN = "<!--next-->"  # what the template puts between two cells; no text of a record can, being escaped


class Cell(NamedTuple):
    """What a page shows of one field of a method, and the values by which it may differ; "" is unknown."""

    html: Markup
    keys: list[str]


class Family(NamedTuple):
    """A ready comparison: its place below compare/, its title, and its methods in the order of their dates."""

    slug: str
    title: str
    methods: list[str]


def families(methods: Mapping[str, Method]) -> list[Family]:
    """The reproduced methods, and those of one paradigm and one generator, in parts of at most `MOST`; never one alone.

    Readings are the editors'; a method with several generators stands in each family.
    """
    groups: list[tuple[str, str, list[str]]] = [
        ("reproduced", "Reproduced here", [slug for slug in methods if has_reproduction(slug)])
    ]
    for paradigm in get_args(schema.Paradigm):
        for generator in get_args(schema.Generator):
            title = sentence(f"{WORDS[paradigm]}, {WORDS[generator]}")
            fit = [
                slug
                for slug, m in methods.items()
                if m.paradigm.editors.value == paradigm and generator in m.generator.editors.value
            ]
            groups.append((f"{paradigm}-{generator}", title, fit))
    out = []
    for key, title, slugs in groups:
        dated = sorted(slugs, key=lambda slug: (methods[slug].first_public, slug))
        parts = -(-len(dated) // MOST)
        for part in range(parts):
            chunk = dated[part * len(dated) // parts : (part + 1) * len(dated) // parts]
            first, last = (methods[chunk[at]].first_public for at in (0, -1))
            if len(dated) > 1:
                one = parts == 1
                out.append(
                    Family(key if one else f"{key}-{part + 1}", title if one else f"{title}, {first} to {last}", chunk)
                )
    return out


def cells(cat: Any, page: Page, method: Method, claims: Sequence[Judged]) -> list[Cell]:
    """One cell per entry of `FIELDS`, with links that suit `page`."""
    tally = counts(claims)
    known = facts(method) | {"verdicts": ", ".join(f"{count} {state.word}" for state, count in tally)}
    together = fragment(
        cat, page, "compare_cells.html.j2", keys=[field.key for field in FIELDS], m=method, words=WORDS, counts=tally,
        called=methods_page.called(method.long_video_definition), shown=methods_page.shown(method.longest_shown),
        converted=methods_page.converted, reproduction=known["reproduction"],
    )  # fmt: skip
    out = []
    for field, html in zip(FIELDS, together.split(_BETWEEN), strict=True):
        values = [known[name] for name in field.of]
        out.append(
            Cell(Markup(html.strip()), ["" if value in (None, [], "") else clean(repr(value)) for value in values])
        )
    return out


def differing(columns: Sequence[Sequence[Cell]]) -> list[bool]:
    """For each field, whether known values differ between the methods."""
    rows = zip(*columns, strict=True)
    return [any(differ(values) for values in zip(*(cell.keys for cell in row), strict=True)) for row in rows]


def _deeper(cell: Cell) -> Cell:
    """The cell for a page one folder further down; all its links lead up and are made by `cells`."""
    return cell._replace(html=Markup(str(cell.html).replace('href="../', 'href="../../')))


def write(cat: Any, claims: Mapping[str, Sequence[Judged]], out: Path) -> list[Path]:
    """Write compare/index.md, a page per family below it, and assets/compare-data.js; returns the files, page first."""
    ready = families(cat.methods)
    page = Page(
        "compare", "Compare", "Any methods of long video generation side by side, with what differs marked.",
        ("compare-data.js", "interactive.js", "compare.js"), True,
    )  # fmt: skip
    columns = {slug: cells(cat, page, method, claims[slug]) for slug, method in cat.methods.items()}
    known = {
        "fields": [[field.key, field.title] for field in FIELDS],
        "most": MOST,
        "methods": {slug: {"name": clean(cat.methods[slug].name), "cells": column} for slug, column in columns.items()},
    }
    data = out / "assets" / "compare-data.js"
    write_atomically(data, script("kfCompare", known))
    files = [render(cat, page, "compare.md.j2", out, families=ready, most=MOST)]
    for family in ready:
        place = Page(
            f"compare/{family.slug}", f"Compare: {family.title}",
            f"Side by side, with what differs marked: {', '.join(cat.methods[slug].name for slug in family.methods)}.",
            wide=True,
        )  # fmt: skip
        there = [[_deeper(cell) for cell in columns[slug]] for slug in family.methods]
        files.append(
            render(
                cat, place, "compare_family.md.j2", out, family=family, fields=FIELDS, columns=there,
                differs=differing(there),
            )
        )  # fmt: skip
    return [*files, data]
