"""Counting floating point operations by torch's own formulas, with attention on the CPU, which they leave out."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count, shape_wrapper

__all__ = ["Counting"]


def _attention(q: Any, k: Any, v: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
    """Q K^T and its product with V: 4 b h n m d. All are given as shapes (b, h, n, d)."""
    return int(sdpa_flop_count(q, k, v))


def _attention_backward(grad: Any, q: Any, k: Any, v: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
    """Five such products instead of two: Q K^T is computed again, and each product has two gradients."""
    return int(sdpa_backward_flop_count(grad, q, k, v))


class Counting(TorchDispatchMode):
    """A context that counts what is computed within it; `total` tells. One multiplication and addition are two.

    Products of matrices, convolutions and attention are counted, forward and back; what works on single numbers (norms,
    activations, sums) is not, as is usual. torch's FlopCounterMode says the same where it can be used: it also asks
    which module each operation belongs to, and fails where a loss holds a gradient (penalties of discriminators).
    """

    def __init__(self) -> None:
        super().__init__()
        aten: Any = torch.ops.aten
        self.total = 0
        self._formulas: dict[Any, Any] = {
            **flop_registry,
            aten._scaled_dot_product_flash_attention_for_cpu: shape_wrapper(_attention),
            aten._scaled_dot_product_flash_attention_for_cpu_backward: shape_wrapper(_attention_backward),
        }

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        formula = self._formulas.get(func._overloadpacket)
        if formula is None and func is not torch.ops.prim.device.default:
            with self:  # what is a name for several operations is counted piece by piece
                out = func.decompose(*args, **kwargs)
            if out is not NotImplemented:
                return out
        out = func(*args, **kwargs)
        if formula is not None:
            self.total += int(formula(*args, **kwargs, out_val=out))
        return out
