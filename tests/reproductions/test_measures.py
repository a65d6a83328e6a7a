"""Measures: the reader against the truth, the consistency measures on made-up cases, statistics in closed form."""

import numpy as np
import pytest

from kiloframe.errors import UserError
from reproductions.measures import baselines
from reproductions.measures.digits import (
    after_curtain,
    agrees,
    clip_features,
    lawful_steps,
    path_error,
    read_digits,
    recall,
)
from reproductions.measures.statistics import frechet_distance, interval
from reproductions.worlds.digits import EVALUATION_SEEDS, Digits

SEEDS = EVALUATION_SEEDS + 10_000 + np.arange(24)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "memory"])
def clip(request):
    return Digits(memory=request.param).batch(SEEDS, np.zeros(24, int), 44)


def test_the_reader_reads_real_frames_without_fault(clip):
    reading = read_digits(clip.video)
    sight = clip.truth.visible[..., 0]
    assert (reading.visible == sight).all()
    assert agrees(reading, clip.truth, "colour")[sight].all()
    assert agrees(reading, clip.truth, "label")[sight].mean() > 0.999
    assert reading.match[sight].min() > 0.97
    assert np.nanmax(path_error(reading, clip.truth)[sight]) < 0.25  # half a diagonal of its grid
    assert np.nanmin(lawful_steps(reading, clip.truth)) == 1


def test_the_reader_works_at_twice_the_size():
    clip = Digits(32).batch(SEEDS[:4], np.zeros(4, int), 6)
    reading = read_digits(clip.video)
    assert agrees(reading, clip.truth, "both").all()
    assert path_error(reading, clip.truth).max() < 1
    assert lawful_steps(reading, clip.truth, 32).min() == 1


def test_the_reader_bears_noise_and_sees_nothing_in_pure_noise():
    clip = Digits().batch(SEEDS, np.zeros(24, int), 8)
    rng = np.random.default_rng(0)
    noisy = np.clip(clip.video + rng.normal(0, 0.05, clip.video.shape), 0, 1).astype(np.float32)
    assert agrees(read_digits(noisy), clip.truth, "both").mean() > 0.98
    assert not read_digits(rng.uniform(size=(2, 8, 3, 16, 16)).astype(np.float32)).visible.any()


def test_the_reader_refuses_other_shapes():
    with pytest.raises(UserError, match="16 n"):
        read_digits(np.zeros((2, 3, 20, 20), np.float32))


def test_a_changed_digit_is_neither_the_same_digit_nor_colour():
    clip, other = (Digits().batch(SEEDS + shift, np.zeros(24, int), 4) for shift in (0, 1000))
    reading = read_digits(other.video)
    for what in ("label", "colour"):
        same = getattr(other.truth, what)[..., 0] == getattr(clip.truth, what)[..., 0]
        assert (agrees(reading, clip.truth, what) == same).all()
        assert not same.all()


def test_frozen_and_shuffled_video_moves_unlawfully():
    clip = Digits().batch(SEEDS, np.zeros(24, int), 20)
    frozen = baselines.freeze(clip.video[:, :4], 20)
    assert lawful_steps(read_digits(frozen), clip.truth)[:, 4:].mean() < 0.1
    assert lawful_steps(read_digits(baselines.shuffle(clip.video)), clip.truth).mean() < 0.5


def test_recall_tells_what_came_back():
    clip = Digits(memory=True).batch(SEEDS, np.zeros(24, int), 64)
    due = after_curtain(clip.truth)
    sight = clip.truth.visible[..., 0]
    for row, wanted in zip(sight, due, strict=True):
        first_hidden = int(np.argmin(row))
        assert not wanted[:first_hidden].any()
        assert (wanted[first_hidden:] == row[first_hidden:]).all()
    some = due.any(1)
    true = recall(read_digits(clip.video), clip.truth, due)
    assert (true.returns == some).all() and (true.both == some).all()
    # everyone comes back as his neighbour
    other = Digits(memory=True).batch(np.roll(SEEDS, 1), np.zeros(24, int), 64)
    swapped = recall(read_digits(Digits().batch(np.roll(SEEDS, 1), np.zeros(24, int), 64).video), clip.truth, due)
    same = other.truth.label[:, 0, 0] == clip.truth.label[:, 0, 0]
    assert (swapped.label == (same & some)).all()
    # the curtain stays closed
    gone = baselines.freeze(clip.video[:, :1] * 0, 64)
    assert not recall(read_digits(gone), clip.truth, due).returns.any()


def test_baselines_keep_the_context_and_do_what_they_say():
    context = Digits().batch(SEEDS[:2], np.zeros(2, int), 3).video
    for make in (baselines.freeze, baselines.repeat, baselines.noise):
        video = make(context, 8)
        assert video.shape == (2, 8, 3, 16, 16) and video.dtype == np.float32
        assert (video[:, :3] == context).all()
        assert make(context, 2).shape[1] == 2
    assert (baselines.freeze(context, 8)[:, 7] == context[:, 2]).all()
    assert (baselines.repeat(context, 8)[:, 7] == context[:, 1]).all()
    assert (baselines.noise(context, 8, seed=1)[:, 3:] != baselines.noise(context, 8, seed=2)[:, 3:]).any()
    assert sorted(baselines.shuffle(context).sum((2, 3, 4)).ravel()) == sorted(context.sum((2, 3, 4)).ravel())


def test_the_interval_is_students():
    # n = 4, mean 2.5, s = sqrt(5/3); the 97.5 % point of t with 3 degrees of freedom is 3.182446
    low, high = interval([1, 2, 3, 4])
    half = 3.182446305 * np.sqrt(5 / 3) / 2
    assert (low, high) == (pytest.approx(2.5 - half), pytest.approx(2.5 + half))
    # two values: t with 1 degree of freedom is Cauchy's, whose 95 % point is tan(0.45 pi)
    assert interval([0, 2], 0.90)[1] == pytest.approx(1 + np.tan(0.45 * np.pi))
    assert interval([3]) is None


def test_the_frechet_distance_in_closed_form():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(500, 3))
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a + np.array([3, 0, 4])) == pytest.approx(25)
    # one dimension: (mu_a - mu_b)^2 + (s_a - s_b)^2
    x, y = np.array([[0.0], [2.0]]), np.array([[1.0], [7.0]])
    assert frechet_distance(x, y) == pytest.approx(9 + (np.sqrt(2) - np.sqrt(18)) ** 2)
    # scaling: covariances S and 4 S commute, tr(S + 4 S - 4 S) = tr(S), about their means
    centred = a - a.mean(0)
    assert frechet_distance(centred, 2 * centred) == pytest.approx(np.trace(np.cov(a.T)))


def test_features_tell_real_video_from_frozen_and_noise():
    real, more = (
        clip_features(read_digits(Digits().batch(SEEDS + shift, np.zeros(24, int), 16).video)) for shift in (0, 5000)
    )
    video = Digits().batch(SEEDS, np.zeros(24, int), 16).video
    floor = frechet_distance(real, more)
    for bad in (baselines.freeze(video[:, :1], 16), baselines.noise(video[:, :1], 16), baselines.shuffle(video)):
        assert frechet_distance(clip_features(read_digits(bad)), more) > 5 * floor
