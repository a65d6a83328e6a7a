"""Inception-v3 as the FID uses it (Szegedy and others, arXiv 1512.00567; Heusel and others, arXiv 1706.08500).

Layout of the file: torchvision's names (`Conv2d_1a_3x3` ... `Mixed_7c`, in each `branch...` with `conv.weight` and
`bn.*`, and a last layer `fc` of 1008 classes that is not needed), as in pytorch-fid's
pt_inception-2015-12-05-6726825d.pth. Its weights are TensorFlow's graph of 2015-12-05, which differs from torchvision's
own Inception in three places (mseitzer/pytorch-fid, src/pytorch_fid/inception.py): averages leave the padding out, the
very last block pools by maximum, and the weights are others. torchvision's own file also holds `AuxLogits` and is
refused.

Input: bilinear resize to 299x299 by half-pixel centres, without antialiasing, as pytorch-fid does.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reproductions.measures.networks.base import Extractor, pixels

__all__ = ["InceptionV3"]


class Step(NamedTuple):
    """One convolution in a branch: the name's ending, its channels and kernel (rows, columns). Stride 1 keeps the
    size, stride 2 pads nothing."""

    name: str
    channels: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1


Branch = tuple[Step | tuple[Step, Step], ...]
"""Convolutions one after another; a pair stands for two that both read what came before and are joined."""
Pool = Literal["mean", "max", "halve"]


class Conv(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, step: Step, padding: tuple[int, int] | None = None) -> None:
        super().__init__()
        same = (step.kernel[0] // 2, step.kernel[1] // 2) if step.stride == 1 else (0, 0)
        self.conv = nn.Conv2d(inputs, step.channels, step.kernel, step.stride, padding or same, bias=False)
        self.bn = nn.BatchNorm2d(step.channels, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class Mixed(nn.Module):
    """Branches side by side, and one that pools. pooled: channels of the convolution after pooling; 0 for none."""

    def __init__(self, inputs: int, branches: tuple[Branch, ...], pool: Pool, pooled: int) -> None:
        super().__init__()
        self.branches, self.pool = branches, pool
        self.outputs = pooled or inputs
        for branch in branches:
            channels = inputs
            for step in branch:
                pair = step if isinstance(step[0], Step) else (step,)
                for one in pair:
                    self.add_module(f"branch{one.name}", Conv(channels, one))
                channels = sum(one.channels for one in pair)
            self.outputs += channels
        if pooled:
            self.branch_pool = Conv(inputs, Step("_pool", pooled))

    def forward(self, x: Tensor) -> Tensor:
        found = []
        for branch in self.branches:
            h = x
            for step in branch:
                pair = step if isinstance(step[0], Step) else (step,)
                h = torch.cat([self.get_submodule(f"branch{one.name}")(h) for one in pair], 1)
            found.append(h)
        if self.pool == "halve":
            return torch.cat([*found, F.max_pool2d(x, 3, 2)], 1)
        mean = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False) if self.pool == "mean" else F.max_pool2d(x, 3, 1, 1)
        return torch.cat([*found, self.branch_pool(mean)], 1)


_ROW, _COLUMN = (1, 7), (7, 1)


def _block_a(inputs: int, pooled: int) -> Mixed:
    five = (Step("5x5_1", 48), Step("5x5_2", 64, (5, 5)))
    three = (Step("3x3dbl_1", 64), Step("3x3dbl_2", 96, (3, 3)), Step("3x3dbl_3", 96, (3, 3)))
    return Mixed(inputs, ((Step("1x1", 64),), five, three), "mean", pooled)


def _block_b(inputs: int) -> Mixed:
    three = (Step("3x3dbl_1", 64), Step("3x3dbl_2", 96, (3, 3)), Step("3x3dbl_3", 96, (3, 3), 2))
    return Mixed(inputs, ((Step("3x3", 384, (3, 3), 2),), three), "halve", 0)


def _block_c(inputs: int, c: int) -> Mixed:
    seven = (Step("7x7_1", c), Step("7x7_2", c, _ROW), Step("7x7_3", 192, _COLUMN))
    twice = (
        Step("7x7dbl_1", c),
        Step("7x7dbl_2", c, _COLUMN),
        Step("7x7dbl_3", c, _ROW),
        Step("7x7dbl_4", c, _COLUMN),
        Step("7x7dbl_5", 192, _ROW),
    )
    return Mixed(inputs, ((Step("1x1", 192),), seven, twice), "mean", 192)


def _block_d(inputs: int) -> Mixed:
    seven = (Step("7x7x3_1", 192), Step("7x7x3_2", 192, _ROW), Step("7x7x3_3", 192, _COLUMN))
    three = (Step("3x3_1", 192), Step("3x3_2", 320, (3, 3), 2))
    return Mixed(inputs, (three, (*seven, Step("7x7x3_4", 192, (3, 3), 2))), "halve", 0)


def _block_e(inputs: int, pool: Pool) -> Mixed:
    three = (Step("3x3_1", 384), (Step("3x3_2a", 384, (1, 3)), Step("3x3_2b", 384, (3, 1))))
    double = (
        Step("3x3dbl_1", 448),
        Step("3x3dbl_2", 384, (3, 3)),
        (Step("3x3dbl_3a", 384, (1, 3)), Step("3x3dbl_3b", 384, (3, 1))),
    )
    return Mixed(inputs, ((Step("1x1", 320),), three, double), pool, 192)


class InceptionV3(Extractor):
    """Frames (n, 3, h, w) to 2048 numbers: pool3, the mean over positions after the last block."""

    ignored = ("fc.",)

    def __init__(self, side: int = 299) -> None:
        """side: pixels that frames are resized to; anything but 299 is for tests (75 is the least that works)."""
        super().__init__()
        self.side = side
        self.Conv2d_1a_3x3 = Conv(3, Step("", 32, (3, 3), 2))
        self.Conv2d_2a_3x3 = Conv(32, Step("", 32, (3, 3)), padding=(0, 0))
        self.Conv2d_2b_3x3 = Conv(32, Step("", 64, (3, 3)))
        self.Conv2d_3b_1x1 = Conv(64, Step("", 80))
        self.Conv2d_4a_3x3 = Conv(80, Step("", 192, (3, 3)), padding=(0, 0))
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _block_a(192, 32), _block_a(256, 64), _block_a(288, 64)
        self.Mixed_6a = _block_b(288)
        self.Mixed_6b, self.Mixed_6c = _block_c(768, 128), _block_c(768, 160)
        self.Mixed_6d, self.Mixed_6e = _block_c(768, 160), _block_c(768, 192)
        self.Mixed_7a = _block_d(768)
        self.Mixed_7b, self.Mixed_7c = _block_e(1280, "mean"), _block_e(2048, "max")

    def prepare(self, batch: Tensor) -> Tensor:
        """(n, 3, side, side) in [-1, 1]."""
        frames = F.interpolate(pixels(batch), (self.side, self.side), mode="bilinear", align_corners=False)
        return 2 * frames - 1

    def forward(self, x: Tensor) -> Tensor:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = F.max_pool2d(x, 3, 2)
        for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"):
            x = self.get_submodule(f"Mixed_{name}")(x)
        return x.mean((2, 3))
