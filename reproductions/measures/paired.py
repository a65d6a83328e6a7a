"""Frame against frame: PSNR, SSIM, mean absolute and squared error, and the arithmetic of LPIPS.

They need a true video to compare with, so they judge prediction and reconstruction, never free generation. Each stands
three times: per frame (b, t), as a function that gives an `Estimate`, and as an accumulator for videos in pieces. The
order of reduction is the field's: per frame, mean over a video's frames, mean over videos. All is float64.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.measures.accumulate import PerVideo
from reproductions.measures.check import Clips, pair
from reproductions.measures.estimate import Description, Estimate

__all__ = [
    "PSNR", "SSIM", "SSIM_SIDE", "Border", "PixelError", "pixel_error", "pixel_error_per_frame", "psnr",
    "psnr_per_frame", "ssim", "ssim_per_frame",
]  # fmt: skip

SSIM_SIDE = 11
"""Pixels per side of SSIM's window: no frame may be smaller."""
_SIGMA, _K1, _K2 = 1.5, 0.01, 0.03
_AT_ONCE = 1 << 20  # pixels turned to float64 at a time
_FRAMES = "mean over frames, then over videos"

Border = Literal["crop", "reflect", "mirror"]
_BORDERS = {
    "crop": "5-pixel border cropped",
    "reflect": "border mirrored, edge pixel repeated",
    "mirror": "border mirrored at the edge pixel",
}
Range = tuple[float, float]


def _pieces(a: Clips, b: Clips) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The frames of both, (n, c, h, w) in float64, a few at a time."""
    x, y = (clip.pixels.reshape(-1, *clip.pixels.shape[2:]) for clip in (a, b))
    step = max(1, _AT_ONCE // int(np.prod(x.shape[1:])))
    for i in range(0, len(x), step):
        yield x[i : i + step].astype(np.float64), y[i : i + step].astype(np.float64)


def _mean_power(a: Clips, b: Clips, power: int) -> NDArray[np.float64]:
    """mean over pixels and channels of |x - y|^power, per frame (b, t)."""
    parts = [np.mean(np.abs(x - y) if power == 1 else np.square(x - y), (1, 2, 3)) for x, y in _pieces(a, b)]
    return np.concatenate(parts).reshape(a.pixels.shape[:2])


def _decibels(mse: NDArray[np.float64], span: float, cap: float | None) -> NDArray[np.float64]:
    """PSNR = 10 log10(R^2 / MSE); an error of zero is infinitely many decibels, or `cap`."""
    with np.errstate(divide="ignore"):
        found: NDArray[np.float64] = 10 * np.log10(span**2 / mse)
    return found if cap is None else np.minimum(found, cap)


def psnr_per_frame(real: Any, fake: Any, range: Range | None = None, cap: float | None = None) -> NDArray[np.float64]:
    """PSNR = 10 log10(R^2 / MSE) in dB of every frame, (b, t); MSE over all pixels and channels of the frame.

    real, fake: (b, t, c, h, w) or (t, c, h, w), uint8 (R = 255) or float in `range` (R = high - low; [0, 1] if not
    given). Equal frames give infinity, or `cap` dB, which then no frame exceeds. Raises UserError as `check.pair`.
    """
    a, b = pair(real, fake, range)
    return _decibels(_mean_power(a, b, 2), a.span, cap)


class PSNR(PerVideo):
    """PSNR over videos in pieces (Huynh-Thu and Ghanbari 2008): update, merge, compute.

    pooled: False, mean over frames of the frames' PSNR (the field's way); True, one PSNR per video from the squared
    error of all its frames, never the larger of the two. Range and cap as `psnr_per_frame`.
    """

    def __init__(self, range: Range | None = None, *, pooled: bool = False, cap: float | None = None) -> None:
        super().__init__()
        self.range, self.pooled, self.cap = range, pooled, cap

    def update(self, real: Any, fake: Any, ids: Sequence[Hashable] | None = None) -> None:
        """Add pairs of videos; with `ids`, one per video, pieces of videos. Raises UserError as `check.pair`."""
        a, b = pair(real, fake, self.range)
        self._saw(a)
        mse = _mean_power(a, b, 2)
        totals = (mse if self.pooled else _decibels(mse, a.span, self.cap)).sum(1)
        self._add(totals, mse.shape[1], mse.shape[1], ids)

    def _settings(self) -> tuple[Any, ...]:
        return ("range", self.range, "pooled", self.pooled, "cap", self.cap)

    def _per_video(self, sums: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[Any, Any]:
        means = sums / weights
        if self.pooled and self._ends:
            means = _decibels(means, self._ends[1] - self._ends[0], self.cap)
        return means, np.ones_like(means)

    def _notes(self, values: NDArray[np.float64]) -> tuple[str, ...]:
        endless = int(np.isinf(values).sum())
        if not endless:
            return ()
        return (
            f"{endless} of {len(values)} videos hold a frame equal to the real one, so PSNR is infinite; give a cap",
        )

    def _describe(self) -> Description:
        rule = "infinite" if self.cap is None else f"at most {self.cap:g} dB"
        reduction = "squared error pooled over each video, then mean over videos" if self.pooled else _FRAMES
        name = "PSNR (pooled over each video)" if self.pooled else "PSNR"
        return Description(
            name, "dB", "higher", reduction, range=self._ends, extra=(("zero error", rule),)
        )  # fmt: skip


def psnr(
    real: Any, fake: Any, range: Range | None = None, *, pooled: bool = False, cap: float | None = None, seed: int = 0
) -> Estimate:
    """PSNR of videos against the true ones, in dB: mean over frames, then over videos, with its interval.

    Shapes, range and cap as `psnr_per_frame`; pooled as `PSNR`. Raises UserError as `check.pair`.
    """
    box = PSNR(range, pooled=pooled, cap=cap)
    box.update(real, fake)
    return box.compute(seed=seed)


def pixel_error_per_frame(
    real: Any, fake: Any, power: Literal[1, 2] = 2, range: Range | None = None
) -> NDArray[np.float64]:
    """mean |x - y|^power over the pixels and channels of every frame, (b, t), in units of the range.

    power 1: mean absolute error; 2: mean squared error. Shapes and errors as `psnr_per_frame`.
    """
    _check_power(power)
    a, b = pair(real, fake, range)
    return _mean_power(a, b, power)


def _check_power(power: int) -> None:
    if power not in (1, 2):
        raise UserError(f"an error is of power 1 (absolute) or 2 (squared), not {power}")


class PixelError(PerVideo):
    """Mean absolute (power 1) or squared (power 2) error over videos in pieces: update, merge, compute."""

    def __init__(self, power: Literal[1, 2] = 2, range: Range | None = None) -> None:
        super().__init__()
        _check_power(power)
        self.power, self.range = power, range

    def update(self, real: Any, fake: Any, ids: Sequence[Hashable] | None = None) -> None:
        """Add pairs of videos; with `ids`, one per video, pieces of videos. Raises UserError as `check.pair`."""
        a, b = pair(real, fake, self.range)
        self._saw(a)
        found = _mean_power(a, b, self.power)
        self._add(found.sum(1), found.shape[1], found.shape[1], ids)

    def _settings(self) -> tuple[Any, ...]:
        return ("power", self.power, "range", self.range)

    def _describe(self) -> Description:
        name = "Mean absolute error" if self.power == 1 else "Mean squared error"
        return Description(name, "", "lower", _FRAMES, range=self._ends)


def pixel_error(
    real: Any, fake: Any, power: Literal[1, 2] = 2, range: Range | None = None, *, seed: int = 0
) -> Estimate:
    """Mean absolute (power 1) or squared (2) error, mean over frames, then over videos. As `pixel_error_per_frame`."""
    box = PixelError(power, range)
    box.update(real, fake)
    return box.compute(seed=seed)


def ssim_per_frame(
    real: Any, fake: Any, range: Range | None = None, border: Border = "crop"
) -> NDArray[np.float64]:  # fmt: skip
    """SSIM of every frame, (b, t), in [-1, 1] (Wang et al. 2004, sec. III).

    (2 mx my + C1)(2 sxy + C2) / ((mx^2 + my^2 + C1)(sx^2 + sy^2 + C2)), C1 = (0.01 R)^2, C2 = (0.03 R)^2; the moments
    under a Gaussian window of 11 x 11 taps, sigma 1.5, in population form (the weights sum to 1). Each channel by
    itself, then the mean over positions and channels. border: "crop" leaves out the 5 pixels at the edge, where the
    window would reach outside (as scikit-image's value does); "reflect" mirrors the frame there, the edge pixel twice
    (its full map), "mirror" the edge pixel once (torchmetrics), and both keep them.
    Shapes and range as `psnr_per_frame`. Raises UserError as `check.pair`, and for frames smaller than 11 pixels.
    """
    a, b = pair(real, fake, range)
    return _ssim(a, b, border)


def _ssim(a: Clips, b: Clips, border: Border) -> NDArray[np.float64]:
    from scipy.ndimage import correlate1d

    if border not in _BORDERS:
        raise UserError(f"{border!r} is no border of SSIM; allowed: {', '.join(_BORDERS)}")
    height, width = a.pixels.shape[3:]
    if min(height, width) < SSIM_SIDE:
        raise UserError(
            f"SSIM's window has {SSIM_SIDE} x {SSIM_SIDE} pixels; frames of {height} x {width} are too small"
        )
    half = SSIM_SIDE // 2
    taps = np.exp(-0.5 * (np.arange(-half, half + 1) / _SIGMA) ** 2)
    taps /= taps.sum()
    outside = "reflect" if border == "crop" else border
    inside = (..., slice(half, -half), slice(half, -half)) if border == "crop" else (...,)

    def window(image: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = correlate1d(image, taps, axis=-1, mode=outside)
        found: NDArray[np.float64] = correlate1d(rows, taps, axis=-2, mode=outside)[inside]
        return found

    c1, c2 = (_K1 * a.span) ** 2, (_K2 * a.span) ** 2
    parts = []
    for x, y in _pieces(a, b):
        mx, my = window(x), window(y)
        sx, sy, sxy = window(x * x) - mx * mx, window(y * y) - my * my, window(x * y) - mx * my
        score = (2 * mx * my + c1) * (2 * sxy + c2) / ((mx * mx + my * my + c1) * (sx + sy + c2))
        parts.append(score.mean((1, 2, 3)))
    return np.concatenate(parts).reshape(a.pixels.shape[:2])


class SSIM(PerVideo):
    """SSIM over videos in pieces: update, merge, compute. Range and border as `ssim_per_frame`."""

    def __init__(self, range: Range | None = None, *, border: Border = "crop") -> None:
        super().__init__()
        self.range, self.border = range, border

    def update(self, real: Any, fake: Any, ids: Sequence[Hashable] | None = None) -> None:
        """Add pairs of videos; with `ids`, one per video, pieces of videos. Raises UserError as `ssim_per_frame`."""
        a, b = pair(real, fake, self.range)
        self._saw(a)
        found = _ssim(a, b, self.border)
        self._add(found.sum(1), found.shape[1], found.shape[1], ids)

    def _settings(self) -> tuple[Any, ...]:
        return ("range", self.range, "border", self.border)

    def _describe(self) -> Description:
        return Description(
            "SSIM", "", "higher", _FRAMES,
            window=f"Gaussian 11 x 11, sigma 1.5; {_BORDERS[self.border]}", covariance="population", range=self._ends,
            extra=(("colour", "each channel, then their mean"), ("K1", _K1), ("K2", _K2)),
        )  # fmt: skip


def ssim(
    real: Any, fake: Any, range: Range | None = None, *, border: Border = "crop", seed: int = 0
) -> Estimate:  # fmt: skip
    """SSIM of videos against the true ones: mean over frames, then over videos, with its interval.

    All else as `ssim_per_frame`.
    """
    box = SSIM(range, border=border)
    box.update(real, fake)
    return box.compute(seed=seed)
