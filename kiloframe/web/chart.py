"""Who calls what long, as a picture: one row per method on a logarithmic axis, drawn as SVG from the facts."""

from __future__ import annotations

import math
from typing import Any

from markupsafe import Markup

from kiloframe.lengths import Length, longest
from kiloframe.web.markdown import escape, number

__all__ = ["lengths_chart"]

_ROW, _LEFT, _RIGHT, _TOP, _WIDTH, _NAME = 17, 184, 34, 44, 760, 26


def lengths_chart(cat: Any) -> Markup:
    """Two panels, frames and seconds, with what each method calls long and the longest it shows; a figure element.

    Frames and seconds are each as stated or converted with the record's own frame rate; a method without a known
    length in a panel's unit has no row in it. The text for readers who do not see it is made from the data.
    """
    threshold = cat.survey["definition_of_long_video"]
    panels = [
        _panel(cat, "frames", threshold["frames_threshold"]),
        _panel(cat, "seconds", threshold["seconds_threshold"]),
    ]
    return Markup("\n").join(panels)


def _panel(cat: Any, unit: str, threshold: float) -> Markup:
    rows: list[tuple[str, Length, Length]] = []
    for slug, method in cat.methods.items():
        stated, shown = longest(method), longest(method, shown=True)
        if getattr(stated, unit) is not None or getattr(shown, unit) is not None:
            rows.append((slug, stated, shown))
    rows.sort(key=lambda row: (-max(getattr(row[1], unit) or 0, getattr(row[2], unit) or 0), row[0]))
    values = [value for _, *pair in rows for length in pair if (value := getattr(length, unit))]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    height = _TOP + _ROW * len(rows) + 12

    def x(value: float) -> str:
        share = (math.log10(value) - low) / max(high - low, 1)
        return f"{_LEFT + share * (_WIDTH - _LEFT - _RIGHT):.1f}"

    top, bottom = _TOP - 8, height - 8
    parts = []
    for power in range(low, high + 1):
        at = x(10.0**power)
        label = number(10**power) if power >= 0 else f"{10.0**power:g}"
        parts.append(Markup('<line class="kf-grid" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(at, top, bottom))
        parts.append(
            Markup('<text class="kf-axis" x="{}" y="{}" text-anchor="middle">{}</text>').format(at, top - 6, label)
        )
    line = '<line class="kf-threshold" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>'
    parts.append(Markup(line).format(x(threshold), top, bottom))
    for place, (slug, stated, shown) in enumerate(rows):
        y = _TOP + _ROW * place + _ROW / 2
        name = escape(cat.methods[slug].name)
        short = name if len(cat.methods[slug].name) <= 26 else escape(cat.methods[slug].name[:25] + "…")
        parts.append(
            Markup('<text class="kf-axis" x="{}" y="{}" text-anchor="end">{}</text>').format(_LEFT - 10, y + 4, short)
        )
        said, seen = getattr(stated, unit), getattr(shown, unit)
        if said and seen:
            bar = '<line class="kf-span" x1="{}" x2="{}" y1="{}" y2="{}"/>'
            parts.append(Markup(bar).format(x(said), x(seen), y, y))
        if seen:
            parts.append(Markup('<circle class="kf-shown" cx="{}" cy="{}" r="5.5"/>').format(x(seen), y))
        if said:
            parts.append(Markup('<circle class="kf-stated" cx="{}" cy="{}" r="3.5"/>').format(x(said), y))
    over = sum(max(getattr(pair[0], unit) or 0, getattr(pair[1], unit) or 0) > threshold for _, *pair in rows)
    alt = (
        f"Chart of {len(rows)} methods with a known length in {unit}, on a logarithmic axis from {number(min(values))} "
        f"to {number(max(values))}: {over} reach past the survey's threshold of {number(threshold)}; the longest is "
        f"{cat.methods[rows[0][0]].name}. The table below holds the numbers."
    )
    caption = (
        f"Lengths in {unit}: dot, called long by the paper; ring, longest shown; dashed line, the survey's threshold "
        f"({number(threshold)} {unit})."
    )
    size = Markup('viewBox="0 0 {0} {1}" width="{0}" height="{1}"').format(_WIDTH, height)
    return Markup(
        '<figure class="kf-figure"><div class="kf-wrap" tabindex="0" role="region" aria-label="{}">'
        '<svg {} role="img" aria-label="{}">{}</svg></div><figcaption>{}</figcaption></figure>'
    ).format(escape(f"Chart of lengths in {unit}"), size, escape(alt), Markup("").join(parts), caption)


def _text(x: float | str, y: float, words: str, anchor: str) -> Markup:
    line = '<text class="kf-axis" x="{}" y="{}" text-anchor="{}">{}</text>'
    return Markup(line).format(x, y, anchor, escape(words))
