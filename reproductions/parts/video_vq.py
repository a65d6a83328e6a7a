"""A video as a small block of code numbers: a 3D convolutional autoencoder with a vector quantiser in its middle.

Source: the 3D VQ-GAN of Ge et al. (TATS, arXiv 2204.03638, section 2.1 and supplement A.3), without its discriminators.
2D convolutions of pixels halve the sides of a frame until there is one place per code; the frames of a slice are joined
there, and 3x3x3 convolutions follow; the decoder is the mirror image. Nothing but convolutions looks along time, so
what a code depends on, and what it decides, is bounded by the depth; a norm over a clip would carry news across it.
Blocks of plain ground have code 0, always: left to themselves they carry news about their neighbours, which is hard to
predict. Shapes: (b, t, 3, h, w) video in [0, 1]; (b, s, y, x) numbers of the codes, s slices of t / s frames each.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from reproductions.parts.foreground import foreground_weight
from reproductions.parts.quantise import VectorQuantiser

__all__ = ["FAINT", "Padding", "VideoVQ"]

Padding = Literal["replicate", "zeros"]
FAINT = 0.08
"""What differs from its clip's median colour by no more is plain."""


class Near(nn.Conv3d):
    """A 3x3x3 convolution of (b, s, y, x, c), padded. Computed as one in space of three slices' channels: as it is on a
    CPU, that is several times faster."""

    def __init__(self, inputs: int, outputs: int, padding: Padding) -> None:
        super().__init__(inputs, outputs, 3, padding=1, padding_mode=padding)

    def forward(self, x: Tensor) -> Tensor:
        """x: (b, s, y, x, c)."""
        border = (x[:, :1], x[:, -1:])
        if self.padding_mode == "zeros":
            border = (torch.zeros_like(border[0]),) * 2
        wide = torch.cat([border[0], x, border[1]], 1)
        three = torch.cat([wide[:, :-2], wide[:, 1:-1], wide[:, 2:]], -1).flatten(0, 1).permute(0, 3, 1, 2)
        three = F.pad(three, (1,) * 4, mode="constant" if self.padding_mode == "zeros" else "replicate")
        weight = self.weight.transpose(1, 2).flatten(1, 2)
        return F.conv2d(three, weight, self.bias).permute(0, 2, 3, 1).unflatten(0, (len(x), -1))


class Bottleneck(nn.Module):
    """x + W_3 SiLU(W_2 SiLU(W_1 norm(x))): W_2 is 3x3x3 between a quarter of the channels, W_1 and W_3 look at one
    place; the norm divides each place by the root mean square of its channels, and knows of no other place.
    """

    def __init__(self, channels: int, padding: Padding) -> None:
        super().__init__()
        inner = max(1, channels // 4)
        self.narrow, self.widen = nn.Linear(channels, inner), nn.Linear(inner, channels)
        self.near = Near(inner, inner, padding)

    def forward(self, x: Tensor) -> Tensor:
        """x: (b, s, y, x, c)."""
        h = self.narrow(x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt())
        return x + self.widen(F.silu(self.near(F.silu(h))))


class Look(nn.Module):
    """Frames (b, t, 3, h, w) to (b, s, y, x, channels): 2x2 pixels become channels, and every width but the first comes
    with half the side of the one before."""

    def __init__(self, widths: Sequence[int], per_slice: int, channels: int, padding: Padding) -> None:
        super().__init__()
        self.per_slice = per_slice
        first, halved = widths[0], pairwise(widths)
        self.layers = nn.ModuleList(
            [_conv(12, first, padding), _conv(first, first, padding), *(_conv(a, b, padding, 2) for a, b in halved)]
        )
        self.join = nn.Linear(per_slice * widths[-1], channels)

    def forward(self, video: Tensor) -> Tensor:
        """video: in [-1, 1]."""
        x = F.pixel_unshuffle(video.flatten(0, 1), 2).contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            x = F.silu(layer(x))
        return self.join(rearrange(x, "(b s r) c y x -> b s y x (r c)", b=len(video), r=self.per_slice))


class Paint(nn.Module):
    """The mirror image of `Look`."""

    def __init__(self, widths: Sequence[int], per_slice: int, channels: int, padding: Padding) -> None:
        super().__init__()
        self.per_slice = per_slice
        first, doubled = widths[0], pairwise(reversed(widths))
        self.part = nn.Linear(channels, per_slice * widths[-1])
        self.up = nn.ModuleList(_conv(a, b, padding) for a, b in doubled)
        self.mix, self.out = _conv(first, first, padding), nn.Conv2d(first, 12, 3, padding=1, padding_mode=padding)

    def forward(self, x: Tensor) -> Tensor:
        """Video in [-1, 1], not cut."""
        b = len(x)
        x = rearrange(self.part(x), "b s y x (r c) -> (b s r) y x c", r=self.per_slice).permute(0, 3, 1, 2)
        for layer in self.up:
            x = layer(F.interpolate(F.silu(x), scale_factor=2.0))
        video: Tensor = F.pixel_shuffle(self.out(F.silu(self.mix(F.silu(x)))), 2).unflatten(0, (b, -1))
        return video


def _conv(inputs: int, outputs: int, padding: Padding, stride: int = 1) -> nn.Conv2d:
    """3x3, padded; weights as large as makes what comes out as large as what goes in."""
    layer = nn.Conv2d(inputs, outputs, 3, stride, 1, padding_mode=padding)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return layer


class VideoVQ(nn.Module):
    """Encoder, quantiser and decoder.

    widths: channels of the pixels' convolutions, from fine to coarse; each halves the side of the frame once, so there
    is one code per 2^len(widths) pixels' square and `per_slice` frames; channels: in between; depth: how many blocks of
    3x3x3 convolutions encoder and decoder have there; codes: how many; code_channels: the length of a code; padding:
    "replicate" or "zeros", in every convolution.
    """

    def __init__(
        self,
        widths: Sequence[int],
        per_slice: int,
        channels: int,
        codes: int,
        code_channels: int,
        depth: tuple[int, int],
        padding: Padding = "replicate",
    ) -> None:
        super().__init__()
        self.per_slice, self.down = per_slice, 2 ** len(widths)
        self.reach = 1 + depth[1]  # slices to either side that the decoder's frames of a slice can hear of
        self.encoder = nn.Sequential(
            Look(widths, per_slice, channels, padding),
            *(Bottleneck(channels, padding) for _ in range(depth[0])),
            nn.Linear(channels, code_channels, bias=False),
        )
        self.quantiser = VectorQuantiser(codes, code_channels, memory=0.9)  # hundreds of steps must do
        self.decoder = nn.Sequential(
            Near(code_channels, channels, padding),
            *(Bottleneck(channels, padding) for _ in range(depth[1])),
            Paint(widths, per_slice, channels, padding),
        )

    def forward(self, video: Tensor, *, snap: bool = True, revive: torch.Generator | None = None) -> tuple[Tensor, ...]:
        """Video, t a multiple of `per_slice`: its reconstruction, not yet cut to [0, 1]; the quantiser's loss.

        snap: False leaves the vectors as they are, of length 1, and the loss is 0. revive: says which vectors dead
        codes become, among the quarter that lies farthest from its codes; None: codes stay dead.
        """
        plain = self.plain(video)
        z = self._spread(self._vectors(video), plain)
        e, number, loss = self.quantiser(z)
        if revive is not None and not plain.all():
            far = (z - self.quantiser.lookup(number)).detach().square().sum(-1)[~plain].argsort(descending=True)
            self.quantiser.revive(z[~plain][far[: 1 + len(far) // 4]], number, revive)
        return (self._frames(e), loss) if snap else (self._frames(z), loss.new_zeros(()))

    def encode(self, video: Tensor) -> Tensor:
        """The code numbers of a video, (b, s, y, x) int64."""
        return self.quantiser.nearest(self._spread(self._vectors(video), self.plain(video)))

    def plain(self, video: Tensor) -> Tensor:
        """The blocks that show nothing but the clip's median colour: (b, s, y, x) bool."""
        r, q = self.per_slice, self.down
        weight = foreground_weight(video, 2.0, FAINT)
        return rearrange(weight, "b (s r) c (y p) (x q) -> b s y x (c r p q)", r=r, p=q, q=q).amax(-1) == 1

    def _spread(self, z: Tensor, plain: Tensor) -> Tensor:
        """Vectors of length 1; code 0 itself where a block is plain."""
        first: Tensor = self.quantiser.lookup(plain.new_zeros((), dtype=torch.int64)).detach()
        return torch.where(plain[..., None], first, F.normalize(z, dim=-1))

    def decode(self, number: Tensor) -> Tensor:
        """The video of code numbers, (b, t, 3, h, w) in [0, 1]."""
        return self._frames(self.quantiser.lookup(number)).clamp(0, 1)

    def _vectors(self, video: Tensor) -> Tensor:
        found: Tensor = self.encoder(2 * video - 1)
        return found

    def _frames(self, e: Tensor) -> Tensor:
        video: Tensor = self.decoder(e)
        return (video + 1) / 2
