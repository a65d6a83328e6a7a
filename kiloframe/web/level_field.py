"""The level field: quality and cost against length, all methods at equal budgets, from the study's result."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kiloframe.results import Curve, Measure, Result, Series
from kiloframe.web.claims import FIELD, survey_claims
from kiloframe.web.line_chart import Chart, chart
from kiloframe.web.markdown import Page, render
from kiloframe.web.verdicts import Results

__all__ = ["COSTS", "World", "costs", "worlds", "write"]

COSTS = {
    "calls": "network calls a frame",
    "operations": "operations a frame",
    "seconds": "seconds a frame",
    "memory": "memory grown, MB",
}
"""The measures of cost by the beginning of their id (`calls-128`), and how the page calls them."""
_COST = re.compile(rf"({'|'.join(COSTS)})-(\d+)")


class World(NamedTuple):
    """The charts of one world: quality against length, and the course of the longest videos."""

    name: str
    charts: list[Chart]


def worlds(result: Result) -> list[World]:
    """The worlds of the run in its order, each with those of its curves that tell quality."""
    curves = {curve.id: curve for curve in result.curves}
    names = [id.removeprefix("length-") for id in curves if re.fullmatch(r"length-(?!distance-)\w+", id)]
    out = []
    for name in names:
        ids = (f"length-{name}", f"length-distance-{name}", f"{name}-drift")
        out.append(World(name, [chart(curves[id]) for id in ids if id in curves]))
    return out


def costs(measures: Sequence[Measure]) -> list[Chart]:
    """One chart per kind of cost that was measured, with a line per contender, on logarithmic axes."""
    found: dict[str, dict[str, dict[int, Measure]]] = {kind: {} for kind in COSTS}
    for item in measures:
        if known := _COST.fullmatch(item.id):
            found[known[1]].setdefault(item.subject, {})[int(known[2])] = item
    out = []
    for kind, subjects in found.items():
        lines = []
        for subject, by_length in subjects.items():
            at = sorted(by_length)
            bounds = [(by_length[n].low, by_length[n].high) for n in at]
            whole = all(low is not None and high is not None for low, high in bounds)
            lines.append(
                Series(
                    name=subject, x=[float(n) for n in at], y=[by_length[n].value for n in at],
                    low=[low for low, _ in bounds if low is not None] if whole else None,
                    high=[high for _, high in bounds if high is not None] if whole else None,
                )
            )  # fmt: skip
        if lines:
            title = COSTS[kind]
            curve = Curve(
                id=f"cost-{kind}", title=title[:1].upper() + title[1:], x_label="frames", y_label=title, series=lines,
                log_x=True, caption="A flat line: length is free.",
            )  # fmt: skip
            out.append(chart(curve, log_y=True))
    return out


def trained(measures: Any) -> tuple[float, float, str] | None:
    """The least and the most seconds that a method was trained for, and on what; None where nothing tells."""
    found = [measure for measure in measures if measure.id == "training-seconds"]
    seconds, where = [measure.value for measure in found], sorted({measure.note or "" for measure in found})
    return (min(seconds), max(seconds), " and ".join(filter(None, where))) if found else None


def write(cat: Any, studies: Results, out: Path) -> list[Path]:
    """Write level-field/index.md: the charts where the study was run, else what to type."""
    run = studies.get(FIELD)
    page = Page(
        "level-field", "Level field",
        "Methods of long video generation at equal budgets: quality against length and cost against length, with "
        "intervals, from our own runs.",
        wide=True,
    )  # fmt: skip
    result = run[0] if run else None
    return [
        render(
            cat, page, "level_field.md.j2", out, result=result, frozen=bool(run and run[2]),
            trained=trained(result.measures) if result else None, more="more_training" in studies,
            worlds=worlds(result) if result else [], costs=costs(result.measures) if result else [],
            claims=survey_claims(cat.survey, run), field=FIELD,
        )
    ]  # fmt: skip
