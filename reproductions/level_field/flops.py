"""Counting floating point operations: torch's own counter, with attention on the CPU, which it leaves out."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

__all__ = ["counting"]


def counting() -> FlopCounterMode:
    """A context that counts; `get_total_flops()` tells. A multiplication and an addition are two operations.

    Products of matrices, convolutions and attention are counted, forward and back; what works on single numbers (norms,
    activations, sums) is not, as is usual.
    """
    aten = torch.ops.aten
    mapping: dict[Any, Any] = {
        aten._scaled_dot_product_flash_attention_for_cpu: _attention,
        aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
    }
    return FlopCounterMode(display=False, custom_mapping=mapping)


def _attention(q: Any, k: Any, v: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
    """Q K^T and its product with V: 4 b h n m d. All are given as shapes (b, h, n, d)."""
    return int(sdpa_flop_count(q, k, v))


def _attention_backward(grad: Any, q: Any, k: Any, v: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
    """Five such products instead of two: Q K^T is computed again, and each product has two gradients."""
    return int(sdpa_backward_flop_count(grad, q, k, v))
