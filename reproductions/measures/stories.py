"""Exact measures for the `stories` world: does the video show what the prompts say, with the same cast, on time?

`stories_reader` reads place, character, colour and position from the pixels of every frame. What a character does is
judged from its path over a window of up to 16 frames of the scene, by the law of motion that fits best among all that
the six actions allow, whatever their beginnings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.measures.check import clips
from reproductions.measures.exact import Quantity
from reproductions.measures.stories_reader import Reading, read_stories
from reproductions.worlds import stories as story
from reproductions.worlds.stories import ACTIONS, CHARACTERS, COLOURS, Stories, Truth

__all__ = [
    "FIT", "LATE", "QUANTITIES", "STEP_TOLERANCE", "WINDOW", "Motion", "cast_kept", "cuts_on_time", "per_frame",
    "read_motion",
]  # fmt: skip

WINDOW = 16
"""Frames over which an action is judged; fewer where the scene is cut short."""
FIT = 0.6
"""Cells (root mean square) by which a path may miss the law of an action and still be that action."""
STEP_TOLERANCE = 0.45
"""Cells, on either axis, by which a lawful step may miss: the reader's grid is a quarter of a cell. Less than half a
cell, the step of one who walks."""
LATE = 2
"""Frames by which a change of scene may come too early or too late."""
_ENOUGH = 6  # frames with a character in sight that it takes to judge a motion

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

QUANTITIES: tuple[Quantity, ...] = (
    Quantity(
        "prompt", "Prompt obeyed", "share", "higher",
        "Share of frames that show the prompt's character in its colour, in its place, by day or by night as it "
        "says; a frozen or shuffled video earns the frames that happen to be like what was due.",
    ),
    Quantity("character", "Character as told", "share", "higher", "Share of frames that show the prompt's character."),
    Quantity(
        "colour", "Colour as told", "share", "higher",
        "Share of frames with a character in sight whose colour is the prompt's; NaN where none is in sight.",
    ),
    Quantity("place", "Place as told", "share", "higher", "Share of frames that show the prompt's place."),
    Quantity(
        "night", "Day or night as told", "share", "higher",
        "Share of frames that are by day or by night as the prompt says; NaN where no place can be read. Most scenes "
        "are by day, so a video that never sees a night earns most of it.",
    ),
    Quantity(
        "action", "Action as told", "share", "higher",
        "Share of frames around which (16 frames of the scene) the character moves by the law of the prompt's action "
        "better than by any other's; NaN with fewer than 6 frames of the scene; a frozen video is credited with "
        "every scene in which someone waits.",
    ),
    Quantity(
        "path_error", "Path error", "cells", "lower",
        "Distance, in sixteenths of the frame's side, between the character and the nearest motion that its action "
        "allows, fitted over 16 frames of the scene; NaN where no character is in sight.",
    ),
    Quantity(
        "lawful", "Lawful steps", "share", "higher",
        "Share of steps within a scene that are those of the nearest motion which the prompt's action allows; NaN "
        "unless a character is in sight before and after; standing still is lawful for one who waits.",
    ),
    Quantity(
        "cast", "Comes back unchanged", "share", "higher",
        "Of the frames of scenes to which a character returns after scenes without it: the share that show it in the "
        "colour which it had in this video when it was first due, having been out of sight meanwhile; NaN elsewhere.",
    ),
    Quantity(
        "cuts", "Scene changes on time", "share", "higher",
        "Of the changes of scene that are due and those that are seen (place, night, character or colour change): "
        "the share that are both, within 2 frames; NaN in all other frames. It says nothing of what is seen.",
    ),
    Quantity("lost", "Characters lost", "share", "lower", "Share of frames without any character in sight."),
    Quantity(
        "invented", "Characters invented", "share", "lower",
        "Share of frames with a second character, or with one that no scene of this clip tells of (kind and colour).",
    ),
)  # fmt: skip


def per_frame(video: NDArray[np.float32], truth: Truth, world: Stories) -> dict[str, Floats]:
    """Every quantity of QUANTITIES, by id: (b, t) float64. See `exact.exact`.

    truth: of `Stories.batch`, or of `Stories.tell` with an axis in front. Raises UserError as `check.clips`, and for
    a video whose frames are not of the world's size or whose length is not the truth's.
    """
    if video.ndim != 5 or video.shape[-1] != world.size or video.shape[:2] != truth.scene.shape:
        wanted = (*truth.scene.shape, 3, world.size, world.size)
        raise UserError(f"a video of this world and truth is {wanted}, not {tuple(video.shape)}")
    clips(video, "the video", (0, 1))
    reading = read_stories(video)
    motion = read_motion(reading, truth)
    seen = reading.visible
    character = seen & (reading.character == truth.character)
    colour = seen & (reading.colour == truth.colour)
    place, night = reading.place == truth.place, reading.night == truth.night
    kind = reading.character * len(COLOURS) + reading.colour
    told = truth.character * len(COLOURS) + truth.colour
    strange = ~(told[:, :, None] == np.arange(len(CHARACTERS) * len(COLOURS))).any(1)  # (b, kinds)
    invented = reading.second | (seen & np.take_along_axis(strange, kind, 1))
    return {
        "prompt": (character & colour & place & night).astype(np.float64),
        "character": character.astype(np.float64),
        "colour": np.where(seen, colour, np.nan),
        "place": place.astype(np.float64),
        "night": np.where(reading.place >= 0, night, np.nan),
        "action": np.where(motion.judged, motion.action == truth.action, np.nan),
        "path_error": motion.path_error,
        "lawful": motion.lawful,
        "cast": cast_kept(reading, truth),
        "cuts": cuts_on_time(reading, truth),
        "lost": (~seen).astype(np.float64),
        "invented": invented.astype(np.float64),
    }


def cast_kept(reading: Reading, truth: Truth) -> Floats:
    """Per frame (b, t): 1 if a character that is due again is in sight in its old colour, else 0; NaN if none is due.

    Due again is the character of a scene that was told of before in this clip, with another one's scene in between.
    Its old colour is the one in which it was seen most often in the first run of scenes about it, in this video,
    right or wrong. A character that was not seen then, or that was in sight in half or more of the frames since the
    scene before this one that told of it, does not come back: it never came, or never left.
    """
    score = np.full(truth.scene.shape, np.nan)
    for b in range(len(score)):
        for c in np.unique(truth.character[b]):
            told = truth.character[b] == c
            shown = reading.visible[b] & (reading.character[b] == c)
            runs = np.flatnonzero(np.diff(told, prepend=False, append=False)).reshape(-1, 2)  # from, up to
            counts = np.bincount(reading.colour[b, slice(*runs[0])][shown[slice(*runs[0])]], minlength=len(COLOURS))
            for (_, left), (start, end) in pairwise(runs):
                came, away = counts.max() > 0, shown[left:start].mean() < 0.5
                right = shown[start:end] & (reading.colour[b, start:end] == counts.argmax())
                score[b, start:end] = right & came & away
    return score


def cuts_on_time(reading: Reading, truth: Truth) -> Floats:
    """Per frame (b, t): 1 for a due change of scene that is seen within LATE frames, 0 for one that is not, 0 for a
    change that is seen but not due; NaN elsewhere, so that the mean is a share of all changes, due or seen.

    A change is seen at t where place, night, character or colour are read otherwise than at t - 1.
    """
    due = _changes(truth.character, truth.colour, truth.place, truth.night)
    near = _spread(due)
    seen = _changes(
        np.where(reading.visible, reading.character, -1),
        np.where(reading.visible, reading.colour, -1),
        reading.place,
        reading.night & (reading.place >= 0),
    )
    return np.where(due, _spread(seen), np.where(seen & ~near, 0.0, np.nan))


def _changes(*values: NDArray[np.generic]) -> Bools:
    first = np.zeros((len(values[0]), 1), bool)
    return np.concatenate([first, np.any([value[:, 1:] != value[:, :-1] for value in values], axis=0)], 1)


def _spread(marks: Bools) -> Bools:
    """Where a mark lies at most LATE frames away."""
    padded = np.pad(marks, ((0, 0), (LATE, LATE)))
    return np.any([padded[:, n : n + marks.shape[1]] for n in range(2 * LATE + 1)], axis=0)


@dataclass(frozen=True)
class Motion:
    """What was read from the paths, per frame (b, t).

    judged: bool, false where the scene has fewer than 6 frames in the clip; action: index into ACTIONS of the law that
    fits the window around the frame best, -1 for none; path_error: cells between the character and the nearest
    motion of the prompt's action, NaN where none is in sight or can be fitted; lawful: 1 or 0 for the step from the
    frame before, NaN for the first frame of a scene and unless a character is in sight in both.
    """

    judged: Bools
    action: NDArray[np.int64]
    path_error: Floats
    lawful: Floats


def read_motion(reading: Reading, truth: Truth) -> Motion:
    """What the character does in each window, and how near its path comes to what the prompt's action allows.

    A law is a path across (straight with reflections, still, swaying) and one in height (ground, bob, parabola, sine),
    each with its own phase; the fit is the least mean square over phases, and over the place of who stays on the spot.
    """
    t = np.arange(truth.scene.shape[1])
    same = truth.scene[:, 1:] == truth.scene[:, :-1]
    first = np.maximum.accumulate(np.where(np.pad(~same, ((0, 0), (1, 0)), constant_values=True), t, 0), 1)
    ends = np.where(np.pad(~same, ((0, 0), (0, 1)), constant_values=True), t, len(t))
    last = np.minimum.accumulate(ends[:, ::-1], 1)[:, ::-1]
    begin = np.maximum(np.minimum(t - WINDOW // 2, last - WINDOW + 1), first)
    index = begin[..., None] + np.arange(WINDOW)  # (b, t, window)
    inside = index <= last[..., None]
    index = np.minimum(index, len(t) - 1)
    row = np.arange(len(begin))[:, None, None]
    seen = inside & reading.visible[row, index]
    path = reading.position[row, index]  # (b, t, window, 2)
    weight = seen.reshape(-1, WINDOW).astype(np.float64)
    error = np.empty((len(ACTIONS), len(weight)))
    laws = np.empty((len(ACTIONS), len(weight), WINDOW, 2))
    for a, banks in enumerate(_laws()):
        parts = [_fit(path[..., axis].reshape(-1, WINDOW), weight, *banks[axis]) for axis in (0, 1)]
        error[a] = np.sqrt(parts[0][0] + parts[1][0])
        laws[a] = np.stack([parts[0][1], parts[1][1]], -1)
    enough = (weight.sum(1) >= _ENOUGH).reshape(begin.shape)
    action = np.where(error.min(0) <= FIT, error.argmin(0), -1).reshape(begin.shape)
    law = laws[truth.action.ravel(), np.arange(len(weight))].reshape(path.shape)
    here = np.take_along_axis(law, (t - begin)[..., None, None], 2)[:, :, 0]
    apart = np.where(reading.visible & enough, np.linalg.norm(reading.position - here, axis=-1), np.nan)
    before = np.take_along_axis(law, np.maximum(t - begin - 1, 0)[..., None, None], 2)[:, :, 0]
    step = np.diff(reading.position, axis=1, prepend=reading.position[:, :1])
    right = (np.abs(step - (here - before)) <= STEP_TOLERANCE).all(-1)
    both = reading.visible & np.pad(reading.visible[:, :-1] & same, ((0, 0), (1, 0)))
    judged = inside.sum(2) >= _ENOUGH
    return Motion(judged, np.where(enough, action, -1), apart, np.where(both & enough, right, np.nan))


def _fit(path: Floats, weight: Floats, bank: Floats, free: bool) -> tuple[Floats, Floats]:
    """The least mean square (n,) between paths (n, w), where weight (n, w) is 1, and a bank of laws (p, w); and the
    law that comes nearest (n, w). free: a law may be moved as a whole.
    """
    count = np.maximum(weight.sum(1, keepdims=True), 1)
    mean, level = (weight * path).sum(1, keepdims=True) / count, weight @ bank.T / count
    # mean of (x - b)^2 = mean of x^2 - 2 mean of x b + mean of b^2; a free law takes over the mean of x - b
    square = (weight * path**2).sum(1, keepdims=True) / count - 2 * (weight * path) @ bank.T / count
    square = square + weight @ (bank**2).T / count
    shift = mean - level if free else np.zeros_like(level)
    square = np.maximum(square - shift**2, 0)
    best = square.argmin(1)
    here = np.arange(len(path))
    return square[here, best], bank[best] + shift[here, best][:, None]


@lru_cache(maxsize=1)
def _laws() -> tuple[tuple[tuple[Floats, bool], tuple[Floats, bool]], ...]:
    """Per action the laws of height and of the way across: a bank of paths (p, 16) each, and whether it is free."""
    moment = np.arange(WINDOW)
    banks = []
    for a, name in enumerate(ACTIONS):
        if story.SPEEDS[a] > 0:  # where it starts along its way there and back, in quarters of a cell
            starts = np.arange(0, 2 * story.ROOM, 0.25)[:, None]
            u = (starts + story.SPEEDS[a] * moment) % (2 * story.ROOM)
            x = story.ROOM - np.abs(u - story.ROOM)
        elif name == "dances":
            x = story.SWAY * np.sin(2 * np.pi * (np.arange(story.SWAY_PERIOD)[:, None] + moment) / story.SWAY_PERIOD)
        else:
            x = np.zeros((1, WINDOW))
        beats = np.arange(story.FLIGHT_FRAMES)[:, None] + moment  # the longest period of all heights
        banks.append(((story.heights(a, beats), False), (x, story.SPEEDS[a] == 0)))
    return tuple(banks)
