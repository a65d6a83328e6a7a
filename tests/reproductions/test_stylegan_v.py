import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn

import reproductions
from kiloframe.errors import UserError
from reproductions.contract import Condition
from reproductions.measures.timelapse import read_timelapse
from reproductions.methods.stylegan_v import EXTRA, Config, MotionCode, StyleGANV, draw_times
from reproductions.parts.motion import EndlessNoise, periods
from reproductions.worlds.timelapse import DAY_FRAMES

BETWEEN, WAVES, D = (15.0, 240.0), 9, 240


@pytest.fixture(scope="module")
def trained():
    return reproductions.load("stylegan_v")


@pytest.fixture
def model():
    torch.manual_seed(0)
    return StyleGANV(Config.smoke())


@pytest.fixture
def code():
    torch.manual_seed(0)
    code = MotionCode(6, D, WAVES, BETWEEN)
    for small in (code.period, code.phase):
        nn.init.normal_(small.weight)  # far from p = 1 and q = 0, where mistakes hide
    return code


@pytest.fixture
def noise():
    return EndlessNoise(1, 2, 6, torch.device("cpu"))


def at(*times):
    return torch.tensor(times, dtype=torch.float64).expand(2, -1)


def anchors(code, noise, first, count):
    return code.anchors(noise(torch.tensor([first] * 2), count + EXTRA))


# --- the motion code ---------------------------------------------------------------------------------------------


def written_out(code, noise, t, video):
    """v_t of one video, wave by wave in double precision, from the anchors and the three maps."""
    left = int(t // D)
    u_l, u_r = (anchors(code, noise, left + n, 1)[video, 0].double() for n in (0, 1))
    p, q = torch.tanh(code.period.weight.double() @ u_l) + 1, code.phase.weight.double() @ u_l
    ends = [(code.aligner.weight.double() @ u).tolist() for u in (u_l, u_r)]
    t_l, t_r, a, v = left * D, (left + 1) * D, t / D - left, []
    for part, wave in enumerate((math.sin, math.cos)):
        for i, period in enumerate(periods(*BETWEEN, WAVES).tolist()):
            e, e_l, e_r = (
                math.sqrt(period / 240)
                * wave(2 * math.pi / period * (t_l + float(p[i]) * (x - t_l)) + float(q[i]) * 240 / period)
                for x in (t, t_l, t_r)
            )
            j = i + part * WAVES
            v.append(e - ((1 - a) * e_l + a * e_r) + (1 - a) * ends[0][j] + a * ends[1][j])
    return torch.tensor(v)


def test_the_code_equals_its_equations_written_out_number_by_number(code, noise):
    times = (3.0, 239.5, 240.0, 700.25, 35_999.75)
    with torch.no_grad():
        found = code(at(*times), noise)[0]
        for k, t in enumerate(times):
            for video in range(2):
                torch.testing.assert_close(found[video, k], written_out(code, noise, t, video), atol=2e-3, rtol=0)


def test_at_an_anchor_only_the_aligner_speaks_and_both_sides_meet_there(code, noise):
    with torch.no_grad():
        for number in (1, 2, 150):
            t = number * D
            u = anchors(code, noise, number, 1)[:, 0]
            here, before, after = code(at(t, t - 1e-6, t + 1e-6), noise)[0].unbind(1)
            torch.testing.assert_close(here, code.aligner(u), atol=1e-4, rtol=0)
            torch.testing.assert_close(before, here, atol=1e-4, rtol=0)
            torch.testing.assert_close(after, here, atol=1e-4, rtol=0)


def test_every_anchor_comes_from_21_vectors_of_noise_and_no_other(code, noise):
    with torch.no_grad():
        whole = anchors(code, noise, 0, 60)
        assert whole.shape == (2, 60, 6)
        for number in (0, 1, 31, 59):
            torch.testing.assert_close(anchors(code, noise, number, 1)[:, 0], whole[:, number])
        z = noise(torch.tensor([0, 0]), 80)
        changed = z.clone()
        changed[:, 40] += 1
        moved = (code.anchors(changed) - whole).abs().amax((0, 2)) > 1e-7
    assert moved.nonzero().ravel().tolist() == list(range(20, 41)), "the vector n matters to anchors n - 20 to n"


def test_the_statistics_of_the_code_do_not_change_with_time(code):
    """Without padding every anchor has the same law: means over many videos, in the first day and in day 150."""
    many = EndlessNoise(2, 4000, 6, torch.device("cpu"))
    with torch.no_grad():
        early, late = (code(torch.full((4000, 1), t, dtype=torch.float64), many)[0][:, 0] for t in (100.0, 36_100.0))
    whole = [0, 2, 4, 6, 8]  # periods 15, 30, 60, 120, 240: after a day they stand where they stood
    both = torch.tensor(whole + [i + WAVES for i in whole])
    for moment in (torch.mean, torch.var):
        a, b = moment(early, 0), moment(late, 0)
        assert (a - b)[both].abs().max() < 0.1, "four standard errors"
    assert (early - late)[:, both].std() > 0.5, "and yet they are other numbers"


def test_a_wave_of_one_day_keeps_the_clock_for_ever(code, noise):
    """With p = 1 and q = 0 the wave of 240 frames is the same every day: [sin, cos - 1], whatever the noise is."""
    nn.init.zeros_(code.period.weight)
    nn.init.zeros_(code.phase.weight)
    nn.init.zeros_(code.aligner.weight)
    day = int((periods(*BETWEEN, WAVES) - DAY_FRAMES).abs().argmin())
    hours = torch.tensor([0.0, 17.0, 100.5, 239.0], dtype=torch.float64)
    angle = 2 * math.pi * hours / DAY_FRAMES
    with torch.no_grad():
        for days in (0, 1, 150):
            v = code((hours + days * DAY_FRAMES).expand(2, -1), noise)[0]
            torch.testing.assert_close(v[0, :, day], angle.sin().float(), atol=1e-4, rtol=0)
            torch.testing.assert_close(v[0, :, day + WAVES], angle.cos().float() - 1, atol=1e-4, rtol=0)


def test_the_three_maps_have_no_bias_and_the_convolutions_do(code):
    assert all(layer.bias is None for layer in (code.period, code.phase, code.aligner))
    assert all(conv.bias is not None and conv.padding == (0,) for conv in code.convs)


# --- training ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_clips_are_sparse_and_their_spans_are_powers_of_two(k):
    times = draw_times(4000, k, 32, 33, np.random.default_rng(0))
    assert times.shape == (4000, k) and times.min() == 0 and times.max() == 32
    assert (np.diff(times, axis=1) > 0).all()
    widths, counts = np.unique(times[:, -1] - times[:, 0], return_counts=True)
    expected = [0] if k == 1 else [w for w in (1, 2, 4, 8, 16, 32) if w >= k - 1]
    assert widths.tolist() == expected
    assert counts.min() > 0.85 * 4000 / len(widths), "each width is as likely"


def test_short_stretches_give_shorter_clips():
    times = draw_times(200, 3, 32, 9, np.random.default_rng(0))
    assert times.max() <= 8 and set((times[:, 2] - times[:, 0]).tolist()) == {2, 4, 8}


class Linear(nn.Module):
    """D(x) = <a, x>: its gradient is a, wherever."""

    def __init__(self, shape):
        super().__init__()
        self.a = nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(1)))
        self.heard = []

    def forward(self, video, t):
        self.heard.append((video, t))
        return (video * self.a).sum((1, 2, 3, 4))


def test_the_losses_in_closed_form(model):
    model.discriminator = judge = Linear((3, 3, 16, 16))
    clip = model.clips(np.random.default_rng(0), 6)
    loss = model.discriminator_loss(clip, 5)
    real, fake = judge.heard[0][0].detach().chunk(2)
    scores = [(x * judge.a).sum((1, 2, 3, 4)) for x in (real, fake)]
    size = float(judge.a.detach().square().sum()) / 3
    expected = torch.log1p((scores[1] - scores[0]).exp()).mean() + 0.5 * 2 * size
    assert float(loss["r1"]) == pytest.approx(size, rel=1e-5) and float(loss["r2"]) == pytest.approx(size, rel=1e-5)
    torch.testing.assert_close(loss["loss"], expected, atol=1e-3, rtol=1e-4)

    judge.heard.clear()
    loss = model.generator_loss(clip, 5)["loss"]
    scores = [(x.detach() * judge.a).sum((1, 2, 3, 4)) for x, _ in judge.heard]
    torch.testing.assert_close(loss, torch.log1p((scores[0] - scores[1]).exp()).mean(), atol=1e-3, rtol=1e-4)


def test_each_network_is_moved_by_its_own_loss_alone(model):
    clip = model.clips(np.random.default_rng(0), 2)
    model.generator_loss(clip, 0)["loss"].backward()
    assert all(p.grad is None and p.requires_grad for p in model.discriminator.parameters())
    assert model.synthesis.const.grad.abs().sum() > 0
    model.zero_grad()
    model.discriminator_loss(clip, 0)["loss"].backward()
    assert all(p.grad is None for module in (model.motion, model.mapping, model.synthesis) for p in module.parameters())


def test_fakes_are_as_far_apart_as_the_real_clips_beside_them_at_moments_that_need_not_be_whole(model):
    heard = []
    model.motion.register_forward_pre_hook(lambda _, arguments: heard.append(arguments[0]))
    model.discriminator = judge = Linear((3, 3, 16, 16))
    model.discriminator_loss(model.clips(np.random.default_rng(0), 8), 3)
    t, times = heard[0], judge.heard[0][1].chunk(2)[0]
    torch.testing.assert_close(t.diff(dim=1), times.diff(dim=1).double())
    assert (t % 1 != 0).all() and float(t.max()) > 10_000, "moments come from the whole hour"


def test_the_discriminator_hears_how_far_apart_frames_are_and_not_when_they_are(model):
    video = torch.randn(2, 3, 3, 16, 16)
    t = torch.tensor([[0, 1, 4], [0, 2, 8]])
    score = model.discriminator(video, t)
    assert torch.equal(model.discriminator(video, t + 3), score)
    assert not torch.allclose(model.discriminator(video, torch.tensor([[0, 3, 4], [0, 6, 8]])), score)
    assert not torch.allclose(model.discriminator(video.flip(1), t), score)


# --- generation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("motion", ["acyclic", "plain", "lstm"])
def test_any_frame_can_be_had_alone_and_in_any_order(motion):
    torch.manual_seed(0)
    model = StyleGANV(dataclasses.replace(Config.smoke(), motion=motion))
    video = model.generate(150, seed=4, batch=2)
    chosen = [149, 0, 64, 63, 100]
    torch.testing.assert_close(model.frames_at(chosen, seed=4, batch=2), video[:, chosen], atol=1e-4, rtol=0)
    between = model.frames_at([20, 20.5, 21], seed=4)[0]
    assert not torch.allclose(between[1], between[0], atol=1e-4)
    nearer = (between[1] - between[0]).abs().mean(), (between[2] - between[0]).abs().mean()
    assert nearer[0] < nearer[1]


def test_a_late_frame_costs_what_an_early_one_costs(model):
    drawn = []
    model.motion.convs[0].register_forward_hook(lambda _, x, y: drawn.append(x[0].shape[-1]))
    early, late = (model.frames_at([t, t + 1], seed=1) for t in (3.0, 3_600_000.0))
    assert early.shape == late.shape and max(drawn) <= EXTRA + 3
    assert not torch.equal(early, late)


BAD = {
    "frames": (lambda m: m.stream(0), "at least 1 frame"),
    "batch": (lambda m: m.stream(4, batch=0), "at least 1 video"),
    "context": (lambda m: m.stream(4, Condition(context=torch.zeros(1, 1, 3, 16, 16))), "cannot use context"),
    "no times": (lambda m: m.frames_at([]), "at least one"),
    "negative": (lambda m: m.frames_at([-1.0]), "finite numbers from 0"),
    "infinite": (lambda m: m.frames_at([math.inf]), "finite numbers from 0"),
    "NaN": (lambda m: m.frames_at([math.nan]), "finite numbers from 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_mistakes_give_one_sentence(model, name):
    call, words = BAD[name]
    with pytest.raises(UserError, match=words):
        call(model)


def test_presets_and_their_sizes():
    sizes = {name: StyleGANV.count(getattr(Config, name)()) for name in ("smoke", "toy", "gpu", "paper")}
    assert sizes["smoke"] < sizes["toy"] < sizes["gpu"] < sizes["paper"]
    paper = Config.paper()
    assert (paper.side, paper.clip, paper.span, paper.anchor, paper.batch) == (256, 3, 32, 256, 64)
    assert paper.steps * paper.batch * paper.clip == pytest.approx(25e6, rel=0.01)


# --- what was learnt ---------------------------------------------------------------------------------------------


def test_trained_skies_look_like_the_world_and_keep_doing_so(trained):
    """Colours that exist at some hour, hills below, light that changes; at once and after an hour, as in real video."""
    for start in (0, 36_000):
        video = trained.frames_at([start + 20.0 * n for n in range(12)], seed=1, batch=6).numpy()
        reading = read_timelapse(video)
        noise = read_timelapse(np.random.default_rng(0).uniform(size=video.shape).astype(np.float32))
        assert reading.explained.mean() > max(0.6, 1.5 * noise.explained.mean())
        light = video.mean((2, 3, 4))
        assert light.min() < 0.3 and light.max() > 0.5, "day and night"
        assert video[..., :4, :].mean() > video[..., -2:, :].mean(), "hills are darker than the sky"


def test_trained_frames_change_little_from_one_to_the_next_and_much_in_a_minute(trained):
    video = trained.frames_at([0, 1, 600.5], seed=2, batch=16)
    assert 0.002 < (video[:, 1] - video[:, 0]).abs().mean() < 0.4 * (video[:, 2] - video[:, 0]).abs().mean()


@pytest.mark.parametrize("variant", ["lstm", "plain-time"])
def test_variants_have_weights_of_their_own(variant):
    model = reproductions.load("stylegan_v", variant)
    assert model.config == dataclasses.replace(Config.toy(), **Config.variants()[variant])
    assert model.generate(3).shape == (1, 3, 3, 16, 16)
