"""Intervals over seeds, and a distance between two sets of feature vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["frechet_distance", "interval"]


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
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    s_a, s_b = np.atleast_2d(np.cov(a, rowvar=False)), np.atleast_2d(np.cov(b, rowvar=False))
    # tr((S_a S_b)^(1/2)) = tr((R S_b R)^(1/2)) with R = S_a^(1/2): symmetric, so that eigenvalues stay real
    values, vectors = np.linalg.eigh(s_a)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ s_b @ root).clip(min=0)).sum()
    return float(max(0.0, np.square(a.mean(0) - b.mean(0)).sum() + np.trace(s_a) + np.trace(s_b) - 2 * cross))
