"""Intervals over seeds, and a distance between two sets of feature vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["frechet_distance", "frechet_of_moments", "interval", "mean"]


def mean(values: Any) -> float:
    """The mean of the values that are numbers; NaN where none is."""
    x = np.asarray(values, dtype=np.float64)
    return float(np.nanmean(x)) if not np.isnan(x).all() else float("nan")


def interval(values: Any, confidence: float = 0.95) -> tuple[float, float] | None:
    """Student's t interval for the mean of independent values; None for fewer than two.

    mean +- t_(n-1, (1 + confidence) / 2) s / sqrt(n), s the sample standard deviation (n - 1 in the denominator).
    """
    from scipy.special import stdtrit

    x = np.asarray(values, dtype=np.float64)
    if x.size < 2:
        return None
    half = float(stdtrit(x.size - 1, (1 + confidence) / 2)) * float(x.std(ddof=1)) / math.sqrt(x.size)
    return float(x.mean()) - half, float(x.mean()) + half


def frechet_distance(a: Any, b: Any) -> float:
    """|mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)), for features a (n, d) and b (m, d); n, m >= 2.

    The distance between the two Gaussians with the sets' means and covariances (n - 1 in the denominator). Its name
    must always say over which features: it is the Frechet Video Distance only over that measure's own network.
    `distances.frechet` gives it with its interval, and refuses sets that are too small for it.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    s_a, s_b = np.atleast_2d(np.cov(a, rowvar=False)), np.atleast_2d(np.cov(b, rowvar=False))
    return float(frechet_of_moments(a.mean(0), s_a, b.mean(0), s_b))


def frechet_of_moments(mean_a: Any, cov_a: Any, mean_b: Any, cov_b: Any) -> NDArray[np.float64]:
    """The Frechet distance between Gaussians: means (..., d), covariances (..., d, d); leading axes broadcast.

    The trace of the principal root of S_a S_b is that of (R S_b R)^(1/2) with R = S_a^(1/2), which is symmetric: its
    eigenvalues are real, so that there is no imaginary part to drop; those below zero by rounding count as zero, and
    so does a distance below zero.
    """
    m_a, s_a, m_b, s_b = (np.asarray(x, dtype=np.float64) for x in (mean_a, cov_a, mean_b, cov_b))
    values, vectors = np.linalg.eigh(s_a)
    root = (vectors * np.sqrt(values.clip(min=0))[..., None, :]) @ vectors.swapaxes(-1, -2)
    cross = np.sqrt(np.linalg.eigvalsh(root @ s_b @ root).clip(min=0)).sum(-1)
    traces = np.trace(s_a, axis1=-2, axis2=-1) + np.trace(s_b, axis1=-2, axis2=-1)
    found: NDArray[np.float64] = np.maximum(0.0, np.square(m_a - m_b).sum(-1) + traces - 2 * cross)
    return found
