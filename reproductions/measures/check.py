"""What every measure accepts: the one place where videos, pairs of videos, features and probabilities are looked at.

Each function returns arrays that the measures can rely on, or raises a UserError that says in one sentence what is
wrong with which input. A torch tensor on the CPU is read as an array; torch itself is never imported.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError

__all__ = [
    "Clips",
    "as_array",
    "at_least_two",
    "clips",
    "embeddings",
    "enough_clips",
    "pair",
    "per_frame",
    "probabilities",
]

_TOLERANCE = 1e-4  # what rounding in float32 may add beyond the range


class Clips(NamedTuple):
    """Videos that passed: pixels (b, t, c, h, w), uint8 or float as they came, and the range their values live in."""

    pixels: NDArray[Any]
    low: float
    high: float

    @property
    def span(self) -> float:
        """R, the length of the range: 255 for uint8, 1 for [0, 1], 2 for [-1, 1]."""
        return self.high - self.low


def as_array(values: Any, name: str) -> NDArray[Any]:
    """The numbers as a numpy array. Raises UserError for what is none: ragged lists, text, a tensor on a GPU."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{name} cannot be read as one array of numbers ({reason}); a tensor needs .detach().cpu()") from None  # fmt: skip  # noqa: E501
    if array.dtype.kind not in "fiub":
        raise UserError(f"{name} holds {array.dtype} values; numbers are needed")
    return array


def clips(video: Any, name: str = "the video", range: tuple[float, float] | None = None) -> Clips:
    """Videos (b, t, c, h, w), or one as (t, c, h, w), with c 1 or 3: uint8 in 0..255, or float in `range`.

    range: (low, high) of float values; [0, 1] where not given.
    Raises UserError for another shape or type, none or empty videos, NaN or infinity, and values outside the range.
    """
    array = as_array(video, name)
    if array.ndim == 4:
        array = array[None]
    if array.ndim != 5 or array.shape[2] not in (1, 3):
        shape = tuple(np.shape(video))
        raise UserError(f"{name} must be (videos, frames, channels, height, width) with 1 or 3 channels, not {shape}")
    if not array.shape[0]:
        raise UserError(f"{name} is an empty set; at least 1 video is needed")
    if not array.size:
        raise UserError(f"{name} has no {'frames' if not array.shape[1] else 'pixels'}: its shape is {array.shape}")
    if array.dtype == np.uint8:
        if range is not None and tuple(range) != (0, 255):
            raise UserError(f"{name} is uint8, whose range is (0, 255), not {range}; leave the range out")
        return Clips(array, 0.0, 255.0)
    if array.dtype.kind != "f":
        raise UserError(f"{name} holds {array.dtype} values; videos are uint8 in 0..255 or float in [0, 1]")
    low, high = (0.0, 1.0) if range is None else (float(range[0]), float(range[1]))
    if not high > low or not np.isfinite([low, high]).all():
        raise UserError(f"a range is (low, high) with low < high, not {range}")
    least, most = float(array.min()), float(array.max())
    if not np.isfinite([least, most]).all():
        raise UserError(f"{name} holds NaN or infinity")
    slack = _TOLERANCE * (high - low)
    if least < low - slack or most > high + slack:
        raise UserError(
            f"{name} has values from {least:g} to {most:g}, outside [{low:g}, {high:g}]; "
            "give range=(low, high) if another range is meant"
        )
    return Clips(array, low, high)


def pair(real: Any, fake: Any, range: tuple[float, float] | None = None) -> tuple[Clips, Clips]:
    """Two sets of videos, to be compared frame by frame: each as `clips`, and alike in everything but their content.

    Raises UserError as `clips`, and where they differ in type, number of videos, length, channels or size.
    """
    a, b = clips(real, "the real video", range), clips(fake, "the fake video", range)
    if a.pixels.dtype != b.pixels.dtype:
        raise UserError(
            f"the real video is {a.pixels.dtype} and the fake one {b.pixels.dtype}; convert one so that types agree"
        )
    what = ("videos", "frames per video", "channels", "rows", "columns")
    for word, n, m in zip(what, a.pixels.shape, b.pixels.shape, strict=True):
        if n != m:
            raise UserError(f"the real set has {n} {word} and the fake one {m}; frame by frame they must agree")
    return a, b


def embeddings(values: Any, name: str, axes: str) -> NDArray[np.float64]:
    """Feature vectors as float64. axes: what the axes are, "n d" or "b t d", as an error names them.

    Raises UserError for another number of axes, none at all, or NaN and infinity.
    """
    array = as_array(values, name).astype(np.float64, copy=False)
    if array.ndim != len(axes.split()):
        raise UserError(f"{name} must be ({', '.join(axes.split())}), not {array.shape}")
    if not array.size:
        raise UserError(f"{name} is an empty set: its shape is {array.shape}")
    if not np.isfinite(array).all():
        raise UserError(f"{name} holds NaN or infinity")
    return array


def per_frame(values: Any, name: str = "the values") -> NDArray[np.float64]:
    """Numbers per video and frame (b, t), or (t,) of one video, as float64 (b, t). NaN says nothing and may be.

    Raises UserError for another shape, none at all, infinity, and where every number is NaN.
    """
    array = as_array(values, name).astype(np.float64, copy=False)
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or not array.size:
        raise UserError(f"{name} must be (videos, frames), at least one of each, not {array.shape}")
    if np.isinf(array).any():
        raise UserError(f"{name} hold infinity, which has no mean; cap them first")
    if np.isnan(array).all():
        raise UserError(f"{name} are NaN throughout; there is nothing to measure")
    return array


def at_least_two(x: NDArray[Any]) -> NDArray[Any]:
    """The same array (b, t, ...), once it is clear that it has pairs of frames. Raises UserError below 2 frames."""
    if x.shape[1] < 2:
        raise UserError(f"a measure over time needs at least 2 frames, not {x.shape[1]}")
    return x


def probabilities(values: Any, name: str = "the probabilities") -> NDArray[np.float64]:
    """Rows (n, classes) of a classifier's probabilities: none negative, each row sums to 1 to within 1e-4.

    Raises UserError where that is not so.
    """
    rows = embeddings(values, name, "n classes")
    if (rows < 0).any() or (np.abs(rows.sum(1) - 1) > 1e-4).any():
        raise UserError(f"{name} must be at least 0 and sum to 1 in each row; logits need a softmax first")
    return rows


def enough_clips(count: int, features: int, name: str) -> None:
    """Refuse a covariance from too few clips: a Frechet distance needs at least twice as many as features.

    With fewer clips than features the covariance is singular, and the distance is mostly its bias.
    """
    if count < 2:
        raise UserError(f"{name} is a set of {count}; a distance between sets needs at least 2 in each, best many more")
    if count < 2 * features:
        raise UserError(
            f"{name} has {count} clips for {features} features; a Frechet distance needs at least twice as many "
            f"clips as features ({2 * features}): add clips, or take the kernel distance, which needs no covariance"
        )
