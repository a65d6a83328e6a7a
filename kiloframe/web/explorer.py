"""What the table of methods knows beside its cells: the values its facets, ranges, sorting and exports go by.

The filters of the page are those of `kiloframe list`, so their values are made here by `kiloframe.filters`, the rows
are those of the table `methods`, and the page's script only compares. assets/methods-data.js holds all of it,
assets/methods-text.js what `--text` searches; the page asks for the latter when somebody types.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

from kiloframe import filters, schema
from kiloframe.commands.output import clean
from kiloframe.files import write_atomically
from kiloframe.schema import Method
from kiloframe.tables import TABLES
from kiloframe.verdicts import VERDICTS
from kiloframe.web.verdicts import Judged, counts
from kiloframe.web.words import WORDS

__all__ = ["COLUMNS", "SORTS", "Column", "Facet", "data", "facets", "script", "write"]


class Column(NamedTuple):
    """A column of the page: its heading, the columns of the table `methods` it stands for, and the one it sorts by."""

    key: str
    title: str
    exports: tuple[str, ...]
    sort: str | None
    shown: bool = False


def _column(key: str, title: str, shown: bool = False) -> Column:
    return Column(key, title, (key,), key, shown)


COLUMNS = (
    Column("name", "Method", ("slug", "name"), "name", True),
    _column("year", "Year", True),
    _column("paradigm", "Paradigm", True),
    _column("generators", "Generator", True),
    _column("control_signals", "Control", True),
    Column("definition", "Called long", ("definition_frames", "definition_seconds"), "definition_frames", True),
    Column("shown", "Longest shown", ("shown_frames", "shown_seconds"), "shown_frames", True),
    _column("code_status", "Code", True),
    _column("reproduction", "Reproduction", True),
    _column("verdicts", "Claims", True),
    _column("membership", "Named by"),
    _column("paradigm_survey", "Paradigm, survey"),
    _column("generators_survey", "Generator, survey"),
    _column("datasets", "Data sets"),
    _column("metrics", "Metrics"),
    _column("first_public", "First public"),
    _column("venue", "Venue"),
    _column("arxiv", "arXiv"),
    _column("training_resolution", "Resolution"),
    _column("clip_frames", "Training clip"),
    _column("title", "Title"),
    _column("authors", "Authors"),
    _column("distinguishing", "What sets it apart"),
)
# Orders that no heading stands for.
SORTS = {"definition_seconds": "Called long, seconds", "shown_seconds": "Longest shown, seconds"}


class Facet(NamedTuple):
    """A filter with its options (value, label) and, for each method, the values that it answers to.

    `survey` holds the same in the survey's reading, for paradigm and generator.
    """

    key: str
    title: str
    options: list[tuple[str, str]]
    values: list[list[str]]
    survey: list[list[str]] | None = None


def _paradigms(value: str | None) -> list[str]:
    """A method of both paradigms answers to either (kiloframe.filters.paradigm)."""
    both = ["both", "divide-and-conquer", "temporal-autoregressive"]
    return [] if value is None else both if value == "both" else [value]


def facets(cat: Any, claims: Mapping[str, Sequence[Judged]]) -> list[Facet]:
    """The facets in the order of the page. `claims` maps every slug to its claims and what was found about them."""
    methods: list[Method] = list(cat.methods.values())

    def of(
        key: str, title: str, known: Sequence[str], values: list[list[str]], survey: Any = None, names: Any = None
    ) -> Facet:
        tally = Counter(value for row in values for value in row)
        words = {value: clean(names[value].name) for value in known} if names else WORDS
        there = [value for value in known if tally[value] or survey]
        if names:
            there.sort(key=lambda value: (-tally[value], words[value].lower()))
        return Facet(key, title, [(value, words.get(value, value)) for value in there], values, survey)

    years = [[m.first_public[:4]] for m in methods]
    return [
        of(
            "paradigm",
            "Paradigm",
            get_args(schema.Paradigm),
            [_paradigms(m.paradigm.editors.value) for m in methods],
            [_paradigms(m.paradigm.survey.value if m.paradigm.survey else None) for m in methods],
        ),
        of(
            "generator",
            "Generator",
            get_args(schema.Generator),
            [list(m.generator.editors.value) for m in methods],
            [list(m.generator.survey.value) if m.generator.survey else [] for m in methods],
        ),
        of("control", "Control", get_args(schema.Control), [list(m.control_signals) for m in methods]),
        of("dataset", "Data set", sorted(cat.datasets), [filters.used(m, "datasets") for m in methods],
           names=cat.datasets),
        of("metric", "Metric", sorted(cat.metrics), [filters.used(m, "metrics") for m in methods], names=cat.metrics),
        of("year", "Year", sorted({year for (year,) in years}), years),
        of("code", "Code", get_args(schema.CodeState), [[m.code_status.value] for m in methods]),
        of(
            "reproduction",
            "Reproduction",
            ("yes", "no"),
            [["yes" if filters.has_reproduction(m.slug) else "no"] for m in methods],
        ),
        of("verdict", "Verdicts", VERDICTS, [sorted({j.state.key for j in claims[m.slug]}) for m in methods]),
        of("membership", "Named by", get_args(schema.MembershipBy), [[m.membership.by] for m in methods]),
    ]  # fmt: skip


def data(cat: Any, claims: Mapping[str, Sequence[Judged]], bibtex: Mapping[str, str]) -> dict[str, Any]:
    """Everything the script of the page needs but the text to search; rows in the order of the slugs."""
    table = TABLES["methods"]
    at = {column.name: i for i, column in enumerate(table.columns)}
    names = [name for column in COLUMNS for name in column.exports]
    rows = []
    for row in table.rows(cat):
        slug = row[at["slug"]]
        told = {name: clean(row[at[name]]) if isinstance(row[at[name]], str) else row[at[name]] for name in names}
        told["verdicts"] = ", ".join(f"{count} {state.key.replace('-', ' ')}" for state, count in counts(claims[slug]))
        rows.append(list(told.values()))
    return {
        "names": names,
        "rows": rows,
        "columns": [column._asdict() for column in COLUMNS],
        "sorts": SORTS,
        "facets": [facet._asdict() for facet in facets(cat, claims)],
        "bibtex": [bibtex[slug] for slug in cat.methods],
    }


def script(name: str, value: Any) -> str:
    """A script that keeps `value` as `window.<name>`; nothing in it can end a script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f"window.{name} = {text};\n"


def write(cat: Any, claims: Mapping[str, Sequence[Judged]], bibtex: Mapping[str, str], out: Path) -> list[Path]:
    """Write assets/methods-data.js and assets/methods-text.js below `out`; returns the files written."""
    files = {
        "methods-data.js": script("kfMethods", data(cat, claims, bibtex)),
        "methods-text.js": script("kfMethodsText", [filters.searched(method) for method in cat.methods.values()]),
    }
    for name, text in files.items():
        write_atomically(out / "assets" / name, text)
    return [out / "assets" / name for name in files]
