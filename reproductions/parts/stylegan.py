"""What style-based generators share: modulated convolutions, a mapping network, a synthesis network, a halving block.

Source: StyleGAN2 as used by StyleGAN-V (arXiv 2112.14683, official code). Shapes use n images, c channels, s the width
of the content code w. Weights are drawn with the variance that keeps signals of unit size (He) and are not rescaled at
run time ("equalised learning rates"), resampling is bilinear, and there is no noise per pixel.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["GAIN", "Halve", "Mapping", "ModulatedConv", "Synthesis", "leaky"]

GAIN = math.sqrt(2)
"""Brings what `leaky` lets through back to unit size, nearly."""


def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU of slope 0.2, times sqrt(2)."""
    return GAIN * F.leaky_relu(x, 0.2)


class ModulatedConv(nn.Module):
    """A convolution whose weights W are scaled per image by a style, and scaled back to unit size.

    w'_oik = s_i W_oik,   w''_oik = w'_oik / sqrt(sum_ik w'_oik^2 + 1e-8),   s = affine(w), about 1 at the start.
    Scaling the input channels by s and the output channels by the square root is the same, and needs one convolution
    for all images instead of one each. Without `demodulate` (for colours) the second step is left out.
    """

    def __init__(self, inside: int, outside: int, style: int, kernel: int = 3, demodulate: bool = True) -> None:
        super().__init__()
        self.demodulate = demodulate
        self.weight = nn.Parameter(torch.randn(outside, inside, kernel, kernel) / math.sqrt(inside * kernel**2))
        self.bias = nn.Parameter(torch.zeros(outside))
        self.affine = nn.Linear(style, inside)
        nn.init.normal_(self.affine.weight, std=0.1 / math.sqrt(style))  # weak at the start
        nn.init.ones_(self.affine.bias)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x: (n, inside, h, h); w: (n, style). Returns (n, outside, h, h)."""
        s = self.affine(w)
        y = F.conv2d(x * s[:, :, None, None], self.weight, padding=self.weight.shape[-1] // 2)
        if self.demodulate:
            size = s.square() @ self.weight.square().sum((2, 3)).T  # sum_i s_i^2 sum_k W_oik^2
            y = y * torch.rsqrt(size + 1e-8)[:, :, None, None]
        return y + self.bias[:, None, None]


class Mapping(nn.Module):
    """w = M(z): z brought to unit mean square, then fully connected layers."""

    def __init__(self, width: int, layers: int = 2) -> None:
        super().__init__()
        linear = [nn.Linear(width, width) for _ in range(layers)]
        self.layers = nn.ModuleList(linear)
        for layer in linear:
            nn.init.normal_(layer.weight, std=1 / math.sqrt(width))
            nn.init.zeros_(layer.bias)

    def forward(self, z: Tensor) -> Tensor:
        """(n, s) to (n, s)."""
        z = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
        for layer in self.layers:
            z = leaky(layer(z))
        return z


class Synthesis(nn.Module):
    """From a learned constant of 4x4, beside it a code repeated to 4x4, to an image: one convolution there, then for
    each further size bilinear doubling and two convolutions. The image is the sum of what every size adds, and linear.
    """

    def __init__(self, code: int, channels: tuple[int, ...], style: int) -> None:
        super().__init__()
        self.const = nn.Parameter(torch.randn(channels[0], 4, 4))
        self.first = ModulatedConv(channels[0] + code, channels[0], style)
        self.convs = nn.ModuleList(
            nn.ModuleList([ModulatedConv(a, b, style), ModulatedConv(b, b, style)])
            for a, b in itertools.pairwise(channels)
        )
        self.colours = nn.ModuleList(ModulatedConv(c, 3, style, 1, demodulate=False) for c in channels)

    def forward(self, v: Tensor, w: Tensor) -> Tensor:
        """v: (n, code); w: (n, style). Returns (n, 3, 4 2^m, 4 2^m), m = len(channels) - 1."""
        x = torch.cat([self.const.expand(len(v), -1, -1, -1), v[:, :, None, None].expand(-1, -1, 4, 4)], 1)
        x = leaky(self.first(x, w))
        image = self.colours[0](x, w)
        for pair, colour in zip(self.convs, self.colours[1:], strict=True):
            x = _double(x)
            for conv in pair:  # type: ignore[attr-defined]
                x = leaky(conv(x, w))
            image = _double(image) + colour(x, w)
        return image


class Halve(nn.Module):
    """A residual block of a discriminator: two convolutions at half the size, beside a linear way round them."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(inside, inside, 3, padding=1)
        self.two = nn.Conv2d(inside, outside, 3, padding=1)
        self.skip = nn.Conv2d(inside, outside, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inside, h, h) to (n, outside, h / 2, h / 2)."""
        y = leaky(self.two(F.avg_pool2d(leaky(self.one(x)), 2)))
        return (y + self.skip(F.avg_pool2d(x, 2))) / GAIN


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
