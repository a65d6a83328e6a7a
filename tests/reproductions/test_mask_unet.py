import math

import pytest
import torch

from reproductions.parts.mask_unet import Cascade, Injection, MaskUNet, WordAttention
from reproductions.worlds import captions


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def numbers(*texts):
    return torch.from_numpy(captions.encode(texts, 14))


@pytest.fixture
def net():
    torch.manual_seed(0)
    made = MaskUNet(16, (8, 16), heads=2, attention_level=1, words=48, caption_length=14, text_channels=8)
    for conv in (made.head[-1], *(block.conv2 for block in (*made.down, *made.up))):  # those that start at zero
        torch.nn.init.normal_(conv.weight, std=0.1)
    return made


def arguments():
    x, x0c = normal(2, 3, 3, 16, 16), normal(2, 3, 3, 16, 16, seed=1)
    x0m = torch.zeros(2, 3, 1, 16, 16)
    x0m[:, 0] = 1
    p = numbers("a small red circle", "a large blue star")[:, None].expand(-1, 3, -1)
    return {"x": x, "index": torch.tensor([[0, 4, 8]] * 2), "t": torch.tensor([0.3, 0.9]), "x0c": x0c * x0m, "x0m": x0m,
            "p": p}  # fmt: skip


def test_injection_is_the_identity_at_the_start_and_then_a_scale_and_a_shift():
    inject, h = Injection(1, 2), normal(3, 2, 4, 4)
    assert torch.equal(inject(h, normal(3, 1, 4, 4)), h)
    with torch.no_grad():
        inject.conv.weight[:, 0, 0, 0] = torch.tensor([0.5, -1.0, 0.25, 2.0])  # w of both channels, then b
        inject.conv.bias[:] = torch.tensor([0.0, 0.0, 0.0, 1.0])
        made = inject(h, torch.full((3, 1, 4, 4), 2.0))
    torch.testing.assert_close(made[:, 0], h[:, 0] + 1.0 * h[:, 0] + 0.5)
    torch.testing.assert_close(made[:, 1], h[:, 1] - 2.0 * h[:, 1] + 5.0)


def test_a_cascade_halves_the_sides_and_an_impulse_stays_where_it_is():
    cascade = Cascade(1, (4, 6, 8), kernel=3)
    shapes = [tuple(level.shape) for level in cascade(normal(2, 1, 16, 16))]
    assert shapes == [(2, 4, 16, 16), (2, 6, 8, 8), (2, 8, 4, 4)]
    impulse = torch.zeros(1, 1, 16, 16)
    impulse[..., 12, 4] = 1
    for level, made in enumerate(cascade(impulse)):
        moved = (made - cascade(torch.zeros_like(impulse))[level]).abs().sum(1)[0]
        y, x = divmod(int(moved.argmax()), moved.shape[1])
        assert abs(y * 2**level - 12) <= 2**level and abs(x * 2**level - 4) <= 2**level


def test_word_attention_agrees_with_loops():
    torch.manual_seed(0)
    read = WordAttention(4, heads=2, words=6)
    x, text = normal(2, 4, 2, 2), normal(2, 3, 6, seed=1)
    seen = torch.tensor([[True, True, False], [True, False, False]])
    with torch.no_grad():
        made = read(x, text, seen)
        for n in range(2):
            for y in range(2):
                for z in range(2):
                    q = read.attend.q(read.norm(x[n, :, y, z])).view(2, 2)
                    k, v = (half.view(3, 2, 2) for half in read.attend.kv(text[n]).chunk(2, -1))
                    heads = []
                    for h in range(2):
                        weight = [math.exp(float(q[h] @ k[w, h]) / 2**0.5) if seen[n, w] else 0.0 for w in range(3)]
                        heads.append(sum(a / sum(weight) * v[w, h] for w, a in enumerate(weight)))
                    wanted = x[n, :, y, z] + read.attend.out(torch.cat(heads))
                    torch.testing.assert_close(made[n, :, y, z], wanted, atol=1e-5, rtol=1e-4)


def test_each_frame_reads_its_own_caption_alone():
    torch.manual_seed(0)
    read = WordAttention(4, heads=2, words=6)
    x, text, seen = normal(3, 4, 2, 2), normal(3, 5, 6, seed=1), torch.ones(3, 5, dtype=torch.bool)
    other = text.clone()
    other[1] += 1
    with torch.no_grad():
        changed = (read(x, text, seen) != read(x, other, seen)).flatten(1).any(1)
    assert changed.tolist() == [False, True, False]


def test_equal_captions_are_encoded_once_and_to_the_same(net):
    p = numbers("a small red circle", "a blue star", "a small red circle", "")
    calls = []
    net.text.register_forward_hook(lambda _, inputs, __: calls.append(len(inputs[0])))
    with torch.no_grad():
        text, seen = net._encode(p)
        for n in range(4):
            wanted, there = net.text(p[n : n + 1])
            torch.testing.assert_close(text[n], wanted[0], atol=1e-6, rtol=1e-5)
            assert torch.equal(seen[n], there[0])
    assert calls[0] == 3


def test_the_conditions_are_silent_at_the_start_and_heard_in_every_block_once_trained(net):
    given = arguments()
    hidden = {**given, "x0c": torch.zeros_like(given["x0c"])}
    unmasked = {**given, "x0m": torch.zeros_like(given["x0m"])}
    with torch.no_grad():
        y = net(**given)
        assert torch.equal(net(**hidden), y) and torch.equal(net(**unmasked), y)
        for kind, changed in ((net.inject_frames, hidden), (net.inject_mask, unmasked)):
            assert len(kind) == 4, "two levels, down and up"
            for inject in kind:
                torch.nn.init.normal_(inject.conv.weight, std=0.3)
                assert (net(**given) - net(**changed)).abs().max() > 1e-4
                torch.nn.init.zeros_(inject.conv.weight)


def test_captions_are_heard_and_of_frame_numbers_only_the_distances(net):
    given = arguments()
    with torch.no_grad():
        y = net(**given)
        said = net(**{**given, "p": given["p"].flip(0)})
        assert (y - said).abs().max() > 1e-4
        later = net(**{**given, "index": given["index"] + 50})
        assert torch.allclose(later, y, atol=1e-5)
        wider = net(**{**given, "index": given["index"] * 3})
        assert (wider - y).abs().max() > 1e-4
