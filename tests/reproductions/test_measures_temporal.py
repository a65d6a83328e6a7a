"""Consistency, flicker, warping error and motion: the dossier's closed forms, merging, bad input."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from kiloframe.errors import UserError
from reproductions.measures.baselines import noise, shuffle
from reproductions.measures.flow import (
    MotionAmount,
    WarpingError,
    dynamic_degree,
    dynamic_pairs,
    dynamic_threshold,
    estimate_flow,
    motion_amount,
    motion_per_frame,
    visible,
    warping_error,
    warping_error_per_frame,
)
from reproductions.measures.temporal import (
    ClassCoherence,
    Flickering,
    TemporalConsistency,
    class_coherence,
    consistency_per_frame,
    feature_coherence,
    flickering,
    flickering_per_frame,
    subject_consistency,
    temporal_consistency,
)
from reproductions.worlds.digits import Digits


def alternating(frames):
    return np.eye(2)[np.arange(frames) % 2][None]


def rotating(frames, angle):
    turn = angle * np.arange(frames)
    return np.stack([np.cos(turn), np.sin(turn)], -1)[None]


def test_temporal_consistency_in_closed_form():
    still = np.tile(np.array([3.0, 4.0]), (2, 5, 1))
    for variant in ("adjacent", "first", "all pairs", "subject"):
        assert temporal_consistency(still, "n", variant).value == pytest.approx(1)
    assert temporal_consistency(alternating(4), "n").value == 0
    assert temporal_consistency(alternating(4), "n", "all pairs").value == pytest.approx(2 / 6)
    assert temporal_consistency(rotating(9, 0.1), "n").value == pytest.approx(np.cos(0.1))
    np.testing.assert_allclose(consistency_per_frame(rotating(9, 0.1), "first")[0, 1:], np.cos(0.1 * np.arange(1, 9)))


def test_all_pairs_is_the_mean_over_all_pairs():
    f = np.random.default_rng(0).normal(size=(1, 7, 3))
    u = f[0] / np.linalg.norm(f[0], axis=1, keepdims=True)
    expected = np.mean([u[i] @ u[j] for j in range(7) for i in range(j)])
    assert temporal_consistency(f, "n", "all pairs").value == pytest.approx(expected)


def test_subject_consistency_is_vbenchs():
    f = np.zeros((1, 5, 2))
    f[0, 0, 0] = f[0, 1:, 1] = 1
    assert subject_consistency(f, "n").value == pytest.approx(0.375)
    assert subject_consistency(-f, "n").value == pytest.approx(0.375)
    opposite = np.array([[[1.0, 0], [-1.0, 0]]])
    assert subject_consistency(opposite, "n").value == 0  # cosines count from 0
    assert subject_consistency(f, "n").name == "Subject consistency of n embeddings"


def test_per_video_and_per_frame_means_differ():
    box = {by: TemporalConsistency("n", by=by) for by in ("videos", "frames")}
    for one in box.values():
        one.update(alternating(9))
        one.update(np.ones((1, 3, 2)))
    assert box["videos"].compute().value == pytest.approx(1 / 2)
    assert box["frames"].compute().value == pytest.approx(2 / 10)
    assert box["videos"].compute().settings["frames"] == "3 to 9"


def test_consistency_names_its_network_and_refuses_bad_input():
    f = np.ones((2, 3, 512))
    assert temporal_consistency(f, "clip").name == "CLIP temporal consistency"
    assert temporal_consistency(f, "n").name == "Temporal consistency of n embeddings"
    for bad, words in (
        ((f[:, :1], "n"), "at least 2"),
        ((0 * f, "n"), "zero vector"),
        ((f, "n", "last"), "no variant"),
    ):
        with pytest.raises(UserError, match=words):
            temporal_consistency(*bad)
    with pytest.raises(UserError, match="by 'videos' or 'frames'"):
        TemporalConsistency("n", by="clips")


def test_flickering_in_closed_form():
    still = np.full((1, 4, 3, 8, 8), 9, np.uint8)
    assert flickering(still).value == 1
    blink = still.copy()
    blink[:, ::2], blink[:, 1::2] = 0, 255
    assert flickering(blink).value == 0
    step = still * 0 + (51 * np.arange(4, dtype=np.uint8))[:, None, None, None]
    assert flickering(step).value == pytest.approx(0.8)
    assert flickering(step / 255).value == pytest.approx(0.8)
    assert flickering(step / 127.5 - 1, (-1, 1)).value == pytest.approx(0.8)
    per_frame = flickering_per_frame(step)
    assert np.isnan(per_frame[0, 0]) and per_frame[0, 1:].tolist() == pytest.approx([0.8] * 3)
    with pytest.raises(UserError, match="at least 2"):
        flickering(still[:, :1])


def test_coherence_of_later_clips_with_the_first():
    assert class_coherence([[0, 0, 0, 1, 0]], "n").value == 0.75
    assert class_coherence([[0, 0, 0, 1, 0], [2, 1, 1, 1, 1]], "c3d").value == 0.375
    found = feature_coherence(rotating(5, 0.2), "n")
    assert found.value == pytest.approx(np.cos(0.2 * np.arange(1, 5)).mean()) and "first clip" in found.name
    left, right = ClassCoherence("n"), ClassCoherence("n")
    left.update([[1, 1, 2]])
    right.update([[1, 1, 1]])
    assert left.merge(right).compute() == class_coherence([[1, 1, 1], [1, 1, 2]], "n")
    for bad in ([[0]], [[0.5, 0.5]], [0, 1]):
        with pytest.raises(UserError, match="whole numbers"):
            class_coherence(bad, "n")


def video(value, frames=3):
    return np.full((1, frames, 3, 8, 8), float(value))


def test_warping_error_in_closed_form():
    zero = np.zeros((1, 2, 8, 8, 2))
    assert warping_error(video(0.5), zero, zero[..., 0] + 1).value == 0
    stairs = video(0.5) + 0.1 * np.arange(3)[:, None, None, None]
    assert warping_error(stairs, zero).value == pytest.approx(0.01)
    black = video(0)
    black[:, 1] = 1
    assert warping_error(black, zero).value == pytest.approx(1)
    assert warping_error((black * 255).astype(np.uint8), zero).value == pytest.approx(1)
    assert warping_error(black, zero, 0 * zero[..., 0]).value == 0  # an empty mask counts every pixel


def test_mask_and_mean_are_over_the_same_pixels():
    zero = np.zeros((1, 1, 8, 8, 2))
    pair = video(0.5, 2)
    pair[:, 1, :, :4] += 0.2
    mask = np.zeros((1, 1, 8, 8))
    mask[..., 2:6, :] = 1
    assert warping_error(pair, zero, mask).value == pytest.approx(0.02)
    assert warping_error(pair[:, :, :1], zero, mask).value == pytest.approx(0.02)  # as with three channels


@given(dx=st.integers(-3, 3), dy=st.integers(-3, 3))
@settings(max_examples=12, deadline=None)
def test_a_translation_with_its_own_flow_has_no_warping_error(dx, dy):
    big = np.random.default_rng(0).uniform(size=(3, 24, 24))
    frames = np.stack([big[:, 6 - t * dy : 18 - t * dy, 6 - t * dx : 18 - t * dx] for t in (0, 1)])[None]
    flow = np.broadcast_to(np.array([dx, dy], float), (1, 1, 12, 12, 2))
    assert warping_error(frames, flow).value == pytest.approx(0, abs=1e-12)
    if (dx, dy) != (0, 0):
        assert warping_error(frames, -flow).value > 0.01


def test_flow_between_pixels_is_read_bilinearly():
    ramp = np.broadcast_to(np.arange(8) / 10, (1, 2, 1, 8, 8)).copy()
    flow = np.zeros((1, 1, 8, 8, 2))
    flow[..., 0] = 0.5
    found = warping_error_per_frame(ramp, flow)
    assert found[0, 0] == pytest.approx(0.05**2) and np.isnan(found[0, 1])


def test_a_pixel_is_visible_when_there_and_back_leads_home():
    there = np.full((8, 8, 2), [1.0, 0.0])
    assert visible(there, -there)[:, :-1].all() and not visible(there, -there)[:, -1].any()
    assert not visible(there, there).any()


def moving(size=24, frames=3):
    rough = np.random.default_rng(0).uniform(size=(3, size + 8, size + 8))
    big = gaussian_filter(rough, (0, 1.5, 1.5))
    big = (big - big.min()) / np.ptp(big)
    return np.stack([big[:, 4 : 4 + size, 4 - t : 4 - t + size] for t in range(frames)])[None]


@pytest.mark.parametrize("method", ["ilk", "tvl1"])
def test_estimated_flow_finds_a_translation(method):
    frames = moving()
    flow = estimate_flow(frames, method=method)
    assert flow.shape == (1, 2, 24, 24, 2)
    np.testing.assert_allclose(flow.mean((0, 1, 2, 3)), [1, 0], atol=0.02)
    change = np.square(np.diff(frames, axis=1)).mean()
    found = warping_error(frames, method=method)
    assert found.value < 0.01 * change and method in found.settings["flow"].replace("-", "").lower().replace("_", "")
    assert motion_amount(frames, method=method).value == pytest.approx(1, abs=0.1)


def test_flow_tells_real_motion_from_frozen_shuffled_and_noisy_frames():
    real = Digits().batch(np.arange(3), np.zeros(3, int), 8).video
    still = np.repeat(real[:, :1], 8, 1)
    errors = [warping_error(v).value for v in (still, real, shuffle(real), noise(real[:, :1], 8))]
    assert errors == sorted(errors) and errors[0] == 0 and errors[2] > 2 * errors[1]
    assert motion_amount(still).value == 0 < 0.5 < motion_amount(real).value


def test_motion_is_that_of_the_pixels_that_move_most():
    flow = np.zeros((1, 1, 10, 10, 2))
    flow[0, 0, 0, :5] = [3.0, 4.0]
    assert motion_per_frame(flow=flow)[0, 0] == pytest.approx(5)
    flow[0, 0, 0, :3] = 0
    assert motion_per_frame(flow=flow)[0, 0] == pytest.approx(2)
    assert np.isnan(motion_per_frame(flow=flow)[0, 1])
    for given_ in ({}, {"video": moving(), "flow": flow}):
        with pytest.raises(UserError, match="one of them"):
            motion_per_frame(**given_)


def test_vbenchs_rule_for_a_moving_video():
    assert dynamic_threshold(320, 512) == 7.5 and dynamic_pairs(32) == 8
    motion = np.zeros((2, 32))
    motion[0, :8], motion[1, :7] = 7.6, 99
    assert dynamic_degree(motion, 320, 512).tolist() == [True, False]


def test_merged_accumulators_over_time_equal_one():
    rng = np.random.default_rng(0)
    frames, flow = rng.uniform(size=(4, 3, 3, 12, 12)), rng.normal(size=(4, 2, 12, 12, 2))
    features = rng.normal(size=(4, 3, 5))
    for make, data in (
        (Flickering, (frames,)),
        (WarpingError, (frames, flow)),
        (lambda: MotionAmount(), (None, flow)),
        (lambda: TemporalConsistency("n", "all pairs"), (features,)),
    ):
        one, left, right = make(), make(), make()
        one.update(*data)
        left.update(*(None if x is None else x[:1] for x in data))
        right.update(*(None if x is None else x[1:] for x in data))
        a, b = left.merge(right).compute(), right.merge(left).compute()
        assert a == b and a.value == pytest.approx(one.compute().value, rel=1e-12) and a.count == 4
        assert a.settings == one.compute().settings


def test_warping_error_refuses_what_does_not_fit():
    flow = np.zeros((1, 2, 8, 8, 2))
    with pytest.raises(UserError, match="the flow must be"):
        warping_error(video(0), flow[:, :1])
    with pytest.raises(UserError, match="the mask must be"):
        warping_error(video(0), flow, np.zeros((1, 2, 8, 7)))
    with pytest.raises(UserError, match="at least 2"):
        warping_error(video(0, 1))
    with pytest.raises(UserError, match="no method"):
        warping_error(video(0), method="raft")
    box, other = WarpingError(), WarpingError()
    box.update(video(0), flow)
    other.update(video(0))
    for act in (lambda: box.update(video(0)), lambda: box.merge(other)):
        with pytest.raises(UserError, match="some without"):
            act()


def test_without_scikit_image_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.registration", None)
    with pytest.raises(UserError, match=r"kiloframe\[test\]"):
        estimate_flow(video(0))
