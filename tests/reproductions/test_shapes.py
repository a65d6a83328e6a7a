"""The shapes world: its truth and drawing against closed forms and a twin with plain loops, its captions, its speed."""

import doctest
import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiloframe.errors import UserError
from reproductions.worlds import captions, shapes
from reproductions.worlds.base import EVALUATION_SEEDS, Clip
from reproductions.worlds.shapes import (
    AXIS_SPEEDS,
    BACKGROUND,
    COLOURS,
    KINDS,
    PALETTE,
    RADII,
    SPEEDS,
    Described,
    Shapes,
    Truth,
    coverage,
    describe,
    parse,
)

FIELDS = ("kind", "colour", "large", "quick", "position", "velocity", "visible")
SIZES = [16, 17, 40, 128]
STORED = {
    "kind": [[3, 3, 5], [1, 2, 5], [2, 0, 5]],
    "colour": [[0, 1, 5], [1, 3, 5], [1, 3, 0]],
    "large": [[0, 1, 0], [0, 0, 0], [0, 1, 1]],
    "quick": [[0, 1, 0], [0, 0, 0], [1, 1, 1]],
    "position": [[[7, 4], [7, 6], [7, 11]], [[13, 8], [3, 10], [5, 11]], [[10, 4], [10, 7], [10, 6]]],
}


def same(a, b):
    return (a.video == b.video).all() and all((getattr(a.truth, f) == getattr(b.truth, f)).all() for f in FIELDS)


def piece(clip, part):
    return Clip(clip.video[part], Truth(*(getattr(clip.truth, f)[part] for f in FIELDS)))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**60),
    start=st.integers(0, 5000),
    frames=st.integers(1, 30),
    cut=st.integers(0, 29),
    count=st.integers(1, 3),
    size=st.sampled_from([16, 17, 24]),
)
def test_a_clip_is_the_same_whichever_way_it_is_cut(seed, start, frames, cut, count, size):
    world = Shapes(size, count)
    whole = world.clip(seed, start, frames)
    cut = min(cut, frames - 1)
    assert same(piece(whole, slice(cut, None)), world.clip(seed, start + cut, frames - cut))
    assert same(piece(whole, slice(None, None, -1)), world.at(np.array(seed), np.arange(start, start + frames)[::-1]))
    batch = world.batch([seed + 1, seed], [start, start], frames)
    assert same(piece(batch, 1), whole)
    assert batch.truth.captions()[1] == whole.truth.captions()


def star(y, x, radius):
    """A five-pointed star's signed distance (to the nearest edge's line) by going through its ten edges' sectors."""
    tip = radius / math.sin(math.radians(72))
    y = y - tip * (1 - math.cos(math.radians(36))) / 2
    angle = math.degrees(math.atan2(x, -y)) % 72
    angle = min(angle, 72 - angle)  # from the nearest tip's direction, 0 to 36 degrees
    far = math.hypot(x, y)
    along, across = far * math.cos(math.radians(angle)), far * math.sin(math.radians(angle))
    a, b = (tip, 0), (tip / 2 * math.cos(math.radians(36)), tip / 2 * math.sin(math.radians(36)))
    edge = (b[0] - a[0], b[1] - a[1])
    return (edge[1] * (along - a[0]) - edge[0] * (across - a[1])) / math.hypot(*edge)


DISTANCE = {
    "circle": lambda y, x, r: math.hypot(x, y) - r,
    "square": lambda y, x, r: max(abs(x) - r, abs(y) - r),
    "triangle": lambda y, x, r: max(y - r, (2 * x - y - r) / math.sqrt(5), (-2 * x - y - r) / math.sqrt(5)),
    "star": star,
    "cross": lambda y, x, r: min(max(abs(x) - r, abs(y) - 0.34 * r), max(abs(y) - r, abs(x) - 0.34 * r)),
    "ring": lambda y, x, r: max(math.hypot(x, y) - r, 0.6 * r - math.hypot(x, y)),
}


def by_hand(world, truth, t):
    """The frame drawn from its truth with plain loops."""
    frame = np.empty((3, world.size, world.size))
    frame[:] = BACKGROUND[:, None, None]
    for n in range(world.shapes):
        radius = RADII[int(truth.large[t, n])] * world.size / 16
        colour = PALETTE[truth.colour[t, n]]
        y, x = truth.position[t, n]
        for i in range(world.size):
            for j in range(world.size):
                d = DISTANCE[KINDS[truth.kind[t, n]]](i + 0.5 - y, j + 0.5 - x, radius)
                frame[:, i, j] += min(1, max(0, 0.5 - d)) * (colour - frame[:, i, j])
    return frame


@pytest.mark.parametrize("size", [16, 17, 40])
def test_frames_are_what_their_truth_says(size):
    world = Shapes(size, 3)
    kinds = set()
    for seed in range(6):
        clip = world.clip(seed, 100, 1)
        assert clip.video.shape == (1, 3, size, size) and clip.video.dtype == np.float32
        np.testing.assert_allclose(clip.video[0], by_hand(world, clip.truth, 0), atol=1e-4)
        kinds |= set(clip.truth.kind[0].tolist())
    assert kinds == set(range(len(KINDS))), "the seeds show every kind"


@pytest.mark.parametrize("size", SIZES)
def test_all_sizes_show_the_same_scene_within_the_frame_and_in_range(size):
    world, small = Shapes(size), Shapes(16)
    clip, twin = (w.batch(np.arange(8), np.zeros(8), 40) for w in (world, small))
    assert clip.video.shape == (8, 40, 3, size, size) and clip.video.dtype == np.float32
    assert clip.video.min() >= 0 and clip.video.max() <= 1
    np.testing.assert_allclose(clip.truth.position, twin.truth.position * size / 16)
    np.testing.assert_allclose(clip.truth.velocity, twin.truth.velocity * size / 16)
    for field in ("kind", "colour", "large", "quick"):
        assert (getattr(clip.truth, field) == getattr(twin.truth, field)).all()
    # The same light falls on the picture: the mean colour hardly depends on the size.
    assert np.abs(clip.video.mean((3, 4)) - twin.video.mean((3, 4))).max() < 0.012


def test_integer_truth_is_as_it_has_always_been():
    truth = Shapes(16, 3).batch([0, 1, EVALUATION_SEEDS], [0, 36_000, 7], 1).truth
    assert truth.kind[:, 0].tolist() == STORED["kind"]
    assert truth.colour[:, 0].tolist() == STORED["colour"]
    assert truth.large[:, 0].astype(int).tolist() == STORED["large"]
    assert truth.quick[:, 0].astype(int).tolist() == STORED["quick"]
    assert np.floor(truth.position[:, 0]).astype(int).tolist() == STORED["position"]


def test_shapes_move_straight_at_their_pace_and_turn_at_the_walls():
    for size in (16, 17):
        scale = size / 16
        truth = Shapes(size).batch(np.arange(30), np.zeros(30), 120).truth
        step = np.diff(truth.position, axis=1)
        steady = (truth.velocity[:, 1:] == truth.velocity[:, :-1]).all(3)
        assert 0.5 < steady.mean() < 0.99, "shapes bounce, but not all the time"
        np.testing.assert_allclose(step[steady], truth.velocity[:, :-1][steady], atol=1e-9)
        radius = RADII[truth.large.astype(int)][..., None] * scale
        assert (truth.position >= radius - 1e-9).all() and (truth.position <= size - radius + 1e-9).all()
        turned = np.diff(np.sign(truth.velocity), axis=1) != 0
        reach = np.minimum(truth.position - radius, size - radius - truth.position)[:, 1:]
        assert (reach[turned] <= np.abs(truth.velocity[:, 1:])[turned]).all(), "no turn in mid-air"
        speed = np.linalg.norm(truth.velocity, axis=-1) / scale
        low, high = SPEEDS[truth.quick.astype(int)][..., 0], SPEEDS[truth.quick.astype(int)][..., 1]
        assert (speed >= low - 1e-9).all() and (speed <= high + 1e-9).all()
        axis = np.abs(truth.velocity) / scale
        assert axis.min() >= AXIS_SPEEDS[0] and axis.max() <= AXIS_SPEEDS[1]


def test_consecutive_frames_differ_visibly():
    video = Shapes(shapes=1).batch(np.arange(64), np.zeros(64), 30).video
    change = np.abs(np.diff(video, axis=1)).max((2, 3, 4))
    assert change.min() > 0.05 and np.median(change) > 0.3


def test_visible_means_that_enough_of_a_shape_is_left_uncovered():
    world = Shapes(32, 3)
    truth = world.batch(np.arange(30), np.zeros(30), 10).truth
    alpha = coverage(truth.kind, truth.large, truth.position, 32)
    assert truth.visible[..., -1].all(), "nothing covers the last"
    behind = 1 - (1 - alpha[..., 1, :, :]) * (1 - alpha[..., 2, :, :])
    left = (alpha[..., 0, :, :] * (1 - behind)).sum((-2, -1)) / alpha[..., 0, :, :].sum((-2, -1))
    sure = np.abs(left - 0.6) > 1e-4
    assert (truth.visible[..., 0] == (left >= 0.6))[sure].all()
    assert 0.5 < truth.visible.mean() < 1


def test_choices_are_spread_evenly_and_no_colour_comes_twice():
    truth = Shapes(shapes=3).batch(np.arange(3000), np.zeros(3000), 1).truth
    for values, kinds in ((truth.kind, 6), (truth.colour, 6), (truth.large, 2), (truth.quick, 2)):
        for n in range(3):
            counts = np.bincount(values[:, 0, n].astype(int), minlength=kinds)
            assert len(counts) == kinds and counts.min() > 0.85 * 3000 / kinds
    for a, b in itertools.combinations(range(3), 2):
        assert (truth.colour[..., a] != truth.colour[..., b]).all()
        assert abs(np.corrcoef(truth.kind[:, 0, a], truth.kind[:, 0, b])[0, 1]) < 0.06
    alone = Shapes(shapes=1).batch(np.arange(100), np.zeros(100), 1).truth
    for field in ("kind", "colour", "position"):
        assert (getattr(alone, field)[..., 0, :1] == getattr(truth, field)[:100, ..., 0, :1]).all()


def test_kinds_are_distinguishable_at_16x16():
    """Blurred and noisy, each drawing is still most like a drawing of its own kind and size, in all places."""
    rng = np.random.default_rng(0)
    kind, large = (v.ravel() for v in np.meshgrid(np.arange(6), [False, True], indexing="ij"))
    places = 8 + rng.uniform(-3, 3, (40, 2))
    drawn = coverage(np.tile(kind, 40), np.tile(large, 40), np.repeat(places, 12, 0), 16).reshape(40, 12, -1)
    shifted = coverage(np.tile(kind, 40), np.tile(large, 40), np.repeat(places + 0.25, 12, 0), 16).reshape(40, 12, -1)
    noisy = shifted + rng.normal(0, 0.1, shifted.shape)
    likeness = np.einsum("nip,njp->nij", noisy, drawn / np.linalg.norm(drawn, axis=-1, keepdims=True))
    assert (likeness.argmax(2) == np.arange(12)).mean() > 0.99


def test_every_caption_obeys_the_grammar_is_in_the_vocabulary_and_comes_back():
    for count in (1, 2, 3):
        truth = Shapes(shapes=count).batch(np.arange(200), np.zeros(200), 2).truth
        said = truth.captions()
        assert said.shape == (200,) and len(set(said.tolist())) > 50
        rows = captions.encode(said.tolist())
        assert captions.decode(rows) == said.tolist()
        for n, caption in enumerate(said.tolist()):
            told = parse(caption)
            assert describe(told) == caption
            for i, shape in enumerate(told):
                for field in ("kind", "colour", "large", "quick"):
                    assert getattr(shape, field) == getattr(truth, field)[n, 0, i]
    one = Described(KINDS.index("circle"), COLOURS.index("red"), False, False)
    two = Described(KINDS.index("square"), COLOURS.index("blue"), True, True)
    assert describe([one]) == "a small red circle moving slowly."
    assert describe([one, two]) == "a small red circle moving slowly and a large blue square moving quickly."
    assert parse("A small red circle moving slowly") == [one]
    assert Shapes().clip(5, 0, 3).truth.captions().shape == (), "one caption for one video"


@pytest.mark.parametrize("count", [1, 2])
def test_seeds_for_a_caption_give_it_in_many_ways(count):
    world = Shapes(shapes=count)
    caption = str(world.clip(11, 0, 1).truth.captions())
    seeds = world.seeds_for(caption, 12)
    assert len(seeds) == 12 and (np.diff(seeds) > 0).all() and seeds[0] >= EVALUATION_SEEDS
    truth = world.batch(seeds, np.zeros(12), 1).truth
    assert (truth.captions() == caption).all()
    assert len(np.unique(truth.position[:, 0, 0, 0])) == 12
    assert world.seeds_for(caption, 1, start=0)[0] <= 11, "the search begins where it is told to"
    assert (world.seeds_for(caption, 3, start=int(seeds[4])) == seeds[4:7]).all(), "and leaves none out"
    assert world.seeds_for(caption, 0).shape == (0,)


@pytest.mark.parametrize(
    "caption, message",
    [
        ("a small red circle moving fast.", "'fast'.*allowed: slowly, quickly"),
        ("a small read circle moving slowly.", "nearest: red"),
        ("a red circle moving slowly.", "'a red circle moving slowly'.*is none"),
        ("", "is none"),
        ("a small red circle moving slowly and a large red star moving slowly.", "repeats one"),
        (", ".join(["a small red circle moving slowly"] * 4), "1 to 3 shapes, not 4"),
        ("a small red circle moving slowly.", "tells of 1 shapes; this world has 2"),
    ],
)
def test_impossible_captions(caption, message):
    with pytest.raises(UserError, match=message):
        Shapes(shapes=2).seeds_for(caption, 1)


@pytest.mark.parametrize("options", [{"size": 15}, {"size": 129}, {"shapes": 0}, {"shapes": 4}])
def test_impossible_worlds(options):
    with pytest.raises(UserError, match="shapes world"):
        Shapes(**options)


def test_impossible_clips():
    with pytest.raises(UserError, match="starts at frame 0"):
        Shapes().clip(0, -1, 4)
    with pytest.raises(UserError, match="at least 1 frame"):
        Shapes().clip(0, 0, 0)


def test_example_in_the_docstring():
    assert doctest.testmod(shapes).attempted and not doctest.testmod(shapes).failed


def test_speed():
    """Well over 20,000 frames a second on one core by itself; a quarter of that on a busy machine still passes."""
    world = Shapes()
    world.batch([0], [0], 8)
    best = 0.0
    for _ in range(5):
        started = time.perf_counter()
        world.batch(np.arange(32), np.zeros(32), 16)
        best = max(best, 32 * 16 / (time.perf_counter() - started))
    assert best > 5000, f"{best:.0f} frames a second"
