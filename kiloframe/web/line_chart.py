"""Lines with their intervals as vector graphics: drawn from a run's curve, told in words, with its numbers beneath."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kiloframe.results import Curve, Series
from kiloframe.web.markdown import number

__all__ = ["COLOURS", "Chart", "Line", "Tick", "chart", "told"]

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 44
COLOURS = 8
"""How many line colours the style sheet has; every round of them gets another dash."""


class Tick(NamedTuple):
    """A mark of an axis: where (in the drawing) and what stands there."""

    at: float
    label: str


class Line(NamedTuple):
    """A line to draw: its name, its colour and dash by number, the points, and the band around it ("" is none)."""

    name: str
    colour: int
    dash: int
    points: str
    dots: list[tuple[float, float]]
    band: str


class Chart(NamedTuple):
    """All that the template draws. `rows` are the numbers: x, then one cell per line."""

    id: str
    title: str
    caption: str
    x_label: str
    y_label: str
    x: list[Tick]
    y: list[Tick]
    lines: list[Line]
    alt: str
    rows: list[list[str]]


def chart(curve: Curve, log_y: bool = False) -> Chart:
    """The curve as a chart, x logarithmic where it says so. A logarithmic y leaves out values that are not above 0."""
    xs = sorted({x for line in curve.series for x in line.x})
    ys = [
        y
        for line in curve.series
        for values in (line.y, line.low or [], line.high or [])
        for y in values
        if math.isfinite(y) and (y > 0 or not log_y)
    ]
    across = _scale(xs or [1.0], LEFT, WIDTH - RIGHT, curve.log_x)
    up = _scale(ys or [0.0, 1.0], HEIGHT - BOTTOM, TOP, log_y)
    lines = []
    for i, line in enumerate(curve.series):
        bands = line.low is not None and line.high is not None
        low, high = (line.low, line.high) if bands else (line.y, line.y)
        assert low is not None and high is not None
        there = [
            (across(x), up(y), up(a), up(b))
            for x, y, a, b in zip(line.x, line.y, low, high, strict=True)
            if all(math.isfinite(v) and (v > 0 or not log_y) for v in (y, a, b))
        ]
        around = [(x, b) for x, _, _, b in there] + [(x, a) for x, _, a, _ in reversed(there)]
        dots = [(x, y) for x, y, _, _ in there]
        lines.append(
            Line(
                line.name, i % COLOURS, i // COLOURS, _path(dots), dots if len(dots) <= 12 else [],
                _path(around) if bands else "",
            )
        )  # fmt: skip
    told_x = [x for x in xs if len(xs) <= 8] or _ticks(xs[0], xs[-1], curve.log_x)
    low_y, high_y = (min(ys), max(ys)) if ys else (0.0, 1.0)
    rows = [[number(x), *(_cell(line, x) for line in curve.series)] for x in xs]
    return Chart(
        curve.id, curve.title, curve.caption, curve.x_label, curve.y_label,
        [Tick(across(x), number(x)) for x in told_x], [Tick(up(y), _short(y)) for y in _ticks(low_y, high_y, log_y)],
        lines, told(curve), rows,
    )  # fmt: skip


def told(curve: Curve) -> str:
    """The curve in words: where each line begins and ends."""
    parts = [
        f"{line.name} from {line.y[0]:.3g} at {number(line.x[0])} to {line.y[-1]:.3g} at {number(line.x[-1])}"
        for line in curve.series
        if line.x
    ]
    return f"Chart of {curve.y_label} against {curve.x_label}. {'; '.join(parts)}."


def _scale(values: Sequence[float], start: float, end: float, log: bool) -> Callable[[float], float]:
    """From a value to its place in the drawing, rounded to a tenth."""
    turned = [math.log10(v) if log else v for v in values]
    low, high = min(turned), max(turned)
    room = (high - low) * 0.04 or 0.5

    def place(value: float) -> float:
        at = math.log10(value) if log else value
        return round(start + (end - start) * (at - low + room) / (high - low + 2 * room), 1)

    return place


def _ticks(low: float, high: float, log: bool) -> list[float]:
    """Round values between two: powers of ten on a logarithmic axis, else four to eight even steps."""
    if log:
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        powers = [10.0**power for power in range(first, last + 1)]
        if len(powers) > 1:
            return powers
        steps = [size * 10.0**power for power in range(first - 1, last + 2) for size in (1, 2, 5)]
        return [step for step in steps if low <= step <= high] or sorted({low, high})
    if low == high:
        return [low]
    rough = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(size * unit for size in (1, 2, 5, 10) if size * unit >= rough)
    return [round(step * i, 10) for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _short(value: float) -> str:
    """A number with three digits at most; from ten thousand on with a prefix: 1.2 G."""
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= max(size, 1e4):
            return f"{value / size:.3g} {prefix}"
    return f"{value:.3g}"


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)


def _cell(line: Series, x: float) -> str:
    if x not in line.x:
        return "not measured"
    at = line.x.index(x)
    value = _short(line.y[at])
    if line.low is not None and line.high is not None:
        value += f" ({_short(line.low[at])} to {_short(line.high[at])})"
    return value
