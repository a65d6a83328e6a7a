import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

import reproductions
from kiloframe.errors import UserError
from reproductions.contract import Condition
from reproductions.methods.pvdm import PVDM, Config, ProjectedAutoencoder
from reproductions.parts.diffusion import draw_times, loss_weight
from reproductions.parts.planes import split
from reproductions.worlds.base import EVALUATION_SEEDS
from reproductions.worlds.shapes import BACKGROUND, Shapes

S = 8


@pytest.fixture(scope="module")
def trained():
    return reproductions.load("pvdm")


@pytest.fixture
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return PVDM(Config.smoke())


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def real(frames=2 * S, count=2, first=0):
    seeds = EVALUATION_SEEDS + first + np.arange(count)
    return torch.from_numpy(Shapes().batch(seeds, np.arange(count), frames).video)


def centred(*convolutions):
    """Leave only the middle of each kernel, so that a place hears itself alone."""
    with torch.no_grad():
        for convolution in convolutions:
            middle = convolution.weight[..., 1, 1].clone()
            convolution.weight.zero_()
            convolution.weight[..., 1, 1] = middle


# --- planes -----------------------------------------------------------------------------------------------------------


def test_the_published_sizes_give_2048_positions_where_a_grid_has_16384():
    with torch.device("meta"):
        sizes = ProjectedAutoencoder(Config.paper()).sizes
    assert sizes == ((32, 32), (16, 32), (16, 32))
    assert sum(h * w for h, w in sizes) == 2048 and 16 * 32 * 32 == 16384


def oblong():
    """An autoencoder whose S, H' and W' cannot be confused, and that hears no neighbours."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = ProjectedAutoencoder(dataclasses.replace(Config.smoke(), frames=6))
    model.encoder, model.decoder = nn.ModuleList(), nn.ModuleList()
    model.head[0] = nn.Identity()
    centred(model.stem, model.head[2], *model.lift)
    return model


def test_each_plane_forgets_one_axis_and_keeps_the_other_two():
    """A change at frame s and patch (h, w) is heard at z^s[h, w], z^h[s, w] and z^w[s, h], and nowhere else."""
    model, x = oblong(), randn(1, 6, 3, 16, 16)
    s, h, w = 4, 2, 7
    other = x.clone()
    other[:, s, :, 2 * h, 2 * w + 1] += 1
    with torch.no_grad():
        moved = [
            (a - b).abs().sum(1)[0] > 1e-6
            for a, b in zip(*(split(model.encode(v), model.sizes) for v in (x, other)), strict=True)
        ]
    assert [tuple(m.shape) for m in moved] == [(8, 8), (6, 8), (6, 8)]
    assert [m.nonzero().tolist() for m in moved] == [[[h, w]], [[s, w]], [[s, h]]]


def test_a_voxel_is_decoded_from_the_three_places_it_projects_to():
    """v_shw = [z^s_hw, z^h_sw, z^w_sh], all three."""
    model = oblong()
    z = randn(1, 4, 8 * 8 + 2 * 6 * 8).requires_grad_()
    s, h, w = 5, 1, 6
    model.decode(z)[0, s, :, 2 * h, 2 * w].sum().backward()
    reached = [plane.abs().sum(1)[0].nonzero().tolist() for plane in split(z.grad, model.sizes)]
    assert reached == [[[h, w]], [[s, w]], [[s, h]]]


def test_latents_and_pixels_are_bounded(model):
    z = model.autoencoder.encode(5 * randn(2, S, 3, 16, 16))
    assert z.abs().max() <= 1 and model.autoencoder.decode(9 * randn(2, 4, 192)).abs().max() <= 1


def test_the_mean_alone_decides_where_the_axis_has_no_order(model):
    """Limit case: without places, a projection does not know the order along its axis."""
    f = model.autoencoder.f_s
    u = randn(3, S, 8)
    with torch.no_grad():
        assert not torch.allclose(f(u), f(u.flip(1)), atol=1e-4)
        f.place.zero_()
        torch.testing.assert_close(f(u), f(u.flip(1)))


# --- losses -----------------------------------------------------------------------------------------------------------


def test_the_autoencoder_is_told_ten_times_as_loudly_where_there_is_something(model, monkeypatch):
    """Closed form: constant errors a on the shapes and b on the ground."""
    clip = real()
    x = clip[:, :S]
    shown = ((x - torch.from_numpy(BACKGROUND).view(3, 1, 1)).abs().amax(2, keepdim=True) > 0.1).float()
    a, b = 0.5, 0.25
    monkeypatch.setattr(model.autoencoder, "decode", lambda z: 2 * x - 1 + a * shown + b * (1 - shown))
    p = float(shown.mean())
    expected = (10 * p * (a**2 + 0.2 * a) + (1 - p) * (b**2 + 0.2 * b)) / (10 * p + 1 - p)
    assert 0.05 < p < 0.5
    assert float(model.reconstruction_loss(clip, 0)["loss"]) == pytest.approx(expected, rel=1e-4)


def captured(model, monkeypatch, answer=None):
    """Run `denoise` on record; `answer` in place of what the network says."""
    calls, denoise = [], model.denoise

    def spy(z_t, condition, t):
        calls.append((z_t, condition, t))
        return denoise(z_t, condition, t) if answer is None else answer(z_t, condition, t)

    monkeypatch.setattr(model, "denoise", spy)
    return calls


def test_the_loss_is_its_equation(model, monkeypatch):
    """A network that says 0 errs by || z^2 ||^2; times are the schedule's, weighted by 1 / max(t, 0.6)^2."""
    calls = captured(model, monkeypatch, lambda z_t, condition, t: torch.zeros_like(z_t))
    clip = real(count=6)
    found = float(model.loss(clip, 11)["loss"])
    z_t, _, t = calls[0]
    z = model.autoencoder.encode(2 * clip[:, S:] - 1).detach()
    assert found == pytest.approx(float((loss_weight(t) * z.square().mean((1, 2))).mean()), rel=1e-5)
    eps = (z_t - (1 - t).view(-1, 1, 1) * z) / t.view(-1, 1, 1)  # x_t = (1 - t) x + t eps
    assert abs(float(eps.mean())) < 0.05 and float(eps.std()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_share_lambda_is_told_the_clip_before(share, monkeypatch):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = PVDM(dataclasses.replace(Config.smoke(), conditional=share))
    calls = captured(model, monkeypatch, lambda z_t, condition, t: torch.zeros_like(z_t))
    clip = real(count=4)
    before = model.autoencoder.encode(2 * clip[:, :S] - 1).detach()
    told = []
    for step in range(60):
        model.loss(clip, step)
        for own, condition in zip(before, calls[-1][1], strict=True):
            told.append(bool(condition.abs().sum() > 0))
            if told[-1]:  # the whole latent of the clip before, with noise of the preset's jitter, 0.1
                assert float((condition - own).std()) == pytest.approx(0.1, abs=0.015)
    assert np.mean(told) == pytest.approx(share, abs=0.09 if share == 0.3 else 0)


def test_the_condition_is_turned_round_in_time_so_that_the_seam_is_at_row_0(model, monkeypatch):
    seen = []
    monkeypatch.setattr(model.denoiser, "forward", lambda z, t: seen.append(z) or z[:, :4])
    z_t, condition = randn(1, 4, 192), randn(1, 4, 192, seed=1)
    model.denoise(z_t, condition, torch.ones(1))
    assert torch.equal(seen[0][:, :4], z_t)
    given, turned = (split(z, model.autoencoder.sizes) for z in (condition, seen[0][:, 4:]))
    assert torch.equal(turned[0], given[0]), "the plane without time stays"
    for n in (1, 2):
        assert torch.equal(turned[n][:, :, 0], given[n][:, :, S - 1]) and torch.equal(turned[n].flip(2), given[n])
    model.denoise(z_t, torch.zeros_like(condition), torch.ones(1))
    assert not seen[1][:, 4:].any(), "no condition stays no condition"


# --- generation -------------------------------------------------------------------------------------------------------


def test_each_clip_is_made_from_the_whole_latent_of_the_one_before(model, monkeypatch):
    calls = captured(model, monkeypatch)
    made, next_clip = [], model.next_clip
    monkeypatch.setattr(model, "next_clip", lambda *a: made.append(next_clip(*a)) or made[-1])
    model.generate(3 * S)
    conditions = [condition for _, condition, _ in calls]
    assert len(conditions) == 3 * model.config.sampling_steps
    assert not conditions[0].any(), "nothing comes before the first clip"
    for n in (1, 2):
        assert torch.equal(conditions[n * model.config.sampling_steps], made[n - 1])


def test_a_model_that_never_saw_a_condition_is_given_none(monkeypatch):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = PVDM(dataclasses.replace(Config.smoke(), conditional=0.0))
    calls = captured(model, monkeypatch)
    model.generate(3 * S)
    assert not any(condition.any() for _, condition, _ in calls)


def test_predictions_are_cut_to_where_latents_can_be(model, monkeypatch):
    monkeypatch.setattr(model, "denoise", lambda z_t, condition, t: 7 * torch.ones_like(z_t))
    z = model.next_clip(torch.zeros(1, 4, 192), randn(1, 4, 192), 3)
    assert torch.equal(z, torch.ones_like(z))


def test_the_context_comes_first_unchanged_and_only_its_last_clip_counts(model):
    context = real(S + 3)
    video = model.generate(3 * S, Condition(context=context))
    assert video.shape == (2, 3 * S, 3, 16, 16) and torch.equal(video[:, : S + 3], context)
    short = model.generate(3 * S - 3, Condition(context=context[:, 3:]))
    assert torch.equal(short[:, S:], video[:, S + 3 :])
    assert torch.equal(model.generate(S + 3, Condition(context=context)), context)


def test_the_trained_autoencoder_redraws_clips_it_has_never_seen(trained):
    x = 2 * real(S, 32) - 1
    with torch.inference_mode():
        z = trained.autoencoder.encode(x)
        error = float((trained.autoencoder.decode(z) - x).square().mean())
    blank = float((x - x.mean((0, 1, 3, 4), keepdim=True)).square().mean())
    assert error < 0.035 * blank, (error, blank)
    assert float(z.abs().mean((1, 2)).min()) > 0.05, "no clip's latent looks like the absent condition"


def test_the_trained_network_knows_more_when_told_the_clip_before(trained):
    """From pure noise, where every sampling starts."""
    x = 2 * real(2 * S, 48) - 1
    with torch.inference_mode():
        before, z = (trained.autoencoder.encode(half) for half in x.chunk(2, 1))
        eps, t = randn(*z.shape), torch.ones(48)
        error = {
            name: float((trained.denoise(eps, condition, t) - z).square().mean())
            for name, condition in (("own", before), ("other", before.roll(1, 0)), ("none", torch.zeros_like(z)))
        }
    assert error["own"] < 0.2 * error["none"] < 0.15 * error["other"], error


def test_what_follows_suits_its_own_context(trained):
    clips = real(2 * S, 16)
    made = trained.generate(S + 2, Condition(context=clips[:, :S]), steps=4)[:, S:]
    own, other = ((made - clips[:, S : S + 2].roll(by, 0)).abs().mean() for by in (0, 1))
    assert own < 0.25 * other


def test_times_reach_the_noise_where_sampling_starts():
    assert float((draw_times(4096, torch.Generator().manual_seed(0)) > 0.95).float().mean()) > 0.05


BAD = {
    "nothing": ({"frames": 0}, "at least 1 frame"),
    "steps": ({"frames": 8, "steps": 0}, "at least 1"),
    "batch": ({"frames": 8, "batch": 0}, "at least 1"),
    "short": ({"frames": 20, "condition": Condition(context=torch.zeros(1, 7, 3, 16, 16))}, "8 <= t <= 20"),
    "long": ({"frames": 8, "condition": Condition(context=torch.zeros(1, 9, 3, 16, 16))}, "8 <= t <= 8"),
    "shape": ({"frames": 9, "condition": Condition(context=torch.zeros(1, 8, 3, 8, 8))}, r"\(b, t, 3, 16, 16\)"),
    "range": ({"frames": 9, "condition": Condition(context=torch.full((1, 8, 3, 16, 16), 2.0))}, r"\[0, 1\]"),
    "NaN": ({"frames": 9, "condition": Condition(context=torch.full((1, 8, 3, 16, 16), torch.nan))}, r"\[0, 1\]"),
    "text": ({"frames": 8, "condition": Condition(captions=("a star",))}, "cannot use captions; it takes: context"),
}


@pytest.mark.parametrize("name", BAD)
def test_mistakes_are_met_by_the_call_itself(model, name):
    arguments, words = BAD[name]
    with pytest.raises(UserError, match=words):
        model.stream(**arguments)


def test_presets_and_their_sizes():
    sizes = {name: PVDM.count(getattr(Config, name)()) for name in ("smoke", "toy", "gpu", "paper")}
    assert sizes["smoke"] < sizes["toy"] < sizes["gpu"] < sizes["paper"]
    assert 2 * sizes["toy"] <= 4_000_000, "two bytes a parameter"
