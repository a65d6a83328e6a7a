"""CLIP ViT-B/32 (Radford and others, arXiv 2103.00020): its image tower and its text tower.

Layouts taken: OpenAI's ViT-B-32.pt, a TorchScript archive of which only the tensors are read (archive.py), and a plain
state dict or safetensors with the same names (openai/CLIP, clip/model.py): `visual.conv1.weight`,
`visual.class_embedding`, `visual.positional_embedding`, `visual.ln_pre.*`, `visual.transformer.resblocks.N.*`,
`visual.ln_post.*`, `visual.proj`; `token_embedding.weight`, `positional_embedding`, `transformer.resblocks.N.*`,
`ln_final.*`, `text_projection`; `logit_scale`. Half-precision weights are computed with in float32, as CLIP does on a
CPU.

Image input (clip/clip.py): short side to 224 by Pillow's bicubic filter on 8-bit pixels, centre crop, mean and standard
deviation of CLIP's own training images.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from reproductions.measures.networks.base import Extractor
from reproductions.measures.networks.bpe import CONTEXT, VOCABULARY, Tokenizer
from reproductions.measures.networks.table import WeightFile

__all__ = ["CLIPImage", "CLIPText", "cut_square"]

MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_PATCH, _EMBEDDING, _LAYERS, _PER_HEAD = 32, 512, 12, 64
_META = ("input_resolution", "context_length", "vocab_size", "attn_mask")  # attributes of OpenAI's program


class Attention(nn.Module):
    """Self-attention with one matrix for queries, keys and values; causal for text."""

    def __init__(self, width: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = width // _PER_HEAD, causal
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """x: (n, tokens, width)."""
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        )
        # softmax(q k^T / sqrt(d)) v, over the tokens up to this one where causal
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        found: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return found


class Perceptron(nn.Module):
    """Two linear maps around x sigmoid(1.702 x), the quick form of GELU that CLIP was trained with."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc, self.c_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        h = self.c_fc(x)
        found: Tensor = self.c_proj(h * torch.sigmoid(1.702 * h))
        return found


class Block(nn.Module):
    """x + attention(norm(x)), then x + perceptron(norm(x))."""

    def __init__(self, width: int, causal: bool) -> None:
        super().__init__()
        self.attn, self.mlp = Attention(width, causal), Perceptron(width)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out


class Transformer(nn.Module):
    """Blocks one after another."""

    def __init__(self, width: int, layers: int, causal: bool) -> None:
        super().__init__()
        self.resblocks = nn.Sequential(*(Block(width, causal) for _ in range(layers)))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.resblocks(x)
        return found


class Vision(nn.Module):
    """A vision transformer over 32x32 patches with a class token; the token's last state is projected."""

    def __init__(self, width: int, layers: int, side: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, _PATCH, _PATCH, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty((side // _PATCH) ** 2 + 1, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = Transformer(width, layers, causal=False)
        self.proj = nn.Parameter(torch.empty(width, _EMBEDDING))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.expand(len(x), 1, -1), x], 1) + self.positional_embedding
        x = self.transformer(self.ln_pre(x))
        found: Tensor = self.ln_post(x[:, 0]) @ self.proj
        return found


class CLIPImage(Extractor):
    """Frames (n, 3, h, w) to embeddings (n, 512), not normalised."""

    ignored = ("token_embedding.", "positional_embedding", "transformer.", "ln_final.", "text_projection", *_META)

    def __init__(self, width: int = 768, layers: int = _LAYERS, side: int = 224) -> None:
        """The defaults are ViT-B/32's; others are for tests."""
        super().__init__()
        self.side = side
        self.visual = Vision(width, layers, side)
        self.logit_scale = nn.Parameter(torch.empty(()))

    def prepare(self, batch: Tensor) -> Tensor:
        """(n, 3, side, side): resized and cropped as 8-bit pictures, then centred and scaled."""
        levels = batch if batch.dtype == torch.uint8 else (batch.to(torch.float32).clamp(0, 1) * 255).round()
        images = levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        cut = np.stack([np.asarray(cut_square(Image.fromarray(image), self.side)) for image in images])
        x = torch.from_numpy(cut).permute(0, 3, 1, 2).to(torch.float32) / 255
        mean, deviation = (torch.tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
        return (x - mean) / deviation

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.visual(x)
        return found


class CLIPText(Extractor):
    """Captions to embeddings (n, 512), not normalised."""

    ignored = ("visual.", *_META)

    def __init__(self, tokenizer: Tokenizer, width: int = 512, layers: int = _LAYERS) -> None:
        """The defaults are ViT-B/32's; others are for tests."""
        super().__init__()
        self.tokenizer = tokenizer
        self.token_embedding = nn.Embedding(VOCABULARY, width)
        self.positional_embedding = nn.Parameter(torch.empty(CONTEXT, width))
        self.transformer = Transformer(width, layers, causal=True)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(width, _EMBEDDING))
        self.logit_scale = nn.Parameter(torch.empty(()))

    @classmethod
    def make(cls, *also: tuple[Path, WeightFile]) -> Self:
        """As `Extractor.make`; also: the tokenizer's vocabulary."""
        tokenizer = Tokenizer.load(*also[0])
        with torch.device("meta"):
            return cls(tokenizer)

    def prepare(self, batch: Sequence[str]) -> Tensor:
        """Token numbers (n, 77): start mark, text, end mark, zeros."""
        return torch.from_numpy(self.tokenizer.tokens(batch))

    def forward(self, x: Tensor) -> Tensor:
        h = self.ln_final(self.transformer(self.token_embedding(x) + self.positional_embedding))
        end = x.argmax(-1)  # the end mark is the highest number
        found: Tensor = h[torch.arange(len(h), device=h.device), end] @ self.text_projection
        return found


def cut_square(image: Image.Image, side: int) -> Image.Image:
    """The picture with its short side resized to `side` (bicubic), then its central square."""
    w, h = image.size
    size = (side, int(side * h / w)) if w <= h else (int(side * w / h), side)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BICUBIC)
    left, top = round((size[0] - side) / 2), round((size[1] - side) / 2)
    return image.crop((left, top, left + side, top + side))
