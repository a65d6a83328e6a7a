"""`shapes`: coloured shapes that move in straight lines, bounce off the walls and are described by a caption.

Every shape has a kind, a colour, a size and a speed, and the caption names all four, in the order in which the shapes
are drawn (a later one covers an earlier one). No two shapes of a video share a colour. The grammar:

    caption = phrase, [ " and ", phrase ], "." | phrase, ", ", phrase, " and ", phrase, "." ;
    phrase  = "a ", size, " ", colour, " ", kind, " moving ", pace ;
    size    = "small" | "large" ;
    colour  = "red" | "yellow" | "green" | "blue" | "pink" | "white" ;
    kind    = "circle" | "square" | "triangle" | "star" | "cross" | "ring" ;
    pace    = "slowly" | "quickly" ;

All words are of `captions.WORDS`. Lengths are counted in sixteenths of the frame's side (`UNIT`), so that all sizes
look alike: at 16x16 a unit is a pixel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from kiloframe.words import nearest
from reproductions.worlds.base import EVALUATION_SEEDS, Clip, World, uniform

__all__ = [
    "AXIS_SPEEDS", "BACKGROUND", "COLOURS", "KINDS", "PACES", "PALETTE", "RADII", "SIZES", "SPEEDS", "UNIT",
    "Described", "Shapes", "Truth", "coverage", "describe", "parse",
]  # fmt: skip

KINDS = ("circle", "square", "triangle", "star", "cross", "ring")
SIZES = ("small", "large")
PACES = ("slowly", "quickly")
COLOURS = ("red", "yellow", "green", "blue", "pink", "white")
PALETTE = np.array(
    [(0.93, 0.20, 0.16), (0.99, 0.82, 0.16), (0.18, 0.76, 0.32), (0.20, 0.46, 0.98), (0.98, 0.45, 0.78), (0.96,) * 3],
    dtype=np.float32,
)
BACKGROUND = np.array((0.05, 0.06, 0.11), dtype=np.float32)

UNIT = 16
"""Units per side of the frame."""
RADII = np.array((2.5, 3.75))
"""Half the width and height of a small and of a large shape, in units."""
SPEEDS = np.array(((0.5, 0.7), (1.2, 1.6)))
"""Slowest and fastest of the slow and of the quick shapes, in units per frame."""
_STEEPEST = np.deg2rad(20)  # a path keeps this far from both axes, so that it soon meets all four walls
AXIS_SPEEDS = (float(SPEEDS.min() * np.sin(_STEEPEST)), float(SPEEDS.max() * np.cos(_STEEPEST)))
"""Least and greatest speed on one axis, in units per frame."""
_IN_SIGHT = 0.6

_STREAMS = 10  # streams per shape: kind, size, pace, speed, angle, start (y, x)
_COLOUR_STREAM = 60
_CHUNK = 1 << 16  # pixels drawn at once: what fits a processor's cache
_SEARCH = 1 << 14  # seeds looked at at once: what fits a processor's cache


@dataclass(frozen=True)
class Truth:
    """What is so in every frame; leading axes as the video's, n shapes last, in the order they are drawn.

    kind: int, index into KINDS; colour: int, index into COLOURS and PALETTE; large: bool; quick: bool;
    position: float (..., n, 2), (y, x) of the centre in pixels, 0 at the frame's upper left corner; velocity:
    (..., n, 2) in pixels per frame; visible: bool, at least 0.6 of the shape is not covered by later ones.
    """

    kind: NDArray[np.int64]
    colour: NDArray[np.int64]
    large: NDArray[np.bool_]
    quick: NDArray[np.bool_]
    position: NDArray[np.float64]
    velocity: NDArray[np.float64]
    visible: NDArray[np.bool_]

    def captions(self) -> NDArray[np.str_]:
        """One sentence per video, in the module's grammar: (...), the leading axes without the frames'."""
        kind, colour, large, quick = (v[..., 0, :] for v in (self.kind, self.colour, self.large, self.quick))
        n = kind.shape[-1]
        rows = zip(*(v.reshape(-1, n).tolist() for v in (kind, colour, large, quick)), strict=True)
        said = [describe([Described(*shape) for shape in zip(*row, strict=True)]) for row in rows]
        return np.array(said, dtype=np.str_).reshape(kind.shape[:-1])


@dataclass(frozen=True)
class Described:
    """One shape as a caption tells it: indices into KINDS and COLOURS, and whether it is large and quick."""

    kind: int
    colour: int
    large: bool
    quick: bool


def describe(shapes: list[Described]) -> str:
    """The caption of 1 to 3 shapes, in the module's grammar."""
    phrases = [
        f"a {SIZES[s.large]} {COLOURS[s.colour]} {KINDS[s.kind]} moving {PACES[s.quick]}" for s in shapes
    ]  # fmt: skip
    *front, last = phrases
    return f"{', '.join(front)} and {last}." if front else f"{last}."


def parse(caption: str) -> list[Described]:
    """The shapes of a caption, in its order: the inverse of `describe`; capitals and the full stop do not matter.

    Raises UserError for a word or a sentence outside the grammar, and for two shapes of one colour.
    """
    shapes = [_phrase(part, caption) for part in re.split(r",| and ", caption.lower().strip().removesuffix("."))]
    if len(shapes) > 3:
        raise UserError(f"a caption of the shapes world tells of 1 to 3 shapes, not {len(shapes)}: {caption!r}")
    if len({s.colour for s in shapes}) < len(shapes):
        raise UserError(f"the shapes of one video have different colours; this caption repeats one: {caption!r}")
    return shapes


def _phrase(part: str, caption: str) -> Described:
    words = part.split()
    if len(words) != 6 or words[0] != "a" or words[4] != "moving":
        raise UserError(
            f'a caption of the shapes world is made of phrases such as "a small red circle moving slowly"; '
            f"{part.strip()!r} in {caption!r} is none"
        )
    size, colour, kind, pace = (
        _place(words[at], known, caption) for at, known in ((1, SIZES), (2, COLOURS), (3, KINDS), (5, PACES))
    )
    return Described(kind, colour, bool(size), bool(pace))


def _place(word: str, known: tuple[str, ...], caption: str) -> int:
    if word not in known:
        near = nearest(word, known)
        hint = f"; nearest: {', '.join(near)}" if near else ""
        raise UserError(f"{word!r} in the caption {caption!r} is unknown here{hint}; allowed: {', '.join(known)}")
    return known.index(word)


class Shapes(World[Truth]):
    """The world. `size`: pixels per side, 16 to 128; `shapes`: how many at once, 1 to 3.

    One is the default, because that is what a method can learn in a laptop's minutes. The first shape of a video is the
    same however many there are. Raises UserError for a size or count out of range.

    Example:
        >>> world = Shapes(shapes=2)
        >>> print(world.clip(seed=3, start=0, frames=8).truth.captions())
        a small green star moving quickly and a large red circle moving slowly.
    """

    name = "shapes"
    about = "coloured shapes that bounce off the walls, each video with a caption that describes it"

    def __init__(self, size: int = 16, shapes: int = 1) -> None:
        super().__init__(size)
        if not 1 <= shapes <= 3:
            raise UserError(f"the shapes world holds 1 to 3 shapes at once, not {shapes}")
        self.shapes = shapes
        self.scale = size / UNIT

    def seeds_for(self, caption: str, count: int, start: int = EVALUATION_SEEDS) -> NDArray[np.int64]:
        """The first `count` seeds from `start` on whose videos have just this caption: (count,).

        They differ in where the shapes start, where they head and, within the pace, how fast they are. Found by
        search: 64 seeds of two shapes take a fraction of a second, of three a few seconds. Raises UserError for a
        caption outside the grammar or of another number of shapes.
        """
        wanted = parse(caption)
        if len(wanted) != self.shapes:
            raise UserError(f"the caption {caption!r} tells of {len(wanted)} shapes; this world has {self.shapes}")
        found: list[NDArray[np.int64]] = []
        while sum(map(len, found)) < count:
            seeds = np.arange(start, start + _SEARCH)
            start += _SEARCH
            # The cheap tests go first: most seeds fail them and are not looked at again.
            for n, shape in enumerate(wanted):
                for quality, value in enumerate((shape.kind, shape.large, shape.quick)):
                    seeds = seeds[self._quality(seeds.astype(np.uint64), n, quality) == value]
            colours = _colours(seeds.astype(np.uint64), self.shapes)
            found.append(seeds[(colours == [shape.colour for shape in wanted]).all(-1)])
        return np.concatenate([*found, np.empty(0, np.int64)])[:count]

    def _quality(self, seeds: NDArray[np.uint64], n: int, quality: int) -> NDArray[np.int64]:
        """Kind (0), size (1) or pace (2) of shape n."""
        choices = (len(KINDS), len(SIZES), len(PACES))[quality]
        return (uniform(seeds, _STREAMS * n + quality) * choices).astype(np.int64)

    def _render(self, seeds: NDArray[np.uint64], t: NDArray[np.int64]) -> Clip[Truth]:
        shape = (*t.shape, self.shapes)
        kind, large, quick = (
            np.stack([self._quality(seeds, n, quality) for n in range(self.shapes)], -1) for quality in range(3)
        )
        colour = _colours(seeds, self.shapes)
        position, velocity = np.empty((*shape, 2)), np.empty((*shape, 2))
        for n in range(self.shapes):
            slowest, fastest = SPEEDS[quick[..., n]][..., 0], SPEEDS[quick[..., n]][..., 1]
            speed = slowest + (fastest - slowest) * uniform(seeds, _STREAMS * n + 3)
            angle = _STEEPEST + (np.pi / 2 - 2 * _STEEPEST) * uniform(seeds, _STREAMS * n + 4)
            radius = RADII[large[..., n]][..., None]
            room = UNIT - 2 * radius  # a centre moves in [radius, radius + room] on both axes
            for axis, part in enumerate((np.sin(angle), np.cos(angle))):
                step = (speed * part)[..., None]
                start = uniform(seeds, _STREAMS * n + 5 + axis)[..., None] * 2 * room
                # A reflected straight line is a triangle wave: fold the unbounded path back into [0, room].
                u = (start + step * t) % (2 * room)
                position[..., n, axis] = (radius + room - np.abs(u - room)) * self.scale
                velocity[..., n, axis] = np.where(u < room, step, -step) * self.scale
        kind, colour, large, quick = (np.broadcast_to(v[..., None, :], shape) for v in (kind, colour, large, quick))
        video, visible = self._draw(kind, colour, large == 1, position)
        return Clip(video, Truth(kind, colour, large == 1, quick == 1, position, velocity, visible))

    def _draw(
        self,
        kind: NDArray[np.int64],
        colour: NDArray[np.int64],
        large: NDArray[np.bool_],
        position: NDArray[np.float64],
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The frames, and which shapes are in sight."""
        alpha = coverage(kind, large, position, self.size).reshape(*kind.shape, -1)
        light = np.empty((*kind.shape[:-1], self.shapes + 1, self.size**2), np.float32)  # how much each layer shows
        through = np.ones_like(alpha[..., 0, :])
        for n in reversed(range(self.shapes)):
            light[..., n, :] = alpha[..., n, :] * through
            through = through - light[..., n, :]
        light[..., -1, :] = through
        visible = light[..., :-1, :].sum(-1) >= _IN_SIGHT * alpha.sum(-1)
        ground = np.broadcast_to(BACKGROUND, (*colour.shape[:-1], 1, 3))
        layers = np.concatenate([PALETTE[colour], ground], -2)
        video = np.swapaxes(layers, -1, -2) @ light
        return video.reshape(*kind.shape[:-1], 3, self.size, self.size).clip(0, 1), visible


def _colours(seeds: NDArray[np.uint64], count: int) -> NDArray[np.int64]:
    """`count` different colours per seed, (..., count): the first of a random order of all."""
    keys = uniform(seeds[..., None], _COLOUR_STREAM + np.arange(len(COLOURS)))
    return np.argsort(keys, axis=-1, kind="stable")[..., :count]


def coverage(
    kind: NDArray[np.int64], large: NDArray[np.bool_], position: NDArray[np.float64], size: int
) -> NDArray[np.float32]:
    """How much of every pixel a shape covers: (..., size, size) in [0, 1].

    kind, large: (...); position: (..., 2), (y, x) of the centre in pixels of a frame of `size`. Anti-aliased: a pixel
    whose centre lies d pixels outside the outline is covered by 1/2 - d, within [0, 1].
    """
    kinds, radii = kind.ravel(), (RADII[large.astype(np.int64)].ravel() * size / UNIT).astype(np.float32)
    centres = position.reshape(-1, 2).astype(np.float32)
    covered = np.empty((len(kinds), size, size), np.float32)
    pixel = np.arange(size, dtype=np.float32) + np.float32(0.5)
    for index, distance in enumerate((_circle, _square, _triangle, _star, _cross, _ring)):
        for rows in _pieces(np.flatnonzero(kinds == index), max(1, _CHUNK // size**2)):
            y, x = (pixel - centres[rows, axis, None] for axis in (0, 1))
            d = distance(y[:, :, None], x[:, None, :], radii[rows, None, None])
            covered[rows] = np.clip(np.float32(0.5) - d, 0, 1, out=d)
    return covered.reshape(*kind.shape, size, size)


def _pieces(rows: NDArray[np.int64], length: int) -> Iterator[NDArray[np.int64]]:
    for at in range(0, len(rows), length):
        yield rows[at : at + length]


# Signed distances to the outlines, negative inside: y (n, h, 1) downwards, x (n, 1, w), radius (n, 1, 1). All shapes
# fill the same box of two radii by two radii (the star nearly). Outside of corners the distance is that to the nearest
# edge's line, which keeps corners sharp.
Array = NDArray[np.float32]


def _circle(y: Array, x: Array, radius: Array) -> Array:
    return np.sqrt(x * x + y * y) - radius


def _square(y: Array, x: Array, radius: Array) -> Array:
    return np.maximum(np.abs(x), np.abs(y)) - radius


def _triangle(y: Array, x: Array, radius: Array) -> Array:
    # Tip (0, -r), base from (-r, r) to (r, r); the sides' outward normal is (2, -1) / sqrt(5).
    return np.maximum((2 * np.abs(x) - y - radius) / np.float32(5**0.5), y - radius)


def _star(y: Array, x: Array, radius: Array) -> Array:
    # Five tips at distance R from a centre that lies a little below the middle of the box; the inner corners at R / 2.
    tip = radius / np.float32(np.sin(0.4 * np.pi))
    x, up = np.abs(x), tip * np.float32((1 - np.cos(0.2 * np.pi)) / 2) - y
    # Two reflections fold all ten halves of a tip onto the one between 0 and 36 degrees from the upward axis.
    sin, cos = np.float32(np.sin(0.2 * np.pi)), np.float32(np.cos(0.2 * np.pi))
    for _ in range(2):
        beyond = np.maximum(cos * x - sin * up, 0) * 2
        x, up = np.abs(x - cos * beyond), up + sin * beyond
    # There the outline is one line, from (0, R) to (sin 36, cos 36) R / 2.
    along = np.array((sin / 2, cos / 2 - 1))
    normal = (np.array((-along[1], along[0])) / np.linalg.norm(along)).astype(np.float32)
    return normal[0] * x + normal[1] * (up - tip)


def _cross(y: Array, x: Array, radius: Array) -> Array:
    x, y = np.abs(x), np.abs(y)
    return np.maximum(np.maximum(x, y) - radius, np.minimum(x, y) - np.float32(0.34) * radius)


def _ring(y: Array, x: Array, radius: Array) -> Array:
    # Between 0.6 r and r: the distance to the circle in the middle of the band, less half its width.
    return np.abs(np.sqrt(x * x + y * y) - np.float32(0.8) * radius) - np.float32(0.2) * radius


WORLD = Shapes
