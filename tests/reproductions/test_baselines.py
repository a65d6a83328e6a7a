"""Each trivial video is exactly what its name says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiloframe.errors import UserError
from reproductions.measures import baselines
from reproductions.worlds.base import EVALUATION_SEEDS
from reproductions.worlds.digits import Digits

VIDEO = Digits().batch([3, 4], [0, 5], 7).video


@settings(max_examples=30, deadline=None)
@given(given=st.integers(1, 7), frames=st.integers(1, 20))
def test_what_continues_a_context(given, frames):
    context = VIDEO[:, :given]
    for make in (baselines.freeze, baselines.repeat, baselines.noise):
        video = make(context, frames)
        assert video.shape == (2, frames, 3, 16, 16) and video.dtype == np.float32
        assert np.array_equal(video[:, :given], context[:, :frames])
    for t in range(frames):
        assert np.array_equal(baselines.freeze(context, frames)[:, t], context[:, min(t, given - 1)])
        assert np.array_equal(baselines.repeat(context, frames)[:, t], context[:, t % given])


def test_noise_is_uniform_and_follows_its_seed():
    rest = baselines.noise(VIDEO[:, :1], 60)[:, 1:]
    assert np.array_equal(rest, baselines.noise(VIDEO[:, :1], 60)[:, 1:])
    assert (rest != baselines.noise(VIDEO[:, :1], 60, seed=1)[:, 1:]).any()
    assert rest.min() >= 0 and rest.max() <= 1
    counts, _ = np.histogram(rest, 10, (0, 1))
    assert np.abs(counts / rest.size - 0.1).max() < 0.005
    assert abs(np.corrcoef(rest[:, :-1].ravel(), rest[:, 1:].ravel())[0, 1]) < 0.02
    assert len(baselines.noise(VIDEO[:, :0], 5)[0]) == 5, "a context of no frames"


def test_shuffle_keeps_every_frame_of_every_video_once():
    mixed = baselines.shuffle(VIDEO)
    assert (mixed != VIDEO).any() and np.array_equal(mixed, baselines.shuffle(VIDEO))
    assert (mixed != baselines.shuffle(VIDEO, seed=1)).any()
    for before, after in zip(VIDEO, mixed, strict=True):
        assert sorted(frame.tobytes() for frame in before) == sorted(frame.tobytes() for frame in after)


def test_blur_of_a_point_is_the_gaussian_and_stays_in_its_frame_and_channel():
    video = np.zeros((1, 3, 3, 33, 33), np.float32)
    video[0, 1, 2, 16, 16] = 1
    blurred = baselines.blur(video, sigma=2.0)
    assert blurred.shape == video.shape and blurred.dtype == np.float32
    place = np.arange(-8, 9)  # four standard deviations on either side
    bell = np.exp(-np.square(place) / 8)
    expected = np.outer(bell, bell) / bell.sum() ** 2
    np.testing.assert_allclose(blurred[0, 1, 2, 8:25, 8:25], expected, atol=1e-6)
    assert blurred.sum() == pytest.approx(1) and blurred[0, [0, 2]].max() == 0 and blurred[0, 1, :2].max() == 0


def test_blur_scales_with_the_frame_and_leaves_what_is_even():
    assert np.array_equal(baselines.blur(VIDEO), baselines.blur(VIDEO, sigma=1.0))
    large = VIDEO.repeat(2, -1).repeat(2, -2)
    assert np.array_equal(baselines.blur(large), baselines.blur(large, sigma=2.0))
    assert np.array_equal(baselines.blur(VIDEO, sigma=0), VIDEO)
    even = np.full_like(VIDEO, 0.25)
    np.testing.assert_allclose(baselines.blur(even), even, atol=1e-6)
    assert baselines.blur(VIDEO).min() >= 0 and baselines.blur(VIDEO).max() <= 1


@pytest.mark.parametrize("kind", [list, np.int64, np.uint64])
def test_real_is_the_same_world_with_other_seeds(kind):
    world = Digits(memory=True)
    seeds = [0, EVALUATION_SEEDS + 3]
    video = baselines.real(world, seeds if kind is list else np.array(seeds, kind), [0, 9], 12)
    expected = world.batch([2**50, EVALUATION_SEEDS + 3 + 2**50], [0, 9], 12).video
    assert np.array_equal(video, expected)
    assert (video != world.batch(seeds, [0, 9], 12).video).any((1, 2, 3, 4)).all()


def test_real_refuses_what_the_world_refuses():
    with pytest.raises(UserError, match="at least 1 frame"):
        baselines.real(Digits(), [0], [0], 0)
    with pytest.raises(UserError, match="frame 0"):
        baselines.real(Digits(), [0], [-1], 4)
