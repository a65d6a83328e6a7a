"""Around StyleGAN-V's motion code: noise without end, and two codes to compare it with, an LSTM that is unrolled and
plain sinusoids of time.

Both answer what the method's own code answers: times (b, k) in frames, a source of noise and, for what runs in order,
the state it left off with; they return the codes (b, k, v) and the new state. Noise(first, count) gives the vectors
number first to first + count - 1 of every video, first (b,), as (b, count, c).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["EndlessNoise", "LSTMMotion", "Noise", "PlainTime", "periods", "sinusoids"]

Noise = Callable[[Tensor, int], Tensor]

_BLOCK = 256  # frames unrolled at a time, so that memory does not grow with the way to a late frame
_DRAWN = 64  # vectors from one generator


def periods(shortest: float, longest: float, count: int) -> Tensor:
    """`count` periods in frames, log-spaced from the shortest to the longest, float64."""
    return torch.logspace(math.log2(shortest), math.log2(longest), count, base=2, dtype=torch.float64)


def sinusoids(angle: Tensor, period: Tensor) -> Tensor:
    """[g sin, g cos] of angles (..., n) as (..., 2 n), g = sqrt(period / longest): slow waves are louder."""
    gain = (period / period.max()).sqrt().float()
    return torch.cat([gain * angle.sin().float(), gain * angle.cos().float()], -1)


class PlainTime(nn.Module):
    """v_t = [g sin(f t), g cos(f t)]: the same for every video, and each pair comes round again after its period."""

    def __init__(self, count: int, between: tuple[float, float]) -> None:
        super().__init__()
        self.between, self.count = between, count

    def forward(self, t: Tensor, noise: Noise, state: Any = None) -> tuple[Tensor, Any]:
        """t: (b, k) float64. Returns v (b, k, 2 count) and nothing to go on from."""
        period = periods(*self.between, self.count).to(t.device)
        return sinusoids((2 * math.pi / period * t[..., None]) % (2 * math.pi), period), None


class LSTMMotion(nn.Module):
    """v_t = A h_t, (h_t, c_t) = LSTM(z_t, h_t-1, c_t-1), z_t ~ N(0, I): one step per frame, from nothing at frame 0.

    The recurrent code that StyleGAN-V is compared with. Between frames the code goes straight from one to the next.
    """

    def __init__(self, noise: int, hidden: int, outside: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(noise, hidden, batch_first=True)
        self.out = nn.Linear(hidden, outside)

    def forward(self, t: Tensor, noise: Noise, state: Any = None) -> tuple[Tensor, Any]:
        """t: (b, k). The state goes on where it was left, for times that lie no earlier; else all is unrolled anew."""
        left = t.floor().long()
        position, memory, last = state if state is not None else (0, None, None)
        if state is not None and int(left.min()) < position - 1:
            position, memory, last = 0, None, None
        final = int(left.max()) + 1
        found = torch.zeros(*t.shape, 2, self.out.out_features)
        while True:
            if last is not None:  # the code of frame position - 1 may still be asked for
                for side in (0, 1):
                    hit = left + side == position - 1
                    found[..., side, :] = torch.where(hit[..., None], self.out(last)[:, None], found[..., side, :])
            if position > final:
                break
            count = min(_BLOCK, final + 1 - position)
            h, memory = self.lstm(noise(torch.full((len(t),), position), count), memory)
            v = self.out(h)
            for side in (0, 1):
                place = (left + side - position).clamp(0, count - 1)
                inside = (left + side >= position) & (left + side < position + count)
                picked = v.gather(1, place[..., None].expand(-1, -1, v.shape[-1]))
                found[..., side, :] = torch.where(inside[..., None], picked, found[..., side, :])
            position, last = position + count, h[:, -1]
        a = (t - left).float()[..., None]
        return (1 - a) * found[..., 0, :] + a * found[..., 1, :], (position, memory, last)


class EndlessNoise:
    """Normal vectors without end for a batch of videos: each block of 64 follows from the seed and its number alone,
    so those of any moment can be drawn at once, whatever was drawn before, and nothing is kept.
    """

    def __init__(self, seed: int, batch: int, width: int, device: torch.device) -> None:
        self.seed, self.shape, self.device = seed, (batch, _DRAWN, width), device

    def __call__(self, first: Tensor, count: int) -> Tensor:
        """Vectors first to first + count - 1 of each video, first (b,): (b, count, width)."""
        lowest = int(first.min()) // _DRAWN
        blocks = range(lowest, (int(first.max()) + count - 1) // _DRAWN + 1)
        drawn = [np.random.default_rng([self.seed, 1, n]).standard_normal(self.shape, np.float32) for n in blocks]
        index = first.cpu().numpy()[:, None] - lowest * _DRAWN + np.arange(count)
        return torch.from_numpy(np.concatenate(drawn, 1)[np.arange(len(index))[:, None], index]).to(self.device)
