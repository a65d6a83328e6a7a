"""Reading a story from its pixels alone: which place, by day or night, who is there, in which colour, and where.

Frames are brought to 16x16 pixels first, one per cell of the world's grid. A character is looked for as a stamp in a
map of how near every pixel is to each of the six tints; the place is told by the mean colour of every row of pixels
beside the character.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.worlds import stories_art as art
from reproductions.worlds.stories import GRID

__all__ = ["STRANGE", "VISIBLE", "Reading", "read_stories"]

VISIBLE = 0.6
"""A character is in sight when its stamp explains so much of the map of its tint (cosine similarity)."""
STRANGE = 2.0
"""No place is read from a frame whose rows lie farther from every place than this, in standard deviations (root mean
square over the 48 numbers; see `_places`)."""

_LEAST = 2.0  # least strength of a character: the norm of what its stamp explains; the world's have 2.4 to 7
_NEAR = 0.45  # a pixel so far from a tint, in RGB, has nothing of it
_PER_CELL = 4
_WHOLE = GRID // 2 + 1  # whole positions along an axis
_REACH = art.CELLS + 2  # cells that a stamp with its outline touches
_NODS = (1.0, 0.94)  # how tall stamps are: dancers nod
_CHUNK = 512

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Reading:
    """What was read from every frame; leading axes as the video's (..., t).

    visible: bool, a character is in sight; match: [0, 1], cosine similarity of the map of its tint and its stamp;
    character, colour: index into CHARACTERS, COLOURS; position: (..., t, 2), (y, x) of the corner of the 8x8 cells, in
    cells (sixteenths of the side); second: bool, there is another character in sight elsewhere; place: index into
    PLACES, -1 for none of them; night: bool. Where `visible` is false character, colour and position mean nothing.
    """

    visible: NDArray[np.bool_]
    match: NDArray[np.float64]
    character: NDArray[np.int64]
    colour: NDArray[np.int64]
    position: NDArray[np.float64]
    second: NDArray[np.bool_]
    place: NDArray[np.int64]
    night: NDArray[np.bool_]


def read_stories(video: NDArray[np.float32]) -> Reading:
    """Read a video (..., t, 3, h, w), float in [0, 1], h = w from 16. Raises UserError for frames of another shape."""
    *lead, channels, height, width = video.shape
    if channels != 3 or height != width or height < GRID or not lead:
        raise UserError(f"frames of the stories world are (..., 3, n, n) with n from 16, not {tuple(video.shape)}")
    frames = np.ascontiguousarray(video, np.float32).reshape(-1, 3, height, width)
    parts = [_read(_small(frames[i : i + _CHUNK])) for i in range(0, len(frames), _CHUNK)]
    joined = [np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Reading)]
    return Reading(*(values.reshape(*lead, *values.shape[1:]) for values in joined))


def _small(frames: Array) -> Array:
    """Frames (n, 3, h, h) as (n, 3, 16, 16): the mean over each cell."""
    side = frames.shape[-1]
    share = art.coverage(np.array(0.0), np.array(GRID / side), side, GRID)  # of pixel k in cell i
    small: Array = np.asarray(share @ frames @ share.T, np.float32) if side > GRID else frames
    return small


def _read(frames: Array) -> Reading:
    here = np.arange(len(frames))
    near = _likeness(frames)
    colour, _, _ = _find(near)
    strength, stamp, corner = _refine(near[here, colour], colour)
    match = strength / np.maximum(np.linalg.norm(near[here, colour], axis=(1, 2)), 1e-6)
    visible = (match >= VISIBLE) & (strength >= _LEAST)
    cell = np.arange(GRID)
    inside = (cell >= corner[..., None] - 1) & (cell <= corner[..., None] + art.CELLS)  # (n, 2, 16)
    hidden = visible[:, None, None] & inside[:, 0, :, None] & inside[:, 1, None, :]
    _, rest, strong = _find(near * ~hidden[:, None])
    place, night = _where(frames, ~hidden)
    return Reading(
        visible, match.clip(0, 1).astype(np.float64), _kind(stamp), colour, corner,
        visible & (rest >= VISIBLE) & (strong >= _LEAST), place, night,
    )  # fmt: skip


def _likeness(frames: Array) -> Array:
    """How near every pixel is to each tint, 1 (it is) to 0 (farther than _NEAR): (n, colours, 16, 16)."""
    apart = np.stack([np.square(frames - tint[:, None, None]).sum(1) for tint in art.TINTS], 1)
    near: Array = np.maximum(0, 1 - np.sqrt(apart) / np.float32(_NEAR))
    return near


def _find(near: Array) -> tuple[NDArray[np.int64], Array, Array]:
    """The colour of the character that stands out most, its cosine similarity and its strength, at whole cells; 0
    for all three where none is strong enough.
    """
    stamps, _, norms = _stamps()
    whole = norms[..., ::_PER_CELL, ::_PER_CELL].reshape(len(stamps), -1)
    all_there = np.linalg.norm(near, axis=(2, 3))
    strength = np.zeros_like(all_there)
    for k in range(len(stamps)):
        where = np.flatnonzero(all_there[:, k] >= _LEAST)  # a stamp explains no more than there is
        strength[where, k] = (near[where, k].reshape(-1, GRID * GRID) @ stamps[k] / whole[k]).max(1)
    match = strength / np.maximum(all_there, 1e-6)
    colour = (strength * match).argmax(1)
    here = np.arange(len(near))
    return colour, match[here, colour], strength[here, colour]


def _refine(near: Array, colour: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64], NDArray[np.float64]]:
    """Strength, stamp and corner (n, 2) of the best stamp on the grid of quarter cells, among the two of each
    character that fit best at whole cells. near: the maps of the characters' own tints, (n, 16, 16).
    """
    stamps, grid, norms = _stamps()
    kinds, count = len(art.CHARACTERS), norms.shape[1]
    strength, stamp, corner = np.empty(len(near), np.float32), np.empty(len(near), np.int64), np.empty((len(near), 2))
    for k in range(len(stamps)):
        where = np.flatnonzero(colour == k)
        if not len(where):
            continue
        here = np.arange(len(where))
        whole = (near[where].reshape(-1, GRID * GRID) @ stamps[k]).reshape(-1, count, _WHOLE, _WHOLE)
        rough = (whole / norms[k, :, ::_PER_CELL, ::_PER_CELL]).max((2, 3)).reshape(-1, kinds, count // kinds)
        chosen = rough.argsort(2)[..., -2:] + np.arange(kinds)[:, None] * (count // kinds)
        chosen = chosen.reshape(len(where), 2 * kinds)
        fine = grid @ whole[here[:, None], chosen] @ grid.T / norms[k][chosen]
        best = fine.reshape(len(where), -1).argmax(1)
        index, y, x = np.unravel_index(best, fine.shape[1:])
        strength[where], stamp[where] = fine[here, index, y, x], chosen[here, index]
        corner[where] = np.stack([y, x], -1) / _PER_CELL
    return strength, stamp, corner


def _kind(stamp: NDArray[np.int64]) -> NDArray[np.int64]:
    """The character of a stamp, which is numbered by character, pose, facing and nod."""
    return (stamp // (len(art.POSES) * 2 * len(_NODS))).astype(np.int64)


@lru_cache(maxsize=1)
def _stamps() -> tuple[Array, Array, Array]:
    """Per colour the stamps at whole cells (6, 256, n 9 9), interpolation to quarters (33, 9), norms (6, n, 33, 33)."""
    table = art.sprites()
    side = table.shape[-1]
    cell = 1 / art.FINE
    pictures = []
    for nod in _NODS:
        feet = 1 + art.CELLS  # one cell of room above and to the left
        rows = art.coverage(np.array(feet - (side - art.MARGIN) * cell * nod), np.array(cell * nod), side, _REACH)
        columns = art.coverage(np.array(1 - art.MARGIN * cell), np.array(cell), side, _REACH)
        pictures.append(rows @ table @ columns.T)
    drawn = np.stack(pictures, 3)  # (character, pose, facing, nod, colour, 4, 10, 10)
    drawn = np.moveaxis(drawn, 4, 0).reshape(len(art.COLOURS), -1, 4, _REACH, _REACH)
    over_grey = drawn[:, :, :3] + 0.45 * (1 - drawn[:, :, 3:])
    whole = np.zeros((*drawn.shape[:2], _WHOLE, _WHOLE, GRID + 2, GRID + 2), np.float32)
    for k, pictures_k in enumerate(over_grey):
        ink = _likeness(pictures_k)[:, k] * (drawn[k, :, 3] > 0.3)
        for y in range(_WHOLE):
            for x in range(_WHOLE):
                whole[k, :, y, x, y : y + _REACH, x : x + _REACH] = ink
    whole = whole[..., 1:-1, 1:-1].reshape(*drawn.shape[:2], _WHOLE, _WHOLE, -1)
    place = np.arange((_WHOLE - 1) * _PER_CELL + 1) / _PER_CELL
    grid = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(_WHOLE))).astype(np.float32)
    # A stamp lies within the frame wherever it stands, so its norm depends on the fractions of its position only.
    part = np.arange(_PER_CELL) / _PER_CELL
    share = np.stack([1 - part, part], 1).astype(np.float32)
    between = np.einsum("ay,bx,knyxp->knabp", share, share, whole[:, :, :2, :2], optimize=True)
    norms = np.tile(np.linalg.norm(between, axis=-1), (1, 1, _WHOLE, _WHOLE))[:, :, : len(grid), : len(grid)]
    return np.moveaxis(whole.reshape(len(whole), -1, GRID * GRID), 1, 2).copy(), grid, norms


def _rows(frames: Array, free: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The mean colour of every row over the pixels that are `free` (n, 16, 16): (n, 48)."""
    free = free | ~free.any(2, keepdims=True)
    total = (frames * free[:, None]).sum(3, dtype=np.float64)
    mean: NDArray[np.float64] = (total / free.sum(2)[:, None]).reshape(len(frames), -1)
    return mean


def _where(frames: Array, free: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The place (-1 for none) and whether it is night, by the nearest class in standard deviations."""
    centre, whiten = _places()
    rows = _rows(frames, free) @ whiten
    apart = np.sqrt(np.square(rows[:, None] - centre @ whiten).mean(2))  # (n, 10)
    best = apart.argmin(1)
    near = apart[np.arange(len(frames)), best] <= STRANGE
    return np.where(near, best // 2, -1), best % 2 == 1


@lru_cache(maxsize=1)
def _places() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean rows of every place by day and by night (10, 48), and a matrix (48, 48) that turns their deviations
    from it, over many moments, into numbers of equal spread; 0.03 is added to every spread.
    """
    moments = 240
    number = np.arange(moments, dtype=np.float64)
    time, shift = number * 7.3, number * 0.618 % 1
    free = np.ones((moments, GRID, GRID), bool)
    centres, deviations = [], []
    for place in range(len(art.PLACES)):
        for night in (False, True):
            rows = _rows(art.background(place, time, shift, np.full(moments, night), GRID), free)
            centres.append(rows.mean(0))
            deviations.append(rows - rows.mean(0))
    spread = np.sqrt(np.square(np.concatenate(deviations)).mean(0)) + 0.03
    return np.stack(centres), np.diag(1 / spread)
