"""Figure 2, the timeline: a row per method in order of appearance, a lane per paradigm, a shape per generator.

Lines join a method to what it is built on (drawn always) and to what its record or another's calls related (drawn for
the row that is pointed at). Places are in units of the drawing: 100 to a lane, 10 to a row; it is stretched to fit.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from kiloframe.schema import Method
from kiloframe.web.figures.lineage import Link, Work, built_on, related, works_of
from kiloframe.web.words import WORDS

__all__ = ["GENERATORS", "LANES", "Edge", "Row", "Timeline", "timeline"]

LANES = ("divide-and-conquer", "both", "temporal-autoregressive", "other")
GENERATORS = ("diffusion", "spatial-autoregressive", "gan", "mask-modeling")
LANE, ROW, BULGE = 100, 10, 30
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


class Edge(NamedTuple):
    """A line from an earlier method to a later one: its path, and whether the later one is built on the earlier."""

    earlier: str
    later: str
    path: str
    built: bool


class Row(NamedTuple):
    """One method: its lane, the year where it is the first of it, its month, and what it comes from."""

    method: Method
    lane: int
    year: str
    month: str
    built: list[Link]
    works: list[Work]
    related: list[str]
    told: str


class Timeline(NamedTuple):
    """The rows, the lines, how many methods stand in each lane, the size of the drawing, and it all in words."""

    rows: list[Row]
    edges: list[Edge]
    lanes: list[tuple[str, int]]
    size: tuple[int, int]
    alt: str


def timeline(cat: Any) -> Timeline:
    """The figure over all methods, by the editors' reading of the paradigm, oldest first."""
    order = sorted(cat.methods.values(), key=lambda method: (method.first_public, method.name.lower()))
    place = {method.slug: i for i, method in enumerate(order)}
    lane = {method.slug: LANES.index(method.paradigm.editors.value) for method in order}
    links = built_on(cat)
    pairs = related(cat)
    known = {(link.earlier, link.later) for link in links}

    def edge(earlier: str, later: str) -> Edge:
        x1, x2 = (lane[slug] * LANE for slug in (earlier, later))
        y1, y2 = (place[slug] * ROW + ROW // 2 for slug in (earlier, later))
        middle = (y1 + y2) // 2
        if x1 == x2:  # beside the lane, so that the line crosses no mark
            path = f"M{x1} {y1}C{x1 - BULGE} {y1} {x1 - BULGE} {y2} {x2} {y2}"
        else:
            path = f"M{x1} {y1}C{x1} {middle} {x2} {middle} {x2} {y2}"
        return Edge(earlier, later, path, (earlier, later) in known)

    edges = [edge(link.earlier, link.later) for link in links]
    edges += [edge(*pair) for pair in pairs if pair not in known]
    rows, year = [], ""
    for method in order:
        date = method.first_public
        mine = [link for link in links if link.later == method.slug]
        near = sorted({b if a == method.slug else a for a, b in pairs if method.slug in (a, b)}, key=place.__getitem__)
        works = works_of(method)
        rows.append(
            Row(
                method, lane[method.slug], date[:4] if date[:4] != year else "", _MONTHS[int(date[5:]) - 1],
                mine, works, near, _told(cat, method, mine, works, near),
            )
        )  # fmt: skip
        year = date[:4]
    tally = Counter(lane.values())
    lanes = [(WORDS[name], tally[i]) for i, name in enumerate(LANES)]
    return Timeline(rows, edges, lanes, (LANE * len(LANES), ROW * len(rows)), _alt(cat, order, lanes, links))


def _told(cat: Any, method: Method, built: list[Link], works: list[Work], near: list[str]) -> str:
    generators = ", ".join(WORDS[kind] for kind in method.generator.editors.value)
    said = f"{method.name}, {method.first_public}: {WORDS[method.paradigm.editors.value]}, {generators}."
    for link in built:
        said += f" Built on {cat.methods[link.earlier].name}: “{link.words}”."
    if works:
        said += f" Made with {', '.join(work.name for work in works)}, says its record."
    if near:
        said += f" Related: {', '.join(cat.methods[slug].name for slug in near)}."
    return said


def _alt(cat: Any, order: list[Method], lanes: list[tuple[str, int]], links: list[Link]) -> str:
    if not order:
        return "Timeline without methods."
    counted = ", ".join(f"{count} {words}" for words, count in lanes)
    said = f"Timeline of {len(order)} methods from {order[0].first_public} to {order[-1].first_public}: {counted}."
    if links:
        named = ", ".join(f"{cat.methods[link.later].name} on {cat.methods[link.earlier].name}" for link in links)
        said += f" Built on another of them: {named}."
    return said
