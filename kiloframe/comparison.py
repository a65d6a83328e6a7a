"""Methods side by side: the same fields of each, and where what is known of them differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from kiloframe.filters import has_reproduction
from kiloframe.schema import Method
from kiloframe.verdicts import summary

__all__ = ["Row", "compare", "differ", "facts"]


class Row(NamedTuple):
    """One field: its name, whether known values differ, and the value of each method (None is unknown)."""

    field: str
    differs: bool
    values: list[Any]


def compare(methods: Sequence[Method]) -> list[Row]:
    """All fields of these methods, in a fixed order."""
    columns = [facts(method) for method in methods]
    rows = []
    for field in columns[0] if columns else ():
        values = [column[field] for column in columns]
        rows.append(Row(field, differ(values), values))
    return rows


def differ(values: Sequence[Any]) -> bool:
    """Whether two known values differ; unknown (None, an empty list or text) differs from nothing."""
    return len({repr(value) for value in values if value not in (None, [], "")}) > 1


def facts(m: Method) -> dict[str, Any]:
    """What is compared of a method, by field."""
    stated, shown = m.long_video_definition, m.longest_shown
    survey = m.paradigm.survey
    return {
        "name": m.name,
        "first_public": m.first_public,
        "venue": m.venue,
        "membership": m.membership.by,
        "paradigm": m.paradigm.editors.value,
        "paradigm_survey": survey.value if survey else "under no heading",
        "generator": list(m.generator.editors.value),
        "control_signals": list(m.control_signals),
        "long_stated_frames": stated.value if stated.stated and stated.unit == "frames" else None,
        "long_stated_seconds": stated.value if stated.stated and stated.unit == "seconds" else None,
        "longest_shown_frames": shown.frames,
        "longest_shown_seconds": shown.seconds,
        "longest_shown_fps": shown.fps,
        "clip_frames": m.training.clip_frames,
        "resolution": m.training.resolution,
        "steps_or_compute": m.training.steps_or_compute,
        "representation": m.representation,
        "datasets": list(dict.fromkeys(d.ref or d.text for d in m.datasets)),
        "metrics": list(dict.fromkeys(x.ref or x.text for x in m.metrics)),
        "distinguishing": m.distinguishing,
        "code_status": m.code_status.value,
        "reproduction": "yes" if has_reproduction(m.slug) else "no",
        "verdicts": summary(m),
    }
