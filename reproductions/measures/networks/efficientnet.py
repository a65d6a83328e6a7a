"""EfficientNet-Lite0 (EfficientNet, arXiv 1905.11946, without squeeze-and-excitation and with ReLU6): a stand-in.

Its weights come with a package, so that frame features are to be had without a network. A distance over them is not the
FID and is never called that.

Layout of the file: that of efficientnet-lite-pytorch: `_conv_stem`, `_bn0`, `_blocks.N._expand_conv`, `._bn0`,
`._depthwise_conv`, `._bn1`, `._project_conv`, `._bn2`, `_conv_head`, `_bn1`, and `_fc`, which is not needed.
Convolutions pad as TensorFlow's "SAME". Input: (x - 127) / 128 for x in 0 to 255, as the TensorFlow original; the
resize to 224x224 is our choice: bilinear with antialiasing.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from reproductions.measures.networks.base import Extractor, pixels
from reproductions.measures.networks.i3d import same_padding

__all__ = ["EfficientNetLite0"]

_STAGES = (  # blocks, kernel, stride of the first, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class Convolution(nn.Conv2d):
    """A convolution without bias, padded as "SAME"."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        sides = (x.shape[2], x.shape[3])
        k, s = self.kernel_size, self.stride
        return super().forward(F.pad(x, same_padding(sides, (k[0], k[1]), (s[0], s[1]))))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    """Widen, filter each channel by itself, narrow; the input is added where sizes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.widens, self.adds = expansion > 1, stride == 1 and inputs == outputs
        if self.widens:
            self._expand_conv, self._bn0 = Convolution(inputs, wide), _norm(wide)
        self._depthwise_conv, self._bn1 = Convolution(wide, wide, kernel, stride, groups=wide), _norm(wide)
        self._project_conv, self._bn2 = Convolution(wide, outputs), _norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu6(self._bn0(self._expand_conv(x))) if self.widens else x
        h = F.relu6(self._bn1(self._depthwise_conv(h)))
        h = self._bn2(self._project_conv(h))
        return x + h if self.adds else h


class EfficientNetLite0(Extractor):
    """Frames (n, 3, h, w) to 1280 numbers: the mean over positions of the last layer."""

    ignored = ("_fc.",)

    def __init__(self, side: int = 224) -> None:
        """side: pixels that frames are resized to; anything but 224 is for tests."""
        super().__init__()
        self.side = side
        self._conv_stem, self._bn0 = Convolution(3, 32, 3, 2), _norm(32)
        blocks, inputs = [], 32
        for count, kernel, stride, expansion, outputs in _STAGES:
            for i in range(count):
                blocks.append(Block(inputs, outputs, kernel, stride if i == 0 else 1, expansion))
                inputs = outputs
        self._blocks = nn.Sequential(*blocks)
        self._conv_head, self._bn1 = Convolution(inputs, 1280), _norm(1280)

    def prepare(self, batch: Tensor) -> Tensor:
        """(n, 3, side, side): (255 v - 127) / 128."""
        frames = F.interpolate(pixels(batch), (self.side, self.side), mode="bilinear", antialias=True)
        return (255 * frames - 127) / 128

    def forward(self, x: Tensor) -> Tensor:
        x = self._blocks(F.relu6(self._bn0(self._conv_stem(x))))
        return F.relu6(self._bn1(self._conv_head(x))).mean((2, 3))
