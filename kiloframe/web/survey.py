"""The pages about the survey: its definition, counts, tables, terms and slips, each beside what its sources say."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from kiloframe.lengths import Figure1, figure1, longest
from kiloframe.schema import Method
from kiloframe.web.chart import lengths_chart
from kiloframe.web.datasets import beside_table1
from kiloframe.web.markdown import Page, render
from kiloframe.web.methods import WORDS, called, disagreements, shown
from kiloframe.web.slips import Slip, slips_of

__all__ = ["Section", "reasons", "sections", "write"]

RULES = {
    "past-threshold": "more than the survey's threshold of frames or seconds claimed or shown",
    "past-training-clip": "generates past the clip length it was trained on",
    "baseline": "serves a method that the survey names as a long-video baseline",
}


class Section(NamedTuple):
    """One section of the survey with the works it cites: pairs of key and slug (None: not a method of the catalogue)."""

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
        out.append(f"The survey does not list the studies it counts. {slip['correct']}")
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
    table1 = [(slug, d, beside_table1(d)) for slug, d in cat.datasets.items() if d.survey_table1 is not None]
    table2 = [(slug, metric) for slug, metric in cat.metrics.items() if metric.survey_table2 is not None]
    slips: dict[str, list[Slip]] = {slug: slips_of(cat.survey, 1, slug, d.name) for slug, d, _ in table1}
    slips |= {slug: slips_of(cat.survey, 2, slug, metric.name) for slug, metric in table2}
    common = {
        "s": cat.survey,
        "figure": figure,
        "reasons": reasons(cat, figure),
        "chart": lengths_chart(cat),
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
        (Page("survey", "The survey", f"{cat.survey['title']}: what it says, beside what its sources say."), "index"),
        (
            Page("survey/lengths", "Who calls what long", "The survey's Figure 1 beside our counts, method by method."),
            "lengths",
        ),
        (
            Page("survey/tables", "Tables 1 and 2", "The survey's tables of data sets and metrics beside the facts."),
            "tables",
        ),
        (
            Page(
                "survey/terms",
                "Paradigms and other terms",
                "Paradigms, generators, control signals, goals, directions.",
            ),
            "terms",
        ),
        (
            Page(
                "survey/members", "The methods it names", "Which methods the survey names and which the editors added."
            ),
            "members",
        ),
        (
            Page(
                "survey/disagreements",
                "Where it and its sources disagree",
                "Both readings of each method, with reasons.",
            ),
            "disagreements",
        ),
        (Page("survey/slips", "Its slips", "What the survey prints, what is correct, and the evidence."), "slips"),
    ]
    return [render(cat, page, f"survey_{name}.md.j2", out, **common) for page, name in pages]


def _by(methods: list[Method], values: Any) -> dict[str, list[Method]]:
    """The methods by value of a field; a method with several values stands under each."""
    out: dict[str, list[Method]] = {}
    for method in methods:
        for value in values(method):
            out.setdefault(value, []).append(method)
    return out
