"""Contenders made ready: modules with fixed weights, and their units of work. Imports no compared library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.row import Built

__all__ = ["count", "greatest", "inferred", "randn", "trained"]


def randn(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal numbers, the same for every contender."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def count(module: nn.Module, *codebooks: Tensor) -> int:
    """How many numbers are learned: the parameters, and codebooks that a library keeps as buffers."""
    return sum(p.numel() for p in module.parameters()) + sum(c.numel() for c in codebooks)


def inferred(module: nn.Module, run: Callable[[], Any], *codebooks: Tensor) -> Built:
    """A unit without gradients, the module in evaluation mode."""
    module.eval()

    def once() -> Any:
        with torch.inference_mode():
            return run()

    return Built(once, count(module, *codebooks))


def trained(module: nn.Module, loss: Callable[[], Tensor], *codebooks: Tensor) -> Built:
    """One training step: loss, gradients, AdamW. The same optimiser for everyone."""
    module.train()
    optimiser = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=1e-4)

    def once() -> None:
        loss().backward()
        optimiser.step()
        optimiser.zero_grad()

    return Built(once, count(module, *codebooks))


def greatest(a: Tensor, b: Tensor) -> float:
    """The greatest difference between two results."""
    return float((a - b).abs().max())
