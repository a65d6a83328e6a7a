"""Exact measures for the `digits` world: who is in a frame, in which colour and where, read from the pixels alone.

`read_digits` knows the world's sprites and palette and looks for the stamp that fits best, at quarters of a pixel. The
measures compare what was read with what must be so: the world's truth for videos that continue a real one, or, for
videos made from nothing, what their own first frames show. They hold for worlds with one digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.measures.check import clips
from reproductions.measures.exact import Quantity
from reproductions.measures.motion import FIRST, Walls, bounces, nearest_path, step_error
from reproductions.worlds.digits import BACKGROUND, PALETTE, SPRITE_SIDE, Digits, Truth, sprites

__all__ = [
    "LEGIBLE", "MOTION_TOLERANCE", "QUANTITIES", "VISIBLE", "Reading", "Recall", "after_curtain", "agrees",
    "clip_features", "lawful_steps", "path_error", "per_frame", "read_digits", "recall",
]  # fmt: skip

VISIBLE = 0.7
"""A frame shows a digit when the best stamp explains so much of it (cosine similarity, see `Reading.match`)."""
LEGIBLE = 0.9
"""From this match on a digit counts as legible: what is left over is at most a fifth of its energy."""
MOTION_TOLERANCE = 0.4
"""Pixels by which a lawful step may miss: the reader's grid of 1/4 pixel can cost a quarter of a pixel per step."""

_SIDE = 16
_ROOM = _SIDE - SPRITE_SIDE
_PER_PIXEL = 4
_CHUNK = 512
_SPEEDS = 0.5, 1.1  # the slowest and the fastest on an axis, pixels of a 16-pixel frame per frame
_SECOND = 0.2  # share of a frame's energy beyond the best stamp from which on a second digit is looked for
_GLIMPSE = 0.5  # match from which on there may be two digits, each spoiling the match of the other

QUANTITIES = (
    Quantity(
        "legible", "legible", "share", "higher",
        "1 where a digit is due and one stamp explains the frame with a cosine similarity of 0.9 or more, else 0; NaN "
        "where none is due; whose digit it is, and where, does not count.",
    ),
    Quantity(
        "identity", "identity kept", "share", "higher",
        "1 where the digit that is due is seen as the same figure, 0 as another or not at all; NaN where none is due; "
        "frozen and shuffled frames do not lose by it.",
    ),
    Quantity(
        "colour", "colour kept", "share", "higher",
        "1 where the digit that is due is seen in the same colour, 0 in another or not at all; NaN where none is due; "
        "frozen and shuffled frames do not lose by it.",
    ),
    Quantity(
        "position_error", "position error", "pixels", "lower",
        "Distance of the digit from the nearest lawful motion: with the world's truth its true path, which is the one "
        "lawful continuation; otherwise, in each block of 16 frames, the path of constant speed (within the world's "
        "slowest and fastest), reflected at the walls, that lies nearest in the sense of least squares; NaN where no "
        "digit is in sight, so a video must not be credited for what it does not show.",
    ),
    Quantity(
        "velocity_error", "velocity error", "pixels per frame", "lower",
        "Distance between the step into a frame and the nearest lawful step from where the digit was read before: on "
        "each axis its own speed towards either side, reflected at a wall; NaN unless it is in sight in both frames; "
        "the reader's grid alone costs about 0.1, and turns in mid-air and earlier errors do not count.",
    ),
    Quantity(
        "lawful_steps", "lawful steps", "share", "higher",
        "1 where the step into a frame is, on both axes, the digit's own speed to within 0.4 pixels of a 16-pixel "
        "frame, or shorter within reach of a wall, else 0; NaN unless it is in sight in both frames.",
    ),
    Quantity(
        "lawful_bounces", "lawful bounces", "share", "higher",
        "Of the turns, the share made within one step of the wall that the digit headed for, and of the walls met, "
        "those from which it turned (a failure to turn counts as 0); NaN in the many frames without either, so a "
        "video that stands still in mid-air says nothing.",
    ),
    Quantity(
        "lost", "digits lost", "digits", "lower",
        "1 where a digit is due and none is in sight, else 0; without truth nobody knows when the curtain of a memory "
        "world is closed, and all is NaN there.",
    ),
    Quantity(
        "invented", "digits invented", "digits", "lower",
        "1 where a digit is in sight though the curtain is closed, or a second one beside the first, else 0; of two "
        "digits that overlap the second often goes unseen, and noise and smears are no digits.",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """What was read from every frame; leading axes as the video's (..., t).

    visible: bool, a digit is in sight; match: [0, 1], cosine similarity between the frame, less the background, and
    the best stamp (1 is perfect); sprite: index into `sprites()`; label: 0..9; colour: index into PALETTE; position:
    (..., t, 2), (y, x) of the corner in pixels. Where `visible` is false the others mean nothing.
    """

    visible: NDArray[np.bool_]
    match: NDArray[np.float64]
    sprite: NDArray[np.int64]
    label: NDArray[np.int64]
    colour: NDArray[np.int64]
    position: NDArray[np.float64]


@dataclass(frozen=True)
class Recall:
    """Per video (b,): does the digit come back, and as whom? Each of the last three implies `returns`."""

    returns: NDArray[np.bool_]
    colour: NDArray[np.bool_]
    label: NDArray[np.bool_]
    both: NDArray[np.bool_]


def read_digits(video: NDArray[np.float32]) -> Reading:
    """Read a video (..., t, 3, h, w), float in [0, 1], of a world with one digit; h = w = a multiple of 16.

    The colour is that of the palette which explains most energy; then the stamp with the highest cosine similarity
    over all sprites and all positions on a grid of 1/4 pixel. The topmost row is not looked at (in memory mode the
    curtain's rail covers it). Raises UserError for frames of another shape.
    """
    *lead, channels, height, width = video.shape
    if channels != 3 or height != width or height % _SIDE or not lead:
        raise UserError(f"frames of the digits world are (..., 3, 16 n, 16 n), not {tuple(video.shape)}")
    scale = height // _SIDE
    small = video.reshape(-1, 3, _SIDE, scale, _SIDE, scale).mean((3, 5), dtype=np.float32)
    parts = [_read(small[i : i + _CHUNK]) for i in range(0, len(small), _CHUNK)]
    match, sprite, colour, corner = (np.concatenate(part).reshape(*lead, *part[0].shape[1:]) for part in zip(*parts))  # noqa: B905
    return Reading(match >= VISIBLE, match, sprite, sprites()[1][sprite], colour, corner * scale)


def _read(frames: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:  # fmt: skip  # noqa: E501
    stamps, grid, norms = _stamps()
    c = (frames - BACKGROUND[:, None, None]).astype(np.float32)
    c[:, :, 0] = 0
    c = c.reshape(len(c), 3, -1)
    direction = PALETTE - BACKGROUND
    direction = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    tinted = np.einsum("kc,ncp->nkp", direction, c)  # strength of each pixel in each colour
    colour = np.square(tinted).sum(2).argmax(1)
    strength = tinted[np.arange(len(c)), colour]
    # Inner products with the stamps at whole pixels; in between they are bilinear, as the stamps themselves are.
    whole = (strength @ stamps).reshape(len(c), -1, _ROOM + 1, _ROOM + 1)
    fine = grid @ whole @ grid.T / norms
    best = fine.reshape(len(c), -1).argmax(1)
    sprite, y, x = np.unravel_index(best, fine.shape[1:])
    energy = np.sqrt(np.square(c).sum((1, 2)))
    match = fine.reshape(len(c), -1)[np.arange(len(c)), best] / np.maximum(energy, 1e-6)
    corner = np.stack([y, x], -1) / _PER_PIXEL
    return match.astype(np.float64).clip(0, 1), sprite.astype(np.int64), colour.astype(np.int64), corner


@lru_cache(maxsize=1)
def _stamps() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Stamps at whole pixels (256, n 9 9), interpolation to the fine grid (33, 9), norms on it (n, 33, 33)."""
    images = sprites()[0]
    at_whole = np.zeros((len(images), _ROOM + 1, _ROOM + 1, _SIDE, _SIDE), np.float32)
    for y in range(_ROOM + 1):
        for x in range(_ROOM + 1):
            at_whole[:, y, x, y : y + SPRITE_SIDE, x : x + SPRITE_SIDE] = images
    at_whole[..., 0, :] = 0
    place = np.arange(_ROOM * _PER_PIXEL + 1) / _PER_PIXEL
    grid = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(_ROOM + 1))).astype(np.float32)
    norms = np.empty((len(images), len(grid), len(grid)), np.float32)
    for n, stamp in enumerate(at_whole):
        fine = np.einsum("ay,yxp,bx->abp", grid, stamp.reshape(_ROOM + 1, _ROOM + 1, -1), grid, optimize=True)
        norms[n] = np.linalg.norm(fine, axis=2)
    return at_whole.reshape(-1, _SIDE * _SIDE).T.copy(), grid, norms


def agrees(reading: Reading, truth: Truth, what: str) -> NDArray[np.bool_]:
    """Per frame: a digit is in sight and its `what` is the true one. what: "label", "sprite", "colour" or "both".

    "both" means label and colour. False where no digit is in sight. `truth` is the world's, for the same frames.
    """
    if what == "both":
        return agrees(reading, truth, "label") & agrees(reading, truth, "colour")
    same: NDArray[np.bool_] = getattr(reading, what) == getattr(truth, what)[..., 0]
    return reading.visible & same


def path_error(reading: Reading, truth: Truth) -> NDArray[np.float64]:
    """Per frame: pixels between the digit and the constant-speed path, reflected at the walls, that it must follow.

    NaN where no digit is in sight.
    """
    far = np.linalg.norm(reading.position - truth.position[..., 0, :], axis=-1)
    return np.where(reading.visible, far, np.nan)


def lawful_steps(reading: Reading, truth: Truth, size: int = _SIDE) -> NDArray[np.float64]:
    """Per step from frame t to t + 1 (..., t - 1): 1 if the digit moved as its own speed allows, else 0; NaN unless
    it is in sight in both.

    On each axis the step must be the true speed, or shorter when a wall lies within reach of it (a reflection), to
    within MOTION_TOLERANCE pixels of a 16-pixel frame. Unlike `path_error` this forgives what went wrong before.
    size: pixels per side of the video.
    """
    speed = np.abs(truth.velocity[..., :-1, 0, :])
    return _lawful(reading, speed, size)


def _lawful(reading: Reading, speed: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    scale = size / _SIDE
    room, tolerance = _ROOM * scale, MOTION_TOLERANCE * scale
    at, to = reading.position[..., :-1, :], reading.position[..., 1:, :]
    step = np.abs(to - at)
    near_wall = np.minimum(np.minimum(at, room - at), np.minimum(to, room - to)) <= speed
    right = np.abs(step - speed) <= tolerance
    turned = near_wall & (step <= speed + tolerance)
    seen = reading.visible[..., :-1] & reading.visible[..., 1:]
    return np.where(seen, (right | turned).all(-1).astype(np.float64), np.nan)


def after_curtain(truth: Truth) -> NDArray[np.bool_]:
    """Per frame (b, t): the digit is in sight again, having been hidden before in this clip."""
    visible = truth.visible[..., 0]
    return visible & np.logical_or.accumulate(~visible, axis=-1)


def recall(reading: Reading, truth: Truth, due: NDArray[np.bool_]) -> Recall:
    """Of each video (b, t): in the frames `due` (b, t), is a digit in sight, and in the old colour and identity?

    `due` comes from `after_curtain`. The digit comes back if one is read in at least a third of these frames; its
    colour and its label are those read most often in them.
    """
    seen = due & reading.visible
    returns = (seen.sum(1) * 3 >= due.sum(1)) & due.any(1)
    colour = returns & (_mode(reading.colour, seen, len(PALETTE)) == truth.colour[:, 0, 0])
    label = returns & (_mode(reading.label, seen, 10) == truth.label[:, 0, 0])
    return Recall(returns, colour, label, colour & label)


def _mode(values: NDArray[np.int64], where: NDArray[np.bool_], kinds: int) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = ((values[..., None] == np.arange(kinds)) & where[..., None]).sum(1)
    return counts.argmax(1)


def clip_features(reading: Reading) -> NDArray[np.float64]:
    """Seven simple numbers per clip (b, t), for `frechet_distance`: the share of frames with a digit, its mean match,
    mean and standard deviation of the length of its steps, and how often colour, sprite and direction stay as they are.
    """
    seen = reading.visible
    both = seen[:, 1:] & seen[:, :-1]
    pairs = np.maximum(both.sum(1), 1)
    step = np.diff(reading.position, axis=1)
    length = np.where(both, np.linalg.norm(step, axis=-1), 0)
    mean = length.sum(1) / pairs
    spread = np.sqrt((np.where(both, length - mean[:, None], 0) ** 2).sum(1) / pairs)
    straight = ((step[:, 1:] * step[:, :-1]).sum(-1) > 0) & both[:, 1:] & both[:, :-1]
    return np.stack(
        [
            seen.mean(1),
            np.where(seen, reading.match, 0).sum(1) / np.maximum(seen.sum(1), 1),
            mean,
            spread,
            ((np.diff(reading.colour, axis=1) == 0) & both).sum(1) / pairs,
            ((np.diff(reading.sprite, axis=1) == 0) & both).sum(1) / pairs,
            straight.sum(1) / np.maximum(pairs - 1, 1),
        ],
        -1,
    )


def per_frame(video: NDArray[np.float32], truth: Truth | None, world: Digits) -> dict[str, NDArray[np.float64]]:
    """Every measure of QUANTITIES by its id: (b, t), NaN where it says nothing.

    video: (b, t, 3, h, w) in [0, 1]; truth: the world's for the same seeds and frames, or None, where the digit and
    its colour are those read in most of its first 4 frames and its speed that of its first 16. Without truth and
    curtain a digit is due in every frame; with a curtain, wherever one is seen.
    Raises UserError as `check.clips`, for frames of another size than the world's or not a multiple of 16, a truth of
    other frames, and a world with several digits.
    """
    if world.digits != 1:
        raise UserError(f"exact measures of the digits world need a world with 1 digit, not {world.digits}")
    clips(video, "the video", (0, 1))
    if video.ndim != 5 or video.shape[2:] != (3, world.size, world.size):
        raise UserError(
            f"videos of this digits world are (b, t, 3, {world.size}, {world.size}), not {tuple(video.shape)}"
        )
    if truth is not None and truth.label.shape[:-1] != video.shape[:2]:
        raise UserError(f"the truth is of {truth.label.shape[:-1]} videos and frames, the video of {video.shape[:2]}")
    reading = read_digits(video)
    seen, unit = reading.visible, world.size / _SIDE
    walls = Walls(np.zeros((len(video), 2)), np.full((len(video), 2), float(world.room)), unit)
    if truth is None:
        known = not world.memory
        due = np.ones_like(seen) if known else seen
        first = seen & (seen.cumsum(1) <= FIRST)
        label, colour = _mode(reading.label, first, 10), _mode(reading.colour, first, len(PALETTE))
        path, speed = nearest_path(reading.position, seen, (_SPEEDS[0] * unit, _SPEEDS[1] * unit), walls)
    else:
        known, due = True, truth.visible[..., 0]
        label, colour = truth.label[:, 0, 0], truth.colour[:, 0, 0]
        path, speed = truth.position[..., 0, :], np.abs(truth.velocity[:, 0, 0])
    off = np.linalg.norm(reading.position - path, axis=-1)
    steps = np.full(seen.shape, np.nan)
    steps[:, 1:] = _lawful(reading, speed[:, None], world.size)
    steps[np.isnan(speed).any(-1)] = np.nan
    share = {
        "legible": seen & (reading.match >= LEGIBLE),
        "identity": seen & (reading.label == label[:, None]),
        "colour": seen & (reading.colour == colour[:, None]),
    }
    return {name: np.where(due, value, np.nan) for name, value in share.items()} | {
        "position_error": np.where(seen & due, off, np.nan),
        "velocity_error": step_error(reading.position, seen & due, speed, walls),
        "lawful_steps": steps,
        "lawful_bounces": bounces(reading.position, seen & due, speed, walls, MOTION_TOLERANCE * unit),
        "lost": np.where(due & ~seen, 1.0, 0.0) if known else np.full(seen.shape, np.nan),
        "invented": np.where(due, _two(video, reading), seen).astype(np.float64),
    }


def _two(video: NDArray[np.float32], reading: Reading) -> NDArray[np.bool_]:
    """Per frame: with the best stamp taken away, does another explain what is left?"""
    scale = video.shape[-1] // _SIDE
    ground = BACKGROUND[:, None, None]
    small = video.reshape(*video.shape[:2], 3, _SIDE, scale, _SIDE, scale).mean((4, 6), dtype=np.float32) - ground
    small[..., 0, :] = 0
    pixel = np.arange(_SIDE)[:, None] - np.arange(SPRITE_SIDE)
    # Bilinear, as the world draws: A[i, k] = max(0, 1 - |i - (p + k)|) per axis, image = A_y S A_x^T
    weight = np.maximum(0, 1 - np.abs(pixel - reading.position[..., None, None] / scale)).astype(np.float32)
    stamp = weight[..., 0, :, :] @ sprites()[0][reading.sprite] @ np.swapaxes(weight[..., 1, :, :], -1, -2)
    stamp[..., 0, :] = 0
    best = stamp[..., None, :, :] * (PALETTE[reading.colour] - BACKGROUND)[..., None, None]
    pixels = (-3, -2, -1)
    strength = (small * best).sum(pixels) / np.maximum(np.square(best).sum(pixels), 1e-6)
    left = small - strength[..., None, None, None] * best
    enough = np.square(left).sum(pixels) >= _SECOND * np.square(small).sum(pixels)
    found: NDArray[np.bool_] = (reading.match >= _GLIMPSE) & enough & read_digits(left + ground).visible
    return found
