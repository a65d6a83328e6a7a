"""Measures that follow pixels: warping error and the amount of motion, from optical flow that is given or estimated.

Flow (..., t - 1, h, w, 2) says where the pixel (y, x) of frame t is in frame t + 1: at (y + f_1, x + f_0); so the last
axis is (to the right, down), in pixels. Pixel centres stand at whole numbers; a place between them is read bilinearly.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.measures.accumulate import PerVideo
from reproductions.measures.check import at_least_two, clips, embeddings
from reproductions.measures.estimate import Description, Estimate

__all__ = [
    "Method", "MotionAmount", "WarpingError", "dynamic_degree", "dynamic_pairs", "dynamic_threshold", "estimate_flow",
    "motion_amount", "motion_per_frame", "visible", "warp", "warping_error", "warping_error_per_frame",
]  # fmt: skip

Method = Literal["ilk", "tvl1"]
_METHODS = {
    "ilk": "iterative Lucas-Kanade (scikit-image optical_flow_ilk)",
    "tvl1": "TV-L1 (scikit-image optical_flow_tvl1)",
}
_TOP = 0.05
"""The share of pixels, those that move most, whose mean is the amount of motion (vbench/dynamic_degree.py)."""
Range = tuple[float, float]


def estimate_flow(video: Any, range: Range | None = None, method: Method = "ilk") -> NDArray[np.float64]:
    """Flow between consecutive frames (b, t - 1, h, w, 2), from the videos themselves, by scikit-image.

    method: "ilk", Le Besnerais and Champagnat 2005; "tvl1", Zach, Pock and Bischof 2007, several times slower.
    Raises UserError as `check.clips`, for fewer than 2 frames, and where scikit-image is not installed.
    """
    given = clips(video, "the video", range)
    grey = _grey(at_least_two(given.pixels), given.low, given.span)
    return np.stack([[_flow(a, b, method) for a, b in pairwise(one)] for one in grey])


def _grey(x: NDArray[Any], low: float, span: float) -> NDArray[np.float32]:
    grey: NDArray[np.float32] = (x.mean(2, dtype=np.float32) - np.float32(low)) / np.float32(span)
    return grey


def _flow(a: NDArray[np.float32], b: NDArray[np.float32], method: Method) -> NDArray[np.float64]:
    if method not in _METHODS:
        raise UserError(f"{method!r} is no method for optical flow; allowed: {', '.join(_METHODS)}")
    try:
        from skimage.registration import optical_flow_ilk, optical_flow_tvl1
    except ImportError:
        raise UserError(
            "optical flow is estimated by scikit-image; pip install 'kiloframe[test]', or give the flow"
        ) from None
    if min(a.shape) < 2:
        raise UserError(f"optical flow needs frames of at least 2x2 pixels, not {a.shape[0]}x{a.shape[1]}")
    found = optical_flow_tvl1(a, b) if method == "tvl1" else optical_flow_ilk(a, b)
    return np.stack([found[1], found[0]], -1).astype(np.float64)


def warp(image: NDArray[np.float64], flow: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The image (c, h, w) read at the ends of the flow (h, w, 2), and where these lie inside it (h, w)."""
    from scipy.ndimage import map_coordinates

    height, width = image.shape[1:]
    y, x = np.mgrid[:height, :width] + np.moveaxis(flow, -1, 0)[::-1]
    inside = (y >= 0) & (y <= height - 1) & (x >= 0) & (x <= width - 1)
    return np.stack([map_coordinates(one, [y, x], order=1, mode="nearest") for one in image]), inside


def visible(forward: NDArray[np.float64], backward: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which pixels of the first frame the second still shows, (h, w): where going there and back leads home.

    |F + B'|^2 <= 0.01 (|F|^2 + |B'|^2) + 0.5, B' the backward flow read at the forward flow's end, in pixels
    (Sundaram, Brox and Keutzer 2010, sec. 3.2). What leaves the frame is not visible. forward, backward: (h, w, 2).
    """
    back, inside = warp(np.moveaxis(backward, -1, 0), forward)
    back = np.moveaxis(back, 0, -1)
    gap = np.square(forward + back).sum(-1)
    found: NDArray[np.bool_] = inside & (gap <= 0.01 * (np.square(forward).sum(-1) + np.square(back).sum(-1)) + 0.5)
    return found


def warping_error_per_frame(
    video: Any, flow: Any = None, mask: Any = None, range: Range | None = None, method: Method = "ilk"
) -> NDArray[np.float64]:
    """sum M_t (warp(I_{t+1}, F_t) - I_t)^2 / sum M_t of every frame, (b, t); NaN at the last (Lai et al. 2018).

    The squares are means over channels, of frames scaled to [0, 1]. flow: (b, t - 1, h, w, 2), or None: estimated
    by `method` from the videos. mask: (b, t - 1, h, w), true where a pixel is still visible in the next frame; None:
    for estimated flow `visible`, for given flow every pixel that stays in the frame. Where the mask is empty the sum,
    0, is divided by the number of pixels. Raises UserError as `check.clips`, and for flow or mask that do not fit.
    """
    given = clips(video, "the video", range)
    x = at_least_two(given.pixels)
    b, t, _, h, w = x.shape
    flows = None if flow is None else _fitting(flow, "the flow", (b, t - 1, h, w, 2))
    masks = None if mask is None else _fitting(mask, "the mask", (b, t - 1, h, w))
    found = np.full((b, t), np.nan)
    for n, i in np.ndindex(b, t - 1):
        at, to = ((x[n, j].astype(np.float64) - given.low) / given.span for j in (i, i + 1))
        shown: NDArray[Any] | None = None if masks is None else masks[n, i]
        if flows is None:
            here, there = at.mean(0).astype(np.float32), to.mean(0).astype(np.float32)
            forward = _flow(here, there, method)
            shown = visible(forward, _flow(there, here, method)) if shown is None else shown
        else:
            forward = flows[n, i]
        warped, inside = warp(to, forward)
        weight = inside.astype(np.float64) if shown is None else shown * inside
        total = (weight * np.square(warped - at).mean(0)).sum()
        found[n, i] = total / (weight.sum() or weight.size)
    return found


def _fitting(values: Any, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = embeddings(values, name, " ".join("btnhwd"[: len(shape)]))
    if array.shape != shape:
        raise UserError(f"{name} must be {shape} for these videos, not {array.shape}")
    return array


class WarpingError(PerVideo):
    """Warping error (Lai et al. 2018, evaluation) of whole videos: update, merge, compute.

    method: how flow is estimated where none is given; all else as `warping_error_per_frame`. Flow that is estimated
    on the video under test lets it explain its own flicker: read it as a lower bound.
    """

    def __init__(self, range: Range | None = None, method: Method = "ilk") -> None:
        super().__init__()
        self.range, self.method = range, method
        self._given: bool | None = None

    def update(self, video: Any, flow: Any = None, mask: Any = None) -> None:
        """Add whole videos, all with flow or all without. Raises UserError as `warping_error_per_frame`."""
        if self._given not in (None, flow is not None):
            raise UserError("some videos came with flow and some without; their errors cannot be averaged")
        self._saw(clips(video, "the video", self.range))
        found = warping_error_per_frame(video, flow, mask, self.range, self.method)[:, :-1]
        self._given = flow is not None
        self._add(found.sum(1), found.shape[1], found.shape[1] + 1, None)

    def merge(self, other: WarpingError) -> WarpingError:
        """A new accumulator of all that either saw. Raises UserError for other settings, or flow in one only."""
        if None not in (self._given, other._given) and self._given != other._given:
            raise UserError("some videos came with flow and some without; their errors cannot be averaged")
        made = super().merge(other)
        made._given = self._given if other._given is None else other._given
        return made

    def _settings(self) -> tuple[Any, ...]:
        return ("range", self.range, "method", self.method)

    def _describe(self) -> Description:
        over = "mean over visible pixels and channels, then over pairs of frames, then over videos"
        how = "given" if self._given else f"estimated on the video itself by {_METHODS[self.method]}"
        mask = "as given, within the frame" if self._given else "forward-backward consistency"
        return Description(
            "Warping error", "", "lower", over, range=self._ends,
            extra=(("flow", how), ("mask", mask), ("scale", "1, of frames in [0, 1]")),
        )  # fmt: skip


def warping_error(
    video: Any,
    flow: Any = None,
    mask: Any = None,
    range: Range | None = None,
    method: Method = "ilk",
    *,
    seed: int = 0,
) -> Estimate:
    """Warping error of videos, over visible pixels, pairs of frames, then videos. As `warping_error_per_frame`."""
    box = WarpingError(range, method)
    box.update(video, flow, mask)
    return box.compute(seed=seed)


def motion_per_frame(
    video: Any = None, flow: Any = None, range: Range | None = None, method: Method = "ilk"
) -> NDArray[np.float64]:
    """How far the 5 per cent of pixels that move most get to the next frame, (b, t), in pixels; NaN at the last.

    The mean length of the longest twentieth of the flow vectors, as in VBench's dynamic degree (there by RAFT).
    Either video, (b, t, c, h, w), whose flow is estimated by `method`, or flow (b, t - 1, h, w, 2) is given.
    """
    if (video is None) == (flow is None):
        raise UserError("motion is measured on a video or on its flow; give one of them")
    f = estimate_flow(video, range, method) if flow is None else embeddings(flow, "the flow", "b t h w d")
    length = np.sort(np.linalg.norm(f, axis=-1).reshape(*f.shape[:2], -1), -1)
    top = max(1, int(length.shape[-1] * _TOP))
    found = np.full((f.shape[0], f.shape[1] + 1), np.nan)
    found[:, :-1] = length[..., -top:].mean(-1)
    return found


class MotionAmount(PerVideo):
    """The amount of motion in whole videos, in pixels per frame: update, merge, compute. As `motion_per_frame`."""

    def __init__(self, range: Range | None = None, method: Method = "ilk") -> None:
        super().__init__()
        self.range, self.method = range, method

    def update(self, video: Any = None, flow: Any = None) -> None:
        """Add whole videos, or their flow. Raises UserError as `motion_per_frame`."""
        found = motion_per_frame(video, flow, self.range, self.method)[:, :-1]
        self._add(found.sum(1), found.shape[1], found.shape[1] + 1, None)

    def _settings(self) -> tuple[Any, ...]:
        return ("range", self.range, "method", self.method)

    def _describe(self) -> Description:
        over = "mean of the longest 5 per cent of flow vectors, then over pairs of frames, then over videos"
        return Description(
            "Motion amount", "pixels per frame", "neither", over, range=self.range,
            extra=(("flow", f"given, or by {_METHODS[self.method]}"),),
        )  # fmt: skip


def motion_amount(
    video: Any = None, flow: Any = None, range: Range | None = None, method: Method = "ilk", *, seed: int = 0
) -> Estimate:
    """The amount of motion, over pairs of frames, then videos. As `motion_per_frame`."""
    box = MotionAmount(range, method)
    box.update(video, flow)
    return box.compute(seed=seed)


def dynamic_degree(motion: Any, height: int, width: int) -> NDArray[np.bool_]:
    """Which videos move, (b,), by VBench's rule: at least round(4 n / 16) of n frame pairs exceed 6 min(h, w) / 256.

    motion: (b, n) pixels per pair, as `motion_per_frame` without its last column, on frames thinned to about 8 per
    second. Their share is VBench's dynamic degree where the flow is RAFT's.
    """
    m = embeddings(motion, "the motion", "b n")
    moving = (m > dynamic_threshold(height, width)).sum(1)
    found: NDArray[np.bool_] = moving >= dynamic_pairs(m.shape[1])
    return found


def dynamic_threshold(height: int, width: int) -> float:
    """Pixels per pair from which a frame pair counts as moving: 6 min(h, w) / 256."""
    return 6 * min(height, width) / 256


def dynamic_pairs(pairs: int) -> int:
    """How many moving pairs make a moving video: round(4 n / 16)."""
    return round(4 * pairs / 16)
