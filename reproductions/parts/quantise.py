"""Vector quantisation: vectors snapped to the nearest of a learned set of codes, compared by direction.

Source: VQ-VAE (van den Oord et al., arXiv 1711.00937); unit-length codes as in ViT-VQGAN (Yu et al., arXiv 2110.04627),
which keeps more of them in use. Shapes: (..., c) vectors, (...) code numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["VectorQuantiser"]


class VectorQuantiser(nn.Module):
    """`codes` unit vectors of `channels` numbers. `usage` follows how often each code is taken, as a share of 1.

    beta: weight of the commitment, which keeps the encoder's vectors near their codes.
    """

    def __init__(self, codes: int, channels: int, beta: float = 0.25, memory: float = 0.98) -> None:
        super().__init__()
        self.beta, self.memory = beta, memory
        self.codebook = nn.Parameter(F.normalize(torch.randn(codes, channels), dim=-1))
        self.register_buffer("usage", torch.full((codes,), 1 / codes))
        self.usage: Tensor

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """z: (..., c). Returns the codes (..., c), whose gradient goes to z; their numbers (...); the loss

        L_VQ = || sg(z) - e ||^2 + beta || z - sg(e) ||^2,  z and e of length 1, mean over all vectors.
        """
        z = F.normalize(z, dim=-1)
        number = self._nearest(z)
        e = self.lookup(number)
        loss = (z.detach() - e).square().sum(-1).mean() + self.beta * (z - e.detach()).square().sum(-1).mean()
        return z + (e - z).detach(), number, loss

    def nearest(self, z: Tensor) -> Tensor:
        """The number of the code whose direction is nearest: (..., c) to (...) int64."""
        return self._nearest(F.normalize(z, dim=-1))

    def lookup(self, number: Tensor) -> Tensor:
        """The codes of numbers: (...) to (..., c), length 1."""
        return F.normalize(F.embedding(number, self.codebook), dim=-1)

    def _nearest(self, z: Tensor) -> Tensor:
        return (z @ F.normalize(self.codebook, dim=-1).T).argmax(-1)  # |z - e|^2 = 2 - 2 z.e for unit vectors

    @torch.no_grad()
    def revive(self, z: Tensor, number: Tensor, generator: torch.Generator, least: float = 0.02) -> int:
        """Move codes that are hardly taken onto vectors of the batch, and remember what was taken. Returns how many.

        z: (..., c), number: (...) as `forward` gave it. A code is dead when its usage, averaged over about
        1 / (1 - memory) calls, falls below `least` times the even share 1 / codes. To be called once per training step:
        a code that is never nearest gets no gradient, and would stay where it is for ever.
        """
        codes = len(self.codebook)
        taken = torch.bincount(number.flatten(), minlength=codes) / number.numel()
        self.usage.lerp_(taken.to(self.usage), 1 - self.memory)
        dead = (self.usage < least / codes).nonzero().squeeze(-1)
        if len(dead):
            z = F.normalize(z.detach().flatten(0, -2), dim=-1)
            pick = torch.randint(len(z), (len(dead),), generator=generator).to(z.device)
            self.codebook[dead] = z[pick]
            self.usage[dead] = 1 / codes
        return len(dead)
