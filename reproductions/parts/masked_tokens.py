"""Masked token modelling: hide a random share of a sequence's tokens, predict them, and sample by unmasking in rounds.

Source: MaskGIT (Chang et al., arXiv 2202.04200), as Phenaki (arXiv 2210.02399, section 3) uses it. Shapes: b batch,
n tokens of a sequence, v codes of the vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["draw_mask", "guided", "masked_loss", "remaining", "sample_masked"]


def draw_mask(known: Tensor, generator: torch.Generator) -> Tensor:
    """Which tokens to hide in training, (b, n) bool: ceil(gamma m) random ones of the m that are not `known` (b, n).

    gamma = cos(pi u / 2), u ~ U(0, 1), one per sequence; at least one token of a sequence that has a free one.
    """
    free = ~known.cpu()
    gamma = torch.cos(math.pi / 2 * torch.rand(len(known), 1, generator=generator))
    # The free tokens in random order; what is known comes last.
    order = torch.rand(known.shape, generator=generator).masked_fill(~free, 2.0).argsort(-1).argsort(-1)
    return (order < torch.ceil(gamma * free.sum(-1, keepdim=True))).logical_and(free).to(known.device)


def masked_loss(logits: Tensor, tokens: Tensor, masked: Tensor) -> Tensor:
    """L = - mean over masked i of log p(a_i | what is not masked): logits (b, n, v), tokens (b, n), masked (b, n)."""
    return F.cross_entropy(logits[masked], tokens[masked])


def guided(conditional: Tensor, unconditional: Tensor, strength: float) -> Tensor:
    """l = (1 + lambda) l_cond - lambda l_uncond: strength 0 is the condition alone, -1 no condition at all."""
    return (1 + strength) * conditional - strength * unconditional


def remaining(free: int, rounds: int) -> list[int]:
    """How many of m = `free` tokens are still masked after each of S rounds: floor(m cos(pi s / (2 S))), s = 1..S.

    Every round fixes one token at least, so there are at most m rounds; with S >= m it is token by token.
    """
    left, plan = free, []
    for s in range(1, rounds + 1):
        if left > 0:
            left = min(left - 1, math.floor(free * math.cos(math.pi / 2 * s / rounds) + 1e-9)) if s < rounds else 0
            plan.append(left)
    return plan


def sample_masked(
    predict: Callable[[Tensor], Tensor],
    tokens: Tensor,
    masked: Tensor,
    rounds: int,
    generator: torch.Generator,
    *,
    mask: int,
    noise: float = 1.0,
) -> Tensor:
    """Fill in the masked tokens in S = `rounds` rounds; returns (b, n), what was not masked unchanged.

    predict: tokens (b, n), with the number `mask` where a token is unknown, to logits (b, n, v); masked: (b, n) bool,
    the same number of tokens in every sequence. Each round draws a value for every masked token, ranks these by

        log p(value) + noise (1 - s / S) g,   g ~ Gumbel(0, 1),

    keeps the best, by the schedule of `remaining`, and masks the rest again. What was kept is never masked again.
    noise: from 0, the surest first, to infinity, any order. All draws use the CPU generator given.
    """
    tokens, masked = tokens.masked_fill(masked, mask), masked.clone()
    plan = remaining(int(masked[0].sum()), rounds)
    for s, left in enumerate(plan, 1):
        log_p = predict(tokens).log_softmax(-1).float().cpu()
        value = (log_p + _gumbel(log_p.shape, generator)).argmax(-1)  # a draw from softmax(log_p)
        sure = log_p.gather(-1, value.unsqueeze(-1)).squeeze(-1)
        chance = _gumbel(sure.shape, generator)
        score = chance if math.isinf(noise) else sure + noise * (1 - s / len(plan)) * chance
        score = score.masked_fill(~masked.cpu(), -math.inf)
        keep = torch.zeros_like(score, dtype=torch.bool)
        keep.scatter_(1, score.topk(int(masked[0].sum()) - left).indices, True)
        keep = keep.to(tokens.device)
        tokens = torch.where(keep, value.to(tokens.device), tokens)
        masked &= ~keep
    return tokens


def _gumbel(shape: torch.Size, generator: torch.Generator) -> Tensor:
    return -torch.log(-torch.log(torch.rand(shape, generator=generator).clamp(1e-20, 1 - 1e-7)))
