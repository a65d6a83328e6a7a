"""Rays through a house of the `rooms` world: what they meet, how far away, and where on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reproductions.worlds.rooms_map import PILLAR_RADIUS, SIDE, SOLID, House

__all__ = ["PILLAR", "Rays", "cast"]

PILLAR = 10
"""What `Rays.surface` says beside the rooms 0 to 8 and DOORWAY."""


@dataclass(frozen=True)
class Rays:
    """Horizontal rays, frame by frame and from left to right: arrays (r,), float64 unless said otherwise.

    house: int, index into the houses; x, y: where they start; across, along: their direction in world axes x and y per
    unit of depth; right_x, right_y: the camera's axis to the right; depth: distance along the camera's z axis; surface:
    int, the room whose wall is met, DOORWAY or PILLAR; owner: int, the room that a wall or pillar belongs to; u: place
    along the surface, in units; blur: how much of u one pixel covers; decor: int, what hangs there, as in
    `House.decor`; light: 0 to 1, from the direction that the surface faces.
    """

    house: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    across: NDArray[np.float64]
    along: NDArray[np.float64]
    right_x: NDArray[np.float64]
    right_y: NDArray[np.float64]
    depth: NDArray[np.float64]
    surface: NDArray[np.int64]
    owner: NDArray[np.int64]
    u: NDArray[np.float64]
    blur: NDArray[np.float64]
    decor: NDArray[np.int64]
    light: NDArray[np.float64]


_LIGHT_BY_SIDE = np.array([0.80, 0.92, 1.0, 0.72])
_SUN = np.array([-0.55, 0.83])  # where pillars are brightest


def cast(
    house: House, index: NDArray[np.int64], position: NDArray[np.float64], forward: NDArray[np.float64],
    tangents: NDArray[np.float64], focal: float,
) -> Rays:  # fmt: skip
    """Follow the rays of frames (f,) through flat houses (b, ...); tangents (w,) from left to right: r = f w rays.

    A ray p + t d enters the cell behind the line x = k at t = (k - p_x) / d_x. Of all entries into solid cells, over
    all lines of both axes, the first is what it meets; no step depends on the one before.
    """
    count = len(tangents)
    right = np.stack([forward[:, 1], -forward[:, 0]], -1)
    d = (forward[:, None, :] + tangents[:, None] * right[:, None, :]).reshape(-1, 2)
    d[np.abs(d) < 1e-9] = 1e-9
    dx, dy = d[:, 0].copy(), d[:, 1].copy()
    px, py = np.repeat(position[:, 0], count), np.repeat(position[:, 1], count)
    which = np.repeat(index, count)
    solid = (house.grid == SOLID).ravel()
    base = which * (SIDE * SIDE)
    to_x = _first(solid, base, px, py, dx, dy, SIDE, 1)
    to_y = _first(solid, base, py, px, dy, dx, 1, SIDE)
    on_x = to_x < to_y
    depth = np.minimum(to_x, to_y)
    hit_x, hit_y = px + depth * dx, py + depth * dy
    # The cell in front of the wall: one side of the line that was crossed.
    line = np.rint(np.where(on_x, hit_x, hit_y))
    front = line - (np.where(on_x, dx, dy) > 0)
    i = np.where(on_x, front, np.floor(hit_x)).astype(np.int64)
    j = np.where(on_x, np.floor(hit_y), front).astype(np.int64)
    side = np.where(on_x, dx < 0, 2 + (dy < 0)).astype(np.int64)
    cell = base + i * SIDE + j
    owner = house.grid.ravel()[cell].astype(np.int64)
    decor = house.decor.ravel()[cell * 4 + side].astype(np.int64)
    u = np.where(on_x, hit_y, hit_x)
    # du per pixel: the derivative of the point on the line by the ray's tangent is depth / |d across the line|.
    blur = depth / (focal * np.abs(np.where(on_x, dx, dy)))
    rays = Rays(
        which, px, py, dx, dy, np.repeat(right[:, 0], count), np.repeat(right[:, 1], count), depth, owner.copy(), owner,
        u, blur, decor, _LIGHT_BY_SIDE[side],
    )  # fmt: skip
    _pillars(house, rays, focal)
    return rays


def _first(
    solid: NDArray[np.bool_], base: NDArray[np.int64], p: NDArray[np.float64], q: NDArray[np.float64],
    dp: NDArray[np.float64], dq: NDArray[np.float64], stride: int, other: int,
) -> NDArray[np.float64]:  # fmt: skip
    """Distance to the first solid cell that is entered across a line p = k; q is the other axis."""
    k = np.arange(1, SIDE, dtype=np.float64)[:, None]
    t = (k - p) / dp
    cross = (q + t * dq).clip(0, SIDE - 1).astype(np.int64)
    behind = np.arange(1, SIDE)[:, None] - (dp < 0)
    entered = solid[base + behind * stride + cross * other]
    t[~entered | (t <= 0)] = np.inf
    nearest: NDArray[np.float64] = t.min(0)
    return nearest


def _pillars(house: House, rays: Rays, focal: float) -> None:
    """Put the pillars in front: |p + t d - c|^2 = r^2, the smaller root."""
    cx, cy = (house.pillar[rays.house, :, axis].T for axis in (0, 1))  # (9, r)
    there = (house.pillar_colour >= 0)[rays.house].T
    ox, oy = cx - rays.x, cy - rays.y
    dx, dy = rays.across, rays.along
    a = dx * dx + dy * dy
    b = ox * dx + oy * dy
    inside = b * b - a * (ox * ox + oy * oy - PILLAR_RADIUS**2)
    t = np.where(there & (inside > 0) & (b > 0), (b - np.sqrt(inside.clip(0))) / a, np.inf)
    room = t.argmin(0)
    t = t.min(0)
    met = np.flatnonzero(t < rays.depth)
    n, t = room[met], t[met]
    # Outward normal, and with it the light and the way round the pillar.
    nx = (rays.x[met] + t * dx[met] - cx[n, met]) / PILLAR_RADIUS
    ny = (rays.y[met] + t * dy[met] - cy[n, met]) / PILLAR_RADIUS
    facing = -(nx * dx[met] + ny * dy[met])
    rays.depth[met] = t
    rays.surface[met] = PILLAR
    rays.owner[met] = n
    rays.u[met] = np.arctan2(ny, nx) * PILLAR_RADIUS
    rays.blur[met] = t / (focal * facing.clip(0.05))
    rays.decor[met] = 0
    rays.light[met] = 0.62 + 0.38 * (nx * _SUN[0] + ny * _SUN[1]).clip(0)
