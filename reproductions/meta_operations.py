"""Operations of a training step of any size, counted on torch's meta device: no weights, no pixels, only shapes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from torch.fx.experimental import _config
from torch.utils._python_dispatch import TorchDispatchMode

from reproductions.contract import Batch, Reproduction
from reproductions.level_field.flops import Counting

__all__ = ["Assuming", "training_operations"]

_aten: Any = torch.ops.aten
_settings: Any = _config
_LARGEST = 64
"""Clips are drawn no larger than this; on the meta device they then get the size they should have."""


class Assuming(TorchDispatchMode):
    """A context in which tensors without values answer questions about their values.

    A loss may ask which codes are dead, or whether anything is in the foreground, and go on with what it finds. Here
    the answer to "is it so?" is yes, every number is 1, nothing occurs twice, all that could be chosen is chosen, and
    what is copied to the CPU is zeros there.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        packet, first = func._overloadpacket, args[0] if args else None
        if isinstance(first, torch.Tensor) and first.is_meta:
            if packet is _aten._local_scalar_dense:
                return True if first.dtype == torch.bool else 1 if not first.is_floating_point() else 1.0
            if packet is _aten._to_copy and kwargs.get("device") == torch.device("cpu"):
                return torch.zeros(first.shape, dtype=kwargs.get("dtype") or first.dtype)
            if packet is _aten.bincount:
                return torch.empty(max(1, int(args[2] if len(args) > 2 else kwargs.get("minlength", 0))), device="meta")
            if packet is _aten.unique_dim:
                order = torch.empty(first.shape[int(args[1])], dtype=torch.int64, device="meta")
                return torch.empty_like(first), order, torch.empty_like(order)
        return func(*args, **kwargs)


def training_operations(kind: type[Reproduction], config: Any) -> list[float]:
    """Floating point operations of one training step of each stage: the losses and the way back.

    Counted on two clips and taken times half the batch. What `Assuming` says is assumed, and attention is counted
    without what a fused one computes again on the way back. Raises NotImplementedError where a loss asks what a tensor
    without values cannot answer even so.
    """
    with torch.device("meta"):
        model = kind(config)
    counted = []
    for parts in model.stage_groups():
        clip: Any = _clips(model)
        clip = clip if clip.captions is not None or clip.poses is not None else clip.video
        chosen = _settings.patch(meta_nonzero_assume_all_nonzero=True)
        with chosen, Assuming(), Counting() as counter, torch.enable_grad():
            for part in parts:
                part.loss(clip, 0)["loss"].backward()
        counted.append(counter.total * (parts[0].batch or config.batch) / 2)
    return counted


def _clips(model: Reproduction) -> Batch:
    """Two clips on the meta device."""
    config = model.config
    model.config = dataclasses.replace(config, side=min(config.side, _LARGEST))
    try:
        drawn = Batch.of(model.clips(np.random.default_rng(0), 2)).to("meta")
    finally:
        model.config = config
    video = torch.empty(*drawn.video.shape[:-2], config.side, config.side, device="meta")
    return dataclasses.replace(drawn, video=video)
