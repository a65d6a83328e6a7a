"""How long is long: each method's own answer in frames and seconds, and the survey's Figure 1 beside our counts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from kiloframe.schema import Method

if TYPE_CHECKING:
    from kiloframe.catalogue import Catalogue

__all__ = ["Counts", "Figure1", "Length", "figure1", "longest"]


class Length(NamedTuple):
    """A length of one method, with its provenance.

    `unit` and `value` are as the source states them (both None where it gives no number); `frames` and `seconds` are
    that length in each unit, None where it is not known. `fps` is the rate used to convert, None where none is known.
    `converted` names the one of the two that was computed with `fps`.
    """

    slug: str
    unit: str | None
    value: float | int | None
    frames: float | int | None
    seconds: float | int | None
    fps: float | int | None
    converted: str | None
    words: str
    locator: str
    seen: str


def longest(method: Method, shown: bool = False) -> Length:
    """The length the paper itself calls long or, with `shown`, that of the longest video it shows.

    Frames and seconds convert only with the record's own frame rate of the longest shown video
    (`longest_shown.fps`), never with that of training: many methods train on thinned-out clips. A definition counts
    only where the paper states one (`stated` is true); a number that the record notes beside it does not.
    """
    fps = method.longest_shown.fps
    frames: float | int | None
    seconds: float | int | None
    unit: str | None
    if shown:
        about = method.longest_shown
        frames, seconds = about.frames, about.seconds
        unit = "frames" if frames is not None else "seconds" if seconds is not None else None
        words, locator, seen = about.words, about.locator, about.seen
    else:
        define = method.long_video_definition
        value = define.value if define.stated else None
        unit = define.unit if value is not None else None
        frames = value if unit == "frames" else None
        seconds = value if unit == "seconds" else None
        words, locator, seen = define.words, define.locator, define.seen
    frames, seconds = (None if value is None else _whole(value) for value in (frames, seconds))
    stated = frames if unit == "frames" else seconds
    converted = None
    if fps and frames is None and seconds is not None:
        frames, converted = _whole(seconds * fps), "frames"
    elif fps and seconds is None and frames is not None:
        seconds, converted = _whole(frames / fps), "seconds"
    return Length(method.slug, unit, stated, frames, seconds, fps, converted, words, locator, seen)


def _whole(number: float) -> float | int:
    """An integer where the number is one but for rounding."""
    near = round(number)
    return near if math.isclose(number, near, rel_tol=1e-9) else number


class Counts(NamedTuple):
    """How many studies give a number for what they call long, and in which unit."""

    studies: int
    with_length: int
    by_duration: int
    by_frames: int
    without_length: int


class Figure1(NamedTuple):
    """The survey's Figure 1 as printed (`survey`), our counts over the catalogue (`ours`), and our rows.

    Of ours without a length: `calls_long` call their videos long and give no number, `does_not` state no notion of
    long, `unknown` is not known. The survey does not list its studies, so the two sets differ, and the counts.
    """

    survey: Counts
    ours: Counts
    calls_long: int
    does_not: int
    unknown: int
    rows: list[Length]


def figure1(cat: Catalogue) -> Figure1:
    """Who calls what long: one row per method, those with a number first, longest last in each unit."""
    printed = cat.survey["figure1"]
    survey = Counts(
        studies=printed["studies"],
        with_length=printed["with_specific_length"],
        by_duration=printed["by_duration"],
        by_frames=printed["by_frame_count"],
        without_length=printed["without_length"],
    )
    methods = list(cat.methods.values())
    rows = sorted((longest(method) for method in methods), key=_order)
    by_duration = sum(row.unit == "seconds" for row in rows)
    by_frames = sum(row.unit == "frames" for row in rows)
    stated = {method.slug: method.long_video_definition.stated for method in methods}
    silent = [stated[row.slug] for row in rows if row.unit is None]
    ours = Counts(len(rows), by_duration + by_frames, by_duration, by_frames, len(silent))
    return Figure1(survey, ours, silent.count(True), silent.count(False), silent.count(None), rows)


def _order(row: Length) -> tuple[int, float, str]:
    groups = ("frames", "seconds", None)
    return groups.index(row.unit), float(row.value or 0), row.slug
