import math

import pytest
import torch

from reproductions.parts.attention import RelativeEncoding, SpaceTimeAttention

B, G, T, P, C, HEADS, TEMB = 2, 2, 4, 3, 8, 2, 6


def randomised(module, seed=0):
    """With every parameter drawn at random: zero-initialised parts would hide what they do."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.5)
    return module.double()


def inputs(positions=P, seed=1):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(B, G, T, positions, C, generator=g, dtype=torch.float64)
    index = torch.tensor([[0, 1, 5, 40], [3, 9, 10, 11]])
    return x, index, torch.randn(B, TEMB, generator=g, dtype=torch.float64)


def encode(net, d, temb):
    """R(d) = W_o SiLU(W_d r(d) + W_t temb) for one distance, by hand."""
    r = torch.tensor([math.log(1 + max(d, 0)), math.log(1 + max(-d, 0)), float(d == 0)], dtype=torch.float64)
    hidden = net.distance.weight @ r + net.distance.bias + net.time.weight @ temb + net.time.bias
    return net.out.weight @ (hidden * torch.sigmoid(hidden)) + net.out.bias


def by_hand(net, x, index, temb):
    """logits_ij = s q_i.k_j + s q_i.R^k(d_ij) + s k_j.R^q(d_ji); out_i = sum_j a_ij (v_j + R^v(d_ij)), in loops."""
    size = C // HEADS
    y = torch.empty_like(x)
    for b in range(B):
        for g in range(G):
            tokens = [(t, p) for t in range(T) for p in range(x.shape[3])]
            h = {}
            for t, p in tokens:
                v = x[b, g, t, p]
                v = (v - v.mean()) / (v.var(unbiased=False) + 1e-5).sqrt() * net.norm.weight + net.norm.bias
                h[t, p] = net.qkv.weight @ (v + (net.place[p] if net.place is not None else 0))
            for i in tokens:
                joined = []
                for n in range(HEADS):
                    part = slice(n * size, (n + 1) * size)
                    q = h[i][:C][part]
                    logits, values = [], []
                    for j in tokens:
                        k, v = h[j][C : 2 * C][part], h[j][2 * C :][part]
                        d = int(index[b, i[0]] - index[b, j[0]])
                        r_k, r_v = encode(net.r_k, d, temb[b])[part], encode(net.r_v, d, temb[b])[part]
                        r_q = encode(net.r_q, -d, temb[b])[part]  # read at the reversed distance d_ji
                        logits.append((q @ k + q @ r_k + k @ r_q) / math.sqrt(size))
                        values.append(v + r_v)
                    a = torch.softmax(torch.stack(logits), 0)
                    joined.append((a[:, None] * torch.stack(values)).sum(0))
                y[b, g, i[0], i[1]] = x[b, g, i[0], i[1]] + net.out.weight @ torch.cat(joined) + net.out.bias
    return y


@pytest.mark.parametrize("positions", [1, P])
def test_equals_its_equation_written_as_loops(positions):
    net = randomised(SpaceTimeAttention(C, HEADS, TEMB, positions))
    x, index, temb = inputs(positions)
    with torch.no_grad():
        torch.testing.assert_close(net(x, index, temb), by_hand(net, x, index, temb))


def test_only_distances_count():
    net = randomised(SpaceTimeAttention(C, HEADS, TEMB, P))
    x, index, temb = inputs()
    with torch.no_grad():
        torch.testing.assert_close(net(x, index + 1000, temb), net(x, index, temb))
        assert not torch.allclose(net(x, 2 * index, temb), net(x, index, temb))
        assert not torch.allclose(net(x, -index, temb), net(x, index, temb)), "before and after are told apart"


def test_the_order_of_slots_does_not_count():
    net = randomised(SpaceTimeAttention(C, HEADS, TEMB, P))
    x, index, temb = inputs()
    order = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        torch.testing.assert_close(net(x[:, :, order], index[:, order], temb), net(x, index, temb)[:, :, order])


def test_groups_and_videos_do_not_see_each_other():
    net = randomised(SpaceTimeAttention(C, HEADS, TEMB, P))
    x, index, temb = inputs()
    other = x.clone()
    other[0, 0] += 1
    with torch.no_grad():
        same = (net(x, index, temb) == net(other, index, temb)).flatten(2).all(-1)
    assert same.tolist() == [[False, True], [True, True]]


def test_starts_without_the_distances():
    """W_o = 0 at the start: the encodings vanish, so that only the content of the frames decides."""
    x, index, temb = inputs()
    net = SpaceTimeAttention(C, HEADS, TEMB, P).double()
    assert torch.equal(net(x, index, temb), net(x, 5 * index, temb)) and not torch.equal(net(x, index, temb), x)
    assert (RelativeEncoding(C, HEADS, TEMB).double()(index[:, :, None] - index[:, None], temb) == 0).all()
