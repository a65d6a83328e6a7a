"""Sets of flat feature maps, or planes: one image network for all of them, and an attention in which they meet.

Source: PVDM (arXiv 2302.07685), official code. Shapes: b batch, c channels, planes (b, c, h, w) of any sizes, or all
of them end to end as (b, c, positions).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reproductions.parts.diffusion import TimeEmbedding
from reproductions.parts.residual import ImageBlock
from reproductions.parts.transformer import Attention

__all__ = ["JointAttention", "PlaneBlock", "PlaneUNet", "Sizes", "each", "join", "split"]

Sizes = tuple[tuple[int, int], ...]
"""(h, w) of each plane."""


def join(planes: Sequence[Tensor]) -> Tensor:
    """z = flatten([z^s, z^h, z^w]): planes (b, c, h, w) to (b, c, positions)."""
    return torch.cat([plane.flatten(2) for plane in planes], 2)


def split(z: Tensor, sizes: Sizes) -> list[Tensor]:
    """The inverse of `join`: (b, c, positions) to planes (b, c, h, w) of `sizes`."""
    parts = z.split([h * w for h, w in sizes], 2)
    return [part.unflatten(2, size) for part, size in zip(parts, sizes, strict=True)]


class JointAttention(nn.Module):
    """z + attention(norm(z)) over all positions of all planes at once: here, and only here, the planes meet."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.norm, self.attend = nn.LayerNorm(channels), Attention(channels, heads)

    def forward(self, planes: list[Tensor]) -> list[Tensor]:
        """Planes (b, c, h, w) to the same."""
        z = join(planes).transpose(1, 2)
        h = self.norm(z)
        z = z + self.attend(h, h, None)
        return split(z.transpose(1, 2), tuple((p.shape[2], p.shape[3]) for p in planes))


def each(f: Callable[..., Tensor], planes: list[Tensor], *vectors: Tensor) -> list[Tensor]:
    """f with the same weights on every plane; planes of one size go through it together, which is faster."""
    if len({plane.shape for plane in planes}) > 1:
        return [f(plane, *vectors) for plane in planes]
    n = len(planes)
    return list(f(torch.cat(planes), *(vector.repeat(n, 1) for vector in vectors)).chunk(n))


class PlaneBlock(nn.Module):
    """A residual block on each plane, then, where `heads` is not 0, joint attention over all of them."""

    def __init__(self, inputs: int, outputs: int, vector: int, heads: int) -> None:
        super().__init__()
        self.block = ImageBlock(inputs, outputs, vector)
        self.meet = JointAttention(outputs, heads) if heads else None

    def forward(self, planes: list[Tensor], vector: Tensor) -> list[Tensor]:
        """Planes (b, inputs, h, w) to (b, outputs, h, w); vector: (b, ...)."""
        planes = each(self.block, planes, vector)
        return planes if self.meet is None else self.meet(planes)


class PlaneUNet(nn.Module):
    """One image U-Net with the same weights for every plane, and joint attention after every block of some levels.

    sizes: (h, w) of each plane, divisible by 2^(levels - 1); blocks: per level and direction; attend: levels with joint
    attention, from the first on. Three planes are PVDM's; S planes of H' x W' are a 3D grid of latents, which is what
    the paper compares its cost with.
    """

    def __init__(
        self, sizes: Sizes, inputs: int, outputs: int, channels: tuple[int, ...], blocks: int, heads: int, attend: int
    ) -> None:
        super().__init__()
        self.sizes, self.blocks = sizes, blocks
        vector = 2 * channels[-1]
        self.time = TimeEmbedding(vector)
        self.stem = nn.Conv2d(inputs, channels[0], 3, padding=1)
        # Which plane, and where in it: all else in the network is the same for all planes and places.
        self.place = nn.Parameter(torch.randn(channels[0], sum(h * w for h, w in sizes)) * 0.2)
        self.down, self.up, self.shrink, self.grow = (nn.ModuleList() for _ in range(4))
        for level, width in enumerate(channels):
            own = heads if level < attend else 0
            self.down.extend(PlaneBlock(width, width, vector, own) for _ in range(blocks))
            self.up.extend(PlaneBlock(2 * width, width, vector, own) for _ in range(blocks))
        for width, below in pairwise(channels):
            self.shrink.append(nn.Conv2d(width, below, 3, stride=2, padding=1))
            self.grow.append(nn.Conv2d(below, width, 3, padding=1))
        self.head = nn.Sequential(
            nn.GroupNorm(8, channels[0]), nn.SiLU(), nn.Conv2d(channels[0], outputs, 3, padding=1)
        )

    def forward(self, z: Tensor, t: Tensor) -> Tensor:
        """z: (b, inputs, positions), planes as `join` lays them; t: (b,) diffusion time. Returns (b, outputs, ...)."""
        temb = self.time(t)
        planes = split(join(each(self.stem, split(z, self.sizes))) + self.place, self.sizes)
        skips = []
        for n, block in enumerate(self.down):
            if n and n % self.blocks == 0:
                planes = each(self.shrink[n // self.blocks - 1], planes)
            planes = block(planes, temb)
            skips.append(planes)
        for n in reversed(range(len(self.up))):
            planes = self.up[n]([torch.cat(pair, 1) for pair in zip(planes, skips.pop(), strict=True)], temb)
            if n and n % self.blocks == 0:
                planes = [F.interpolate(plane, scale_factor=2.0, mode="nearest") for plane in planes]
                planes = each(self.grow[n // self.blocks - 1], planes)
        return join(each(self.head, planes))
