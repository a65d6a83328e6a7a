"""The stories world: its grammar, its truth, its pictures, and what it refuses."""

import doctest
import time
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiloframe.errors import UserError
from reproductions.worlds import stories
from reproductions.worlds import stories_art as art
from reproductions.worlds.base import EVALUATION_SEEDS
from reproductions.worlds.stories import ACTIONS, CHARACTERS, COLOURS, GROUND, PLACES, ROOM, Clip, Stories, Truth, parse

FIELDS = [f.name for f in fields(Truth)]


def same(a, b):
    return (a.video == b.video).all() and all((getattr(a.truth, f) == getattr(b.truth, f)).all() for f in FIELDS)


def piece(clip, part):
    return Clip(clip.video[part], Truth(*(getattr(clip.truth, f)[part] for f in FIELDS)))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**60),
    start=st.integers(0, 40_000),
    frames=st.integers(1, 40),
    cut=st.integers(0, 39),
    cast=st.integers(1, 5),
    scene_frames=st.integers(16, 50),
)
def test_a_clip_is_the_same_whichever_way_it_is_cut(seed, start, frames, cut, cast, scene_frames):
    world = Stories(scene_frames=scene_frames, cast=cast)
    whole = world.clip(seed, start, frames)
    cut = min(cut, frames - 1)
    assert same(piece(whole, slice(cut, None)), world.clip(seed, start + cut, frames - cut))
    assert same(piece(whole, slice(None, None, -1)), world.at(np.array(seed), np.arange(start, start + frames)[::-1]))
    assert same(piece(world.batch([seed + 1, seed], [start, start], frames), 1), whole)


STORED = {
    "scene": [[0, 0, 1, 31, 1125]] * 3,
    "moment": [[0, 31, 0, 8, 0]] * 3,
    "character": [[1, 1, 2, 2, 2], [1, 1, 0, 1, 0], [1, 1, 1, 1, 0]],
    "colour": [[2, 2, 5, 5, 5], [3, 3, 2, 3, 2], [3, 3, 3, 3, 2]],
    "place": [[4, 4, 0, 0, 0], [2, 2, 3, 1, 1], [4, 4, 0, 4, 0]],
    "action": [[5, 5, 4, 2, 4], [4, 4, 2, 1, 1], [1, 1, 5, 5, 5]],
    "night": [[0, 0, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]],
    "facing": [[0, 1, 1, 1, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]],
}


def test_the_integers_of_the_truth_are_what_they_have_always_been():
    truth = Stories().at([0, 7, EVALUATION_SEEDS], np.tile([0, 31, 32, 1000, 36_000], (3, 1))).truth
    for name, values in STORED.items():
        np.testing.assert_array_equal(getattr(truth, name), values, err_msg=name)


def test_a_script_says_what_the_truth_says_and_every_prompt_parses_back_to_it():
    world = Stories(scene_frames=20, cast=3)
    script = world.script(seed=11, scenes=40)
    truth = world.clip(11, 0, 800).truth
    captions = truth.captions()
    assert captions.shape == (800,)
    for n, scene in enumerate(script):
        assert (scene.start, scene.frames) == (20 * n, 20)
        assert (captions[scene.start : scene.start + scene.frames] == scene.caption).all()
        prompt, t = parse(scene.caption), scene.start
        assert prompt.character == CHARACTERS[truth.character[t]] and prompt.colour == COLOURS[truth.colour[t]]
        assert prompt.place == PLACES[truth.place[t]] and prompt.action == ACTIONS[truth.action[t]]
        assert prompt.night == truth.night[t] and prompt.caption == scene.caption
    assert Stories().batch([1, 2], [0, 5], 3).truth.captions().shape == (2, 3)


def test_everything_the_grammar_says_parses_back():
    texts = stories._sentences()
    assert texts.size == 5 * 6 * 5 * 6 * 2 == len(set(texts.ravel()))
    for index in np.ndindex(texts.shape):
        prompt = parse(str(texts[index]))
        c, k, p, a, n = index
        assert (prompt.character, prompt.colour, prompt.place) == (CHARACTERS[c], COLOURS[k], PLACES[p])
        assert (prompt.action, prompt.night) == (ACTIONS[a], bool(n))
    assert parse("The PINK fish flies at the sea") == parse("the pink fish flies at the sea.")


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("the orange dog walks in the forest.", "'dog' is not a known character; allowed: cat, robot"),
        ("the orange robbot walks in the forest.", "'robbot' is not a known character; nearest: robot"),
        ("the blue cat walks in the forest.", "'blue' is not a known colour"),
        ("the orange cat sleeps in the forest.", "'sleeps' is not a known action"),
        ("the orange cat walks in the kitchen.", "'kitchen' is not a known place"),
        ("an orange cat walks in the forest.", "'an' is not a word that may stand there; allowed: the"),
        (
            "the orange cat walks in the sea.",
            "'in' does not go with 'sea'; allowed: 'the orange cat walks at the sea.'",
        ),
        ("the orange cat walks in the forest at day.", "'day' is not a word that may stand there; allowed: night"),
        ("the orange cat walks in the forest at.", "it is not complete"),
        ("the orange cat walks", "it is not complete"),
        ("", "it is not complete"),
        ("the orange cat walks in the forest at night too.", "'too' stands after its end"),
        ("the cat orange walks in the forest.", "'cat' is not a known colour"),
    ],
)
def test_a_sentence_outside_the_grammar_is_refused_by_name(sentence, reason):
    with pytest.raises(UserError) as caught:
        parse(sentence)
    assert repr(sentence) in str(caught.value) and reason in str(caught.value)
    with pytest.raises(UserError, match="scene 2 of the script"):
        Stories().tell(["the pink cat waits in the snow.", sentence])


def test_a_story_can_be_told_from_given_prompts():
    world = Stories(scene_frames=24)
    script = ["the orange cat walks in the forest.", "the green robot flies in the city at night.",
              "the orange cat dances at the sea."]  # fmt: skip
    clip = world.tell(script, seed=3, frames=60)
    assert clip.video.shape == (60, 3, 16, 16) and clip.video.dtype == np.float32
    assert (clip.truth.captions() == np.repeat(script, 24)[:60]).all()
    assert same(world.tell(script, seed=3), world.tell([s.upper() for s in script], seed=3))
    assert same(piece(world.tell(script, seed=3), slice(0, 60)), clip)
    assert (world.tell(script, seed=4, frames=60).video != clip.video).any()


def test_telling_a_world_its_own_script_gives_the_same_video():
    world = Stories()
    script = [scene.caption for scene in world.script(8, 7)]
    assert same(world.tell(script, seed=8), world.clip(8, 0, 7 * 32))


def test_a_cast_keeps_its_colours_and_comes_back_and_every_cut_changes_the_place():
    for cast in (1, 2, 5):
        first_frames = np.tile(np.arange(0, 64 * 16, 16), (20, 1))
        truth = Stories(scene_frames=16, cast=cast).at(np.arange(20), first_frames).truth
        for n in range(20):
            pairs = set(zip(truth.character[n].tolist(), truth.colour[n].tolist(), strict=True))
            assert len(pairs) == cast == len({c for c, _ in pairs}) == len({k for _, k in pairs})
            members = Stories(scene_frames=16, cast=cast).members(n)
            assert pairs == {(CHARACTERS.index(c), COLOURS.index(k)) for k, c in members}
        place = truth.place
        assert (place[:, 1:] != place[:, :-1]).all()
        for start in range(0, 60, 5):
            assert (np.sort(place[:, start : start + 5], 1) == np.arange(5)).all(), "five scenes, five places"
    assert not Stories(night=False).batch(np.arange(9), np.zeros(9, int), 320).truth.night.any()


def test_all_words_come_up_equally_often():
    truth = Stories().batch(np.arange(3000), np.zeros(3000, int) + 320, 1).truth
    for name, kinds in (("character", 5), ("colour", 6), ("place", 5), ("action", 6)):
        counts = np.bincount(getattr(truth, name).ravel(), minlength=kinds)
        assert len(counts) == kinds and counts.min() > 0.8 * 3000 / kinds, name
    assert 0.25 < truth.night.mean() < 0.35


def positions(action, scene_frames=120, seed=1):
    return Stories(scene_frames=scene_frames).tell([f"the red cat {action} in the city."], seed).truth.position


def test_motion_is_what_the_words_say():
    for action, speed in (("walks", 0.5), ("runs", 1.0), ("flies", 0.75)):
        x = positions(action)[:, 1]
        step = np.abs(np.diff(x))
        straight = np.isclose(step, speed)
        assert straight.mean() > 0.85 and (step <= speed + 1e-9).all()
        assert x.min() >= 0 and x.max() <= ROOM and np.ptp(x) > ROOM - 2 * speed, "to and fro between the sides"
    assert (positions("walks")[:, 0] == GROUND).all() and (positions("waits")[:, 0] == GROUND).all()
    bob = positions("runs")[:, 0]
    assert np.isclose(bob.max(), GROUND) and np.isclose(bob.min(), GROUND - 1)
    jump = positions("jumps")
    assert np.ptp(jump[:, 1]) == 0 and np.isclose(jump[:, 0].min(), GROUND - 5) and np.isclose(jump[:, 0].max(), GROUND)
    bend = np.diff(jump[:, 0], 2)  # a parabola's second difference is constant: 2 * 20 / 10^2
    assert np.isclose(bend, 0.4).mean() > 0.8
    flight = positions("flies")[:, 0]
    assert flight.min() >= 0 and flight.max() + art.CELLS / 2 <= 8, "its middle stays in the upper half"
    assert np.allclose(flight[16:], flight[:-16]) and np.ptp(flight) > 3
    assert (np.ptp(positions("waits"), axis=0) == 0).all()
    dance = positions("dances")
    assert np.allclose(dance[12:], dance[:-12]) and np.isclose(np.ptp(dance[:, 1]), 3)
    for seed in range(30):
        for action in ACTIONS:
            at = positions(action, 40, seed)
            assert at.min() >= 0 and at[:, 1].max() <= ROOM and at[:, 0].max() <= GROUND


@pytest.mark.parametrize("size", [16, 17, 40])
def test_truth_lies_in_the_picture(size):
    """A character drawn with plain loops over the background is the frame."""
    world = Stories(size, scene_frames=16)
    script = ["the green bird jumps in the snow.", "the violet fish runs in the forest at night."]
    clip = world.tell(script, seed=2)
    assert clip.video.min() >= 0 and clip.video.max() <= 1
    cell = size / 32
    shift = [stories.uniform(np.array(2, np.uint64), 40 + PLACES.index(p)) for p in ("snow", "forest")]
    for t in (3, 21):
        truth = piece(clip, t).truth
        args = (np.array([float(t)]), np.array([shift[t // 16]]), np.array([truth.night]))
        frame = art.background(int(truth.place), *args, size)[0].astype(float)
        best = np.inf
        for pose in range(len(art.POSES)):
            stamp = art.sprites()[truth.character, pose, truth.facing, truth.colour]
            laid = np.zeros((4, size, size))
            for i in range(size):
                for j in range(size):
                    # cells k that overlap pixel i, by the length of the common interval
                    y0, x0 = (truth.position - cell) / cell
                    for k in range(max(0, int(i / cell - y0) - 1), min(18, int((i + 1) / cell - y0) + 2)):
                        down = min(i + 1, (y0 + k + 1) * cell) - max(i, (y0 + k) * cell)
                        for m in range(max(0, int(j / cell - x0) - 1), min(18, int((j + 1) / cell - x0) + 2)):
                            along = min(j + 1, (x0 + m + 1) * cell) - max(j, (x0 + m) * cell)
                            if down > 0 and along > 0:
                                laid[:, i, j] += down * along * stamp[:, k, m]
            best = min(best, np.abs(frame * (1 - laid[3]) + laid[:3] - clip.video[t]).max())
        assert best < 1e-4, "one of its poses stands where the truth says"


def test_coverage_shares_out_every_cell():
    cover = art.coverage(np.array([0.3, 2.75]), np.array([1.5, 0.4]), 4, 16)
    np.testing.assert_allclose(cover.sum(1), [[1.5] * 4, [0.4] * 4], atol=1e-6)
    assert cover[0, 0, 0] == np.float32(0.7) and np.isclose(cover[0, 1, 0], 0.8) and np.isclose(cover[0, 1, 1], 0.2)


def test_characters_can_be_told_apart_at_16_pixels_by_the_nearest_template():
    cover = art.coverage(np.array(0.5), np.array(0.5), 18, 10)
    table = cover @ art.sprites() @ cover.T  # (character, pose, facing, colour, 4, 10, 10)
    pictures = table[..., :3, :, :] + 0.45 * (1 - table[..., 3:, :, :])
    for k in range(len(COLOURS)):
        flat = pictures[:, :, :, k].reshape(len(CHARACTERS), 6, -1)
        for c in range(len(CHARACTERS)):
            for n in range(6):
                apart = np.linalg.norm(flat - flat[c, n], axis=2)
                apart[c, n] = np.inf
                assert apart.min(1).argmin() == c, f"{CHARACTERS[c]} in {COLOURS[k]}, drawing {n}"
    tints = np.linalg.norm(art.TINTS[:, None] - art.TINTS, axis=2) + 9 * np.eye(len(COLOURS))
    assert tints.min() > 0.35


def rows(place, night, moments, size=16):
    n = len(moments)
    picture = art.background(place, moments * 1.0, moments * 0.618 % 1, np.full(n, night), size)
    return picture.mean(3).reshape(n, -1)


def test_places_can_be_told_apart_at_16_pixels_by_the_nearest_template():
    kinds = [(p, n) for p in range(len(PLACES)) for n in (False, True)]
    templates = np.stack([rows(p, n, np.arange(0, 900, 9)).mean(0) for p, n in kinds])
    for k, (p, n) in enumerate(kinds):
        seen = rows(p, n, np.arange(5, 2000, 17))
        assert (np.linalg.norm(seen[:, None] - templates, axis=2).argmin(1) == k).all(), (PLACES[p], n)


@pytest.mark.parametrize("size", [16, 64])
@pytest.mark.parametrize("place", range(5))
def test_every_place_moves_in_every_frame_and_scales_with_the_frame(place, size):
    for night in (False, True):
        moments = np.arange(60.0)
        video = art.background(place, moments, np.full(60, 0.3), np.full(60, night), size)
        assert video.shape == (60, 3, size, size) and video.dtype == np.float32
        assert video.min() >= 0 and video.max() <= 1
        change = np.abs(np.diff(video, axis=0)).max((1, 2, 3))
        assert change.min() > 0.02, "no two frames in a row are alike"
    small = art.background(place, moments, np.full(60, 0.3), np.full(60, False), 16)
    pooled = art.background(place, moments, np.full(60, 0.3), np.full(60, False), 64)
    pooled = pooled.reshape(60, 3, 16, 4, 16, 4).mean((3, 5))
    assert np.abs(pooled - small).mean() < 0.03, "the same picture at any size"


def test_it_snows_and_corners_are_rounded():
    t = np.arange(20.0)
    video = art.background(PLACES.index("snow"), t, np.full(20, 0.3), np.full(20, False), 32)
    still = art.background(PLACES.index("snow"), t[:1] + 600, np.full(1, 0.3), np.full(1, False), 32)
    flakes = (video[:, 0, :8] > still[0, 0, :8].min(1)[:, None] + 0.2).sum((1, 2))
    assert flakes.max() > 0 and (np.abs(np.diff(video[:, :, :6], axis=0)).max((1, 2, 3)) > 0.1).mean() > 0.8
    # a corner of a square that touches the ground on two sides is cut by its half
    cells = np.array([[0, 0, 0], [0, 1, 1], [0, 1, 1]], np.uint32)
    rounded = [[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]]
    assert art._doubled(cells)[:4].tolist() == rounded


def test_every_frame_of_a_scene_differs_from_the_one_before_even_while_someone_waits():
    for place in PLACES:
        clip = Stories().tell([f"the red robot waits {'at' if place == 'sea' else 'in'} the {place}."])
        assert (np.abs(np.diff(clip.video, axis=0)).max((1, 2, 3)) > 0.05).all()


def test_a_place_is_the_same_place_when_the_story_comes_back_and_another_one_in_another_story():
    script = ["the red cat walks in the city.", "the red cat walks in the snow."] * 3
    a, b = Stories(64).tell(script, 1).video, Stories(64).tell(script, 2).video
    assert np.abs(a[0, :, :16] - a[64, :, :16]).mean() < 0.5 * np.abs(a[0, :, :16] - b[0, :, :16]).mean()


def test_blinking_breathing_and_facing():
    clip = Stories(64).tell(["the yellow ghost waits in the forest."] * 2)
    assert len(np.unique(clip.truth.facing[:32])) == 1
    white = (clip.video[:32] > 0.97).all(1).sum((1, 2))  # of its eyes: nothing in the forest is white
    closed = white == 0
    assert 2 <= closed.sum() <= 6 and white[~closed].min() > 10, "2 of 15 frames"
    walker = Stories(scene_frames=60).tell(["the yellow ghost walks in the forest."]).truth
    step = np.diff(walker.position[:, 1])
    away = np.abs(step) > 0.4
    assert ((step > 0) == (walker.facing[:-1] == 1))[away].all(), "it looks where it goes"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"size": 15}, "16 to 128 pixels"),
        ({"size": 129}, "16 to 128 pixels"),
        ({"scene_frames": 15}, "16 to 600 frames"),
        ({"scene_frames": 601}, "16 to 600 frames"),
        ({"cast": 0}, "cast of 1 to 5"),
        ({"cast": 6}, "cast of 1 to 5"),
    ],
)
def test_impossible_worlds(options, reason):
    with pytest.raises(UserError, match=f"stories world.*{reason}"):
        Stories(**options)


def test_impossible_requests():
    world = Stories()
    with pytest.raises(UserError, match="at least 1 sentence"):
        world.tell([])
    with pytest.raises(UserError, match="2 scenes of 32 frames make 1 to 64 frames, not 65"):
        world.tell(["the pink cat waits in the snow."] * 2, frames=65)
    with pytest.raises(UserError, match="not 0"):
        world.tell(["the pink cat waits in the snow."], frames=0)
    with pytest.raises(UserError, match="at least 1 scene"):
        world.script(0, 0)
    for ask in (lambda: world.script(-1, 1), lambda: world.members(-1), lambda: world.clip(-1, 0, 1)):
        with pytest.raises(UserError, match="seeds are whole numbers from 0"):
            ask()


def test_example_in_the_docstring():
    assert doctest.testmod(stories).attempted and not doctest.testmod(stories).failed


def test_speed():
    """Well over 5,000 frames a second on one core by itself; a busy machine may take five times as long."""
    world = Stories()
    world.batch([0], [0], 8)
    best = 0.0
    for _ in range(3):
        started = time.perf_counter()
        world.batch(np.arange(32), np.zeros(32, int), 64)
        best = max(best, 32 * 64 / (time.perf_counter() - started))
    assert best > 1000, f"{best:.0f} frames a second"
