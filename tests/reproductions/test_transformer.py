import math

import pytest
import torch
from torch.nn import functional as F

from reproductions.parts.transformer import Attention, Cache, Transformer, causal_mask, draw_token


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Transformer(16, layers=3, heads=4).eval()


def test_attention_is_the_sum_of_the_formula():
    torch.manual_seed(0)
    attention, x = Attention(8, 2), torch.randn(2, 5, 8)
    bias = torch.randn(2, 1, 5, 5)
    q, kv = attention.q(x), attention.kv(x)
    k, v = kv[..., :8], kv[..., 8:]
    out = torch.zeros(2, 5, 8)
    for b in range(2):
        for head in range(2):
            d = slice(4 * head, 4 * head + 4)
            for i in range(5):
                logits = torch.stack([q[b, i, d] @ k[b, j, d] / math.sqrt(4) + bias[b, 0, i, j] for j in range(5)])
                out[b, i, d] = sum(a * v[b, j, d] for j, a in enumerate(logits.softmax(0)))
    assert torch.allclose(attention(x, x, bias), attention.out(out), atol=1e-6)


def test_causal_mask_lets_a_query_see_itself_and_what_came_before():
    assert causal_mask(3, 3).int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert causal_mask(2, 4).int().tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]


def test_the_future_does_not_reach_back(net):
    x = torch.randn(1, 7, 16)
    changed = x.clone()
    changed[:, 4:] += torch.randn(3, 16)
    y, z = net(x, causal_mask(7, 7)), net(changed, causal_mask(7, 7))
    assert torch.equal(y[:, :4], z[:, :4]) and not torch.allclose(y[:, 4:], z[:, 4:])
    assert not torch.allclose(net(x)[:, :4], net(changed)[:, :4]), "without a mask it does"


@pytest.mark.parametrize("pieces", [[1] * 7, [3, 1, 2, 1], [7]])
def test_decoding_with_a_cache_is_decoding_without(net, pieces):
    x = torch.randn(2, 7, 16)
    whole = net(x, causal_mask(7, 7))
    cache, found = Cache(), []
    for part in x.split(pieces, 1):
        found.append(net(part, causal_mask(part.shape[1], len(cache) + part.shape[1]), cache=cache))
    assert len(cache) == 7 and torch.allclose(torch.cat(found, 1), whole, atol=1e-6)


def test_a_bias_per_layer(net):
    x, b = torch.randn(1, 4, 16), torch.randn(4, 4)
    assert torch.allclose(net(x, [b, b, b]), net(x, b)) and torch.allclose(net(x, [None] * 3), net(x))
    assert not torch.allclose(net(x, [b, None, b]), net(x, b))


def test_cross_attention_reads_what_the_mask_leaves():
    torch.manual_seed(0)
    net = Transformer(16, 2, 4, context=8)
    x, context = torch.randn(2, 3, 16), torch.randn(2, 5, 8)
    mask = torch.tensor([[1, 1, 1, 0, 0]] * 2).bool()
    other = context.clone()
    other[:, 3:] += torch.randn(2, 8)
    assert torch.allclose(net(x, context=context, context_mask=mask), net(x, context=other, context_mask=mask))
    assert torch.allclose(net(x, context=context, context_mask=mask), net(x, context=context[:, :3]), atol=1e-6)
    assert not torch.allclose(net(x, context=context), net(x, context=other))


def test_tokens_are_drawn_with_their_probabilities():
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log().expand(40_000, 4)

    def shares(**options):
        drawn = draw_token(logits, torch.Generator().manual_seed(0), **options)
        return torch.bincount(drawn, minlength=4) / len(drawn)

    assert torch.allclose(shares(), logits[0].exp(), atol=0.01)
    assert torch.allclose(shares(top_k=2), torch.tensor([0.625, 0.375, 0, 0]), atol=0.01)
    # 0.5 + 0.3 = 0.8 does not reach 0.9 before the third: it is the last one in the nucleus.
    assert torch.allclose(shares(top_p=0.9), torch.tensor([0.5, 0.3, 0.15, 0]) / 0.95, atol=0.01)
    assert torch.allclose(shares(top_p=0.4), torch.tensor([1.0, 0, 0, 0]))
    halved = F.softmax(logits[0] / 0.5, -1)
    assert torch.allclose(shares(temperature=0.5), halved, atol=0.01)
    assert shares(temperature=0).tolist() == [1, 0, 0, 0]


def test_a_draw_follows_from_its_generator_and_keeps_the_shape():
    logits = torch.randn(3, 5, 11)
    one, two, other = (draw_token(logits, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert one.shape == (3, 5) and torch.equal(one, two) and not torch.equal(one, other)
