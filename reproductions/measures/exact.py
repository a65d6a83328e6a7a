"""What a known world makes exact: one interface over the readers of all worlds.

A reader looks at the pixels alone and compares what it finds with the world's truth. Its numbers stand per frame, so
that they can be averaged over a video, drawn along it, or cut into windows.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reproductions.worlds.base import World

__all__ = ["Quantity", "exact", "quantities"]


@dataclass(frozen=True)
class Quantity:
    """What one exact measure is. id: a word; name: as in tables; unit: "share", "pixels", ...; about: one sentence
    that says what counts, what gives NaN, and what a video must not be credited with by it.
    """

    id: str
    name: str
    unit: str
    better: Literal["higher", "lower"]
    about: str


def quantities(name: str) -> tuple[Quantity, ...]:
    """The exact measures of a world, by its name."""
    found: tuple[Quantity, ...] = _reader(name).QUANTITIES
    return found


def exact(world: World[Any], video: NDArray[np.float32], truth: Any) -> dict[str, NDArray[np.float64]]:
    """Every exact measure of the world, by id: (b, t) float64, NaN where it says nothing.

    video: (b, t, 3, h, w) float in [0, 1]; truth: the world's, for the same seeds and frames; or None for a video made
    from nothing, where the world's measures allow it (digits, shapes): then identity and speed are taken from the
    video's own first frames; or one caption per video (shapes). What concerns a step from frame t - 1 to t stands at t.
    Raises UserError for a video of another size than the world's.
    """
    found: dict[str, NDArray[np.float64]] = _reader(world.name).per_frame(video, truth, world)
    return found


def _reader(name: str) -> Any:
    return importlib.import_module(f"reproductions.measures.{name}")
