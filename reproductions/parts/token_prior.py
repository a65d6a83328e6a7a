"""An autoregressive prior over code numbers: a transformer with learned places of a window, and the window that slides.

Source: VQGAN (Esser et al., arXiv 2012.09841), as TATS (arXiv 2204.03638, section 2.3) slides it along a video. Shapes:
b batch, n code numbers of a window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reproductions.parts.transformer import Cache, Transformer, causal_mask

__all__ = ["TokenPrior", "interpolation_mask"]


def interpolation_mask(tokens: int, between: int, *, leak: bool = False) -> Tensor:
    """Who may look at whom (query, key) among c, A, m_1 ... m_n, B: n = `between` slices between two given ones, each
    of `tokens` numbers; bool, True: may look (TATS, section 2.3; supplement A.4).

    Every query sees c, A and B; one in the middle also sees the middle up to itself. The rows of B do NOT see the
    middle: they would gather what is to be predicted and hand it back one layer later. leak=True lets them.
    """
    size = 1 + (between + 2) * tokens
    first, end = 1 + tokens, 1 + (between + 1) * tokens  # where the middle begins and ends
    mask = torch.ones(size, size, dtype=torch.bool)
    mask[:first, first:end] = False
    mask[first:end, first:end] = causal_mask(end - first, end - first)
    mask[end:, first:end] = leak
    return mask


class TokenPrior(nn.Module):
    """p(z_i | what the mask lets row i see): code numbers in, logits over code numbers out; the same vectors serve both
    ends. The number `codes` is the start token c. Each of `rows` places has the sum of two learned vectors, one of its
    slice of `tokens` and one of its place in there, so that "the same place a slice ago" need not be learnt for every
    place; they begin anew in every window.
    """

    def __init__(self, codes: int, rows: int, tokens: int, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.codes = codes
        self.vector = nn.Parameter(torch.randn(codes + 1, width) * 0.05)
        self.slice = nn.Parameter(torch.randn(-(-rows // tokens), width) * 0.05)
        self.place = nn.Parameter(torch.randn(tokens, width) * 0.05)
        self.net = Transformer(width, layers, heads)

    def forward(self, z: Tensor, rows: Tensor, mask: Tensor | None, cache: Cache | None = None) -> Tensor:
        """z: (b, n) numbers; rows: (n,) their places; mask: as `Transformer` takes it. Logits (b, n, codes)."""
        n = len(self.place)
        x = F.embedding(z, self.vector) + self.slice[rows // n] + self.place[rows % n]
        return self.net(x, mask, cache=cache) @ self.vector[: self.codes].T

    def begin(self, z: Tensor) -> Tensor:
        """c, z: (b, n) to (b, 1 + n)."""
        return torch.cat([z.new_full((len(z), 1), self.codes), z], 1)

    def causal(self, z: Tensor) -> Tensor:
        """Logits of z_i from c and z_<i, for all i: (b, n) to (b, n, codes)."""
        n = z.shape[1]
        return self(self.begin(z[:, :-1]), torch.arange(n, device=z.device), causal_mask(n, n, z.device))

    def loss(self, z: Tensor) -> Tensor:
        """-sum_i log p(z_i | z_<i, c), mean over i and over the batch, of (b, n)."""
        return F.cross_entropy(self.causal(z).flatten(0, 1), z.flatten())

    @torch.no_grad()
    def slide(self, window: int, tokens: int, batch: int, draw: Callable[[Tensor], Tensor]) -> Iterator[Tensor]:
        """Slices (b, tokens) without end, number by number; draw: logits (b, codes) to numbers (b,).

        A window holds `window` slices. Slice j < window continues it; for every later one it slides by a slice:
        p(z_j | c, the window - 1 slices before it, placed as if they were the first). All places change then, so the
        cache is computed anew, in one pass.
        """
        past = torch.empty(batch, 0, dtype=torch.int64, device=self.place.device)
        cache, new = Cache(), self.begin(past)
        while True:
            if past.shape[1] == window * tokens:
                past = past[:, tokens:]
                cache, new = Cache(), self.begin(past)
            for _ in range(tokens):
                rows = torch.arange(len(cache), len(cache) + new.shape[1], device=past.device)
                mask = causal_mask(len(rows), len(rows), past.device) if not len(cache) else None
                new = draw(self(new, rows, mask, cache)[:, -1])[:, None]
                past = torch.cat([past, new], 1)
            yield past[:, -tokens:].clone()
