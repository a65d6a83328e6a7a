"""`stories`: an endless story in scenes, one prompt per scene, told by a small cast that keeps its colours.

A scene is one character doing one thing in one place, for `scene_frames` frames; then there is a cut. Its prompt says
all of it, in this grammar (words as in `captions.WORDS`):

    <sentence>  ::= "the" <colour> <character> <action> <place> [ "at" "night" ] "."
    <colour>    ::= "red" | "orange" | "yellow" | "green" | "violet" | "pink"
    <character> ::= "cat" | "robot" | "ghost" | "fish" | "bird"
    <action>    ::= "walks" | "runs" | "jumps" | "flies" | "waits" | "dances"
    <place>     ::= "at" "the" "sea" | "in" "the" ( "forest" | "desert" | "city" | "snow" )

Everything about frame t of a story follows from its seed and t in closed form: frame t is frame t mod scene_frames of
scene t div scene_frames. Any five scenes 5 n to 5 n + 4 visit all five places, and a cut always changes the place.
Motion is measured in cells, sixteenths of the frame's side; `ACTIONS` says what each action does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from kiloframe.words import refuse
from reproductions.worlds import stories_art as art
from reproductions.worlds.base import Clip, World, uniform
from reproductions.worlds.stories_art import CHARACTERS, COLOURS, PLACES

__all__ = [
    "ACTIONS", "CHARACTERS", "COLOURS", "GRID", "GROUND", "MAX_SCENE_FRAMES", "MIN_SCENE_FRAMES", "PLACES", "ROOM",
    "Prompt", "Scene", "Stories", "Truth", "across", "heights", "parse",
]  # fmt: skip

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

GRID = 16
"""Cells along a frame's side: what follows about motion is in cells."""
ROOM = float(GRID - art.CELLS)
"""A character's left edge moves in [0, ROOM]."""
GROUND = 7.0
"""The top edge of a character that stands."""
MIN_SCENE_FRAMES, MAX_SCENE_FRAMES = 16, 600

ACTIONS = ("walks", "runs", "jumps", "flies", "waits", "dances")
SPEEDS = np.array([0.5, 1.0, 0.0, 0.75, 0.0, 0.0])
"""Cells per frame along the ground: a straight line, reflected at both sides of the frame."""
SWAY, SWAY_PERIOD = 1.5, 12
"""A dancer's left edge is a sine of this amplitude, in cells, and this period, in frames."""
BOB_FRAMES, JUMP_FRAMES, FLIGHT_FRAMES = 4, 10, 16
"""Frames that a runner's bob, a jump, and a wave of a flight take."""
BEATS = 240
"""All that repeats repeats after so many frames: a scene's clock starts anywhere in them."""

_PREPOSITIONS = ("at", "in", "in", "in", "in")
_STEPS = np.array([2, 2, 5, 2, 1, 3])  # frames that a pose lasts, by action
_BLOCK = len(PLACES)
# Streams of `uniform`: the cast first, then a stretch of them per scene and per block of five scenes.
_CAST, _SHIFT, _SCENE, _ORDER, _STRIDE = 0, 40, 1 << 20, 1 << 50, 16


@dataclass(frozen=True)
class Truth:
    """What is so in every frame; leading axes as the video's.

    scene: int from 0, the scene's number in the story; moment: int, frames since the scene began; character, colour,
    place, action: int, index into CHARACTERS, COLOURS, PLACES, ACTIONS; night: bool; position: float (..., 2), (y, x)
    of the top-left corner of the character's 8x8 cells in pixels; facing: int, 0 left, 1 right.
    """

    scene: Ints
    moment: Ints
    character: Ints
    colour: Ints
    place: Ints
    action: Ints
    night: NDArray[np.bool_]
    position: Floats
    facing: Ints

    def captions(self) -> NDArray[np.str_]:
        """The prompt of every frame's scene: an array of text, of the shape of `scene`."""
        parts = (self.character, self.colour, self.place, self.action, self.night)
        return np.asarray(_sentences()[tuple(np.asarray(part).astype(np.int64) for part in parts)])


@dataclass(frozen=True)
class Prompt:
    """What a sentence says; the words themselves."""

    character: str
    colour: str
    place: str
    action: str
    night: bool = False

    @property
    def caption(self) -> str:
        """The sentence, as `parse` reads it."""
        where = f"{_PREPOSITIONS[PLACES.index(self.place)]} the {self.place}"
        return f"the {self.colour} {self.character} {self.action} {where}{' at night' if self.night else ''}."


@dataclass(frozen=True)
class Scene:
    """A line of a script: from frame `start` on, for `frames` frames, the story is `caption`."""

    start: int
    frames: int
    caption: str


@lru_cache(maxsize=1)
def _sentences() -> NDArray[np.str_]:
    """All that the grammar can say, by character, colour, place, action and night."""
    axes = (CHARACTERS, COLOURS, PLACES, ACTIONS, (False, True))
    texts = [Prompt(*words).caption for words in product(*axes)]
    return np.array(texts).reshape([len(axis) for axis in axes])


def parse(sentence: str) -> Prompt:
    """What a sentence of the grammar says; upper case and a missing full stop are forgiven.

    Raises UserError for a sentence outside the grammar, naming it, the word, and what is allowed in its place.
    """
    words = re.findall(r"[.,]|[^\s.,]+", sentence.lower())
    if words[-1:] == ["."]:
        words = words[:-1]
    expected = (("the",), COLOURS, CHARACTERS, ACTIONS, ("at", "in"), ("the",), PLACES, ("at",), ("night",))
    here = "word that may stand there"
    kinds = (here, "known colour", "known character", "known action", here, here, "known place", here, here)
    for word, allowed, kind in zip(words, expected, kinds, strict=False):
        if word not in allowed:
            raise UserError(f"the sentence {sentence!r} does not parse: {refuse(word, kind, allowed)}")
    if len(words) not in (7, 9):
        wrong = f"{words[9]!r} stands after its end" if len(words) > 9 else "it is not complete"
        whole = Prompt("cat", "orange", "city", "waits", True).caption
        raise UserError(f"the sentence {sentence!r} does not parse: {wrong}; a whole one: {whole!r}")
    found = Prompt(words[2], words[1], words[6], words[3], len(words) == 9)
    if words[4] != _PREPOSITIONS[PLACES.index(found.place)]:
        raise UserError(
            f"the sentence {sentence!r} does not parse: {words[4]!r} does not go with {found.place!r}; "
            f"allowed: {found.caption!r}"
        )
    return found


def across(action: int, start: Ints, moment: Ints, beat: Ints) -> tuple[Floats, Ints]:
    """The left edge in cells, and the facing (1 right, 0 left), of an action; all arguments broadcast.

    start: whole cells from 0 to 15, along the way there and back; moment: frames since the scene began; beat: `moment`
    plus what the scene's clock, which all repeating motion follows, showed when it began.
    """
    if SPEEDS[action] > 0:
        u = (start + SPEEDS[action] * moment) % (2 * ROOM)
        return ROOM - np.abs(u - ROOM), (u < ROOM).astype(np.int64)
    shape = np.broadcast_shapes(start.shape, moment.shape, beat.shape)
    still = np.broadcast_to(ROOM - np.abs(start - ROOM), shape)
    if ACTIONS[action] == "dances":
        turn = beat / SWAY_PERIOD
        middle = np.clip(still, SWAY, ROOM - SWAY)  # all of the sway stays in the frame
        return middle + SWAY * np.sin(2 * np.pi * turn), ((turn + 0.25) % 1 < 0.5).astype(np.int64)
    return still, np.broadcast_to(start < ROOM, shape).astype(np.int64)


def heights(action: int, beat: Ints) -> Floats:
    """The top edge in cells, by the beat (see `across`)."""
    match ACTIONS[action]:
        case "runs":  # bobs, one cell high
            return GROUND - np.abs(np.sin(np.pi * beat / BOB_FRAMES))
        case "jumps":  # parabolas, 5 cells high
            f = beat / JUMP_FRAMES % 1
            return GROUND - 5 * 4 * f * (1 - f)
        case "flies":  # a sine in the upper half
            return 1.75 * (1 + np.sin(2 * np.pi * beat / FLIGHT_FRAMES))
        case "dances":  # hops half a cell at every end of the sway
            return GROUND - 0.5 * np.abs(np.sin(2 * np.pi * beat / SWAY_PERIOD))
    return np.full(beat.shape, GROUND)


class Stories(World[Truth]):
    """The world. `size`: pixels per side, 16 to 128; `scene_frames`: frames per scene, 16 to 600; `cast`: how many
    characters tell a story, 1 to 5, each with a colour of its own; `night`: whether some scenes (3 of 10) play at
    night.

    Raises UserError for a number out of range.

    Example:
        >>> world = Stories()
        >>> print(*(scene.caption for scene in world.script(seed=4, scenes=2)))
        the yellow bird jumps in the forest. the pink cat walks in the desert.
        >>> world.tell(["The orange cat waits in the city at night."], seed=0).video.shape
        (32, 3, 16, 16)
    """

    name = "stories"
    about = "a small cast in scenes with a prompt each: who does what where; everyone must come back in the old colour"

    def __init__(self, size: int = 16, scene_frames: int = 32, cast: int = 2, night: bool = True) -> None:
        super().__init__(size)
        if not MIN_SCENE_FRAMES <= scene_frames <= MAX_SCENE_FRAMES:
            raise UserError(
                f"a scene of the stories world has {MIN_SCENE_FRAMES} to {MAX_SCENE_FRAMES} frames, not {scene_frames}"
            )
        if not 1 <= cast <= len(CHARACTERS):
            raise UserError(f"the stories world has a cast of 1 to {len(CHARACTERS)}, not {cast}")
        self.scene_frames, self.cast, self.night = scene_frames, cast, night

    def script(self, seed: int, scenes: int) -> tuple[Scene, ...]:
        """The first scenes of the story `seed`, with their prompts. Raises UserError below 1 scene."""
        if scenes < 1:
            raise UserError(f"a script has at least 1 scene, not {scenes}")
        seeds, number = _seed(seed), np.arange(scenes)
        captions = self._truth(seeds, number * self.scene_frames, self._plot(seeds, number)).captions()
        return tuple(Scene(n * self.scene_frames, self.scene_frames, str(text)) for n, text in enumerate(captions))

    def tell(self, script: Sequence[str], seed: int = 0, frames: int | None = None) -> Clip[Truth]:
        """A story by a given script, a sentence per scene: (t, 3, h, w), and its truth.

        frames: default all scenes in full; the last may be cut short. `seed` chooses what the script leaves open:
        where the characters begin, which way they face, and the scenery.
        Raises UserError for an empty script, a sentence outside the grammar, and more frames than the scenes fill.
        """
        prompts = []
        for n, sentence in enumerate(script, 1):
            try:
                prompts.append(parse(sentence))
            except UserError as error:
                raise UserError(f"scene {n} of the script: {error}") from None
        whole = len(prompts) * self.scene_frames
        frames = whole if frames is None else frames
        if not prompts:
            raise UserError("a story needs at least 1 sentence")
        if not 1 <= frames <= whole:
            raise UserError(
                f"{len(prompts)} scenes of {self.scene_frames} frames make 1 to {whole} frames, not {frames}"
            )
        t = np.arange(frames)
        number = t // self.scene_frames
        plot = np.array(
            [
                (CHARACTERS.index(p.character), COLOURS.index(p.colour), PLACES.index(p.place), ACTIONS.index(p.action), p.night)  # noqa: E501
                for p in prompts
            ]
        )[number]  # fmt: skip
        seeds = _seed(seed)
        truth = self._truth(seeds, t, tuple(plot.T))
        return Clip(self._draw(seeds, t, truth), truth)

    def _render(self, seeds: NDArray[np.uint64], t: Ints) -> Clip[Truth]:
        truth = self._truth(seeds, t, self._plot(seeds, t // self.scene_frames))
        return Clip(self._draw(seeds, t, truth), truth)

    def members(self, seed: int) -> tuple[tuple[str, str], ...]:
        """The cast of the story `seed`: (colour, character) of each."""
        characters, colours = self._members(_seed(seed))
        return tuple((COLOURS[k], CHARACTERS[c]) for c, k in zip(characters, colours, strict=True))

    def _members(self, seeds: NDArray[np.uint64]) -> tuple[Ints, Ints]:
        characters = uniform(seeds[..., None], _CAST + np.arange(len(CHARACTERS))).argsort(-1)
        colours = uniform(seeds[..., None], _CAST + 16 + np.arange(len(COLOURS))).argsort(-1)
        return characters[..., : self.cast], colours[..., : self.cast]

    def _plot(self, seeds: NDArray[np.uint64], scene: Ints) -> tuple[Ints, ...]:
        """Character, colour, place, action and night of the scenes (..., t) of the stories `seeds` (...)."""
        draw = [uniform(seeds[..., None], _SCENE + scene * _STRIDE + n) for n in range(3)]
        who = (draw[0] * self.cast).astype(np.int64)
        characters, colours = self._members(seeds)
        action = (draw[1] * len(ACTIONS)).astype(np.int64)
        night = ((draw[2] < 0.3) & self.night).astype(np.int64)
        # Five scenes visit the five places in random order. Where such a round would begin in the place in which the
        # last one ended, its first two places are exchanged; its end stays, so the round before can be known alone.
        block, within = scene // _BLOCK, scene % _BLOCK
        order, before = self._order(seeds, block), self._order(seeds, block - 1)
        again = (block > 0) & (order[..., 0] == before[..., -1])
        within = np.where(again & (within < 2), 1 - within, within)
        place = np.take_along_axis(order, within[..., None], -1)[..., 0]
        return np.take_along_axis(characters, who, -1), np.take_along_axis(colours, who, -1), place, action, night

    def _order(self, seeds: NDArray[np.uint64], block: Ints) -> Ints:
        streams = _ORDER + block[..., None] * _STRIDE + np.arange(_BLOCK)
        return uniform(seeds[..., None, None], streams).argsort(-1)

    def _truth(self, seeds: NDArray[np.uint64], t: Ints, plot: tuple[Ints, ...]) -> Truth:
        scene, moment = t // self.scene_frames, t % self.scene_frames
        character, colour, place, action, night = plot
        start = (self._chance(seeds, scene, 3) * 2 * ROOM).astype(np.int64)
        beat = self._beat(seeds, scene, moment)
        x, facing = np.empty(t.shape), np.empty(t.shape, np.int64)
        y = np.empty(t.shape)
        for n in range(len(ACTIONS)):
            where = action == n
            x[where], facing[where] = across(n, start[where], moment[where], beat[where])
            y[where] = heights(n, beat[where])
        position = np.stack([y, x], -1) * (self.size / GRID)
        return Truth(scene, moment, character, colour, place, action, night.astype(bool), position, facing)

    def _chance(self, seeds: NDArray[np.uint64], scene: Ints, number: int) -> Floats:
        return uniform(seeds[..., None], _SCENE + scene * _STRIDE + number)

    def _beat(self, seeds: NDArray[np.uint64], scene: Ints, moment: Ints) -> Ints:
        return moment + (self._chance(seeds, scene, 4) * BEATS).astype(np.int64)

    def _draw(self, seeds: NDArray[np.uint64], t: Ints, truth: Truth) -> NDArray[np.float32]:
        flat = Truth(
            *(getattr(truth, f.name).reshape(-1, *getattr(truth, f.name).shape[t.ndim :]) for f in fields(truth))
        )
        shift = uniform(seeds[..., None], _SHIFT + truth.place).ravel()  # a place is the same place when it comes back
        time = t.ravel().astype(np.float64)
        video = np.empty((t.size, 3, self.size, self.size), np.float32)
        for place in range(len(PLACES)):
            where = np.flatnonzero(flat.place == place)
            if len(where):
                video[where] = art.background(place, time[where], shift[where], flat.night[where], self.size)
        pose, stretch = _gesture(flat.action, self._beat(seeds, truth.scene, truth.moment).ravel())
        stamp = art.sprites()[flat.character, pose, flat.facing, flat.colour]
        cell = self.size / GRID / art.FINE
        tall = cell * stretch
        feet = flat.position[:, 0] + art.CELLS * art.FINE * cell  # stretching leaves the feet where they are
        rows = art.coverage(feet - (art.CELLS * art.FINE + art.MARGIN) * tall, tall, stamp.shape[-2], self.size)
        left = flat.position[:, 1] - art.MARGIN * cell
        columns = art.coverage(left, np.full_like(left, cell), stamp.shape[-1], self.size)
        laid = rows[:, None] @ stamp @ np.swapaxes(columns, 1, 2)[:, None]
        video *= 1 - laid[:, 3:]
        video += laid[:, :3]
        return np.clip(video, 0, 1, out=video).reshape(*t.shape, 3, self.size, self.size)


def _seed(seed: int) -> NDArray[np.uint64]:
    if seed < 0:
        raise UserError("a world's seeds are whole numbers from 0; a negative one was asked for")
    return np.array(seed, np.uint64)


def _gesture(action: Ints, beat: Ints) -> tuple[Ints, Floats]:
    """The pose (index into stories_art.POSES) and how many times as tall as usual a character is."""
    waits, dances = action == ACTIONS.index("waits"), action == ACTIONS.index("dances")
    step = beat // _STEPS[action] % 2
    blinks = beat % 15 < 2
    breath = 0.06 * np.sin(2 * np.pi * beat / SWAY_PERIOD)
    nod = -0.08 * np.abs(np.cos(2 * np.pi * beat / SWAY_PERIOD))
    return np.where(waits, 2 * blinks, step), 1 + np.select([waits, dances], [breath, nod])


WORLD = Stories
