import pytest
import torch
from torch.nn import functional as F

from reproductions.parts.video_vq import VideoVQ, foreground_weight


def codec(padding="replicate", **changes):
    torch.manual_seed(0)
    sizes = {"channels": 9, "block": (2, 4), "codes": 16, "code_channels": 4, "depth": (1, 1)}
    return VideoVQ(**(sizes | changes), padding=padding)


def film(frames=16, count=2, side=16):
    return torch.rand(count, frames, 3, side, side, generator=torch.Generator().manual_seed(1))


def test_the_foreground_is_what_differs_from_the_median_colour():
    video = torch.full((2, 3, 3, 8, 8), 0.3)
    video[1] = 0.6
    video[0, 1, 2, 4, 5] = 0.5  # one channel is enough
    video[1, 0, 0, 0, 0] = 0.65  # too near to count
    weight = foreground_weight(video, 10)
    assert weight.shape == (2, 3, 1, 8, 8)
    assert weight[0, 1, 0, 4, 5] == 10 and weight.sum() == weight.numel() + 9


@pytest.mark.parametrize("block", [(2, 4), (4, 8), (1, 2)])
def test_sizes(block):
    time, space = block
    model = codec(block=block)
    number = model.encode(film(8))
    assert number.shape == (2, 8 // time, 16 // space, 16 // space)
    assert number.min() >= 0 and number.max() < 16
    assert model.decode(number).shape == (2, 8, 3, 16, 16)
    back, z, taken, loss = model(film(8))
    assert back.shape == (2, 8, 3, 16, 16) and z.shape == (taken.numel(), 4) and loss.ndim == 0


@pytest.mark.parametrize("depth", [1, 2])
def test_frames_hear_of_the_slices_within_reach_and_of_no_others(depth):
    """A slice far enough away may be anything; at the edge of the reach it matters."""
    model = codec(depth=(1, depth)).eval()
    assert model.reach == 1 + depth
    number = torch.randint(16, (1, 12, 4, 4), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = model.decode(number)
        for slice_ in (5, 6):
            changed = number.clone()
            changed[:, slice_] = (changed[:, slice_] + 7) % 16
            apart = (model.decode(changed) - whole).abs().amax((0, 2, 3, 4)).view(12, 2).amax(1) > 0
            assert apart.nonzero().squeeze(1).tolist() == list(
                range(slice_ - model.reach, slice_ + model.reach + 1)
            )  # fmt: skip


def test_a_still_video_has_one_code_per_place_only_with_replicated_borders():
    """Nothing then tells a slice at the border from one in the middle: the limit case of the equivariance score."""
    still = film(1).expand(-1, 16, -1, -1, -1)
    for padding, same in (("replicate", True), ("zeros", False)):
        model = codec(padding, codes=512)
        model(film())  # the running statistics
        with torch.no_grad():
            z = model._vectors(still)
        assert torch.allclose(z, z[:, :1].expand_as(z), atol=1e-5) is same


def test_every_convolution_that_has_a_border_uses_the_padding():
    for padding in ("replicate", "zeros"):
        wide = [m for m in codec(padding).modules() if isinstance(m, torch.nn.Conv3d)]
        assert len(wide) == 2 + 1 and all(m.padding_mode == padding and m.kernel_size == (3, 3, 3) for m in wide)


def test_replicate_padding_is_that_of_the_border_value():
    layer = next(m for m in codec().modules() if isinstance(m, torch.nn.Conv3d))
    x = torch.randn(1, 4, 5, 5, layer.in_channels, generator=torch.Generator().manual_seed(0))
    padded = F.pad(x.permute(0, 4, 1, 2, 3), (1,) * 6, mode="replicate")
    assert torch.allclose(layer(x), F.conv3d(padded, layer.weight, layer.bias).permute(0, 2, 3, 4, 1), atol=1e-6)


def test_pixels_go_to_the_block_they_come_from():
    """With the networks taken out, what is cut into blocks and put together again is the video itself."""
    model = codec()
    model.encoder, model.decoder = torch.nn.Identity(), torch.nn.Identity()
    assert torch.allclose(model._frames(model._vectors(film())), film(), atol=1e-6)
    dot = torch.zeros(1, 4, 3, 16, 16)
    dot[0, 3, 1, 6, 13] = 1  # in the slice of frames 2 and 3, row 6 of 4 to 7, column 13 of 12 to 15
    assert (model._vectors(dot) > 0).nonzero()[:, :4].tolist() == [[0, 1, 1, 3]]


def test_the_first_batch_fixes_mean_and_deviation():
    model = codec()
    model(film())
    z = model._vectors(film()).flatten(0, 3)
    assert torch.allclose(model.mean, z.mean(0), atol=1e-6) and torch.allclose(model.deviation, z.std(0), atol=1e-5)
    assert torch.equal(model.encode(film()), model(film())[2]), "the numbers do not depend on training or not"
    before = model.mean.clone()
    model(1 - film())
    assert torch.equal(model.mean, before)
    assert model.encode(film(count=8)).unique().numel() > 4, "the vectors are spread over the codes from the start"


def test_plain_blocks_have_code_0_and_no_others_are_touched():
    model = codec()
    video = torch.full((1, 8, 3, 16, 16), 0.1)
    video[:, :, :, 4:12, 4:12] = film(8, 1)[:, :, :, 4:12, 4:12]
    _, z, number, _ = model(video)
    inner = torch.zeros(1, 4, 4, 4, dtype=torch.bool)
    inner[:, :, 1:3, 1:3] = True
    assert torch.equal(~model.plain(video), inner) and len(z) == inner.sum()
    for taken in (number, model.encode(video)):
        assert (taken[~inner] == 0).all() and (taken[inner] != 0).any()
    z_all = (model._vectors(video) - model.mean) / model.deviation
    assert torch.equal(number[inner], model.quantiser.nearest(z_all)[inner])
