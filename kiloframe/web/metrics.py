"""The pages of the metrics: definitions, test vectors, and who reports which numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kiloframe.web.datasets import reported, used_by
from kiloframe.web.markdown import Page, render
from kiloframe.web.methods import printed
from kiloframe.web.slips import slips_of

__all__ = ["LEVELS", "write"]

LEVELS = {"image": "single frames", "video": "video", "text": "frames against text", "human": "human judgement"}


def write(cat: Any, out: Path) -> list[Path]:
    """Write metrics/index.md and one page per metric. Returns the files written."""
    uses = {slug: used_by(cat.methods, slug, "metrics", []) for slug in cat.metrics}
    rows = {slug: reported(cat.methods, slug, "metric") for slug in cat.metrics}
    slips = {slug: slips_of(cat.survey, 2, slug, metric.name) for slug, metric in cat.metrics.items()}
    page = Page(
        "metrics",
        "Metrics",
        f"{len(cat.metrics)} metrics of video generation: definition, constants, test vectors, biases, users.",
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
