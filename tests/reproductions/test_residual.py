"""Residual blocks: their start, their reach, and the factored convolution against a full one."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from reproductions.parts.residual import ClipBlock, ImageBlock


@pytest.fixture(autouse=True)
def fixed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def test_an_image_block_starts_as_its_skip():
    x, vector = torch.randn(2, 8, 5, 6), torch.randn(2, 4)
    assert torch.equal(ImageBlock(8, 8, 4)(x, vector), x)
    wider = ImageBlock(8, 16, 4)
    assert torch.equal(wider(x, vector), wider.skip(x))


def test_an_image_block_is_its_equation():
    block = ImageBlock(8, 8, 4)
    nn.init.normal_(block.conv2.weight)
    x, vector = torch.randn(2, 8, 5, 6), torch.randn(2, 4)
    y = block(x, vector)
    for n in range(2):  # one image at a time, written out
        h = F.conv2d(F.silu(F.group_norm(x[n : n + 1], 8)), block.conv1.weight, block.conv1.bias, padding=1)
        film = block.film.weight @ F.silu(vector[n]) + block.film.bias
        scale, shift = film[:8].view(8, 1, 1), film[8:].view(8, 1, 1)
        h = F.silu((1 + scale) * F.group_norm(h, 8) + shift)
        expected = x[n] + F.conv2d(h, block.conv2.weight, block.conv2.bias, padding=1)[0]
        torch.testing.assert_close(y[n], expected, atol=1e-5, rtol=1e-4)


def test_a_clip_block_is_two_three_dimensional_convolutions():
    block = ClipBlock(8)
    x = torch.randn(2, 5, 8, 4, 6)
    normed = F.silu(block.norm(x.flatten(0, 1))).unflatten(0, (2, 5)).transpose(1, 2)
    space = F.conv3d(normed, block.space.weight[:, :, None], block.space.bias, padding=(0, 1, 1))
    time = F.conv3d(F.silu(space), block.time.weight[..., None], block.time.bias, padding=(1, 0, 0))
    torch.testing.assert_close(block(x), x + time.transpose(1, 2), atol=1e-5, rtol=1e-4)


def test_a_clip_block_hears_its_26_neighbours_and_no_others():
    block = ClipBlock(8)
    block.norm = nn.Identity()
    x = torch.randn(1, 7, 8, 7, 7, requires_grad=True)
    block(x)[0, 3, :, 3, 3].sum().backward()
    reached = x.grad[0].abs().sum(1) > 0
    assert reached[2:5, 2:5, 2:5].all() and int(reached.sum()) == 27
