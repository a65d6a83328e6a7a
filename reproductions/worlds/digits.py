"""`digits`: real handwritten digits that bounce, and with `memory=True` hide behind a curtain and must come back.

A world is endless and randomly accessible. Everything about frame t follows from (seed, t) in closed form, so a
clip is the same whichever way it is cut, and its truth (who is there, where, how fast, visible or not) is exact.
The digits are scikit-learn's (UCI "Optical recognition of handwritten digits", 8x8 pixels, 16 grey levels).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.worlds.base import EVALUATION_SEEDS, FPS, Clip, World, uniform

__all__ = [
    "BACKGROUND", "CURTAIN_PERIOD", "EVALUATION_SEEDS", "FPS", "HIDDEN_FRAMES", "PALETTE", "PALETTE_NAMES",
    "SPRITE_SIDE", "Clip", "Digits", "Truth", "sprites",
]  # fmt: skip

SPRITE_SIDE = 8
PER_CLASS = 2
CURTAIN_PERIOD = 40
HIDDEN_FRAMES = 20

PALETTE_NAMES = ("red", "yellow", "green", "cyan", "violet", "white")
PALETTE = np.array(
    [(0.95, 0.28, 0.24), (0.96, 0.84, 0.22), (0.28, 0.82, 0.38), (0.26, 0.78, 0.96), (0.66, 0.42, 0.98), (0.95,) * 3],
    dtype=np.float32,
)
BACKGROUND = np.array((0.05, 0.06, 0.10), dtype=np.float32)
_FOLDS = np.array([(0.46, 0.10, 0.14), (0.36, 0.07, 0.11)], dtype=np.float32)
_LIGHT = np.array((0.98, 0.78, 0.36), dtype=np.float32)
_RAIL = np.array((0.30, 0.20, 0.14), dtype=np.float32)


@dataclass(frozen=True)
class Truth:
    """What is so in every frame; leading axes as the video's, n digits last.

    sprite: int, index into `sprites()`; label: int 0..9; colour: int, index into PALETTE;
    position: float (..., n, 2), (y, x) of the sprite's top-left corner in pixels; velocity: (..., n, 2) in pixels
    per frame; visible: bool, false behind the curtain.
    """

    sprite: NDArray[np.int64]
    label: NDArray[np.int64]
    colour: NDArray[np.int64]
    position: NDArray[np.float64]
    velocity: NDArray[np.float64]
    visible: NDArray[np.bool_]


@lru_cache(maxsize=1)
def sprites() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The 20 digits that appear: (20, 8, 8) in [0, 1] and their labels (20,).

    Per class the two images of scikit-learn's set that lie nearest to the class mean, the most legible at 8x8.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, SPRITE_SIDE, SPRITE_SIDE).astype(np.float32) / 16
    chosen: list[int] = []
    for digit in range(10):
        members = np.flatnonzero(labels == digit)
        far = np.square(images[members] - images[members].mean(0)).sum((1, 2))
        chosen.extend(members[np.argsort(far, kind="stable")[:PER_CLASS]])
    return images[chosen], labels[chosen].astype(np.int64)


class Digits(World[Truth]):
    """The world. `size`: pixels per side, 16 to 128; `digits`: how many at once; `memory`: with the curtain.

    Raises UserError for a size or count out of range.

    Example:
        >>> world = Digits()
        >>> clip = world.clip(seed=3, start=0, frames=8)
        >>> clip.video.shape, int(clip.truth.label[0, 0]) in range(10)
        ((8, 3, 16, 16), True)
    """

    name = "digits"
    about = "handwritten digits that bounce; with memory=True they hide behind a curtain and must come back"

    def __init__(self, size: int = 16, digits: int = 1, memory: bool = False) -> None:
        super().__init__(size)
        if not 1 <= digits <= 4:
            raise UserError(f"the digits world holds 1 to 4 digits at once, not {digits}")
        self.digits, self.memory = digits, memory
        self.scale = size // 16
        self.side = SPRITE_SIDE * self.scale
        self.room = size - self.side  # a digit's corner moves in [0, room] on both axes

    def _render(self, seeds: NDArray[np.uint64], t: NDArray[np.int64]) -> Clip[Truth]:
        truth = self._truth(seeds, t)
        video = self._draw(truth)
        if self.memory:
            video = self._curtain(video, truth.visible[..., 0], (t + self.phase(seeds)[..., None]) % CURTAIN_PERIOD)
        return Clip(video, truth)

    def phase(self, seeds: Any) -> NDArray[np.int64]:
        """Where in the curtain's period frame 0 falls: frame t is hidden when (t + phase) % 40 >= 20."""
        return (uniform(np.asarray(seeds).astype(np.uint64), 90) * CURTAIN_PERIOD).astype(np.int64)

    def _truth(self, seeds: NDArray[np.uint64], t: NDArray[np.int64]) -> Truth:
        images_per_pool = len(sprites()[0])
        shape = (*t.shape, self.digits)
        sprite = np.empty(shape, np.int64)
        colour = np.empty(shape, np.int64)
        position = np.empty((*shape, 2))
        velocity = np.empty((*shape, 2))
        for n in range(self.digits):
            base = 10 * n
            sprite[..., n] = (uniform(seeds, base) * images_per_pool).astype(np.int64)[..., None]
            colour[..., n] = (uniform(seeds, base + 1) * len(PALETTE)).astype(np.int64)[..., None]
            for axis in range(2):
                start = uniform(seeds, base + 2 + axis)[..., None] * 2 * self.room
                speed = (0.5 + 0.6 * uniform(seeds, base + 4 + axis)[..., None]) * self.scale
                # A reflected straight line is a triangle wave: fold the unbounded path back into [0, room].
                u = (start + speed * t) % (2 * self.room)
                position[..., n, axis] = self.room - np.abs(u - self.room)
                velocity[..., n, axis] = np.where(u < self.room, speed, -speed)
        hidden = (t + self.phase(seeds)[..., None]) % CURTAIN_PERIOD >= CURTAIN_PERIOD - HIDDEN_FRAMES
        visible = np.broadcast_to(~(hidden & self.memory)[..., None], shape)
        return Truth(sprite, sprites()[1][sprite], colour, position, velocity, visible)

    def _draw(self, truth: Truth) -> NDArray[np.float32]:
        shape = truth.sprite.shape[:-1]
        video = np.empty((*shape, 3, self.size, self.size), np.float32)
        video[...] = BACKGROUND[:, None, None]
        stamps = np.kron(sprites()[0], np.ones((1, self.scale, self.scale), np.float32))
        pixel = np.arange(self.size)[:, None] - np.arange(self.side)
        for n in range(self.digits):
            # Bilinear sub-pixel stamping, separably: A[i, k] = max(0, 1 - |i - (p + k)|) per axis, image = A_y S A_x^T
            weight = np.maximum(0, 1 - np.abs(pixel - truth.position[..., n, :, None, None])).astype(np.float32)
            alpha = weight[..., 0, :, :] @ stamps[truth.sprite[..., n]] @ np.swapaxes(weight[..., 1, :, :], -1, -2)
            tint = PALETTE[truth.colour[..., n]][..., None, None]
            video += alpha[..., None, :, :] * (tint - video)
        return video

    def _curtain(
        self, video: NDArray[np.float32], visible: NDArray[np.bool_], moment: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Cover the hidden frames with cloth, under a rail along the top edge that is always in sight.

        A bead slides along the rail once per period and a bar of light crosses the cloth while it is closed. So every
        frame tells which world it is from and what time it is; only the digit itself has to be remembered.
        """
        column = np.arange(self.size)
        cloth = _FOLDS[(column // (2 * self.scale)) % 2].T  # (3, w)
        closed = (moment - (CURTAIN_PERIOD - HIDDEN_FRAMES)) / HIDDEN_FRAMES  # 0 to 1 while the curtain is closed
        lit = self._glow(cloth, closed)[..., None, :]
        covered = np.where(visible[..., None, None, None], video, lit).astype(np.float32)
        rail = np.broadcast_to(_RAIL[:, None], cloth.shape)
        covered[..., : self.scale, :] = self._glow(rail, moment / CURTAIN_PERIOD)[..., None, :]
        return covered

    def _glow(self, row: NDArray[np.float32], way: NDArray[np.float64]) -> NDArray[np.float32]:
        """A row of pixels (3, w) with a light `way` (0 to 1) of its length along it: (..., 3, w)."""
        centre = way * self.size + 0.5 * (self.size / HIDDEN_FRAMES - 1)
        glow = np.clip(1.5 - np.abs(np.arange(self.size) - centre[..., None]) / self.scale, 0, 1).astype(np.float32)
        return (row + glow[..., None, :] * (_LIGHT[:, None] - row)).astype(np.float32)


WORLD = Digits
