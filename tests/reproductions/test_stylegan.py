import math

import pytest
import torch
from torch.nn import functional as F

from reproductions.parts.stylegan import Halve, Mapping, ModulatedConv, Synthesis, leaky


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("demodulate", [True, False])
def test_modulation_equals_weights_of_each_image_written_out(demodulate):
    conv = ModulatedConv(5, 4, 6, demodulate=demodulate).double()
    torch.nn.init.normal_(conv.bias)
    x, w = torch.randn(3, 5, 7, 7, dtype=torch.float64), torch.randn(3, 6, dtype=torch.float64)
    expected = []
    for image, style in zip(x, w, strict=True):
        s = conv.affine.weight @ style + conv.affine.bias
        weight = torch.stack([s[i] * conv.weight[:, i] for i in range(5)], 1)
        if demodulate:
            weight = torch.stack([one / (one.square().sum() + 1e-8).sqrt() for one in weight])
        expected.append(F.conv2d(image[None], weight, conv.bias, padding=1)[0])
    torch.testing.assert_close(conv(x, w), torch.stack(expected))


def test_demodulated_outputs_have_unit_size_whatever_the_style():
    conv = ModulatedConv(32, 16, 8)
    x, w = torch.randn(64, 32, 8, 8), 20 * torch.randn(64, 8)
    inner = conv(x, w)[..., 1:-1, 1:-1].detach()
    assert float(inner.square().mean()) == pytest.approx(1, rel=0.05)


def test_leaky_keeps_the_size_of_normal_numbers_nearly():
    x = torch.randn(100_000)
    assert float(leaky(x).square().mean()) == pytest.approx(1 + 0.04, rel=0.03)  # 2 (1 + 0.2^2) / 2


def test_the_mapping_sees_the_direction_of_z_only():
    mapping = Mapping(16, layers=3)
    z = torch.randn(5, 16)
    torch.testing.assert_close(mapping(z), mapping(7 * z), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(mapping(z), mapping(-z))
    assert 0.2 < float(mapping(torch.randn(4000, 16)).detach().square().mean()) < 5


def test_synthesis_sums_the_images_of_all_sizes():
    net = Synthesis(3, (8, 6, 4), 5)
    v, w = torch.randn(2, 3), torch.randn(2, 5)
    image = net(v, w)
    assert image.shape == (2, 3, 16, 16)
    with torch.no_grad():
        for colour in net.colours[1:]:
            colour.weight.zero_()
        x = torch.cat([net.const.expand(2, -1, -1, -1), v[:, :, None, None].expand(-1, -1, 4, 4)], 1)
        coarse = net.colours[0](leaky(net.first(x, w)), w)
        for _ in range(2):
            coarse = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
        torch.testing.assert_close(net(v, w), coarse)
        net.colours[0].bias += 10
        assert float((net(v, w) - coarse).mean()) == pytest.approx(10, abs=1e-3), "nothing squashes the output"


def test_without_its_convolutions_a_halving_block_averages():
    block = Halve(4, 6)
    x = torch.randn(2, 4, 8, 8)
    torch.nn.init.zeros_(block.two.weight)
    torch.nn.init.zeros_(block.two.bias)
    expected = F.conv2d(x.unflatten(2, (4, 2)).unflatten(4, (4, 2)).mean((3, 5)), block.skip.weight) / math.sqrt(2)
    torch.testing.assert_close(block(x), expected)
