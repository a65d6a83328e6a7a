"""Diffusion on the straight path between clean video and noise, for networks that predict the clean video.

    x_t = (1 - t) x + t eps,   eps ~ N(0, I),   t in [0, 1]

Source: the linear path of flow matching (Lipman et al., arXiv 2210.02747) and rectified flow (Liu et al.,
arXiv 2209.03003), with the clean clip as the network's target.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["TimeEmbedding", "ancestral", "draw_times", "loss_weight", "noisy", "sample"]


def noisy(x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """x_t = (1 - t) x + t eps. x, eps: (b, ...); t: (b,) in [0, 1]."""
    t = t.view(-1, *[1] * (x.ndim - 1))
    return (1 - t) * x + t * eps


def draw_times(batch: int, generator: torch.Generator, mean: float = 1.0, deviation: float = 1.5) -> Tensor:
    """t = sigmoid(n), n ~ N(mean, deviation^2): logit-normal (Esser et al., arXiv 2403.03206). Returns (b,) in (0, 1).

    The default leans towards noise: a tenth of the draws lies above 0.95. Sampling starts at t = 1, where only the
    observed frames say what the video is; with the usual N(0, 1) that end is hardly trained, and the first step of
    sampling decides on another digit, which all later steps then keep.
    """
    return torch.sigmoid(mean + deviation * torch.randn(batch, generator=generator))


def loss_weight(t: Tensor, floor: float = 0.6) -> Tensor:
    """1 / max(t, floor)^2. Without the floor, this turns the clean-video error into the error of the velocity

    v = (x_t - x) / t; the floor keeps nearly clean inputs from ruling the loss, so that a short training spends itself
    on what only the observed frames can tell.
    """
    return t.clamp(min=floor) ** -2


def sample(denoise: Callable[[Tensor, Tensor], Tensor], eps: Tensor, steps: int) -> Tensor:
    """Walk from noise (t = 1) to video (t = 0) in `steps` Euler steps of dx/dt = (x_t - x_hat) / t.

    denoise(x_t, t) returns the predicted clean video x_hat; eps: (b, ...) standard normal noise.
    Each step is the exact line from x_t towards x_hat:  x_s = x_hat + (s / t) (x_t - x_hat).
    """
    x = eps
    for i in range(steps, 0, -1):
        t, s = i / steps, (i - 1) / steps
        x_hat = denoise(x, torch.full((len(x),), t, dtype=x.dtype, device=x.device))
        x = x_hat + (s / t) * (x - x_hat)
    return x


def ancestral(denoise: Callable[[Tensor, Tensor], Tensor], noise: Tensor) -> Tensor:
    """From noise to video in len(noise) ancestral steps, as DDPM's (Ho et al., arXiv 2006.11239), on the straight path:

        x_s ~ q(x_s | x_t, x_hat):  x_s = (1 - s) x_hat + s (k eps_hat + sqrt(1 - k^2) z),
        eps_hat = (x_t - (1 - t) x_hat) / t,   k = s (1 - t) / (t (1 - s)).

    denoise: as in `sample`; noise: (steps, b, ...), standard normal: the start, then z of every step but the last.
    Fresh noise lets later steps mend what earlier ones got wrong, which straight lines cannot.
    """
    x, steps = noise[0], len(noise)
    for i in range(steps, 0, -1):
        t, s = i / steps, (i - 1) / steps
        x_hat = denoise(x, torch.full((len(x),), t, dtype=x.dtype, device=x.device))
        if i == 1:
            return x_hat
        k = s * (1 - t) / (t * (1 - s))
        eps_hat = (x - (1 - t) * x_hat) / t
        x = (1 - s) * x_hat + s * (k * eps_hat + (1 - k * k) ** 0.5 * noise[steps - i + 1])
    return x


class TimeEmbedding(nn.Module):
    """Sines and cosines of t at frequencies from 1 to 1000, then a two-layer network: (b,) -> (b, channels)."""

    def __init__(self, channels: int, waves: int = 16) -> None:
        super().__init__()
        self.waves = waves
        self.net = nn.Sequential(nn.Linear(2 * waves, channels), nn.SiLU(), nn.Linear(channels, channels))

    def forward(self, t: Tensor) -> Tensor:
        frequency = torch.exp(math.log(1000) * torch.linspace(0, 1, self.waves, device=t.device, dtype=t.dtype))
        angle = t[:, None] * frequency
        return self.net(F.silu(torch.cat([angle.sin(), angle.cos()], -1)))
