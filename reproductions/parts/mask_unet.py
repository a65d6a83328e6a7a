"""A space-time U-Net that is told which frames are given, what is in them, and what every frame's caption says.

Source: the Mask 3D-UNet of NUWA-XL (Yin et al., arXiv 2303.12346, mask temporal diffusion). Shapes: b batch, l frames,
c channels, h height, w width, k words of a caption.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from reproductions.parts.text import CaptionEncoder
from reproductions.parts.transformer import Attention
from reproductions.parts.unet import Attend, SpaceTimeUNet

__all__ = ["Cascade", "Injection", "MaskUNet", "WordAttention"]


class Cascade(nn.Module):
    """A condition at the resolution of every level of the U-Net: a cascade of convolutions, each halving the sides."""

    def __init__(self, inputs: int, channels: tuple[int, ...], kernel: int) -> None:
        super().__init__()
        widths = zip((inputs, *channels[:-1]), channels, strict=True)
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, kernel, stride=1 if level == 0 else 2, padding=kernel // 2)
            for level, (a, b) in enumerate(widths)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """x: (n, inputs, h, w). Returns (n, channels[i], h / 2^i, w / 2^i) for each level i."""
        found = []
        for conv in self.convs:
            x = F.silu(conv(x))
            found.append(x)
        return found


class Injection(nn.Module):
    """h := h + w h + b with (w, b) from a convolution of the condition that starts at zero, so that h passes unchanged.

    Source: NUWA-XL, mask temporal diffusion; used for the condition frames x0c and for the mask x0m.
    """

    def __init__(self, condition: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(condition, 2 * channels, 1)
        nn.init.zeros_(self.conv.weight)
        nn.init.zeros_(self.conv.bias if self.conv.bias is not None else torch.empty(0))

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        """h: (n, c, h, w); condition: (n, c', h, w)."""
        w, b = self.conv(condition).chunk(2, 1)
        return h + w * h + b


class WordAttention(nn.Module):
    """Residual cross-attention of every frame's pixels to the words of that frame's own caption, and to no other's."""

    def __init__(self, channels: int, heads: int, words: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.attend = Attention(channels, heads, words)

    def forward(self, x: Tensor, text: Tensor, seen: Tensor) -> Tensor:
        """x: (n, c, h, w) with n frames; text: (n, k, c'); seen: (n, k) bool, at least one True each."""
        h = rearrange(x, "n c h w -> n (h w) c")
        h = self.attend(self.norm(h), text, seen[:, None, None])
        return x + rearrange(h, "n (h w) c -> n c h w", h=x.shape[2])


class MaskUNet(SpaceTimeUNet):
    """eps_theta(x_t, p, t, x0c, x0m): each block, down and up, hears the given frames, the mask and the captions.

    side, channels, heads, attention_level: as in SpaceTimeUNet; captions are heard from `attention_level` on. words:
    the size of the vocabulary; caption_length: the longest caption, in words; text_channels: of the caption encoder.
    """

    def __init__(
        self,
        side: int,
        channels: tuple[int, ...],
        heads: int,
        attention_level: int,
        words: int,
        caption_length: int,
        text_channels: int,
    ) -> None:
        super().__init__(3, 3, side, channels, heads, attention_level)
        self.text = CaptionEncoder(words, caption_length, text_channels, heads)
        self.frames_cascade = Cascade(3, channels, kernel=3)
        self.mask_cascade = Cascade(1, channels, kernel=1)
        levels = [*range(len(channels)), *reversed(range(len(channels)))]  # down, then up
        self.inject_frames = nn.ModuleList(Injection(channels[i], channels[i]) for i in levels)
        self.inject_mask = nn.ModuleList(Injection(channels[i], channels[i]) for i in levels)
        self.read = nn.ModuleList(
            WordAttention(channels[i], heads, text_channels) if i >= attention_level else nn.Identity() for i in levels
        )

    def forward(  # type: ignore[override]  # it takes more than the U-Net that it is built from
        self, x: Tensor, index: Tensor, t: Tensor, x0c: Tensor, x0m: Tensor, p: Tensor
    ) -> Tensor:
        """x: (b, l, 3, h, w) noisy clips; index: (b, l) rising true frame indices; t: (b,) diffusion times in [0, 1];
        x0c: (b, l, 3, h, w) the given frames, zero elsewhere; x0m: (b, l, 1, h, w), 1 on given frames, else 0;
        p: (b, l, k) word numbers, 0 for no word. Returns (b, l, 3, h, w).
        """
        b = len(x)
        temb = self.time(t)
        frames, mask = self.frames_cascade(x0c.flatten(0, 1)), self.mask_cascade(x0m.flatten(0, 1))
        text, seen = self._encode(p.flatten(0, 1))

        def finish(h: Tensor, place: int, level: int, attend: nn.Module) -> Tensor:
            h = self.inject_frames[place](h.flatten(0, 1), frames[level])
            h = self.inject_mask[place](h, mask[level])
            reader = self.read[place]
            h = (reader(h, text, seen) if isinstance(reader, WordAttention) else h).unflatten(0, (b, -1))
            return attend(h, index, temb) if isinstance(attend, Attend) else h

        x = self.stem(x.flatten(0, 1)).unflatten(0, (b, -1))
        skips = []
        for level, block in enumerate(self.down):
            x = finish(block(x, index, temb), level, level, self.down_attend[level])
            skips.append(x)
            if level < len(self.shrink):
                x = self.shrink[level](x.flatten(0, 1)).unflatten(0, (b, -1))
        for level in reversed(range(len(self.up))):
            x = self.up[level](torch.cat([x, skips.pop()], 2), index, temb)
            x = finish(x, 2 * len(self.up) - 1 - level, level, self.up_attend[level])
            if level > 0:
                x = F.interpolate(x.flatten(0, 1), scale_factor=2.0, mode="nearest")
                x = self.grow[level - 1](x).unflatten(0, (b, -1))
        return self.head(x.flatten(0, 1)).unflatten(0, (b, -1))

    def _encode(self, p: Tensor) -> tuple[Tensor, Tensor]:
        """Each different caption once: (n, k) to vectors (n, k, c) and where there is a word (n, k)."""
        different, which = p.unique(dim=0, return_inverse=True)
        text, seen = self.text(different)
        return text[which], seen[which]
