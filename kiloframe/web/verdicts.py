"""How a verdict is shown, and the numbers behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from kiloframe.results import ClaimResult, Result
from kiloframe.schema import Claim, Method
from kiloframe.web.markdown import number

__all__ = ["NOT_RUN", "STATES", "Judged", "Results", "Run", "State", "counts", "interval", "judged", "state"]

Run = tuple[Result, Path, bool]
"""A result, the folder it lies in, and whether it is a frozen one."""
Results = dict[str, Run]


class State(NamedTuple):
    """A verdict as icon and word; `key` is the end of its CSS class."""

    key: str
    icon: str
    word: str


NOT_RUN = State("not-run", "○", "not run yet")
_STATES = {
    "held": State("held", "✔", "held"),
    "not held": State("not-held", "✘", "not held"),
    "inconclusive": State("inconclusive", "≈", "inconclusive"),
    "not judged": State("not-judged", "–", "not judged"),
}
STATES = (*_STATES.values(), NOT_RUN)
"""All states, in the order in which they are shown."""


class Judged(NamedTuple):
    """A claim of the fact file and what the run found about it, if it did."""

    claim: Claim
    found: ClaimResult | None
    state: State


def state(found: ClaimResult | None) -> State:
    """How the outcome is shown; "not run yet" where there is none."""
    return _STATES[found.verdict] if found else NOT_RUN


def judged(method: Method, run: Run | None) -> list[Judged]:
    """Every claim of the method with its outcome, in the order of the fact file."""
    found = {outcome.id: outcome for outcome in run[0].claims} if run else {}
    return [Judged(claim, found.get(claim.id), state(found.get(claim.id))) for claim in method.claims]


def counts(claims: Iterable[Judged]) -> list[tuple[State, int]]:
    """How many claims have which verdict, in a fixed order; states that none has are left out."""
    tally = Counter(claim.state for claim in claims)
    return [(kind, tally[kind]) for kind in STATES if tally[kind]]


def interval(low: float | None, high: float | None, unit: str | None) -> str:
    """An interval in words: "0.1 to 0.4 dB"; empty where there is none."""
    if low is None or high is None:
        return ""
    return f"{number(low)} to {number(high)}{f' {unit}' if unit else ''}"
