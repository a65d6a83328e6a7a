"""`rooms`: a walk through a house of nine rooms, seen by its own eyes; after one loop everything is as it was.

A camera walks a closed way, again and again. Pose, intrinsics, depth and map are known in every frame, and frames one
loop apart are equal bit for bit: what a video shows on its second round it must have remembered.

World axes and units: `rooms_map`. Camera axes: x right, y down, z forward (right-handed, as in most vision libraries).
The camera stands upright at height EYE. Pixel (row, column) has its centre at (column + 0.5, row + 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from kiloframe.words import refuse
from reproductions.worlds.base import EVALUATION_SEEDS, FPS, Clip, World, uniform
from reproductions.worlds.rooms_cast import PILLAR, cast
from reproductions.worlds.rooms_map import EYE, PILLAR_RADIUS, SIDE, SOLID, House, Walk, house_and_walk
from reproductions.worlds.rooms_paint import paint

__all__ = ["CEILING", "EVALUATION_SEEDS", "FLOOR", "FPS", "PILLAR", "Clip", "Rooms", "Truth"]

FIELD_OF_VIEW = 76.0
"""Degrees, across as well as up and down."""
FLOOR, CEILING = 11, 12
"""What `Rooms.surfaces` answers beside the walls of rooms 0 to 8, DOORWAY and PILLAR."""
_RAYS = 3  # per pixel column; the middle one runs through the pixel's centre
_CHUNK = 1 << 17  # samples painted at once: what the arrays of one pass hold stays in the cache
_LEVEL = 1e-6  # how far a given pose may be off


@dataclass(frozen=True)
class Truth:
    """What is so in every frame; leading axes (..., t) as the video's.

    seed: uint64, of the video: `Rooms.house(seed)` is all that stands in its house; pose: float64 (..., 4, 4), camera
    to world, in units of a cell; intrinsics: float64 (..., 3, 3), in pixels; depth: float32 (..., h, w), distance along
    the camera's z axis at the centre of each pixel, in units, or (..., 0, 0) with depth=False; room: int, 0 to 8, or
    9 in a doorway; place: int, which frame of the loop this is, 0 to loop - 1; earlier: int, the latest frame before
    this one with the same pose, -1 if there is none; grid: int8 (..., 13, 13), the map: 0 to 8 a room, 9 a doorway,
    10 a wall.
    """

    seed: NDArray[np.uint64]
    pose: NDArray[np.float64]
    intrinsics: NDArray[np.float64]
    depth: NDArray[np.float32]
    room: NDArray[np.int64]
    place: NDArray[np.int64]
    earlier: NDArray[np.int64]
    grid: NDArray[np.int8]


class Rooms(World[Truth]):
    """The world. `size`: pixels per side, 16 to 128; `loop`: frames until the camera is back, 64 to 160; `walk`: "loop"
    (a way round through 4 to 8 rooms) or "back" (through 2 to 4 rooms, then the same way back); `depth`: give it.

    Raises UserError for an option out of range.

    Example:
        >>> clip = Rooms(size=32).clip(seed=1, start=0, frames=97)
        >>> bool((clip.video[96] == clip.video[0]).all()), int(clip.truth.earlier[96])
        (True, 0)
    """

    name = "rooms"
    about = "a camera walks through textured rooms and comes back, so that pose, depth, map and every return are known"

    def __init__(
        self, size: int = 32, loop: int = 96, walk: Literal["loop", "back"] = "loop", depth: bool = True
    ) -> None:
        super().__init__(size)
        if not 64 <= loop <= 160:
            raise UserError(f"a loop of the rooms world has 64 to 160 frames, not {loop}")
        if walk not in ("loop", "back"):
            raise refuse(walk, "walk of the rooms world", ("loop", "back"))
        self.loop, self.walk, self.depth = loop, walk, depth
        self.focal = size / 2 / np.tan(np.radians(FIELD_OF_VIEW / 2))

    @property
    def intrinsics(self) -> NDArray[np.float64]:
        """(3, 3), in pixels, the same for all frames: a point (x, y, z) in camera axes lies at K (x, y, z) / z."""
        half = self.size / 2
        return np.array([[self.focal, 0, half], [0, self.focal, half], [0, 0, 1]])

    def house(self, seeds: Any) -> House:
        """All that stands in the houses of seeds (...). It depends on `loop` and `walk`, not on `size`."""
        return self._plan(np.asarray(seeds).astype(np.uint64))[0]

    def place(self, seeds: Any, indices: Any) -> NDArray[np.int64]:
        """Which frame of the loop, 0 to loop - 1, the frames (..., t) of seeds (...) are: `Truth.place`."""
        phase = (uniform(np.asarray(seeds).astype(np.uint64), 22) * self.loop).astype(np.int64)
        place: NDArray[np.int64] = (np.asarray(indices, dtype=np.int64) + phase[..., None]) % self.loop
        return place

    def poses(self, seeds: Any, indices: Any) -> NDArray[np.float64]:
        """The camera's own poses, (..., t, 4, 4), for seeds (...) and frames (..., t), without drawing anything."""
        seeds = np.asarray(seeds).astype(np.uint64)
        return self._pose(seeds, self._plan(seeds)[1], np.asarray(indices, dtype=np.int64))

    def render(self, poses: Any, seeds: Any) -> NDArray[np.float32]:
        """What a camera sees on a given way: poses (..., t, 4, 4) in the houses of seeds (...): (..., t, 3, h, w).

        Raises UserError for poses of another shape, that are not upright at height EYE, or that stand in a wall.
        """
        seeds = np.asarray(seeds).astype(np.uint64)
        poses, house = self._given(poses, seeds)
        return self._draw(house, poses, depth=False)[0]

    def depths(self, poses: Any, seeds: Any) -> NDArray[np.float32]:
        """How far away the centre of each pixel is along the camera's z axis, (..., t, h, w). Errors as `render`."""
        poses, house = self._given(poses, np.asarray(seeds).astype(np.uint64))
        return np.minimum(self._centres(house, poses)[1], self._horizon()[:, None])

    def surfaces(self, poses: Any, seeds: Any) -> NDArray[np.int64]:
        """What the centre of each pixel shows, (..., t, h, w): 0 to 8 the wall of that room (with what hangs there),
        9 the inside of a doorway, PILLAR (10), FLOOR (11), CEILING (12). Errors as `render`.
        """
        poses, house = self._given(poses, np.asarray(seeds).astype(np.uint64))
        surface, depth = self._centres(house, poses)
        below = np.where(self._down() > 0, FLOOR, CEILING)[:, None]
        return np.where(depth < self._horizon()[:, None], surface, below)

    def _render(self, seeds: NDArray[np.uint64], t: NDArray[np.int64]) -> Clip[Truth]:
        seeds = np.broadcast_to(seeds, t.shape[:-1])
        house, walk = self._plan(seeds)
        pose = self._pose(seeds, walk, t)
        video, depth = self._draw(house, pose, self.depth)
        at = np.floor(pose[..., :2, 3]).astype(np.int64)
        grid = np.broadcast_to(house.grid[..., None, :, :], (*t.shape, SIDE, SIDE))
        room = np.take_along_axis(grid.reshape(*t.shape, -1), at[..., :1] * SIDE + at[..., 1:], -1)[..., 0]
        truth = Truth(
            np.broadcast_to(seeds[..., None], t.shape),
            pose,
            np.broadcast_to(self.intrinsics, (*t.shape, 3, 3)),
            depth,
            room.astype(np.int64),
            self.place(seeds, t),
            np.where(t >= self.loop, t - self.loop, -1),
            grid,
        )
        return Clip(video, truth)

    def _plan(self, seeds: NDArray[np.uint64]) -> tuple[House, Walk]:
        # More frames, more rooms: a step stays near a fifth of a unit.
        rooms = max(4, -(-self.loop // 32)), max(4, min(8, self.loop // 16))
        return house_and_walk(seeds, rooms, min(3, self.loop // 40) if self.walk == "back" else 0)

    def _pose(self, seeds: NDArray[np.uint64], walk: Walk, t: NDArray[np.int64]) -> NDArray[np.float64]:
        position, heading = walk.pose(self.place(seeds, t) / self.loop)
        forward = np.stack([np.cos(heading), np.sin(heading)], -1)
        pose = np.zeros((*t.shape, 4, 4))
        pose[..., 0, 0], pose[..., 1, 0] = forward[..., 1], -forward[..., 0]  # right
        pose[..., 2, 1] = -1  # down
        pose[..., :2, 2] = forward
        pose[..., :2, 3] = position
        pose[..., 2, 3], pose[..., 3, 3] = EYE, 1
        return pose

    def _across(self, rays: int) -> NDArray[np.float64]:
        """Tangents of the rays of one frame, left to right: (w rays,)."""
        n = self.size * rays
        return ((np.arange(n) + 0.5) / rays - self.size / 2) / self.focal

    def _down(self) -> NDArray[np.float64]:
        """Tangents of the rows' centres, downwards: (h,)."""
        return (np.arange(self.size) + 0.5 - self.size / 2) / self.focal

    def _horizon(self) -> NDArray[np.float32]:
        """Depth of floor and ceiling in each row, (h,)."""
        return (EYE / np.maximum(np.abs(self._down()), 1e-6)).astype(np.float32)

    def _centres(self, house: House, poses: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """What stands above the floor in each column, and its depth: (..., t, 1, w)."""
        rays = cast(house.flat(), *_frames(poses), self._across(1), self.focal)
        shape = (*poses.shape[:-2], 1, self.size)
        return rays.surface.reshape(shape), rays.depth.astype(np.float32).reshape(shape)

    def _draw(
        self, house: House, poses: NDArray[np.float64], depth: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Video (..., t, 3, h, w) and depth (..., t, h, w) or (..., t, 0, 0), a few frames at a time."""
        size, lead = self.size, poses.shape[:-2]
        index, position, forward = _frames(poses)
        video = np.empty((len(index), 3, size, size), np.float32)
        far = np.empty((len(index), *((size, size) if depth else (0, 0))), np.float32)
        across = self._across(_RAYS)
        horizon = self._horizon()[:, None]
        flat = house.flat()
        chunk = max(1, _CHUNK // (size * size * _RAYS))
        for first in range(0, len(index), chunk):
            part = slice(first, first + chunk)
            rays = cast(flat, index[part], position[part], forward[part], across, self.focal)
            paint(flat, rays, self.focal, video[part])
            if depth:
                centre = rays.depth.reshape(-1, size, _RAYS)[:, None, :, _RAYS // 2].astype(np.float32)
                np.minimum(centre, horizon, out=far[part])
        return video.reshape(*lead, 3, size, size), far.reshape(*lead, *far.shape[1:])

    def _given(self, poses: Any, seeds: NDArray[np.uint64]) -> tuple[NDArray[np.float64], House]:
        """Poses that a caller made, checked, and the houses they stand in, with the same leading axes."""
        poses = np.asarray(poses, dtype=np.float64)
        if poses.ndim < 3 or poses.shape[-2:] != (4, 4):
            raise UserError(f"poses of the rooms world have the shape (..., t, 4, 4), not {poses.shape}")
        try:
            seeds = np.broadcast_to(seeds, poses.shape[:-3])
        except ValueError:
            raise UserError(
                f"poses of the shape {poses.shape} need seeds of the shape {poses.shape[:-3]}, not {seeds.shape}"
            ) from None
        right, down, forward = (poses[..., :3, k] for k in range(3))
        upright = np.abs(down - (0, 0, -1)).max(-1) + np.abs(poses[..., 3, :] - (0, 0, 0, 1)).max(-1)
        square = np.abs(np.cross(down, forward) - right).max(-1) + np.abs((forward**2).sum(-1) - 1)
        wrong = ~(upright + square + np.abs(poses[..., 2, 3] - EYE) < _LEVEL)  # NaN is wrong too
        if wrong.any():
            raise UserError(
                f"{_where(wrong)} is no pose of the rooms world: the rotation must be right-handed with the second "
                f"column (0, 0, -1), the height {EYE}, the last row (0, 0, 0, 1)"
            )
        house = self._plan(seeds)[0]
        at = poses[..., :2, 3]
        cell = np.floor(at.clip(0, SIDE - 1)).astype(np.int64)
        grid = house.grid.reshape(*seeds.shape, -1)
        inside = np.take_along_axis(grid, cell[..., 0] * SIDE + cell[..., 1], -1) == SOLID
        away = np.square(house.pillar[..., None, :, :] - at[..., None, :]).sum(-1) <= PILLAR_RADIUS**2
        inside |= (away & (house.pillar_colour >= 0)[..., None, :]).any(-1) | (at != at.clip(0, SIDE)).any(-1)
        if inside.any():
            x, y = at[tuple(np.argwhere(inside)[0])]
            raise UserError(
                f"{_where(inside)} stands in a wall, at x = {x:.2f}, y = {y:.2f}; free are the cells of "
                f"house(seed).grid below {SOLID}, pillars apart"
            )
        return poses, house


def _frames(poses: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Of poses (..., t, 4, 4) in one row: which video, where (x, y), and the direction forward (x, y)."""
    row = poses.reshape(-1, 4, 4)
    return np.arange(len(row)) // poses.shape[-3], row[:, :2, 3], row[:, :2, 2]


def _where(wrong: NDArray[np.bool_]) -> str:
    """The first frame of (..., t) that is marked, in words."""
    *video, frame = (int(n) for n in np.argwhere(wrong)[0])
    return f"frame {frame}" + (f" of video {', '.join(map(str, video))}" if video else "")


WORLD = Rooms
