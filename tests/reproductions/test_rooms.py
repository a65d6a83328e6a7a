import doctest
import time
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiloframe.errors import UserError
from reproductions.worlds import rooms, rooms_map
from reproductions.worlds.base import EVALUATION_SEEDS, uniform
from reproductions.worlds.rooms import CEILING, FLOOR, PILLAR, Rooms, Truth
from reproductions.worlds.rooms_map import (
    DOORWAY,
    EYE,
    HEIGHT,
    LANDMARKS,
    PILLAR_RADIUS,
    SOLID,
    WALLS,
    cycles,
    house_and_walk,
)

FIELDS = [field.name for field in fields(Truth)]
WALKS = [(64, "loop"), (96, "loop"), (160, "loop"), (64, "back"), (96, "back"), (160, "back")]


STORED = {
    "place": [24, 60, 88],
    "room": [
        [7, 7, 9, 8, 8, 5, 9, 2, 9, 1, 9, 4, 7],
        [6, 6, 9, 3, 0, 0, 1, 1, 9, 4, 7, 7, 6],
        [9, 1, 9, 4, 7, 7, 8, 8, 9, 5, 9, 2, 9],
    ],
    "grid": [
        "#############",
        "#000#11#2222#",
        "#000#11+2222#",
        "#000#11#2222#",
        "#####+###+###",
        "#333#44#5555#",
        "#333+44+5555#",
        "#####+###+###",
        "#666#77#8888#",
        "#666#77#8888#",
        "#666#77+8888#",
        "#666#77#8888#",
        "#############",
    ],
    "wall": [[0, 1, 8, 6, 5, 7, 4, 2, 3], [2, 7, 1, 3, 6, 8, 4, 5, 0]],
    "pillar": [[7, 6, -1, 5, 3, 2, 4, 0, -1], [1, -1, 5, 6, 7, 0, -1, -1, 1]],
    "decor": [56, 57, 58, 59, 67, 72, 73, 75],
}


def same(a, b):
    return (a.video == b.video).all() and all((getattr(a.truth, f) == getattr(b.truth, f)).all() for f in FIELDS)


def piece(clip, part):
    return rooms.Clip(clip.video[part], Truth(*(getattr(clip.truth, f)[part] for f in FIELDS)))


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**60),
    start=st.integers(0, 40_000),
    frames=st.integers(1, 20),
    cut=st.integers(0, 19),
    size=st.sampled_from([16, 17, 32]),
    walk=st.sampled_from(["loop", "back"]),
)
def test_a_clip_is_the_same_whichever_way_it_is_cut(seed, start, frames, cut, size, walk):
    world = Rooms(size, walk=walk)
    whole = world.clip(seed, start, frames)
    cut = min(cut, frames - 1)
    assert same(piece(whole, slice(cut, None)), world.clip(seed, start + cut, frames - cut))
    assert same(piece(whole, slice(None, None, -1)), world.at(np.array(seed), np.arange(start, start + frames)[::-1]))
    batch = world.batch([seed + 1, seed], [start, start], frames)
    assert same(piece(batch, 1), whole)
    nested = world.at([[seed, seed + 1]], np.broadcast_to(start + np.arange(frames), (1, 2, frames)))
    assert same(piece(nested, (0, 0)), whole)


def test_the_integers_of_the_truth_are_these():
    truth = Rooms(16).batch([0, 7, EVALUATION_SEEDS + 3], [0, 90, 5000], 97).truth
    assert truth.place[:, 0].tolist() == STORED["place"]
    assert truth.earlier[:, [0, 5, 6, 96]].tolist() == [[-1, -1, -1, 0], [-1, -1, 0, 90], [4904, 4909, 4910, 5000]]
    assert truth.room[:, ::8].tolist() == STORED["room"]
    assert ["".join("012345678+#"[n] for n in row) for row in truth.grid[0, 0]] == STORED["grid"]
    house = Rooms(16).house([0, 7])
    assert house.wall.tolist() == STORED["wall"] and house.pillar_colour.tolist() == STORED["pillar"]
    assert np.flatnonzero(house.decor[0])[:8].tolist() == STORED["decor"]


@pytest.mark.parametrize(("loop", "walk"), WALKS)
def test_after_one_loop_everything_is_as_it_was_bit_for_bit_and_never_before(loop, walk):
    world = Rooms(16, loop=loop, walk=walk)
    clip = world.batch(np.arange(6), 1000 * np.arange(6), 2 * loop + 5)
    assert (clip.video[:, loop:] == clip.video[:, :-loop]).all()
    assert (clip.truth.pose[:, loop:] == clip.truth.pose[:, :-loop]).all()
    for pose, start, earlier in zip(clip.truth.pose, 1000 * np.arange(6), clip.truth.earlier, strict=True):
        rows = pose.reshape(len(pose), -1)
        far = np.abs(rows[:, None] - rows).max(-1)
        for t in range(len(rows)):
            found = np.flatnonzero(far[t, :t] < 1e-9)
            assert found.tolist() == [n for n in (t - 2 * loop, t - loop) if n >= 0]
            if len(found):
                assert earlier[t] == start + found[-1]
    assert (world.clip(0, 0, loop + 2).truth.earlier == [-1] * loop + [0, 1]).all()


def walked(world, videos):
    return world.poses(np.arange(videos), np.broadcast_to(np.arange(world.loop), (videos, world.loop)))


@pytest.mark.parametrize(("loop", "walk"), WALKS)
def test_the_camera_walks_naturally_and_never_in_a_wall(loop, walk):
    world = Rooms(16, loop=loop, walk=walk)
    seeds = np.arange(300)
    pose = world.poses(seeds, np.broadcast_to(np.arange(loop), (300, loop)))
    rotation = pose[..., :3, :3]
    np.testing.assert_allclose(
        rotation @ np.swapaxes(rotation, -1, -2), np.broadcast_to(np.eye(3), rotation.shape), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotation), 1)
    assert (pose[..., 3, :] == (0, 0, 0, 1)).all() and (pose[..., 2, 3] == EYE).all()
    assert (rotation[..., :, 1] == (0, 0, -1)).all(), "y points down"
    house, at = world.house(seeds), pose[..., :2, 3]
    # A disc around the camera touches no wall and no pillar.
    for angle in np.arange(8) * np.pi / 4:
        i, j = np.moveaxis(np.floor(at + 0.2 * np.array([np.cos(angle), np.sin(angle)])).astype(int), -1, 0)
        assert (house.grid[seeds[:, None], i, j] != SOLID).all()
    away = np.linalg.norm(house.pillar[:, None] - at[:, :, None], axis=-1)
    assert away[np.broadcast_to((house.pillar_colour >= 0)[:, None], away.shape)].min() > PILLAR_RADIUS + 0.2
    step = np.linalg.norm(np.diff(at, axis=1, append=at[:, :1]), axis=-1)
    turn = np.degrees(np.arccos((pose[..., :3, 2] * np.roll(pose[..., :3, 2], 1, 1)).sum(-1).clip(-1, 1)))
    assert step.max() < 0.36 and turn.max() < 13
    assert (step + np.radians(turn)).min() > 0.03, "always on the move"
    assert np.diff(step, axis=1).max() < 0.1 and np.abs(np.diff(turn, axis=1)).max() < 4, "smoothly"


def test_consecutive_frames_differ_visibly():
    for size in (16, 40):
        video = Rooms(size).batch(np.arange(6), np.zeros(6), 96).video
        change = np.abs(np.diff(video, axis=1)).mean((2, 3, 4))
        assert change.min() > 2 / 255 and change.mean() > 0.05


def bare(walk, n, way):
    """Positions and headings on the path of walk n as it is before smoothing, `way` units along it."""
    laps, way = np.divmod(way, walk.length[n].sum())
    spot = np.tile(walk.start[n], (len(way), 1))
    quarter = walk.quarter[n] + laps * walk.turn[n].sum()
    begin = 0.0
    for step, length, turn in zip(walk.step[n], walk.length[n], walk.turn[n], strict=True):
        spot += step * np.clip(way - begin, 0, length)[:, None]
        quarter = quarter + turn * (way >= begin)
        begin += length
    return spot, quarter * np.pi / 2


@pytest.mark.parametrize("back", [0, 2])
def test_the_way_is_the_smoothed_path(back):
    """The closed form against a triangular window laid over the bare path by hand."""
    walk = house_and_walk(np.arange(5, dtype=np.uint64), (4, 8), back)[1]
    offset = (np.arange(4000) + 0.5) / 2000 - 1
    weight = (1 - np.abs(offset)) / (1 - np.abs(offset)).sum()
    for n in range(5):
        for share in (0.0, 0.11, 0.5, 0.97):
            position, heading = (got[n, 0] for got in walk.pose(np.full((5, 1), share)))
            way = share * walk.length[n].sum()
            np.testing.assert_allclose(position, weight @ bare(walk, n, way + 1.2 * offset)[0], atol=2e-3)
            wanted = weight @ bare(walk, n, way + 2.3 * offset)[1]
            assert np.cos(heading - wanted) == pytest.approx(1, abs=1e-6)
        assert walk.turn[n].sum() in (-4, 4) and (walk.step[n] * walk.length[n][:, None]).sum(0).tolist() == [0, 0]


def test_there_are_13_ways_round_and_every_house_is_one():
    assert [len(way) for way in cycles()] == [4] * 4 + [6] * 4 + [8] * 5
    assert len({frozenset(way) for way in cycles()}) == 13
    for loop, fewest, most in ((64, 4, 4), (96, 4, 6), (160, 6, 8)):
        world = Rooms(16, loop=loop)
        i, j = np.moveaxis(np.floor(walked(world, 200)[..., :2, 3]).astype(int), -1, 0)
        room = world.house(np.arange(200)).grid[np.arange(200)[:, None], i, j]
        counts = {len(set(row[row < DOORWAY])) for row in room}
        assert min(counts) == fewest and max(counts) == most
    house = world.house(np.arange(200))
    assert (np.sort(house.wall, -1) == np.arange(9)).all(), "each room has walls of its own colour"
    assert (np.sort(np.unique(house.grid)) == np.arange(11)).all()
    edge = np.concatenate([house.grid[:, [0, -1]].ravel(), house.grid[..., [0, -1]].ravel()])
    assert (edge == SOLID).all()
    assert (house.decor[house.grid >= DOORWAY] == 0).all() and house.decor.max() == 3 * len(LANDMARKS)
    assert len({row.tobytes() for row in house.grid}) > 190


def march(house, origin, direction):
    """How far a ray goes until it meets floor, ceiling, wall or pillar, in small steps, refined by bisection."""

    def free(t):
        x, y, z = origin + t * direction
        cell = house.grid[int(np.floor(x)), int(np.floor(y))] != SOLID
        pillars = np.linalg.norm(house.pillar[house.pillar_colour >= 0] - (x, y), axis=-1) > PILLAR_RADIUS
        return 0 < z < HEIGHT and cell and pillars.all()

    t = 0.0
    while free(t + 0.004):
        t += 0.004
    low, high = t, t + 0.004
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if free(middle) else (low, middle)
    return low


@pytest.mark.parametrize("size", [16, 33])
def test_depth_is_what_marching_along_the_ray_finds(size):
    world = Rooms(size)
    rng = np.random.default_rng(size)
    pillars = 0
    for seed in range(8):
        # of all frames that with the most of a pillar in sight
        most = (world.surfaces(world.poses(seed, np.arange(96)), seed) == PILLAR).sum((1, 2)).argmax()
        truth = world.clip(seed, most, 1).truth
        house = world.house(seed)
        at_pillar = np.argwhere(world.surfaces(truth.pose, seed)[0] == PILLAR)
        pillars += len(at_pillar)
        for row, column in (*rng.integers(0, size, (6, 2)), *rng.permutation(at_pillar)[:4]):
            ray = np.linalg.inv(truth.intrinsics[0]) @ (column + 0.5, row + 0.5, 1)
            # z forward is 1 along the ray, so that its parameter is the depth
            found = march(house, truth.pose[0, :3, 3], truth.pose[0, :3, :3] @ ray)
            assert truth.depth[0, row, column] == pytest.approx(found, abs=2e-5)
    assert pillars > 4


def test_points_seen_from_two_poses_lie_on_the_same_surface():
    """Every point that one frame shows, put into the next by pose, intrinsics and depth, is met there by the same
    surface: same code, same depth."""
    world = Rooms(64)
    truth = world.clip(4, 20, 6).truth
    code = world.surfaces(truth.pose, 4)
    assert set(np.unique(code)) <= set(range(9)) | {DOORWAY, PILLAR, FLOOR, CEILING}
    y, x = np.mgrid[:64, :64] + 0.5
    checked = 0
    for t in range(5):
        k = truth.intrinsics[t]
        rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(k).T
        points = (rays * truth.depth[t][..., None]) @ truth.pose[t, :3, :3].T + truth.pose[t, :3, 3]
        local = (points - truth.pose[t + 1, :3, 3]) @ truth.pose[t + 1, :3, :3]
        seen = local @ k.T
        column, row = (np.floor(seen[..., n] / seen[..., 2]).astype(int) for n in (0, 1))
        inside = (local[..., 2] > 0.1) & (column >= 1) & (column < 63) & (row >= 1) & (row < 63)
        column, row = column.clip(1, 62), row.clip(1, 62)
        # away from edges, where one pixel off is another surface
        around = [(row + a, column + b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
        plain = inside & np.all([code[t + 1][p] == code[t + 1][row, column] for p in around], 0)
        hidden = truth.depth[t + 1][row, column] < local[..., 2] * 0.93
        plain &= ~hidden
        assert (code[t][plain] == code[t + 1][row, column][plain]).mean() > 0.995
        nearby = np.stack([truth.depth[t + 1][p] for p in around])
        between = (nearby.min(0) <= local[..., 2] * 1.001) & (nearby.max(0) >= local[..., 2] * 0.999)
        assert between[plain].mean() > 0.99
        checked += plain.sum()
    assert checked > 5 * 2000


def test_walls_have_the_colour_of_their_room_and_pillars_their_own():
    world = Rooms(64)
    for seed in range(4):
        clip = world.clip(seed, 0, 48)
        code, house = world.surfaces(clip.truth.pose, seed), world.house(seed)
        direction = clip.video / np.linalg.norm(clip.video, axis=1, keepdims=True)
        for room in range(9):
            wanted = WALLS[house.wall[room]] / np.linalg.norm(WALLS[house.wall[room]])
            match = np.einsum("tchw,c->thw", direction, wanted)[code == room]
            if len(match) > 500:
                assert np.median(match) > 0.999, "whatever the light, the texture and what hangs there"


@pytest.mark.parametrize("size", [16, 17, 40, 64, 128])
def test_all_sizes_show_the_same(size):
    """Averaged down to 8 x 8 blocks, any size looks like the largest."""
    small, large = (Rooms(s).clip(3, 30, 6) for s in (size, 128))

    def shrunk(video):
        edges = np.arange(video.shape[-1] + 1) / video.shape[-1] * 8
        block = np.arange(8)[:, None]
        cover = (np.minimum(edges[1:], block + 1) - np.maximum(edges[:-1], block)).clip(0)
        cover /= cover.sum(1, keepdims=True)
        return cover @ video @ cover.T

    assert small.video.shape == (6, 3, size, size) and small.video.dtype == np.float32
    assert small.video.min() >= 0 and small.video.max() <= 1 and np.isfinite(small.video).all()
    assert np.abs(shrunk(small.video) - shrunk(large.video)).mean() < 0.003 + 0.2 / size
    assert (small.truth.pose == large.truth.pose).all() and (small.truth.room == large.truth.room).all()
    assert small.truth.depth.shape == (6, size, size) and small.truth.depth.dtype == np.float32
    middle = small.truth.depth[:, size // 2, size // 2]
    np.testing.assert_allclose(middle, large.truth.depth[:, 64, 64], rtol=0.4)


def test_render_draws_given_ways():
    world = Rooms(24)
    clip = world.batch([5, 6], [0, 40], 4)
    assert (world.render(clip.truth.pose, [5, 6]) == clip.video).all()
    assert (world.render(clip.truth.pose[0], 5) == clip.video[0]).all()
    assert (world.depths(clip.truth.pose, [5, 6]) == clip.truth.depth).all()
    # To stand still and look back shows what lies behind.
    turned = clip.truth.pose[0, :1].copy()
    turned[..., :3, [0, 2]] *= -1
    assert np.abs(world.render(turned, 5) - clip.video[0, :1]).mean() > 0.02


def test_poses_that_cannot_be():
    world = Rooms(16)
    pose = world.poses([1, 2], np.zeros((2, 3), int))
    for bad in (pose[0, 0], pose[..., :3, :], np.zeros((2, 3, 4, 5))):
        with pytest.raises(UserError, match=r"shape \(\.\.\., t, 4, 4\)"):
            world.render(bad, [1, 2])
    with pytest.raises(UserError, match=r"need seeds of the shape \(2,\)"):
        world.render(pose, [1, 2, 3])
    for change in ((0, 0, 0.5), (0, 2, np.nan), (2, 3, 0.3), (3, 3, 2), (1, 1, 0.2)):
        wrong = pose.copy()
        wrong[1, 2, change[0], change[1]] += change[2]
        with pytest.raises(UserError, match="frame 2 of video 1 is no pose"):
            world.render(wrong, [1, 2])
    mirrored = pose.copy()
    mirrored[..., :3, 0] *= -1
    with pytest.raises(UserError, match="right-handed"):
        world.render(mirrored, [1, 2])
    pillar = world.house(1).pillar[world.house(1).pillar_colour >= 0][0]
    for x, y in ((0.5, 0.5), (-4, 3), (3, 400), pillar):
        inside = pose[:1].copy()
        inside[0, 1, :2, 3] = x, y
        with pytest.raises(UserError, match="frame 1 of video 0 stands in a wall"):
            world.render(inside, [1])


def test_without_depth_the_video_is_the_same():
    with_depth, without = (Rooms(16, depth=depth).batch([1, 2], [0, 3], 5) for depth in (True, False))
    assert (with_depth.video == without.video).all()
    assert without.truth.depth.shape == (2, 5, 0, 0)


def test_seeds_give_different_houses_evenly():
    house = Rooms(16).house(np.arange(2000))
    for values, kinds in ((house.wall[:, 0], 9), (house.texture, 4), (house.floor, 6), (house.laid, 3)):
        counts = np.bincount(values.ravel(), minlength=kinds)
        assert len(counts) == kinds and counts.min() > 0.75 * values.size / kinds
    assert 0.5 < (house.pillar_colour >= 0).mean() < 0.6
    shown = house.decor[house.decor > 0]
    assert np.bincount(shown, minlength=25)[1:].min() > 0.8 * len(shown) / 24
    place = Rooms(16).place(np.arange(5000), np.zeros((5000, 1)))[:, 0]
    assert np.bincount(place, minlength=96).min() > 20
    assert (place == (uniform(np.arange(5000).astype(np.uint64), 22) * 96).astype(int)).all()


@pytest.mark.parametrize("options", [{"size": 15}, {"size": 129}, {"loop": 63}, {"loop": 161}, {"walk": "run"}])
def test_impossible_worlds(options):
    with pytest.raises(UserError, match="rooms world"):
        Rooms(**options)


def test_example_in_the_docstring():
    assert doctest.testmod(rooms).attempted and not doctest.testmod(rooms).failed
    assert rooms_map.cycles() is cycles()


def test_speed():
    """Well over 2,000 frames a second on one core by itself; a fifth of that on a busy machine still passes."""
    world = Rooms(32)
    world.batch([0], [0], 8)
    best = 0.0
    for _ in range(4):
        started = time.perf_counter()
        world.batch(np.arange(16), np.zeros(16), 16)
        best = max(best, 16 * 16 / (time.perf_counter() - started))
    assert best > 400, f"{best:.0f} frames a second"
