import pytest
import torch
from torch.nn import functional as F

from reproductions.parts.quantise import VectorQuantiser


@pytest.fixture
def vq():
    torch.manual_seed(0)
    return VectorQuantiser(codes=12, channels=4)


def test_the_nearest_code_is_the_one_of_least_angle(vq):
    z = torch.randn(3, 5, 4)
    brute = [
        [min(range(12), key=lambda n: (F.normalize(v, dim=0) - F.normalize(vq.codebook[n], dim=0)).norm()) for v in row]
        for row in z
    ]
    assert vq.nearest(z).tolist() == brute == vq.nearest(z * 7).tolist()
    assert torch.allclose(vq.lookup(vq.nearest(z)).norm(dim=-1), torch.ones(3, 5))


def test_the_loss_is_the_papers(vq):
    z = torch.randn(2, 6, 4)
    e, number, loss = vq(z)
    unit = F.normalize(z, dim=-1)
    assert torch.allclose(e, vq.lookup(number), atol=1e-6) and torch.equal(number, vq.nearest(z))
    assert torch.allclose(loss, 1.25 * (unit - e).square().sum(-1).mean())
    exact = vq.lookup(torch.arange(12)) * 3
    assert vq(exact)[2] < 1e-10 and vq(exact)[1].tolist() == list(range(12))


def test_the_gradient_goes_straight_through_and_the_loss_pulls_both(vq):
    z = torch.randn(1, 4, requires_grad=True)
    e, number, loss = vq(z)
    weight = torch.tensor([1.0, 2, 3, 4])
    (through,) = torch.autograd.grad((e * weight).sum(), z, retain_graph=True)
    (plain,) = torch.autograd.grad((F.normalize(z, dim=-1) * weight).sum(), z)
    assert torch.allclose(through, plain)
    loss.backward()
    assert z.grad.abs().sum() > 0
    moved = vq.codebook.grad.abs().sum(-1) > 0
    assert moved.nonzero().flatten().tolist() == number.tolist()


def test_training_makes_every_code_a_cluster():
    """Twelve directions, twelve codes: each direction ends with a code of its own, and no error is left."""
    torch.manual_seed(1)
    vq = VectorQuantiser(codes=12, channels=4, memory=0.8)
    directions = F.normalize(torch.randn(12, 4), dim=-1)
    optimizer, generator = torch.optim.Adam(vq.parameters(), 0.03), torch.Generator().manual_seed(0)
    revived = 0
    for _ in range(400):
        pick = torch.randint(12, (256,), generator=generator)
        z = directions[pick]
        _, number, loss = vq(z)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        revived += vq.revive(z, number, generator)
    assert revived > 0, "some codes began with nothing to do"
    assert sorted(vq.nearest(directions).tolist()) == list(range(12)) and loss < 1e-3


def test_only_dead_codes_move_and_usage_is_a_share(vq):
    z = vq.lookup(torch.tensor([0, 1, 2])).detach().repeat(10, 1)
    before, generator = vq.codebook.detach().clone(), torch.Generator().manual_seed(0)
    moved = 0
    for _ in range(300):
        _, number, _ = vq(z)
        moved += vq.revive(z, number, generator)
    assert moved >= 9
    assert torch.equal(vq.codebook[:3], before[:3]), "codes in use stay"
    assert all((F.normalize(vq.codebook[n], dim=0) @ z[:3].T).max() > 0.999 for n in range(12)), "the dead are on data"
    assert vq.usage.min() >= 0 and vq.usage.max() <= 1
