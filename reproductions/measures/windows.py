"""Measures along a long video: any number per frame, or any distance between sets, window by window.

A short clip cannot show drift. The drift curve cuts every video into windows, gives one value per window, and fits a
line: its slope, in units per 100 frames, says how fast a video gets worse. Bands and the slope's interval come from
resampling whole videos.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.measures.check import embeddings, per_frame
from reproductions.measures.estimate import Better, Estimate, few, percentiles, resamples_of, shifted

__all__ = [
    "Curve", "Drift", "cut", "degradation", "drift_curve", "features_by_window", "frames_needed", "make_curve",
    "starts",
]  # fmt: skip


def starts(length: int, window: int, stride: int | None = None) -> NDArray[np.int64]:
    """First frames of all windows that fit: floor((length - window) / stride) + 1 of them; stride: window if not given.

    Raises UserError below 1, and for videos shorter than the window (which the protocols leave out).
    """
    step = window if stride is None else stride
    if window < 1 or step < 1:
        raise UserError(f"window and stride are whole numbers from 1, not {window} and {step}")
    if length < window:
        raise UserError(f"a video of {length} frames is shorter than the window of {window}; leave it out")
    return np.arange(0, length - window + 1, step)


def frames_needed(frames: int, every: int) -> int:
    """How long a video must be for `frames` frames, one in `every`: (frames - 1) every + 1."""
    return (frames - 1) * every + 1


def cut(video: NDArray[Any], window: int, stride: int | None = None, every: int = 1) -> NDArray[Any]:
    """The windows of videos (b, t, ...): (b, windows, window, ...), a view that copies nothing.

    every: take one frame in so many; a window of 16 frames every 8th spans 121. Raises UserError as `starts`.
    """
    span = frames_needed(window, every)
    first = starts(video.shape[1], span, span if stride is None else stride)
    views = np.lib.stride_tricks.sliding_window_view(video, span, axis=1)
    step = 1 if len(first) < 2 else int(first[1])
    return np.moveaxis(views[:, :: max(step, 1)][:, : len(first), ..., ::every], -1, 2)


@dataclass(frozen=True)
class Curve:
    """A measure along videos, window by window.

    starts: first frame of each window (n,); value, low, high (n,): with the band over resampled videos, NaN where
    there is none; slope: least squares through the values at the windows' middles, per 100 frames; window, stride in
    frames; count: videos; name, unit, settings, warnings as an `Estimate` has them.
    """

    starts: NDArray[np.int64]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    slope: Estimate
    window: int
    stride: int
    count: int
    name: str
    unit: str
    settings: Mapping[str, Any]
    warnings: tuple[str, ...]

    @property
    def middles(self) -> NDArray[np.float64]:
        """The frame in the middle of each window (n,): where to draw its value."""
        return np.asarray(self.starts + (self.window - 1) / 2, np.float64)


def drift_curve(
    values: Any, window: int = 16, stride: int | None = None, *, name: str = "value", unit: str = "",
    better: Better = "neither", confidence: float = 0.95, resamples: int = 1000, seed: int = 0,
) -> Curve:  # fmt: skip
    """The drift curve of any number per frame: its mean in each window, over the videos that have one there.

    values: (b, t), NaN where a frame says nothing; window, stride in frames (stride: window if not given). Raises
    UserError as `check.per_frame` and `starts`.
    """
    x = per_frame(values)
    first = starts(x.shape[1], window, stride)
    pieces = cut(x, window, stride)
    seen = ~np.isnan(pieces)
    there = seen.any(2)
    means = np.where(there, np.where(seen, pieces, 0).sum(2) / np.maximum(seen.sum(2), 1), 0)  # per video and window
    means, there = _sorted(means, there)

    def over(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore", divide="ignore"):
            found: NDArray[np.float64] = drawn @ means / (drawn @ there)
        return found

    value = over(np.ones((1, len(x))))[0]
    several = len(x) > 1 and resamples > 0
    drawn = np.concatenate([over(w) for w in resamples_of(len(x), resamples, seed)]) if several else None
    settings = {
        "reduction": "mean over the frames of a window, then over videos", "window": f"{window} frames",
        "covariance": None, "range": None, "frames": str(x.shape[1]), "network": None,
        "stride": window if stride is None else stride,
    }  # fmt: skip
    how = f"bootstrap over videos, percentiles, {confidence:.0%}, {resamples} resamples"
    return make_curve(
        first, value, drawn, window, len(x), name, unit, better, {**settings, "interval": how}, confidence, few(len(x))
    )


class Drift:
    """The drift curve of videos that come in batches: update, merge, compute; all as `drift_curve`."""

    def __init__(self, window: int = 16, stride: int | None = None, *, name: str = "value", unit: str = "") -> None:
        self.window, self.stride, self.name, self.unit = window, stride, name, unit
        self._values: list[NDArray[np.float64]] = []

    def update(self, values: Any) -> None:
        """Add the numbers per frame (b, t) of whole videos, all of one length; errors as `check.per_frame`."""
        x = per_frame(values)
        starts(x.shape[1], self.window, self.stride)
        if self._values and self._values[0].shape[1] != x.shape[1]:
            raise UserError(f"earlier videos have {self._values[0].shape[1]} frames, these {x.shape[1]}")
        self._values.append(x)

    def merge(self, other: Self) -> Self:
        """A new accumulator of all videos that either saw. Raises UserError for other settings, or another length."""
        mine, theirs = ((x.window, x.stride, x.name, x.unit) for x in (self, other))
        if mine != theirs:
            raise UserError(f"drift curves with different settings cannot be merged: {mine} and {theirs}")
        made = type(self)(self.window, self.stride, name=self.name, unit=self.unit)
        for values in self._values + other._values:
            made.update(values)
        return made

    def compute(self, *, confidence: float = 0.95, resamples: int = 1000, seed: int = 0) -> Curve:
        """The curve over all videos so far. Raises UserError before the first."""
        if not self._values:
            raise UserError("Drift has seen no video yet; update it first")
        return drift_curve(
            np.concatenate(self._values), self.window, self.stride, name=self.name, unit=self.unit,
            confidence=confidence, resamples=resamples, seed=seed,
        )  # fmt: skip


def _sorted(means: NDArray[np.float64], there: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The videos in an order of their own, so that the interval does not depend on how they came."""
    order = np.lexsort(np.concatenate([means, there], 1).T[::-1])
    return means[order], there[order].astype(np.float64)


def make_curve(
    first: NDArray[np.int64], value: NDArray[np.float64], drawn: NDArray[np.float64] | None, window: int, count: int,
    name: str, unit: str, better: Better, settings: dict[str, Any], confidence: float, notes: tuple[str, ...],
) -> Curve:  # fmt: skip
    """A curve from its values (n,) and those of resampled sets, drawn (r, n) or None; adds bands and slope."""
    middles = np.asarray(first + (window - 1) / 2, np.float64)
    slope = _slope(middles, value[None])[0]
    low = high = np.full(len(value), np.nan)
    ends: tuple[float | None, float | None] = (None, None)
    if drawn is not None:
        low, high = percentiles(shifted(drawn, value), confidence)
        if np.isfinite(slope):
            slopes = shifted(_slope(middles, drawn), slope)
            one, two = percentiles(slopes[np.isfinite(slopes)], confidence)
            ends = float(one), float(two)
    if len(first) < 2:
        notes += ("a single window has no slope",)
    line = Estimate(
        float(slope), *ends, count, f"Drift of {name} per 100 frames", unit, "neither", settings, notes
    )  # fmt: skip
    stride = int(settings["stride"])
    return Curve(first, value, low, high, line, window, stride, count, name, unit, settings, notes)


def _slope(middles: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares per 100 frames: 100 sum (x - mean x)(y - mean y) / sum (x - mean x)^2, over windows with a value.

    values: (r, n); NaN for fewer than two windows.
    """
    has = np.isfinite(values)
    n = np.maximum(has.sum(1, keepdims=True), 1)
    y = np.where(has, values, 0)
    x = np.where(has, middles - (has * middles).sum(1, keepdims=True) / n, 0)
    spread = np.square(x).sum(1)
    found: NDArray[np.float64] = np.where(spread > 0, 100 * (x * y).sum(1) / np.where(spread > 0, spread, 1), np.nan)
    return found


def features_by_window(
    video: Any, features_of: Callable[[NDArray[Any]], Any], window: int = 16, stride: int | None = None, every: int = 1
) -> NDArray[np.float64]:
    """Features of every window of videos (b, t, c, h, w): (b, windows, d), one window of all videos at a time.

    features_of: any function from clips (b, window, c, h, w) to vectors (b, d). Raises UserError as `starts`, and
    where it gives another shape.
    """
    pieces = cut(np.asarray(video), window, stride, every)
    found = [embeddings(features_of(pieces[:, n]), "a window's features", "b d") for n in range(pieces.shape[1])]
    if any(part.shape[0] != len(pieces) for part in found):
        raise UserError(f"features_of must give one vector per clip: {len(pieces)} of them, not {len(found[0])}")
    return np.stack(found, 1)


def degradation(curve: Curve) -> NDArray[np.float64]:
    """The relative change of a curve against its first window, (v_n - v_0) / v_0, (n,): 0 at the start.

    Over FVD this is the degradation curve of TATS (arXiv 2204.03638; its exact form there is from memory).
    Raises UserError where the first value is 0 or NaN, so that nothing is relative to it.
    """
    first = curve.value[0]
    if not np.isfinite(first) or first == 0:
        raise UserError(f"{curve.name} starts at {first:g}; no change can be relative to that, so look at the values")
    change: NDArray[np.float64] = (curve.value - first) / first
    return change
