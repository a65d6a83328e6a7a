"""Figure 1, who calls what long: every method on two logarithmic axes, frames and seconds, and the counts.

Positions are shares of the width of an axis in per cent, so that the same picture fits a phone and a wide screen.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from kiloframe.lengths import Counts, Figure1, Length, longest
from kiloframe.schema import Method
from kiloframe.web.markdown import number
from kiloframe.web.methods import called, shown

__all__ = ["Axis", "Bar", "LengthsFigure", "Mark", "Row", "Segment", "Tick", "bars", "lengths_figure"]

_FIRST, _LAST = 12.0, 97.0  # where an axis begins and ends, in per cent; what is unknown stands before it
UNITS = ("frames", "seconds")


class Tick(NamedTuple):
    """A value of an axis, as written, and its place in per cent."""

    label: str
    at: str


class Axis(NamedTuple):
    """A logarithmic axis: its unit, a tick per power of ten, the survey's threshold, its picture in words."""

    unit: str
    ticks: list[Tick]
    threshold: Tick
    alt: str


class Mark(NamedTuple):
    """A length of a method in one unit: its place in per cent, and whether it was converted with a frame rate."""

    at: str
    converted: bool


class Row(NamedTuple):
    """One method: per unit (frames, seconds) what it calls long and the longest it shows; None where not known."""

    method: Method
    called: tuple[Mark | None, ...]
    shown: tuple[Mark | None, ...]
    told: str
    order: dict[str, float]

    def both(self, unit: int) -> bool:
        """Whether both lengths are known in this unit, so that a line joins them."""
        return self.called[unit] is not None and self.shown[unit] is not None

    def unknown(self, unit: int) -> bool:
        """Whether neither is known in this unit."""
        return self.called[unit] is None and self.shown[unit] is None


class LengthsFigure(NamedTuple):
    """The axes, a row per method (longest first, those of which nothing is known last), and the number of those."""

    axes: list[Axis]
    rows: list[Row]
    dark: int


class Segment(NamedTuple):
    """A part of a bar: what is counted, how many, and the key of its look."""

    words: str
    number: int
    key: str


class Bar(NamedTuple):
    """Whose counts, the parts of the bar, and the whole in words."""

    whose: str
    parts: list[Segment]
    alt: str


def lengths_figure(cat: Any) -> LengthsFigure:
    """The figure over all methods of the catalogue. Frames and seconds convert only with the record's own rate."""
    pairs = {slug: (longest(method), longest(method, shown=True)) for slug, method in cat.methods.items()}
    threshold = cat.survey["definition_of_long_video"]
    places, axes = {}, []
    for unit in UNITS:
        limit = threshold[f"{unit}_threshold"]
        known = {slug: [value for one in pair if (value := getattr(one, unit))] for slug, pair in pairs.items()}
        values = [value for found in known.values() for value in found]
        low, high = _powers([*values, limit])
        places[unit] = (low, high)
        most = max((slug for slug in known if known[slug]), key=lambda slug: (max(known[slug]), slug), default=None)
        over = sum(max(found, default=0) > limit for found in known.values())
        seen = sum(bool(found) for found in known.values())
        alt = (
            f"Chart of {len(pairs)} methods on a logarithmic axis of {unit}: of {seen} a length in {unit} is known, of "
            f"{len(pairs) - seen} it is not. {over} reach past the survey's threshold of {number(limit)} {unit}."
        )
        if most is not None:
            alt += f" The longest is {cat.methods[most].name} with {number(max(known[most]))} {unit}."
        ticks = [Tick(_power(power), _place(10.0**power, low, high)) for power in range(low, high + 1)]
        axes.append(Axis(unit, ticks, Tick(f"{number(limit)} {unit}", _place(limit, low, high)), alt))
    rows = [
        Row(
            cat.methods[slug],
            _marks(stated, places),
            _marks(seen_, places),
            _told(cat.methods[slug], stated, seen_),
            _order(cat.methods[slug], stated, seen_),
        )
        for slug, (stated, seen_) in pairs.items()
    ]
    rows.sort(key=lambda row: (-row.order["longest"], -row.order["longest-seconds"], row.method.name.lower()))
    return LengthsFigure(axes, rows, sum(row.unknown(0) and row.unknown(1) for row in rows))


def bars(figure: Figure1) -> list[Bar]:
    """The survey's counts and ours, each as one bar of as many parts as there are answers."""

    def bar(whose: str, counts: Counts) -> Bar:
        parts = [
            Segment("a number of frames", counts.by_frames, "frames"),
            Segment("a number of seconds", counts.by_duration, "seconds"),
            Segment("no number", counts.without_length, "none"),
        ]
        listed = ", ".join(f"{part.number} with {part.words}" for part in parts)
        return Bar(whose, parts, f"{whose}: {counts.studies} studies, {listed}.")

    return [bar("The survey's Figure 1", figure.survey), bar("This catalogue", figure.ours)]


def _marks(length: Length, places: dict[str, tuple[int, int]]) -> tuple[Mark | None, ...]:
    found: list[Mark | None] = []
    for unit in UNITS:
        value = getattr(length, unit)
        found.append(Mark(_place(value, *places[unit]), length.converted == unit) if value else None)
    return tuple(found)


def _told(method: Method, stated: Length, seen: Length) -> str:
    """What the marks of a method say, in words and with where it stands."""
    both = f"called long: {called(method.long_video_definition)} ({stated.locator}); "
    both += f"longest shown: {shown(method.longest_shown)} ({seen.locator})"
    turned = {length.converted for length in (stated, seen)} - {None}
    if turned:
        units = " and ".join(sorted(unit for unit in turned if unit))
        both += f"; {units} computed with its {number(stated.fps)} frames per second"
    return f"{method.name}, {method.first_public[:4]}: {both}."


def _order(method: Method, stated: Length, seen: Length) -> dict[str, float]:
    """By what the rows can be put in order, largest first: unknown is 0 and stands last."""
    frames = [float(length.frames or 0) for length in (stated, seen)]
    seconds = [float(length.seconds or 0) for length in (stated, seen)]
    year, month = method.first_public.split("-")
    return {
        "longest": max(frames),
        "longest-seconds": max(seconds),
        "called": frames[0] or seconds[0] / 1e6,  # those known only in seconds stand after those in frames
        "newest": int(year) * 12 + int(month),
    }


def _powers(values: list[float]) -> tuple[int, int]:
    """The powers of ten that enclose all values; at least two of them."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _place(value: float, low: int, high: int) -> str:
    share = (math.log10(value) - low) / (high - low)
    return f"{_FIRST + share * (_LAST - _FIRST):.2f}%"


def _power(power: int) -> str:
    return number(10**power) if power >= 0 else f"{10.0**power:g}"
