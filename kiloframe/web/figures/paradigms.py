"""Figure 3, the two paradigms: which frame is computed when and from what, by the schedules of the reproductions.

The steps come from reproductions/parts/schedules.py, which is pure Python, and `tree` makes those of
reproductions/methods/nuwa_xl.py, which needs torch; docs/assets/schedules.js repeats both for readers who change the
sizes. Tests hold all of them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from reproductions.parts.schedules import Step

__all__ = [
    "CLIPS", "LENGTHS", "NAMES", "Cost", "Plan", "Still", "chain", "cost", "costs", "plans", "span", "still", "tree",
]  # fmt: skip

LENGTHS = (32, 64, 128, 256, 512)
CLIPS = (4, 8, 16, 32)
_SHOWN, _CLIP = 128, 16  # sizes of the still pictures


class Plan(NamedTuple):
    """A schedule: its name in the code, its name for readers, its paradigm, and what it does in one sentence."""

    name: str
    title: str
    paradigm: str
    idea: str


class Cost(NamedTuple):
    """What a schedule costs: calls, the longest row of them that wait for one another, the widest span of one call."""

    frames: int
    window: int
    calls: int
    chain: int
    span: int


class Still(NamedTuple):
    """A schedule as a picture of frames (across) by calls (down): paths of unit squares, its size, and in words."""

    plan: Plan
    observed: str
    made: str
    cost: Cost
    alt: str


NAMES = (
    Plan("autoregressive", "Sliding window", "temporal autoregressive",
         "Each call makes the next frames from the last ones. Frames can be watched as they come; nothing older than "
         "one clip is ever seen."),
    Plan("hierarchy-2", "Key frames, then gaps", "divide and conquer",
         "The first call makes key frames over the whole span, the others fill the gaps between them. The end is "
         "settled at the start; all key frames come first."),
    Plan("long-range", "Window with a long memory", "temporal autoregressive",
         "A sliding window of which half is kept for the end of the first frames: old frames stay in sight."),
    Plan("tree", "Tree of clips", "divide and conquer",
         "Every call fills the gap between two frames with a clip of its own; all gaps of a level can be filled at "
         "once. What lies past the end of the video is computed and thrown away."),
)  # fmt: skip


def plans(name: str, frames: int, window: int) -> list[Step]:
    """The calls that make `frames` frames from nothing, at least 2, with clips of `window` frames, an even number.

    The schedules of FDM make half a window of new frames per call and plan over the whole video at once.
    """
    from reproductions.parts.schedules import schedule

    if name == "tree":
        return list(tree(frames, window))
    return list(schedule(name, frames, window=window, new=window // 2, horizon=max(frames, 2 * window)))


def tree(frames: int, clip: int) -> Iterator[Step]:
    """The calls of NUWA-XL, level by level: L key frames first, then each call fills the gap between two frames.

    The tree is the smallest with L = `clip` that holds `frames` frames; gaps past the end are not filled.
    """
    from reproductions.parts.schedules import Step

    depth = 1
    while (clip - 1) ** depth < frames - 1:
        depth += 1
    for level in range(depth):
        stride = (clip - 1) ** (depth - 1 - level)
        span = stride * (clip - 1)
        if level == 0:
            yield Step((), tuple(range(0, span + 1, stride)))
            continue
        for start in range(0, frames - 1, span):
            yield Step((start, start + span), tuple(range(start + stride, start + span, stride)))


def chain(steps: Iterable[Step]) -> int:
    """The longest row of calls of which each needs frames of the one before; more machines do not shorten it."""
    depth: dict[int, int] = {}
    most = 0
    for step in steps:
        mine = 1 + max((depth.get(frame, 0) for frame in step.observed), default=0)
        depth |= dict.fromkeys(step.latent, mine)
        most = max(most, mine)
    return most


def span(steps: Iterable[Step], frames: int) -> int:
    """The widest span of frames that one call sees, those it looks at and those it makes, within the video."""
    return max(min(max(seen), frames - 1) - min(seen) + 1 for step in steps if (seen := step.observed + step.latent))


def cost(name: str, frames: int, window: int) -> Cost:
    """What `frames` frames cost by a schedule whose clip is `window` frames; made from nothing."""
    steps = plans(name, frames, window)
    return Cost(frames, window, len(steps), chain(steps), span(steps, frames))


def costs() -> dict[int, dict[int, list[Cost]]]:
    """By clip size and length, what each plan of NAMES costs; lengths that fit in one clip are left out."""
    return {
        window: {frames: [cost(plan.name, frames, window) for plan in NAMES] for frames in LENGTHS if frames > window}
        for window in CLIPS
    }


def still(plan: Plan, frames: int = _SHOWN, window: int = _CLIP) -> Still:
    """The picture of one schedule."""
    steps = plans(plan.name, frames, window)
    spent = Cost(frames, window, len(steps), chain(steps), span(steps, frames))
    made = "".join(_squares(step.latent, y) for y, step in enumerate(steps))
    observed = "".join(_squares(step.observed, y) for y, step in enumerate(steps))
    first = f"call 1 makes frames {_ranges(steps[0].latent)}"
    if len(steps) > 1:
        first += f", call 2 makes {_ranges(steps[1].latent)} from {_ranges(steps[1].observed)}"
    alt = (
        f"{plan.title}: {frames} frames in {spent.calls} calls of {window} frames; {first}; the longest chain of calls "
        f"that wait for one another is {spent.chain}, and the widest call sees {spent.span} frames at once."
    )
    return Still(plan, observed, made, spent, alt)


def _squares(frames: Sequence[int], y: int) -> str:
    """Runs of frames in row `y` as one rectangle each."""
    return "".join(f"M{first} {y}h{count}v1h-{count}z" for first, count in _runs(frames))


def _runs(frames: Sequence[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for frame in frames:
        if runs and frame == sum(runs[-1]):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((frame, 1))
    return runs


def _ranges(frames: Sequence[int]) -> str:
    """Frames in words: "0 to 7", "0, 18, 36"."""
    return ", ".join(f"{a}" if n == 1 else f"{a} to {a + n - 1}" for a, n in _runs(frames)) or "nothing"
