"""The timelapse world: its laws against closed forms and a twin with plain loops, and every way to cut it."""

import doctest
import math
import time
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiloframe.errors import UserError
from reproductions.worlds import timelapse
from reproductions.worlds.base import EVALUATION_SEEDS, uniform
from reproductions.worlds.timelapse import DAY_FRAMES, STARS, SUMMIT, Timelapse, Truth, backdrop, hill_colours, night

FIELDS = [field.name for field in fields(Truth)]


def same(a, b):
    return np.array_equal(a.video, b.video) and all(
        np.array_equal(getattr(a.truth, f), getattr(b.truth, f), equal_nan=True) for f in FIELDS
    )


def piece(clip, part):
    return timelapse.Clip(clip.video[part], Truth(*(getattr(clip.truth, f)[part] for f in FIELDS)))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**60),
    start=st.integers(0, 5000),
    frames=st.integers(1, 30),
    cut=st.integers(0, 29),
    size=st.sampled_from([16, 17, 32, 40]),
    evolve=st.sampled_from([0.0, 1.0, 2.5]),
)
def test_a_clip_is_the_same_whichever_way_it_is_cut(seed, start, frames, cut, size, evolve):
    world = Timelapse(size, evolve=evolve)
    whole = world.clip(seed, start, frames)
    cut = min(cut, frames - 1)
    assert same(piece(whole, slice(cut, None)), world.clip(seed, start + cut, frames - cut))
    assert same(piece(whole, slice(None, None, -1)), world.at(np.array(seed), np.arange(start, start + frames)[::-1]))
    batch = world.batch([seed + 1, seed], [start + 7, start], frames)
    assert same(piece(batch, 1), whole)
    assert same(world.moment(seed, np.arange(start, start + frames, dtype=float)), whole)


def test_a_large_batch_is_drawn_in_parts_that_do_not_show():
    world = Timelapse()
    batch = world.batch(np.arange(40), np.zeros(40), 24)  # more than are drawn at once
    assert timelapse._CHUNK < 40 * 24 * 16**2 / 3
    for seed in (0, 13, 39):
        assert same(piece(batch, seed), world.clip(seed, 0, 24))


def test_leading_axes_of_any_number():
    world = Timelapse()
    clip = world.at(np.arange(6).reshape(2, 3), np.arange(24).reshape(2, 3, 4))
    shapes = {f: getattr(clip.truth, f).shape[3:] for f in FIELDS}
    assert clip.video.shape == (2, 3, 4, 3, 16, 16) and clip.video.dtype == np.float32
    assert shapes == {
        "time_of_day": (), "sun": (2,), "moon": (2,), "wind": (2,), "clouds": (16, 16), "cover": (),
        "horizon": (16,), "stars": (STARS, 3),
    }  # fmt: skip
    assert all(getattr(clip.truth, f).shape[:3] == (2, 3, 4) for f in FIELDS)
    assert same(piece(clip, (1, 2)), world.clip(5, 20, 4))


def test_stored_values():
    clip = Timelapse().batch([0, 7, EVALUATION_SEEDS], [0, 123, 36_000], 1)
    truth = clip.truth
    assert np.rint(truth.time_of_day[:, 0] * 1e6).astype(int).tolist() == STORED["time_of_day"]
    assert np.rint(truth.wind[:, 0] * 1e6).astype(int).tolist() == STORED["wind"]
    assert np.rint(truth.horizon[:, 0, ::5] * 1e4).astype(int).tolist() == STORED["horizon"]
    assert np.rint(truth.stars[:, 0, 3] * 1e3).astype(int).tolist() == STORED["stars"]
    assert np.rint(truth.cover[:, 0] * 1e3).astype(int).tolist() == STORED["cover"]
    assert np.abs(clip.video[:, 0, :, 3, 8] * 255 - STORED["pixel"]).max() < 1


STORED = {
    "time_of_day": [507961, 992650, 420375],
    "wind": [[-53619, -726302], [133880, 757878], [163662, 712825]],
    "horizon": [[102862, 120081, 124426, 113912], [129069, 112551, 116055, 121373], [127301, 116419, 116432, 130619]],
    "stars": [[11500, 13500, 808], [5500, 2500, 928], [9500, 12500, 616]],
    "cover": [523, 210, 663],
    "pixel": [[181, 212, 235], [56, 67, 108], [227, 237, 242]],
}


def density_by_hand(world, seed, t, y, x):
    """The density of cloud at pixel (y, x) of a video, with plain loops and numbers."""

    def draw(stream):
        return float(uniform(np.array(seed, np.uint64), stream))

    def spline(d):
        d = abs(d)
        return 2 / 3 - d * d + d**3 / 2 if d < 1 else (2 - d) ** 3 / 6 if d < 2 else 0.0

    wind = world.clip(seed, 0, 1).truth.wind[0]
    noise = 0.0
    for octave in range(5):
        cell_y, cell_x = (cell * world.size / 2**octave for cell in (0.26, 0.42))
        if cell_y <= 1:
            break
        v, u = (y + 0.5 - wind[0] * t) / cell_y, (x + 0.5 - wind[1] * t) / cell_x
        for row in range(math.floor(v) - 1, math.floor(v) + 3):
            for column in range(math.floor(u) - 1, math.floor(u) + 3):
                place = ((column % 2**32) * 2**24 + row % 2**24) * 8 + octave
                first = draw(2**60 + place)
                other = first * 4096 % 1
                rate = world.evolve * 1.4**octave / 150 * (-0.5 - other if other < 0.5 else other)
                value = math.sin(2 * math.pi * (first + rate * t))
                noise += 0.52**octave * min(1, cell_y - 1) * value * spline(v - row) * spline(u - column)
    octaves = sum(0.52 ** (2 * octave) for octave in range(5))
    noise /= math.sqrt(0.5 * (151 / 315) ** 2 * octaves)
    weather = 0.25 - 0.5 * draw(5) + 0.3 * math.sin(2 * math.pi * (draw(6) + world.evolve * t / 700))
    edge = min(1, max(0, (noise - weather) / 1.1 + 0.5))
    return 0.92 * edge * edge * (3 - 2 * edge)


@pytest.mark.parametrize(("size", "evolve", "t"), [(16, 0.0, 0.0), (17, 1.0, 1234.0), (40, 2.0, 77.7)])
def test_the_clouds_are_those_of_plain_loops(size, evolve, t):
    world = Timelapse(size, evolve=evolve)
    clouds = world.moment(11, [t]).truth.clouds[0]
    for y, x in ((0, 0), (1, size - 1), (size // 2, size // 3), (size - 1, 4)):
        assert clouds[y, x] == pytest.approx(density_by_hand(world, 11, t, y, x), abs=2e-4)


def test_the_noise_has_mean_0_and_deviation_1():
    world = Timelapse(96)
    seeds = np.arange(120).astype(np.uint64)
    noise = world._noise(seeds, np.zeros(120), np.zeros((120, 2)))
    assert abs(noise.mean()) < 0.06 and noise.std() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("size", [16, 40])
@pytest.mark.parametrize("way", [(0, 1), (0, -2), (1, 2), (-1, 1)])
def test_without_evolution_the_wind_carries_the_clouds_and_nothing_else_happens(size, way):
    world = Timelapse(size, evolve=0)
    seeds = np.full(2, 5, np.uint64)
    wind = np.array([way, way]) / size  # whole pixels per frame, so that the fields can be laid upon each other
    density, dark = world._clouds(seeds, np.array([40.0, 41.0]), wind)
    dy, dx = way
    rows, columns = slice(max(0, dy), size + min(0, dy)), slice(max(0, dx), size + min(0, dx))
    for field in (density, dark):
        before = np.roll(field[0], way, (0, 1))[rows, columns]
        np.testing.assert_allclose(field[1][rows, columns], before, atol=1e-4)
    assert density.std() > 0.1


def test_a_video_without_evolution_moves_by_its_wind():
    world = Timelapse(64, evolve=0)
    for seed in range(6):
        start, per_frame = 100.0, world.clip(seed, 0, 1).truth.wind[0]
        across = 6 / abs(per_frame[1])  # frames in which the clouds travel 6 pixels across
        down = per_frame[0] * across
        clouds = world.moment(seed, [start, start + across]).truth.clouds
        six = int(6 * np.sign(per_frame[1]))
        before = np.roll(clouds[0], six, 1)
        # between two whole rows: linear interpolation is exact to the curvature of the field
        low = math.floor(down)
        before = (1 - (down - low)) * np.roll(before, low, 0) + (down - low) * np.roll(before, low + 1, 0)
        assert np.abs(clouds[1] - before)[8:-8, 8:-8].mean() < 0.01 < np.abs(clouds[1] - clouds[0])[8:-8, 8:-8].mean()


def test_the_clock_the_sun_and_the_moon():
    for day in (DAY_FRAMES, 60):
        world = Timelapse(16, day_frames=day)
        truth = world.batch(np.arange(4), np.zeros(4), 2 * day).truth
        hour = truth.time_of_day
        step = (np.diff(hour, axis=1) + 0.5) % 1 - 0.5
        np.testing.assert_allclose(step, 1 / day, atol=1e-9)
        assert hour.min() >= 0 and hour.max() < 1 and (hour[:, day:] == pytest.approx(hour[:, :day]))
        # an ellipse about (0.86, 0.5) with half axes 0.70 and 0.42, in frame sides; below its middle there is nothing
        for body, shift in ((truth.sun, 0.0), (truth.moon, 0.5)):
            up = ~np.isnan(body[..., 0])
            since = (hour + shift - 0.25) % 1  # since it rose
            assert (up == (since < 0.5))[np.abs(since - 0.5) > 1e-9].all()
            y, x = body[up].T / 16
            np.testing.assert_allclose(((0.86 - y) / 0.70) ** 2 + ((x - 0.5) / 0.42) ** 2, 1)
            order = np.argsort(since[up])
            assert (np.diff(x[order]) >= 0).all(), "from left to right"
            assert abs(since[up][y.argmin()] - 0.25) < 1 / day, "highest at noon, or midnight"


def test_the_sun_and_moon_shine_where_the_truth_says():
    clip = Timelapse(64).at(np.arange(40), np.broadcast_to(np.arange(0, 240, 12), (40, 20)))
    for body, bright in ((clip.truth.sun, 0.85), (clip.truth.moon, 0.75)):
        high = body[..., 0] < 0.5 * 64
        n, t = np.nonzero(high)
        y, x = np.floor(body[high]).astype(int).T
        clear = clip.truth.clouds[n, t, y, x] < 0.02
        assert clear.sum() > 30 and (clip.video[n, t, :2, y, x][clear] > bright).all()


def test_stars_stand_still_and_come_out_at_night():
    for size in (16, 64):
        clip = Timelapse(size).at(np.arange(12), np.broadcast_to(np.arange(0, 240, 10), (12, 24)))
        stars, hour = clip.truth.stars, clip.truth.time_of_day
        assert (stars == stars[:, :1]).all() and stars[..., 2].min() > 0 and stars[..., 2].max() <= 1
        bare = backdrop(hour.ravel(), size).sky.reshape(clip.video.shape)
        bright = stars[:, 0].argmax(1)[:, 2]
        for n, star in enumerate(bright):
            y, x = np.floor(stars[n, 0, star, :2]).astype(int)
            clear = (clip.truth.clouds[n, :, y, x] < 0.02) & ((bare[n, :, 0, y, x] < 0.3) | (night(hour[n]) == 0))
            gain = (clip.video[n, :, 2, y, x] - bare[n, :, 2, y, x])[clear]  # where the moon is not in front
            dark = night(hour[n])[clear]
            if y < SUMMIT * size - 1:
                assert (gain[dark > 0.9] > 0.1).all() and (np.abs(gain[dark == 0]) < 0.02).all()
    assert night(np.array([0.0, 0.5])).tolist() == [1, 0]


def test_the_horizon_is_where_the_hills_begin():
    for size in (16, 17, 128):
        world = Timelapse(size)
        clip = world.batch(np.arange(8), np.zeros(8), 2)
        horizon = clip.truth.horizon
        assert (horizon == horizon[:, :1]).all() and horizon.min() > SUMMIT * size and horizon.max() < size
        assert len(np.unique(horizon[:, 0, 0])) == 8, "hills of their own"
        scene = world._scene(np.arange(8).astype(np.uint64))
        fill = scene.hills.sum(1)  # how much of each pixel is hill: its columns add up to what lies below the skyline
        np.testing.assert_allclose(size - fill.sum(1), horizon[:, 0], atol=1e-3)
        assert fill.min() >= 0 and fill.max() <= 1 + 1e-6
        assert (fill[:, -1] == 1).all()
    nearest = hill_colours(clip.truth.time_of_day.ravel())[:, 2].reshape(8, 2, 3, 1)
    np.testing.assert_allclose(clip.video[..., -1, :], np.broadcast_to(nearest, (8, 2, 3, 128)), atol=1e-6)


def test_cover_is_the_mean_density_of_the_open_sky():
    world = Timelapse(24)
    truth = world.batch(np.arange(5), np.zeros(5), 3).truth
    rows = np.arange(24)[:, None]
    for n in range(5):
        open_sky = np.clip(truth.horizon[n, 0] - rows, 0, 1)
        expected = (truth.clouds[n] * open_sky).sum((1, 2)) / open_sky.sum()
        np.testing.assert_allclose(truth.cover[n], expected, rtol=1e-4)
    many = world.batch(np.arange(300), np.zeros(300), 1).truth.cover
    assert 0.35 < many.mean() < 0.55 and many.min() < 0.1 and many.max() > 0.8, "clear days and grey ones"


@pytest.mark.parametrize("size", [16, 40, 128])
def test_day_and_night_differ_and_so_do_neighbouring_frames(size):
    pairs = np.sort(np.concatenate([np.arange(0, 240, 10), np.arange(1, 240, 10)]))
    clip = Timelapse(size).at(np.arange(3), np.broadcast_to(pairs, (3, 48)))
    light, hour = clip.video.mean((2, 3, 4)), clip.truth.time_of_day
    assert clip.video.min() >= 0 and clip.video.max() <= 1
    assert light[np.abs(hour - 0.5) < 0.1].min() > 2.5 * light[np.abs(hour - 0.5) > 0.42].max()
    changes = np.abs(np.diff(clip.video, axis=1))[:, ::2]
    assert changes.mean() > 0.01 and np.percentile(changes, 99, axis=(2, 3, 4)).min() > 0.01
    assert np.abs(clip.truth.wind).max(-1).min() > 0.03 * size, "half a pixel of 16 in every frame"


def test_small_frames_look_like_large_ones():
    small, large = (Timelapse(size).batch(np.arange(8), np.full(8, 30), 3) for size in (16, 128))
    averaged = large.video.reshape(8, 3, 3, 16, 8, 16, 8).mean((4, 6))
    assert np.abs(averaged - small.video).mean() < 0.03
    for f in ("sun", "moon", "wind", "horizon"):
        a, b = (getattr(x.truth, f) for x in (small, large))
        if f == "horizon":
            b = b.reshape(8, 3, 16, 8).mean(-1)
        np.testing.assert_allclose(a, b / 8, atol=0.35 if f == "horizon" else 1e-9)


def test_time_is_continuous():
    world = Timelapse(32)
    for t in (0.0, 55.25, 180.5):
        near = world.moment(3, t + np.array([0, 1e-4, 1e-3, 1])).video
        far = np.abs(near - near[0]).max((1, 2, 3))
        assert 0 < far[1] < 1e-3 and far[2] < 1e-2 < far[3]


def test_seeds_differ():
    truth = Timelapse().batch(np.arange(2000), np.zeros(2000), 1).truth
    hours, _ = np.histogram(truth.time_of_day, 8, (0, 1))
    assert hours.min() > 0.7 * 250, "every hour is as likely to be the first"
    assert 0.45 < (truth.wind[..., 1] > 0).mean() < 0.55 and 0.45 < (truth.wind[..., 0] > 0).mean() < 0.55
    speed = np.linalg.norm(truth.wind[:, 0], axis=-1) / 16
    assert speed.min() >= 0.032 and speed.max() <= 0.064 and np.ptp(speed) > 0.03
    held_out = Timelapse().batch(EVALUATION_SEEDS + np.arange(2000), np.zeros(2000), 1).truth
    assert (held_out.time_of_day != truth.time_of_day).all(), "evaluation videos are others than training videos"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 15}, "16 to 128"),
        ({"size": 129}, "16 to 128"),
        ({"day_frames": 1}, "at least 2 frames"),
        ({"evolve": -0.1}, "from 0 to 4"),
        ({"evolve": 4.1}, "from 0 to 4"),
        ({"evolve": math.nan}, "from 0 to 4"),
    ],
)
def test_impossible_worlds(options, message):
    with pytest.raises(UserError, match=message):
        Timelapse(**options)


@pytest.mark.parametrize("times", [[-0.5], [math.nan], [0, math.inf]])
def test_impossible_times(times):
    with pytest.raises(UserError, match="finite and start at 0"):
        Timelapse().moment(0, times)


def test_impossible_clips():
    with pytest.raises(UserError, match="starts at frame 0"):
        Timelapse().clip(0, -1, 4)
    with pytest.raises(UserError, match="at least 1 frame"):
        Timelapse().clip(0, 0, 0)
    with pytest.raises(UserError, match="whole numbers from 0"):
        Timelapse().moment(-1, [0.5])


def test_example_in_the_docstring():
    found = doctest.testmod(timelapse)
    assert found.attempted and not found.failed


def test_speed():
    """About 20,000 frames a second on one core by itself; a tenth of that on a busy machine still passes."""
    world = Timelapse()
    world.batch([0], [0], 8)
    best = 0.0
    for _ in range(3):
        started = time.perf_counter()
        world.batch(np.arange(32), np.zeros(32), 64)
        best = max(best, 32 * 64 / (time.perf_counter() - started))
    assert best > 2000, f"{best:.0f} frames a second"
