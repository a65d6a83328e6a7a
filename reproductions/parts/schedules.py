"""Which frames are computed when, and from which: schedules for a model that holds K frames at once.

Source: FDM (arXiv 2205.11495), official code, sampling schemes. Pure Python, so that the site can draw the real
schedules without torch. A schedule is a lazy sequence of steps; each step is one call of the model.

    K  `window`   frames per call, observed and latent together
    g  `new`      frames generated per call (K / 2 in the paper)
    N  `horizon`  the longest span seen in training; beyond it the last N / 2 frames are the prefix of a fresh problem
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kiloframe.errors import UserError

__all__ = ["NAMES", "Step", "calls", "schedule", "walk"]

NAMES = ("autoregressive", "long-range", "hierarchy-2", "mixed")


class Step(NamedTuple):
    """One call: the frames it sees and the frames it makes, absolute indices in rising order.

    `keep`: no later step observes a frame below this index, so that a stream may forget what it has shown.
    """

    observed: tuple[int, ...]
    latent: tuple[int, ...]
    keep: int = 0


def schedule(
    name: str, frames: int, observed: int = 0, *, window: int = 8, new: int = 4, horizon: int = 64
) -> Iterator[Step]:
    """The steps that generate frames `observed` to `frames` - 1, given the first `observed` (0: from nothing).

    name: "autoregressive": the last K - g frames are observed. "long-range": half of these are the latest frames of
    the original prefix. "hierarchy-2": g key frames over the whole span first, then the gaps from left to right.
    "mixed": the key frames of hierarchy-2, then each gap observes the original prefix too. (The authors' own notebook
    calls long-range "Mixed"; the combination named so here is ours.)
    Raises UserError for an unknown name or impossible sizes.
    """
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UserError(f"there is no schedule {name!r}; {hint}allowed: {', '.join(NAMES)}")
    if frames < 1:
        raise UserError(f"a video has at least 1 frame, not {frames}")
    if not 0 <= observed <= frames:
        raise UserError(f"the observed prefix must hold 0 to {frames} frames, not {observed}")
    if not 1 <= new < window:
        raise UserError(f"a call must make 1 to {window - 1} new frames (window {window}), not {new}")
    if horizon < 2 * window:
        raise UserError(f"the horizon must be at least two windows ({2 * window} frames), not {horizon}")
    if name == "autoregressive":
        return _autoregressive(frames, observed, window, new)
    return _by_problems(name, frames, observed, window, new, horizon)


def calls(name: str, frames: int, observed: int = 0, *, window: int = 8, new: int = 4, horizon: int = 64) -> int:
    """How many calls of the model the schedule makes, one after the other."""
    return sum(1 for _ in schedule(name, frames, observed, window=window, new=new, horizon=horizon))


def walk(steps: Iterator[Step], frames: int, observed: int) -> Iterator[tuple[list[int], list[int], Step | None]]:
    """What a stream does around each step: (frames ready to be shown after it, frames to forget, the step).

    The first item has no step: it shows the observed prefix. Frames become ready in order, each once.
    """
    yield list(range(observed)), [], None
    done: set[int] = set()
    shown, forgotten = observed, 0
    for step in steps:
        done.update(step.latent)
        ready = []
        while shown in done:
            done.remove(shown)
            ready.append(shown)
            shown += 1
        until = max(forgotten, min(step.keep, shown))
        yield ready, list(range(forgotten, until)), step
        forgotten = until


def _autoregressive(frames: int, observed: int, window: int, new: int) -> Iterator[Step]:
    done = observed
    if done == 0:  # unconditional start: the first call makes as many frames as fit
        done = min(window, frames)
        yield Step((), tuple(range(done)), max(0, done - (window - new)))
    while done < frames:
        end = min(done + new, frames)
        # O = last K - g frames, L = next g frames
        keep = max(0, end - (window - new))
        yield Step(tuple(range(max(0, done - (window - new)), done)), tuple(range(done, end)), keep)
        done = end


def _by_problems(name: str, frames: int, observed: int, window: int, new: int, horizon: int) -> Iterator[Step]:
    """Cut the video into problems of N frames; each hands its last N / 2 frames to the next as prefix."""
    base, prefix = 0, observed
    if prefix > horizon // 2:  # a long prefix: only its last N / 2 frames lie within reach
        base, prefix = observed - horizon // 2, horizon // 2
    while base + prefix < frames:
        end = min(base + horizon, frames)
        inner = _long_range if name == "long-range" else _hierarchy
        # Within a problem everything from its base on may be observed; after it only the last N / 2 frames.
        plan = [
            Step(tuple(base + i for i in o), tuple(base + i for i in lat), base)
            for o, lat in inner(end - base, prefix, window, new, name == "mixed")
        ]
        yield from plan[:-1]
        base, prefix = end - horizon // 2, horizon // 2
        yield plan[-1]._replace(keep=max(0, base))


def _long_range(
    frames: int, prefix: int, window: int, new: int, _mixed: bool
) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
    done = prefix
    if done == 0:
        done = min(window, frames)
        yield (), range(done)
        prefix = done
    while done < frames:
        budget = min(window - new, done)
        recent = list(range(done - (budget - budget // 2), done))
        # half from the latest of the original prefix; where the two overlap, more of the recent past
        far = [i for i in range(prefix - 1, -1, -1) if i < recent[0]][: budget // 2]
        more = [i for i in range(recent[0] - 1, -1, -1) if i not in far][: budget - len(recent) - len(far)]
        end = min(done + new, frames)
        yield sorted([*far, *more, *recent]), range(done, end)
        done = end


def _hierarchy(
    frames: int, prefix: int, window: int, new: int, mixed: bool
) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
    done = set(range(prefix))
    rest = frames - prefix
    if prefix == 0:  # K frames evenly over the whole span, from nothing
        keys = sorted({round(i * (frames - 1) / (window - 1)) for i in range(window)}) if frames > 1 else [0]
        yield (), keys
        done.update(keys)
    elif rest > new:  # g frames evenly over what remains, given K - g frames evenly over the prefix
        keys = [prefix + (i + 1) * rest // new - 1 for i in range(new)]
        given = min(window - new, prefix)
        yield sorted({round(i * (prefix - 1) / max(given - 1, 1)) for i in range(given)}), keys
        done.update(keys)
    while missing := [i for i in range(frames) if i not in done]:
        size = min(new, len(missing))
        while True:
            latent = missing[:size]
            between = [i for i in range(latent[0], latent[-1]) if i in done]
            budget = window - new + (new - size) - len(between)
            if budget >= 2 or size == 1:
                break
            size -= 1  # too little room for neighbours: make fewer frames in this call
        after = [i for i in range(latent[-1] + 1, frames) if i in done][: budget // 2]
        before = [i for i in range(latent[0] - 1, -1, -1) if i in done]
        far: list[int] = []
        if mixed and prefix:
            room = (budget - len(after)) // 2
            far = [i for i in range(prefix - 1, -1, -1) if i in done and i not in before[: budget - len(after) - room]]
            far = far[:room]
        near = [i for i in before if i not in far][: budget - len(after) - len(far)]
        yield sorted([*between, *after, *near, *far]), latent
        done.update(latent)
