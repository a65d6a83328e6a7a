"""A video as a small block of code numbers: a 3D convolutional autoencoder with a vector quantiser in its middle.

Source: the 3D VQ-GAN of Ge et al. (TATS, arXiv 2204.03638, section 2.1 and supplement A.3), without its discriminators.
Nothing but convolutions looks along time, so what a code depends on, and what it decides, is bounded by `reach`; a norm
over a clip would carry news across it. Instead the first batch of training fixes a mean and a deviation of the vectors
before they are quantised, which otherwise all start in one direction and share one code. Blocks of plain ground have
code 0, always: left to themselves they carry news about their neighbours, which is hard to predict.
Shapes: (b, t, 3, h, w) video in [0, 1]; (b, s, y, x) numbers of the codes, s slices of t / s frames each.
"""

from __future__ import annotations

from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from reproductions.parts.quantise import VectorQuantiser

__all__ = ["Padding", "VideoVQ", "foreground_weight"]

Padding = Literal["replicate", "zeros"]


def foreground_weight(video: Tensor, weight: float, threshold: float = 0.08) -> Tensor:
    """`weight` where a pixel differs from its clip's median colour by more than `threshold` in some channel, else 1.

    video: (b, t, 3, h, w) to (b, t, 1, h, w). Small things on a plain ground are otherwise too cheap to leave out.
    """
    ground = video.transpose(1, 2).flatten(2).median(-1).values[:, None, :, None, None]
    apart = ((video - ground).abs() > threshold).any(2, keepdim=True)
    return torch.where(apart, weight, 1.0)


class Bottleneck(nn.Module):
    """x + W_3 SiLU(W_2 SiLU(W_1 norm(x))): W_2 is 3x3x3 between a third of the channels, W_1 and W_3 look at one place;
    the norm divides each place by the root mean square of its channels, and knows of no other place.
    """

    def __init__(self, channels: int, padding: Padding) -> None:
        super().__init__()
        inner = max(1, channels // 3)
        self.narrow, self.widen = nn.Linear(channels, inner), nn.Linear(inner, channels)
        self.near = Near(inner, inner, padding)

    def forward(self, x: Tensor) -> Tensor:
        """x: (b, s, y, x, c)."""
        h = self.narrow(x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt())
        return x + self.widen(F.silu(self.near(F.silu(h))))


class Near(nn.Conv3d):
    """A 3x3x3 convolution of (b, s, y, x, c), padded."""

    def __init__(self, inputs: int, outputs: int, padding: Padding) -> None:
        super().__init__(inputs, outputs, 3, padding=1, padding_mode=padding)

    def forward(self, x: Tensor) -> Tensor:
        """x: (b, s, y, x, c)."""
        return super().forward(x.permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1)


class VideoVQ(nn.Module):
    """Encoder, quantiser and decoder. The encoder begins with blocks of pixels, (time, space, space) each and one per
    code, and the decoder ends with them; `block` is (time, space).

    channels: of both in between; depth: how many blocks of convolutions each has in between; codes: how many;
    code_channels: the length of a code; padding: "replicate" or "zeros", in every convolution that has any.
    """

    def __init__(
        self,
        channels: int,
        block: tuple[int, int],
        codes: int,
        code_channels: int,
        depth: tuple[int, int],
        padding: Padding = "replicate",
    ) -> None:
        super().__init__()
        self.per_slice, self.down = block
        self.reach = 1 + depth[1]  # slices to either side that the decoder's frames of a slice can hear of
        pixels = 3 * self.per_slice * self.down**2
        self.encoder = nn.Sequential(
            nn.Linear(pixels, channels),
            *(Bottleneck(channels, padding) for _ in range(depth[0])),
            nn.Linear(channels, code_channels, bias=False),
        )
        self.register_buffer("mean", torch.zeros(code_channels))
        self.register_buffer("deviation", torch.zeros(code_channels))
        self.mean: Tensor
        self.deviation: Tensor
        self.quantiser = VectorQuantiser(codes, code_channels, memory=0.9)  # hundreds of steps must do
        self.decoder = nn.Sequential(
            Near(code_channels, channels, padding),
            *(Bottleneck(channels, padding) for _ in range(depth[1])),
            nn.Linear(channels, pixels),
        )

    def forward(self, video: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Video, t a multiple of `per_slice`: its reconstruction, not yet cut to [0, 1]; the encoder's vectors of what
        is not plain (n, c) and all code numbers (b, s, y, x), as `VectorQuantiser.revive` takes them; the quantiser's
        loss.
        """
        z, plain = self._vectors(video), self.plain(video)
        if not self.deviation.any():
            some = z.detach()[~plain]
            self.mean.copy_(some.mean(0))
            self.deviation.copy_(some.std(0) + 1e-6)
        z = self._spread(z, plain)
        e, number, loss = self.quantiser(z)
        return self._frames(e), z[~plain], number, loss

    def encode(self, video: Tensor) -> Tensor:
        """The code numbers of a video, (b, s, y, x) int64."""
        return self.quantiser.nearest(self._spread(self._vectors(video), self.plain(video)))

    def plain(self, video: Tensor) -> Tensor:
        """The blocks that show nothing but the clip's median colour: (b, s, y, x) bool."""
        return self.blocks(foreground_weight(video, 2.0)).amax(-1) == 1

    def _spread(self, z: Tensor, plain: Tensor) -> Tensor:
        """Vectors less the mean, over the deviation; code 0 itself where a block is plain."""
        z = (z - self.mean) / self.deviation.clamp(min=1e-6)
        first: Tensor = self.quantiser.lookup(plain.new_zeros((), dtype=torch.int64)).detach()
        return torch.where(plain[..., None], first, z)

    def decode(self, number: Tensor) -> Tensor:
        """The video of code numbers, (b, t, 3, h, w) in [0, 1]."""
        return self._frames(self.quantiser.lookup(number)).clamp(0, 1)

    def blocks(self, video: Tensor) -> Tensor:
        """(b, t, c, h, w) cut into what each code stands for: (b, s, y, x, numbers)."""
        r, q = self.per_slice, self.down
        return rearrange(video, "b (s r) c (y p) (x q) -> b s y x (c r p q)", r=r, p=q, q=q)

    def _vectors(self, video: Tensor) -> Tensor:
        found: Tensor = self.encoder(self.blocks(2 * video - 1))
        return found

    def _frames(self, e: Tensor) -> Tensor:
        r, q = self.per_slice, self.down
        x = rearrange(self.decoder(e), "b s y x (c r p q) -> b (s r) c (y p) (x q)", r=r, p=q, q=q)
        return (x + 1) / 2
