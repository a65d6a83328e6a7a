"""What needs no model: the trivial videos that a generated one has to beat, and real ones that it cannot.

All arrays are (b, t, 3, h, w), float32 in [0, 1].
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reproductions.worlds.base import World

__all__ = ["blur", "freeze", "noise", "real", "repeat", "shuffle"]

_OTHER = np.uint64(1 << 50)  # fits every type of whole number that a seed can have


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


def blur(video: NDArray[np.float32], sigma: float | None = None) -> NDArray[np.float32]:
    """Every frame blurred: right in every place and moment, as a predictor of least squared error is where it must
    guess, but without detail.

    sigma: the Gaussian's standard deviation in pixels, the border repeated beyond itself; default a sixteenth of the
    frame's height; 0 changes nothing.
    """
    from scipy.ndimage import gaussian_filter

    width = video.shape[-2] / 16 if sigma is None else sigma
    blurred: NDArray[np.float32] = gaussian_filter(video, (0,) * (video.ndim - 2) + (width, width), mode="nearest")
    return blurred


def real(world: World[Any], seeds: Any, starts: Any, frames: int) -> NDArray[np.float32]:
    """Real videos of the same world, but others: the level that a generated video can reach and not pass.

    Takes what `World.batch` takes; in place of each seed stands one 2^50 further on, which is used for nothing else
    and lies among the seeds for evaluation. Raises UserError as `World.batch`.
    """
    seeds = np.asarray(seeds)
    return world.batch(seeds + _OTHER.astype(seeds.dtype), starts, frames).video
