"""Exact measures of stories: the reader against the truth, each measure on made-up videos, and the baselines' order."""

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from kiloframe.errors import UserError
from reproductions.measures import baselines
from reproductions.measures import stories as measure
from reproductions.measures.exact import exact, quantities
from reproductions.measures.stories import QUANTITIES, WINDOW, cast_kept, cuts_on_time, per_frame, read_motion
from reproductions.measures.stories_reader import Reading, read_stories
from reproductions.worlds import stories_art as art
from reproductions.worlds.base import EVALUATION_SEEDS
from reproductions.worlds.stories import ACTIONS, PLACES, ROOM, Prompt, Stories, Truth

IDS = [q.id for q in QUANTITIES]
FRAMES = 192


@pytest.fixture(scope="module")
def clip():
    return Stories().batch(EVALUATION_SEEDS + np.arange(8), np.zeros(8, int), FRAMES)


@pytest.fixture(scope="module")
def scores(clip):
    """The mean of every measure for the real video and the baselines, the frames after the context alone."""
    given = 16
    videos = {
        "real": clip.video,
        "freeze": baselines.freeze(clip.video[:, :given], FRAMES),
        "repeat": baselines.repeat(clip.video[:, :40], FRAMES),
        "shuffle": baselines.shuffle(clip.video),
        "noise": baselines.noise(clip.video[:, :given], FRAMES),
    }
    found = {}
    for name, video in videos.items():
        values = exact(Stories(), video, clip.truth)
        assert list(values) == IDS
        assert all(v.shape == (8, FRAMES) and v.dtype == np.float64 for v in values.values())
        # after 40 frames every baseline is on its own; NaN where none of them says anything
        late = {k: v[:, 40:] for k, v in values.items()}
        found[name] = {k: np.nanmean(v) if np.isfinite(v).any() else np.nan for k, v in late.items()}
    return found


def told(script, size=16, seed=0, scene_frames=32):
    """A told story with an axis in front, as the measures take it."""
    world = Stories(size, scene_frames=scene_frames)
    clip = world.tell(script, seed)
    truth = Truth(*(getattr(clip.truth, f.name)[None] for f in fields(Truth)))
    return world, clip.video[None], truth


@pytest.mark.parametrize("size", [16, 24, 40, 64])
def test_the_reader_reads_real_frames_without_fault(size):
    clip = Stories(size).batch(EVALUATION_SEEDS + 50 + np.arange(12), np.arange(12) * 9, 16 * 96 // size)
    reading = read_stories(clip.video)
    assert reading.visible.all() and not reading.second.any()
    for name in ("character", "colour", "place", "night"):
        assert (getattr(reading, name) == getattr(clip.truth, name)).all(), name
    apart = np.abs(reading.position - clip.truth.position * 16 / size)
    assert apart.mean() < 0.15 and apart.max() < 0.7


def test_every_character_is_read_in_every_colour_and_place_by_day_and_night():
    for n, character in enumerate(art.CHARACTERS):
        for k, colour in enumerate(art.COLOURS):
            script = [
                Prompt(character, colour, place, ACTIONS[(n + k + p) % 6], night).caption
                for p, place in enumerate(PLACES)
                for night in (False, True)
            ]
            _, video, truth = told(script, scene_frames=16, seed=n)
            reading = read_stories(video[:, ::5])
            for name in ("character", "colour", "place", "night"):
                assert (getattr(reading, name) == getattr(truth, name)[:, ::5]).all(), (name, character, colour)


def test_the_reader_bears_noise_and_blur_and_sees_nothing_in_pure_noise(clip):
    rng = np.random.default_rng(0)
    video = clip.video[:, ::8]
    noisy = np.clip(video + rng.normal(0, 0.05, video.shape), 0, 1).astype(np.float32)
    blurred = gaussian_filter(video, (0, 0, 0, 0.5, 0.5))
    for other, least in ((noisy, 0.99), (blurred, 0.95)):
        reading = read_stories(other)
        for name in ("character", "colour", "place"):
            share = (getattr(reading, name) == getattr(clip.truth, name)[:, ::8]).mean()
            assert share > least, name
    nothing = read_stories(rng.uniform(size=(2, 40, 3, 16, 16)).astype(np.float32))
    assert not nothing.visible.any() and not nothing.second.any() and (nothing.place == -1).all()


def test_an_empty_place_holds_nobody():
    t = np.arange(60.0)
    for place in range(len(PLACES)):
        for night in (False, True):
            reading = read_stories(art.background(place, t * 7, t * 0.618 % 1, np.full(60, night), 16))
            assert not reading.visible.any() and (reading.place == place).all() and (reading.night == night).all()


def test_a_wall_of_a_tint_is_nobody():
    plain = np.broadcast_to(art.TINTS[:, :, None, None], (len(art.TINTS), 3, 16, 16))
    assert not read_stories(plain).visible.any()


def test_two_characters_at_once_are_seen():
    """The right half of one picture beside the left half of another."""
    world, video, truth = told(["the red ghost runs in the forest."], scene_frames=16)
    left = truth.position[0, :, 1]
    assert left.min() == 0 and left.max() == ROOM
    a, b = video[0, left.argmin()].copy(), video[0, left.argmax()]
    a[:, :, 8:] = b[:, :, 8:]
    assert read_stories(a[None]).second.all() and not read_stories(video[0]).second.any()
    video[0, 3] = a
    assert np.flatnonzero(per_frame(video, truth, world)["invented"][0]).tolist() == [3]


def test_the_real_video_is_beyond_reproach(scores):
    for name, least in (("lawful", 0.95), ("prompt", 1), ("action", 0.99), ("cast", 1), ("cuts", 1)):
        assert scores["real"][name] >= least, name
    for name in ("character", "colour", "place", "night"):
        assert scores["real"][name] == 1
    assert scores["real"]["lost"] == scores["real"]["invented"] == 0
    assert scores["real"]["path_error"] < 0.2


@pytest.mark.parametrize("baseline", ["freeze", "repeat", "shuffle", "noise"])
def test_the_baselines_are_clearly_worse(scores, baseline):
    real, fake = scores["real"], scores[baseline]
    for name in ("prompt", "place", "cuts", "action", "cast"):
        assert fake[name] < 0.5 * real[name] or np.isnan(fake[name]), name
    for name in ("character", "night"):
        assert fake[name] < 0.85 * real[name] or np.isnan(fake[name]), name
    if baseline == "noise":
        assert fake["lost"] == 1 and fake["character"] == fake["cast"] == 0
        assert np.isnan(fake["lawful"]) and np.isnan(fake["path_error"]) and np.isnan(fake["colour"])
    else:
        assert fake["lawful"] < 0.6 * real["lawful"] and fake["path_error"] > 5 * real["path_error"]
        assert fake["lost"] == 0 and fake["colour"] < 0.9


def test_a_shuffled_video_moves_like_nothing(scores):
    assert scores["shuffle"]["action"] < 0.05 and scores["shuffle"]["lawful"] < 0.1


def test_shuffling_inside_a_scene_keeps_the_prompt_and_loses_the_action():
    world, video, truth = told(["the orange cat runs in the forest."], scene_frames=64)
    values = per_frame(baselines.shuffle(video), truth, world)
    assert values["prompt"].mean() == 1 and values["action"].mean() == 0


def test_another_action_colour_place_or_night_is_told_from_the_prompt():
    true = "the orange cat walks in the forest."
    wrong = {
        "action": "the orange cat runs in the forest.",
        "colour": "the pink cat walks in the forest.",
        "place": "the orange cat walks in the city.",
        "night": "the orange cat walks in the forest at night.",
        "character": "the orange fish walks in the forest.",
    }
    world, _, truth = told([true])
    for name, sentence in wrong.items():
        values = per_frame(told([sentence])[1], truth, world)
        for other in wrong:
            assert np.nanmean(values[other]) == (other != name), (name, other)
        assert values["prompt"].mean() == (name == "action")
        assert values["invented"].mean() == (name in ("colour", "character"))


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_is_recognised_whatever_its_beginning(action):
    for seed in range(6):
        world, video, truth = told([f"the green robot {action} in the snow."], seed=seed)
        values = per_frame(video, truth, world)
        assert values["action"].mean() == 1 and np.nanmean(values["lawful"]) > 0.85
        assert np.isnan(values["lawful"][:, 0]).all() and np.isfinite(values["lawful"][:, 1:]).all()


def reading_of(truth, **changes):
    """What a faultless reader would read."""
    kind = {f.name: getattr(truth, f.name) for f in fields(Truth)}
    read = Reading(
        visible=np.ones(truth.scene.shape, bool),
        match=np.ones(truth.scene.shape),
        second=np.zeros(truth.scene.shape, bool),
        **{name: kind[name] for name in ("character", "colour", "position", "place", "night")},
    )
    return replace(read, **changes)


def test_who_comes_back_in_another_colour_is_not_kept():
    cat, fish = "the orange cat walks in the forest.", "the green fish waits in the city."
    script = [cat, fish, fish, cat, fish, cat]
    world, video, truth = told(script, scene_frames=16)
    _, recoloured, _ = told([cat, fish, fish, cat.replace("orange", "red"), fish, cat], scene_frames=16)
    due = np.repeat([False, False, False, True, True, True], 16)
    values = per_frame(video, truth, world)["cast"][0]
    assert (values[due] == 1).all() and np.isnan(values[~due]).all()
    values = per_frame(recoloured, truth, world)["cast"][0]
    assert (values[48:64] == 0).all() and (values[64:] == 1).all() and np.isnan(values[:48]).all()
    # A video with a colour of its own is consistent as long as it stays with it.
    _, red, _ = told([s.replace("orange", "red") for s in script], scene_frames=16)
    values = per_frame(red, truth, world)
    assert np.nanmean(values["cast"]) == 1 and values["colour"].mean() == 0.5


def test_who_never_left_cannot_come_back():
    _, _, truth = told(["the orange cat walks in the forest.", "the green fish waits in the city."] * 2)
    always = reading_of(truth, character=np.zeros_like(truth.character), colour=np.full_like(truth.colour, 1))
    assert np.nanmean(cast_kept(always, truth)) == 0
    gone = replace(always, visible=(np.arange(128)[None] < 32) | (np.arange(128)[None] >= 50))
    kept = cast_kept(gone, truth)[0]
    assert (kept[64:96] == 1).all(), "in sight in 14 of 32 frames is away"


def test_who_was_never_seen_cannot_come_back():
    _, _, truth = told(["the orange cat walks in the forest.", "the green fish waits in the city."] * 2)
    reading = reading_of(truth)
    gone = replace(reading, visible=np.arange(128)[None] >= 32)
    kept = cast_kept(gone, truth)[0]
    assert (kept[64:96] == 0).all() and (kept[96:] == 1).all()


@pytest.mark.parametrize(("late", "score"), [(0, 1), (2, 1), (-2, 1), (3, 0), (-3, 0)])
def test_a_change_of_scene_may_be_two_frames_late(late, score):
    _, _, truth = told(["the orange cat walks in the forest.", "the orange cat walks in the city."])
    place = np.where(np.arange(64) < 32 + late, truth.place[0, 0], truth.place[0, -1])[None]
    found = cuts_on_time(reading_of(truth, place=place), truth)[0]
    assert found[32] == score
    assert np.isfinite(found).sum() == (1 if score else 2) and np.nanmean(found) == score


def test_changes_that_are_not_due_count_against_a_video():
    _, _, truth = told(["the orange cat walks in the forest.", "the orange cat walks in the city."])
    place = truth.place.copy()
    place[0, 10] = 2  # there and back: two changes
    found = cuts_on_time(reading_of(truth, place=place), truth)[0]
    assert np.nanmean(found) == pytest.approx(1 / 3) and found[10] == found[11] == 0 and found[32] == 1
    # Two scenes that differ by the action alone: no change is due.
    _, _, truth = told(["the orange cat walks in the forest.", "the orange cat runs in the forest."])
    assert np.isnan(cuts_on_time(reading_of(truth), truth)).all()


def test_the_nearest_law_is_that_of_a_search_by_hand():
    """Brute force: every law of every action, moved freely where it may be, frame by frame."""
    rng = np.random.default_rng(1)
    laws = measure._laws()
    for action in range(len(ACTIONS)):
        path = rng.normal(3, 2, (3, WINDOW, 2))
        weight = (rng.random((3, WINDOW)) < 0.7).astype(float)
        for axis in (0, 1):
            bank, free = laws[action][axis]
            square, law = measure._fit(path[..., axis], weight, bank, free)
            for n in range(3):
                seen = weight[n] > 0
                best = np.inf
                for b in bank:
                    shift = (path[n, seen, axis] - b[seen]).mean() if free else 0
                    error = ((path[n, seen, axis] - b[seen] - shift) ** 2).mean()
                    if error < best:
                        best, nearest = error, b + shift
                assert square[n] == pytest.approx(best) and law[n] == pytest.approx(nearest)


def test_the_laws_hold_every_path_of_the_world():
    """With a faultless reading every path is on a law exactly, and no other action fits."""
    for seed in range(10):
        for a, action in enumerate(ACTIONS):
            _, _, truth = told([f"the red cat {action} in the city."], seed=seed)
            motion = read_motion(reading_of(truth), truth)
            assert (motion.action == a).all() and motion.judged.all()
            assert np.nanmax(motion.path_error) < 1e-9 and np.nanmin(motion.lawful) == 1


def test_a_jump_out_of_place_is_one_unlawful_step():
    _, _, truth = told(["the red cat walks in the city."], scene_frames=64)
    position = truth.position.copy()
    position[0, 30, 1] += 2
    motion = read_motion(reading_of(truth, position=position), truth)
    assert set(np.flatnonzero(motion.lawful[0] == 0)) == {30, 31}
    assert motion.path_error[0].argmax() == 30 and motion.path_error[0, 30] > 1.5


def test_few_frames_are_not_judged_and_windows_never_leave_their_scene():
    world = Stories(scene_frames=32)
    clip = world.batch([1, 2], [28, 0], 40)  # four frames of a scene, then a whole one, then four more
    motion = read_motion(reading_of(clip.truth), clip.truth)
    assert motion.judged[0].tolist() == [False] * 4 + [True] * 32 + [False] * 4
    assert (motion.action[motion.judged] == clip.truth.action[motion.judged]).all()
    assert np.flatnonzero(np.isfinite(motion.lawful[0])).tolist() == list(range(5, 36)), "no step across a cut"
    blink = reading_of(clip.truth, visible=np.arange(40)[None] != np.array([[20], [20]]))
    steps = read_motion(blink, clip.truth).lawful[0]
    assert np.isnan(steps[20:22]).all() and np.isfinite(steps[[19, 22]]).all()
    hidden = reading_of(clip.truth, visible=np.zeros((2, 40), bool))
    motion = read_motion(hidden, clip.truth)
    assert (motion.action == -1).all() and np.isnan(motion.path_error).all() and np.isnan(motion.lawful).all()


def test_other_shapes_are_refused(clip):
    with pytest.raises(UserError, match="n, n"):
        read_stories(np.zeros((2, 3, 16, 20), np.float32))
    with pytest.raises(UserError, match="n, n"):
        read_stories(np.zeros((2, 1, 16, 16), np.float32))
    for video in (clip.video[:, :10], clip.video[:4], np.zeros((8, FRAMES, 3, 32, 32), np.float32), clip.video[0]):
        with pytest.raises(UserError, match=f"8, {FRAMES}, 3, 16, 16"):
            per_frame(video, clip.truth, Stories())


def test_the_quantities_are_described():
    assert quantities("stories") == QUANTITIES and len(set(IDS)) == len(IDS)
    for q in QUANTITIES:
        assert q.about.endswith(".") and q.unit in ("share", "cells") and q.name[0].isupper()
        assert (q.better == "lower") == (q.id in ("path_error", "lost", "invented"))
