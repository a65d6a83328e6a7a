"""What a record says: who is faster, by how much, and whether the goal is met."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.row import OURS
from benchmarks.timing import median_ratio

__all__ = ["PARITY", "Judged", "Pace", "judged"]

PARITY = 1e-5
"""With the same weights results differ by less."""
MEMORY = 0.5
"""The share of a peer's memory that is allowed, where memory is part of the goal."""


@dataclass(frozen=True)
class Pace:
    """On so many threads: our median seconds, the fastest peer and its own, and the ratio of the rounds.

    ratio: theirs over ours, the median of the rounds, above 1 where we are faster; low, high: its 95 % interval.
    """

    threads: int
    ours: float
    peer: str
    theirs: float
    ratio: float
    low: float
    high: float

    @property
    def says(self) -> str:
        """Whether ours is "faster" or "slower", where the whole interval says so, or "level"."""
        return "faster" if self.low > 1 else "slower" if self.high < 1 else "level"


@dataclass(frozen=True)
class Judged:
    """paces: one per number of threads; memory: ours over that of the peer with the least, None where not measured;
    lacks: what keeps the row from its goal, in words; empty: met."""

    paces: tuple[Pace, ...]
    memory: float | None
    lacks: tuple[str, ...]


def judged(record: dict[str, Any]) -> Judged:
    """The record beside its goal: no peer is faster on any number of threads, results with the same weights agree, at
    most half of a peer's memory where the row asks for it, and within its bar if it has one."""
    paces = tuple(
        _pace(int(threads), seconds) for threads, seconds in record["seconds"].items() if len(seconds) > 1
    )  # fmt: skip
    grown = {c["name"]: c["memory"]["grown"] for c in record["contenders"] if "memory" in c}
    others = [kilobytes for name, kilobytes in grown.items() if name != OURS]
    memory = grown[OURS] / min(others) if others and min(others) > 0 else None
    lacks = [f"slower than {p.peer} on {p.threads} thread{'s' * (p.threads > 1)}" for p in paces if p.says == "slower"]
    if record["memory_counts"] and memory is not None and memory > MEMORY:
        lacks.append(f"{100 * memory:.0f} % of the least memory of a peer")
    if record["bar"] is not None:
        slowest = max(median(seconds[OURS]) for seconds in record["seconds"].values())
        lacks += [f"{slowest:.0f} s, above the bar of {record['bar']:.0f} s"] if slowest > record["bar"] else []
    lacks += [f"differs from {peer} by {d:.1e}" for peer, d in record["parity"].items() if not d < PARITY]
    return Judged(paces, memory, tuple(lacks))


def _pace(threads: int, seconds: dict[str, list[float]]) -> Pace:
    middle = {name: median(taken) for name, taken in seconds.items()}
    peer = min((name for name in middle if name != OURS), key=middle.__getitem__)
    return Pace(threads, middle[OURS], peer, middle[peer], *median_ratio(seconds[OURS], seconds[peer]))
