import pytest
import torch
from torch.nn import functional as F

from reproductions.parts.unet import SpaceTimeUNet, TrueTimeConv


@pytest.fixture
def conv():
    torch.manual_seed(0)
    return TrueTimeConv(3).double()


def gates(conv, *distances):
    """g(d) for each distance, (n, channels)."""
    d = torch.tensor(distances, dtype=torch.float64)
    return conv.gate(torch.stack([d.log(), (d == 1).double()], -1))


def test_on_consecutive_frames_it_is_a_zero_padded_convolution(conv):
    x = torch.randn(2, 5, 3, 4, 4, dtype=torch.float64)
    (g,) = gates(conv, 1)
    before, after = (g[:, None] * w for w in conv.neighbours.weight[..., 0, 0].chunk(2))
    kernel = torch.stack([before, torch.eye(3, dtype=torch.float64), after], -1)  # (out, in, time)
    expected = F.conv3d(x.transpose(1, 2), kernel[..., None, None], padding=(1, 0, 0)).transpose(1, 2)
    torch.testing.assert_close(conv(x, torch.tensor([[7, 8, 9, 10, 11]] * 2)), expected)


def test_on_scattered_frames_it_equals_the_sum_written_out(conv):
    x = torch.randn(1, 4, 3, 2, 2, dtype=torch.float64)
    index = [3, 4, 9, 40]
    w_before, w_after = conv.neighbours.weight[..., 0, 0].chunk(2)
    expected = x.clone()
    for i in range(4):
        if i > 0:
            (g,) = gates(conv, index[i] - index[i - 1])
            expected[0, i] += g[:, None, None] * torch.einsum("oc,chw->ohw", w_before, x[0, i - 1])
        if i < 3:
            (g,) = gates(conv, index[i + 1] - index[i])
            expected[0, i] += g[:, None, None] * torch.einsum("oc,chw->ohw", w_after, x[0, i + 1])
    torch.testing.assert_close(conv(x, torch.tensor([index])), expected)


def test_distances_matter_and_places_do_not(conv):
    x = torch.randn(1, 3, 3, 2, 2, dtype=torch.float64)
    y = conv(x, torch.tensor([[0, 1, 5]]))
    torch.testing.assert_close(conv(x, torch.tensor([[90, 91, 95]])), y)
    assert not torch.allclose(conv(x, torch.tensor([[0, 2, 5]])), y)


@pytest.fixture
def unet():
    torch.manual_seed(0)
    net = SpaceTimeUNet(4, 3, 8, (8, 16), heads=2).double()
    for p in net.parameters():
        if not p.any():
            torch.nn.init.normal_(p, std=0.3)
    return net


def test_shapes_and_independence_of_videos_in_a_batch(unet):
    x = torch.randn(3, 5, 4, 8, 8, dtype=torch.float64)
    index, t = torch.tensor([[0, 1, 2, 8, 30]] * 3), torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    with torch.no_grad():
        y = unet(x, index, t)
        assert y.shape == (3, 5, 3, 8, 8)
        torch.testing.assert_close(unet(x[1:2], index[1:2], t[1:2]), y[1:2])


def test_shifting_all_indices_changes_nothing_and_spreading_them_does(unet):
    x, t = torch.randn(1, 4, 4, 8, 8, dtype=torch.float64), torch.tensor([0.5], dtype=torch.float64)
    index = torch.tensor([[0, 1, 5, 6]])
    with torch.no_grad():
        y = unet(x, index, t)
        torch.testing.assert_close(unet(x, index + 77, t), y)
        assert not torch.allclose(unet(x, index * 3, t), y)
        assert not torch.allclose(unet(x, index, t + 0.3), y), "the diffusion time reaches the output"


def test_frames_inform_each_other_at_any_distance(unet):
    x, t = torch.randn(1, 2, 4, 8, 8, dtype=torch.float64), torch.tensor([0.5], dtype=torch.float64)
    changed = x.clone()
    changed[:, 0] += 1
    index = torch.tensor([[0, 60]])
    with torch.no_grad():
        assert not torch.allclose(unet(x, index, t)[:, 1], unet(changed, index, t)[:, 1])
