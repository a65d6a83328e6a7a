"""What needs no model: the trivial videos that a generated one has to beat. All arrays (b, t, 3, h, w) in [0, 1]."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["freeze", "noise", "repeat", "shuffle"]


def freeze(context: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """The context, then its last frame for ever: `frames` frames in all."""
    last = np.repeat(context[:, -1:], max(0, frames - context.shape[1]), 1)
    return np.concatenate([context, last], 1)[:, :frames]


def repeat(context: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """The context over and over: frame t is frame t mod n of it."""
    return context[:, np.arange(frames) % context.shape[1]]


def noise(context: NDArray[np.float32], frames: int, seed: int = 0) -> NDArray[np.float32]:
    """The context, then uniform noise."""
    b, given, *pixels = context.shape
    rest = np.random.default_rng(seed).uniform(size=(b, max(0, frames - given), *pixels)).astype(np.float32)
    return np.concatenate([context, rest], 1)[:, :frames]


def shuffle(video: NDArray[np.float32], seed: int = 0) -> NDArray[np.float32]:
    """Each video's own frames in random order: every frame is perfect, the motion is not."""
    order = np.random.default_rng(seed).permuted(np.tile(np.arange(video.shape[1]), (len(video), 1)), axis=1)
    return video[np.arange(len(video))[:, None], order]
