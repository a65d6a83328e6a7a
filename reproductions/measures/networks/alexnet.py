"""AlexNet (one-tower form, arXiv 1404.5997) with the linear weights of LPIPS v0.1 (Zhang and others, arXiv 1801.03924).

Layout of the files: torchvision's AlexNet (`features.0`, `.3`, `.6`, `.8`, `.10`, each with weight and bias;
`classifier.*` is not needed), and lpips' alex.pth (`lin0.model.1.weight` ... `lin4.model.1.weight`, (1, c, 1, 1)).

LPIPS is d(x, y) = sum_l 1/(H_l W_l) sum_hw sum_c w_lc (u_lchw(x) - u_lchw(y))^2, u the activations after each ReLU at
unit length over channels. The features here are sqrt(w_lc / (H_l W_l)) u_lchw, all in one vector, so that
d(x, y) = |features(x) - features(y)|^2.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kiloframe.errors import UserError
from reproductions.measures.networks.base import Extractor, pixels
from reproductions.measures.networks.files import fitted, read
from reproductions.measures.networks.table import WeightFile

__all__ = ["CHANNELS", "AlexNet", "read_linear"]

CHANNELS = (64, 192, 384, 256, 256)
"""Channels of the five layers."""
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""LPIPS v0.1's centring of colours in [-1, 1]."""
_EPSILON = 1e-10  # added to the length of an activation, as lpips does


class AlexNet(Extractor):
    """Frames (n, 3, h, w) to the vectors whose squared distance is LPIPS."""

    ignored = ("classifier.",)

    def __init__(self, linear: tuple[Tensor, ...]) -> None:
        """linear: the five layers' weights w (c,), none negative."""
        super().__init__()
        self.features = nn.ModuleDict(
            {
                "0": nn.Conv2d(3, 64, 11, stride=4, padding=2),
                "3": nn.Conv2d(64, 192, 5, padding=2),
                "6": nn.Conv2d(192, 384, 3, padding=1),
                "8": nn.Conv2d(384, 256, 3, padding=1),
                "10": nn.Conv2d(256, 256, 3, padding=1),
            }
        )
        for layer, w in enumerate(linear):
            self.register_buffer(f"linear{layer}", w, persistent=False)

    @classmethod
    def make(cls, *also: tuple[Path, WeightFile]) -> Self:
        """As `Extractor.make`; also: alex.pth."""
        linear = read_linear(*also[0])
        with torch.device("meta"):
            return cls(linear)

    def prepare(self, batch: Tensor) -> Tensor:
        """(n, 3, h, w): the colours in [-1, 1], centred as LPIPS v0.1 does; the size stays. Floats are not rounded:
        LPIPS is defined on them.

        Raises UserError for frames that are too small for the third layer to see anything.
        """
        if min(batch.shape[-2:]) < 31:
            h, w = batch.shape[-2:]
            raise UserError(f"LPIPS needs frames of at least 31x31 pixels, not {h}x{w}; enlarge them and say so")
        x = 2 * pixels(batch, eight_bit=False) - 1
        shift, scale = (torch.tensor(values)[:, None, None] for values in (SHIFT, SCALE))
        return (x - shift) / scale

    def layers(self, x: Tensor) -> list[Tensor]:
        """The five activations (n, c, h_l, w_l) of prepared frames."""
        found = []
        for name, convolution in self.features.items():
            x = F.relu(convolution(x))
            found.append(x)
            if name in ("0", "3"):
                x = F.max_pool2d(x, 3, 2)
        return found

    def forward(self, x: Tensor) -> Tensor:
        parts = []
        for layer, h in enumerate(self.layers(x)):
            unit = h / (h.square().sum(1, keepdim=True).sqrt() + _EPSILON)
            w = self.get_buffer(f"linear{layer}")[:, None, None]
            parts.append((unit * (w / (h.shape[2] * h.shape[3])).sqrt()).flatten(1))
        return torch.cat(parts, 1)


def read_linear(path: Path, weights: WeightFile) -> tuple[Tensor, ...]:
    """The five layers' linear weights (c,) from an alex.pth. Raises UserError for another layout, or a negative one."""
    names: Mapping[str, Tensor] = {f"lin{i}.model.1.weight": torch.empty(1, c, 1, 1) for i, c in enumerate(CHANNELS)}
    state = fitted(read(path, weights), names, path, weights)
    if any(bool((w < 0).any()) for w in state.values()):
        raise UserError(f"{path} holds negative linear weights, and LPIPS has none; expected {weights.fetch()}")
    return tuple(w.flatten() for w in state.values())
