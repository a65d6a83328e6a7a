"""The pages of the metrics: definitions, test vectors, and who reports which numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from kiloframe.schema import Metric
from kiloframe.web.datasets import reported, used_by
from kiloframe.web.markdown import Page, render
from kiloframe.web.methods import printed
from kiloframe.web.slips import Slip, slips_of

__all__ = ["LEVELS", "Cell", "beside_table2", "write"]

LEVELS = {"image": "single frames", "video": "video", "text": "frames against text", "human": "human judgement"}


class Cell(NamedTuple):
    """One cell of Table 2 as printed beside what the metric's record says; `verdict` is a word of the page's legend."""

    column: str
    printed: str
    fact: str
    verdict: str


# What the survey's categories say of a metric's level.
_CATEGORIES = {"Image/Frame level indicators": "image", "Video level indicators": "video"}


def beside_table2(metric: Metric, slips: list[Slip]) -> list[Cell]:
    """The row that the survey prints for a metric; empty where Table 2 has none.

    The category is compared with the level of the record; a citation differs where one of the row's `slips` is an
    error. Descriptions are prose and stand beside the formula without a verdict.
    """
    row = metric.survey_table2
    if row is None:
        return []
    level = _CATEGORIES.get(row.category)
    paper = metric.paper.title + (f" ({metric.paper.year})" if metric.paper.year else "")
    kinds = {slip["severity"] for slip in slips}
    cited = "differs" if "error" in kinds else "remark" if kinds else "nothing noted"
    return [
        Cell(
            "Category", row.category, LEVELS[metric.level],
            "unknown" if level is None else "agrees" if level == metric.level else "differs",
        ),
        Cell("Description", row.description, str(metric.definition.get("formula", "unknown")), "in words"),
        Cell("Dimension", row.discrepancy_dimension, f"{metric.direction}; range {metric.range}", "in words"),
        Cell("Citation", "; ".join(slip["printed"] for slip in slips), f"Its own paper: {paper}", cited),
    ]  # fmt: skip


def write(cat: Any, out: Path) -> list[Path]:
    """Write metrics/index.md and one page per metric. Returns the files written."""
    uses = {slug: used_by(cat.methods, slug, "metrics", []) for slug in cat.metrics}
    rows = {slug: reported(cat.methods, slug, "metric") for slug in cat.metrics}
    slips = {slug: slips_of(cat.survey, 2, slug, metric.name) for slug, metric in cat.metrics.items()}
    page = Page(
        "metrics",
        "Metrics",
        f"{len(cat.metrics)} metrics of video generation: definition, constants, test vectors, biases, users.",
        wide=True,
    )
    files = [render(cat, page, "metrics.md.j2", out, uses=uses, rows=rows, levels=LEVELS)]
    for slug, metric in cat.metrics.items():
        files.append(
            render(
                cat,
                Page(
                    f"metrics/{slug}",
                    metric.name,
                    f"{metric.name}, metric: what it measures, how exactly, who reports it.",
                ),
                "metric.md.j2",
                out,
                d=metric,
                level=LEVELS[metric.level],
                slips=slips[slug],
                uses=uses[slug],
                rows=rows[slug],
                printed=printed,
            )
        )
    return files
