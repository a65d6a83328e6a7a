"""The moving picture of the front page: one world made by both paradigms, and what was measured of each.

Which films stand beside each other, and which paradigm makes which, is said here; everything the page says about them
is read from the run, also that the two cannot be told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kiloframe.web.markdown import number
from kiloframe.web.words import WORDS

if TYPE_CHECKING:
    from kiloframe.results import Measure, Media, Result

__all__ = ["CONTESTS", "Contest", "Found", "Side", "apart", "caption", "find", "picture"]

_Results = Mapping[str, "tuple[Result, Path, bool]"]


class Side(NamedTuple):
    """A column of the film: the name it has in the run, for readers, the record it belongs to and its paradigm."""

    subject: str
    title: str
    slug: str | None = None
    paradigm: str | None = None


class Contest(NamedTuple):
    """A film of a run whose columns, from the left, are `sides`, judged by `measure`, of which less is better.

    `says` is what the measure counts, after a verb: "loses 0.2 shapes per frame".
    """

    slug: str
    film: str
    sides: tuple[Side, ...]
    measure: str
    says: str


class Found(NamedTuple):
    """A contest that has run: its film, the measures of its sides, and the two that are set against each other."""

    contest: Contest
    media: Media
    measures: dict[str, Measure]
    steady: Side
    drifting: Side


_REAL = Side("real", "the world itself")
_FDM = Side("fdm", "FDM, sliding window", "fdm", "temporal-autoregressive")
# In order of preference: the first in which the two can be told apart is shown.
CONTESTS = (
    Contest(
        "tats", "side-by-side",
        (_REAL, Side("hierarchical", "TATS, key frames first", "tats", "divide-and-conquer"),
         Side("sliding", "TATS, sliding window", "tats", "temporal-autoregressive"), _FDM),
        "lost", "shapes per frame",
    ),
    Contest(
        "nuwa_xl", "side-by-side",
        (_REAL, Side("depth 4, with captions", "NUWA-XL, with captions", "nuwa_xl", "divide-and-conquer"),
         Side("depth 4", "NUWA-XL", "nuwa_xl", "divide-and-conquer"),
         Side("depth 1", "NUWA-XL, clip after clip", "nuwa_xl", "temporal-autoregressive"), _FDM),
        "lost", "shapes per frame",
    ),
)  # fmt: skip


def find(results: _Results) -> Found | None:
    """The contest to show: the first whose two paradigms differ by more than their intervals, else the first that ran.

    Of each paradigm the side is taken that lets the two be told apart best. None where no contest has run.
    """
    ran = []
    for contest in CONTESTS:
        if contest.slug not in results:
            continue
        result, folder, _ = results[contest.slug]
        media = next((one for one in result.media if Path(one.file).stem == contest.film), None)
        measures = {one.subject: one for one in result.measures if one.id.partition(":")[0] == contest.measure}
        if media is None or not (folder / contest.slug / media.file).is_file():
            continue
        pairs = [
            (a, b)
            for a in contest.sides
            for b in contest.sides
            if a.paradigm == "divide-and-conquer" and b.paradigm == "temporal-autoregressive"
            if a.subject in measures and b.subject in measures
        ]
        if pairs:
            best = max(pairs, key=lambda pair: _gap(measures[pair[0].subject], measures[pair[1].subject]))
            ran.append(Found(contest, media, measures, *best))
    told = [one for one in ran if apart(one.measures[one.steady.subject], one.measures[one.drifting.subject])]
    return next(iter([*told, *ran]), None)


def _gap(a: Measure, b: Measure) -> float:
    """How far the intervals lie apart, less than zero where they overlap; the difference where there is none."""
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return -abs(a.value - b.value)
    return max(b.low - a.high, a.low - b.high)


def apart(a: Measure, b: Measure) -> bool:
    """Whether both have intervals and these do not overlap."""
    return _gap(a, b) > 0


def caption(found: Found, result: Result) -> str:
    """What the film shows and what was measured, in plain text; every number is the run's."""
    a, b = (found.measures[side.subject] for side in (found.steady, found.drifting))
    said = (
        f"{found.media.frames} frames of one toy world, made by small models of ours. "
        f"{found.steady.title} ({WORDS[found.steady.paradigm or '']}) loses {_value(a)} {found.contest.says}; "
        f"{found.drifting.title} ({WORDS[found.drifting.paradigm or '']}) loses {_value(b)}. "
    )
    seeds = f"{len(result.seeds)} seeds" if result.seeds else "the seeds"
    if not apart(a, b):
        return said + f"Over {seeds} the intervals overlap: at this scale the two cannot be told apart."
    said += f"Over {seeds} the intervals do not overlap."
    alike = [
        side
        for side in found.contest.sides
        if side.paradigm == found.drifting.paradigm
        and side.subject in found.measures
        and not apart(found.measures[side.subject], a)
    ]
    if alike:
        others = ", ".join(f"{side.title} loses {_value(found.measures[side.subject])}" for side in alike)
        said += f" It is not the paradigm alone: {others}."
    return said


def _value(measure: Measure) -> str:
    """A value to two digits, with its interval where there is one."""
    if measure.low is None or measure.high is None:
        return f"{measure.value:.2g}"
    return f"{measure.value:.2f} ({measure.low:.2f} to {measure.high:.2f})".replace("-", "−")


def picture(found: Found, result: Result, film: str) -> str:
    """The figure: names above the columns, the film (an HTML video), the measure of each below, the caption."""
    columns = []
    for side in found.contest.sides:
        name = escape(side.title)
        if side.slug:
            name = f'<a href="methods/{side.slug}/index.html">{name}</a>'
        kind = f"<span>{escape(WORDS[side.paradigm])}</span>" if side.paradigm else "<span>what is to be made</span>"
        columns.append(f"<div>{name}{kind}</div>")
    numbers = []
    for side in found.contest.sides:
        measure = found.measures.get(side.subject)
        told = number(round(measure.value, 2)) if measure else "–"
        sort = "kf-good" if side == found.steady else "kf-bad" if side == found.drifting else ""
        numbers.append(f'<div class="{sort}"><b>{told}</b></div>')
    grid = f'style="grid-template-columns: repeat({len(columns)}, minmax(0, 1fr))"'
    measured = escape(next(iter(found.measures.values())).name)
    page = f"notebooks/{found.contest.slug}/index.html"
    return (
        f'<figure class="kf-moving"><div class="kf-moving-names" {grid}>{"".join(columns)}</div>{film}'
        f'<p class="kf-moving-what">{measured}, on average per frame (less is better):</p>'
        f'<div class="kf-moving-numbers" {grid}>{"".join(numbers)}</div>'
        f'<figcaption>{escape(caption(found, result))} <a href="{page}">See the run</a></figcaption></figure>'
    )
