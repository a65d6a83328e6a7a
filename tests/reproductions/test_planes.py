"""Planes side by side: one network for all of them, and the attention in which alone they meet."""

import torch
from torch import nn

from reproductions.parts.planes import JointAttention, PlaneUNet, each, join, split


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_planes_are_laid_end_to_end_and_taken_apart_again():
    sizes = ((2, 3), (4, 3), (4, 2))
    planes = [randn(2, 5, *size, seed=n) for n, size in enumerate(sizes)]
    z = join(planes)
    assert z.shape == (2, 5, 6 + 12 + 8)
    assert torch.equal(z[:, :, 6 + 3 * 1 + 2], planes[1][:, :, 1, 2]), "row by row"
    assert all(torch.equal(a, b) for a, b in zip(split(z, sizes), planes, strict=True))


def network(attend, **options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = PlaneUNet(((8, 8), (4, 8), (4, 8)), 8, 4, (8, 16), 1, 2, attend, **options)
        for block in net.modules():
            if hasattr(block, "conv2"):
                nn.init.normal_(block.conv2.weight, std=0.1)  # else every block is the identity
    return net


def heard(net):
    """Which plane's output (rows) moves with which plane's input (columns)."""
    z, t = randn(1, 8, 128), torch.tensor([0.5])
    with torch.no_grad():
        before = split(net(z, t), net.sizes)
        rows = []
        for n in range(3):
            planes = split(z, net.sizes)
            planes[n] = planes[n] + 1
            after = split(net(join(planes), t), net.sizes)
            rows.append([bool((a - b).abs().max() > 1e-6) for a, b in zip(after, before, strict=True)])
    return torch.tensor(rows)


def test_the_planes_meet_in_the_attention_and_nowhere_else():
    assert torch.equal(heard(network(0)), torch.eye(3, dtype=torch.bool))
    assert heard(network(1)).all() and heard(network(2)).all()


def test_all_planes_go_through_the_same_weights():
    """Without the learned places, planes of one size may change seats: the outputs change seats with them."""
    net = network(2)
    nn.init.zeros_(net.place)
    z, t = randn(2, 8, 128), torch.tensor([0.3, 0.9])
    s, h, w = split(z, net.sizes)
    with torch.no_grad():
        one, two = (split(net(join(planes), t), net.sizes) for planes in ([s, h, w], [s, w, h]))
    for a, b in zip((one[0], one[1], one[2]), (two[0], two[2], two[1]), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_planes_of_one_size_go_together_to_the_same_result():
    net = network(2)
    planes = [randn(2, 8, 4, 8, seed=n) for n in range(3)]
    block, vector = net.down[0].block, randn(2, 32)
    for together, alone in zip(each(block, planes, vector), planes, strict=True):
        torch.testing.assert_close(together, block(alone, vector), atol=1e-5, rtol=1e-4)


def test_joint_attention_is_plain_attention_over_all_positions():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        joint = JointAttention(8, 2)
    planes = [randn(1, 8, 2, 3), randn(1, 8, 1, 2, seed=1)]
    z = torch.cat([plane[0].flatten(1).T for plane in planes])  # eight positions
    h = joint.norm(z)
    q, (k, v) = joint.attend.q(h), joint.attend.kv(h).chunk(2, -1)
    heads = [
        torch.softmax(q[:, i : i + 4] @ k[:, i : i + 4].T / 2, -1) @ v[:, i : i + 4] for i in (0, 4)
    ]  # softmax(Q K^T / sqrt(d)) V with d = 4
    expected = z + joint.attend.out(torch.cat(heads, -1))
    made = torch.cat([plane[0].flatten(1).T for plane in joint(planes)])
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=1e-4)
