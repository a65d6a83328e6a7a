"""C3D (Tran and others, arXiv 1412.0767), fine-tuned on UCF-101: the classifier of the video Inception Score.

Layout of the file: conv3d_deepnetA_ucf.npz of TGANv2, a NumPy archive that Chainer wrote: `conv1a/W`, `conv1a/b`,
conv2a, conv3a, conv3b, conv4a, conv4b, conv5a, conv5b, fc6, fc7, fc8, each with W and b. The same names with `.weight`
and `.bias`, in a state dict or safetensors, are taken too. The mean clip is the array `mean` of mean2.npz,
(1 or none, 3, 16, 128, 171), blue first.

Rules read in pfnet-research/tgan2, tgan2/models/c3d/c3d_ucf101.py: videos in [-1, 1] become blue first and times 128;
frames are resized to 112x112 by Chainer's resize_images, which lays corner on corner; then + 128 - mean[..., 8:120,
8:120]. Pooling windows that reach over the edge count (Chainer's `cover_all`), so that 7 rows become 4. Dropout is off.
StyleGAN-V's c3d_ucf101.pt is a program (TorchScript) of the same network and is not taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kiloframe.errors import UserError
from reproductions.measures.networks.base import Extractor, pixels
from reproductions.measures.networks.files import read
from reproductions.measures.networks.table import WeightFile

__all__ = ["C3D", "read_mean"]

_CONVOLUTIONS = (
    ("conv1a", 3, 64), ("conv2a", 64, 128), ("conv3a", 128, 256), ("conv3b", 256, 256),
    ("conv4a", 256, 512), ("conv4b", 512, 512), ("conv5a", 512, 512), ("conv5b", 512, 512),
)  # fmt: skip
_POOLED = {"conv1a": (1, 2, 2), "conv2a": (2, 2, 2), "conv3b": (2, 2, 2), "conv4b": (2, 2, 2), "conv5b": (2, 2, 2)}


class C3D(Extractor):
    """Clips (n, 16, 3, h, w) to the probabilities of UCF-101's classes (n, 101)."""

    least = most = 16

    def __init__(self, mean: Tensor) -> None:
        """mean: (3, 16, 112, 112), blue first, values as of 0 to 255."""
        super().__init__()
        for name, inputs, outputs in _CONVOLUTIONS:
            self.add_module(name, nn.Conv3d(inputs, outputs, 3, padding=1))
        self.fc6, self.fc7, self.fc8 = nn.Linear(512 * 4 * 4, 4096), nn.Linear(4096, 4096), nn.Linear(4096, 101)
        self.register_buffer("mean", mean, persistent=False)

    @classmethod
    def make(cls, *also: tuple[Path, WeightFile]) -> Self:
        """As `Extractor.make`; also: mean2.npz."""
        mean = read_mean(*also[0])
        with torch.device("meta"):
            return cls(mean)

    @staticmethod
    def layout(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Chainer's `layer/W` and `layer/b` as `layer.weight` and `layer.bias`."""
        return {re.sub("/b$", ".bias", re.sub("/W$", ".weight", name)): value for name, value in state.items()}

    def prepare(self, batch: Tensor) -> Tensor:
        """(n, 3, 16, 112, 112): blue first, 0 to 256, not yet centred."""
        n, t = batch.shape[:2]
        frames = 256 * pixels(batch.flatten(0, 1)).flip(1)  # 128 (2 v - 1) + 128
        frames = F.interpolate(frames, (112, 112), mode="bilinear", align_corners=True)
        return frames.unflatten(0, (n, t)).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = x - self.get_buffer("mean")
        for name, _, _ in _CONVOLUTIONS:
            x = F.relu(self.get_submodule(name)(x))
            if name in _POOLED:
                x = F.max_pool3d(x, _POOLED[name], ceil_mode=True)
        x = F.relu(self.fc7(F.relu(self.fc6(x.flatten(1)))))
        return self.fc8(x).softmax(1)


def read_mean(path: Path, weights: WeightFile) -> Tensor:
    """The mean clip (3, 16, 112, 112) from a mean2.npz. Raises UserError where it holds no such array."""
    state = read(path, weights)
    mean = state.get("mean")
    shape = () if mean is None else tuple(mean.shape)
    if mean is None or shape[-4:] != (3, 16, 128, 171) or int(np.prod(shape[:-4])) != 1:
        raise UserError(f"{path} holds no array mean of shape (3, 16, 128, 171); expected {weights.fetch()}")
    return mean.reshape(3, 16, 128, 171)[:, :, 8:120, 8:120].to(torch.float32).contiguous()
