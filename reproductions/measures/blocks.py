"""Distances between sets, window by window and block by block: what FVD and FID become on long videos.

Sliding FVD (StyleGAN-V's protocol), TATS' degradation curve, NUWA-XL's B-FVD-X and Avg-FID, and one distance per clip
length, over the features of any network. As everywhere, a famous name comes only with the network it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.measures.check import as_array, embeddings, enough_clips
from reproductions.measures.distances import Sample, frechet, kernel, kernel_distances, resampled_moments, sample
from reproductions.measures.estimate import Estimate, few, percentiles, resamples_of, shifted
from reproductions.measures.names import Kind, named, samples_advised
from reproductions.measures.statistics import frechet_of_moments
from reproductions.measures.windows import Curve, features_by_window, frames_needed, make_curve

__all__ = [
    "Distance",
    "DistanceCurve",
    "average_frame_distance",
    "block_distance",
    "curve_of_distance",
    "distances_by_length",
]

Distance = Literal["frechet", "kernel"]


class _Along(NamedTuple):
    """One distance per window: value (n,), of resampled sets drawn (r, n) or None, what was compared."""

    value: NDArray[np.float64]
    drawn: NDArray[np.float64] | None
    videos: int
    features: int


def _along(
    real: Sequence[Sample], fake: Sequence[Sample], distance: Distance, network: str, resamples: int, seed: int
) -> _Along:
    """The distance of every fake set from its real one, or from the only real one; both sides are resampled."""
    kind: Kind = distance
    features = fake[0].rows.shape[1]
    named(kind, network, features)
    for one, side in ((real[0], "the real set"), (fake[0], "each window of the fake set")):
        enough_clips(len(one.rows), features if kind == "frechet" else 1, side)
    a, b = real[0].videos, fake[0].videos
    measure = _frechet if kind == "frechet" else _kernel
    value = measure(real, fake, np.ones((1, a)), np.ones((1, b)))
    drawn = None
    if resamples and min(a, b) > 1:
        of_real = np.concatenate(list(resamples_of(a, resamples, [seed, 0])))
        of_fake = np.concatenate(list(resamples_of(b, resamples, [seed, 1])))
        drawn = np.stack([measure(real, fake, w[None], v[None]) for w, v in zip(of_real, of_fake, strict=True)])
    return _Along(value, drawn, min(a, b), features)


def _frechet(real: Sequence[Sample], fake: Sequence[Sample], w: Any, v: Any) -> NDArray[np.float64]:
    (m_a, s_a), (m_b, s_b) = (
        (np.concatenate(part) for part in zip(*(resampled_moments(one, drawn) for one in sets), strict=True))
        for sets, drawn in ((real, w), (fake, v))
    )
    return frechet_of_moments(m_a, s_a, m_b, s_b)


def _kernel(real: Sequence[Sample], fake: Sequence[Sample], w: Any, v: Any) -> NDArray[np.float64]:
    references = list(real) * len(fake) if len(real) == 1 else real
    return np.concatenate([kernel_distances(a, b, w, v) for a, b in zip(references, fake, strict=True)])


def _sets(real: Any, fake: Any) -> tuple[list[Sample], list[Sample]]:
    """real (m, d) or (m, n, d) and fake (b, n, d) as sets: a real one (or one per window), n fake ones."""
    x = as_array(real, "the real features")
    a = embeddings(x, "the real features", "m n d" if x.ndim == 3 else "m d")
    b = embeddings(fake, "the features of the fake windows", "b n d")
    if a.shape[-1] != b.shape[2] or (a.ndim == 3 and a.shape[1] != b.shape[1]):
        raise UserError(
            f"real {a.shape} and fake {b.shape} must agree in features, and in windows where both have them"
        )
    a, b = (x[np.lexsort(x.reshape(len(x), -1)[:, :8].T[::-1])] for x in (a, b))  # an order that tells nothing
    references = np.moveaxis(a, 1, 0) if a.ndim == 3 else a[None]
    return [sample(part, "real") for part in references], [sample(part, "fake") for part in np.moveaxis(b, 1, 0)]


def _settings(
    found: _Along, distance: Distance, network: str, reduction: str, window: int, stride: int, reference: str,
    confidence: float,
) -> dict[str, Any]:  # fmt: skip
    resamples = 0 if found.drawn is None else len(found.drawn)
    return {
        "reduction": reduction, "window": f"{window} frame{'s' * (window != 1)}",
        "covariance": "sample (divisor n - 1)" if distance == "frechet" else None, "range": None,
        "frames": str(window + stride * (len(found.value) - 1)), "network": network, "stride": stride,
        "reference": reference, "features": found.features,
        "interval": "bootstrap over the videos of both sets, percentiles less the bias of resampling, "
        f"{confidence:.0%}, {resamples} resamples",
    }  # fmt: skip


def curve_of_distance(
    real: Any, fake: Any, network: str, *, distance: Distance = "frechet", window: int = 16, stride: int | None = None,
    confidence: float = 0.95, resamples: int = 100, seed: int = 0,
) -> Curve:  # fmt: skip
    """One distance per window along the video: the features of window n of all fake videos against real clips.

    This is sliding FVD (StyleGAN-V's protocol) and TATS' degradation curve where the network is I3D. real: (m, d),
    ordinary clips of the window's length and frame step, or (m, n, d), a set of its own for each window; fake:
    (b, n, d), as `windows.features_by_window` gives them. window, stride: in frames, as the features were made.
    Raises UserError for shapes that do not fit and, for "frechet", fewer than twice as many clips as features.
    """
    references, windows = _sets(real, fake)
    found = _along(references, windows, distance, network, resamples, seed)
    step = window if stride is None else stride
    reference = "the same real clips for every window" if len(references) == 1 else "the real videos' own window"
    settings = _settings(
        found, distance, network, "one distance per window, over videos", window, step, reference, confidence
    )
    kind: Kind = distance
    notes = few(found.videos, samples_advised(kind), "clips per window")
    first = step * np.arange(len(found.value))
    name = named(kind, network, found.features)
    return make_curve(
        first, found.value, found.drawn, window, found.videos, name, "", "lower", settings, confidence, notes
    )


class DistanceCurve:
    """The curve of a distance over videos that come in batches: update, merge, compute; all as `curve_of_distance`."""

    def __init__(
        self, network: str, *, distance: Distance = "frechet", window: int = 16, stride: int | None = None
    ) -> None:
        self.network, self.window, self.stride = network, window, stride
        self.distance: Distance = distance
        self._real: list[NDArray[np.float64]] = []
        self._fake: list[NDArray[np.float64]] = []

    def update(self, real: Any = None, fake: Any = None) -> None:
        """Add features to either set: real (m, d) or (m, n, d), fake (b, n, d). Raises UserError for other shapes."""
        if real is not None:
            x = as_array(real, "the real features")
            _append(self._real, embeddings(x, "the real features", "m n d" if x.ndim == 3 else "m d"))
        if fake is not None:
            _append(self._fake, embeddings(fake, "the features of the fake windows", "b n d"))

    def merge(self, other: Self) -> Self:
        """A new accumulator of all that either saw. Raises UserError for other settings or shapes."""
        mine, theirs = ((x.network, x.distance, x.window, x.stride) for x in (self, other))
        if mine != theirs:
            raise UserError(f"curves with different settings cannot be merged: {mine} and {theirs}")
        made = type(self)(self.network, distance=self.distance, window=self.window, stride=self.stride)
        for part in (self, other):
            for real in part._real:
                made.update(real)
            for fake in part._fake:
                made.update(fake=fake)
        return made

    def compute(self, *, confidence: float = 0.95, resamples: int = 100, seed: int = 0) -> Curve:
        """The curve over all that came so far. Raises UserError for an empty set, and as `curve_of_distance`."""
        for part, side in ((self._real, "real"), (self._fake, "fake")):
            if not part:
                raise UserError(f"the {side} set is empty; a distance needs at least 2 videos in each")
        return curve_of_distance(
            np.concatenate(self._real), np.concatenate(self._fake), self.network, distance=self.distance,
            window=self.window, stride=self.stride, confidence=confidence, resamples=resamples, seed=seed,
        )  # fmt: skip


def _append(parts: list[NDArray[np.float64]], new: NDArray[np.float64]) -> None:
    if parts and parts[0].shape[1:] != new.shape[1:]:
        raise UserError(f"earlier features were {parts[0].shape[1:]} for each video, these are {new.shape[1:]}")
    parts.append(new)


def _mean(found: _Along, name: str, settings: dict[str, Any], confidence: float, notes: tuple[str, ...]) -> Estimate:
    low = high = None
    value = float(found.value.mean())
    if found.drawn is not None:
        low, high = (float(end) for end in percentiles(shifted(found.drawn.mean(1), value), confidence))
    return Estimate(value, low, high, found.videos, name, "", "lower", settings, notes)


def block_distance(
    real: Any, fake: Any, network: str, block: int = 16, *, distance: Distance = "frechet", confidence: float = 0.95,
    resamples: int = 100, seed: int = 0,
) -> Estimate:  # fmt: skip
    """B-FVD-X as NUWA-XL defines it, where the network is I3D; else the block distance over that network's features.

    The mean over blocks of the distance of block n of all generated videos from real clips of X = `block` frames
    (arXiv 2303.12346, sec. 4.2). The paper leaves open whether blocks overlap, which real clips are the reference and
    whether features are pooled. Here blocks do not overlap, the reference is what is given, and each block is a set
    of its own. real: (m, d) or (m, n, d); fake: (b, n, d), as `curve_of_distance` takes them.
    Raises UserError as `curve_of_distance`.
    """
    references, blocks = _sets(real, fake)
    found = _along(references, blocks, distance, network, resamples, seed)
    kind: Kind = distance
    plain = named(kind, network, found.features)
    name = f"B-FVD-{block}" if plain == "FVD" else f"{plain}, mean over blocks of {block} frames"
    reference = "the same real clips for every block" if len(references) == 1 else "the real videos' own block"
    reduction = "one distance per block, over videos; mean over blocks, which do not overlap"
    settings = _settings(found, distance, network, reduction, block, block, reference, confidence)
    return _mean(found, name, settings, confidence, few(found.videos, samples_advised(kind), "clips per block"))


def average_frame_distance(
    real: Any, fake: Any, network: str, *, pooled: bool = False, confidence: float = 0.95, resamples: int = 100,
    seed: int = 0,
) -> Estimate:  # fmt: skip
    """Avg-FID as NUWA-XL reports it, where the network is the FID's; else by that network's name.

    "FID averaged over generated frames" can be read in two ways. pooled False: one distance for each frame number,
    over videos, then the mean over frame numbers; True: one distance over all frames of all videos. real: frames
    (m, d), or (m, t, d) of m videos, all of them one reference set; fake: (b, t, d). Raises UserError as
    `curve_of_distance`.
    """
    frames = embeddings(fake, "the fake frames' features", "b t d")
    plain = named("frechet", network, frames.shape[2])
    reading = "all frames pooled" if pooled else "mean over frame numbers"
    name = f"Avg-FID ({reading})" if plain == "FID" else f"{plain}, {reading}"
    if pooled:
        whole = frechet(real, frames, network, confidence=confidence, resamples=resamples, seed=seed)
        return Estimate(
            whole.value, whole.low, whole.high, whole.count, name, "", "lower",
            {**whole.settings, "reduction": "one distance over all frames", "frames": str(frames.shape[1])},
            whole.warnings,
        )  # fmt: skip
    reference = sample(real, "the real frames' features")
    if reference.rows.shape[1] != frames.shape[2]:
        raise UserError(f"the real frames have {reference.rows.shape[1]} features, the fake ones {frames.shape[2]}")
    windows = [sample(part, "fake") for part in np.moveaxis(frames, 1, 0)]
    found = _along([reference], windows, "frechet", network, resamples, seed)
    reduction = "one distance per frame number, over videos; mean over frame numbers"
    settings = _settings(found, "frechet", network, reduction, 1, 1, "all real frames", confidence)
    return _mean(found, name, settings, confidence, few(found.videos, samples_advised("frechet")))


def distances_by_length(
    real: Any, fake: Any, features_of: Callable[[NDArray[Any]], Any], network: str,
    lengths: Sequence[int] = (16, 128), *, distance: Distance = "frechet", start: int = 0, every: int = 1,
    resamples: int = 200, seed: int = 0,
) -> dict[int, Estimate]:  # fmt: skip
    """The distance between clips of each length, cut from the same place: FVD-16 and FVD-128 where the network is I3D.

    real, fake: videos (b, t, c, h, w); features_of: any function from clips to vectors (b, d); every: one frame in so
    many. Values of different lengths are on different scales: compare models at one length, never lengths.
    Raises UserError for videos that are too short, and as `distances.frechet`.
    """
    measure = frechet if distance == "frechet" else kernel
    found = {}
    for length in lengths:
        span = frames_needed(length, every)
        sets: list[NDArray[np.float64]] = []
        for video, name in ((np.asarray(real), "real"), (np.asarray(fake), "fake")):
            if start < 0 or video.ndim != 5 or video.shape[1] < start + span:
                raise UserError(f"the {name} videos {video.shape} are too short for {span} frames from frame {start}")
            clip = video[:, start : start + span]
            sets.append(features_by_window(clip, features_of, length, every=every)[:, 0])
        one = measure(sets[0], sets[1], network, resamples=resamples, seed=seed)
        settings = {**one.settings, "window": f"{length} frames", "frames": str(length), "start": start, "every": every}
        name = f"{one.name}, {length} frames"
        found[length] = Estimate(
            one.value, one.low, one.high, one.count, name, "", "lower", settings, one.warnings
        )  # fmt: skip
    return found
