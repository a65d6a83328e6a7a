import math
from itertools import islice

import pytest
import torch

from reproductions.parts.token_prior import TokenPrior


@pytest.fixture
def prior():
    torch.manual_seed(0)
    return TokenPrior(codes=7, rows=12, tokens=4, width=16, layers=2, heads=2)


def numbers(count=3, length=12):
    return torch.randint(7, (count, length), generator=torch.Generator().manual_seed(0))


def test_a_number_is_told_by_those_before_it_alone(prior):
    z = numbers()
    with torch.no_grad():
        logits = prior.causal(z)
        changed = z.clone()
        changed[:, 5] = (changed[:, 5] + 1) % 7
        apart = (prior.causal(changed) - logits).abs().amax((0, 2)) > 1e-6
    assert logits.shape == (3, 12, 7)
    assert apart.tolist() == [False] * 6 + [True] * 6, "row i predicts z_i from z_<i"


def test_the_first_number_is_told_by_the_start_token(prior):
    with torch.no_grad():
        before = prior.causal(numbers())[:, 0].clone()
        prior.vector[7] += torch.randn(16, generator=torch.Generator().manual_seed(0))
        assert (prior.causal(numbers())[:, 0] - before).abs().max() > 1e-3
    assert torch.equal(before, before[:1].expand_as(before))


def test_the_loss_is_minus_the_log_of_the_chain_rule(prior):
    z = numbers(1, 4)
    with torch.no_grad():
        total = 0.0
        for i in range(4):
            alone = prior(prior.begin(z[:, :i]), torch.arange(i + 1), torch.ones(i + 1, i + 1).tril().bool())
            total -= float(alone[0, -1].log_softmax(-1)[z[0, i]])
        assert math.isclose(float(prior.loss(z)), total / 4, rel_tol=1e-5)


def test_sliding_with_a_cache_is_sliding_without(prior):
    """Brute force: each number's logits from a whole pass over c and what the window holds."""
    window, tokens = 3, 4
    heard = []

    def draw(logits):
        heard.append(logits)
        return (logits.argmax(-1) + len(heard)) % 7  # something else every time

    z = torch.cat(list(islice(prior.slide(window, tokens, 2, draw), 6)), 1)
    with torch.no_grad():
        for i, logits in enumerate(heard):
            first = max(0, i // tokens - (window - 1)) * tokens  # t - 1 slices before it, placed from the start
            whole = prior.causal(torch.cat([z[:, first:i], z[:, :1]], 1))[:, -1]
            assert torch.allclose(logits, whole, atol=1e-5), i
            assert torch.equal(z[:, i], (whole.argmax(-1) + i + 1) % 7)


def test_a_slice_is_drawn_one_call_per_number(prior):
    calls = []
    prior.net.register_forward_hook(lambda *_: calls.append(1))
    list(islice(prior.slide(3, 4, 1, lambda logits: logits.argmax(-1)), 5))
    assert len(calls) == 20
