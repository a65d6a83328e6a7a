"""The pages about the survey: its definition, counts, tables, terms and slips, each beside what its sources say."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from kiloframe.lengths import Figure1, Length, figure1, longest
from kiloframe.schema import Method
from kiloframe.web.datasets import beside_table1
from kiloframe.web.figures.lengths import bars, lengths_figure
from kiloframe.web.figures.paradigms import NAMES, costs, still
from kiloframe.web.figures.timeline import GENERATORS, timeline
from kiloframe.web.markdown import Page, render
from kiloframe.web.methods import called, disagreements, shown
from kiloframe.web.metrics import beside_table2
from kiloframe.web.slips import Slip, slips_of
from kiloframe.web.words import WORDS

__all__ = ["Section", "reasons", "sections", "write"]

_WIDE = ("lengths", "timeline", "paradigms", "tables")  # pages that are one wide table

RULES = {
    "past-threshold": "more than the survey's threshold of frames or seconds claimed or shown",
    "past-training-clip": "generates past the clip length it was trained on",
    "baseline": "serves a method that the survey names as a long-video baseline",
}


class Section(NamedTuple):
    """One section of the survey and what it cites by topic: (key, slug or None where it is no method here, work)."""

    number: str
    title: str
    note: str | None
    topics: list[tuple[str, list[tuple[str, str | None, str]]]]


def _works(survey: dict[str, Any]) -> dict[str, tuple[str | None, str]]:
    return {entry["key"]: (entry["slug"], entry["work"]) for entry in survey["cite_key_map"]}


def sections(survey: dict[str, Any]) -> list[Section]:
    """The survey's sections; what is cited under no topic of its section stands under the topic ""."""
    works = _works(survey)
    out = []
    for entry in survey["sections"]:
        topics = dict(entry.get("topics") or {})
        below = {key for keys in topics.values() for key in keys}
        rest = [key for key in entry["cites"] if key not in below]
        listed = [*([("", rest)] if rest else []), *topics.items()]
        named = [(topic, [(key, *works.get(key, (None, key))) for key in keys]) for topic, keys in listed]
        out.append(Section(entry["number"], entry["title"], entry.get("note"), named))
    return out


def reasons(cat: Any, figure: Figure1) -> list[str]:
    """Why our counts differ from those of the survey's Figure 1, with the numbers behind each reason."""
    methods: list[Method] = list(cat.methods.values())
    editors = sum(method.membership.by == "editors" for method in methods)
    slip = next((slip for slip in cat.survey["errors"] if slip["id"] == "fig1-list"), None)
    out = []
    if slip:
        out.append(slip["correct"])
    out.append(
        f"{len(methods) - editors} methods of the catalogue are named by the survey's text; the other {editors} were "
        "admitted by the editors, so the two sets of studies are not the same."
    )
    out.append(
        f"We count a length only where the paper itself calls it long: {figure.calls_long} call their videos long "
        f"without a number, {figure.does_not} state no notion of long, and of {figure.unknown} it is not known."
    )
    beyond = sum(longest(method, shown=True).unit is not None for method in methods)
    out.append(
        f"What was shown is another question: {beyond} of {len(methods)} show a video whose length is known, "
        "whatever they call long."
    )
    return out


def write(cat: Any, out: Path) -> list[Path]:
    """Write survey/index.md and its pages. Returns the files written, the overview first."""
    figure = figure1(cat)
    methods = list(cat.methods.values())
    gaps = [(method, gap) for method in methods for gap in disagreements(method)]
    silent = [method for method in methods if method.paradigm.survey is None and method.survey is not None]
    named = [method for method in methods if method.membership.by == "survey-text"]
    admitted = [method for method in methods if method.membership.by != "survey-text"]
    printed = {slug: dataset for slug, dataset in cat.datasets.items() if dataset.survey_table1 is not None}
    slips: dict[str, list[Slip]] = {slug: slips_of(cat.survey, 1, slug, d.name) for slug, d in printed.items()}
    table1 = [(slug, dataset, beside_table1(dataset, slips[slug])) for slug, dataset in printed.items()]
    rated = {slug: metric for slug, metric in cat.metrics.items() if metric.survey_table2 is not None}
    slips |= {slug: slips_of(cat.survey, 2, slug, metric.name) for slug, metric in rated.items()}
    table2 = [(slug, metric, beside_table2(metric, slips[slug])) for slug, metric in rated.items()]
    common = {
        "s": cat.survey,
        "figure": figure,
        "rows": sorted(figure.rows, key=_longest_first),
        "reasons": reasons(cat, figure),
        "chart": lengths_figure(cat),
        "bars": bars(figure),
        "line": timeline(cat),
        "generators": GENERATORS,
        "plans": NAMES,
        "stills": [still(plan) for plan in NAMES],
        "costs": costs(),
        "words": WORDS,
        "called": called,
        "shown": shown,
        "longest": longest,
        "gaps": gaps,
        "silent": silent,
        "named": named,
        "admitted": admitted,
        "rules": RULES,
        "table1": table1,
        "table2": table2,
        "slips": slips,
        "sections": sections(cat.survey),
        "by_paradigm": _by(methods, lambda method: [method.paradigm.editors.value]),
        "by_generator": _by(methods, lambda method: method.generator.editors.value),
        "by_control": _by(methods, lambda method: method.control_signals),
    }
    pages = [
        ("", "The survey", f"{cat.survey['title']}: what it says, beside what its sources say.", "index"),
        ("lengths", "Who calls what long", "The survey's Figure 1 beside our counts, method by method.", "lengths"),
        (
            "timeline",
            "The timeline",
            "The survey's Figure 2: every method in time, and who builds on whom.",
            "timeline",
        ),
        (
            "paradigms",
            "The two paradigms",
            "The survey's Figure 3, moving: which frame is made when.",
            "paradigms",
        ),
        ("tables", "Tables 1 and 2", "The survey's tables of data sets and metrics beside the facts.", "tables"),
        ("terms", "Paradigms and other terms", "Paradigms, generators, control signals, goals, directions.", "terms"),
        (
            "members",
            "The methods it names",
            "The methods the survey names, and those the editors added.",
            "members",
        ),
        (
            "disagreements",
            "Where it and its sources disagree",
            "Both sides, with reasons.",
            "disagreements",
        ),
        ("slips", "Its slips", "What the survey prints, what is correct, and the evidence.", "slips"),
    ]
    return [
        render(
            cat,
            Page(f"survey/{folder}".rstrip("/"), title, about, wide=folder in _WIDE),
            f"survey_{name}.md.j2",
            out,
            **common,
        )
        for folder, title, about, name in pages
    ]


def _longest_first(row: Length) -> tuple[int, float, str]:
    """Order of the table of lengths: frames, then seconds, longest first; those without a number last."""
    return ("frames", "seconds", None).index(row.unit), -float(row.value or 0), row.slug


def _by(methods: list[Method], values: Any) -> dict[str, list[Method]]:
    """The methods by value of a field; a method with several values stands under each."""
    out: dict[str, list[Method]] = {}
    for method in methods:
        for value in values(method):
            out.setdefault(value, []).append(method)
    return out
