import doctest
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiloframe.errors import UserError
from reproductions import worlds
from reproductions.worlds import digits
from reproductions.worlds.digits import (
    BACKGROUND,
    CURTAIN_PERIOD,
    EVALUATION_SEEDS,
    PALETTE,
    SPRITE_SIDE,
    Digits,
    sprites,
)

FIELDS = ("sprite", "label", "colour", "position", "velocity", "visible")


def same(a, b):
    return (a.video == b.video).all() and all((getattr(a.truth, f) == getattr(b.truth, f)).all() for f in FIELDS)


def piece(clip, part):
    return digits.Clip(clip.video[part], digits.Truth(*(getattr(clip.truth, f)[part] for f in FIELDS)))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**60),
    start=st.integers(0, 5000),
    frames=st.integers(1, 30),
    cut=st.integers(0, 29),
    memory=st.booleans(),
    count=st.integers(1, 3),
)
def test_a_clip_is_the_same_whichever_way_it_is_cut(seed, start, frames, cut, memory, count):
    world = Digits(memory=memory, digits=count)
    whole = world.clip(seed, start, frames)
    cut = min(cut, frames - 1)
    assert same(piece(whole, slice(cut, None)), world.clip(seed, start + cut, frames - cut))
    assert same(piece(whole, slice(None, None, -1)), world.at(np.array(seed), np.arange(start, start + frames)[::-1]))
    batch = world.batch([seed + 1, seed], [start, start], frames)
    assert same(piece(batch, 1), whole)


def by_hand(world, truth, t):
    """The frame drawn from its truth with plain loops."""
    frame = np.empty((3, world.size, world.size))
    frame[:] = BACKGROUND[:, None, None]
    for n in range(world.digits):
        sprite = sprites()[0][truth.sprite[t, n]]
        y, x = truth.position[t, n]
        alpha = np.zeros((world.size, world.size))
        for i in range(world.side):
            for j in range(world.side):
                ink = sprite[i // world.scale, j // world.scale]
                for di in (0, 1):
                    for dj in (0, 1):
                        row, column = int(y) + i + di, int(x) + j + dj
                        part = (1 - abs(row - y - i)) * (1 - abs(column - x - j))
                        if part > 0:
                            alpha[row, column] += part * ink
        frame += alpha * (PALETTE[truth.colour[t, n]][:, None, None] - frame)
    return frame


@pytest.mark.parametrize("size", [16, 17, 32, 40, 64, 128])
def test_truth_is_exact(size):
    world = Digits(size, digits=2)
    clip = world.clip(seed=5, start=100, frames=3)
    assert clip.video.shape == (3, 3, size, size) and clip.video.dtype == np.float32
    assert clip.video.min() >= 0 and clip.video.max() <= 1
    for t in range(3):
        np.testing.assert_allclose(clip.video[t], by_hand(world, clip.truth, t), atol=2e-6)


def test_velocity_is_the_step_to_the_next_frame_away_from_bounces():
    for size in (16, 48):
        world = Digits(size)
        truth = world.batch(np.arange(20), np.zeros(20), 200).truth
        step = np.diff(truth.position, axis=1)
        steady = (truth.velocity[:, 1:] == truth.velocity[:, :-1]).all((2, 3))
        assert 0.5 < steady.mean() < 1, "digits bounce, but not all the time"
        np.testing.assert_allclose(step[steady], truth.velocity[:, :-1][steady], atol=1e-9)
        assert truth.position.min() >= 0 and truth.position.max() <= world.room
        # A bounce turns a velocity round and leaves its size alone.
        speed = np.abs(truth.velocity)
        assert np.ptp(speed, axis=1).max() < 1e-12 and speed.min() >= 0.5 * world.scale


def test_the_curtain_hides_exactly_20_of_40_frames_and_the_digit_itself_comes_back():
    world, plain = Digits(memory=True), Digits()
    for seed in range(12):
        clip, open_clip = world.clip(seed, 0, 200), plain.clip(seed, 0, 200)
        visible = clip.truth.visible[:, 0]
        for start in range(160):
            assert visible[start : start + 40].sum() == 20
        runs = np.diff(np.flatnonzero(np.diff(visible.astype(int))))
        assert (runs == 20).all(), "20 in a row, then 20 in a row"
        below = clip.video[..., world.scale :, :]  # the rail
        assert (below[visible] == open_clip.video[visible][..., world.scale :, :]).all(), "the very digit, on its path"
        assert (open_clip.truth.position == clip.truth.position).all()


def test_nothing_of_the_digit_shows_through_the_curtain_and_its_time_can_be_read():
    world = Digits(memory=True)
    covered = {}
    for seed in range(40):
        clip = world.clip(seed, 0, 80)
        moment = (np.arange(80) + int(world.phase(seed))) % 40
        for frame, m, seen in zip(clip.video, moment, clip.truth.visible[:, 0], strict=True):
            if not seen:
                assert (covered.setdefault(int(m), frame) == frame).all(), "the cloth does not depend on the digit"
    assert len(covered) == 20
    frames = np.stack([covered[m] for m in sorted(covered)])
    light = (frames - frames.min(0)).sum((1, 2))  # per frame and column, above the bare cloth
    centre = (light * np.arange(16)).sum(1) / light.sum(1)
    assert (np.diff(centre) > 0).all(), "the bar of light moves on with every frame"


@pytest.mark.parametrize("size", [16, 40])
def test_every_frame_tells_its_world_and_its_time_by_the_rail(size):
    world, plain = Digits(size, memory=True), Digits(size)
    rails = {}
    for seed in range(30):
        clip = world.clip(seed, 0, 80)
        assert (clip.video[:, :, 0] != plain.clip(seed, 0, 80).video[:, :, 0]).any((1, 2)).all(), "a rail in each frame"
        moment = (np.arange(80) + int(world.phase(seed))) % CURTAIN_PERIOD
        for frame, m in zip(clip.video, moment, strict=True):
            top = frame[:, : world.scale]
            assert (top == top[:, :1]).all() and (rails.setdefault(int(m), top) == top).all(), "it hides the digit"
    assert len(rails) == CURTAIN_PERIOD
    rows = np.stack([rails[m][:, 0] for m in sorted(rails)]).sum(1)
    bead = ((rows - rows.min(1, keepdims=True)) * np.arange(size)).sum(1) / (rows - rows.min(1, keepdims=True)).sum(1)
    assert (np.diff(bead) > 0).all(), "the bead moves on with every frame of the period"


def test_seeds_differ_and_classes_colours_and_places_are_spread_evenly():
    truth = Digits().batch(np.arange(4000), np.zeros(4000), 1).truth
    for values, kinds in ((truth.sprite, 20), (truth.label, 10), (truth.colour, len(PALETTE))):
        counts = np.bincount(values.ravel(), minlength=kinds)
        assert len(counts) == kinds and counts.min() > 0.6 * 4000 / kinds
    assert len(np.unique(truth.position[..., 0])) == 4000
    places, _ = np.histogram(truth.position, 4, (0, 8))
    assert places.min() > 0.85 * 2000
    assert abs(np.corrcoef(truth.label.ravel(), truth.colour.ravel())[0, 1]) < 0.05
    evaluation = Digits().batch(EVALUATION_SEEDS + np.arange(4000), np.zeros(4000), 1).truth
    assert (evaluation.position != truth.position).all(), "evaluation videos are others than training videos"


def test_the_digits_are_real_and_correctly_labelled():
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    chosen, names = sprites()
    assert chosen.shape == (20, SPRITE_SIDE, SPRITE_SIDE) and (np.bincount(names) == 2).all()
    for image, name in zip(chosen, names, strict=True):
        found = np.flatnonzero((images == image.ravel() * 16).all(1))
        assert name in labels[found]


@pytest.mark.parametrize("options", [{"size": 15}, {"size": 129}, {"digits": 0}, {"digits": 5}])
def test_impossible_worlds(options):
    with pytest.raises(UserError, match="digits world"):
        Digits(**options)


def test_impossible_clips():
    with pytest.raises(UserError, match="starts at frame 0"):
        Digits().clip(0, -1, 4)
    with pytest.raises(UserError, match="at least 1 frame"):
        Digits().clip(0, 0, 0)
    with pytest.raises(UserError, match="at least 1 frame"):
        Digits().batch([0], [0], 0)


def test_example_in_the_docstring():
    assert doctest.testmod(digits).attempted and not doctest.testmod(digits).failed


def test_speed():
    """Well over 20,000 frames a second on one core by itself; a quarter of that on a busy machine still passes."""
    world = Digits(memory=True)
    world.batch([0], [0], 8)
    best = 0.0
    for _ in range(3):
        started = time.perf_counter()
        world.batch(np.arange(64), np.zeros(64), 64)
        best = max(best, 64 * 64 / (time.perf_counter() - started))
    assert best > 5000, f"{best:.0f} frames a second"


def test_seeds_and_frames_go_together_row_by_row():
    with pytest.raises(UserError, match=r"seeds \(3,\) want frames \(\*\(3,\), t\), one row per seed, not \(5,\)"):
        Digits().at([1, 2, 3], np.arange(5))
    with pytest.raises(UserError, match="whole numbers from 0; a negative one"):
        Digits().clip(-1, 0, 3)


@pytest.mark.parametrize("wrong", [1.5, "1", None, np.nan])
def test_only_whole_numbers_lead_into_a_world(wrong):
    world = Digits()
    assert same(world.batch([3.0], [0.0], 4), world.batch([3], [0], 4)), "whole floats will do"
    for call in (
        lambda: world.batch([wrong], [0], 4), lambda: world.batch([1], [wrong], 4), lambda: world.at(1, [wrong]),
    ):  # fmt: skip
        with pytest.raises(UserError, match="are whole numbers; "):
            call()
    with pytest.raises(UserError, match="a whole number of them"):
        world.clip(1, 0, wrong)
    with pytest.raises(UserError, match="frames of 16 to 128 pixels"):
        Digits(wrong)


def test_batches_and_names_that_do_not_fit():
    world = Digits()
    for seeds, starts in ((1, 2), ([1, 2], [0]), ([[1]], [[0]])):
        with pytest.raises(UserError, match="a batch has one start per seed, both"):
            world.batch(seeds, starts, 4)
    with pytest.raises(UserError, match="no frames were asked for"):
        world.at([1], np.zeros((1, 0), int))
    with pytest.raises(UserError, match="'memory' is not a"):
        worlds.world("rooms", memory=True)
    assert worlds.world("digits", memory=True).memory
