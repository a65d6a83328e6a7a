"""Weights that keep small things on a plain ground from being too cheap to leave out."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["foreground_weight"]


def foreground_weight(video: Tensor, weight: float, threshold: float, ground: NDArray[Any] | None = None) -> Tensor:
    """`weight` where a pixel differs from the ground by more than `threshold` in some channel, else 1.

    video: (..., 3, h, w) to (..., 1, h, w), in the video's type; ground: its colour, three numbers; None for the median
    colour of each clip (b, t, 3, h, w).
    """
    if ground is None:
        colour = video.transpose(1, 2).flatten(2).median(-1).values[:, None, :, None, None]
    else:
        colour = torch.as_tensor(ground, dtype=video.dtype, device=video.device)[:, None, None]
    apart = ((video - colour).abs() > threshold).any(-3, keepdim=True)
    return torch.where(apart, weight, 1.0).to(video.dtype)
