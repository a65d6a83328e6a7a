"""Frames as numbers: between float in [0, 1] and bytes, enlarging, and fitting frames to another size."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError

__all__ = ["enlarge", "fit", "to_floats", "to_pixels"]

_TOLERANCE = 1e-4  # what rounding in float32 may add beyond [0, 1]


def to_pixels(frames: Any) -> NDArray[np.uint8]:
    """Frames float (t, 3, h, w) in [0, 1] as uint8 (t, h, w, 3). Raises UserError for anything else."""
    array = np.asarray(frames)
    if array.ndim != 4 or array.shape[1] != 3 or not np.issubdtype(array.dtype, np.floating):
        raise UserError(f"frames must be float, of shape (t, 3, h, w), not {array.dtype} of shape {array.shape}")
    if 0 in array.shape[2:]:
        raise UserError(f"a frame has at least 1 pixel on each side, not {array.shape[2]}x{array.shape[3]}")
    if array.size:
        low, high = float(array.min()), float(array.max())
        if np.isnan(low) or np.isnan(high):
            raise UserError("the frames hold values that are not numbers (NaN)")
        if low < -_TOLERANCE or high > 1 + _TOLERANCE:
            raise UserError(f"the frames' values must lie in [0, 1], but reach from {low:.4g} to {high:.4g}")
    pixels = np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(pixels, 1, -1))


def to_floats(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pixels uint8 (..., h, w, 3) as float32 (..., 3, h, w) in [0, 1], as worlds and models hold video."""
    return np.ascontiguousarray(np.moveaxis(pixels, -1, -3)).astype(np.float32) / np.float32(255)


def enlarge(pixels: NDArray[np.uint8], scale_up: int) -> NDArray[np.uint8]:
    """Pixels (t, h, w, 3) with every pixel as a square of `scale_up` pixels per side."""
    return pixels if scale_up == 1 else pixels.repeat(scale_up, 1).repeat(scale_up, 2)


def fit(
    image: NDArray[np.uint8], size: tuple[int, int], crop: str | None = "centre", pixel_aspect: float = 1.0
) -> NDArray[np.uint8]:
    """One picture (H, W, 3) at another size (h, w): averaged by area where it shrinks, bilinear where it grows.

    crop: "centre" takes the largest middle part that has the new shape, None squeezes the whole picture into it.
    pixel_aspect: width over height of the picture's own pixels; those of the result are square.

    Every new pixel is the mean of what it covers, a pixel covered by half counting half. (Pillow's BOX counts it
    wholly or not, swscale's AREA goes by way of YUV; hence two products with `scipy.sparse` matrices of weights.)
    """
    height, width = image.shape[:2]
    tall, wide = float(height), float(width)
    if crop is not None:  # the part's sides are (tall, wide) pixels, and wide * pixel_aspect / tall = w / h
        shape = size[1] / size[0] / pixel_aspect
        tall, wide = min(tall, wide / shape), min(wide, tall * shape)
    if (tall, wide) == size == (height, width):
        return image
    rows = _weights(height, tall, size[0]) @ image.reshape(height, -1).astype(np.float32)
    columns = np.moveaxis(rows.reshape(size[0], width, 3), 1, 0).reshape(width, -1)
    fitted = (_weights(width, wide, size[1]) @ columns).reshape(size[1], size[0], 3)
    return np.ascontiguousarray(np.moveaxis(np.rint(fitted).astype(np.uint8), 1, 0))


@cache
def _weights(count: int, length: float, parts: int) -> Any:
    """What each of `count` pixels gives to each of `parts` new ones, which share the middle `length`: sparse."""
    from scipy.sparse import csr_array

    start, step = (count - length) / 2, length / parts
    n = np.arange(count)
    if step >= 1:  # the share of new pixel i, from edge i to edge i + 1, that pixel n covers
        edges = start + step * np.arange(parts + 1)
        covered = np.minimum(edges[1:, None], n + 1) - np.maximum(edges[:-1, None], n)
        weights = np.clip(covered, 0, None) / step
    else:  # a tent of one pixel to each side around the centre of new pixel i, kept inside the picture
        centres = np.clip(start + step * (np.arange(parts) + 0.5) - 0.5, 0, count - 1)
        weights = np.clip(1 - np.abs(centres[:, None] - n), 0, None)
    weights /= weights.sum(1, keepdims=True)
    return csr_array(weights.astype(np.float32))
