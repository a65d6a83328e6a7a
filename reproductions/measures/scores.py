"""Scores that look at generated videos without true ones: the inception score, and how well frames fit a text.

Both are given a network's outputs; without that network they go by another name (see `names`).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.measures.accumulate import PerVideo
from reproductions.measures.check import embeddings, probabilities
from reproductions.measures.estimate import Description, Estimate, few, percentiles, resamples_of, shifted
from reproductions.measures.names import named, samples_advised

__all__ = ["InceptionScore", "TextSimilarity", "inception_score", "text_similarity", "text_similarity_per_frame"]

_SPLITS = 10


class InceptionScore:
    """Inception score over splits (Salimans et al. 2016; of videos, Saito et al. 2017): update, merge, compute.

    IS = exp(mean_x KL(p(y|x) || p(y))), p(y) the mean of p(y|x) inside the split; 0 log 0 counts as 0, no epsilon.
    The splits are consecutive runs of the clips in the order of their numbers, as in the first implementation.
    network: `names.C3D` makes it IS; any other name the inception score by that classifier.
    """

    def __init__(self, network: str, splits: int = _SPLITS) -> None:
        if splits < 1:
            raise UserError(f"an inception score has at least 1 split, not {splits}")
        self.network, self.splits = network, splits
        named("inception", network)
        self._rows: dict[int, NDArray[np.float64]] = {}

    def update(self, probabilities_: Any, first: int | None = None) -> None:
        """Add the classifier's probabilities (n, classes) of n clips.

        first: the number of the first of them in the whole sample; after those already here if not given. Give it
        where several processes share a sample. Raises UserError for what is no probabilities, or a number twice.
        """
        rows = probabilities(probabilities_)
        named("inception", self.network, rows.shape[1])
        if self._rows and rows.shape[1] != len(next(iter(self._rows.values()))):
            raise UserError(f"earlier clips have other classes than these {rows.shape[1]}")
        start = max(self._rows, default=-1) + 1 if first is None else first
        self._insert({start + n: row for n, row in enumerate(rows)})

    def _insert(self, new: dict[int, NDArray[np.float64]]) -> None:
        twice = self._rows.keys() & new.keys()
        if twice:
            raise UserError(f"clip {min(twice)} is there twice; give update the number of its first clip: first=...")
        self._rows.update(new)

    def merge(self, other: Self) -> Self:
        """A new score of all clips that either saw. Raises UserError for other settings, or a clip's number twice."""
        if (other.network, other.splits) != (self.network, self.splits):
            raise UserError("inception scores by another classifier, or over other splits, cannot be merged")
        made = type(self)(self.network, self.splits)
        made._insert(self._rows)
        made._insert(other._rows)
        return made

    def compute(self, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0) -> Estimate:
        """Mean over splits; the interval from resampling clips within each split, the standard deviation in settings.

        Raises UserError for fewer clips than splits.
        """
        if len(self._rows) < self.splits:
            raise UserError(f"{len(self._rows)} clips cannot be cut into {self.splits} splits; give fewer splits")
        p = np.stack([self._rows[n] for n in sorted(self._rows)])
        bounds = [n * len(p) // self.splits for n in range(self.splits + 1)]
        parts = [p[i:j] for i, j in pairwise(bounds)]
        scores = np.array([_score(part, np.ones((1, len(part))))[0] for part in parts])
        low = high = None
        if resamples and len(p) > 1:
            drawn = np.stack(
                [
                    np.concatenate([_score(part, w) for w in resamples_of(len(part), resamples, [seed, n])])
                    for n, part in enumerate(parts)
                ]
            ).mean(0)
            low, high = (float(end) for end in percentiles(shifted(drawn, scores.mean()), confidence))
        description = Description(
            named("inception", self.network, p.shape[1]), "", "higher",
            "exp of the mean KL within each split, then mean over splits",
            network=self.network, advised=samples_advised("inception"),
            extra=(
                ("splits", self.splits), ("standard deviation over splits", float(scores.std())),
                ("classes", p.shape[1]), ("zero probabilities", "0 log 0 = 0"),
            ),
        )  # fmt: skip
        how = (
            "bootstrap over clips within splits, percentiles less the bias of resampling, "
            f"{confidence:.0%}, {resamples} resamples"
        )
        return Estimate(
            float(scores.mean()), low, high, len(p), description.name, "", "higher", description.settings(None, how),
            few(len(p), description.advised),
        )  # fmt: skip


def _score(p: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(mean_x KL(p(y|x) || p(y))) of weighted sets: mean of sum p log p, less sum q log q with q the mean of p."""
    from scipy.special import xlogy

    share = weights / weights.sum(1, keepdims=True)
    q = share @ p
    found: NDArray[np.float64] = np.exp(share @ xlogy(p, p).sum(1) - xlogy(q, q).sum(1))
    return found


def inception_score(probabilities_: Any, network: str, splits: int = _SPLITS, *, seed: int = 0) -> Estimate:
    """The inception score of a classifier's probabilities (n, classes), in order; all as `InceptionScore`."""
    box = InceptionScore(network, splits)
    box.update(probabilities_)
    return box.compute(seed=seed)


def text_similarity_per_frame(frames: Any, texts: Any) -> NDArray[np.float64]:
    """cos(E_I(frame_t), E_T(text)) of every frame, (b, t), in [-1, 1].

    frames: embeddings (b, t, d); texts: (b, d). Raises UserError where they do not fit, for NaN and zero vectors.
    """
    e, p = embeddings(frames, "the frames' embeddings", "b t d"), embeddings(texts, "the texts' embeddings", "b d")
    if e.shape[0] != p.shape[0] or e.shape[2] != p.shape[1]:
        raise UserError(f"frames {e.shape} and texts {p.shape} must agree in number and width: (b, t, d) and (b, d)")
    return np.einsum("btd,bd->bt", unit_vectors(e, "a frame"), unit_vectors(p, "a text"))


def unit_vectors(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """The vectors scaled to length 1, along the last axis. Raises UserError for one that is zero."""
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    if not (length > 0).all():
        raise UserError(f"the embedding of {name} is the zero vector, which has no direction")
    return x / length


class TextSimilarity(PerVideo):
    """CLIPSIM, or what a stand-in encoder gives (GODIVA, Wu et al. 2021): update, merge, compute.

    (1/T) sum_t cos(E_I(frame_t), E_T(text)), then the mean over clips; a raw cosine times `scale`.
    network: `names.CLIP` makes it CLIPSIM.
    """

    def __init__(self, network: str, scale: float = 1.0) -> None:
        super().__init__()
        self.network, self.scale = network, scale
        self._name = named("text", network)

    def update(self, frames: Any, texts: Any, ids: Sequence[Hashable] | None = None) -> None:
        """Add embeddings as `text_similarity_per_frame` takes them; with `ids`, one per clip, of pieces of clips."""
        found = text_similarity_per_frame(frames, texts) * self.scale
        named("text", self.network, np.shape(texts)[1])
        self._add(found.sum(1), found.shape[1], found.shape[1], ids)

    def _settings(self) -> tuple[Any, ...]:
        return ("network", self.network, "scale", self.scale)

    def _describe(self) -> Description:
        return Description(
            self._name, "", "higher", "mean over frames, then over clips", network=self.network,
            advised=samples_advised("text"), extra=(("scale", self.scale),),
        )  # fmt: skip


def text_similarity(frames: Any, texts: Any, network: str, scale: float = 1.0, *, seed: int = 0) -> Estimate:
    """CLIPSIM, or a stand-in's text similarity, from embeddings (b, t, d) and (b, d); all as `TextSimilarity`."""
    box = TextSimilarity(network, scale)
    box.update(frames, texts)
    return box.compute(seed=seed)
