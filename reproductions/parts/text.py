"""Captions as vectors: words of the worlds' small vocabulary, learnt from nothing.

Shapes: (..., l) word numbers (reproductions.worlds.captions, 0: no word), c channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reproductions.parts.transformer import Transformer

__all__ = ["CaptionEncoder"]


class CaptionEncoder(nn.Module):
    """Words and their places, then one transformer layer: "a red circle and a blue square" is not its reverse.

    words: size of the vocabulary; length: the longest caption, in words. A caption without any word is encoded as one
    learned vector, "no caption", which is what guidance compares with.
    """

    def __init__(self, words: int, length: int, channels: int, heads: int = 4, layers: int = 1) -> None:
        super().__init__()
        self.word = nn.Embedding(words, channels)
        self.place = nn.Parameter(torch.randn(length, channels) * 0.1)
        self.none = nn.Parameter(torch.randn(channels) * 0.1)
        self.net = Transformer(channels, layers, heads)

    def forward(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """words: (..., l) int64. Returns one vector per word (..., l, c) and where there is a word (..., l) bool; of
        the empty caption the first place holds "no caption" and counts as a word.
        """
        shape = words.shape
        words = words.reshape(-1, shape[-1])
        seen = words != 0
        empty = ~seen.any(-1)
        x = self.word(words) + self.place[: shape[-1]]
        first = torch.where(empty[:, None], self.none, x[:, 0])
        x = torch.cat([first[:, None], x[:, 1:]], 1)
        seen = torch.cat([(seen[:, 0] | empty)[:, None], seen[:, 1:]], 1)
        x = self.net(x, seen[:, None, None])
        return x.view(*shape, -1), seen.view(shape)

    def pooled(self, words: Tensor) -> Tensor:
        """The mean over a caption's words: (..., l) to (..., c)."""
        x, seen = self(words)
        weight = seen.to(x.dtype).unsqueeze(-1)
        return (x * weight).sum(-2) / weight.sum(-2)
