"""Windows, drift curves, distances along videos, B-FVD, Avg-FID, TATS' curves: closed forms and brute-force twins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiloframe.errors import UserError
from reproductions.measures.blocks import (
    DistanceCurve,
    average_frame_distance,
    block_distance,
    curve_of_distance,
    distances_by_length,
)
from reproductions.measures.distances import frechet, kernel
from reproductions.measures.windows import (
    Drift,
    cut,
    degradation,
    drift_curve,
    features_by_window,
    frames_needed,
    starts,
)


def test_number_of_windows():
    assert len(starts(1024, 16)) == len(starts(1024, 16, 16)) == 64
    assert len(starts(16, 16)) == 1 and starts(16, 16).tolist() == [0]
    assert frames_needed(16, 8) == 121
    with pytest.raises(UserError, match="shorter than the window"):
        starts(15, 16)
    with pytest.raises(UserError, match="whole numbers from 1"):
        starts(16, 16, 0)


@given(
    length=st.integers(1, 60), window=st.integers(1, 12), stride=st.integers(1, 9), every=st.integers(1, 4)
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_windows_are_those_of_a_plain_loop(length, window, stride, every):
    video = np.arange(2 * length * 3).reshape(2, length, 3)
    span = frames_needed(window, every)
    if length < span:
        with pytest.raises(UserError):
            cut(video, window, stride, every)
        return
    found = cut(video, window, stride, every)
    first = starts(length, span, stride)
    assert len(first) == (length - span) // stride + 1 == found.shape[1]
    for n, start in enumerate(first):
        np.testing.assert_array_equal(found[:, n], video[:, start : start + span : every])


def test_a_straight_line_has_its_own_slope():
    t = np.arange(256)
    values = 2 + 0.03 * t + np.linspace(-1, 1, 8)[:, None]
    for window, stride in ((16, None), (10, 7)):
        curve = drift_curve(values, window, stride, name="error", unit="pixels")
        np.testing.assert_allclose(curve.value, 2 + 0.03 * curve.middles, rtol=1e-9)
        slope = curve.slope
        assert [slope.value, slope.low, slope.high] == pytest.approx([3, 3, 3])
        assert slope.name == "Drift of error per 100 frames" and curve.count == 8
        assert (curve.low < curve.value).all() and (curve.value < curve.high).all()
        assert curve.settings["window"] == f"{window} frames" and curve.settings["frames"] == "256"


def test_periodic_videos_have_a_flat_curve():
    values = np.tile(np.random.default_rng(0).normal(size=(6, 16)), 10)
    curve = drift_curve(values, 16)
    np.testing.assert_allclose(curve.value, curve.value[0])
    assert abs(curve.slope.value) < 1e-12
    features = np.tile(np.random.default_rng(0).normal(size=(20, 1, 3)), (1, 5, 1))
    along = curve_of_distance(np.random.default_rng(1).normal(size=(20, 3)), features, "n", resamples=5)
    np.testing.assert_allclose(along.value, along.value[0])


def test_frames_that_say_nothing_are_left_out():
    values = np.array([[1.0, np.nan, 3, 5], [np.nan, np.nan, 7, 7]])
    curve = drift_curve(values, 2)
    assert curve.value.tolist() == [1.0, 5.5]
    assert curve.slope.value == pytest.approx(100 * 4.5 / 2)
    gone = drift_curve([[1.0, 1, np.nan, np.nan, 2, 2]], 2)
    assert np.isnan(gone.value[1]) and gone.slope.value == pytest.approx(25) and gone.slope.low is None
    assert np.isnan(gone.low).all() and any("one video" in w for w in gone.warnings)
    single = drift_curve(values, 4)
    assert np.isnan(single.slope.value) and any("no slope" in w for w in single.slope.warnings)


def test_the_slopes_interval_comes_from_whole_videos():
    rng = np.random.default_rng(0)
    t = np.arange(320)
    own = rng.normal(1, 0.5, 12)  # each video drifts at its own rate; frames within it are smooth
    found = drift_curve(own[:, None] * t / 100, 16).slope
    half = 1.96 * own.std(ddof=1) / np.sqrt(12)
    assert found.value == pytest.approx(own.mean())
    assert found.high - found.low == pytest.approx(2 * half, rel=0.25)


@given(cut_at=st.integers(1, 7))
@settings(max_examples=7, deadline=None)
def test_merged_curves_equal_one(cut_at):
    values = np.random.default_rng(0).normal(size=(8, 48))
    left, right = Drift(16), Drift(16)
    left.update(values[:cut_at])
    right.update(values[cut_at:])
    whole = drift_curve(values, 16)
    for box in (left.merge(right), right.merge(left)):
        np.testing.assert_allclose(box.compute().value, whole.value, rtol=1e-12)
        np.testing.assert_allclose(box.compute().low, whole.low, rtol=1e-12)
        assert box.compute().slope.low == pytest.approx(whole.slope.low)
    features = np.random.default_rng(1).normal(size=(8, 3, 2))
    real = np.random.default_rng(2).normal(size=(9, 2))
    left, right = DistanceCurve("n"), DistanceCurve("n")
    left.update(real[:4], features[:cut_at])
    right.update(real[4:], features[cut_at:])
    whole = curve_of_distance(real, features, "n", resamples=9)
    for box in (left.merge(right), right.merge(left)):
        made = box.compute(resamples=9)
        np.testing.assert_allclose(made.value, whole.value, rtol=1e-9)
        np.testing.assert_allclose(made.high, whole.high, rtol=1e-9)


def test_accumulated_curves_refuse_what_does_not_fit():
    box = Drift(4)
    with pytest.raises(UserError, match="no video yet"):
        box.compute()
    box.update(np.ones((2, 8)))
    with pytest.raises(UserError, match="8 frames, these 9"):
        box.update(np.ones((2, 9)))
    with pytest.raises(UserError, match="different settings"):
        box.merge(Drift(5))
    along = DistanceCurve("n")
    along.update(np.ones((4, 2)))
    with pytest.raises(UserError, match="fake set is empty"):
        along.compute()
    with pytest.raises(UserError, match="earlier features"):
        along.update(np.ones((4, 3)))
    with pytest.raises(UserError, match="different settings"):
        along.merge(DistanceCurve("m"))


@pytest.fixture(scope="module")
def features():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 3)), rng.normal(size=(30, 6, 3)) + 0.3 * np.arange(6)[:, None]


@pytest.mark.parametrize(("distance", "plain"), [("frechet", frechet), ("kernel", kernel)])
def test_each_window_is_the_plain_distance(features, distance, plain):
    real, fake = features
    curve = curve_of_distance(real, fake, "n", distance=distance, stride=8, resamples=20)
    for n in range(6):
        assert curve.value[n] == pytest.approx(plain(real, fake[:, n], "n", resamples=0).value, rel=1e-9)
    own = np.random.default_rng(5).normal(size=(25, 6, 3))
    paired = curve_of_distance(own, fake, "n", distance=distance, resamples=0)
    assert paired.value[4] == pytest.approx(plain(own[:, 4], fake[:, 4], "n", resamples=0).value, rel=1e-9)
    assert curve.starts.tolist() == [0, 8, 16, 24, 32, 40] and curve.settings["frames"] == "56"
    assert curve.slope.low > 0 and (curve.low <= curve.high).all() and curve.count == 30
    assert np.isnan(paired.low).all() and "own window" in paired.settings["reference"]


def test_block_distance_is_the_mean_and_for_one_block_the_distance(features):
    real, fake = features
    found = block_distance(real, fake, "n", 16, resamples=20)
    each = [frechet(real, fake[:, n], "n", resamples=0).value for n in range(6)]
    assert found.value == pytest.approx(np.mean(each)) and found.low < found.value < found.high
    assert block_distance(real, fake[:, :1], "n", resamples=0).value == pytest.approx(each[0])
    assert "do not overlap" in found.settings["reduction"] and found.settings["frames"] == "96"
    assert found.name == "Frechet distance over n features, mean over blocks of 16 frames"


def test_a_mean_over_blocks_scatters_less_than_one_block():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(400, 2)), rng.normal(size=(30, 12, 2)) + 1  # blocks that know nothing of each other
    mean, first = (block_distance(real, blocks, "n", resamples=60) for blocks in (fake, fake[:, :1]))
    assert mean.high - mean.low < 0.6 * (first.high - first.low)


def test_block_fvd_is_called_so_only_over_i3d():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(800, 400)), rng.normal(size=(800, 1, 400))
    assert block_distance(real, fake, "i3d", 16, resamples=0).name == "B-FVD-16"
    with pytest.raises(UserError, match="799 clips for 400"):
        block_distance(real, fake[:799], "i3d")


def test_average_frame_distance_in_both_readings(features):
    real, fake = features
    frames = real.reshape(20, 2, 3)
    found = average_frame_distance(frames, fake, "n", resamples=10)
    each = [frechet(real, fake[:, n], "n", resamples=0).value for n in range(6)]
    assert found.value == pytest.approx(np.mean(each)) and found.count == 20
    pooled = average_frame_distance(frames, fake, "n", pooled=True, resamples=10)
    assert pooled.value == pytest.approx(frechet(real, fake.reshape(-1, 3), "n", resamples=0).value)
    assert "mean over frame numbers" in found.name and "pooled" in pooled.name
    with pytest.raises(UserError, match="2 features"):
        average_frame_distance(real[:, :2], fake, "n")


def test_degradation_is_relative_to_the_first_window(features):
    curve = curve_of_distance(*features, "n", resamples=0)
    change = degradation(curve)
    assert change[0] == 0 and change[3] == pytest.approx(curve.value[3] / curve.value[0] - 1)
    rng = np.random.default_rng(3)
    clips = rng.normal(size=(400, 8, 3))
    flat = curve_of_distance(rng.normal(size=(400, 3)), clips, "n", resamples=40)
    assert flat.slope.low < 0 < flat.slope.high and flat.value.max() < 0.1  # the floor of real against real
    with pytest.raises(UserError, match="starts at 0"):
        degradation(drift_curve(np.zeros((2, 32))))


def colours(clips):
    return clips.mean((1, 3, 4))


def test_any_feature_function_serves(features):
    video = np.random.default_rng(0).uniform(size=(20, 40, 3, 4, 4))
    found = features_by_window(video, colours, 8, 16)
    assert found.shape == (20, 3, 3)
    np.testing.assert_allclose(found[:, 1], colours(video[:, 16:24]))
    with pytest.raises(UserError, match="one vector per clip"):
        features_by_window(video, lambda clips: colours(clips)[:5], 8)
    by_length = distances_by_length(video, video[::-1] * 0.5, colours, "colour", (8, 40), resamples=5)
    assert list(by_length) == [8, 40] and by_length[8].name == "Frechet distance over colour features, 8 frames"
    assert by_length[40].value == pytest.approx(
        frechet(colours(video), colours(video * 0.5), "colour", resamples=0).value, rel=1e-9
    )
    with pytest.raises(UserError, match="too short for 121"):
        distances_by_length(video, video, colours, "colour", (16,), every=8)


def test_curves_of_distances_refuse_what_does_not_fit(features):
    real, fake = features
    for bad, words in (
        ((real, fake[..., :2]), "must agree"),
        ((fake[:, :4], fake), "must agree"),
        ((real[0], fake), "m, d"),
        ((real, fake[:, 0]), "b, n, d"),
        ((real[:5], fake), "the real set has 5 clips for 3"),
        ((real, fake[:5]), "each window of the fake set has 5"),
    ):
        with pytest.raises(UserError, match=words):
            curve_of_distance(*bad, "n")
