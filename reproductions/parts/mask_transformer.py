"""A space-time transformer that is told which frames are given, what is in them, and what every frame's caption says.

Source: the mask temporal diffusion of NUWA-XL (Yin et al., arXiv 2303.12346), whose network is a U-Net. Shapes: b
batch, l frames, c channels, h height, w width, k words of a caption.
"""

from __future__ import annotations

import math

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from reproductions.parts.diffusion import TimeEmbedding
from reproductions.parts.text import CaptionEncoder
from reproductions.parts.transformer import Layer

__all__ = ["Injection", "MaskTransformer"]


class Injection(nn.Module):
    """h := h + w h + b with (w, b) from a linear map of the condition that starts at zero, so that h passes unchanged.

    Source: NUWA-XL, mask temporal diffusion; used for the condition frames x0c and for the mask x0m.
    """

    def __init__(self, condition: int, channels: int) -> None:
        super().__init__()
        self.map = nn.Linear(condition, 2 * channels)
        nn.init.zeros_(self.map.weight)
        nn.init.zeros_(self.map.bias)

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        """h: (..., channels); condition: (..., condition), whose leading axes may be 1."""
        w, b = self.map(condition).chunk(2, -1)
        return h + w * h + b


class MaskTransformer(nn.Module):
    """x_hat(x_t, p, t, x0c, x0m): every place of every frame sees all others; before each layer, the given frames are
    injected place by place, and mask and caption frame by frame.

    frame: channels of a frame, in and out; places: h w; channels, layers, heads: of the transformer; words: the size of
    the vocabulary; caption_length: the longest caption, in words; text_channels: of the caption encoder; reach: the
    longest distance between frames that is told from longer ones.
    """

    def __init__(
        self, frame: int, places: int, channels: int, layers: int, heads: int, words: int, caption_length: int,
        text_channels: int, reach: int = 300,
    ) -> None:  # fmt: skip
        super().__init__()
        c = channels
        self.stem, self.frames = nn.Linear(frame, c), nn.Conv2d(frame, c, 3, padding=1)
        self.place = nn.Parameter(torch.randn(places, c) * 0.1)
        self.waves = 24
        self.when = nn.Sequential(nn.Linear(2 * self.waves, c), nn.SiLU(), nn.Linear(c, c))
        self.reach, self.time = reach, TimeEmbedding(c)
        self.text = CaptionEncoder(words, caption_length, text_channels, heads)
        self.layers = nn.ModuleList(Layer(c, heads, None) for _ in range(layers))
        self.inject_frames = nn.ModuleList(Injection(c, c) for _ in range(layers))
        self.inject_mask = nn.ModuleList(Injection(1, c) for _ in range(layers))
        self.inject_text = nn.ModuleList(Injection(text_channels, c) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(c), nn.Linear(c, frame)

    def forward(self, x: Tensor, index: Tensor, t: Tensor, x0c: Tensor, x0m: Tensor, p: Tensor) -> Tensor:
        """x: (b, l, c, h, w) noisy clips; index: (b, l) rising true frame indices; t: (b,) diffusion times in [0, 1];
        x0c: (b, l, c, h, w) the given frames, zero elsewhere; x0m: (b, l, 1, h, w), 1 on given frames, else 0;
        p: (b, l, k) word numbers, 0 for no word. Returns (b, l, c, h, w).
        """
        frames, side = x.shape[1], x.shape[3]
        given, mask = self.hear(x0c), x0m[..., :1, :1].flatten(2)[:, :, None]  # (b, l, 1, 1)
        said = self.pooled(p)[:, :, None]  # (b, l, 1, c)
        u = self.stem(rearrange(x, "b l c h w -> b l (h w) c")) + self.place
        u = u + self.distances(index)[:, :, None] + self.time(t)[:, None, None]
        for n, layer in enumerate(self.layers):
            u = self.inject_frames[n](u, given)
            u = self.inject_text[n](self.inject_mask[n](u, mask), said)
            u = layer(u.flatten(1, 2), None, None, None, None, n).unflatten(1, (frames, -1))
        return rearrange(self.head(self.norm(u)), "b l (h w) c -> b l c h w", h=side)

    def hear(self, x0c: Tensor) -> Tensor:
        """What is injected of the given frames (b, l, c, h, w): silu(conv(x0c)), (b, l, h w, channels)."""
        maps = F.silu(self.frames(x0c.flatten(0, 1)))
        return rearrange(maps, "(b l) c h w -> b l (h w) c", b=len(x0c))

    def distances(self, index: Tensor) -> Tensor:
        """Where the frames lie, counted from the first of their clip: (b, l) to (b, l, channels)."""
        speed = torch.exp(-math.log(self.reach) * torch.arange(self.waves, device=index.device) / (self.waves - 1))
        angle = (index - index[:, :1]).unsqueeze(-1) * speed
        return self.when(torch.cat([angle.sin(), angle.cos()], -1))

    def pooled(self, p: Tensor) -> Tensor:
        """The mean over the words of each frame's own caption, (b, l, k) to (b, l, c); each different one once."""
        different, which = p.flatten(0, 1).unique(dim=0, return_inverse=True)
        return self.text.pooled(different)[which].unflatten(0, p.shape[:2])
