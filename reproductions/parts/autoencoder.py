"""Convolutional autoencoders of single frames: pictures as grids of whole numbers, or of short vectors.

Sources: VQ-VAE (van den Oord et al., arXiv 1711.00937) and latent diffusion (Rombach et al., arXiv 2112.10752). Shapes:
(..., 3, h, w) frames in [0, 1]; (..., h', w') token numbers or (..., c, h', w') vectors, h' = h / 2^(levels - 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reproductions.parts.quantise import VectorQuantiser

__all__ = ["FrameAutoencoder", "LatentAutoencoder"]


class Block(nn.Module):
    """x + conv(silu(conv(silu(x)))), same size; kernel: 1 or 3 pixels wide."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.one, self.two = (nn.Conv2d(channels, channels, kernel, padding=kernel // 2) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """x: (b, c, h, w)."""
        return x + self.two(F.silu(self.one(F.silu(x))))


class FrameAutoencoder(nn.Module):
    """Frames to tokens and back. Every level but the first halves the side; `channels` gives the width of each.

    The encoder sees one patch at a time: what it says of a patch does not change with the neighbours, so that a frame
    that is decoded and encoded again mostly keeps its tokens. The decoder smooths over the seams with 3x3 convolutions.
    codes, code_channels: size of the codebook and of its vectors; blocks: residual blocks per level.
    """

    def __init__(self, channels: Sequence[int], codes: int, code_channels: int, blocks: int = 1) -> None:
        super().__init__()
        self.factor = 2 ** (len(channels) - 1)
        down: list[nn.Module] = [nn.Conv2d(3, channels[0], 1)]
        up: list[nn.Module] = [nn.Conv2d(channels[0], 3, 3, padding=1), nn.SiLU()]  # from the last layer to the first
        for level, width in enumerate(channels):
            if level:
                narrow = channels[level - 1]
                down += [nn.SiLU(), nn.Conv2d(narrow, width, 2, 2)]
                up.append(nn.ConvTranspose2d(width, narrow, 4, 2, 1))
            down += [Block(width, 1) for _ in range(blocks)]
            up += [Block(width, 3) for _ in range(blocks)]
        self.encoder = nn.Sequential(*down, nn.SiLU(), nn.Conv2d(channels[-1], code_channels, 1))
        self.decoder = nn.Sequential(nn.Conv2d(code_channels, channels[-1], 3, padding=1), *reversed(up))
        self.quantise = VectorQuantiser(
            codes, code_channels, memory=0.9
        )  # forgets in 10 steps: codes die, and revive, early

    def encode(self, frames: Tensor) -> Tensor:
        """Frames (..., 3, h, w) to token numbers (..., h', w') int64."""
        tokens = self.quantise.nearest(self._vectors(frames.reshape(-1, *frames.shape[-3:])))
        return tokens.view(*frames.shape[:-3], *tokens.shape[1:])

    def decode(self, tokens: Tensor) -> Tensor:
        """Token numbers (..., h', w') to frames (..., 3, h, w), cut to [0, 1]."""
        frames = self._frames(self.quantise.lookup(tokens.reshape(-1, *tokens.shape[-2:])))
        return frames.clamp(0, 1).view(*tokens.shape[:-2], *frames.shape[1:])

    def loss(self, frames: Tensor, generator: torch.Generator, colour: float = 0.0) -> dict[str, Tensor]:
        """Of frames (b, 3, h, w), means over all numbers: || d ||^2 + colour || d - grey(d) ||^2 + 0.1 L_VQ, with the
        difference d = x - D(e) and grey(d) its mean over the three channels: a tint is seen sooner than a shade.
        Revives dead codes as well, in training.

        generator: CPU; it says which vectors of the batch the dead codes become.
        """
        z = self._vectors(frames)
        e, number, quantisation = self.quantise(z)
        d = self._frames(e) - frames
        error, tint = d.square().mean(), (d - d.mean(1, keepdim=True)).square().mean()
        if self.training:
            self.quantise.revive(z, number, generator)
        return {"loss": error + colour * tint + 0.1 * quantisation, "error": error.detach()}

    def _vectors(self, frames: Tensor) -> Tensor:
        """(b, 3, h, w) to (b, h', w', code channels)."""
        return self.encoder(2 * frames - 1).movedim(1, -1)

    def _frames(self, e: Tensor) -> Tensor:
        """(b, h', w', code channels) to (b, 3, h, w), not cut."""
        return (self.decoder(e.movedim(-1, 1)) + 1) / 2


class LatentAutoencoder(nn.Module):
    """Frames to vectors z and back. All z have mean square 1, so that a diffusion model need not scale them, and noise
    added before decoding takes the place of latent diffusion's KL term: vectors that lie close mean alike pictures.

    channels: width of each level, every one but the first halves the side; latent: numbers per vector.
    """

    def __init__(self, channels: Sequence[int], latent: int) -> None:
        super().__init__()
        self.factor = 2 ** (len(channels) - 1)
        down: list[nn.Module] = [nn.Conv2d(3, channels[0], 3, padding=1)]
        up: list[nn.Module] = [nn.Conv2d(channels[0], 3, 3, padding=1)]  # from the last layer to the first
        for narrow, width in pairwise(channels):
            down += [nn.SiLU(), nn.Conv2d(narrow, width, 4, 2, 1)]
            up += [nn.SiLU(), nn.ConvTranspose2d(width, narrow, 4, 2, 1)]
        last = channels[-1]
        down += [nn.SiLU(), nn.Conv2d(last, last, 3, padding=1), nn.SiLU(), nn.Conv2d(last, latent, 1)]
        up += [nn.SiLU(), nn.Conv2d(last, last, 3, padding=1), nn.SiLU(), nn.Conv2d(latent, last, 3, padding=1)]
        self.encoder, self.decoder = nn.Sequential(*down), nn.Sequential(*reversed(up))

    def encode(self, frames: Tensor) -> Tensor:
        """Frames (..., 3, h, w) to z = sqrt(c) e / || e ||, (..., c, h', w')."""
        e = self.encoder(2 * frames.reshape(-1, *frames.shape[-3:]) - 1)
        z = e.shape[1] ** 0.5 * F.normalize(e, dim=1)
        return z.view(*frames.shape[:-3], *z.shape[1:])

    def decode(self, z: Tensor) -> Tensor:
        """z (..., c, h', w') to frames (..., 3, h, w), cut to [0, 1]."""
        frames = self._frames(z.reshape(-1, *z.shape[-3:])).clamp(0, 1)
        return frames.view(*z.shape[:-3], *frames.shape[1:])

    def loss(self, frames: Tensor, noise: float, generator: torch.Generator, weight: Tensor) -> dict[str, Tensor]:
        """The weighted mean of || x - D(E(x) + noise eps) ||^2 over frames x (b, 3, h, w) in [-1, 1].

        noise: its standard deviation; generator: CPU; weight: of each pixel, (b, 1, h, w).
        """
        z = self.encode(frames)
        z = z + noise * torch.randn(z.shape, generator=generator).to(z.device)
        d = self._frames(z) - frames
        loss = (weight * (2 * d).square()).mean() / weight.mean()
        return {"loss": loss, "error": d.detach().square().mean()}

    def _frames(self, z: Tensor) -> Tensor:
        """(b, c, h', w') to (b, 3, h, w), not cut."""
        return (self.decoder(z) + 1) / 2
