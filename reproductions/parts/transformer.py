"""A plain pre-norm transformer with cached decoding, and the drawing of tokens from its logits.

Source: Vaswani et al., arXiv 1706.03762; norms in front as in GPT-2. Shapes: b batch, n queries, m keys, c channels,
h heads, d channels per head, v tokens of the vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Cache", "Transformer", "causal_mask", "draw_token", "sinusoid"]


class Cache:
    """Keys and values of the positions that a transformer has already seen, one pair per layer.

    Decoding with it computes each position once; without it, every new token computes all positions before it anew.
    """

    def __init__(self) -> None:
        self.layers: list[tuple[Tensor, Tensor]] = []

    def __len__(self) -> int:
        return self.layers[0][0].shape[-2] if self.layers else 0

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Append keys and values (b, h, n, d) of a layer; returns all of that layer, (b, h, m, d)."""
        if layer == len(self.layers):
            self.layers.append((k, v))
        else:
            old_k, old_v = self.layers[layer]
            self.layers[layer] = torch.cat([old_k, k], 2), torch.cat([old_v, v], 2)
        return self.layers[layer]


def causal_mask(queries: int, keys: int, device: torch.device | None = None) -> Tensor:
    """(queries, keys) bool, True where a query may look: at itself and at what comes before; queries are the last."""
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)


def sinusoid(start: int, length: int, channels: int, device: torch.device | None = None) -> Tensor:
    """The fixed code of places (Vaswani et al., sec. 3.5), (length, channels): half sines, then half cosines, of
    place / 10000^(2 i / channels), for the places from `start` on; channels: even.
    """
    half = channels // 2
    speed = torch.exp(torch.arange(half, device=device) * (-math.log(10_000) / half))
    angle = torch.arange(start, start + length, device=device).unsqueeze(-1) * speed
    return torch.cat([angle.sin(), angle.cos()], -1)


class Attention(nn.Module):
    """softmax(Q K^T / sqrt(d) + bias) V over the sequence itself, or over a context when one is given."""

    def __init__(self, channels: int, heads: int, context: int | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(channels, channels, bias=False)
        self.kv = nn.Linear(context or channels, 2 * channels, bias=False)
        self.out = nn.Linear(channels, channels)

    def forward(
        self, x: Tensor, context: Tensor, bias: Tensor | None, cache: Cache | None = None, layer: int = 0
    ) -> Tensor:
        """x: (b, n, c); context: (b, m, c'); bias: bool (True: may look) or added to the logits, (..., n, m)."""
        q = rearrange(self.q(x), "b n (h d) -> b h n d", h=self.heads)
        k, v = rearrange(self.kv(context), "b m (two h d) -> two b h m d", two=2, h=self.heads)
        if cache is not None:
            k, v = cache.extend(layer, k, v)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.out(rearrange(out, "b h n d -> b n (h d)"))


class Layer(nn.Module):
    """x + attention(norm(x)), x + cross-attention(norm(x), context) if there is one, x + network(norm(x))."""

    def __init__(self, channels: int, heads: int, context: int | None) -> None:
        super().__init__()
        self.norm1, self.attend = nn.LayerNorm(channels), Attention(channels, heads)
        self.norm_cross = nn.LayerNorm(channels) if context else None
        self.cross = Attention(channels, heads, context) if context else None
        self.norm2 = nn.LayerNorm(channels)
        self.net = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))

    def forward(
        self,
        x: Tensor,
        bias: Tensor | None,
        context: Tensor | None,
        context_mask: Tensor | None,
        cache: Cache | None,
        layer: int,
    ) -> Tensor:
        """x: (b, n, c)."""
        h = self.norm1(x)
        x = x + self.attend(h, h, bias, cache, layer)
        if self.cross is not None and self.norm_cross is not None and context is not None:
            x = x + self.cross(self.norm_cross(x), context, context_mask)
        return x + self.net(self.norm2(x))


class Transformer(nn.Module):
    """Layers and a last norm. Embeddings, positions and the head are the caller's.

    context: channels of the sequence that every layer also attends to (cross-attention); None: there is none.
    """

    def __init__(self, channels: int, layers: int, heads: int, context: int | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(channels, heads, context) for _ in range(layers))
        self.norm = nn.LayerNorm(channels)

    def forward(
        self,
        x: Tensor,
        bias: Tensor | Sequence[Tensor | None] | None = None,
        *,
        context: Tensor | None = None,
        context_mask: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """x: (b, n, c) to the same shape.

        bias: who may look at whom, (..., n, m), bool (True: may) or added to the logits; m counts what the cache holds
        as well; a sequence gives one per layer. None: everyone looks at everyone. context: (b, l, c'); context_mask:
        (b, l) bool, at least one True each.
        """
        seen = context_mask[:, None, None] if context_mask is not None else None
        for number, layer in enumerate(self.layers):
            own = bias if isinstance(bias, Tensor) or bias is None else bias[number]
            x = layer(x, own, context, seen, cache, number)
        return self.norm(x)


def draw_token(
    logits: Tensor,
    generator: torch.Generator,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
) -> Tensor:
    """Draw from softmax(logits / temperature), (..., v) to (...) int64; temperature 0 takes the likeliest.

    top_k: only the k likeliest tokens; top_p: of those, only the smallest set of likeliest tokens that holds the
    probability p (nucleus sampling, Holtzman et al., arXiv 1904.09751). The draw uses the CPU generator given.
    """
    if temperature == 0:
        return logits.argmax(-1)
    p, token = (logits / temperature).softmax(-1).sort(-1, descending=True)
    if top_k is not None:
        p = p[..., :top_k]
    before = p.cumsum(-1) - p  # probability of all that is likelier
    p = torch.where(before < top_p * p.sum(-1, keepdim=True), p, 0)
    # Where the distribution function passes u ~ U(0, 1): one random number per token drawn.
    u = torch.rand(p.shape[:-1], generator=generator).to(p.device).unsqueeze(-1) * p.sum(-1, keepdim=True)
    place = (p.cumsum(-1) <= u).sum(-1, keepdim=True).clamp(max=p.shape[-1] - 1)
    return token.gather(-1, place).squeeze(-1)
