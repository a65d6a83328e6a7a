"""What the `stories` world draws: five characters, hand-drawn for it on 8x8 cells, and five places that move.

Everything here is geometry in units of the frame's side, drawn with the coverage of each pixel, so that a picture
looks alike at 16 and at 128 pixels. Places are painted back to front, each layer scrolling by at its own speed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CELLS", "CHARACTERS", "COLOURS", "FINE", "MARGIN", "PLACES", "POSES", "TINTS", "background", "coverage", "sprites",
]  # fmt: skip

Array = NDArray[np.float32]

CELLS = 8
FINE = 2
"""A cell is drawn as 2x2 fine cells, so that slopes can be rounded and an outline can be half a cell wide."""
MARGIN = 1
"""Fine cells around the 8x8 cells, for the outline."""

CHARACTERS = ("cat", "robot", "ghost", "fish", "bird")
COLOURS = ("red", "orange", "yellow", "green", "violet", "pink")
PLACES = ("sea", "forest", "desert", "city", "snow")
POSES = ("one", "other", "blink")

TINTS = np.array(
    [(0.90, 0.10, 0.13), (1.0, 0.52, 0.05), (1.0, 0.92, 0.16), (0.33, 0.93, 0.24), (0.56, 0.24, 0.95), (1.0, 0.5, 0.8)],
    dtype=np.float32,
)
"""RGB of COLOURS, (6, 3)."""

# Facing right. o body, d its shadow, l its light, w white, k black, y beak. One step, then the other.
_ART = {
    "cat": (
        ("..o....o", "..oo..oo", "..oooooo", "d.okooko", "d.oowwoo", "doooooo.", ".oooooo.", ".o.oo.o."),
        ("..o....o", "..oo..oo", "d.oooooo", "d.okooko", "dooowwoo", ".oooooo.", ".oooooo.", "..oo.oo."),
    ),
    "robot": (
        ("....w...", "....d...", ".oooooo.", ".owkowk.", ".oooooo.", "dooooood", "d.ollo.d", "..dd.dd."),
        ("...w....", "....d...", ".oooooo.", ".owkowk.", "dooooood", "dooooood", "..ollo..", ".dd..dd."),
    ),
    "ghost": (
        ("..oooo..", ".oooooo.", "oowkowko", "oowkowko", "oooooooo", "ooodddoo", "oooooooo", "oo.oo.o."),
        ("..oooo..", ".oooooo.", "oowkowko", "oowkowko", "oooooooo", "ooodddoo", "oooooooo", ".o.oo.oo"),
    ),
    "fish": (
        ("...dd...", "o.ooood.", "oooooooo", ".oldowko", ".oldoooo", "oooooood", "o.oooo..", "...d...."),
        ("...dd...", "..ooood.", "oooooooo", "ooldowko", "ooldoooo", "oooooood", "..oooo..", "...d...."),
    ),
    "bird": (
        ("....ooo.", "d..ooooo", "dd.oowko", "odddooyy", "oodddoo.", ".oooooo.", "..oooo..", "..y..y.."),
        ("....ooo.", "...ooooo", "o..oowko", "ooooooyy", "odddddo.", ".dddooo.", "..doo...", "..y..y.."),
    ),
}  # fmt: skip


def _doubled(cells: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Twice as fine, corners rounded where two neighbours agree (the rule known as Scale2x)."""
    p = np.pad(cells, 1, mode="edge")
    up, down, left, right = p[:-2, 1:-1], p[2:, 1:-1], p[1:-1, :-2], p[1:-1, 2:]
    fine = np.empty((2 * len(cells), 2 * cells.shape[1]), cells.dtype)
    apart = (up != down) & (left != right)
    for dy, vertical in enumerate((up, down)):
        for dx, horizontal in enumerate((left, right)):
            fine[dy::2, dx::2] = np.where(apart & (vertical == horizontal), vertical, cells)
    return fine


@lru_cache(maxsize=1)
def sprites() -> Array:
    """All characters, ready to be laid over a picture: (character, pose, facing, colour, 4, 18, 18).

    Facing 0 is left, 1 is right; of the 4 layers the first 3 are RGB times coverage, the last is the coverage.
    """
    side = CELLS * FINE + 2 * MARGIN
    table = np.zeros((len(CHARACTERS), len(POSES), 2, len(COLOURS), 4, side, side), np.float32)
    for c, name in enumerate(CHARACTERS):
        one, other = _ART[name]
        blink = tuple(
            row.replace("w", "o").replace("k", "d") if n == 3 else row.replace("wk", "oo") for n, row in enumerate(one)
        )
        for p, rows in enumerate((one, other, blink)):
            cells = np.array([list(row) for row in rows]).view(np.uint32)
            fine = np.kron(cells, np.ones((2, 2), np.uint32)) if name == "robot" else _doubled(cells)
            letters = np.pad(fine, MARGIN, constant_values=ord("."))
            body = letters != ord(".")
            ring = np.zeros_like(body)
            for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                ring |= np.roll(body, (dy, dx), (0, 1))
            ring &= ~body
            for k, tint in enumerate(TINTS):
                paint = {
                    "o": tint, "d": tint * 0.62, "l": tint * 0.5 + 0.5, "w": np.ones(3), "k": np.full(3, 0.06),
                    "y": np.array((1.0, 0.72, 0.1)),
                }  # fmt: skip
                picture = np.zeros((4, side, side), np.float32)
                for letter, colour in paint.items():
                    picture[:3, letters == ord(letter)] = np.asarray(colour, np.float32)[:, None]
                picture[3] = body + 0.6 * ring
                picture[:3] += 0.6 * ring * np.array((0.06, 0.05, 0.12), np.float32)[:, None, None]
                table[c, p, 1, k] = picture
                table[c, p, 0, k] = picture[..., ::-1]
    return table


def coverage(start: Any, side: Any, cells: int, pixels: int) -> Array:
    """How much of pixel i is covered by cell k, along one axis: (..., pixels, cells), float32 in [0, 1].

    start: where cell 0 begins, in pixels; side: the length of a cell, in pixels; both of one shape (...).
    """
    edge = np.asarray(start)[..., None] + np.asarray(side)[..., None] * np.arange(cells + 1)
    # part of pixel i that lies before an edge; a cell's share is the difference between its two edges
    before = np.clip(edge[..., None, :] - np.arange(pixels)[:, None], 0, 1).astype(np.float32)
    return np.diff(before, axis=-1)


# --- places ---------------------------------------------------------------------------------------------------------


def background(place: int, time: NDArray[np.float64], shift: NDArray[np.float64], night: NDArray[np.bool_], size: int) -> Array:  # fmt: skip  # noqa: E501
    """A place as it looks at n moments: (n, 3, size, size), float32 in [0, 1].

    place: index into PLACES; time: (n,) in frames; shift: (n,) in [0, 1), where along the scenery this story plays;
    night: (n,). What moves: waves, drifting leaves, a scrolling desert, blinking windows, falling flakes.
    """
    stage = _Stage(time, shift, night, size)
    (_sea, _forest, _desert, _city, _snow)[place](stage)
    return stage.canvas


class _Stage:
    """The canvas (n, 3, h, w) of n moments, and the few ways of painting that all places share."""

    def __init__(self, time: NDArray[np.float64], shift: NDArray[np.float64], night: NDArray[np.bool_], size: int):
        self.time, self.shift, self.night, self.size = time, shift, night, size
        middle = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
        self.x, self.y = middle, middle[:, None]
        self.canvas = np.empty((len(time), 3, size, size), np.float32)

    def scroll(self, speed: float) -> Array:
        """x of the scenery under each column (n, w); speed: frame sides per frame."""
        way = ((self.shift * 64 + self.time * speed) % 64).astype(np.float32)
        return way[:, None] + self.x

    def cycle(self, frames: float, phase: float = 0.0) -> Array:
        """The phase (n,) in [0, 1) of what repeats every `frames` frames."""
        return ((self.time / frames + self.shift + phase) % 1).astype(np.float32)

    def soft(self, inside: Any) -> Array:
        """Coverage of a pixel that lies `inside` (in frame sides) of an edge."""
        cover: Array = np.clip(np.asarray(inside, np.float32) * np.float32(self.size) + np.float32(0.5), 0, 1)
        return cover

    def sky(self, top: Any, bottom: Any, horizon: float) -> None:
        share = np.clip(self.y / np.float32(horizon), 0, 1)
        top, bottom = (np.array(c, np.float32)[:, None, None] for c in (top, bottom))
        self.canvas[:] = top + share * (bottom - top)

    def over(self, cover: NDArray[Any], colour: Any) -> None:
        """Lay a colour (3,) over the canvas, where and as much as cover (n or 1, h, w) says."""
        cover = cover.astype(np.float32, copy=False)
        for channel in range(3):
            layer = self.canvas[:, channel]
            layer += cover * (np.float32(colour[channel]) - layer)

    def below(self, edge: Array, colour: Any) -> None:
        """Fill what lies below y = edge (n, w)."""
        self.over(self.soft(self.y - edge[:, None, :]), colour)

    def dots(self, x: NDArray[Any], y: NDArray[Any], radius: Any) -> Array:
        """Round soft dots at x, y (n, k): cover (n, h, w); radius: (k,) or a number, at least 0.6 pixels."""
        width = np.maximum(np.asarray(radius, np.float32), np.float32(0.6 / self.size))[..., None]
        across = np.exp(-np.square((self.x - x[..., None]) / width))
        down = np.exp(-np.square((self.x - y[..., None]) / width))
        cover: Array = np.minimum(np.swapaxes(down, 1, 2) @ across * np.float32(1.3), 1)
        return cover

    def dusk(self, stars: float) -> None:
        """At night: darken all, then stars above y = `stars` that twinkle, and a crescent moon."""
        where = np.flatnonzero(self.night)
        if not len(where):
            return
        dark = self.canvas[where] * np.array((0.32, 0.36, 0.58), np.float32)[:, None, None]
        k = np.arange(9, dtype=np.float32)
        twinkle = np.sin(2 * np.pi * (self.time[where, None] / 12 + k * 0.37)).astype(np.float32)
        x = np.broadcast_to((k * 0.570 + 0.07) % 1, twinkle.shape)
        y = np.broadcast_to(stars * ((k * 0.755 + 0.1) % 1), twinkle.shape)
        width = np.float32(max(0.012, 0.5 / self.size))
        across = np.exp(-np.square((self.x - x[..., None]) / width)) * (0.5 + 0.4 * twinkle[..., None])
        down = np.exp(-np.square((self.x - y[..., None]) / width))
        shine = np.minimum(np.swapaxes(down, 1, 2) @ across, 1)
        disc = self.soft(0.085 - np.hypot(self.x - 0.83, self.y - 0.15))
        shine = np.maximum(shine, disc * (1 - self.soft(0.075 - np.hypot(self.x - 0.79, self.y - 0.13))))
        light = np.array((0.93, 0.92, 0.80), np.float32)[:, None, None]
        self.canvas[where] = dark + shine[:, None].astype(np.float32) * (light - dark)


def _wave(x: Array, tau: float = 2 * np.pi) -> Array:
    return np.sin(np.float32(tau) * x)


def _hash(number: Array) -> Array:
    """An even spread of numbers in [0, 1) for whole numbers: the fractional part of n^2 times the golden ratio."""
    n = np.floor(number).astype(np.float64) % 64
    return ((n * n * 0.61803398875 + n * 0.2360679775) % 1).astype(np.float32)


def _sea(s: _Stage) -> None:
    s.sky((0.42, 0.70, 0.90), (0.84, 0.93, 0.95), 0.40)
    cloud = (s.cycle(220)[:, None] + np.array((0.0, 0.07, 0.15, 0.55, 0.62), np.float32)) % 1 * 1.4 - 0.2
    s.over(
        s.dots(cloud, np.broadcast_to(np.array((0.16, 0.13, 0.16, 0.25, 0.26), np.float32), cloud.shape), 0.06),
        (1, 1, 1),
    )
    far = s.scroll(0.006) % 1.5 - 0.25  # a sail on the horizon
    sail = np.minimum(s.y - 0.22 - np.abs(far[:, None] - 0.5) * 1.8, 0.39 - s.y)
    s.over(s.soft(sail), (0.97, 0.95, 0.92))
    bands = ((0.40, 1.0, 0.010, 0.012, (0.16, 0.52, 0.76)), (0.50, 1.5, -0.016, 0.018, (0.10, 0.42, 0.68)),
             (0.62, 1.2, 0.022, 0.024, (0.07, 0.34, 0.60)), (0.75, 1.0, -0.028, 0.026, (0.05, 0.28, 0.53)))  # fmt: skip
    for level, often, speed, high, colour in bands:
        edge = level + np.float32(high) * _wave(s.scroll(speed) * np.float32(often))
        s.below(edge, colour)
        if level > 0.45:
            under = s.y - edge[:, None]
            s.over(0.55 * np.minimum(s.soft(under), s.soft(0.028 - under)), (0.80, 0.92, 0.96))
    edge = 0.90 + 0.012 * _wave(s.scroll(0.01)) + 0.02 * _wave(s.cycle(20))[:, None]
    s.below(edge - 0.03, (0.86, 0.95, 0.96))
    s.below(edge, (0.82, 0.73, 0.53))
    s.dusk(0.36)


def _pines(s: _Stage, speed: float, often: float, top: float, bottom: float, colour: Any) -> None:
    x = s.scroll(speed) * np.float32(often)
    off = np.abs(x % 1 - 0.5)[:, None] / np.float32(often)
    crown = top + 0.16 * (_hash(x)[:, None] - 0.5)
    rise = np.clip((s.y - crown) / (bottom - crown), 0, 1)
    tier = rise * np.float32(2.999) % 1
    half = (0.16 + 0.30 * rise * 0.6 + 0.30 * tier * (0.35 + 0.65 * rise)) / np.float32(often)
    s.over(np.minimum(s.soft(half - off), s.soft(s.y - crown)), colour)


def _forest(s: _Stage) -> None:
    s.sky((0.66, 0.80, 0.70), (0.45, 0.64, 0.50), 0.8)
    _pines(s, 0.004, 3.2, 0.20, 0.85, (0.27, 0.49, 0.38))
    _pines(s, 0.010, 2.1, 0.08, 0.92, (0.13, 0.34, 0.22))
    ground = 0.86 + 0.015 * _wave(s.scroll(0.02) * 2)
    s.below(ground, (0.20, 0.28, 0.10))
    s.below(ground + 0.07, (0.27, 0.19, 0.10))
    k = np.arange(6, dtype=np.float32)
    fall = (s.cycle(40)[:, None] + k * 0.755) % 1
    x = (k * 0.570 + 0.1 * _wave(fall * 2) + 0.1 * fall) % 1
    s.over(s.dots(x, fall * 1.1 - 0.05, 0.022), (0.86, 0.62, 0.22))
    s.dusk(0.30)


def _desert(s: _Stage) -> None:
    s.sky((0.95, 0.77, 0.60), (0.98, 0.89, 0.76), 0.6)
    far = np.hypot(s.x - 0.78, s.y - 0.20)[None]
    day = ~s.night[:, None, None]
    s.over(0.35 * day * s.soft(0.19 + 0.02 * _wave(s.cycle(16))[:, None, None] - far), (1, 0.97, 0.80))
    s.over(day * s.soft(0.12 - far), (1, 0.98, 0.86))
    s.below(0.56 + 0.06 * _wave(s.scroll(0.005)) + 0.02 * _wave(s.scroll(0.005) * 2.3), (0.80, 0.62, 0.50))
    x = s.scroll(0.014) % 1.2 - 0.6  # a cactus, and another behind every 1.2 sides
    for left, right, high, low in ((-0.05, 0.05, 0.34, 0.86), (-0.15, -0.04, 0.56, 0.64), (-0.15, -0.09, 0.44, 0.62),
                                   (0.04, 0.15, 0.62, 0.70), (0.09, 0.15, 0.50, 0.68)):  # fmt: skip
        along = np.minimum(s.soft(x - left), s.soft(right - x))[:, None]
        s.over(along * np.minimum(s.soft(s.y - high), s.soft(low - s.y)), (0.22, 0.42, 0.26))
    near = 0.80 + 0.035 * _wave(s.scroll(0.014) * 1.2)
    s.below(near, (0.62, 0.44, 0.35))
    under = s.y - near[:, None]
    s.over(0.4 * np.minimum(s.soft(under - 0.06), s.soft(0.09 - under)), (0.80, 0.62, 0.50))
    s.dusk(0.40)


def _blocks(s: _Stage, speed: float, wide: float, low: float, colour: Any) -> tuple[Array, Array]:
    """A skyline; returns x in blocks (n, w) and the roofs' y (n, w)."""
    x = s.scroll(speed) / np.float32(wide)
    roof = low - 0.34 * _hash(x)
    s.below(roof, colour)
    return x, roof


def _city(s: _Stage) -> None:
    s.sky((0.62, 0.66, 0.78), (0.86, 0.80, 0.82), 0.7)
    _blocks(s, 0.003, 0.17, 0.50, (0.56, 0.57, 0.68))
    x, roof = _blocks(s, 0.008, 0.25, 0.62, (0.29, 0.30, 0.40))
    s.below(np.full((1, s.size), 0.86, np.float32), (0.20, 0.20, 0.23))
    s.dusk(0.30)
    # Lit windows, two in a row of a house; every one is switched on and off in its own time.
    column, row = x * 2, s.y * np.float32(8) + np.float32(0.25)  # at 16 pixels a row of windows is a row of pixels
    number = np.floor(column)[:, None] * 7 + np.floor(row) * 13
    lit = (_hash(number) + np.floor(s.time[:, None, None] / 4 + 5 * _hash(number + 3)) * 0.382) % 1 < 0.55
    pane = s.soft((0.30 - np.abs(column % 1 - 0.5)) * 0.125)[:, None] * s.soft((0.30 - np.abs(row % 1 - 0.5)) / 8)
    inside = s.soft(s.y - roof[:, None] - 0.05) * s.soft(0.84 - s.y)
    s.over((pane * inside * lit).astype(np.float32), (1.0, 0.93, 0.70))
    dash = s.soft((0.14 - np.abs(s.scroll(0.03) * 2 % 1 - 0.5)) / 2)[:, None]
    s.over(0.8 * dash * s.soft(0.022 - np.abs(s.y - 0.94)), (0.92, 0.92, 0.88))


def _snow(s: _Stage) -> None:
    s.sky((0.50, 0.62, 0.78), (0.76, 0.84, 0.92), 0.7)
    x = s.scroll(0.005) * np.float32(1.4)
    peak = 0.26 + 0.16 * _hash(x) + 0.75 * np.abs(x % 1 - 0.5)
    s.below(peak, (0.97, 0.98, 1.0))
    s.below(np.maximum(peak, 0.42 + 0.04 * np.abs(x * 5 % 1 - 0.5)), (0.47, 0.55, 0.68))
    s.below(0.74 + 0.04 * _wave(s.scroll(0.012)), (0.86, 0.91, 0.97))
    s.below(0.86 + 0.02 * _wave(s.scroll(0.02) * 1.3), (0.96, 0.97, 1.0))
    s.dusk(0.30)
    k = np.arange(10)
    fall = ((s.time[:, None] / (20 + 5 * (k % 3)) + s.shift[:, None] + k * 0.755) % 1).astype(np.float32)
    drift = (k * np.float32(0.570) + 0.06 * _wave(fall + k * np.float32(0.3)) + 0.15 * fall) % 1
    s.over(s.dots(drift, fall * 1.1 - 0.05, 0.022), (1, 1, 1))
