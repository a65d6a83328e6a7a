"""The arithmetic of LPIPS: a weighted distance between the layers of a network, given its features.

The network itself is not here (see `reproductions.measures.networks`); with any other trunk than LPIPS's own the result
is called a perceptual distance over that trunk's features.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.measures.accumulate import PerVideo
from reproductions.measures.check import embeddings
from reproductions.measures.estimate import Description, Estimate
from reproductions.measures.names import LPIPS_WIDTHS, named

__all__ = ["PerceptualDistance", "perceptual_distance", "perceptual_per_frame", "squared_distance_per_frame"]


def perceptual_per_frame(
    real: Sequence[Any], fake: Sequence[Any], weights: Sequence[Any] | None = None
) -> NDArray[np.float64]:
    """d(x, y) = sum_l mean_{h,w} sum_c w_{l,c} (f^l_c(x) - f^l_c(y))^2 of every frame, (b, t) (Zhang et al. 2018).

    real, fake: one array (b, t, c_l, h_l, w_l) per layer; the features of each position are first scaled to length 1
    over the channels (a zero vector stays zero). weights: one vector (c_l,) of numbers from 0 per layer; ones if not
    given. Raises UserError where layers, shapes or weights do not fit, and for NaN.
    """
    if not real or len(real) != len(fake) or (weights is not None and len(weights) != len(real)):
        have = "none" if weights is None else len(weights)
        raise UserError(f"real, fake and weights must have as many layers: {len(real)}, {len(fake)} and {have}")
    total: NDArray[np.float64] | None = None
    for n, (of_real, of_fake) in enumerate(zip(real, fake, strict=True)):
        x = embeddings(of_real, f"layer {n} of the real frames", "b t c h w")
        y = embeddings(of_fake, f"layer {n} of the fake frames", "b t c h w")
        if x.shape != y.shape or (total is not None and total.shape != x.shape[:2]):
            raise UserError(
                f"layer {n} is {x.shape} for the real frames and {y.shape} for the fake ones; they must agree"
            )
        w = np.ones(x.shape[2]) if weights is None else embeddings(weights[n], f"the weights of layer {n}", "c")
        if w.shape != x.shape[2:3] or (w < 0).any():
            raise UserError(f"layer {n} needs {x.shape[2]} weights from 0, one per channel; there are {w.shape[0]}")
        far = np.einsum("btchw,c->bthw", np.square(_unit(x) - _unit(y)), w).mean((2, 3))
        total = far if total is None else total + far
    assert total is not None
    return total


def _unit(x: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.sqrt(np.square(x).sum(2, keepdims=True))
    return x / np.where(length > 0, length, 1)


def squared_distance_per_frame(real: Any, fake: Any) -> NDArray[np.float64]:
    """|x - y|^2 of every frame, (b, t), for vectors (b, t, d) that hold layers and weights already.

    `perceptual_per_frame` as one sum: layer by layer the unit features times sqrt(w / (h w)), all in one vector, as
    `reproductions.measures.networks` gives them. Raises UserError where the shapes differ, and for NaN.
    """
    x, y = embeddings(real, "the real features", "b t d"), embeddings(fake, "the fake features", "b t d")
    if x.shape != y.shape:
        raise UserError(f"the real features are {x.shape} and the fake ones {y.shape}; they must agree")
    found: NDArray[np.float64] = np.square(x - y).sum(2)
    return found


class PerceptualDistance(PerVideo):
    """LPIPS, or what a stand-in trunk gives, over videos in pieces: update, merge, compute.

    network: "alexnet", "vgg16" or "squeezenet" with the linear weights v0.1 make it LPIPS; any other name a perceptual
    distance over that network's features. weights: as `perceptual_per_frame` takes them.
    """

    def __init__(self, network: str, weights: Sequence[Any] | None = None) -> None:
        super().__init__()
        self.network, self.weights = network, weights
        self._name = named("perceptual", network)

    def update(self, real: Any, fake: Any, ids: Sequence[Hashable] | None = None) -> None:
        """Add features of pairs of videos; with `ids`, one per video, of pieces of videos.

        real, fake: a list of layers, as `perceptual_per_frame` takes them, or one array (b, t, d) of vectors that
        hold layers and weights already. Raises UserError for LPIPS without weights for each of the trunk's layers.
        """
        if isinstance(real, list | tuple):
            widths = LPIPS_WIDTHS.get(self.network)
            given = None if self.weights is None else tuple(np.size(w) for w in self.weights)
            if widths is not None and given != widths:
                raise UserError(f"LPIPS over {self.network} has linear weights for {widths} channels, not {given}")
            found = perceptual_per_frame(real, fake, self.weights)
        else:
            found = squared_distance_per_frame(real, fake)
        self._add(found.sum(1), found.shape[1], found.shape[1], ids)

    def _settings(self) -> tuple[Any, ...]:
        weights = None if self.weights is None else tuple(tuple(np.asarray(w).tolist()) for w in self.weights)
        return ("network", self.network, "weights", weights)

    def _describe(self) -> Description:
        reduction = "mean over positions, sum over layers, mean over frames, then over videos"
        return Description(self._name, "", "lower", reduction, network=self.network)


def perceptual_distance(
    real: Any, fake: Any, network: str, weights: Sequence[Any] | None = None, *, seed: int = 0
) -> Estimate:
    """LPIPS, or a stand-in's perceptual distance, from features: mean over frames, then over videos.

    All else as `PerceptualDistance`.
    """
    box = PerceptualDistance(network, weights)
    box.update(real, fake)
    return box.compute(seed=seed)
