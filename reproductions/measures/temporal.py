"""Consistency and flicker over time, from embeddings, pixels or classes of consecutive frames and clips.

All of them are perfect on a frozen video. So none is read alone: `flow.motion_amount` and the baselines of
`reproductions.measures.baselines` stand beside it. A video must come whole: a pair of frames cut apart is not counted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.measures.accumulate import PerVideo
from reproductions.measures.check import as_array, at_least_two, clips, embeddings
from reproductions.measures.estimate import Description, Estimate
from reproductions.measures.names import named
from reproductions.measures.scores import unit_vectors

__all__ = [
    "ClassCoherence", "Flickering", "TemporalConsistency", "Variant", "class_coherence", "consistency_per_frame",
    "feature_coherence", "flickering", "flickering_per_frame", "subject_consistency", "temporal_consistency",
]  # fmt: skip

Variant = Literal["adjacent", "first", "all pairs", "subject"]
_VARIANTS = {
    "adjacent": "each frame with the one before it",
    "first": "each later frame with the first",
    "all pairs": "every pair of frames",
    "subject": "mean of the cosines, from 0, with the frame before and with the first",
}
Range = tuple[float, float]


def consistency_per_frame(frames: Any, variant: Variant = "adjacent") -> NDArray[np.float64]:
    """How alike frames are in direction, from embeddings (b, t, d): (b, t) in [-1, 1], NaN at frame 0.

    variant "adjacent": cos(f_{t-1}, f_t); "first": cos(f_0, f_t), the curve that shows slow drift; "subject":
    (max(0, cos(f_{t-1}, f_t)) + max(0, cos(f_0, f_t))) / 2, VBench's; "all pairs": the mean of cos(f_s, f_t) over all
    s before t. Raises UserError for fewer than 2 frames, another variant, zero vectors and NaN.
    """
    if variant not in _VARIANTS:
        raise UserError(f"{variant!r} is no variant of consistency; allowed: {', '.join(_VARIANTS)}")
    f = unit_vectors(at_least_two(embeddings(frames, "the frames' embeddings", "b t d")), "a frame")
    found = np.full(f.shape[:2], np.nan)
    before = np.einsum("btd,btd->bt", f[:, 1:], f[:, :-1])
    first = np.einsum("btd,bd->bt", f[:, 1:], f[:, 0])
    if variant == "adjacent":
        found[:, 1:] = before
    elif variant == "first":
        found[:, 1:] = first
    elif variant == "subject":
        found[:, 1:] = (before.clip(min=0) + first.clip(min=0)) / 2
    else:  # sum over s < t of <f_s, f_t> = <sum of f_s, f_t>
        found[:, 1:] = np.einsum("btd,btd->bt", np.cumsum(f, 1)[:, :-1], f[:, 1:]) / np.arange(1, f.shape[1])
    return found


class TemporalConsistency(PerVideo):
    """Temporal consistency of embeddings (Esser et al. 2023; "subject": VBench): update, merge, compute.

    variant as `consistency_per_frame`. network: `names.CLIP` makes it CLIP temporal consistency (not for "subject",
    which VBench takes over DINO). by: "videos", each counts alike; "frames", each pair does, as VBench's total.
    """

    def __init__(self, network: str, variant: Variant = "adjacent", by: Literal["videos", "frames"] = "videos") -> None:
        super().__init__()
        if variant not in _VARIANTS:
            raise UserError(f"{variant!r} is no variant of consistency; allowed: {', '.join(_VARIANTS)}")
        if by not in ("videos", "frames"):
            raise UserError(f"consistency is averaged by 'videos' or 'frames', not {by!r}")
        self.network, self.variant, self.by = network, variant, by
        self._name = named("subject" if variant == "subject" else "frames", network)

    def update(self, frames: Any) -> None:
        """Add embeddings (b, t, d) of b whole videos. Raises UserError as `consistency_per_frame`."""
        found = consistency_per_frame(frames, self.variant)[:, 1:]
        pairs = np.ones(found.shape[1])
        if self.variant == "all pairs":  # frame t stands for t pairs
            pairs = np.arange(1, found.shape[1] + 1, dtype=np.float64)
        self._add(found @ pairs, pairs.sum(), found.shape[1] + 1, None)

    def _settings(self) -> tuple[Any, ...]:
        return ("network", self.network, "variant", self.variant, "by", self.by)

    def _per_video(self, sums: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[Any, Any]:
        return (sums, weights) if self.by == "frames" else super()._per_video(sums, weights)

    def _describe(self) -> Description:
        over = "mean over frames, then over videos" if self.by == "videos" else "mean over the frames of all videos"
        return Description(
            self._name, "", "higher", over, network=self.network, extra=(("pairs", _VARIANTS[self.variant]),)
        )  # fmt: skip


def temporal_consistency(frames: Any, network: str, variant: Variant = "adjacent", *, seed: int = 0) -> Estimate:
    """Mean cosine between frames' embeddings (b, t, d), over pairs of frames, then over videos.

    All else as `TemporalConsistency`. It falls with the frame rate, which must be said beside it.
    """
    box = TemporalConsistency(network, variant)
    box.update(frames)
    return box.compute(seed=seed)


def subject_consistency(frames: Any, network: str, *, seed: int = 0) -> Estimate:
    """VBench's formula over embeddings (b, t, d); the mean over the frames of all videos. As `TemporalConsistency`."""
    box = TemporalConsistency(network, "subject", by="frames")
    box.update(frames)
    return box.compute(seed=seed)


def flickering_per_frame(video: Any, range: Range | None = None) -> NDArray[np.float64]:
    """1 - mean |x_t - x_{t-1}| / R of every frame, (b, t), in [0, 1]; NaN at frame 0.

    video: (b, t, c, h, w) or (t, c, h, w), uint8 or float in `range`. VBench's temporal flickering, whose
    (255 - MAE) / 255 it is for uint8; there the videos are of scenes that stand still.
    Raises UserError as `check.clips`, and for fewer than 2 frames.
    """
    given = clips(video, "the video", range)
    at_least_two(given.pixels)
    return _flickering(given.pixels, given.span)


def _flickering(x: NDArray[Any], span: float) -> NDArray[np.float64]:
    found = np.full(x.shape[:2], np.nan)
    for t in np.arange(1, x.shape[1]):  # frame by frame: a long video is never float64 as a whole
        found[:, t] = 1 - np.abs(x[:, t].astype(np.float64) - x[:, t - 1]).mean((1, 2, 3)) / span
    return found


class Flickering(PerVideo):
    """Temporal flickering (VBench, Huang et al. 2023): update, merge, compute; as `flickering_per_frame`."""

    def __init__(self, range: Range | None = None) -> None:
        super().__init__()
        self.range = range

    def update(self, video: Any) -> None:
        """Add whole videos. Raises UserError as `flickering_per_frame`."""
        given = clips(video, "the video", self.range)
        at_least_two(given.pixels)
        self._saw(given)
        found = _flickering(given.pixels, given.span)[:, 1:]
        self._add(found.sum(1), found.shape[1], found.shape[1] + 1, None)

    def _settings(self) -> tuple[Any, ...]:
        return ("range", self.range)

    def _describe(self) -> Description:
        over = "mean over pairs of consecutive frames, then over videos"
        return Description("Temporal flickering", "", "higher", over, range=self._ends)


def flickering(video: Any, range: Range | None = None, *, seed: int = 0) -> Estimate:
    """Temporal flickering of videos: mean over pairs of frames, then over videos. As `flickering_per_frame`."""
    box = Flickering(range)
    box.update(video)
    return box.compute(seed=seed)


class ClassCoherence(PerVideo):
    """Class coherence (TATS' CCS, its form from memory): update, merge, compute.

    The share of a video's later clips that a classifier puts in the class of the first. network: the classifier.
    """

    def __init__(self, network: str) -> None:
        super().__init__()
        self.network = network

    def update(self, classes: Any) -> None:
        """Add verdicts, whole numbers (b, n), on n >= 2 consecutive clips of each video.

        Raises UserError for another shape or type.
        """
        c = as_array(classes, "the classes")
        if c.ndim != 2 or c.shape[1] < 2 or not len(c) or c.dtype.kind not in "iu":
            raise UserError(f"classes are whole numbers (videos, clips), at least 2 clips, not {c.dtype} of {c.shape}")
        same = c[:, 1:] == c[:, :1]
        self._add(same.sum(1), same.shape[1], c.shape[1], None)

    def _settings(self) -> tuple[Any, ...]:
        return ("network", self.network)

    def _describe(self) -> Description:
        return Description(
            f"Class coherence by the {self.network} classifier", "", "higher",
            "share of the clips after the first, then mean over videos", network=self.network,
        )  # fmt: skip


def class_coherence(classes: Any, network: str, *, seed: int = 0) -> Estimate:
    """Class coherence of verdicts (b, n); all as `ClassCoherence`."""
    box = ClassCoherence(network)
    box.update(classes)
    return box.compute(seed=seed)


def feature_coherence(features: Any, network: str, *, seed: int = 0) -> Estimate:
    """Feature coherence (after TATS' ICS, its form from memory): cosine of each later clip's features with the first's.

    features: (b, n, d), n >= 2 consecutive clips of each video. `TemporalConsistency(network, "first")` over clips.
    """
    found = temporal_consistency(features, network, "first", seed=seed)
    reduction = "mean over the clips after the first, then over videos"
    return replace(
        found,
        name=f"Coherence of {network} features with the first clip",
        settings={**found.settings, "reduction": reduction},
    )
