"""The house of the `rooms` world and the walk through it, both in closed form from a seed.

World axes: x and y along the grid, z up, right-handed; one unit is the side of a cell. Cell (i, j) covers x from i to
i + 1 and y from j to j + 1. The house is 3 x 3 rooms in 13 x 13 cells, walls one cell thick. The camera's way runs from
room to room along straight lines; smoothed with a triangular window it rounds its corners (`Walk`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from reproductions.worlds.base import uniform

__all__ = [
    "DOORWAY", "EYE", "FLOORS", "HEIGHT", "LANDMARKS", "LANDMARK_NAMES", "PILLAR_RADIUS", "SIDE", "SOLID", "WALLS",
    "WALL_NAMES", "House", "Walk", "cycles", "house_and_walk",
]  # fmt: skip

SIDE = 13
"""Cells per side of the house."""
HEIGHT = 1.5
"""Of the rooms, in units."""
EYE = HEIGHT / 2
"""Height of the camera: half way, so that floor and ceiling mirror each other."""
PILLAR_RADIUS = 0.24
DOORWAY, SOLID = 9, 10
"""What the grid holds beside the rooms 0 to 8."""

WALL_NAMES = ("brick", "ochre", "cream", "sage", "teal", "blue", "plum", "rose", "green")
WALLS = np.array(
    [
        (0.78, 0.33, 0.24), (0.92, 0.68, 0.26), (0.93, 0.86, 0.74), (0.60, 0.72, 0.45), (0.26, 0.62, 0.62),
        (0.36, 0.50, 0.82), (0.60, 0.36, 0.66), (0.90, 0.56, 0.60), (0.25, 0.52, 0.30),
    ],
    dtype=np.float32,
)  # fmt: skip
LANDMARK_NAMES = ("red", "orange", "yellow", "green", "cyan", "blue", "violet", "white")
LANDMARKS = np.array(
    [
        (0.92, 0.18, 0.16), (0.98, 0.52, 0.10), (0.99, 0.86, 0.20), (0.20, 0.78, 0.32), (0.20, 0.80, 0.90),
        (0.16, 0.30, 0.90), (0.60, 0.22, 0.86), (0.97, 0.97, 0.95),
    ],
    dtype=np.float32,
)  # fmt: skip
FLOORS = np.array(
    [
        (0.66, 0.47, 0.29), (0.60, 0.57, 0.53), (0.66, 0.39, 0.29), (0.42, 0.46, 0.52), (0.76, 0.68, 0.54),
        (0.47, 0.33, 0.24),
    ],
    dtype=np.float32,
)  # fmt: skip

TEXTURES = 4  # wainscot, brick, stripes, tiles
_WIDTHS = np.array([(3, 3, 3), (2, 3, 4), (2, 4, 3), (3, 2, 4), (3, 4, 2), (4, 2, 3), (4, 3, 2)])
_MOST = 8  # rooms in the longest cycle: as many straight pieces has a walk at most
_QUARTER = np.pi / 2
_ROUND_POSITION = 1.2  # half width, in units of way, of the triangular window over positions
_ROUND_HEADING = 2.3  # the same over headings: the camera looks into a turn before it takes it


@dataclass(frozen=True)
class House:
    """What stands in a house; leading axes as the seeds'.

    grid: int8 (..., 13, 13), room 0 to 8, DOORWAY or SOLID; room 3 i + j is the i-th along x and the j-th along y.
    Per room (..., 9): wall, index into WALLS, each used once; texture 0 to 3 (wainscot, brick, stripes, tiles);
    floor, index into FLOORS; laid 0 to 2 (checker, boards along x, boards along y); pillar (..., 9, 2), the centre
    (x, y) of its pillar; pillar_colour, index into LANDMARKS, -1 for no pillar.
    decor: int8 (..., 13, 13, 4), what hangs on the face that one sees from a cell, looking along +x, -x, +y or -y:
    0 nothing, else 1 + len(LANDMARKS) kind + colour, kind 0 a picture, 1 a door, 2 a window.
    """

    grid: NDArray[np.int8]
    wall: NDArray[np.int64]
    texture: NDArray[np.int64]
    floor: NDArray[np.int64]
    laid: NDArray[np.int64]
    pillar: NDArray[np.float64]
    pillar_colour: NDArray[np.int64]
    decor: NDArray[np.int8]

    def flat(self) -> House:
        """The same houses in one row (b, ...), a single one as a row of one."""
        tail = {"grid": 2, "pillar": 2, "decor": 3}
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        return House(**{n: a.reshape(-1, *a.shape[a.ndim - tail.get(n, 1) :]) for n, a in arrays.items()})


@dataclass(frozen=True)
class Walk:
    """A closed way of straight pieces; leading axes as the seeds', 8 pieces last (those left over have length 0).

    start: (..., 2); step: (..., 8, 2), direction of a piece, zero where the camera turns on the spot; length: (..., 8);
    quarter: (...), first heading in quarter turns from +x towards +y; turn: (..., 8), quarter turns before each piece.
    """

    start: NDArray[np.float64]
    step: NDArray[np.float64]
    length: NDArray[np.float64]
    quarter: NDArray[np.int64]
    turn: NDArray[np.int64]

    def pose(self, share: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Position (..., t, 2) and heading (..., t), in radians from +x towards +y, after `share` (..., t) of the way.

        Along the way s, a piece of length l that begins at S moves the camera by clip(s - S, 0, l) and turns it by a
        step at S. Both are averaged over s with a triangular window of half width r:
            clip becomes  r R((s - S) / r) - r R((s - S - l) / r),   R(x) = max(x, 0) + (1 - min(|x|, 1))^3 / 6,
            the step      C((s - S) / r),   C(x) = (1 - min(|x|, 1))^2 / 2 for x < 0, 1 less the same for x >= 0.
        share lies in [0, 1).
        """
        begin = np.cumsum(self.length, -1) - self.length
        whole = self.length.sum(-1)[..., None]
        at = share * whole
        position = np.broadcast_to(self.start[..., None, :], (*at.shape, 2)).copy()
        turned = np.broadcast_to(self.quarter[..., None].astype(np.float64), at.shape).copy()
        for lap in (-1, 0, 1):  # the window reaches into the lap before and the lap after
            for k in range(_MOST):
                passed = at - lap * whole - begin[..., k, None]
                left = passed - self.length[..., k, None]
                moved = _ROUND_POSITION * (_ramp(passed / _ROUND_POSITION) - _ramp(left / _ROUND_POSITION))
                position += self.step[..., k, None, :] * moved[..., None]
                # A whole lap turns the camera all round: the lap before adds only what the window still reaches.
                turned += self.turn[..., k, None] * _rise(passed / _ROUND_HEADING)
        return position, turned * _QUARTER


def _ramp(x: NDArray[np.float64]) -> NDArray[np.float64]:
    rest = 1 - np.minimum(np.abs(x), 1)
    return np.maximum(x, 0) + rest * rest * rest / 6


def _rise(x: NDArray[np.float64]) -> NDArray[np.float64]:
    rest = 1 - np.minimum(np.abs(x), 1)
    risen: NDArray[np.float64] = np.where(x >= 0, 1 - rest * rest / 2, rest * rest / 2)
    return risen


@lru_cache(maxsize=1)
def cycles() -> tuple[tuple[int, ...], ...]:
    """The 13 ways round through 3 x 3 rooms that enter no room twice, shortest first; room 3 i + j stands at (i, j)."""
    found: set[tuple[int, ...]] = set()

    def go(way: tuple[int, ...]) -> None:
        i, j = divmod(way[-1], 3)
        for a, b in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)):
            room = 3 * a + b
            if not (0 <= a < 3 and 0 <= b < 3):
                continue
            if room == way[0] and len(way) > 2 and way[1] < way[-1]:  # each way once, not also backwards
                found.add(way)
            elif room > way[0] and room not in way:
                go((*way, room))

    for first in range(9):
        go((first,))
    return tuple(sorted(found, key=lambda way: (len(way), way)))


def house_and_walk(seeds: NDArray[np.uint64], rooms: tuple[int, int], back: int = 0) -> tuple[House, Walk]:
    """The houses and walks of seeds (...). rooms: fewest and most rooms on the way round; back: 0 to go all round, or
    1 to 3, to turn back after so many rooms.
    """
    lines, starts, ends = zip(*(_columns(seeds, 10 * axis) for axis in (0, 1)), strict=True)
    table = np.array([[*way, *(way[0],) * (_MOST + 1 - len(way))] for way in cycles()])
    sizes = np.array([len(way) for way in cycles()])
    fit = np.flatnonzero((sizes >= rooms[0]) & (sizes <= rooms[1]))
    way = table[fit[(uniform(seeds, 20) * len(fit)).astype(np.int64)]]
    # Backwards round the same way: the padding moves to the front, where its pieces have no length either.
    way = np.where((uniform(seeds, 21) < 0.5)[..., None], way[..., ::-1], way)
    grid = _grid(seeds, lines, starts, ends, way)
    return _furnish(seeds, grid, lines, starts, ends), _walk(way, lines, back)


def _columns(seeds: NDArray[np.uint64], stream: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Along one axis, per room (..., 3): the cell that the way runs through, the first cell and the one after the last.

    A way keeps off the walls where the room is three or four cells wide.
    """
    width = _WIDTHS[(uniform(seeds, stream) * len(_WIDTHS)).astype(np.int64)]
    end = np.cumsum(width + 1, -1)
    start = end - width
    either = (uniform(seeds[..., None], stream + 1 + np.arange(3)) < 0.5).astype(np.int64)
    line = start + np.where(width == 2, either, np.where(width == 3, 1, 1 + either))
    return line, start, end


Axes = tuple[NDArray[np.int64], ...]


def _grid(seeds: NDArray[np.uint64], lines: Axes, starts: Axes, ends: Axes, way: NDArray[np.int64]) -> NDArray[np.int8]:
    cell = np.arange(SIDE)
    inside = [(cell >= s[..., None]) & (cell < e[..., None]) for s, e in zip(starts, ends, strict=True)]  # (..., 3, 13)
    number = [np.where(i.any(-2), i.argmax(-2), -1) for i in inside]  # (..., 13): which room along the axis, -1 a wall
    x, y = number[0][..., :, None], number[1][..., None, :]
    grid = np.where((x >= 0) & (y >= 0), 3 * x + y, SOLID)
    lone = np.sort(np.stack([way[..., :-1], way[..., 1:]], -1), -1)
    for axis in (0, 1):
        other = 1 - axis
        for i in range(2):
            for j in range(3):
                a, b = (3 * i + j, 3 * (i + 1) + j) if axis == 0 else (3 * j + i, 3 * j + i + 1)
                on_way = ((lone == (a, b)).all(-1)).any(-1)
                opened = on_way | (uniform(seeds, 30 + 10 * axis + 3 * i + j) < 0.4)
                wall = ends[axis][..., i, None] == cell
                door = lines[other][..., j, None] == cell
                first, second = (wall, door) if axis == 0 else (door, wall)
                hole = first[..., :, None] & second[..., None, :] & opened[..., None, None]
                grid = np.where(hole, DOORWAY, grid)
    return grid.astype(np.int8)


def _furnish(seeds: NDArray[np.uint64], grid: NDArray[np.int8], lines: Axes, starts: Axes, ends: Axes) -> House:
    room = np.arange(9)

    def draw(stream: int) -> NDArray[np.float64]:
        return uniform(seeds[..., None], stream + room)

    # A pillar stands in the corner of its room that is farthest from both lines of the way.
    corner = [
        np.where(line - start > end - 1 - line, start, end - 1) + 0.5
        for line, start, end in zip(lines, starts, ends, strict=True)
    ]
    pillar = np.stack([corner[0][..., room // 3], corner[1][..., room % 3]], -1)
    colours = np.argsort(uniform(seeds[..., None], 150 + np.arange(8)), -1, kind="stable")[..., room % 8]
    face = 1000 + np.arange(SIDE * SIDE * 4).reshape(SIDE, SIDE, 4)
    chance = uniform(seeds[..., None, None, None], face)
    kinds = 3 * len(LANDMARKS)
    # 42 in 100 faces carry something; what it is follows from the rest of the same draw.
    decor = np.where(chance < 0.42, 1 + (chance / 0.42 * kinds).astype(np.int64), 0)
    decor[grid >= DOORWAY] = 0
    return House(
        grid,
        np.argsort(draw(60), -1, kind="stable"),
        (draw(80) * TEXTURES).astype(np.int64),
        (draw(100) * len(FLOORS)).astype(np.int64),
        (draw(120) * 3).astype(np.int64),
        pillar,
        np.where(draw(170) < 0.55, colours, -1),
        decor.astype(np.int8),
    )


def _walk(way: NDArray[np.int64], lines: Axes, back: int) -> Walk:
    def of(rooms: NDArray[np.int64]) -> NDArray[np.float64]:
        x = np.take_along_axis(lines[0], rooms // 3, -1)
        y = np.take_along_axis(lines[1], rooms % 3, -1)
        centres: NDArray[np.float64] = np.stack([x, y], -1).astype(np.float64) + 0.5
        return centres

    leg = np.diff(of(way), axis=-2)  # (..., 8, 2)
    start = of(way)[..., 0, :]
    if back:
        # The first pieces that have a length, a turn on the spot, the same way back, a turn on the spot.
        order = np.argsort((leg == 0).all(-1), -1, kind="stable")
        start = of(np.take_along_axis(way, order[..., :1], -1))[..., 0, :]
        out = np.take_along_axis(leg, order[..., :back, None], -2)
        still = np.zeros_like(out[..., :1, :])
        rest = np.zeros((*out.shape[:-2], _MOST - 2 * back - 2, 2))
        leg = np.concatenate([out, still, -out[..., ::-1, :], still, rest], -2)
    length = np.abs(leg).sum(-1)
    step = leg / np.maximum(length, 1)[..., None]
    quarter = (np.arctan2(leg[..., 1], leg[..., 0]) / _QUARTER).round().astype(np.int64) % 4
    if back:
        # On the spot the camera turns half round by way of its left.
        ends = [back, 2 * back + 1]
        quarter[..., ends] = (quarter[..., [back - 1, 2 * back]] + 1) % 4
        length[..., ends] = _ROUND_HEADING
    turn = np.zeros_like(quarter)
    held = quarter[..., -1].copy()
    for n in (*range(_MOST), *range(_MOST)):  # twice: the heading before the first piece is that of the last
        empty = length[..., n] == 0
        turn[..., n] = np.where(empty, 0, (quarter[..., n] - held + 1) % 4 - 1)
        held = np.where(empty, held, quarter[..., n])
    return Walk(start, step, length, held, turn)
