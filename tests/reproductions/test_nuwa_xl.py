import dataclasses

import numpy as np
import pytest
import torch

import reproductions
from kiloframe.errors import UserError
from reproductions.contract import Batch, Condition
from reproductions.methods.nuwa_xl import SCHEDULES, Config, NuwaXL
from reproductions.parts.diffusion import draw_times, loss_weight
from reproductions.worlds import captions
from reproductions.worlds.shapes import EVALUATION_SEEDS, Shapes

A = "a small red circle moving slowly."
B = "a large green ring moving quickly."


def build(**changes):
    torch.manual_seed(0)
    config = dataclasses.replace(Config.smoke(), **changes)
    levels = (1,) * config.depth
    model = NuwaXL(
        dataclasses.replace(config, levels=levels, sampling_steps=changes.get("sampling_steps", (2,) * config.depth))
    )
    for kind in (model.net.inject_frames, model.net.inject_mask, model.net.inject_text):
        for inject in kind:
            torch.nn.init.normal_(inject.map.weight, std=0.3)  # they start at zero
    for layer in (*model.autoencoder.encoder[::2], *model.autoencoder.decoder[::2]):
        layer.weight.data *= 3  # untrained, all frames are one vector, and all vectors one grey
    return model.eval()


@pytest.fixture(scope="module")
def trained():
    return reproductions.load("nuwa_xl")


def real(count, stride=1, frames=5):
    made = Shapes().at(EVALUATION_SEEDS + np.arange(count), np.tile(stride * np.arange(frames), (count, 1)))
    words = captions.encode([str(c) for c in made.truth.captions()], 14)
    return torch.from_numpy(made.video), torch.from_numpy(words)[:, None].expand(-1, frames, -1)


class Ruler:
    """In place of the network: key frames of known brightness, and straight lines between given frames."""

    def __init__(self, model, monkeypatch):
        self.calls = []
        clip = model.config.clip
        self.keys = torch.linspace(-0.9, 0.7, clip).roll(1)
        monkeypatch.setattr(model, "denoise", self)
        monkeypatch.setattr(model.autoencoder, "decode", paint)

    def __call__(self, x_t, p, t, x0c, x0m, index):
        self.calls.append((index.clone(), x0m[..., 0, 0, 0].clone(), p.clone()))
        clip = x_t.shape[1]
        if x0m[:, -1].all():
            far = torch.linspace(0, 1, clip)[None, :, None, None, None]
            made = (1 - far) * x0c[:, :1] + far * x0c[:, -1:]
            return made + 0.2 * x0m  # what the network makes of the given frames must not come into the video
        return self.keys[None, :, None, None, None].expand_as(x_t) + 0.0 * x_t


def paint(z):
    """In place of the decoder: frames as bright as the latents are high, -1 to 1."""
    return ((z.mean((-3, -2, -1), keepdim=True) + 1) / 2).expand(*z.shape[:-3], 3, 16, 16)


def brightness(video):
    return 2 * video.mean((0, 2, 3, 4)) - 1


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("clip", "depth"), [(5, 1), (4, 2), (5, 3), (3, 4)])
def test_a_tree_has_its_frames_where_they_belong(monkeypatch, schedule, clip, depth):
    """Frame i (L - 1)^(m - 1) is key frame i, and all others lie between: against plain interpolation."""
    model = build(clip=clip, depth=depth)
    ruler = Ruler(model, monkeypatch)
    span = (clip - 1) ** depth
    video = model.generate(2 * span + 1, schedule=schedule, batch=2)
    keys = ruler.keys.tolist()
    places = np.arange(2 * clip - 1) * (clip - 1) ** (depth - 1)
    wanted = np.interp(np.arange(2 * span + 1), places, [*keys, *keys[1:]])
    np.testing.assert_allclose(brightness(video), wanted, atol=1e-5)


def test_a_level_is_one_run_and_the_counts_are_those_of_the_paper(monkeypatch):
    assert [Config.paper().stride(k) + 1 for k in (2, 3)] == [226, 3376]
    model = build(clip=5, depth=4, sampling_steps=(1,) * 4)
    calls = Ruler(model, monkeypatch).calls
    assert model.generate(257, schedule="levels").shape[1] == 257
    assert [(int(index[0, 1]), len(index)) for index, _, _ in calls] == [(64, 1), (16, 4), (4, 16), (1, 64)]
    assert [given[0].tolist() for _, given, _ in calls] == [[0] * 5, *[[1, 0, 0, 0, 1]] * 3]
    calls.clear()
    assert model.generate(257).shape[1] == 257
    assert [(int(i[0, 1]), len(i)) for i, _, _ in calls] == [(64, 1), *[(16, 1), (4, 4), (1, 16)] * 4]
    calls.clear()
    model.generate(65)
    assert len(calls) == 1 + 3, "65 frames end with the second key frame; no other gap is filled"
    calls.clear()
    model.generate(66)
    assert len(calls) == 1 + 3 + 3, "of the second gap one frame is wanted; no third is filled"
    calls.clear()
    model.generate(258)
    assert calls[13][1][0].tolist() == [1, 0, 0, 0, 0], "the next tree grows from the last frame of the one before"


def test_both_orders_and_any_depth_give_one_video():
    model = build(clip=4, depth=3)
    one, other = (model.generate(29, seed=3, batch=2, schedule=name) for name in SCHEDULES)
    torch.testing.assert_close(one, other, atol=1e-4, rtol=0)
    flat = model.generate(29, seed=3, batch=2, depth=1)
    assert (flat - one).abs().max() > 1e-3


def test_a_video_goes_on_from_its_context():
    model = build(clip=4, depth=2)
    context = torch.rand(2, 3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    went_on = model.generate(13, Condition(context=context))
    torch.testing.assert_close(went_on[:, :3], context, atol=1e-6, rtol=0)
    assert torch.equal(model.generate(3, Condition(context=context)), went_on[:, :3])
    other = model.generate(13, Condition(context=context.roll(1, 1)))
    assert (other - went_on)[:, 3:].abs().max() > 1e-3, "what follows depends on the last given frame"


@pytest.mark.parametrize("frames", [5, 17, 40])
def test_every_frame_is_made_from_its_own_caption(monkeypatch, frames):
    model = build(clip=5, depth=2, sampling_steps=(1, 1), guidance=1.0)
    calls = Ruler(model, monkeypatch).calls
    asked = Condition(captions=(A, B, A))
    list(model.stream(frames, asked, schedule="levels"))
    start = -16
    for index, given, p in calls:
        if not given[:, -1].any():
            start += 16
        for row, (places, words) in enumerate(zip(index, p, strict=True)):
            first = start + row * int(places[-1])
            for place, said in zip(places.tolist(), words, strict=True):
                text = asked.caption_at(first + place, frames)
                assert torch.equal(said, torch.from_numpy(captions.encode([text], 14))[0])


def test_training_clips_have_the_stride_of_a_level():
    model = NuwaXL(Config.toy())
    owner, index, given = model.draw(400, 257, np.random.default_rng(0))
    assert owner.tolist() == np.repeat(np.arange(400), Config.toy().per_video).tolist()
    steps = np.diff(index.numpy())
    assert (steps == steps[:, :1]).all() and index.min() >= 0 and index.max() == 256
    stride, levels = steps[:, 0], np.array(Config.toy().levels)
    shares = [float((stride == s).mean()) for s in (64, 16, 4, 1)]
    np.testing.assert_allclose(shares, levels / levels.sum(), atol=0.04)
    assert not given[:, 1:-1].any() and not (given[:, -1] > given[:, 0]).any()
    ends = given[:, -1].numpy() == 1
    assert not ends[stride == 64].any(), "the global model is never given the end of the video"
    weights = np.array(Config.toy().given) / sum(Config.toy().given)
    assert ends[stride != 64].mean() == pytest.approx(weights[2], abs=0.05)
    assert np.bincount(index[stride == 1].numpy()[:, 0], minlength=253).max() < 20, "anywhere in the video"
    short = model.draw(50, 20, np.random.default_rng(0))[1]
    assert short.max() < 20 and (np.diff(short.numpy()) >= 1).all(), "a short video gives clips that fit"


def test_the_loss_is_the_weighted_error_of_all_frames(monkeypatch):
    """The guess "all zero" has the error mean(x_0^2); all inputs of the network are looked at on the way."""
    model = build(clip=4, depth=2)
    batch = model.clips(np.random.default_rng(0), 64)
    seen = {}

    def zero(x_t, p, t, x0c, x0m, index):
        seen.update(x_t=x_t, p=p, t=t, x0c=x0c, x0m=x0m, index=index)
        return torch.zeros_like(x_t)

    monkeypatch.setattr(model, "denoise", zero)
    made = model.loss(batch, 5)
    owner, index, given = model.draw(64, 10, np.random.default_rng([11, 5]))
    with torch.no_grad():
        x_0 = model.autoencoder.encode(torch.stack([batch.video[v, f] for v, f in zip(owner, index, strict=True)]))
    t = draw_times(len(x_0), torch.Generator().manual_seed(5))
    wanted = (loss_weight(t) * x_0.square().flatten(1).mean(1)).mean()
    torch.testing.assert_close(made["loss"], wanted)
    assert torch.equal(seen["t"], t) and torch.equal(seen["index"], index)
    assert torch.equal(seen["x0m"][..., 0, 0, 0], given)
    mask = given[..., None, None, None]
    assert torch.equal(seen["x0c"], x_0 * mask), "masked in latents: the middle frames are zero"
    eps = (seen["x_t"] - (1 - t.view(-1, 1, 1, 1, 1)) * x_0) / t.view(-1, 1, 1, 1, 1)
    for frames in (mask, 1 - mask):  # given frames are noised as the others
        assert float((eps * frames).square().sum() / (frames.sum() * 8 * 4 * 4)) == pytest.approx(1, abs=0.02)
    silent = (seen["p"] == 0).all(-1)
    assert (silent.all(1) == silent.any(1)).all() and 0.2 < silent.float().mean() < 0.4
    spoken = ~silent[:, 0]
    assert torch.equal(seen["p"][spoken], batch.captions[owner[spoken], 0][:, None].expand(-1, 4, -1))


def test_guidance_goes_beyond_the_guess_with_the_caption(monkeypatch):
    """One step from noise: x_0 + g (x_p - x_0), vectors cut to length sqrt(c); no caption, one guess alone."""
    model = build(depth=1, sampling_steps=(1,), guidance=3.0)
    calls = []

    def guess(x_t, p, t, x0c, x0m, index):
        calls.append(p)
        return torch.full_like(x_t, 0.2 if p.any() else 0.1)

    monkeypatch.setattr(model, "denoise", guess)
    monkeypatch.setattr(model.autoencoder, "decode", paint)
    np.testing.assert_allclose(brightness(model.generate(3, Condition(captions=(A,)))), 0.1 + 3 * 0.1, atol=1e-6)
    assert len(calls) == 2 and not calls[1].any()
    np.testing.assert_allclose(brightness(model.generate(3)), 0.1, atol=1e-6)
    assert len(calls) == 3
    model.config = dataclasses.replace(model.config, guidance=40.0)
    np.testing.assert_allclose(brightness(model.generate(3, Condition(captions=(A,)))), 1, atol=1e-6)


def test_clips_without_captions_are_trained_without(monkeypatch):
    model = build()
    batch = model.clips(np.random.default_rng(0), 4)
    silent = Batch(batch.video, torch.zeros_like(batch.captions))
    assert torch.equal(model.loss(batch.video, 1)["loss"], model.loss(silent, 1)["loss"])
    assert not torch.equal(model.loss(batch, 1)["loss"], model.loss(silent, 1)["loss"])


def test_noise_follows_from_the_place_in_the_tree():
    from reproductions.methods.nuwa_xl import _noise

    shape = (2, 3)
    keys = [(seed, tree, level, gap) for seed in (0, 1) for tree in (0, 1) for level in (0, 1) for gap in (0, 1)]
    drawn = [tuple(_noise(key, shape).flatten().tolist()) for key in keys]
    assert len(set(drawn)) == len(keys) and drawn[0] == tuple(_noise(keys[0], shape).flatten().tolist())


def test_the_autoencoder_hears_the_noise_and_weighs_the_shapes(monkeypatch):
    model = build()
    batch, seen = model.clips(np.random.default_rng(0), 4), {}
    monkeypatch.setattr(model.autoencoder, "loss", lambda x, noise, generator, m: seen.update(x=x, noise=noise, m=m))
    model.reconstruction_loss(batch, 3)
    frames = batch.video.flatten(0, 1)
    assert seen["noise"] == model.config.jitter and seen["x"].shape == (8, 3, 16, 16)
    for n, frame in enumerate(seen["x"]):
        own = batch.video[n // 2]
        assert (own == frame).flatten(1).all(1).any(), "each video gives two of its frames"
    shape = (seen["x"] - frames[0, :, :1, :1]).abs().amax(1, keepdim=True) > 0.05
    assert set(seen["m"].unique().tolist()) == {1.0, 10.0} and torch.equal(seen["m"] == 10, shape)


def test_trained_weights_paint_frames_as_they_were(trained):
    x, _ = real(64)
    with torch.inference_mode():
        error = (trained.autoencoder.decode(trained.autoencoder.encode(x)) - x).square().mean()
    ground = x.flatten(-2).median(-1).values[..., None, None]
    assert float(error / (ground - x).square().mean()) < 0.02


@pytest.mark.parametrize("stride", [1, 4])
def test_trained_weights_fill_gaps_better_than_they_guess(trained, stride):
    """From pure noise, on videos that training never saw: the step with which every sampling starts."""
    video, p = real(48, stride)
    with torch.inference_mode():
        x = trained.autoencoder.encode(video)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    index, errors = stride * torch.arange(5).expand(48, -1), {}
    for name, ends in (("ends", (0, 4)), ("none", ())):
        x0m = torch.zeros(48, 5, 1, 4, 4)
        x0m[:, list(ends)] = 1
        with torch.inference_mode():
            y = trained.denoise(noise, p, torch.ones(48), x0m * x, x0m, index)
        errors[name] = float((y - x)[:, 1:4].square().mean())
    blank = float((x[:, 1:4] - x[:, 1:4].mean((0, 1))).square().mean())
    assert errors["ends"] < (0.25 if stride == 1 else 0.8) * min(errors["none"], blank), (errors, blank)


def test_trained_weights_draw_what_the_caption_says(trained):
    """The colours of a caption are in the frame, from the first step on: right captions beat exchanged ones."""
    video, p = real(48, 64)
    with torch.inference_mode():
        x = trained.autoencoder.encode(video)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    t, nothing = torch.full((48,), 0.8), torch.zeros(48, 5, 1, 4, 4)
    index = 64 * torch.arange(5).expand(48, -1)
    with torch.inference_mode():
        x_t = (1 - t.view(-1, 1, 1, 1, 1)) * x + t.view(-1, 1, 1, 1, 1) * noise
        own, other = (
            float((trained.denoise(x_t, q, t, 0 * x, nothing, index) - x).square().mean()) for q in (p, p.roll(1, 0))
        )
    assert own < 0.75 * other


BAD = {
    "nothing": ({"frames": 0}, "at least 1 frame"),
    "schedule": ({"frames": 8, "schedule": "depth-frist"}, "nearest: depth-first"),
    "steps": ({"frames": 8, "steps": 0}, "at least 1"),
    "batch": ({"frames": 8, "batch": 0}, "at least 1"),
    "depth": ({"frames": 8, "depth": 3}, "the depth must be 1 to 2"),
    "no depth": ({"frames": 8, "depth": 0}, "the depth must be 1 to 2"),
    "word": ({"frames": 8, "condition": Condition(captions=("a smal red circle",))}, "nearest: small"),
    "no caption": ({"frames": 8, "condition": Condition(captions=())}, "at least one"),
    "shape": ({"frames": 8, "condition": Condition(context=torch.zeros(1, 4, 3, 8, 8))}, r"\(b, t, 3, 16, 16\)"),
    "long": ({"frames": 3, "condition": Condition(context=torch.zeros(1, 4, 3, 16, 16))}, "1 <= t <= 3"),
    "NaN": ({"frames": 8, "condition": Condition(context=torch.full((1, 4, 3, 16, 16), torch.nan))}, r"\[0, 1\]"),
    "label": ({"frames": 8, "condition": Condition(label=torch.zeros(1))}, "cannot use label; it takes: captions"),
}


@pytest.mark.parametrize("name", BAD)
def test_mistakes_are_met_by_the_call_itself(name):
    request, words = BAD[name]
    with pytest.raises(UserError, match=words):
        build().stream(**request)


def test_presets_and_their_sizes():
    sizes = {name: NuwaXL.count(getattr(Config, name)()) for name in ("smoke", "toy", "gpu", "paper")}
    assert sizes["smoke"] < sizes["toy"] < sizes["gpu"] < sizes["paper"]
    paper = Config.paper()
    assert (paper.clip, paper.depth, paper.side) == (16, 3, 128)
    for name in sizes:
        config = getattr(Config, name)()
        assert len(config.levels) == len(config.sampling_steps) == config.depth
    with pytest.raises(dataclasses.FrozenInstanceError):
        paper.side = 1
