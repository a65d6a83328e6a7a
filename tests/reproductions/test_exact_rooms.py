"""The measures of the rooms world: perfect on real video, in the order their sentences claim on everything else."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from kiloframe.errors import UserError
from reproductions.measures import baselines
from reproductions.measures.exact import exact, quantities
from reproductions.measures.rooms import LEGIBLE, QUANTITIES, per_frame, read_places, read_walls, returns, warped
from reproductions.worlds.base import EVALUATION_SEEDS
from reproductions.worlds.digits import Digits
from reproductions.worlds.rooms import Rooms
from reproductions.worlds.rooms_map import WALLS

SEEDS = EVALUATION_SEEDS + 500 + np.arange(3)
LOOP, GIVEN, FRAMES = 64, 10, 144  # two loops and a quarter


@pytest.fixture(scope="module", params=[16, 32])
def world(request):
    return Rooms(request.param, loop=LOOP)


@pytest.fixture(scope="module")
def clip(world):
    return world.batch(SEEDS, [0, 7, 1000], FRAMES)


@pytest.fixture(scope="module")
def scores(world, clip):
    """Of every kind of video the mean of every quantity behind the context."""
    rng = np.random.default_rng(0)
    context = clip.video[:, :GIVEN]
    videos = {
        "real": clip.video,
        "noisy": np.clip(clip.video + rng.normal(0, 0.04, clip.video.shape), 0, 1).astype(np.float32),
        "blurred": gaussian_filter(clip.video, (0, 0, 0, 0.6, 0.6)),
        "freeze": baselines.freeze(context, FRAMES),
        "repeat": baselines.repeat(context, FRAMES),
        "shuffle": baselines.shuffle(clip.video),
        "noise": baselines.noise(context, FRAMES),
        "elsewhere": world.batch(SEEDS + 50, [0, 7, 1000], FRAMES).video,
        "late": world.batch(SEEDS, [3, 10, 1003], FRAMES).video,
    }
    found = {kind: exact(world, video, clip.truth) for kind, video in videos.items()}
    for values in found.values():
        assert all(value.shape == (3, FRAMES) and value.dtype == np.float64 for value in values.values())
    return {kind: {id: float(np.nanmean(v[:, GIVEN:])) for id, v in values.items()} for kind, values in found.items()}


def test_real_video_is_perfect(world, clip, scores):
    real = exact(world, clip.video, clip.truth)
    assert set(real) == {q.id for q in QUANTITIES} and quantities("rooms") == QUANTITIES
    assert (real["view"] == 0).all() and (real["place"] == 0).all()
    for id in ("steps", "motion", "warp"):
        assert np.isnan(real[id][:, 0]).all() and np.isfinite(real[id][:, 1:]).all()
    assert (real["steps"][:, 1:] == 1).all() and (real["motion"][:, 1:] == 1).all()
    assert np.isnan(real["return"][:, :LOOP]).all() and (real["return"][:, LOOP:] == 0).all()
    assert scores["real"]["walls"] > (0.97 if world.size > 16 else 0.9)
    assert scores["real"]["warp"] < 0.04
    assert (np.nan_to_num(real["walls"], nan=1) <= 1).all() and np.nanmin(real["walls"]) >= 0


def test_each_measure_orders_the_baselines_as_its_sentence_says(scores):
    kinds = ("freeze", "repeat", "shuffle", "noise")
    for kind in kinds:
        assert scores[kind]["view"] > 0.08
        assert scores[kind]["place"] > 5
        assert scores[kind]["walls"] < scores["real"]["walls"] - 0.3
    for kind in ("freeze", "shuffle", "noise"):
        assert scores[kind]["steps"] < 0.05
        assert scores[kind]["warp"] > 1.5 * scores["real"]["warp"]
        assert scores[kind]["motion"] < 0.65
    assert scores["freeze"]["motion"] == 0
    for kind in ("shuffle", "noise"):
        assert scores[kind]["return"] > 0.1
    # What the sentences warn of: these are not exposed.
    assert scores["freeze"]["return"] < 0.03
    assert scores["repeat"]["steps"] > 0.8
    assert scores["blurred"]["warp"] < scores["real"]["warp"]


def test_a_little_blur_and_noise_do_not_matter_to_what_is_read(scores):
    for kind in ("noisy", "blurred"):
        assert scores[kind]["place"] < 0.05 and scores[kind]["steps"] > 0.95
        assert scores[kind]["walls"] > scores["real"]["walls"] - 0.15
        assert scores[kind]["view"] < 0.06


def test_another_house_and_a_late_walker_are_told_apart(scores):
    assert scores["elsewhere"]["steps"] < 0.2 and scores["elsewhere"]["place"] > 5
    assert scores["elsewhere"]["view"] > 0.08 and scores["elsewhere"]["return"] == 0
    late = scores["late"]
    assert late["place"] == 3 and late["steps"] == 1 and late["return"] == 0, "lawful, in the right house, 3 frames off"
    assert 0 < late["view"] < scores["elsewhere"]["view"]


def test_the_way_to_the_true_place_is_the_shorter_one_round():
    world = Rooms(16, loop=LOOP)
    truth = world.batch(SEEDS, [0, 0, 0], LOOP).truth
    for late, wanted in ((5, 5), (LOOP // 2, LOOP // 2), (LOOP - 3, 3)):
        video = world.batch(SEEDS, [late] * 3, LOOP).video
        assert (exact(world, video, truth)["place"] == wanted).all()


def test_returns_find_the_latest_frame_of_the_same_place():
    rng = np.random.default_rng(1)
    place = rng.integers(0, 6, (2, 20))
    video = rng.uniform(size=(2, 20, 3, 4, 4)).astype(np.float32)
    got = returns(video, place)
    for n in range(2):
        for t in range(20):
            before = [k for k in range(t) if place[n, k] == place[n, t]]
            wanted = np.abs(video[n, t] - video[n, before[-1]]).mean() if before else np.nan
            np.testing.assert_allclose(got[n, t], wanted, rtol=1e-6)


def test_places_are_read_wherever_a_video_begins():
    world = Rooms(16, loop=LOOP, walk="back")
    clip = world.clip(int(SEEDS[0]), 5000, 70)
    place, off = read_places(clip.video, SEEDS[0], world)
    assert (place == clip.truth.place).all() and (off == 0).all()
    static = np.random.default_rng(0).uniform(size=clip.video.shape).astype(np.float32)
    assert read_places(static, SEEDS[0], world)[1].min() > LEGIBLE


def test_wall_colours_are_read_in_any_light():
    frames = (WALLS[:, :, None, None] * np.linspace(0.2, 1, 16)).astype(np.float32).repeat(16, 2)
    assert (read_walls(frames) == np.arange(9)[:, None, None]).all()


def test_warping_is_exact_where_it_can_be():
    rng = np.random.default_rng(2)
    frame = rng.uniform(size=(1, 3, 8, 8)).astype(np.float32)
    k = np.array([[4.0, 0, 4], [0, 4, 4], [0, 0, 1]])
    depth = np.full((1, 8, 8), 2.0, np.float32)
    still = np.eye(4)[None]
    out, seen = warped(frame, depth, depth, still, still, k)
    assert seen.all()
    np.testing.assert_allclose(out, frame, atol=1e-6)
    # One unit to the right in front of a plane two units away is 4 / 2 = 2 pixels.
    right = still.copy()
    right[0, 0, 3] = 1
    out, seen = warped(frame, depth, depth, still, right, k)
    assert (seen == (np.arange(8) < 6)).all()
    np.testing.assert_allclose(out[..., :6], frame[..., 2:], atol=1e-6)
    # A quarter as far: 0.5 pixels, halfway between two.
    right[0, 0, 3] = 0.25
    out, seen = warped(frame, depth, depth, still, right, k)
    np.testing.assert_allclose(out[..., :7], (frame[..., :7] + frame[..., 1:]) / 2, atol=1e-6)
    # Forward by one: what lay 2 away lies 1 away, so that the later depth is 1 and pixels move outwards.
    forward = still.copy()
    forward[0, 2, 3] = 1
    out, seen = warped(frame, depth, depth - 1, still, forward, k)
    assert seen.all()
    x = 4 + (np.arange(8) + 0.5 - 4) / 2 - 0.5  # where the pixels lay before, half as far from the middle
    between = np.maximum(0, 1 - np.abs(x[:, None] - np.arange(8)))  # linear interpolation as a matrix
    np.testing.assert_allclose(out[0], between @ frame[0] @ between.T, atol=1e-5)
    # Something stood in front before: nothing there is seen in both.
    assert not warped(frame, depth - 1, depth, still, still, k)[1].any()


def test_depth_left_out_of_the_truth_changes_nothing():
    full, bare = (Rooms(16, loop=LOOP, depth=depth) for depth in (True, False))
    clip, other = (w.batch(SEEDS, [0, 0, 0], 20) for w in (full, bare))
    video = baselines.freeze(clip.video[:, :4], 20)
    a, b = exact(full, video, clip.truth), exact(bare, video, other.truth)
    assert all(np.array_equal(a[id], b[id], equal_nan=True) for id in a)


def test_pieces_do_not_show():
    """A long video is looked at in pieces; where one ends nothing happens to the numbers."""
    world = Rooms(16)
    long, late = (world.batch(SEEDS[:1], [start], frames) for start, frames in ((0, 300), (200, 100)))
    scores, tail = (exact(world, np.roll(c.video, 1, -1), c.truth) for c in (long, late))
    for id in ("view", "place", "walls", "steps", "motion", "warp"):
        np.testing.assert_allclose(scores[id][:, 201:], tail[id][:, 1:], rtol=1e-6)


def test_wrong_videos():
    world = Rooms(16)
    clip = world.batch(SEEDS, [0, 0, 0], 4)
    for video in (clip.video[:, :3], clip.video[:2], clip.video[..., :8], clip.video[0]):
        with pytest.raises(UserError, match=r"must have the shape \(3, 4, 3, 16, 16\)"):
            exact(world, video, clip.truth)
    with pytest.raises(UserError, match="for the rooms world, not digits"):
        per_frame(clip.video, clip.truth, Digits())
