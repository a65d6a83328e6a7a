import itertools
import math

import pytest
import torch

from reproductions.parts.masked_tokens import draw_mask, guided, masked_loss, remaining, sample_masked


def test_the_masked_share_is_the_cosine_of_a_uniform_number():
    """Of MaskGIT: gamma = cos(pi u / 2), so that P(gamma <= c) = 1 - 2 arccos(c) / pi; its mean is 2 / pi."""
    known = torch.zeros(20_000, 200, dtype=torch.bool)
    share = draw_mask(known, torch.Generator().manual_seed(0)).float().mean(-1)
    assert share.mean() == pytest.approx(2 / math.pi + 0.5 / 200, abs=0.01), "rounded up"
    for c in (0.3, 0.6, 0.9):
        assert (share <= c).float().mean() == pytest.approx(1 - 2 * math.acos(c) / math.pi, abs=0.015)


def test_masks_are_uniform_over_the_free_tokens_and_never_empty():
    known = torch.tensor([[True, True, False, False, False]]).expand(20_000, -1)
    masked = draw_mask(known, torch.Generator().manual_seed(0))
    assert not masked[:, :2].any() and masked.any(-1).all()
    often = masked[:, 2:].float().mean(0)
    assert often.max() - often.min() < 0.02
    assert set(masked.sum(-1).tolist()) == {1, 2, 3}


def test_the_loss_counts_masked_tokens_alone():
    logits, tokens = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([[0, 1, 2, 0]] * 2)
    masked = torch.tensor([[True, False, False, True], [False, True, False, False]])
    by_hand = [-logits[b, i].log_softmax(-1)[tokens[b, i]] for b, i in ((0, 0), (0, 3), (1, 1))]
    assert masked_loss(logits, tokens, masked).item() == pytest.approx(sum(by_hand).item() / 3, rel=1e-5)


def test_guidance_at_its_limits():
    cond, free = torch.tensor([2.0, 0.0]), torch.tensor([1.0, 1.0])
    assert torch.equal(guided(cond, free, 0), cond) and torch.equal(guided(cond, free, -1), free)
    assert torch.equal(guided(cond, free, 2), torch.tensor([4.0, -2.0])), "3 * cond - 2 * free"


def test_rounds_follow_the_cosine_and_end_with_nothing_masked():
    assert remaining(96, 4) == [88, 67, 36, 0], "96 cos(pi s / 8), rounded down"
    assert remaining(96, 1) == [0]
    for free, rounds in itertools.product((1, 5, 48, 96), (1, 2, 7, 12, 200)):
        plan = [free, *remaining(free, rounds)]
        assert plan[-1] == 0 and all(a > b for a, b in itertools.pairwise(plan)), "each round fixes at least one"
        assert len(plan) - 1 <= rounds
    assert remaining(48, 48) == list(range(47, -1, -1)), "as many rounds as tokens: one by one"
    assert remaining(0, 3) == []


# A joint distribution of three tokens of two values each, and its conditionals given any known tokens (2: unknown).
JOINT = torch.tensor([0.30, 0.05, 0.02, 0.13, 0.04, 0.16, 0.25, 0.05])
STATES = torch.tensor(list(itertools.product((0, 1), repeat=3)))


def conditionals(tokens):
    fits = ((tokens[:, None] == 2) | (tokens[:, None] == STATES)).all(-1) * JOINT  # (b, states)
    ones = (fits[..., None] * STATES).sum(1) / fits.sum(1, keepdim=True)
    return torch.stack([1 - ones, ones], -1).clamp_min(1e-12).log()


def histogram(rounds, noise, count=20_000):
    start, masked = torch.full((count, 3), 2), torch.ones(count, 3, dtype=torch.bool)
    found = sample_masked(conditionals, start, masked, rounds, torch.Generator().manual_seed(1), mask=2, noise=noise)
    return (found[:, None] == STATES).all(-1).float().mean(0)


def test_token_by_token_in_any_order_draws_from_the_joint_distribution():
    assert (histogram(3, math.inf) - JOINT).abs().max() < 0.012


def test_one_round_draws_from_the_product_of_the_marginals():
    ones = (JOINT[:, None] * STATES).sum(0)
    product = torch.where(STATES == 1, ones, 1 - ones).prod(-1)
    assert (histogram(1, 4.0) - product).abs().max() < 0.012
    assert (product - JOINT).abs().max() > 0.1, "which is another distribution"


def test_what_is_given_stays_and_what_is_kept_is_never_masked_again():
    seen = []

    def predict(tokens):
        seen.append(tokens.clone())
        return torch.randn(*tokens.shape, 5, generator=torch.Generator().manual_seed(len(seen)))

    start = torch.tensor([[4, 0, 0, 0, 0, 0, 0, 3]] * 2)
    masked = (start == 0).clone()
    found = sample_masked(predict, start, masked, 4, torch.Generator().manual_seed(0), mask=5, noise=1.0)
    assert (found[:, 0] == 4).all() and (found[:, -1] == 3).all() and (found < 5).all()
    assert [int((s == 5).sum(-1)[0]) for s in seen] == [6, *remaining(6, 4)[:-1]]
    for before, after in itertools.pairwise([*seen, found]):
        kept = before != 5
        assert torch.equal(after[kept], before[kept])
    assert (start == torch.tensor([4, 0, 0, 0, 0, 0, 0, 3])).all(), "the input is left alone"


@pytest.mark.parametrize(("noise", "least", "most"), [(0.0, 0.95, 1), (math.inf, 0.22, 0.28), (3.0, 0.3, 0.9)])
def test_noise_decides_how_often_the_surest_comes_first(noise, least, most):
    """Four independent tokens, the last one surest; which of them is fixed in the first of four rounds?"""
    logits = torch.tensor([1.0, 1.0, 1.0, 6.0])[:, None] * torch.tensor([0.0, 1.0, 0.0])
    first = torch.zeros(4000, 4)

    def predict(tokens):
        if not first.any() and (tokens != 3).any():
            first.copy_(tokens != 3)
        return logits.expand(len(tokens), -1, -1)

    start, masked = torch.zeros(4000, 4, dtype=torch.int64), torch.ones(4000, 4, dtype=torch.bool)
    sample_masked(predict, start, masked, 4, torch.Generator().manual_seed(0), mask=3, noise=noise)
    assert least < first[:, 3].mean().item() <= most
