"""Views written token by token, and told by the camera where in the earlier views to look.

Source: Look Outside the Room (Ren and Wang, arXiv 2203.09457), the camera-aware bias and its official code. Views are
called a, b and c, in order; shapes use b batch, n tokens of a view, k numbers of a camera, K codes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from reproductions.parts.transformer import Cache, Transformer, causal_mask, sinusoid

__all__ = ["ViewTransformer"]


class ViewTransformer(nn.Module):
    """p(tokens of b | a, g_ab) and p(tokens of c | a, g_ab, b, g_ac), in one causal sequence

    s = [E(I_a); C(g_ab); E(I_b); C(g_ac); E(I_c)],   n, k, n, k, n places: n tokens per view, k numbers per camera.

    config: `grid` (tokens per side of a view), `code_channels`, `codes`, `width`, `layers`, `heads`, `camera` ("plane":
    3 numbers, else 30), `hidden` of the bias network, and `bias`, without which H = 0.
    """

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.n, self.k = config.grid**2, 3 if config.camera == "plane" else 30
        width = config.width
        self.image = nn.Linear(config.code_channels, width)  # E
        self.scalar = nn.Linear(1, width)  # C, one and the same for all numbers of a camera
        self.image_place = nn.Parameter(torch.randn(self.n, width) * 0.5)  # the same for every view, and for
        self.camera_place = nn.Parameter(torch.randn(self.k, width) * 0.5)  # every camera
        self.net = Transformer(width, config.layers, config.heads)
        self.free, self.near = nn.Linear(width, config.codes), nn.Linear(width, config.code_channels)
        self.mlp: nn.Sequential | None = None
        nn.init.normal_(self.image.weight)  # codes have length 1; they must be heard beside the places
        nn.init.zeros_(self.free.weight)
        if config.bias:  # one network for all heads and layers
            self.mlp = nn.Sequential(nn.Linear(self.k, config.hidden), nn.GELU(), nn.Linear(config.hidden, self.n**2))

    def sequence(self, views: Sequence[Tensor], cameras: Sequence[Tensor], start: int = 0) -> Tensor:
        """View, camera, view, ..., as they alternate: codes (b, m, c) with m <= n, vectors g (b, k). To (b, L, width).

        start: place in the sequence of the first of them; with it a single view may be a part, its codes the last.
        """
        parts: list[Tensor] = []
        for i, view in enumerate(views):
            first = start % (self.n + self.k) if not i else 0
            parts.append(self.image(view) + self.image_place[first : first + view.shape[1]])
            if i < len(cameras):
                parts.append(self.scalar(cameras[i].unsqueeze(-1)) + self.camera_place)
        s = torch.cat(parts, 1)
        return s + sinusoid(start, s.shape[1], s.shape[-1], s.device)

    def bias(self, length: int, g_ab: Tensor, g_ac: Tensor | None = None, g_bc: Tensor | None = None) -> Tensor | None:
        """H (b, 1, L, L) with L = length, zeros but for B_uv = MLP(g_uv), n x n, in three places.

        The query at place j predicts the token at j + 1, so that the rows of a view start one place before it.
        """
        if self.mlp is None:
            return None
        n, k = self.n, self.k
        row_b, row_c = n + k - 1, 2 * (n + k) - 1  # paper: 285 and 571
        H = torch.zeros(len(g_ab), 1, length, length, device=g_ab.device)
        blocks = [(row_b, 0, g_ab), (row_c, 0, g_ac), (row_c, n + k, g_bc)]
        for row, column, g in blocks:
            if g is not None:
                H[:, 0, row : row + n, column : column + n] = self.mlp(g).view(-1, n, n)
        return H

    def added(self, length: int, gs: Sequence[Tensor]) -> list[Tensor]:
        """What is added to the logits, layer by layer: mask + H in every second one from the first, else the mask.

        mask (L, L): 0 where a place may look, else -inf. I_a and C(g_ab) see each other, the rest looks back.
        """
        allowed = causal_mask(length, length, gs[0].device)
        allowed[: self.n + self.k, : self.n + self.k] = True
        mask = torch.zeros(length, length, device=gs[0].device).masked_fill(~allowed, -torch.inf)
        H = self.bias(length, *gs)
        return [mask if H is None or layer % 2 else mask + H for layer in range(len(self.net.layers))]

    def logits(self, h: Tensor, codes: Tensor) -> Tensor:
        """(..., width) to (..., K), over K codes e_k (K, c): W h + 8 <V h, e_k>, so that like codes rise together."""
        return self.free(h) + 8 * self.near(h) @ codes.T

    def forward(self, tokens: Tensor, gs: Sequence[Tensor], codes: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (b, 3, n) of I_a, I_b, I_c and [g_ab, g_ac, g_bc] to logits (b, n, K) of those of I_b and of I_c."""
        s = self.sequence(list(codes[tokens].unbind(1)), gs[:2])
        n, k = self.n, self.k
        h = self.net(s, self.added(s.shape[1], gs))
        return self.logits(h[:, n + k - 1 : 2 * n + k - 1], codes), self.logits(h[:, 2 * (n + k) - 1 : -1], codes)

    def write(self, tokens: Tensor, gs: Sequence[Tensor], codes: Tensor, draw: Callable[[Tensor], Tensor]) -> Tensor:
        """The tokens (b, n) of the view after one or two others, one at a time; each place is computed once.

        tokens: (b, 1, n) of I_a, or (b, 2, n) of I_a and I_b; gs: [g_ab], or [g_ab, g_ac, g_bc]; codes: (K, c);
        draw: logits (b, K) to numbers (b,).
        """
        s = self.sequence(list(codes[tokens].unbind(1)), gs[: tokens.shape[1]])
        given, length = s.shape[1], s.shape[1] + self.n - 1
        added = self.added(length, gs)
        cache, written = Cache(), []
        h = self.net(s, [x[..., :given, :given] for x in added], cache=cache)
        for place in range(given, given + self.n):
            written.append(draw(self.logits(h[:, -1], codes)))
            if place < length:
                s = self.sequence([codes[written[-1]].unsqueeze(1)], [], place)
                h = self.net(s, [x[..., place : place + 1, : place + 1] for x in added], cache=cache)
        return torch.stack(written, 1)
