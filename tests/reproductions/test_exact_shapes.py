"""Exact measures of the shapes world: the reader against the truth, made-up defects with known numbers, orderings."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from kiloframe.errors import UserError
from reproductions.measures import baselines
from reproductions.measures.exact import exact, quantities
from reproductions.measures.motion import Walls, bounces, known_mean, nearest_path, reflect, step_error
from reproductions.measures.shapes import judge
from reproductions.measures.shapes_reader import CLEAR, read_shapes
from reproductions.worlds.base import EVALUATION_SEEDS, Clip
from reproductions.worlds.shapes import BACKGROUND, COLOURS, KINDS, PALETTE, RADII, Shapes, Truth, coverage

SEEDS = EVALUATION_SEEDS + 500 + np.arange(8)
FRAMES = 32


@pytest.fixture(scope="module", params=[1, 2])
def real(request):
    world = Shapes(shapes=request.param)
    return world, world.batch(SEEDS, np.zeros(8, int), FRAMES)


@pytest.fixture(scope="module")
def measured(real):
    """Means of every measure, by video and by what is known."""
    world, clip = real
    videos = {
        "real": clip.video,
        "freeze": baselines.freeze(clip.video[:, :4], FRAMES),
        "repeat": baselines.repeat(clip.video[:, :8], FRAMES),
        "shuffle": baselines.shuffle(clip.video),
        "noise": baselines.noise(clip.video[:, :4], FRAMES),
    }
    known = {"truth": clip.truth, "captions": clip.truth.captions(), "none": None}
    readings = {name: read_shapes(video) for name, video in videos.items()}
    found = {(name, what): judge(readings[name], truth, world) for name in videos for what, truth in known.items()}
    return {key: {name: float(known_mean(v.ravel())) for name, v in values.items()} for key, values in found.items()}


def film(kinds, colours, large, positions, size=16):
    """Shapes at given places: kinds, colours, large (n,), positions (t, n, 2); the video (1, t, 3, size, size)."""
    frames = len(positions)
    video = np.empty((frames, 3, size, size), np.float32)
    video[:] = BACKGROUND[:, None, None]
    for n, (kind, colour, big) in enumerate(zip(kinds, colours, large, strict=True)):
        where = np.asarray(positions, float)[:, n]
        alpha = coverage(np.full(frames, KINDS.index(kind)), np.full(frames, big), where, size)[:, None]
        video += alpha * (PALETTE[COLOURS.index(colour)][:, None, None] - video)
    return video[None]


def straight(start, speed, frames, large=False, size=16):
    radius = RADII[int(large)] * size / 16
    u = np.asarray(start) + np.arange(frames)[:, None] * np.asarray(speed)
    return reflect(u, np.full(2, radius), np.full(2, size - radius))[:, None]


def of_shapes(reading, truth):
    """What was read in the colour of each true shape."""
    pick = lambda v: np.take_along_axis(v, truth.colour, -1)  # noqa: E731
    position = np.take_along_axis(reading.position, truth.colour[..., None], -2)
    return pick(reading.present), pick(reading.sight), pick(reading.kind), pick(reading.large), position


@pytest.mark.parametrize("size, count", [(16, 1), (16, 3), (17, 1), (40, 2), (128, 1)])
def test_the_reader_reads_real_frames(size, count):
    clip = Shapes(size, count).batch(SEEDS, np.zeros(8, int), 12)
    truth = clip.truth
    reading = read_shapes(clip.video)
    present, sight, kind, large, position = of_shapes(reading, truth)
    assert present[truth.visible].mean() > 0.995 and not reading.twin.any()
    clear = present & truth.visible & (sight >= CLEAR)
    assert clear[truth.visible].mean() > 0.9
    assert ((kind == truth.kind) & (large == truth.large))[clear].mean() > 0.995
    off = np.linalg.norm(position - truth.position, axis=-1)[clear] * 16 / size
    assert np.median(off) < 0.15 and np.quantile(off, 0.95) < 0.35
    if count == 1:
        assert reading.present.sum() == truth.kind.size, "and nothing else"


def test_the_reader_bears_blur_and_noise_and_sees_nothing_in_pure_noise():
    clip = Shapes(shapes=1).batch(SEEDS, np.zeros(8, int), 8)
    rng = np.random.default_rng(0)
    noisy = np.clip(clip.video + rng.normal(0, 0.05, clip.video.shape), 0, 1).astype(np.float32)
    blurred = gaussian_filter(clip.video, (0, 0, 0, 0.45, 0.45))
    for video in (noisy, blurred):
        present, _, kind, large, position = of_shapes(read_shapes(video), clip.truth)
        assert (present & (kind == clip.truth.kind) & (large == clip.truth.large)).mean() > 0.98
        assert np.linalg.norm(position - clip.truth.position, axis=-1).mean() < 0.15
    assert not read_shapes(rng.uniform(size=(2, 8, 3, 16, 16)).astype(np.float32)).present.any()
    assert not read_shapes(np.full((1, 3, 16, 16), 0.5, np.float32)).present.any()


def test_real_video_is_nearly_perfect_whatever_is_known(measured):
    for what in ("truth", "captions", "none"):
        found = measured["real", what]
        assert found["identity"] > 0.995 and found["lawful_bounces"] > 0.97
        assert found["position_error"] < 0.06 and found["velocity_error"] < 0.08
        assert found["lost"] < 0.005 and found["invented"] < 0.005
    assert measured["real", "truth"]["obedience"] > 0.99 and measured["real", "captions"]["obedience"] > 0.98
    assert np.isnan(measured["real", "none"]["obedience"]), "without a caption there is nothing to obey"


@pytest.mark.parametrize("what", ["truth", "captions", "none"])
def test_trivial_videos_are_worse_where_they_must_be(measured, what):
    real = measured["real", what]
    for bad in ("freeze", "repeat", "shuffle"):
        assert measured[bad, what]["position_error"] > 5 * real["position_error"]
        assert measured[bad, what]["velocity_error"] > 3 * real["velocity_error"]
    for bad in ("repeat", "shuffle"):
        assert measured[bad, what]["lawful_bounces"] < 0.75
    for honest in ("freeze", "repeat", "shuffle"):
        assert measured[honest, what]["identity"] > 0.9, "their frames are real ones"
    noise = measured["noise", what]
    assert noise["identity"] < 0.15 and noise["invented"] < 0.05
    assert noise["lost"] > 0.8
    if what != "none":
        assert noise["obedience"] < 0.15
        assert measured["freeze", what]["obedience"] < 0.9 > measured["shuffle", what]["obedience"], "their pace is not"


def still_truth(world, kinds, colours, large, positions, velocity):
    """A truth made up by hand for one video."""
    frames, n = np.shape(positions)[:2]
    row = lambda v, of: np.broadcast_to([of(x) for x in v], (1, frames, n))  # noqa: E731
    quick = np.linalg.norm(velocity, axis=-1) > 0.9
    return Truth(
        row(kinds, KINDS.index),
        row(colours, COLOURS.index),
        row(large, bool),
        np.broadcast_to(quick, (1, frames, n)),
        np.asarray(positions, float)[None],
        np.broadcast_to(np.asarray(velocity, float), (1, frames, n, 2)),
        np.ones((1, frames, n), bool),
    )


def test_a_shape_removed_in_3_of_10_frames_is_lost_in_0_3():
    world = Shapes(shapes=1)
    path = straight((5, 5), (0.4, 0.5), 10)
    video = film(["star"], ["red"], [True], path)
    video[0, 4:7] = BACKGROUND[:, None, None]
    for truth in (still_truth(world, ["star"], ["red"], [True], path, [(0.4, 0.5)]), None):
        found = exact(world, video, truth)
        assert found["lost"].mean() == 0.3 and found["lost"][0, 4:7].sum() == 3
        assert found["identity"].mean() == 0.7
        assert found["invented"].sum() == 0
        assert np.isnan(found["position_error"][0, 4:7]).all() and np.nanmax(found["position_error"]) < 0.1
        assert np.isnan(found["velocity_error"][0, [0, 4, 5, 6, 7]]).all()
    said = exact(world, video, ["a large red star moving slowly."])
    assert said["lost"].mean() == 0.3 and said["obedience"].mean() == 0.7


def test_what_changes_its_kind_size_or_colour_is_no_longer_who_it_was():
    world = Shapes(shapes=1)
    path = straight((5, 5), (0.4, 0.5), 10)
    good = film(["square"], ["green"], [True], path)
    for kind, colour, large in (("circle", "green", True), ("square", "green", False), ("square", "blue", True)):
        video = good.copy()
        video[:, 4:] = film([kind], [colour], [large], path)[:, 4:]
        for truth in (still_truth(world, ["square"], ["green"], [True], path, [(0.4, 0.5)]), None):
            found = exact(world, video, truth)
            assert found["identity"][0].tolist() == [1] * 4 + [0] * 6
            strange = [0] * 4 + [float(colour == "blue")] * 6
            assert found["lost"][0].tolist() == strange and found["invented"][0].tolist() == strange


def test_a_second_shape_is_invented_in_another_colour_and_in_the_same():
    world = Shapes(shapes=1)
    path = np.full((10, 1, 2), 4.0)
    extra = np.full((10, 1, 2), 12.0)
    for colour in ("pink", "blue"):
        video = film(["ring"], ["blue"], [False], path)
        video[:, 8:] = film(["ring", "cross"], ["blue", colour], [False] * 2, np.concatenate([path, extra], 1))[:, 8:]
        for truth in (still_truth(world, ["ring"], ["blue"], [False], path, [(0.3, 0.3)]), None):
            assert exact(world, video, truth)["invented"][0].tolist() == [0] * 8 + [1] * 2


def test_a_bounce_in_mid_air_is_unlawful_and_a_passed_wall_too():
    world = Shapes(shapes=1)
    speed = np.array((0.5, 0.4))
    lawful = straight((3.1, 6), speed * (-1, 1), 12)  # meets the upper wall
    turned = straight((5, 6), speed, 12)
    turned[6:, 0, 0] = turned[5, 0, 0] - 0.5 * np.arange(1, 7)  # turns at y = 7.5
    stuck = straight((3.1, 6), speed * (-1, 1), 12)
    stuck[2:, 0, 0] = 2.5  # stays at the wall
    for path, expected in ((lawful, 1), (turned, 0), (stuck, 0)):
        truth = still_truth(world, ["star"], ["white"], [False], lawful, [speed])
        found = exact(world, film(["star"], ["white"], [False], path), truth)
        values = found["lawful_bounces"][0]
        assert np.nanmean(values) == expected
    assert np.isnan(
        exact(world, film(["star"], ["white"], [False], straight((5, 6), speed, 8)), None)["lawful_bounces"]
    ).all()


def test_velocity_and_position_error_have_the_size_of_the_defect():
    world = Shapes(shapes=1)
    path = straight((4, 4), (0.5, 0.4), 12)
    jump = path.copy()
    jump[6:] += (0.6, 0.8)  # one pixel aside, once
    truth = still_truth(world, ["circle"], ["yellow"], [False], path, [(0.5, 0.4)])
    found = exact(world, film(["circle"], ["yellow"], [False], jump), truth)
    np.testing.assert_allclose(found["position_error"][0], [0] * 6 + [1] * 6, atol=0.1)
    np.testing.assert_allclose(found["velocity_error"][0, 1:], [0] * 5 + [1] + [0] * 5, atol=0.15)


def test_a_caption_is_disobeyed_by_the_wrong_pace_and_by_one_shape_too_many():
    world = Shapes(shapes=1)
    slow = film(["circle"], ["red"], [False], straight((5, 5), (0.4, 0.4), 12))
    assert exact(world, slow, ["a small red circle moving slowly."])["obedience"].min() == 1
    assert exact(world, slow, ["a small red circle moving quickly."])["obedience"].max() == 0
    assert exact(world, slow, ["a large red circle moving slowly."])["obedience"].max() == 0
    assert exact(world, slow, ["a small red ring moving slowly."])["obedience"].max() == 0
    both = np.concatenate([straight((4, 4), (0.3, 0.2), 12), straight((12, 11), (-0.3, 0.2), 12)], 1)
    two = film(["circle", "square"], ["red", "blue"], [False] * 2, both)
    assert exact(world, two, ["a small red circle moving slowly."])["obedience"].max() == 0
    assert (
        exact(Shapes(shapes=2), two, ["a small blue square moving slowly and a small red circle moving slowly."])[
            "obedience"
        ].min()
        == 1
    ), "in any order"


def test_a_covered_shape_is_neither_lost_nor_invented_when_it_comes_back():
    world = Shapes(shapes=2)
    behind = straight((8, 3), (0, 0.6), 20)
    front = np.full((20, 1, 2), 8.0)
    path = np.concatenate([behind, front], 1)
    video = film(["circle", "square"], ["green", "pink"], [False, True], path)
    hidden = ~read_shapes(video).present[0, :, COLOURS.index("green")]
    assert 4 < hidden.sum() < 15
    assert exact(world, video, None)["lost"].sum() == 0
    late = video[:, int(np.argmax(hidden)) :]  # the video begins while it is covered
    found = exact(world, late, None)
    assert found["lost"].sum() == 0 and found["invented"].sum() == 0 and np.nanmin(found["identity"]) == 1


def test_a_video_without_shapes_has_lost_all():
    video = np.zeros((2, 6, 3, 16, 16), np.float32)
    found = exact(Shapes(shapes=2), video, None)
    assert (found["lost"] == 2).all() and (found["identity"] == 0).all() and np.isnan(found["position_error"]).all()


def test_the_law_in_closed_form():
    low, high = np.zeros(1), np.full(1, 10.0)
    assert [float(reflect(np.array([u]), low, high)[0]) for u in (-3, 0, 4, 10, 12, 21, -12)] == [3, 0, 4, 10, 8, 1, 8]
    walls = Walls(np.zeros(2), np.full(2, 10.0), 1.0)
    seen = np.ones(40, bool)
    path = reflect(np.array((2.2, 7.0)) + np.arange(40)[:, None] * (0.83, -1.21), walls.low, walls.high)
    fitted = nearest_path(path, seen, (0.2, 1.5), walls)
    np.testing.assert_allclose(fitted.position, path, atol=1e-6)
    np.testing.assert_allclose(fitted.speed, (0.83, 1.21), atol=1e-6)
    np.testing.assert_allclose(step_error(path, seen, np.array((0.83, 1.21)), walls)[1:], 0, atol=1e-9)
    turns = bounces(path, seen, np.array((0.83, 1.21)), walls, 0.1)
    assert np.nanmin(turns) == 1 and np.isfinite(turns).sum() >= 6
    # A shifted path lies as far off as least squares allow: the fit of a constant offset is perfect away from walls.
    middle = np.stack([3 + 0.3 * np.arange(12), 7 - 0.3 * np.arange(12)], -1)
    noisy = middle + np.where(np.arange(12) % 2, 0.1, -0.1)[:, None]
    off = np.linalg.norm(nearest_path(noisy, np.ones(12, bool), (0.2, 1.5), walls).position - noisy, axis=-1)
    assert 0.09 * np.sqrt(2) < off.mean() < 0.101 * np.sqrt(2)
    few = nearest_path(path, np.arange(40) < 3, (0.2, 1.5), walls)
    assert np.isnan(few.position).all() and np.isnan(few.speed).all(), "three frames are too few"


def test_nearest_paths_are_found_whatever_the_start():
    rng = np.random.default_rng(1)
    walls = Walls(np.full((50, 2), 2.5), np.full((50, 2), 13.5), 1.0)
    speed = rng.uniform(0.2, 1.5, (50, 1, 2))
    path = reflect(
        rng.uniform(0, 22, (50, 1, 2)) + np.arange(37)[:, None] * speed, walls.low[:, None], walls.high[:, None]
    )
    fitted = nearest_path(path, rng.uniform(size=(50, 37)) < 0.9, (0.17, 1.51), walls).position
    off = np.abs(fitted - path)
    assert np.nanmax(off) < 0.1 and np.isnan(off).mean() < 0.01


def test_errors(real):
    world, clip = real
    with pytest.raises(UserError, match=r"\(b, t, 3, 16, 16\), not \(8, 32, 3, 16, 15\)"):
        exact(world, clip.video[..., 1:], clip.truth)
    with pytest.raises(UserError, match=r"the truth is of \(8, 32\).*the video of \(8, 10\)"):
        exact(world, clip.video[:, :10], clip.truth)
    with pytest.raises(UserError, match="1 captions for 8 videos"):
        exact(world, clip.video, ["a small red circle moving slowly."])
    with pytest.raises(UserError, match=r"'rd'.*nearest: red"):
        exact(world, clip.video[:1], ["a small rd circle moving slowly."])
    with pytest.raises(UserError, match="from 16 to 128"):
        read_shapes(np.zeros((2, 3, 12, 12), np.float32))


def test_every_measure_is_described_and_given_for_every_frame(real):
    world, clip = real
    part = Clip(
        clip.video[:2, :6], replace(clip.truth, **{f: getattr(clip.truth, f)[:2, :6] for f in vars(clip.truth)})
    )
    for truth in (part.truth, part.truth.captions(), None):
        found = exact(world, part.video, truth)
        assert list(found) == [q.id for q in quantities("shapes")]
        assert all(v.shape == (2, 6) and v.dtype == np.float64 for v in found.values())
    assert exact(world, part.video[:, :1], None)["velocity_error"].shape == (2, 1), "one frame will do"
