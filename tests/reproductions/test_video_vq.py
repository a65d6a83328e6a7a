import pytest
import torch
from torch.nn import functional as F

from reproductions.parts.video_vq import Look, Near, Paint, VideoVQ


def codec(padding="replicate", **changes):
    torch.manual_seed(0)
    sizes = {"widths": (6, 9), "per_slice": 2, "channels": 8, "codes": 16, "code_channels": 4, "depth": (1, 1)}
    return VideoVQ(**(sizes | changes), padding=padding)


def film(frames=16, count=2, side=16):
    return torch.rand(count, frames, 3, side, side, generator=torch.Generator().manual_seed(1))


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("time", "widths"), [(2, (6, 9)), (4, (4, 6, 8)), (1, (6,))])
def test_sizes(time, widths):
    model = codec(per_slice=time, widths=widths)
    space = 2 ** len(widths)
    number = model.encode(film(8))
    assert (model.per_slice, model.down) == (time, space)
    assert number.shape == (2, 8 // time, 16 // space, 16 // space)
    assert number.min() >= 0 and number.max() < 16
    assert model.decode(number).shape == (2, 8, 3, 16, 16)
    back, loss = model(film(8))
    assert back.shape == (2, 8, 3, 16, 16) and loss.ndim == 0


@pytest.mark.parametrize("depth", [1, 2])
def test_frames_hear_of_the_slices_within_reach_and_of_no_others(depth):
    """A slice far enough away may be anything; at the edge of the reach it matters."""
    model = codec(depth=(1, depth)).eval()
    assert model.reach == 1 + depth
    number = torch.randint(16, (1, 12, 4, 4), generator=rng())
    with torch.no_grad():
        whole = model.decode(number)
        for slice_ in (5, 6):
            changed = number.clone()
            changed[:, slice_] = (changed[:, slice_] + 7) % 16
            apart = (model.decode(changed) - whole).abs().amax((0, 2, 3, 4)).view(12, 2).amax(1) > 0
            assert apart.nonzero().squeeze(1).tolist() == list(
                range(slice_ - model.reach, slice_ + model.reach + 1)
            )  # fmt: skip


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_a_code_hears_of_as_many_slices_to_either_side_as_the_encoder_is_deep(depth):
    """How far the border of a clip is heard, too."""
    model = codec(depth=(depth, 0))
    video = film(22, 1)
    changed = video.clone()
    changed[:, 10:12] = 1 - changed[:, 10:12]  # the slice in the middle, the 6th of 11
    with torch.no_grad():
        apart = (model._vectors(changed) - model._vectors(video)).abs().amax((0, 2, 3, 4)) > 0
    assert apart.nonzero().squeeze(1).tolist() == list(range(5 - depth, 5 + depth + 1))


def test_a_still_video_has_one_code_per_place_only_with_replicated_borders():
    """Nothing then tells a slice at the border from one in the middle: the limit case of the equivariance score."""
    still = film(1).expand(-1, 16, -1, -1, -1)
    for padding, same in (("replicate", True), ("zeros", False)):
        with torch.no_grad():
            z = codec(padding)._vectors(still)
        assert torch.allclose(z, z[:, :1].expand_as(z), atol=1e-5) is same


@pytest.mark.parametrize("padding", ["replicate", "zeros"])
def test_every_convolution_that_has_a_border_uses_the_padding(padding):
    kinds = (torch.nn.Conv3d, torch.nn.Conv2d)
    wide = [m for m in codec(padding).modules() if isinstance(m, kinds)]
    assert [sum(isinstance(m, kind) for m in wide) for kind in kinds] == [1 + 1 + 1, 3 + 3]
    assert all(m.padding_mode == padding and set(m.kernel_size) == {3} and set(m.padding) == {1} for m in wide)


@pytest.mark.parametrize("padding", ["replicate", "zeros"])
def test_a_convolution_of_slices_is_the_one_it_is_said_to_be(padding):
    """Brute force: the 3D convolution itself, of what was padded by hand."""
    torch.manual_seed(0)
    layer = Near(3, 7, padding)
    x = torch.randn(2, 4, 5, 6, 3, generator=rng())
    padded = F.pad(x.movedim(-1, 1), (1,) * 6, mode="constant" if padding == "zeros" else "replicate")
    expected = F.conv3d(padded, layer.weight, layer.bias).movedim(1, -1)
    assert torch.allclose(layer(x), expected, atol=1e-5)


def test_pixels_go_to_the_slice_and_the_block_they_lie_in():
    """By brute force: which vectors a pixel changes, and which pixels a vector changes."""
    torch.manual_seed(0)
    look, paint = Look((6, 9), 2, 8, "replicate"), Paint((6, 9), 2, 8, "replicate")
    video, x = film(8, 1, side=48), torch.randn(1, 4, 12, 12, 8, generator=rng())
    dot = video.clone()
    dot[0, 5, 1, 22, 34] += 1  # slice 2 (frames 4 and 5), row 5 (20 to 23), column 8 (32 to 35)
    moved = x.clone()
    moved[0, 2, 5, 8] += 1
    with torch.no_grad():
        heard = ((look(dot) - look(video)).abs().amax(-1) > 0).nonzero()
        seen = ((paint(moved) - paint(x)).abs().amax(2) > 0).nonzero()
    # Of 2x2 pixels, row 11 and column 17, and two further after two convolutions; place p hears 2p - 1 to 2p + 1.
    assert [heard[:, axis].unique().tolist() for axis in (1, 2, 3)] == [[2], [4, 5, 6, 7], [7, 8, 9, 10]]
    assert seen[:, 1].unique().tolist() == [4, 5]
    for axis, first in ((2, 20), (3, 32)):
        assert seen[:, axis].min() == first - 6 and seen[:, axis].max() == first + 3 + 6, "as far above as below"


def test_frames_of_a_slice_keep_their_order():
    """A slice of two frames, joined and parted by matrices that are known."""
    torch.manual_seed(0)
    look, paint = Look((6, 9), 2, 18, "replicate"), Paint((6, 9), 2, 18, "replicate")
    with torch.no_grad():
        for layer in (look.join, paint.part):
            layer.weight.copy_(torch.eye(18)), layer.bias.zero_()
        video = film(4, 1)
        both, alone = look(video), look(video[:, [2, 2]])
        assert torch.equal(both[:, 1, ..., :9], alone[:, 0, ..., :9])
        assert torch.allclose(paint(alone)[:, 0], paint(alone)[:, 1], atol=1e-6)
        assert not torch.allclose(paint(both)[:, 2], paint(both)[:, 3], atol=1e-3)


def test_without_snapping_the_vectors_themselves_are_painted_and_codes_cost_nothing():
    model = codec()
    with torch.no_grad():
        z = F.normalize(model._vectors(film()), dim=-1)
        back, loss = model(film(), snap=False)
        assert torch.allclose(back, model._frames(z), atol=1e-6) and loss == 0
        snapped, loss = model(film())
        expected, number, loss_vq = model.quantiser(z)
    assert torch.allclose(snapped, model._frames(expected), atol=1e-6) and torch.equal(loss, loss_vq)
    assert torch.equal(model.encode(film()), number), "the numbers do not depend on training or not"


def test_dead_codes_move_onto_the_vectors_that_are_served_worst():
    model = codec(codes=8)
    with torch.no_grad():
        z = F.normalize(model._vectors(film()), dim=-1).flatten(0, 3)
        number = model.quantiser.nearest(z)
        worst = (z - model.quantiser.lookup(number)).norm(dim=-1).sort(descending=True).indices[: 1 + len(z) // 4]
        before = model.quantiser.codebook.clone()
        model.quantiser.usage[3:5] = 0
        model(film(), revive=None)
        assert torch.equal(before, model.quantiser.codebook), "nobody is revived who is not to be"
        model.quantiser.codebook[3:5] = -before[:1]  # nothing is near these
        model(film(), revive=rng())
    moved = (model.quantiser.codebook != before).any(-1).nonzero().squeeze(-1).tolist()
    assert set(moved) >= {3, 4}
    for code in moved:
        assert (model.quantiser.codebook[code] - z[worst]).norm(dim=-1).min() < 1e-5


def test_plain_blocks_have_code_0_and_no_others_are_touched():
    model = codec()
    video = torch.full((1, 8, 3, 16, 16), 0.1)
    video[:, :, :, 4:12, 4:12] = film(8, 1)[:, :, :, 4:12, 4:12]
    inner = torch.zeros(1, 4, 4, 4, dtype=torch.bool)
    inner[:, :, 1:3, 1:3] = True
    assert torch.equal(~model.plain(video), inner)
    number = model.encode(video)
    assert (number[~inner] == 0).all() and (number[inner] != 0).any()
    assert torch.equal(number[inner], model.quantiser.nearest(model._vectors(video))[inner])
