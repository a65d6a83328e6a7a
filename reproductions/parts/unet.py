"""A small (2+1)D U-Net over any set of frames of one video: space by convolution, time by true frame indices.

Shapes: b batch, t frames, c channels, h height, w width. `index` (b, t) holds true frame indices in rising order.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from reproductions.parts.attention import SpaceTimeAttention
from reproductions.parts.diffusion import TimeEmbedding

__all__ = ["SpaceTimeUNet", "TrueTimeConv"]


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(8, channels)


class TrueTimeConv(nn.Module):
    """A temporal convolution of width 3 over the frames at hand, weighed by how far apart they truly are:

    y_i = x_i + g(d_i) W_- x_(i-1) + g(d_(i+1)) W_+ x_(i+1),   d_i = idx_i - idx_(i-1) >= 1,

    with a learned gate g per channel. On consecutive frames (d = 1) it is an ordinary zero-padded convolution; only
    distances matter, not where the frames lie.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.neighbours = nn.Conv2d(channels, 2 * channels, 1, bias=False)
        self.gate = nn.Sequential(nn.Linear(2, 32), nn.SiLU(), nn.Linear(32, channels))

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        """x: (b, t, c, h, w); index: (b, t), rising."""
        b, t = index.shape
        before, after = rearrange(self.neighbours(x.flatten(0, 1)), "(b t) (n c) h w -> n b t c h w", b=b, t=t, n=2)
        d = (index[:, 1:] - index[:, :-1]).to(x.dtype)
        g = self.gate(torch.stack([d.log(), (d == 1).to(x.dtype)], -1))[..., None, None]
        from_before = F.pad(before[:, :-1] * g, (0, 0, 0, 0, 0, 0, 1, 0))
        from_after = F.pad(after[:, 1:] * g, (0, 0, 0, 0, 0, 0, 0, 1))
        return x + from_before + from_after


class Block(nn.Module):
    """Residual block: spatial convolution, true-time convolution, scale and shift by diffusion time, convolution."""

    def __init__(self, inputs: int, outputs: int, time_channels: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = _norm(inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time_conv = TrueTimeConv(outputs)
        self.film = nn.Linear(time_channels, 2 * outputs)
        self.norm2, self.conv2 = _norm(outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias if self.conv2.bias is not None else torch.empty(0))

    def forward(self, x: Tensor, index: Tensor, temb: Tensor) -> Tensor:
        """x: (b, t, c, h, w)."""
        b, t = index.shape
        h = self.conv1(F.silu(self.norm1(x.flatten(0, 1))))
        h = self.time_conv(h.unflatten(0, (b, t)), index).flatten(0, 1)
        scale, shift = self.film(F.silu(temb)).repeat_interleave(t, 0)[..., None, None].chunk(2, 1)
        h = self.conv2(F.silu(self.norm2(h) * (1 + scale) + shift))
        return (self.skip(x.flatten(0, 1)) + h).unflatten(0, (b, t))


class Attend(nn.Module):
    """Attention on feature maps: per position over time (`full=False`), or over all positions of all frames."""

    def __init__(self, channels: int, heads: int, time_channels: int, side: int, full: bool) -> None:
        super().__init__()
        self.full = full
        self.attention = SpaceTimeAttention(channels, heads, time_channels, positions=side * side if full else 1)

    def forward(self, x: Tensor, index: Tensor, temb: Tensor) -> Tensor:
        """x: (b, t, c, h, w)."""
        h, w = x.shape[-2:]
        if self.full:
            y = self.attention(rearrange(x, "b t c h w -> b 1 t (h w) c"), index, temb)
            return rearrange(y, "b 1 t (h w) c -> b t c h w", h=h, w=w)
        y = self.attention(rearrange(x, "b t c h w -> b (h w) t 1 c"), index, temb)
        return rearrange(y, "b (h w) t 1 c -> b t c h w", h=h, w=w)


class SpaceTimeUNet(nn.Module):
    """Levels of one block down and one up; attention over time from `attention_level` on, full at the last level.

    inputs/outputs: channels of a frame in and out; side: height = width of a frame in pixels, divisible by
    2^(levels - 1).
    """

    def __init__(
        self, inputs: int, outputs: int, side: int, channels: tuple[int, ...], heads: int = 4, attention_level: int = 1
    ) -> None:
        super().__init__()
        time_channels = 2 * channels[-1]
        self.time = TimeEmbedding(time_channels)
        self.stem = nn.Conv2d(inputs, channels[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        self.down_attend, self.up_attend = nn.ModuleList(), nn.ModuleList()
        self.shrink, self.grow = nn.ModuleList(), nn.ModuleList()
        last = len(channels) - 1
        for level, width in enumerate(channels):
            below = channels[level + 1] if level < last else width

            def attend(level: int = level, width: int = width) -> nn.Module | None:
                if level < attention_level:
                    return None
                return Attend(width, heads, time_channels, side >> level, full=level == last)

            self.down.append(Block(width, width, time_channels))
            self.up.append(Block(2 * width, width, time_channels))
            self.down_attend.append(attend() or nn.Identity())
            self.up_attend.append(attend() or nn.Identity())
            if level < last:
                self.shrink.append(nn.Conv2d(width, below, 3, stride=2, padding=1))
                self.grow.append(nn.Conv2d(below, width, 3, padding=1))
        self.head = nn.Sequential(_norm(channels[0]), nn.SiLU(), nn.Conv2d(channels[0], outputs, 3, padding=1))

    def forward(self, x: Tensor, index: Tensor, t: Tensor) -> Tensor:
        """x: (b, t, inputs, side, side); index: (b, t) rising true frame indices; t: (b,) diffusion time in [0, 1]."""
        b = len(x)
        temb = self.time(t)
        x = self.stem(x.flatten(0, 1)).unflatten(0, (b, -1))
        skips = []
        for level, block in enumerate(self.down):
            x = _attend(self.down_attend[level], block(x, index, temb), index, temb)
            skips.append(x)
            if level < len(self.shrink):
                x = self.shrink[level](x.flatten(0, 1)).unflatten(0, (b, -1))
        for level in reversed(range(len(self.up))):
            x = self.up[level](torch.cat([x, skips.pop()], 2), index, temb)
            x = _attend(self.up_attend[level], x, index, temb)
            if level > 0:
                x = F.interpolate(x.flatten(0, 1), scale_factor=2.0, mode="nearest")
                x = self.grow[level - 1](x).unflatten(0, (b, -1))
        return self.head(x.flatten(0, 1)).unflatten(0, (b, -1))


def _attend(module: nn.Module, x: Tensor, index: Tensor, temb: Tensor) -> Tensor:
    return module(x, index, temb) if isinstance(module, Attend) else x
