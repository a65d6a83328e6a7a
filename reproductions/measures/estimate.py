"""A number with its spread: what every measure returns, and the bootstrap that gives the interval.

The independent unit is the video: its frames resemble each other, so that resampling frames would make any interval too
narrow. Intervals are percentiles of the value over resampled sets of videos (Efron 1979).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError

__all__ = ["Better", "Description", "Estimate", "few", "mean_estimate", "percentiles", "resamples_of", "shifted"]

Better = Literal["higher", "lower", "neither"]
_BLOCK = 2_000_000  # counts held at once while resampling


@dataclass(frozen=True)
class Description:
    """How a number was made, as far as it can be said without the data.

    name: as in tables; unit: "dB", "" where there is none; better; reduction: how frames and videos become one number;
    window, covariance, range, network: None where the measure has none; advised: samples the protocols ask for;
    extra: whatever else changes the number.
    """

    name: str
    unit: str
    better: Better
    reduction: str
    window: str | None = None
    covariance: str | None = None
    range: tuple[float, float] | None = None
    network: str | None = None
    advised: int | None = None
    extra: tuple[tuple[str, str | int | float | bool], ...] = ()

    def settings(self, frames: str | None, interval: str) -> dict[str, Any]:
        """What belongs beside every value: the six settings that change it, and how its interval was made."""
        return {
            "reduction": self.reduction, "window": self.window, "covariance": self.covariance,
            "range": None if self.range is None else list(self.range), "frames": frames, "network": self.network,
            "interval": interval, **dict(self.extra),
        }  # fmt: skip


@dataclass(frozen=True)
class Estimate:
    """A measured value and what must be known to read it.

    value; low, high: ends of its interval, None where one video alone gives none; count: independent videos behind it;
    name, unit and better as in tables; settings: reduction, window, covariance, range, frames (per video), network
    and whatever else changes the number, None where it does not apply; warnings: why not to rely on it.
    """

    value: float
    low: float | None
    high: float | None
    count: int
    name: str
    unit: str
    better: Better
    settings: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The estimate in plain types, for JSON; floats at full precision."""
        return {
            "name": self.name, "value": self.value, "low": self.low, "high": self.high, "count": self.count,
            "unit": self.unit, "better": self.better, "settings": dict(self.settings), "warnings": list(self.warnings),
        }  # fmt: skip

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        spread = "no interval" if self.low is None else f"{self.low:.4g} to {self.high:.4g}"
        return f"{self.name} {self.value:.4g}{unit} ({spread}; {self.count} videos)"


def few(count: int, advised: int | None = None, what: str = "videos") -> tuple[str, ...]:
    """The warnings about a sample of this size: that it is one video, or below what the protocols ask for."""
    found = []
    if count < 2:
        found.append("one video has no spread: there is no interval")
    if advised is not None and count < advised:
        found.append(f"{count} {what}; the protocols of this measure ask for {advised}: compare only within this run")
    return tuple(found)


def resamples_of(count: int, resamples: int, seed: int | Sequence[int]) -> Iterator[NDArray[np.float64]]:
    """How often each of `count` videos is drawn in each resample: blocks (r, count) that make `resamples` rows.

    Drawing with replacement is a multinomial; the same seed gives the same rows whatever the size of the blocks.
    """
    rng = np.random.default_rng(seed)
    rows = max(1, _BLOCK // count)
    for start in range(0, resamples, rows):
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=min(rows, resamples - start))
        yield drawn.astype(np.float64)


def percentiles(drawn: NDArray[np.float64], confidence: float) -> tuple[Any, Any]:
    """The ends of the middle `confidence` of the values drawn, along the first axis; values drawn, never between two.

    (So an infinite one among them does no harm.) NaN are left out; raises UserError for a confidence not in (0, 1).
    """
    if not 0 < confidence < 1:
        raise UserError(f"a confidence lies between 0 and 1, for example 0.95, not {confidence}")
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(drawn, [tail, 1 - tail], axis=0, method="inverted_cdf")
    return low, high


def shifted(drawn: NDArray[np.float64], value: Any) -> NDArray[np.float64]:
    """The values drawn, less the bias of resampling: moved so that their mean is the value itself.

    A resampled set repeats some of its videos, so that its covariance is of lower rank and its classes are fewer:
    distances between resampled sets lie above the real one, inception scores below. The mean of what was drawn tells
    by how much (the bootstrap's estimate of bias).
    """
    with np.errstate(invalid="ignore"):
        moved: NDArray[np.float64] = drawn - (np.nanmean(drawn, axis=0) - value)
    return moved


def mean_estimate(
    sums: NDArray[np.float64],
    weights: NDArray[np.float64],
    description: Description,
    frames: str | None,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    warnings: tuple[str, ...] = (),
) -> Estimate:
    """sum(sums) / sum(weights) over videos, with its bootstrap interval over videos.

    sums, weights: (b,), one of each per video; weights all 1 make the mean. The order of the videos does not matter.
    """
    order = np.lexsort((weights, sums))
    s, w = sums[order], weights[order]
    if not len(s) or not w.sum() > 0:
        raise UserError(f"{description.name} has nothing to measure yet; update it with at least 1 video")
    with np.errstate(invalid="ignore"):
        value = float(s.sum() / w.sum())
    low = high = None
    if len(s) > 1 and resamples:
        # 0 times infinity: a video that was not drawn adds nothing
        finite, endless = np.where(np.isinf(s), 0, s), np.isinf(s).astype(np.float64)
        means = []
        for drawn in resamples_of(len(s), resamples, seed):
            with np.errstate(invalid="ignore", divide="ignore"):
                means.append(np.where(drawn @ endless > 0, math.inf, (drawn @ finite) / (drawn @ w)))
        low, high = (float(end) for end in percentiles(np.concatenate(means), confidence))
    how = f"bootstrap over videos, percentiles, {confidence:.0%}, {resamples} resamples"
    return Estimate(
        value, low, high, len(s), description.name, description.unit, description.better,
        description.settings(frames, how), few(len(s), description.advised) + warnings,
    )  # fmt: skip
