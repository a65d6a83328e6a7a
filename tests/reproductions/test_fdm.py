import dataclasses
import math

import numpy as np
import pytest
import torch

import reproductions
from kiloframe.errors import UserError
from reproductions import worlds
from reproductions.contract import Condition
from reproductions.methods.fdm import FDM, Config, draw_group, draw_indices, schedule_steps
from reproductions.parts import schedules
from reproductions.parts.diffusion import draw_times
from reproductions.worlds.digits import EVALUATION_SEEDS, Digits


@pytest.fixture(scope="module")
def trained():
    return reproductions.load("fdm")


@pytest.fixture
def model():
    torch.manual_seed(0)
    return FDM(Config.smoke())


def real(frames=8, count=2, **world):
    seeds = EVALUATION_SEEDS + np.arange(count)
    return torch.from_numpy(Digits(**world).batch(seeds, np.zeros(count, int), frames).video)


def test_a_group_is_evenly_spaced_up_to_rounding_and_stays_inside():
    rng = np.random.default_rng(0)
    for _ in range(3000):
        group = draw_group(8, 64, rng)
        assert group == sorted(set(group)) and 1 <= len(group) <= 8 and group[0] >= 0 and group[-1] < 64
        steps = np.diff(group)
        assert len(steps) < 2 or np.ptp(steps) <= 1


def test_sizes_are_uniform_and_spacings_log_uniform_up_to_the_whole_video():
    rng = np.random.default_rng(0)
    groups = [draw_group(8, 64, rng) for _ in range(24_000)]
    sizes = np.bincount([len(g) for g in groups])[1:]
    assert sizes.min() > 0.9 * 3000 and sizes.max() < 1.1 * 3000
    for s in (2, 4, 8):
        widths = np.array([(g[-1] - g[0]) / (s - 1) for g in groups if len(g) == s])
        # log-uniform from 1 to N / (s - 1): half of the spacings lie below the geometric mean of the two
        assert np.mean(widths < math.sqrt(64 / (s - 1))) == pytest.approx(0.5, abs=0.06)
        assert max(g[-1] - g[0] for g in groups if len(g) == s) >= 62, "the widest groups reach both ends"
        assert min(widths) == 1, "and the closest are neighbours"


def test_starts_cover_the_video():
    rng = np.random.default_rng(0)
    counts = np.bincount(np.concatenate([draw_group(4, 16, rng) for _ in range(8000)]), minlength=16)
    assert counts.min() > 0.4 * counts.mean()


def test_index_sets_are_disjoint_and_fill_the_window():
    rng = np.random.default_rng(0)
    draws = [draw_indices(8, 64, rng) for _ in range(2000)]
    for indices, observed in draws:
        assert len(indices) == len(observed) == 8 and indices == sorted(set(indices))
        assert indices[0] >= 0 and indices[-1] < 64 and not all(observed), "something is left to predict"
    share = np.mean([sum(observed) for _, observed in draws]) / 8
    assert 0.15 < share < 0.4, "the first group is latent, of the others every second is observed"


def test_the_training_calls_are_those_of_the_schedules():
    config = Config.toy()
    calls = schedule_steps(config)
    assert all(indices[0] == 0 and len(indices) == 8 and indices[-1] < 64 for indices, _ in calls)
    found = {(tuple(i), tuple(o)) for i, o in calls}
    assert (tuple(range(8)), (True,) * 4 + (False,) * 4) in found, "the sliding window"
    assert (tuple(range(8)), (False,) * 8) in found, "a start from nothing"


def test_only_latent_frames_count_and_the_noise_on_observed_ones_is_never_seen(model):
    clip = real(16)
    g = torch.Generator().manual_seed(0)
    index = torch.tensor([[0, 1, 2, 3], [4, 6, 8, 10]])
    x = 2 * clip[torch.arange(2)[:, None], index] - 1
    obs = torch.tensor([[1.0, 0, 0, 1], [0, 1, 0, 0]])[..., None, None, None]
    x_t, t = torch.randn(x.shape, generator=g), torch.tensor([0.3, 0.8])
    torch.nn.init.normal_(model.net.head[-1].weight, std=0.1)
    with torch.no_grad():
        y = model.denoise(x_t, x, obs, index, t)
        assert torch.equal(model.denoise(x_t + 9 * obs, x, obs, index, t), y), "observed frames enter clean"
        assert torch.equal(model.denoise(x_t, x + 9 * (1 - obs), obs, index, t), y), "latent frames enter noisy"
        assert torch.allclose(model.denoise(x_t, x, obs, index + 50, t), y, atol=1e-5), "only distances count"


def test_the_loss_is_the_weighted_error_of_latent_frames_alone(model):
    """Against a network that answers 0: by hand, frame by frame, with the draws that belong to the step."""
    clip, step = real(16, 3), 5
    model.net = torch.nn.Module()
    model.net.forward = lambda x, index, t: torch.zeros_like(x[:, :, :3])
    rng, generator = np.random.default_rng([7, step]), torch.Generator().manual_seed(step)
    draws = [model._draw(rng) for _ in range(3)]
    times = draw_times(3, generator)
    losses, errors = [], []
    for video, (indices, observed), t in zip(clip, draws, times, strict=True):
        latent = [float((2 * video[i] - 1).square().mean()) for i, o in zip(indices, observed, strict=True) if not o]
        errors.append(np.mean(latent))
        losses.append(errors[-1] / max(float(t), 0.6) ** 2)
    found = model.loss(clip, step)
    assert float(found["loss"]) == pytest.approx(np.mean(losses), rel=1e-5)
    assert float(found["error"]) == pytest.approx(np.mean(errors), rel=1e-5)


def test_the_indicator_matters(trained):
    """The same pixels, called observed or called noise: only the fourth channel differs."""
    x = 2 * real(8) - 1
    index, t = torch.arange(8).expand(2, -1), torch.full((2,), 0.5)
    obs = torch.zeros(2, 8, 1, 1, 1)
    obs[:, :4] = 1
    noise = 0.5 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        told = trained.denoise(x / 2 + noise, x / 2 + noise, obs, index, t)
        untold = trained.denoise(x / 2 + noise, x / 2 + noise, 0 * obs, index, t)
    assert (told - untold).abs().mean() > 0.002


@pytest.mark.parametrize("memory", [False, True])
def test_trained_weights_predict_better_the_nearer_the_observed_frames(trained, memory):
    """From pure noise, on videos that training never saw: the step with which every sampling starts."""
    x = 2 * real(40, 32, memory=memory) - 1
    noise = torch.randn(32, 8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    errors = {}
    for name, chosen, given in (
        ("next", [0, 1, 2, 3, 4, 5, 6, 7], 4),
        ("far", [0, 1, 2, 3, 36, 37, 38, 39], 4),
        ("none", [0, 1, 2, 3, 4, 5, 6, 7], 0),
    ):
        index = torch.tensor(chosen)
        obs = torch.zeros(32, 8, 1, 1, 1)
        obs[:, :given] = 1
        with torch.inference_mode():
            y = trained.denoise(noise, x[:, index], obs, index.expand(32, -1), torch.ones(32))
        errors[name] = float((y - x[:, index])[:, 4:].square().mean())
    blank = float((x[:, 4:8] - x[:, 4:8].mean((0, 1))).square().mean())
    assert errors["next"] < 0.75 * min(errors["far"], errors["none"], blank), (errors, blank)


@pytest.mark.parametrize("schedule", schedules.NAMES)
def test_observed_frames_are_returned_unchanged(model, schedule):
    context = real(5)
    video = model.generate(21, Condition(context=context), schedule=schedule)
    assert video.shape == (2, 21, 3, 16, 16)
    torch.testing.assert_close(video[:, :5], context, atol=1e-6, rtol=0)
    assert torch.equal(model.generate(5, Condition(context=context), schedule=schedule), video[:, :5])


@pytest.mark.parametrize("schedule", schedules.NAMES)
def test_the_context_decides_what_follows(trained, schedule):
    videos = [
        trained.generate(12, Condition(context=context), schedule=schedule, steps=2)[:, 8:]
        for context in (real(8), real(8).flip(0))
    ]
    assert (videos[0] - videos[1]).abs().mean() > 0.01


def test_what_follows_suits_its_own_context(trained):
    clips = trained.clips(np.random.default_rng(10**9), 16)
    made = trained.generate(12, Condition(context=clips[:, :8]), steps=4)[:, 8:]
    own, other = ((made - clips[:, 8:12].roll(by, 0)).abs().mean() for by in (0, 1))
    assert own < 0.7 * other


def test_more_steps_are_more_calls(model):
    count = []
    model.net.register_forward_hook(lambda *_: count.append(1))
    model.generate(4, steps=3)
    model.generate(6)
    assert len(count) == 3 + 2 * 2, "3 steps once; the preset's 2 steps for each of 2 calls"


@pytest.mark.parametrize("schedule", FDM.orders)
def test_an_edited_frame_is_what_later_calls_see(model, schedule):
    """Every generated frame passes the editor once; only frames made after the edit can change."""
    torch.nn.init.normal_(model.net.head[-1].weight, std=0.1)
    made = []
    plain = model.generate(16, schedule=schedule, edit=lambda i, x: made.append(i) or x)
    assert sorted(made) == list(range(16)) and torch.equal(plain, model.generate(16, schedule=schedule))
    at = made[2]
    changed = model.generate(16, schedule=schedule, edit=lambda i, x: -torch.ones_like(x) if i == at else x)
    before, after = made[:4], made[4:]  # the first call makes all 4 frames of the window
    assert (changed[:, at] == 0).all()
    assert torch.equal(changed[:, [i for i in before if i != at]], plain[:, [i for i in before if i != at]])
    assert any(not torch.equal(changed[:, i], plain[:, i]) for i in after)


BAD = {
    "nothing": ({"frames": 0}, "at least 1 frame"),
    "schedule": ({"frames": 8, "schedule": "hierachy-2"}, "did you mean 'hierarchy-2'"),
    "steps": ({"frames": 8, "steps": 0}, "at least 1"),
    "batch": ({"frames": 8, "batch": 0}, "at least 1"),
    "shape": ({"frames": 8, "condition": Condition(context=torch.zeros(1, 4, 3, 8, 8))}, r"\(b, t, 3, 16, 16\)"),
    "long": ({"frames": 3, "condition": Condition(context=torch.zeros(1, 4, 3, 16, 16))}, "1 <= t <= 3"),
    "range": ({"frames": 8, "condition": Condition(context=torch.full((1, 4, 3, 16, 16), 2.0))}, r"\[0, 1\]"),
    "NaN": ({"frames": 8, "condition": Condition(context=torch.full((1, 4, 3, 16, 16), torch.nan))}, r"\[0, 1\]"),
    "text": ({"frames": 8, "condition": Condition(captions=("a seven",))}, "cannot use captions; it takes: context"),
}


@pytest.mark.parametrize("name", BAD)
def test_mistakes_are_met_by_the_call_itself(model, name):
    arguments, words = BAD[name]
    with pytest.raises(UserError, match=words):
        model.stream(**arguments)


@pytest.mark.parametrize("name", ["shapes", "timelapse", "rooms"])
def test_variants_are_trained_on_clips_of_their_world(name):
    config = dataclasses.replace(Config.toy(), **Config.variants()[name])
    clips = FDM(config).clips(np.random.default_rng(3), 2)
    rng = np.random.default_rng(3)
    seeds, starts = rng.integers(0, EVALUATION_SEEDS, 2), rng.integers(0, 4096, 2)
    assert clips.shape == (2, config.horizon, 3, 16, 16)
    assert np.array_equal(clips, worlds.world(name).batch(seeds, starts, config.horizon).video)


def test_a_world_that_is_none_is_refused():
    with pytest.raises(UserError, match=r"'sahpes'.*shapes"):
        FDM(dataclasses.replace(Config.smoke(), world="sahpes")).clips(np.random.default_rng(0), 2)


def test_all_weights_together_are_small():
    files = [reproductions.weights_path("fdm"), *(reproductions.weights_path("fdm", v) for v in Config.variants())]
    assert sum(file.stat().st_size for file in files) <= 4 * 2**20


def test_presets_and_their_sizes():
    sizes = {name: FDM.count(getattr(Config, name)()) for name in ("smoke", "toy", "gpu", "paper")}
    assert sizes["smoke"] < sizes["toy"] < sizes["gpu"] < sizes["paper"]
    assert sizes["toy"] == sum(p.numel() for p in FDM(Config.toy()).parameters())
    assert sizes["paper"] > 20_000_000
    paper = Config.paper()
    assert (paper.window, paper.new, paper.horizon, paper.prefix, paper.side) == (20, 10, 300, 36, 64)
    with pytest.raises(dataclasses.FrozenInstanceError):
        paper.side = 1
