import pytest
import torch

from reproductions.parts.mask_transformer import Injection, MaskTransformer
from reproductions.worlds import captions


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def numbers(*texts):
    return torch.from_numpy(captions.encode(texts, 14))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return MaskTransformer(5, 16, channels=8, layers=2, heads=2, words=48, caption_length=14, text_channels=6)


def arguments():
    x, x0c = normal(2, 3, 5, 4, 4), normal(2, 3, 5, 4, 4, seed=1)
    x0m = torch.zeros(2, 3, 1, 4, 4)
    x0m[:, 0] = 1
    p = numbers("a small red circle", "a large blue star")[:, None].expand(-1, 3, -1)
    return {"x": x, "index": torch.tensor([[0, 4, 8]] * 2), "t": torch.tensor([0.3, 0.9]), "x0c": x0c * x0m, "x0m": x0m,
            "p": p}  # fmt: skip


def wake(net):
    """Injections start at zero; give them something to say."""
    for kind in (net.inject_frames, net.inject_mask, net.inject_text):
        for inject in kind:
            torch.nn.init.normal_(inject.map.weight, std=0.3)


def test_injection_is_the_identity_at_the_start_and_then_a_scale_and_a_shift():
    inject, h = Injection(1, 2), normal(3, 4, 2)
    assert torch.equal(inject(h, normal(3, 4, 1)), h)
    with torch.no_grad():
        inject.map.weight[:, 0] = torch.tensor([0.5, -1.0, 0.25, 2.0])  # w of both channels, then b
        inject.map.bias[:] = torch.tensor([0.0, 0.0, 0.0, 1.0])
        made = inject(h, torch.full((3, 1, 1), 2.0))
    torch.testing.assert_close(made[..., 0], h[..., 0] + 1.0 * h[..., 0] + 0.5)
    torch.testing.assert_close(made[..., 1], h[..., 1] - 2.0 * h[..., 1] + 5.0)


def test_every_place_of_every_frame_sees_all_others(net):
    given = arguments()
    other = given["x"].clone()
    other[0, 1, :, 2, 3] += 1
    with torch.no_grad():
        changed = (net(**given) - net(**{**given, "x": other})).abs().amax(2)
    assert (changed[0] > 1e-6).all() and not changed[1].any(), "all of its own clip, nothing of the next"


def test_places_are_not_mixed_up(net):
    """With no layers and no condition a place is mapped by itself: what comes out at (y, x) was there before."""
    net.layers = torch.nn.ModuleList()
    given = arguments()
    other = given["x"].clone()
    other[1, 2, :, 3, 0] += 1
    with torch.no_grad():
        changed = (net(**given) - net(**{**given, "x": other})).abs().amax(2) > 1e-6
    assert changed.nonzero().tolist() == [[1, 2, 3, 0]]


def test_given_frames_are_heard_near_their_place(net):
    given = arguments()
    other = given["x0c"].clone()
    other[1, 0, :, 0, 3] += 1
    with torch.no_grad():
        changed = (net.hear(given["x0c"]) != net.hear(other)).any(-1)
    assert changed[1, 0].nonzero().flatten().tolist() == [2, 3, 6, 7] and not changed[:, 1:].any()


def test_each_frame_hears_its_own_caption_alone_and_equal_ones_are_encoded_once(net):
    p = torch.stack([numbers("a small red circle", "a blue star", ""), numbers("a blue star", "", "a blue star")])
    calls = []
    net.text.register_forward_hook(lambda _, inputs, __: calls.append(len(inputs[0])))
    with torch.no_grad():
        said = net.pooled(p)
        assert calls == [3]
        for b in range(2):
            for frame in range(3):
                text, seen = net.text(p[b, frame : frame + 1])
                torch.testing.assert_close(said[b, frame], text[0, seen[0]].mean(0), atol=1e-6, rtol=1e-5)


def test_the_conditions_are_silent_at_the_start_and_heard_before_every_layer_once_trained(net):
    given = arguments()
    changes = {
        "x0c": (net.inject_frames, torch.zeros_like(given["x0c"])),
        "x0m": (net.inject_mask, torch.zeros_like(given["x0m"])),
        "p": (net.inject_text, given["p"].flip(0)),
    }
    with torch.no_grad():
        y = net(**given)
        for name, (kind, other) in changes.items():
            assert torch.equal(net(**{**given, name: other}), y)
            assert len(kind) == 2, "one before each layer"
            for inject in kind:
                torch.nn.init.normal_(inject.map.weight, std=0.3)
                assert (net(**given) - net(**{**given, name: other})).abs().max() > 1e-4
                torch.nn.init.zeros_(inject.map.weight)


def test_of_frame_numbers_only_the_distances_count(net):
    wake(net)
    given = arguments()
    with torch.no_grad():
        y = net(**given)
        assert torch.allclose(net(**{**given, "index": given["index"] + 50}), y, atol=1e-5)
        assert (net(**{**given, "index": given["index"] * 3}) - y).abs().max() > 1e-4
        far = net.distances(torch.tensor([[0, 64, 256]]))
        assert (far[0, 2] - far[0, 1]).abs().max() > 1e-2, "the longest distances of a tree are told apart"
