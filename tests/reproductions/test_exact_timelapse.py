"""The measures of the timelapse world: they read real video right, and order the trivial videos as they claim to."""

from dataclasses import fields

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from kiloframe.errors import UserError
from reproductions.measures import baselines, timelapse
from reproductions.measures.exact import exact, quantities
from reproductions.measures.timelapse import LAG, per_frame, read_timelapse
from reproductions.worlds.base import EVALUATION_SEEDS
from reproductions.worlds.timelapse import DAY_FRAMES, SUMMIT, Timelapse, Truth

VIDEOS, FRAMES, GIVEN = 6, DAY_FRAMES, 24
SEEDS = EVALUATION_SEEDS + 20_000 + np.arange(VIDEOS)
WORLD = Timelapse()
IDS = ["clock_error", "clock_rate", "wind_error", "hills_kept", "stars_kept", "cover_error", "sky_explained"]


@pytest.fixture(scope="module")
def clip():
    return WORLD.batch(SEEDS, np.zeros(VIDEOS, int), FRAMES)


@pytest.fixture(scope="module")
def videos(clip):
    rng = np.random.default_rng(0)
    given = clip.video[:, :GIVEN]
    noisy = np.clip(clip.video + rng.normal(0, 0.015, clip.video.shape), 0, 1).astype(np.float32)
    return {
        "real": clip.video,
        "blurred": gaussian_filter(clip.video, (0, 0, 0, 0.5, 0.5)),
        "noisy": noisy,
        "freeze": baselines.freeze(given, FRAMES),
        "repeat": baselines.repeat(given, FRAMES),
        "shuffle": baselines.shuffle(clip.video),
        "noise": baselines.noise(clip.video[:, :0], FRAMES),
        "other": np.roll(clip.video, 1, 0),
    }


@pytest.fixture(scope="module")
def readings(videos):
    return {name: read_timelapse(video) for name, video in videos.items()}


def means(reading, truth):
    found = timelapse._compare(reading, truth, WORLD).items()
    return {name: np.nan if np.isnan(values).all() else np.nanmean(values) for name, values in found}


@pytest.fixture(scope="module")
def found(readings, clip):
    return {name: means(reading, clip.truth) for name, reading in readings.items()}


@pytest.fixture(scope="module")
def alone(readings):
    return {name: means(reading, None) for name, reading in readings.items()}


def first_two(truth):
    return Truth(*(getattr(truth, field.name)[:2] for field in fields(truth)))


def test_quantities_and_shapes(clip):
    assert [quantity.id for quantity in quantities("timelapse")] == IDS
    for truth in (clip.truth, None):
        values = exact(WORLD, clip.video[:2], truth and first_two(truth))
        assert list(values) == IDS
        assert all(v.shape == (2, FRAMES) and v.dtype == np.float64 for v in values.values())
    for never in ("clock_error", "hills_kept", "sky_explained"):
        assert not np.isnan(values[never]).any()
    assert np.isnan(values["clock_rate"]).sum() == 2 * DAY_FRAMES // 20
    assert np.isnan(values["wind_error"][:, :LAG]).all() and np.isnan(values["cover_error"]).all()


def test_real_video_is_nearly_perfect(found, alone):
    real = found["real"]
    assert real["clock_error"] < 0.25 and real["clock_rate"] > 0.93
    assert real["wind_error"] < 0.2 and real["cover_error"] < 0.05
    assert real["hills_kept"] > 0.95 and real["stars_kept"] > 0.9 and real["sky_explained"] > 0.93
    real = alone["real"]
    assert real["clock_error"] < 0.3 and real["clock_rate"] > 0.93 and real["wind_error"] < 0.3
    assert real["hills_kept"] > 0.94 and real["stars_kept"] > 0.6


@pytest.mark.parametrize("kind", ["blurred", "noisy"])
def test_slight_blur_and_noise_are_forgiven(found, kind):
    slight = found[kind]
    assert slight["clock_error"] < 0.35 and slight["clock_rate"] > 0.9 and slight["wind_error"] < 0.3
    assert slight["hills_kept"] > 0.85 and slight["stars_kept"] > 0.8 and slight["cover_error"] < 0.08
    assert slight["sky_explained"] > 0.8


@pytest.mark.parametrize("with_truth", [True, False])
def test_trivial_videos_are_ordered_as_the_sentences_say(found, alone, with_truth):
    of = found if with_truth else alone
    real = of["real"]
    for kind in ("freeze", "repeat", "shuffle", "noise"):
        assert 5 < of[kind]["clock_error"] < 7, "as good as guessing"
    for kind in ("freeze", "shuffle", "noise"):
        assert of[kind]["clock_rate"] < 0.25
        assert of[kind]["wind_error"] > 2.5 * real["wind_error"]
    assert of["freeze"]["wind_error"] < of["shuffle"]["wind_error"]
    assert 0.4 < of["repeat"]["clock_rate"] < 0.8 * real["clock_rate"]
    assert real["wind_error"] < of["repeat"]["wind_error"] < of["freeze"]["wind_error"]
    for kind in ("freeze", "repeat", "shuffle"):
        assert of[kind]["hills_kept"] > 0.9 and of[kind]["sky_explained"] > 0.9
    assert of["noise"]["hills_kept"] < 0.05 and of["noise"]["sky_explained"] < 0.15


def test_another_video_has_another_hour_other_hills_and_stars(found, alone):
    other = found["other"]
    assert other["clock_error"] > 3 and other["wind_error"] > 0.4 and other["hills_kept"] < 0.6
    assert abs(other["stars_kept"]) < 0.15 and other["cover_error"] > 0.15
    assert other["clock_rate"] == pytest.approx(found["real"]["clock_rate"])
    # held to itself it is as real as any
    assert alone["other"] == pytest.approx(alone["real"], nan_ok=True)


def test_the_reader_reads_hour_clouds_and_hills(clip, readings):
    reading = readings["real"]
    late = np.abs((reading.hour - clip.truth.time_of_day + 0.5) % 1 - 0.5) * 24
    assert np.median(late) < 0.05 and np.percentile(late, 95) < 0.5
    rows = int(SUMMIT * 16)
    day = np.abs(clip.truth.time_of_day - 0.5) < 0.2
    far = np.abs(reading.clouds - clip.truth.clouds[..., :rows, :]).mean((-2, -1))
    assert far[day].mean() < 0.02 and far.mean() < 0.09
    assert np.isnan(reading.hills).mean() < 0.01
    assert np.nanmedian(np.abs(reading.hills - (16 - clip.truth.horizon))) < 0.2


def test_the_drift_is_that_of_fields_moved_by_hand():
    rng = np.random.default_rng(3)
    wide = gaussian_filter(rng.normal(size=(6, 60, 90)), (0, 2, 2.5))
    wide = np.clip(0.5 + wide / wide.std() / 3, 0, 1)
    for dy, dx in ((0, 1), (0, -1), (0, 0)):  # whole pixels per frame
        fields = np.stack([wide[:, 20 - t * dy : 29 - t * dy, 40 - t * dx : 56 - t * dx] for t in range(8)], 1)
        drift = timelapse._drift(fields)
        assert np.isnan(drift[:, :LAG]).all()
        assert np.abs(drift[:, LAG:] - (dy, dx)).mean() < 0.08
    assert np.isnan(timelapse._drift(np.full((1, 5, 9, 16), 0.4))).all(), "an even sky tells nothing"


@pytest.mark.parametrize("size", [17, 40])
def test_other_sizes(size):
    world = Timelapse(size)
    part = world.batch(SEEDS[:4], np.zeros(4, int), 120)
    real = per_frame(part.video, part.truth, world)
    frozen = per_frame(baselines.freeze(part.video[:, :4], 120), part.truth, world)
    assert np.median(real["clock_error"]) < 0.1 and np.nanmean(real["hills_kept"]) > 0.95
    assert np.nanmean(real["wind_error"]) < 0.3 * size / 16 < 0.5 * size / 16 < np.nanmean(frozen["wind_error"])
    assert np.nanmean(real["clock_rate"]) > 0.9 and np.nanmean(frozen["clock_rate"]) < 0.2


def test_a_shorter_day_is_measured_by_its_own_clock():
    world = Timelapse(day_frames=60)
    part = world.batch(SEEDS, np.zeros(VIDEOS, int), 60)
    real, slow = (
        per_frame(video, truth, world)
        for video, truth in ((part.video, part.truth), (WORLD.batch(SEEDS, np.zeros(VIDEOS, int), 60).video, None))
    )
    assert np.isnan(real["clock_rate"]).sum() == 3 * VIDEOS and np.nanmean(real["clock_rate"]) > 0.85
    assert real["clock_error"].mean() < 0.3
    assert np.nanmean(slow["clock_rate"]) < 0.3, "a clock at a quarter of its rate"


def test_stars_elsewhere_are_not_the_stars(clip):
    mirrored = per_frame(clip.video[:2, ..., ::-1].copy(), first_two(clip.truth), WORLD)
    assert np.nanmean(mirrored["stars_kept"]) < 0.2


@pytest.mark.parametrize("frames", [1, 2, LAG, LAG + 1])
def test_short_videos(frames, clip):
    for truth in (WORLD.batch(SEEDS, np.zeros(VIDEOS, int), frames).truth, None):
        values = per_frame(clip.video[:, :frames], truth, WORLD)
        assert all(v.shape == (VIDEOS, frames) for v in values.values())
        assert (values["clock_error"] < 12).all()


@pytest.mark.parametrize("shape", [(2, 4, 3, 17, 17), (2, 4, 1, 16, 16), (4, 3, 16, 16)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(UserError, match=r"\(b, t, 3, 16, 16\)"):
        per_frame(np.zeros(shape, np.float32), None, WORLD)


def test_the_reader_refuses_frames_out_of_range():
    with pytest.raises(UserError, match="16 to 128"):
        read_timelapse(np.zeros((2, 3, 12, 12), np.float32))
