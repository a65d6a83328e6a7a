import pytest
import torch

from reproductions.parts.cvivit import CViViT


def tokenizer(per_frame=False, overlap=0):
    torch.manual_seed(0)
    net = CViViT(16, 4, 11, 32, 1, 4, codes=64, code_size=8, overlap=overlap, per_frame=per_frame)
    return net.eval()


@pytest.fixture
def video():
    return torch.rand(2, 11, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def changed_steps(before, after):
    return [i for i in range(before.shape[1]) if not torch.allclose(before[:, i], after[:, i], atol=1e-6)]


@pytest.mark.parametrize("overlap", [0, 2])
@pytest.mark.parametrize(("frame", "step"), [(0, 0), (1, 1), (2, 1), (3, 2), (10, 5)])
def test_a_step_sees_no_later_frame(video, frame, step, overlap):
    net, other = tokenizer(overlap=overlap), video.clone()
    other[:, frame] = 1 - other[:, frame]
    with torch.no_grad():
        assert changed_steps(net.encode(video), net.encode(other)) == list(range(step, 6))


@pytest.mark.parametrize("overlap", [0, 2])
@pytest.mark.parametrize(("step", "frame"), [(0, 0), (1, 1), (5, 9)])
def test_a_frame_is_painted_from_no_later_code(step, frame, overlap):
    net = tokenizer(overlap=overlap)
    e = torch.randn(2, 6, 16, 8, generator=torch.Generator().manual_seed(0))
    other = e.clone()
    other[:, step] *= -1
    with torch.no_grad():
        assert changed_steps(net.decode(e), net.decode(other)) == list(range(frame, 11))


def test_shorter_videos_have_the_same_codes_and_a_picture_is_a_video(video):
    net = tokenizer()
    with torch.no_grad():
        whole, tokens = net.encode(video), net.tokens(video)
        for frames in (1, 3, 5, 9):
            steps = (frames + 1) // 2
            torch.testing.assert_close(net.encode(video[:, :frames]), whole[:, :steps])
            assert net.paint(tokens[:, :steps]).shape == (2, frames, 3, 16, 16)
            torch.testing.assert_close(net.paint(tokens[:, :steps]), net.paint(tokens)[:, :frames])


def test_attention_within_a_step_is_not_causal(video):
    """The last patch of the first frame reaches the codes of all its sites."""
    net, other = tokenizer(), video.clone()
    other[:, 0, :, 12:, 12:] = 1 - other[:, 0, :, 12:, 12:]
    with torch.no_grad():
        apart = (net.encode(video) - net.encode(other))[:, 0].abs().amax((0, 2))
    assert (apart > 1e-5).all()


def test_temporal_attention_stays_at_its_site(video):
    """Through the temporal layers alone nothing passes from one site to another."""
    net = tokenizer()
    x = torch.randn(1, 6, 16, 32, generator=torch.Generator().manual_seed(0))
    other = x.clone()
    other[:, 0, 3] *= torch.linspace(-1, 1, 32)
    with torch.no_grad():
        apart = (net._in_time(net.encode_time, x) - net._in_time(net.encode_time, other)).abs().amax((0, 3))
    assert (apart[:, 3] > 1e-4).all() and apart[:, [i for i in range(16) if i != 3]].max() < 1e-5


def test_a_patch_is_embedded_and_painted_by_one_linear_map(video):
    """Site 6 is row 1, column 2; a step's numbers are ordered (frame, colour, y, x)."""
    net = tokenizer()
    first, pairs = net._steps(video)
    assert torch.equal(pairs[:, 1, :3], video[:, 3]) and torch.equal(pairs[:, 1, 3:], video[:, 4])
    for layer, step in ((net.embed[0], first[:, 0]), (net.embed[1], pairs[:, 2])):
        patch = step[:, :, 4:8, 8:12].flatten(1)
        linear = patch @ layer.weight.flatten(1).T + layer.bias
        torch.testing.assert_close(layer(step)[:, :, 1, 2], linear, atol=1e-5, rtol=1e-5)
    x = torch.randn(2, 32, 4, 4, generator=torch.Generator().manual_seed(0))
    linear = (
        torch.einsum("bc,cdpq->bdpq", x[:, :, 1, 2], net.paint_step[1].weight) + net.paint_step[1].bias[:, None, None]
    )
    torch.testing.assert_close(net.paint_step[1](x)[:, :, 4:8, 8:12], linear, atol=1e-5, rtol=1e-5)


def test_patches_with_some_pixels(video):
    pixels = torch.zeros(1, 5, 1, 16, 16, dtype=torch.bool)
    pixels[0, 0, 0, 0, 0] = pixels[0, 2, 0, 4, 15] = pixels[0, 3, 0, 15, 3] = True
    assert tokenizer().near(pixels).nonzero().tolist() == [[0, 0, 0], [0, 1, 7], [0, 2, 12]]
    assert tokenizer(per_frame=True).near(pixels).nonzero().tolist() == [[0, 0, 0], [0, 2, 7], [0, 3, 12]]


def test_frame_by_frame_nothing_passes_between_frames_and_the_size_is_nearly_the_same(video):
    net, other = tokenizer(per_frame=True), video.clone()
    other[:, 4] = 1 - other[:, 4]
    with torch.no_grad():
        assert changed_steps(net.encode(video), net.encode(other)) == [4]
        assert net.tokens(video).shape == (2, 11, 16) and tokenizer().tokens(video).shape == (2, 6, 16)
        assert net.paint(net.tokens(video)).shape == video.shape
    sizes = [sum(p.numel() for p in tokenizer(flag).parameters()) for flag in (True, False)]
    assert sizes[0] < sizes[1] < 1.25 * sizes[0]


def test_gradient_passes_the_codes(video):
    """What is painted teaches the encoder, although the nearest code is a jump."""
    net = tokenizer().train()
    e, number, _ = net.codes(net.encode(video))
    assert torch.equal(number, net.tokens(video))
    (net.decode(e) - video).square().mean().backward()
    assert all(p.grad.abs().sum() > 0 for p in net.encode_space.parameters())
    assert all(layer.weight.grad.abs().sum() > 0 for layer in net.embed)
