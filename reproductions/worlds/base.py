"""What all worlds share: endless videos that can be entered anywhere, and the arithmetic of their randomness.

Everything about frame t of video `seed` follows from (seed, t) in closed form. So a clip is the same whichever way it
is cut, a batch is one vectorised pass, and frame 36,000 costs what frame 0 costs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError

__all__ = ["EVALUATION_SEEDS", "FPS", "Clip", "World", "uniform"]

FPS = 10
EVALUATION_SEEDS = 1 << 40
"""Training draws seeds below this number, evaluation from it upwards: no video is in both."""

Truth = TypeVar("Truth")


@dataclass(frozen=True)
class Clip(Generic[Truth]):
    """A slice of a world: video float32 in [0, 1], shape (t, 3, h, w) or (b, t, 3, h, w), and its truth."""

    video: NDArray[np.float32]
    truth: Truth


def uniform(seeds: NDArray[np.uint64], stream: Any) -> NDArray[np.float64]:
    """One number in [0, 1) per seed and stream: splitmix64, so that a million seeds cost one vectorised pass.

    seeds: uint64 of any shape; stream: a whole number, or an array of them that broadcasts against `seeds`. Two
    streams of one seed are independent draws.
    """
    with np.errstate(over="ignore"):
        steps = (np.asarray(stream) + 1).astype(np.uint64)
        z = seeds * np.uint64(0x9E3779B97F4A7C15) + steps * np.uint64(0xD1B54A32D192ED03)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) / float(1 << 53)


class World(ABC, Generic[Truth]):
    """Base of every world. `size`: pixels per side, 16 to 128.

    name: as in `kiloframe world NAME`; about: one sentence on what is seen. A world adds its own options to __init__
    and answers `_render`. Raises UserError for a size out of range.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    fps: ClassVar[int] = FPS

    def __init__(self, size: int = 16) -> None:
        if not isinstance(size, int | np.integer) or not 16 <= size <= 128:
            raise UserError(f"the {self.name} world has frames of 16 to 128 pixels, not {size}")
        self.size = size

    def clip(self, seed: int, start: int, frames: int) -> Clip[Truth]:
        """Frames `start` to `start + frames` of the video `seed`: (t, 3, h, w).

        Raises UserError below 1 frame, before frame 0, and for a negative seed.
        """
        _check_length(frames)
        return self.at(np.array(seed), np.arange(start, start + frames))

    def batch(self, seeds: Any, starts: Any, frames: int) -> Clip[Truth]:
        """As many clips as seeds and starts (both (b,)): (b, t, 3, h, w). Raises UserError as `clip`."""
        _check_length(frames)
        starts = _whole(starts, "starts")
        if starts.ndim != 1 or starts.shape != np.shape(seeds):
            raise UserError(f"a batch has one start per seed, both (b,), not {np.shape(seeds)} and {starts.shape}")
        return self.at(seeds, starts[:, None] + np.arange(frames))

    def at(self, seeds: Any, indices: Any) -> Clip[Truth]:
        """Any frames of any videos: seeds (...), indices (..., t), in any order.

        Raises UserError as `clip`, and for indices that are not one row per seed.
        """
        t = _whole(indices, "frames")
        if (t < 0).any():
            raise UserError("a world starts at frame 0; a negative frame was asked for")
        seeds = _whole(seeds, "seeds")
        if not t.size:
            raise UserError("no frames were asked for; a clip has at least 1")
        if t.shape[:-1] != seeds.shape:
            raise UserError(f"seeds {seeds.shape} want frames (*{seeds.shape}, t), one row per seed, not {t.shape}")
        if seeds.dtype.kind == "i" and (seeds < 0).any():
            raise UserError("a world's seeds are whole numbers from 0; a negative one was asked for")
        return self._render(seeds.astype(np.uint64), t)

    @abstractmethod
    def _render(self, seeds: NDArray[np.uint64], t: NDArray[np.int64]) -> Clip[Truth]:
        """Frames t (..., t) of the videos `seeds` (...), with their truth."""


def _check_length(frames: int) -> None:
    if not isinstance(frames, int | np.integer) or frames < 1:
        raise UserError(f"a clip has at least 1 frame, and a whole number of them, not {frames}")


def _whole(values: Any, what: str) -> NDArray[Any]:
    """An array of whole numbers, as integers; floats that are whole will do."""
    array = np.asarray(values)
    if array.dtype.kind == "f" and np.isfinite(array).all() and (np.rint(array) == array).all():
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise UserError(f"a world's {what} are whole numbers; {values!r:.60} was given")
    return array if what == "seeds" else array.astype(np.int64)
