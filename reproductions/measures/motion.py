"""The law of the worlds with bouncing things, and how far a video's tracks depart from it.

On each axis a thing moves at constant speed between two walls and is reflected there. Tracks are (..., t, 2) positions
in pixels with a mask of the frames in which they were read; walls and speeds are (..., 2), pixels and pixels per frame.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BLOCK",
    "FEWEST",
    "FIRST",
    "Path",
    "Walls",
    "bounces",
    "known_mean",
    "nearest_path",
    "reflect",
    "step_error",
]

BLOCK = 16
"""Frames to which one lawful path is fitted."""
FEWEST = 4
"""With the thing in sight in fewer frames of a block, almost any path fits: nothing is said."""
FIRST = 4
"""Frames at a video's start, or views of one thing, that tell which things are the video's own."""

_GRID = 0.4  # spacing of the search for a path, in units of 1/16 of the frame
_ROWS = 256

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Walls(NamedTuple):
    """The lowest and the highest position of a thing on each axis, (..., 2) each, and a unit of length in pixels."""

    low: Array
    high: Array
    unit: float


class Path(NamedTuple):
    """A lawful motion: position (..., t, 2), NaN where none could be fitted, and speed (..., 2) of the first block."""

    position: Array
    speed: Array


def known_mean(values: Array) -> Array:
    """The mean over the last axis of what is not NaN; NaN where all is."""
    known = np.isfinite(values)
    return np.where(known.any(-1), np.where(known, values, 0).sum(-1) / np.maximum(known.sum(-1), 1), np.nan)


def reflect(u: Array, low: Array, high: Array) -> Array:
    """Where something that walked straight to `u` is, had it been reflected at the walls on its way."""
    room = high - low
    return low + room - np.abs((u - low) % (2 * room) - room)


def step_error(position: Array, seen: Mask, speed: Array, walls: Walls) -> Array:
    """Per frame: pixels between the step taken into it and the nearest lawful one, (..., t).

    From where it was read in frame t - 1, a thing may move on at its own speed towards either side on each axis,
    reflected at a wall. NaN at frame 0 and where it was not read in both frames.
    """
    at, to = position[..., :-1, :], position[..., 1:, :]
    speed, low, high = (v[..., None, :] for v in (speed, walls.low, walls.high))
    miss = np.minimum(*(np.abs(to - reflect(at + way * speed, low, high)) for way in (1, -1)))
    error = np.full(seen.shape, np.nan)
    error[..., 1:] = np.where(seen[..., 1:] & seen[..., :-1], np.linalg.norm(miss, axis=-1), np.nan)
    return error


def bounces(position: Array, seen: Mask, speed: Array, walls: Walls, tolerance: float) -> Array:
    """Per frame: 1 where the track turned at a wall, 0 where it turned elsewhere or ought to have turned, (..., t).

    A step counts as a direction when it is at least half the speed; a turn is a step against the last direction, and
    lawful if the thing was, before it, within one step (and `tolerance` pixels) of the wall it headed for. Overdue is
    a thing that has met a wall between frames t - 2 and t - 1 and does not move away from it into frame t. NaN
    without such an event; the mean where both axes have one.
    """
    value = np.full((*seen.shape, 2), np.nan)
    low, high = walls.low, walls.high
    heading = earlier = np.zeros((*seen.shape[:-1], 2))
    for t in range(1, seen.shape[-1]):
        at, to = position[..., t - 1, :], position[..., t, :]
        both = (seen[..., t] & seen[..., t - 1])[..., None]
        way = np.where(both & (np.abs(to - at) >= speed / 2), np.sign(to - at), 0)
        turned = way * heading < 0
        near = np.where(heading > 0, high - at, at - low) <= speed + tolerance
        overdue = np.zeros(turned.shape, bool)
        if t > 1:
            ahead = position[..., t - 2, :] + earlier * speed
            met = (earlier != 0) & ((ahead >= high) | (ahead <= low)) & (seen[..., t - 2] & seen[..., t - 1])[..., None]
            overdue = met & both & (way != -earlier)
        value[..., t, :] = np.where(overdue | (turned & ~near), 0, np.where(turned, 1, np.nan))
        earlier, heading = heading, np.where(both, np.where(way != 0, way, heading), 0)
    return known_mean(value)


def nearest_path(position: Array, seen: Mask, speeds: tuple[float, float], walls: Walls) -> Path:
    """The lawful motion nearest to a track, block by block: least squares over all starts and speeds on each axis.

    speeds: the slowest and fastest the world has on an axis, pixels per frame. Blocks are of BLOCK frames (the last
    one ends with the video); each has its own path. NaN in a block with fewer than FEWEST frames in sight.
    """
    lead, frames = seen.shape[:-1], seen.shape[-1]
    path = np.full(position.shape, np.nan)
    first = np.full((*lead, 2), np.nan)
    done = 0
    while done < frames:
        start = max(0, min(done, frames - BLOCK))
        part = slice(start, min(start + BLOCK, frames))
        for axis in range(2):
            x, weight = position[..., part, axis], seen[..., part]
            rows = x.reshape(-1, x.shape[-1]), weight.reshape(-1, x.shape[-1])
            low, high = (np.broadcast_to(v[..., axis], lead).reshape(-1) for v in (walls.low, walls.high))
            fitted, speed = _fit(*rows, low, high, speeds, walls.unit)
            path[..., done : part.stop, axis] = fitted.reshape(x.shape)[..., done - start :]
            if done == 0:
                first[..., axis] = speed.reshape(lead)
        done = part.stop
    return Path(path, first)


def _fit(
    x: Array, seen: Mask, low: Array, high: Array, speeds: tuple[float, float], unit: float
) -> tuple[Array, Array]:
    """One axis, one block: x and seen (n, t), walls (n,); the fitted path (n, t) and its speed (n,)."""
    enough = seen.sum(1) >= FEWEST
    path, speed = np.full(x.shape, np.nan), np.full(len(x), np.nan)
    rows = np.flatnonzero(enough)
    for at in range(0, len(rows), _ROWS):
        some = rows[at : at + _ROWS]
        path[some], speed[some] = _fit_rows(
            np.where(seen[some], x[some], 0), seen[some], low[some, None], high[some, None], speeds, unit
        )
    return path, speed


def _fit_rows(
    x: Array, seen: Mask, low: Array, high: Array, speeds: tuple[float, float], unit: float
) -> tuple[Array, Array]:
    # The unbounded path is u = p + v (t - middle), reflected into the walls; p covers both directions of a period.
    frames = x.shape[1]
    tau = np.arange(frames) - (frames - 1) / 2
    v = np.linspace(*speeds, 2 + int((speeds[1] - speeds[0]) * frames / (2 * _GRID * unit)))
    steps = 2 + int(2 * (high - low).max() / (_GRID * unit))
    phase = low + 2 * (high - low) * np.arange(steps) / steps  # (n, p)
    best, p, speed = np.full(len(x), np.inf), phase[:, 0], np.full(len(x), v[0])
    for candidate in v:
        miss = reflect(phase[:, :, None] + candidate * tau, low[:, :, None], high[:, :, None]) - x[:, None]
        cost = np.einsum("npt,npt,nt->np", miss, miss, seen.astype(np.float64))
        place = cost.argmin(1)
        lowest = cost[np.arange(len(x)), place]
        better = lowest < best
        best = np.where(better, lowest, best)
        p, speed = np.where(better, phase[np.arange(len(x)), place], p), np.where(better, candidate, speed)
    # Gauss-Newton in (p, v): a reflected path changes by +1 or -1 per unit of u.
    for _ in range(4):
        u = p[:, None] + speed[:, None] * tau
        slope = np.where((u - low) % (2 * (high - low)) < high - low, 1.0, -1.0) * seen
        miss = (x - reflect(u, low, high)) * slope
        a, b, c = np.square(slope).sum(1), (np.square(slope) * tau).sum(1), (np.square(slope) * tau**2).sum(1)
        e, f = miss.sum(1), (miss * tau).sum(1)
        # Where the speed is held at its limit, the start alone is fitted.
        determinant = a * c - b * b
        new = np.clip(speed + (a * f - b * e) / determinant, *speeds)
        new_p = p + (e - b * (new - speed)) / a
        cost = (np.square(reflect(new_p[:, None] + new[:, None] * tau, low, high) - x) * seen).sum(1)
        better = cost < best
        best, p, speed = np.where(better, cost, best), np.where(better, new_p, p), np.where(better, new, speed)
    return reflect(p[:, None] + speed[:, None] * tau, low, high), speed
