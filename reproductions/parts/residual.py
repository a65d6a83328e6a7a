"""Residual blocks of convolutions without attention: for images (and image-like planes) and for short clips.

Source: ResNet (He et al., arXiv 1512.03385); scale and shift by a vector as in FiLM (Perez et al., arXiv 1709.07871);
the factored (2+1)D convolution as in R(2+1)D (Tran et al., arXiv 1711.11248). Shapes: b batch, c channels, s frames,
h height, w width.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ClipBlock", "ImageBlock"]


class ImageBlock(nn.Module):
    """skip(x) + W_2 SiLU((1 + scale) norm(W_1 SiLU(norm(x))) + shift), both W 3x3; scale and shift from a vector.

    W_2 starts at zero, so that the block starts as its skip: the identity, or a 1x1 convolution where the number of
    channels changes. inputs and outputs: divisible by `groups`.
    """

    def __init__(self, inputs: int, outputs: int, vector: int, groups: int = 8) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(groups, inputs), nn.Conv2d(inputs, outputs, 3, padding=1)
        self.film = nn.Linear(vector, 2 * outputs)
        self.norm2, self.conv2 = nn.GroupNorm(groups, outputs), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        for parameter in self.conv2.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, vector: Tensor) -> Tensor:
        """x: (b, inputs, h, w); vector: (b, vector). Returns (b, outputs, h, w)."""
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.film(F.silu(vector))[..., None, None].chunk(2, 1)
        y: Tensor = self.skip(x) + self.conv2(F.silu(self.norm2(h) * (1 + scale) + shift))
        return y


class ClipBlock(nn.Module):
    """x + W_t SiLU(W_s SiLU(norm(x))): W_s a 3x3 convolution inside each frame, W_t one of width 3 over time.

    Zero-padded on all sides, so a voxel hears its 26 neighbours and nothing else, but for the norm's statistics.
    """

    def __init__(self, channels: int, groups: int = 8) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.space = nn.Conv2d(channels, channels, 3, padding=1)
        self.time = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0))

    def forward(self, x: Tensor) -> Tensor:
        """x: (b, s, c, h, w) to the same shape."""
        b, s, c, h, w = x.shape
        y = F.silu(self.norm(x.flatten(0, 1)))
        y = F.silu(self.space(y)).view(b, s, c, h * w)
        y = self.time(y.transpose(1, 2))  # time as the height of an image
        out: Tensor = x + y.transpose(1, 2).reshape(b, s, c, h, w)
        return out
