"""A video as a small block of code numbers: a 3D convolutional autoencoder with a vector quantiser in its middle.

Source: the 3D VQ-GAN of Ge et al. (TATS, arXiv 2204.03638, section 2.1 and supplement A.3), without its discriminators.
Nothing but convolutions looks along time, so what a code depends on, and what it decides, is bounded by `reach`. The
one norm that looks further is a batch norm before the quantiser, with running statistics wherever it is not trained: it
spreads the vectors around, which otherwise all start in one direction.
Shapes: (b, t, 3, h, w) video in [0, 1]; (b, s, y, x) numbers of the codes, s slices of t / s frames each.
"""

from __future__ import annotations

import math

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from reproductions.parts.quantise import VectorQuantiser

__all__ = ["VideoVQ", "foreground_weight"]


def foreground_weight(video: Tensor, weight: float, threshold: float = 0.08) -> Tensor:
    """`weight` where a pixel differs from its clip's median colour by more than `threshold` in some channel, else 1.

    video: (b, t, 3, h, w) to (b, t, 1, h, w). Small things on a plain ground are otherwise too cheap to leave out.
    """
    ground = video.transpose(1, 2).flatten(2).median(-1).values[:, None, :, None, None]
    apart = ((video - ground).abs() > threshold).any(2, keepdim=True)
    return torch.where(apart, weight, 1.0)


class Bottleneck(nn.Module):
    """x + W_3 SiLU(W_2 SiLU(W_1 norm(x))): W_2 is 3x3x3 between a quarter of the channels, W_1 and W_3 are 1x1x1; the
    norm divides each place by the root mean square of its channels, and knows of no other place.
    """

    def __init__(self, channels: int, padding: str) -> None:
        super().__init__()
        inner = max(1, channels // 4)
        self.narrow = nn.Conv3d(channels, inner, 1)
        self.near = nn.Conv3d(inner, inner, 3, padding=1, padding_mode=padding)
        self.widen = nn.Conv3d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x: (b, c, t, h, w)."""
        h = self.narrow(x * (x.square().mean(1, keepdim=True) + 1e-6).rsqrt())
        return x + self.widen(F.silu(self.near(F.silu(h))))


class VideoVQ(nn.Module):
    """Encoder, quantiser and decoder.

    strides: (time, space) of each convolution of the encoder, from the pixels inwards, each 1 or 2; channels: what it
    makes of its input; depth: how many blocks encoder and decoder each have where the codes are; codes: how many;
    code_channels: the length of a code; padding: "replicate" or "zeros", in every convolution that has any.
    """

    def __init__(
        self,
        channels: tuple[int, ...],
        strides: tuple[tuple[int, int], ...],
        codes: int,
        code_channels: int,
        depth: int = 2,
        padding: str = "replicate",
    ) -> None:
        super().__init__()
        self.depth = depth
        self.per_slice = math.prod(time for time, _ in strides)
        self.down = math.prod(space for _, space in strides)
        encoder: list[nn.Module] = []
        last = 3
        for c, (time, space) in zip(channels, strides, strict=True):
            # 4 to halve, 3 to keep: a border of 1 serves both
            size, stride = (2 + time, 2 + space, 2 + space), (time, space, space)
            encoder += [nn.Conv3d(last, c, size, stride, padding=1, padding_mode=padding), nn.SiLU()]
            last = c
        blocks = [Bottleneck(last, padding) for _ in range(2 * depth)]
        self.encoder = nn.Sequential(*encoder[:-1], *blocks[:depth], nn.Conv3d(last, code_channels, 1, bias=False))
        self.register_buffer("mean", torch.zeros(code_channels))
        self.register_buffer("variance", torch.zeros(code_channels))
        self.mean: Tensor
        self.variance: Tensor
        self.quantiser = VectorQuantiser(codes, code_channels, memory=0.9)  # hundreds of steps must do
        pixels = 3 * self.per_slice * self.down**2
        self.decoder = nn.Sequential(
            nn.Conv3d(code_channels, last, 3, padding=1, padding_mode=padding),
            *blocks[depth:],
            nn.Conv3d(last, pixels, 1),
        )

    @property
    def reach(self) -> int:
        """From how many slices to either side the decoder's frames of a slice can hear."""
        return 1 + self.depth

    def forward(self, video: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Video, t a multiple of `per_slice`: its reconstruction, not yet cut to [0, 1]; the encoder's vectors
        (b, s, y, x, c) and code numbers (b, s, y, x), as `VectorQuantiser.revive` takes them; the quantiser's loss.
        """
        z = self._vectors(video)
        mean, variance = z.mean((0, 1, 2, 3)), z.var((0, 1, 2, 3))
        new = 0.05 if self.variance.any() else 1.0  # the first batch counts in full
        self.mean.lerp_(mean.detach(), new)
        self.variance.lerp_(variance.detach(), new)
        z = (z - mean) * (variance + 1e-6).rsqrt()
        e, number, loss = self.quantiser(z)
        return self._frames(e), z, number, loss

    def encode(self, video: Tensor) -> Tensor:
        """The code numbers of a video, (b, s, y, x) int64."""
        z = (self._vectors(video) - self.mean) * (self.variance + 1e-6).rsqrt()
        return self.quantiser.nearest(z)

    def decode(self, number: Tensor) -> Tensor:
        """The video of code numbers, (b, t, 3, h, w) in [0, 1]."""
        return self._frames(self.quantiser.lookup(number)).clamp(0, 1)

    def _vectors(self, video: Tensor) -> Tensor:
        return rearrange(self.encoder(2 * video.transpose(1, 2) - 1), "b c s y x -> b s y x c")

    def _frames(self, e: Tensor) -> Tensor:
        x = self.decoder(rearrange(e, "b s y x c -> b c s y x"))
        r, q = self.per_slice, self.down
        return (rearrange(x, "b (c r p q) s y x -> b (s r) c (y p) (x q)", r=r, p=q, q=q) + 1) / 2
