"""Exact measures of the digits world: real video, the trivial ones, and made-up defects with known numbers."""

import numpy as np
import pytest

from kiloframe.errors import UserError
from reproductions.measures import baselines
from reproductions.measures.digits import _SPEEDS, lawful_steps, read_digits
from reproductions.measures.exact import exact, quantities
from reproductions.measures.motion import known_mean
from reproductions.worlds.base import EVALUATION_SEEDS
from reproductions.worlds.digits import BACKGROUND, Digits, Truth

SEEDS = EVALUATION_SEEDS + 900 + np.arange(12)
FRAMES = 44
KNOWN = ["truth", "none"]


def means(found):
    return {name: float(known_mean(values.ravel())) for name, values in found.items()}


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "memory"])
def real(request):
    world = Digits(memory=request.param)
    return world, world.batch(SEEDS, np.zeros(12, int), FRAMES)


@pytest.fixture(scope="module")
def measured(real):
    world, clip = real
    videos = {
        "real": clip.video,
        "freeze": baselines.freeze(clip.video[:, :4], FRAMES),
        "repeat": baselines.repeat(clip.video[:, :8], FRAMES),
        "shuffle": baselines.shuffle(clip.video),
        "noise": baselines.noise(clip.video[:, :4], FRAMES),
    }
    known = {"truth": clip.truth, "none": None}
    return {
        (name, what): means(exact(world, video, truth))
        for name, video in videos.items()
        for what, truth in known.items()
    }


@pytest.mark.parametrize("what", KNOWN)
def test_real_video_is_nearly_perfect_whatever_is_known(real, measured, what):
    found = measured["real", what]
    for share in ("legible", "identity", "colour", "lawful_steps", "lawful_bounces"):
        assert found[share] > 0.995, share
    # The reader's grid of a quarter pixel is all that is left.
    assert found["position_error"] < 0.125 and found["velocity_error"] < 0.18
    assert found["invented"] == 0
    nobody_knows = real[0].memory and what == "none"
    assert np.isnan(found["lost"]) if nobody_knows else found["lost"] == 0


@pytest.mark.parametrize("what", KNOWN)
def test_trivial_videos_are_worse_where_they_must_be(real, measured, what):
    world, _ = real
    good = measured["real", what]
    for bad in ("freeze", "repeat", "shuffle"):
        assert measured[bad, what]["position_error"] > 10 * good["position_error"]
        assert measured[bad, what]["velocity_error"] > 2 * good["velocity_error"]
    for bad in ("freeze", "shuffle"):
        assert measured[bad, what]["lawful_steps"] < 0.35
    for bad in ("repeat", "shuffle"):
        assert measured[bad, what]["lawful_bounces"] < 0.8
    noise = measured["noise", what]
    if world.memory:
        if what == "truth":
            for bad in ("freeze", "repeat", "shuffle"):
                assert measured[bad, what]["identity"] < 0.8, "it does not hide and come back when it must"
                assert measured[bad, what]["lost"] + measured[bad, what]["invented"] > 0.2
            assert noise["identity"] < 0.3 and noise["lost"] > 0.3
    else:
        for honest in ("freeze", "repeat", "shuffle"):
            assert measured[honest, what]["identity"] > 0.99, "their frames are real ones"
        assert noise["identity"] < 0.15 and noise["legible"] < 0.15 and noise["colour"] < 0.15
        assert noise["lost"] > 0.85 and noise["invented"] < 0.02


def placed(world, seed, positions):
    """The digit of a seed at given corners (t, 2): the video (1, t, ...) and its truth."""
    model = world.batch([seed], [0], len(positions)).truth
    truth = Truth(
        model.sprite,
        model.label,
        model.colour,
        np.asarray(positions, float)[None, :, None],
        model.velocity,
        model.visible,
    )
    return world._draw(truth), truth


@pytest.mark.parametrize("what", KNOWN)
def test_a_digit_removed_in_3_of_10_frames_is_lost_in_0_3(what):
    world = Digits()
    clip = world.batch([5], [0], 10)
    video = clip.video.copy()
    video[0, 5:8] = BACKGROUND[:, None, None]
    found = exact(world, video, clip.truth if what == "truth" else None)
    assert found["lost"].mean() == 0.3 and found["lost"][0, 5:8].all()
    for share in ("legible", "identity", "colour"):
        assert found[share].mean() == 0.7
    assert found["invented"].sum() == 0
    assert np.isnan(found["position_error"][0, 5:8]).all()
    for step in ("velocity_error", "lawful_steps"):
        assert np.flatnonzero(np.isnan(found[step][0])).tolist() == [0, 5, 6, 7, 8]


@pytest.mark.parametrize("what", KNOWN)
def test_another_digit_in_the_middle_of_a_video_is_another_digit(what):
    world = Digits()
    clips = [world.batch([seed], [0], 10) for seed in range(40)]
    first = clips[0]
    for other in clips[1:]:
        video = np.concatenate([first.video[:, :4], other.video[:, 4:]], 1)
        found = exact(world, video, first.truth if what == "truth" else None)
        for share, field in (("identity", "label"), ("colour", "colour")):
            same = float(getattr(first.truth, field)[0, 0, 0] == getattr(other.truth, field)[0, 0, 0])
            assert found[share][0].tolist() == [1.0] * 4 + [same] * 6
        assert found["lost"].sum() == found["invented"].sum() == 0


def test_a_bounce_in_mid_air_is_unlawful_and_staying_at_a_wall_too():
    world = Digits()
    seed = 5
    speed = np.abs(world.clip(seed, 0, 1).truth.velocity[0, 0])
    t = np.arange(8)[:, None]
    lawful = np.abs(np.array((2.1 * speed[0], 1.0)) - t * speed * (1, -0.2))  # meets the upper wall
    turned = 1 + np.minimum(t, 8 - t) * speed * (1, 0.2)
    stuck = lawful.copy()
    stuck[2:, 0] = 0
    for path, expected in ((lawful, 1), (turned, 0), (stuck, 0)):
        video, truth = placed(world, seed, path)
        assert np.nanmean(exact(world, video, truth)["lawful_bounces"]) == expected


def test_errors_have_the_size_of_the_defect():
    world = Digits()
    clip = world.batch([7], [0], 12)
    path = clip.truth.position[0, :, 0]
    aside = np.where(path < 4, 1.5, -1.5)
    aside[:6] = 0
    aside[6:] = aside[6]
    video, _ = placed(world, 7, (path + aside).clip(0, world.room))
    found = exact(world, video, clip.truth)
    off = np.linalg.norm((path + aside).clip(0, world.room) - path, axis=-1)
    np.testing.assert_allclose(found["position_error"][0], off, atol=0.2)
    assert off[6] > 1.5 and found["velocity_error"][0, 6] > 0.5 and found["lawful_steps"][0, 6] == 0
    assert found["lawful_steps"][0, 1:6].all()


def test_a_second_digit_is_invented():
    plain, two = Digits(), Digits(digits=2)
    truth = plain.batch(SEEDS, np.zeros(12, int), FRAMES).truth
    video = two.batch(SEEDS, np.zeros(12, int), FRAMES)
    apart = np.abs(np.diff(video.truth.position, axis=-2)[..., 0, :]).max(-1) >= 6
    found = exact(plain, video.video, truth)["invented"]
    assert found[apart].mean() > 0.7 and 0.4 < found.mean() < 1


def test_a_digit_in_front_of_the_closed_curtain_is_invented():
    world = Digits(memory=True)
    clip = world.batch(SEEDS, np.zeros(12, int), FRAMES)
    open_video = Digits().batch(SEEDS, np.zeros(12, int), FRAMES).video
    found = exact(world, open_video, clip.truth)
    assert (found["invented"] == ~clip.truth.visible[..., 0]).all()
    closed = np.isnan(found["identity"])
    assert (closed == ~clip.truth.visible[..., 0]).all() and closed.any()


def test_lawful_steps_are_those_of_the_reader_and_the_speeds_those_of_the_world(real):
    world, clip = real
    video = baselines.shuffle(clip.video)
    found = exact(world, video, clip.truth)["lawful_steps"]
    assert np.isnan(found[:, 0]).all()
    np.testing.assert_array_equal(found[:, 1:], lawful_steps(read_digits(video), clip.truth))
    speed = np.abs(Digits().batch(np.arange(4000), np.zeros(4000), 1).truth.velocity)
    assert _SPEEDS[0] <= speed.min() < _SPEEDS[0] + 0.01 and _SPEEDS[1] - 0.01 < speed.max() <= _SPEEDS[1]


def test_measures_at_twice_the_size():
    world = Digits(32)
    clip = world.batch(SEEDS[:4], np.zeros(4, int), 20)
    for truth in (clip.truth, None):
        found = means(exact(world, clip.video, truth))
        assert found["identity"] == found["lawful_bounces"] == found["lawful_steps"] == 1
        assert found["position_error"] < 0.25 and found["velocity_error"] < 0.36


@pytest.mark.parametrize("what", KNOWN)
def test_every_measure_is_described_and_given_for_every_frame(what):
    world = Digits()
    for frames in (1, 2, 5):
        clip = world.batch([1, 2], [0, 9], frames)
        found = exact(world, clip.video, clip.truth if what == "truth" else None)
        assert list(found) == [q.id for q in quantities("digits")]
        assert all(v.shape == (2, frames) and v.dtype == np.float64 for v in found.values())


def test_errors():
    world = Digits()
    clip = world.batch([0], [0], 4)
    with pytest.raises(UserError, match="a world with 1 digit, not 2"):
        exact(Digits(digits=2), clip.video, clip.truth)
    with pytest.raises(UserError, match=r"\(b, t, 3, 32, 32\), not \(1, 4, 3, 16, 16\)"):
        exact(Digits(32), clip.video, clip.truth)
    with pytest.raises(UserError, match=r"the truth is of \(1, 4\).*the video of \(1, 3\)"):
        exact(world, clip.video[:, :3], clip.truth)
    with pytest.raises(UserError, match="16 n"):
        exact(Digits(40), Digits(40).batch([0], [0], 4).video, None)
