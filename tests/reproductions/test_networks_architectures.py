"""The architectures of the feature networks: sizes as published, and each part against a twin written otherwise."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import meta, network, randomised
from torch import nn
from torch.nn import functional as F

from kiloframe.errors import UserError
from reproductions.measures.networks import NETWORKS, load
from reproductions.measures.networks import inception as inception_module
from reproductions.measures.networks.alexnet import CHANNELS, SCALE, SHIFT, AlexNet
from reproductions.measures.networks.base import pixels
from reproductions.measures.networks.bpe import VOCABULARY, Tokenizer
from reproductions.measures.networks.c3d import C3D, read_mean
from reproductions.measures.networks.clip import CLIPImage, CLIPText
from reproductions.measures.networks.efficientnet import EfficientNetLite0
from reproductions.measures.networks.i3d import I3D, Unit, same_padding
from reproductions.measures.networks.inception import InceptionV3
from reproductions.measures.perceptual import perceptual_distance


def parameters(module):
    return sum(p.numel() for p in module.parameters())


@pytest.fixture(scope="module")
def i3d():
    return randomised(I3D(side=32))


@pytest.fixture(scope="module")
def alexnet():
    make = torch.Generator().manual_seed(1)
    return randomised(AlexNet(tuple(torch.rand(c, generator=make) for c in CHANNELS)))


# --- sizes --------------------------------------------------------------------------------------------------------


def test_parameter_counts_are_the_published_ones():
    # torchvision's documentation: AlexNet 61,100,840 with its three linear layers; Inception-v3 27,161,264 with its
    # side classifier (768 -> 128 -> 768 -> 1000) and last layer.
    linear = 9216 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 1000 + 1000
    assert parameters(meta(lambda: AlexNet(tuple(torch.empty(c) for c in CHANNELS)))) + linear == 61_100_840
    side = 768 * 128 + 2 * 128 + 128 * 768 * 25 + 2 * 768 + 768 * 1000 + 1000
    assert parameters(meta(InceptionV3)) + side + 2048 * 1000 + 1000 == 27_161_264
    # CLIP ViT-B/32: 151,277,313 in all, 87,849,216 of them for images; the scale of the logits is in both towers here.
    image, text = meta(CLIPImage), meta(lambda: CLIPText(None))
    assert parameters(image) - 1 == 87_849_216
    assert parameters(image) + parameters(text) - 1 == 151_277_313
    # EfficientNet-Lite0: the dossier counts 4,694,073 numbers in the file, with its last layer.
    lite = meta(EfficientNetLite0)
    assert sum(value.numel() for value in lite.state_dict().values()) + 1280 * 1000 + 1000 == 4_694_073
    # I3D's paper gives 25 M for two streams, C3D's descendants 79 M; the exact counts pin our own code.
    assert parameters(meta(I3D)) == 12_697_264
    assert parameters(meta(lambda: C3D(torch.empty(3, 16, 112, 112)))) == 78_409_573


def test_shapes_inside_are_the_papers():
    state = meta(I3D).state_dict()
    assert state["Conv3d_1a_7x7.conv3d.weight"].shape == (64, 3, 7, 7, 7)
    assert state["Mixed_5c.b0.conv3d.weight"].shape == (384, 832, 1, 1, 1)
    assert state["logits.conv3d.weight"].shape == (400, 1024, 1, 1, 1) and "logits.conv3d.bias" in state
    state = meta(InceptionV3).state_dict()
    assert state["Mixed_6e.branch7x7dbl_5.conv.weight"].shape == (192, 192, 1, 7)
    assert state["Mixed_7c.branch3x3dbl_3b.conv.weight"].shape == (384, 384, 3, 1)
    assert state["Mixed_7c.branch_pool.conv.weight"].shape == (192, 2048, 1, 1)
    state = meta(lambda: C3D(torch.empty(3, 16, 112, 112))).state_dict()
    assert state["fc6.weight"].shape == (4096, 8192) and "mean" not in state
    assert [w.shape[0] for name, w in meta(lambda: AlexNet(())).state_dict().items() if "weight" in name] == [*CHANNELS]
    state = meta(CLIPImage).state_dict()
    assert state["visual.positional_embedding"].shape == (50, 768)
    assert state["visual.transformer.resblocks.11.attn.in_proj_weight"].shape == (2304, 768)
    assert meta(lambda: CLIPText(None)).state_dict()["token_embedding.weight"].shape == (VOCABULARY, 512)


# --- what every network answers -----------------------------------------------------------------------------------


def test_features_come_in_order_by_batches_and_depend_on_nothing_else(monkeypatch):
    module = randomised(EfficientNetLite0(side=32))
    net = network("efficientnet_lite0", module)
    video = np.random.default_rng(0).integers(0, 256, (3, 7, 3, 20, 24), np.uint8)
    sizes, prepare = [], module.prepare
    monkeypatch.setattr(module, "prepare", lambda batch: sizes.append(len(batch)) or prepare(batch))
    before = torch.get_rng_state()
    found = net.features(video)
    assert found.shape == (21, 1280) and sizes == [8, 8, 5]
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(net.features(video), found)
    np.testing.assert_allclose(net.features(video[1:2, 2:3]), found[9:10], atol=1e-5)  # video 1, frame 2
    np.testing.assert_array_equal(net.features(torch.from_numpy(video)), found)
    np.testing.assert_array_equal(net.features(video.astype(np.float32) / 255), found)
    np.testing.assert_array_equal(net.features(video / 255 + 0.4 / 255 * (video < 255)), found)  # rounded to 8 bits
    assert not any(p.requires_grad for p in module.parameters()) and not module.training


def test_bad_videos_are_refused_by_one_sentence(i3d):
    net = network("i3d", i3d)
    video = np.zeros((1, 9, 3, 8, 8), np.float32)
    for bad, words in (
        (video[0], r"takes videos \(b, t, 3, h, w\), none of them empty, not \(9, 3, 8, 8\)"),
        (video[:, :, :1], "takes videos"),
        (video[:0], "none of them empty"),
        (video.astype(np.int64), "uint8 or float values in .* not int64"),
        (video + 2, "these have 2 to 2"),
        (video * np.nan, "these have nan"),
        (video[:, :8], "clips of at least 9 frames, not 8"),
    ):
        with pytest.raises(UserError, match=words):
            net.features(bad)
    c3d = network("c3d", meta(lambda: C3D(torch.empty(3, 16, 112, 112))).to_empty(device="cpu"))
    with pytest.raises(UserError, match="clips of exactly 16 frames, not 17"):
        c3d.features(np.zeros((1, 17, 3, 8, 8), np.float32))
    text = network("clip_text", randomised(CLIPText(Tokenizer([("a", "b")] * 48894), 64, 1)))
    for bad in ("a dog", [], [1]):
        with pytest.raises(UserError, match="captions"):
            text.features(bad)


def test_generated_floats_are_looked_at_as_a_file_would_hold_them():
    x = torch.tensor([0.0, 0.0019, 0.002, 0.5, 1.0])
    assert torch.equal(pixels(x) * 255, torch.tensor([0.0, 0, 1, 128, 255]))
    assert torch.equal(pixels(x, eight_bit=False), x)
    assert torch.equal(pixels(torch.arange(256, dtype=torch.uint8)) * 255, torch.arange(256.0))


# --- I3D and padding ----------------------------------------------------------------------------------------------


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 4))
@settings(max_examples=200, deadline=None)
def test_same_padding_is_tensorflows(size, kernel, stride):
    before, after = same_padding((size,), (kernel,), (stride,))
    # the form that public ports use, from the remainder
    total = max(kernel - stride if size % stride == 0 else kernel - size % stride, 0)
    assert (before, after) == (total // 2, total - total // 2)
    # and what it is for: ceil(size / stride) outputs, each the sum over a window that starts at i stride - before
    x = torch.arange(1.0, size + 1)
    found = F.conv1d(F.pad(x, (before, after))[None, None], torch.ones(1, 1, kernel), stride=stride)[0, 0]
    direct = [sum(float(x[j]) for j in range(i - before, i - before + kernel) if 0 <= j < size)
              for i in range(0, size, stride)]  # fmt: skip
    assert found.tolist() == direct


def test_a_unit_is_convolution_norm_and_relu_with_the_running_statistics():
    unit = randomised(Unit(2, 4, 3, 2))
    x = torch.randn(1, 2, 5, 6, 7)
    y = F.conv3d(F.pad(x, same_padding((5, 6, 7), (3, 3, 3), (2, 2, 2))), unit.conv3d.weight, stride=2)
    bn, shape = unit.bn, (1, 4, 1, 1, 1)
    scale = bn.weight / (bn.running_var + 1e-3).sqrt()  # batch norm folded into the convolution
    folded = y * scale.view(shape) + (bn.bias - bn.running_mean * scale).view(shape)
    torch.testing.assert_close(unit(x), folded.clamp(min=0))


def test_i3d_averages_the_logits_of_all_moments_and_tells_order(i3d):
    kept = {}
    hook = i3d.Mixed_5c.register_forward_hook(lambda *a: kept.update(x=a[2]))
    video = torch.rand(1, 25, 3, 20, 20)
    with torch.no_grad():
        found = i3d(i3d.prepare(video))
    hook.remove()
    x = kept["x"]
    assert x.shape[2] == 4  # 25 frames, halved three times
    w, b = i3d.logits.conv3d.weight.flatten(1), i3d.logits.conv3d.bias
    moments = [w @ x[0, :, i : i + 2].mean((1, 2, 3)) + b for i in range(3)]
    torch.testing.assert_close(found[0], torch.stack(moments).mean(0), rtol=1e-4, atol=1e-4)
    net = network("i3d", i3d)
    clips = video.numpy()[:, :16]
    assert not np.allclose(net.features(clips), net.features(clips[:, ::-1].copy()))


def test_i3d_sees_the_range_and_size_that_fvd_defines(i3d):
    x = I3D.prepare(meta(I3D), torch.tensor([0, 255], dtype=torch.uint8).view(1, 2, 1, 1, 1).expand(1, 2, 3, 8, 6))
    assert x.shape == (1, 3, 2, 224, 224)
    torch.testing.assert_close(x[0, :, :, 7, 9], torch.tensor([[-1.0, 1.0]] * 3))
    # half-pixel centres: the first of 32 pixels stretched over 2 lies at (0.5 / 16) - 0.5 < 0, so it is the first pixel
    ramp = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 1, 1, 2).expand(1, 1, 3, 2, 2)
    row = (i3d.prepare(ramp)[0, 0, 0, 0] + 1) / 2
    expected = ((torch.arange(32) + 0.5) / 16 - 0.5).clamp(0, 1)
    torch.testing.assert_close(row, expected)


# --- Inception ----------------------------------------------------------------------------------------------------


def test_averages_leave_the_padding_out_and_the_last_block_takes_the_maximum():
    for pool, at_corner in (("mean", 1.5), ("max", 3.0)):
        mixed = inception_module.Mixed(1, (), pool, 1).eval()
        nn.init.ones_(mixed.branch_pool.conv.weight)
        mixed.branch_pool.bn.eps = 0.0
        x = torch.tensor([[0.0, 1, 0], [2, 3, 0], [0, 0, 0]])[None, None]
        assert mixed(x)[0, 0, 0, 0] == at_corner  # the mean over the 4 that are there, not over 9
    net = meta(InceptionV3)
    pools = {name: net.get_submodule(f"Mixed_{name}").pool for name in ("5b", "6a", "6c", "7a", "7b", "7c")}
    assert pools == {"5b": "mean", "6a": "halve", "6c": "mean", "7a": "halve", "7b": "mean", "7c": "max"}


def test_inception_sees_minus_one_to_one_at_299_pixels():
    levels = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 5, 9)
    x = InceptionV3.prepare(meta(InceptionV3), levels)
    assert x.shape == (2, 3, 299, 299)
    torch.testing.assert_close(x.mean((1, 2, 3)), torch.tensor([-1.0, 1.0]))
    small = randomised(InceptionV3(side=75))
    with torch.no_grad():
        assert small(small.prepare(torch.rand(2, 3, 16, 16))).shape == (2, 2048)


# --- C3D ----------------------------------------------------------------------------------------------------------


def test_c3d_input_is_blue_first_corner_on_corner_and_less_the_mean():
    c3d = meta(lambda: C3D(torch.zeros(3, 16, 112, 112, device="cpu")))
    video = torch.zeros(1, 16, 3, 2, 2, dtype=torch.uint8)
    video[:, :, 0, :, 1] = 255  # red on the right
    x = c3d.prepare(video)
    assert x.shape == (1, 3, 16, 112, 112) and (x[:, :2] == 0).all()
    torch.testing.assert_close(x[0, 2, 3, 5], torch.linspace(0, 256, 112))


def test_the_mean_clip_is_cut_where_tgan2_cuts_it(tmp_path):
    mean = np.arange(3 * 16 * 128 * 171, dtype=np.float32).reshape(1, 3, 16, 128, 171)
    np.savez(tmp_path / "mean2.npz", mean=mean)
    found = read_mean(tmp_path / "mean2.npz", NETWORKS["c3d"].also[0])
    np.testing.assert_array_equal(found.numpy(), mean[0, :, :, 8:120, 8:120])
    np.savez(tmp_path / "mean2.npz", mean=mean[..., 1:])
    with pytest.raises(UserError, match=r"holds no array mean of shape \(3, 16, 128, 171\)"):
        read_mean(tmp_path / "mean2.npz", NETWORKS["c3d"].also[0])


@pytest.mark.slow
def test_c3d_from_files_as_tgan2_publishes_them(tmp_path):
    module = meta(lambda: C3D(torch.empty(3, 16, 112, 112)))
    rng = np.random.default_rng(0)
    state = {name.replace(".weight", "/W").replace(".bias", "/b"): rng.standard_normal(w.shape, np.float32) * 0.02
             for name, w in module.state_dict().items()}  # fmt: skip
    np.savez(tmp_path / "conv3d_deepnetA_ucf.npz", **state)
    np.savez(tmp_path / "mean2.npz", mean=np.full((3, 16, 128, 171), 100, np.float32))
    net = load("c3d", tmp_path / "conv3d_deepnetA_ucf.npz")
    found = net.features(rng.random((2, 16, 3, 32, 32), np.float32))
    assert found.shape == (2, 101)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)


# --- LPIPS --------------------------------------------------------------------------------------------------------


def test_lpips_is_the_squared_distance_of_features(alexnet):
    net = network("alexnet", alexnet)
    x, y = np.random.default_rng(0).random((2, 1, 1, 3, 40, 52))
    fx, fy = net.features(x)[0], net.features(y)[0]
    direct = 0.0
    with torch.no_grad():
        pairs = zip(*(alexnet.layers(alexnet.prepare(torch.from_numpy(v[0]))) for v in (x, y)), strict=True)
        for layer, (a, b) in enumerate(pairs):
            w = alexnet.get_buffer(f"linear{layer}")
            a, b = (v / v.norm(dim=1, keepdim=True).clamp(min=1e-12) for v in (a, b))
            direct += float((w[None, :, None, None] * (a - b) ** 2).sum(1).mean())
    assert ((fx - fy) ** 2).sum() == pytest.approx(direct, rel=1e-4)
    assert direct > 0 and (net.features(x)[0] == fx).all()
    found = perceptual_distance(fx[None, None], fy[None, None], net.name)
    assert found.value == pytest.approx(direct, rel=1e-4) and found.name == "LPIPS"
    assert perceptual_distance(fy[None, None], fx[None, None], net.name).value == found.value


def test_lpips_of_orthogonal_features_is_two_per_layer(monkeypatch, alexnet):
    module = AlexNet(tuple(torch.ones(c) for c in CHANNELS))

    def orthogonal(x):
        which = (x.mean((1, 2, 3)) > 0).long()  # dark frames answer in channel 0, light ones in channel 1
        return [F.one_hot(which, c).float()[:, :, None, None].expand(-1, -1, 3, 5) for c in CHANNELS]

    monkeypatch.setattr(module, "layers", orthogonal)
    dark, light = network("alexnet", module).features(np.stack([np.zeros((1, 3, 32, 32)), np.ones((1, 3, 32, 32))]))
    assert ((dark - light) ** 2).sum() == pytest.approx(2 * len(CHANNELS))


def test_lpips_colours_are_centred_as_in_version_0_1(alexnet):
    x = alexnet.prepare(torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1).expand(3, 3, 31, 31))
    for level, value in enumerate((-1.0, 0.0, 1.0)):
        expected = (torch.tensor([value] * 3) - torch.tensor(SHIFT)) / torch.tensor(SCALE)
        torch.testing.assert_close(x[level, :, 7, 9], expected)
    assert [tuple(h.shape[1:]) for h in alexnet.layers(x)] == [
        (64, 7, 7),
        (192, 3, 3),
        (384, 1, 1),
        (256, 1, 1),
        (256, 1, 1),
    ]


# --- EfficientNet-Lite0 -------------------------------------------------------------------------------------------


def test_efficientnet_agrees_with_the_implementation_that_its_weights_come_from():
    from efficientnet_lite_pytorch import EfficientNet

    net = load("efficientnet_lite0")
    theirs = EfficientNet.from_name("efficientnet-lite0").eval()
    theirs.load_state_dict({**theirs.state_dict(), **net.extractor.state_dict()})
    video = np.random.default_rng(0).integers(0, 256, (1, 2, 3, 48, 64), np.uint8)
    with torch.no_grad():
        x = net.extractor.prepare(torch.from_numpy(video[0]))
        expected = theirs.extract_features(x).mean((2, 3))
    assert x.shape == (2, 3, 224, 224)
    levels = torch.tensor([0, 127, 255], dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 3, 16, 16)
    torch.testing.assert_close(net.extractor.prepare(levels)[:, 1, 3, 5], torch.tensor([-127 / 128, 0, 1]))
    np.testing.assert_allclose(net.features(video), expected, rtol=1e-5, atol=1e-6)
