"""Exact measures for the `shapes` world: who is in a frame, where and how fast, against what must be so.

What must be so comes from one of three sources. The world's truth, for a video that continues a real one or stands in
its place. Captions, for a video made from text: kinds, colours, sizes and paces are theirs, the rest is the video's
own. Or nothing (None), for a video made from nothing: its own first frames say which shapes there are, and its own
first block of frames how fast they move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.measures.check import clips
from reproductions.measures.exact import Quantity
from reproductions.measures.motion import FIRST, Walls, bounces, known_mean, nearest_path, step_error
from reproductions.measures.shapes_reader import CLEAR, Reading, read_shapes
from reproductions.worlds.shapes import AXIS_SPEEDS, COLOURS, KINDS, RADII, SPEEDS, Shapes, Truth, parse

__all__ = ["QUANTITIES", "Source", "judge", "per_frame"]

_TOLERANCE = 0.3  # units by which a turn at a wall may miss it
_PACE = float(SPEEDS[0, 1] + SPEEDS[1, 0]) / 2  # between the slow and the quick shapes, units per frame
_WINDOW = 5  # frames over which the pace is read: the median step survives two bounces
_INVENTED = 0.5  # share that must be in sight of a shape before it is called invented

Source = Truth | Sequence[str] | None
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]

QUANTITIES = (
    Quantity(
        "identity", "identity kept", "share", "higher",
        "Share of the shapes due in a frame that are seen there in their colour, kind and size; a shape that is "
        "missing counts as 0, one that is partly covered says nothing, and neither frozen nor shuffled frames lose by "
        "it.",
    ),
    Quantity(
        "position_error", "position error", "pixels", "lower",
        "Distance of each shape from the nearest lawful motion: with the world's truth its true path, which is the one "
        "lawful continuation; otherwise, in each block of 16 frames, the path of constant speed (within the world's "
        "slowest and fastest), reflected at the walls, that lies nearest in the sense of least squares; NaN where no "
        "shape is clearly in sight, so a video must not be credited for what it does not show.",
    ),
    Quantity(
        "velocity_error", "velocity error", "pixels per frame", "lower",
        "Distance between the step a shape takes into a frame and the nearest lawful step from where it was read "
        "before: on each axis its own speed towards either side, reflected at a wall; NaN unless it is clearly in "
        "sight in both frames; turns in mid-air and errors made earlier do not count.",
    ),
    Quantity(
        "lawful_bounces", "lawful bounces", "share", "higher",
        "Of the turns, the share made within one step of the wall that the shape headed for, and of the walls met, "
        "those from which it turned (a failure to turn counts as 0); NaN in the many frames without either, so a "
        "video that stands still in mid-air says nothing.",
    ),
    Quantity(
        "lost", "shapes lost", "shapes", "lower",
        "How many shapes that are due in a frame are not seen in their colour; a covered shape is not due: by the "
        "truth, or, without it, where another of the video's shapes lies over the place at which it was seen last and "
        "next; a video that never shows a shape of its own has lost all.",
    ),
    Quantity(
        "invented", "shapes invented", "shapes", "lower",
        "How many shapes are seen in a colour that no shape of the video has, as a second one of their colour, or "
        "beyond the number that the world has; noise and smears are not shapes and do not count.",
    ),
    Quantity(
        "obedience", "caption obeyed", "share", "higher",
        "1 where the frame shows all shapes of the caption in colour, kind, size and pace (the median step of the 5 "
        "frames around) and no others, else 0; NaN where a covered shape leaves it open, and without truth or caption.",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class _Due:
    """What must be seen: kind, colour, large, exists, since (the first frame it is due in), quick, speed: (b, n);
    shown and path, per frame: (b, t, n). None where nobody but the video itself can say it.
    """

    kind: Ints
    colour: Ints
    large: Mask
    exists: Mask
    since: Ints
    quick: Mask | None = None
    shown: Mask | None = None
    path: Floats | None = None
    speed: Floats | None = None


def per_frame(video: NDArray[np.float32], truth: Source, world: Shapes) -> dict[str, Floats]:
    """Every measure of QUANTITIES by its id: (b, t), NaN where it says nothing.

    video: (b, t, 3, h, w) in [0, 1]; truth: the world's for the same seeds and frames, or one caption per video, or
    None (see the module's head). Raises UserError as `check.clips`, for frames of another size than the world's, a
    truth of other frames, and captions that are too few, too many or outside the grammar.
    """
    if video.ndim != 5 or video.shape[2:] != (3, world.size, world.size):
        raise UserError(
            f"videos of this shapes world are (b, t, 3, {world.size}, {world.size}), not {tuple(video.shape)}"
        )
    clips(video, "the video", (0, 1))
    return judge(read_shapes(video), truth, world)


def judge(reading: Reading, truth: Source, world: Shapes) -> dict[str, Floats]:
    """As `per_frame`, of what was read before from (b, t) frames."""
    due = _from_video(reading, world) if truth is None else _told(truth, reading)
    present, sight, kind, large = (
        _of(v, due.colour) for v in (reading.present, reading.sight, reading.kind, reading.large)
    )
    position = np.moveaxis(_of(reading.position, due.colour), -2, 1)  # (b, n, t, 2)
    clear = present & (sight >= CLEAR)
    shown = due.exists[:, None] & (_uncovered(reading, due, present, world) if due.shown is None else due.shown)
    right = (kind == due.kind[:, None]) & (large == due.large[:, None])
    kept = np.where(shown & (clear | ~present), (present & right).astype(float), np.nan)
    seen = np.moveaxis(clear & shown, -1, 1)  # (b, n, t)
    walls = _walls(due, world)
    if due.path is None or due.speed is None:
        path, speed = nearest_path(position, seen, _speeds(world), walls)
    else:
        path, speed = np.moveaxis(due.path, -2, 1), due.speed
    off = np.where(seen, np.linalg.norm(position - path, axis=-1), np.nan)
    step = step_error(position, seen, speed, walls)
    turns = bounces(position, seen, speed, walls, _TOLERANCE * world.scale)
    invented = _invented(reading, due) + ((present & due.exists[:, None]).sum(-1) - world.shapes).clip(0)
    lost = (shown & ~present).sum(-1).astype(float)
    identity = known_mean(kept)
    empty = ~due.exists.any(-1)  # only without truth and caption: a video that shows nothing has lost all
    identity[empty], lost[empty] = 0, world.shapes
    return {
        "identity": identity,
        "position_error": known_mean(np.moveaxis(off, 1, -1)),
        "velocity_error": known_mean(np.moveaxis(step, 1, -1)),
        "lawful_bounces": known_mean(np.moveaxis(turns, 1, -1)),
        "lost": lost,
        "invented": invented,
        "obedience": _obedience(kept, invented, _quick(position, seen, world), due),
    }


def _of(values: NDArray[Any], colour: Ints) -> NDArray[Any]:
    """What was read in each shape's colour: values (b, t, colours, ...) at colour (b, n), as (b, t, n, ...)."""
    b = np.arange(len(colour))[:, None]
    return np.moveaxis(values[b, :, colour], 2, 1)


def _told(truth: Truth | Sequence[str], reading: Reading) -> _Due:
    """What the truth or the captions say."""
    b, t, _ = reading.present.shape
    if isinstance(truth, Truth):
        if truth.kind.shape[:-1] != (b, t):
            raise UserError(f"the truth is of {truth.kind.shape[:-1]} videos and frames, the video of {(b, t)}")
        kind, colour, speed = truth.kind[:, 0], truth.colour[:, 0], np.abs(truth.velocity[:, 0])
        exists, since = np.ones(kind.shape, bool), np.zeros(kind.shape, np.int64)
        shown, path = truth.visible, truth.position
        return _Due(kind, colour, truth.large[:, 0], exists, since, truth.quick[:, 0], shown, path, speed)
    if len(truth) != b:
        raise UserError(f"one caption per video is needed: {len(truth)} captions for {b} videos")
    parsed = [parse(str(caption)) for caption in truth]
    said = np.full((b, max(map(len, parsed)), 4), -1)
    for row, shapes in zip(said, parsed, strict=True):
        row[: len(shapes)] = [(s.kind, s.colour, s.large, s.quick) for s in shapes]
    exists = said[..., 0] >= 0
    kind, colour, large, quick = np.moveaxis(said.clip(0), -1, 0)
    return _Due(kind, colour, large == 1, exists, np.zeros(kind.shape, np.int64), quick == 1)


def _from_video(reading: Reading, world: Shapes) -> _Due:
    """The shapes that a video shows by itself, one place per colour of the palette."""
    t = reading.present.shape[1]
    first = min(FIRST, t)
    early = reading.present[:, :first].sum(1) * 2 >= first
    # A shape that was covered at first comes out from behind another.
    every = np.arange(len(COLOURS))
    emerging = reading.present & _overlapping(reading, reading.present, reading.position, reading.large, every, world)
    since = reading.present.argmax(1)
    emerged = reading.present.any(1) & np.take_along_axis(emerging, since[:, None], 1)[:, 0]
    # Each as what it is read most often in its first clear views
    clear = reading.present & (reading.sight >= CLEAR)
    votes = clear & (clear.cumsum(1) <= FIRST)
    counts = ((_what(reading)[..., None] == np.arange(2 * len(KINDS))) & votes[..., None]).sum(1)
    likely = counts.argmax(-1)
    colour = np.broadcast_to(every, early.shape)
    since = np.where(early, 0, since)
    return _Due(likely // 2, colour, likely % 2 == 1, early | emerged, since)


def _what(reading: Reading) -> Ints:
    return reading.kind * 2 + reading.large


def _walls(due: _Due, world: Shapes) -> Walls:
    radius = np.repeat(RADII[due.large.astype(np.int64)][..., None] * world.scale, 2, -1)
    return Walls(radius, world.size - radius, world.scale)


def _speeds(world: Shapes) -> tuple[float, float]:
    return AXIS_SPEEDS[0] * world.scale, AXIS_SPEEDS[1] * world.scale


def _uncovered(reading: Reading, due: _Due, present: Mask, world: Shapes) -> Mask:
    """Per frame and shape (b, t, n): seen, or not where another shape can have covered it.

    A missing shape is taken to be on the line between where it was seen last and next; another shape of the video may
    cover it when their boxes overlap there.
    """
    b, t, n = present.shape
    position = _of(reading.position, due.colour)
    place = np.full((b, t, n, 2), np.inf)
    for row, shape in np.argwhere(present.any(1) & ~present.all(1)):
        frames = np.flatnonzero(present[row, :, shape])
        for axis in range(2):
            place[row, :, shape, axis] = np.interp(np.arange(t), frames, position[row, frames, shape, axis])
    own = reading.present & _own(due)[:, None]
    covered = _overlapping(reading, own, place, due.large[:, None], due.colour[:, None], world)
    return (present | ~covered) & (np.arange(t)[:, None] >= due.since[:, None])


def _overlapping(reading: Reading, among: Mask, place: Floats, large: Mask, colour: Ints, world: Shapes) -> Mask:
    """Does the box of a shape at `place` (b, t, n, 2) meet that of `among`, read in another colour? (b, t, n)."""
    radius = RADII * world.scale
    reach = radius[reading.large.astype(np.int64)][:, :, None] + radius[large.astype(np.int64)][..., None]
    apart = np.abs(place[:, :, :, None] - reading.position[:, :, None]).max(-1)  # (b, t, n, colours)
    other = among[:, :, None] & (np.arange(len(COLOURS)) != colour[..., None])
    return (other & (apart < reach)).any(-1)


def _own(due: _Due) -> Mask:
    """The colours of the video's shapes: (b, colours)."""
    own: Mask = ((due.colour[..., None] == np.arange(len(COLOURS))) & due.exists[..., None]).any(1)
    return own


def _invented(reading: Reading, due: _Due) -> Floats:
    strange = reading.present & (reading.sight >= _INVENTED) & ~_own(due)[:, None]
    return (strange.sum(-1) + reading.twin.sum(-1)).astype(float)


def _quick(position: Floats, seen: Mask, world: Shapes) -> Floats:
    """Per shape and frame (b, n, t): 1 for a quick, 0 for a slow one, NaN where fewer than 3 steps around are seen."""
    frames = seen.shape[-1]
    if frames < 2:
        return np.full(seen.shape, np.nan)
    step = np.abs(np.diff(position, axis=-2))
    step[~(seen[..., 1:] & seen[..., :-1])] = np.nan
    windows = np.lib.stride_tricks.sliding_window_view(step, min(_WINDOW, frames - 1), -2)  # (b, n, windows, 2, steps)
    around = (np.arange(frames) - 1 - _WINDOW // 2).clip(0, windows.shape[-3] - 1)
    ordered = np.sort(windows[..., around, :, :], -1)  # NaN last
    known = np.isfinite(ordered).sum(-1)
    median = np.take_along_axis(ordered, (np.maximum(known - 1, 0) // 2)[..., None], -1)[..., 0]
    pace = np.linalg.norm(median, axis=-1)
    return np.where((known >= _WINDOW // 2 + 1).all(-1), (pace >= _PACE * world.scale).astype(float), np.nan)


def _obedience(kept: Floats, invented: Floats, quick: Floats, due: _Due) -> Floats:
    if due.quick is None:
        return np.full(invented.shape, np.nan)
    pace = np.moveaxis(quick, 1, -1)
    wrong = (kept == 0) | (np.isfinite(pace) & (pace != due.quick[:, None]))
    broken = (wrong & due.exists[:, None]).any(-1) | (invented > 0)
    open_ = (np.isnan(kept) & due.exists[:, None]).any(-1)
    return np.where(broken, 0.0, np.where(open_, np.nan, 1.0))
