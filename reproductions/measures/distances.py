"""Distances between two sets of videos, from feature vectors: Frechet (FID, FVD) and kernel (KVD).

The arithmetic is the same over any features; the name is not (see `names`). Features (n, d) hold one vector per video,
(b, t, d) one per frame; resampling for the interval always takes whole videos. All is float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.measures.check import as_array, embeddings, enough_clips
from reproductions.measures.estimate import Description, Estimate, few, percentiles, resamples_of, shifted
from reproductions.measures.names import Kind, named, samples_advised
from reproductions.measures.statistics import frechet_of_moments

__all__ = [
    "FrechetDistance", "KernelDistance", "Moments", "Sample", "frechet", "kernel", "kernel_distances",
    "resampled_moments", "sample",
]  # fmt: skip

_AT_ONCE = 1 << 10  # rows of a kernel matrix at a time


class Moments:
    """Mean and covariance of vectors as they come: update, merge (Chan, Golub and LeVeque 1979), in float64.

    count; mean (d,); scatter (d, d), the sum of outer products of deviations from the mean.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: NDArray[np.float64] = np.zeros(0)
        self.scatter: NDArray[np.float64] = np.zeros((0, 0))

    def update(self, features: Any) -> None:
        """Add vectors (n, d). Raises UserError for another width than before, none, NaN or infinity."""
        x = embeddings(features, "the features", "n d")
        if self.count and x.shape[1] != len(self.mean):
            raise UserError(f"earlier vectors have {len(self.mean)} features, these {x.shape[1]}")
        mean = x.mean(0)
        away = x - mean
        self._join(len(x), mean, away.T @ away)

    def merge(self, other: Self) -> Self:
        """New moments of all that either saw. Raises UserError where the widths differ."""
        made = type(self)()
        for part in (self, other):
            if made.count and part.count and len(part.mean) != len(made.mean):
                raise UserError(f"vectors of {len(made.mean)} and of {len(part.mean)} features cannot be merged")
            if part.count:
                made._join(part.count, part.mean, part.scatter)
        return made

    def _join(self, count: int, mean: NDArray[np.float64], scatter: NDArray[np.float64]) -> None:
        if not self.count:
            self.count, self.mean, self.scatter = count, mean.copy(), scatter.copy()
            return
        total = self.count + count
        gap = mean - self.mean
        self.mean = self.mean + gap * (count / total)
        self.scatter = self.scatter + scatter + np.outer(gap, gap) * (self.count * count / total)
        self.count = total

    def covariance(self) -> NDArray[np.float64]:
        """The sample covariance (d, d), divisor n - 1. Raises UserError below 2 vectors."""
        if self.count < 2:
            raise UserError(f"a covariance needs at least 2 vectors; there are {self.count}")
        return self.scatter / (self.count - 1)


class Sample(NamedTuple):
    """Feature vectors: rows (n, d), and to which video each belongs, unit (n,), 0 .. videos - 1."""

    rows: NDArray[np.float64]
    unit: NDArray[np.int64]
    videos: int


def sample(features: Any, name: str) -> Sample:
    """Features (n, d), a vector per video, or (b, t, d), a vector per frame. Raises UserError for anything else."""
    array = as_array(features, name)
    rows = embeddings(array, name, "b t d" if array.ndim == 3 else "n d")
    videos, per = rows.shape[0], 1 if rows.ndim == 2 else rows.shape[1]
    return Sample(rows.reshape(videos * per, -1), np.repeat(np.arange(videos), per), videos)


def resampled_moments(of: Sample, drawn: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means (r, d) and covariances (r, d, d) of resampled sets. drawn: (r, videos), how often each video is in each."""
    centre = of.rows.mean(0)
    x = of.rows - centre
    weights = drawn[:, of.unit]
    total = weights.sum(1)[:, None]
    mean = weights @ x / total
    scatter = np.stack([(x * w[:, None]).T @ x for w in weights]) - total[..., None] * mean[:, :, None] * mean[:, None]
    return mean + centre, scatter / (total[..., None] - 1)


class _Sets:
    """Two sets of features that arrive in pieces; the rows in an order that does not depend on how they came."""

    kind: Kind

    def __init__(self, network: str, *, keep: bool = True) -> None:
        self.network, self.keep = network, keep
        named(self.kind, network)
        self._kept: dict[str, list[NDArray[np.float64]]] = {"real": [], "fake": []}
        self._moments = {"real": Moments(), "fake": Moments()}
        self._videos = {"real": 0, "fake": 0}

    def update(self, real: Any = None, fake: Any = None) -> None:
        """Add features to either set: (n, d), a vector per video, or (b, t, d), a vector per frame of b videos.

        Raises UserError for other shapes, NaN, another width than before, or than the network's measure has.
        """
        for side, given in (("real", real), ("fake", fake)):
            if given is None:
                continue
            new = sample(given, f"the {side} features")
            other = self._moments["fake" if side == "real" else "real"]
            named(self.kind, self.network, new.rows.shape[1])
            if other.count and new.rows.shape[1] != len(other.mean):
                raise UserError(f"the {side} set has {new.rows.shape[1]} features and the other {len(other.mean)}")
            self._moments[side].update(new.rows)
            self._videos[side] += new.videos
            if self.keep:
                self._kept[side] += list(new.rows.reshape(new.videos, -1, new.rows.shape[1]))

    def merge(self, other: Self) -> Self:
        """A new accumulator of all that either saw. Raises UserError for another network, width or `keep`."""
        if type(other) is not type(self) or (other.network, other.keep) != (self.network, self.keep):
            raise UserError(
                f"{type(self).__name__} over {self.network} cannot be merged with {type(other).__name__} over "
                f"{other.network}, or with one that keeps other things"
            )
        made = type(self)(self.network, keep=self.keep)
        for side in made._videos:
            made._kept[side] = self._kept[side] + other._kept[side]
            made._moments[side] = self._moments[side].merge(other._moments[side])
            made._videos[side] = self._videos[side] + other._videos[side]
        return made

    def _sample(self, side: str) -> Sample:
        videos = self._kept[side]
        first = np.stack([rows[0, :8] for rows in videos])
        videos = [videos[n] for n in np.lexsort(first.T[::-1])]
        return Sample(np.concatenate(videos), np.repeat(np.arange(len(videos)), [len(v) for v in videos]), len(videos))

    def _estimate(
        self, value: float, drawn: NDArray[np.float64], confidence: float, covariance: str | None, rule: str
    ) -> Estimate:
        low = high = None
        if len(drawn):
            low, high = (float(end) for end in percentiles(shifted(drawn, value), confidence))
            low = max(0.0, low) if self.kind == "frechet" else low
        count = min(self._videos.values())
        vectors = {side: moments.count for side, moments in self._moments.items()}
        description = Description(
            named(self.kind, self.network, len(self._moments["real"].mean)), "", "lower",
            "one distance between the two sets", covariance=covariance, network=self.network,
            extra=(
                ("features", len(self._moments["real"].mean)), ("estimator", rule),
                ("real videos", self._videos["real"]), ("fake videos", self._videos["fake"]),
                ("real vectors", vectors["real"]), ("fake vectors", vectors["fake"]),
            ),
        )  # fmt: skip
        how = (
            f"bootstrap over the videos of both sets, percentiles less the bias of resampling, {confidence:.0%}, "
            f"{len(drawn)} resamples"
        )
        notes = few(count, samples_advised(self.kind))
        if not len(drawn):
            notes += ("no resampling: there is no interval",)
        return Estimate(
            value, low, high, count, description.name, "", "lower", description.settings(None, how), notes
        )  # fmt: skip

    def _both(self) -> tuple[Moments, Moments]:
        for side, moments in self._moments.items():
            if not moments.count:
                raise UserError(f"the {side} set is empty; a distance needs at least 2 videos in each")
        return self._moments["real"], self._moments["fake"]


class FrechetDistance(_Sets):
    """FID, FVD, or the Frechet distance over a stand-in's features (Heusel et al. 2017, Unterthiner et al. 2018).

    d^2 = |m_1 - m_2|^2 + tr(C_1 + C_2 - 2 (C_1 C_2)^(1/2)), sample means and covariances (divisor n - 1); the root
    as `statistics.frechet_of_moments` takes it. network: an identifier of `names`, or a stand-in's own name; it
    gives the result its name. keep: False keeps means and covariances only: flat memory, but no interval.
    """

    kind: Kind = "frechet"

    def compute(self, *, confidence: float = 0.95, resamples: int = 200, seed: int = 0) -> Estimate:
        """The distance with its bootstrap interval over videos, for features too.

        Raises UserError for an empty set, or one with fewer than twice as many vectors as features.
        """
        real, fake = self._both()
        for side, moments in self._moments.items():
            enough_clips(moments.count, len(moments.mean), f"the {side} set")
        value = float(frechet_of_moments(real.mean, real.covariance(), fake.mean, fake.covariance()))
        drawn: list[NDArray[np.float64]] = []
        if self.keep and resamples and min(self._videos.values()) > 1:
            one, two = (_draws(self._sample(side), resamples, [seed, n]) for n, side in enumerate(self._kept))
            drawn = [frechet_of_moments(*a, *b) for a, b in zip(one, two, strict=True)]
        return self._estimate(value, np.array(drawn), confidence, "sample (divisor n - 1)", "Gaussian closed form")


def _draws(
    of: Sample, resamples: int, seed: Sequence[int]
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The moments of one resampled set after the other."""
    for block in resamples_of(of.videos, resamples, seed):
        for drawn in block:
            mean, covariance = resampled_moments(of, drawn[None])
            yield mean[0], covariance[0]


def frechet(
    real: Any, fake: Any, network: str, *, confidence: float = 0.95, resamples: int = 200, seed: int = 0
) -> Estimate:
    """The Frechet distance between two sets of features, with its name and interval; all as `FrechetDistance`."""
    box = FrechetDistance(network)
    box.update(real, fake)
    return box.compute(confidence=confidence, resamples=resamples, seed=seed)


def kernel_distances(
    real: Sample, fake: Sample, of_real: NDArray[np.float64], of_fake: NDArray[np.float64]
) -> NDArray[np.float64]:
    """MMD^2_u of weighted sets, (r,): means of k(x_i, x_j) and k(y_i, y_j) over pairs of different videos, less twice
    the cross mean.

    k(a, b) = (<a, b> / d + 1)^3. of_real, of_fake: (r, videos), how often each video is in each set; ones make the
    unbiased estimate itself.
    """
    w, v = of_real[:, real.unit], of_fake[:, fake.unit]
    width = real.rows.shape[1]

    def pairs(a: NDArray[np.float64], b: NDArray[np.float64], wa: Any, wb: Any) -> NDArray[np.float64]:
        total = np.zeros(len(wa))
        for i in range(0, len(a), _AT_ONCE):
            for j in range(0, len(b), _AT_ONCE):
                k = (a[i : i + _AT_ONCE] @ b[j : j + _AT_ONCE].T / width + 1) ** 3
                total += ((wa[:, i : i + _AT_ONCE] @ k) * wb[:, j : j + _AT_ONCE]).sum(1)
        return total

    def within(of: Sample, drawn: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        # Vectors of one video resemble each other, so pairs within a video are left out: with one vector per video that
        # is the pairing of each with itself. A video drawn twice makes two that are alike, and their pairs count.
        size = np.bincount(of.unit, minlength=of.videos)
        ends = np.cumsum(size)
        blocks = (of.rows[i:j] for i, j in zip(ends - size, ends, strict=True))
        own = drawn @ np.array([((x @ x.T / width + 1) ** 3).sum() for x in blocks])
        count = weights.sum(1) ** 2 - drawn @ np.square(size)
        with np.errstate(invalid="ignore", divide="ignore"):  # a set that is one video has no pairs
            found: NDArray[np.float64] = (pairs(of.rows, of.rows, weights, weights) - own) / count
        return found

    cross = pairs(real.rows, fake.rows, w, v) / (w.sum(1) * v.sum(1))
    return within(real, of_real, w) + within(fake, of_fake, v) - 2 * cross


class KernelDistance(_Sets):
    """KVD, KID, or the kernel distance over a stand-in's features (Binkowski et al. 2018, Unterthiner et al. 2018).

    The unbiased estimate of the squared maximum mean discrepancy under k(a, b) = (<a, b> / d + 1)^3, unscaled. It may
    be negative: equal distributions scatter around 0. It needs no covariance, so a few clips will do. network as in
    `FrechetDistance`. The features are kept: memory grows with their number.
    """

    kind: Kind = "kernel"

    def __init__(self, network: str, *, keep: bool = True) -> None:
        if not keep:
            raise UserError("a kernel distance needs the features themselves; leave keep at True")
        super().__init__(network)

    def compute(self, *, confidence: float = 0.95, resamples: int = 200, seed: int = 0) -> Estimate:
        """The distance with its bootstrap interval over videos. Raises UserError for fewer than 2 videos in a set."""
        self._both()
        for side, videos in self._videos.items():
            if videos < 2:
                raise UserError(f"the {side} set has 1 video; a kernel distance needs at least 2 in each")
        real, fake = self._sample("real"), self._sample("fake")
        whole = np.ones((1, real.videos)), np.ones((1, fake.videos))
        value = float(kernel_distances(real, fake, *whole)[0])
        drawn = np.zeros(0)
        if resamples:
            of_real = np.concatenate(list(resamples_of(real.videos, resamples, [seed, 0])))
            of_fake = np.concatenate(list(resamples_of(fake.videos, resamples, [seed, 1])))
            drawn = kernel_distances(real, fake, of_real, of_fake)
        rule = "unbiased MMD^2, polynomial kernel of degree 3, gamma 1/d, coef 1, unscaled"
        return self._estimate(value, drawn, confidence, None, rule)


def kernel(
    real: Any, fake: Any, network: str, *, confidence: float = 0.95, resamples: int = 200, seed: int = 0
) -> Estimate:
    """The kernel distance between two sets of features, with its name and interval; all as `KernelDistance`."""
    box = KernelDistance(network)
    box.update(real, fake)
    return box.compute(confidence=confidence, resamples=resamples, seed=seed)
