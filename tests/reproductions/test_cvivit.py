import pytest
import torch

from reproductions.parts.cvivit import CViViT


def tokenizer(per_frame=False, stem=0, group=1):
    torch.manual_seed(0)
    net = CViViT(16, 4, 11, 32, 1, 4, codes=64, code_size=8, stem=stem, group=group, per_frame=per_frame)
    for layer in net.show.modules():
        if stem and isinstance(layer, torch.nn.Conv2d):  # the last layer begins with nearly nothing
            torch.nn.init.kaiming_normal_(layer.weight)
    return net.eval()


@pytest.fixture
def video():
    return torch.rand(2, 11, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def changed_steps(before, after):
    return [i for i in range(before.shape[1]) if not torch.allclose(before[:, i], after[:, i], atol=1e-6)]


@pytest.mark.parametrize(("stem", "group"), [(0, 1), (8, 1), (8, 4)])
@pytest.mark.parametrize(("frame", "step"), [(0, 0), (1, 1), (2, 1), (3, 2), (10, 5)])
def test_a_step_sees_no_later_frame(video, frame, step, stem, group):
    net, other = tokenizer(stem=stem, group=group), video.clone()
    other[:, frame] = 1 - other[:, frame]
    with torch.no_grad():
        assert changed_steps(net.encode(video), net.encode(other)) == list(range(step, 6))


@pytest.mark.parametrize(("stem", "group"), [(0, 1), (8, 1), (8, 4)])
@pytest.mark.parametrize(("step", "frame"), [(0, 0), (1, 1), (5, 9)])
def test_a_frame_is_painted_from_no_later_code(step, frame, stem, group):
    net = tokenizer(stem=stem, group=group)
    e = torch.randn(2, 6, group * 16, 8, generator=torch.Generator().manual_seed(0))
    other = e.clone()
    other[:, step] *= -1
    with torch.no_grad():
        assert changed_steps(net.decode(e), net.decode(other)) == list(range(frame, 11))


@pytest.mark.parametrize("stem", [0, 8])
def test_shorter_videos_have_the_same_codes_and_a_picture_is_a_video(video, stem):
    net = tokenizer(stem=stem)
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


def seen_by(net, video):
    """What `embed` of the first frame and of two frames are given, and what they make of it."""
    found = []
    for layer in net.embed:
        layer.register_forward_hook(lambda _, given, made: found.append((given[0], made)))
    net.encode(video)
    return found


def test_as_published_a_patch_is_embedded_by_one_linear_map(video):
    """Site 6 is row 1, column 2; a step's numbers are ordered (frame, colour, y, x)."""
    net = tokenizer()
    (first, x0), (pairs, x1) = seen_by(net, video)
    frames = 2 * video - 1
    for made, layer, step in ((x0[:, 0], net.embed[0], frames[:, :1]), (x1[:, 2], net.embed[1], frames[:, 5:7])):
        patch = step[..., 4:8, 8:12].flatten(1)
        torch.testing.assert_close(made[:, 6], patch @ layer.weight.T + layer.bias, atol=1e-5, rtol=1e-5)
    assert first.shape == (2, 1, 16, 48) and pairs.shape == (2, 5, 16, 96)


def test_as_published_a_patch_is_painted_by_one_linear_map(video):
    net, given = tokenizer(), []
    net.paint_step[1].register_forward_pre_hook(lambda _, x: given.append(x[0]))
    e = torch.randn(2, 6, 16, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        frames, layer = net.decode(e), net.paint_step[1]
        patch = given[0][:, 2, 6] @ layer.weight.T + layer.bias
    found = 2 * frames[:, 5:7, :, 4:8, 8:12] - 1
    torch.testing.assert_close(found.flatten(1), patch, atol=1e-5, rtol=1e-5)


def test_a_stem_sees_and_paints_every_frame_alone_and_pairs_are_put_together_in_their_order(video):
    net = tokenizer(stem=8)
    with torch.no_grad():
        (first, _), (pairs, _) = seen_by(net, video)
        alone = [net.see(2 * video[:, t] - 1).flatten(2).mT for t in range(11)]
        torch.testing.assert_close(first[:, 0], alone[0], atol=1e-5, rtol=1e-5)
        for step in range(5):
            torch.testing.assert_close(
                pairs[:, step], torch.cat(alone[2 * step + 1 : 2 * step + 3], -1), atol=1e-5, rtol=1e-5
            )
        x = torch.randn(3, 32, 4, 4, generator=torch.Generator().manual_seed(0))
        assert net.show(x).shape == (3, 3, 16, 16)
        other = x.clone()
        other[1] *= -1
        assert changed_steps(net.show(x)[None], net.show(other)[None]) == [1]


def test_the_codes_of_a_patch_stand_in_a_row(video):
    """Code g of patch n is number 4n + g, and both maps at the codes take the row as one vector."""
    net, seen = tokenizer(stem=8, group=4), []
    for layer in (net.to_code, net.from_code):
        layer.register_forward_hook(lambda _, given, made: seen.append((given[0], made)))
    with torch.no_grad():
        z = net.encode(video)
        net.decode(z)
    (_, made), (given, _) = seen
    assert z.shape == (2, 6, 64, 8) and net.tokens(video).shape == (2, 6, 64)
    for n, g in ((0, 0), (5, 2), (15, 3)):
        assert torch.equal(z[:, :, 4 * n + g], made[:, :, n, 8 * g : 8 * g + 8])
        assert torch.equal(z[:, :, 4 * n + g], given[:, :, n, 8 * g : 8 * g + 8])
    pixels = torch.zeros(1, 3, 1, 16, 16, dtype=torch.bool)
    pixels[0, 2, 0, 0, 4] = True
    assert net.near(pixels).nonzero().tolist() == [[0, 1, place] for place in (4, 5, 6, 7)]


@pytest.mark.parametrize("patch", [2, 4, 8])
def test_a_stem_halves_the_side_down_to_the_patch(patch):
    net = CViViT(16, patch, 3, 16, 1, 2, codes=8, code_size=4, stem=8)
    video = torch.rand(1, 3, 3, 16, 16)
    assert net.tokens(video).shape == (1, 2, (16 // patch) ** 2)
    assert net.paint(net.tokens(video)).shape == video.shape


def test_patches_with_some_pixels(video):
    pixels = torch.zeros(1, 5, 1, 16, 16, dtype=torch.bool)
    pixels[0, 0, 0, 0, 0] = pixels[0, 2, 0, 4, 15] = pixels[0, 3, 0, 15, 3] = True
    assert tokenizer().near(pixels).nonzero().tolist() == [[0, 0, 0], [0, 1, 7], [0, 2, 12]]
    assert tokenizer(per_frame=True).near(pixels).nonzero().tolist() == [[0, 0, 0], [0, 2, 7], [0, 3, 12]]


@pytest.mark.parametrize("stem", [0, 8])
def test_frame_by_frame_nothing_passes_between_frames_and_the_size_is_nearly_the_same(video, stem):
    net, other = tokenizer(per_frame=True, stem=stem), video.clone()
    other[:, 4] = 1 - other[:, 4]
    with torch.no_grad():
        assert changed_steps(net.encode(video), net.encode(other)) == [4]
        assert net.tokens(video).shape == (2, 11, 16) and tokenizer().tokens(video).shape == (2, 6, 16)
        assert net.paint(net.tokens(video)).shape == video.shape
    sizes = [sum(p.numel() for p in tokenizer(flag, stem).parameters()) for flag in (True, False)]
    assert sizes[0] < sizes[1] < 1.25 * sizes[0]


@pytest.mark.parametrize("stem", [0, 8])
def test_gradient_passes_the_codes(video, stem):
    """What is painted teaches the encoder, although the nearest code is a jump."""
    net = tokenizer(stem=stem).train()
    e, number, _ = net.codes(net.encode(video))
    assert torch.equal(number, net.tokens(video))
    (net.decode(e) - video).square().mean().backward()
    assert all(p.grad.abs().sum() > 0 for p in net.encode_space.parameters())
    assert all(p.grad.abs().sum() > 0 for p in (*net.embed.parameters(), *net.see.parameters()))
