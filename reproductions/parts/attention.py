"""Self-attention over frames and positions, with relative encodings of the true distance between frames.

Source: FDM (arXiv 2205.11495), official code; the encodings follow iRPE. Shapes use b batch, g groups that attend
separately, t frames, p positions that attend together, h heads, d channels per head.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["RelativeEncoding", "SpaceTimeAttention"]


class RelativeEncoding(nn.Module):
    """R(d) = W_o SiLU(W_d r(d) + W_t temb), r(d) = [log(1 + max(d, 0)), log(1 + max(-d, 0)), 1(d = 0)].

    Maps signed frame distances to one vector per head. W_o starts at zero, so that attention starts without it.
    """

    def __init__(self, channels: int, heads: int, time_channels: int) -> None:
        super().__init__()
        self.heads = heads
        self.distance = nn.Linear(3, channels)
        self.time = nn.Linear(time_channels, channels)
        self.out = nn.Linear(channels, channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, d: Tensor, temb: Tensor) -> Tensor:
        """d: (b, i, j) signed distances in frames; temb: (b, time_channels). Returns (b, i, j, h, d)."""
        d = d.to(temb.dtype)
        r = torch.stack([torch.log1p(d.clamp(min=0)), torch.log1p((-d).clamp(min=0)), (d == 0).to(d.dtype)], -1)
        hidden = self.distance(r) + self.time(temb)[:, None, None]
        return rearrange(self.out(F.silu(hidden)), "b i j (h d) -> b i j h d", h=self.heads)


class SpaceTimeAttention(nn.Module):
    """Residual self-attention over the frames (and positions) of each group.

    With one position per group it is FDM's temporal attention; with all positions in one group it is full
    space-time attention. `positions` > 1 adds a learned encoding of the position.
    """

    def __init__(self, channels: int, heads: int, time_channels: int, positions: int = 1) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.r_q = RelativeEncoding(channels, heads, time_channels)
        self.r_k = RelativeEncoding(channels, heads, time_channels)
        self.r_v = RelativeEncoding(channels, heads, time_channels)
        self.out = nn.Linear(channels, channels)
        self.place = nn.Parameter(torch.randn(positions, channels) * 0.5) if positions > 1 else None

    def forward(self, x: Tensor, index: Tensor, temb: Tensor) -> Tensor:
        """x: (b, g, t, p, c); index: (b, t) true frame indices; temb: (b, time_channels). Same shape as x."""
        h = self.norm(x)
        if self.place is not None:
            h = h + self.place
        q, k, v = rearrange(self.qkv(h), "b g t p (n h d) -> n b g h t p d", n=3, h=self.heads)
        distance = index[:, :, None] - index[:, None, :]  # d_ij = idx_i - idx_j
        r_q, r_k, r_v = self.r_q(distance, temb), self.r_k(distance, temb), self.r_v(distance, temb)
        # logits_ij = s q_i.k_j + s q_i.R^k(d_ij) + s k_j.R^q(d_ji),  s = d^-1/2
        logits = torch.einsum("bghipd,bghjqd->bghipjq", q, k)
        logits = logits + torch.einsum("bghipd,bijhd->bghipj", q, r_k).unsqueeze(-1)
        logits = logits + torch.einsum("bghjqd,bjihd->bghijq", k, r_q).unsqueeze(4)
        shape = logits.shape
        a = (logits.flatten(-2) * q.shape[-1] ** -0.5).softmax(-1).view(shape)
        # out_i = sum_j a_ij (v_j + R^v(d_ij)); R^v does not depend on the position q
        out = torch.einsum("bghipjq,bghjqd->bghipd", a, v) + torch.einsum("bghipj,bijhd->bghipd", a.sum(-1), r_v)
        return x + self.out(rearrange(out, "b g h t p d -> b g t p (h d)"))
