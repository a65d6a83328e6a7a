"""What all data sets share: items cut from files, clips in time, and the account of what could not be used.

A data set lists its items when it is opened (the lists are read strictly, a malformed line is an error) and looks into
the files only when a clip is drawn. A file that turns out broken, empty, without a picture or of the wrong length is
passed over and counted; `report()` tells which and why.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from kiloframe.words import fold, refuse
from reproductions.loaders.frames import Frames, VideoFrames
from reproductions.video_pixels import to_floats
from reproductions.worlds.base import FPS, Clip

__all__ = ["Dataset", "Item", "Listing", "Number", "Report", "Skip", "Text", "Whole"]

Text = str | NDArray[np.str_]
Whole = int | NDArray[np.int64]
Number = float | NDArray[np.float64]
"""The fields of a truth: one value for a clip, an array (b,) for a batch."""

CACHE_BYTES = 256 * 2**20
"""Small frames that a data set keeps in memory, so that training does not decode the same file again and again."""

_ROUNDING = 1e-3  # seconds
_PATIENCE = 100  # damaged clips before a batch is given up

Truth = TypeVar("Truth")


@dataclass(frozen=True)
class Item(Generic[Truth]):
    """One stretch of video: frames `first` to `last` (exclusive; None: the end) of a file or a folder of frames.

    fps: the rate of its frames where the data set knows better than the file, None to ask the file;
    count: how many frames the file must hold where the data set says so; place: where in the file, for record files.
    """

    path: Path
    truth: Truth
    first: int = 0
    last: int | None = None
    fps: float | None = None
    count: int | None = None
    place: int = 0


class _File(NamedTuple):
    """What is known of a file that was looked into: its frames, how many make a second, and their times."""

    frames: int
    fps: float | None
    times: NDArray[np.float64] | None


@dataclass(frozen=True)
class Skip:
    """Something that was passed over: its path within the data set, and why in a few words."""

    path: str
    reason: str


@dataclass(frozen=True)
class Listing(Generic[Truth]):
    """What a data set found when it was opened. found: video files (or folders of frames) seen on disk;
    unlisted: those among them that the split's list does not name."""

    items: list[Item[Truth]]
    found: int
    unlisted: int
    skipped: list[Skip]


@dataclass(frozen=True)
class Report:
    """What became of the files. `listed` = items that can be asked for + `skipped` when opened; `checked` of them were
    looked into so far, and `unusable` turned out so. str() gives it as text."""

    name: str
    split: str
    found: int
    listed: int
    unlisted: int
    checked: int
    skipped: tuple[Skip, ...]
    unusable: tuple[Skip, ...]

    def __str__(self) -> str:
        lines = [
            f"{self.name}, split {self.split}: {self.listed} listed, {self.found} found on disk, "
            f"{self.unlisted} not in the list; {self.checked} looked into, "
            f"{len(self.skipped) + len(self.unusable)} passed over"
        ]
        everything = [*self.skipped, *self.unusable]
        for reason, count in Counter(skip.reason for skip in everything).most_common():
            example = next(skip.path for skip in everything if skip.reason == reason)
            lines.append(f"  {count} x {reason}, for example {example}")
        return "\n".join(lines)


class Dataset(ABC, Generic[Truth]):
    """Base of every data set. Raises UserError for a folder in another layout, a malformed list, an unknown split.

    folder: what `layout` is relative to; split: one of `splits`, by default the first; size: frames come as squares of
    so many pixels, cut from the middle and reduced; fps: frames per second of the clips, taken from the file's nearest
    earlier frame. A data set whose frames have no known rate (`timed` is false) gives every frame, whatever `fps`.
    """

    slug: ClassVar[str]
    name: ClassVar[str]
    layout: ClassVar[tuple[str, ...]]
    splits: ClassVar[tuple[str, ...]]
    timed: ClassVar[bool] = True

    def __init__(self, folder: str | Path, split: str | None = None, size: int = 16, fps: float = FPS) -> None:
        self.folder = Path(folder)
        if not 8 <= size <= 1024:
            raise UserError(f"a data set gives frames of 8 to 1024 pixels, not {size}")
        if not 0 < fps <= 120:
            raise UserError(f"a data set gives more than 0 and at most 120 frames per second, not {fps}")
        known = {fold(word): word for word in self.splits}
        if split is not None and fold(split) not in known:
            raise refuse(split, f"split of {self.slug}", self.splits)
        self.split = self.splits[0] if split is None else known[fold(split)]
        self.size, self.fps = size, float(fps)
        if not self.folder.is_dir():
            raise self.absent("there is no such folder")
        listing = self._list()
        self._items, self._found, self._unlisted = listing.items, listing.found, listing.unlisted
        self._skipped = tuple(listing.skipped)
        self._files: dict[tuple[Path, int], _File | str] = {}
        self._shown: dict[int, NDArray[np.int64] | str] = {}  # which frames of its file an item shows, or why none
        self._damaged: dict[int, str] = {}
        self._cache: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        if not self._items:
            raise UserError(f"{self.folder} holds nothing that can be used; {self.report()}".replace("\n ", ";"))

    @abstractmethod
    def _list(self) -> Listing[Truth]:
        """What there is of this split."""

    def __len__(self) -> int:
        """How many items can be asked for: those the split lists and the disk holds."""
        return len(self._items)

    def path(self, index: int) -> Path:
        """The file (or folder of frames) that an item comes from."""
        return self._items[self._checked(index)].path

    def contents(self) -> Iterator[str]:
        """What clips are drawn from, for a fingerprint: a line per item with its file, frames and the file's bytes."""
        for item in self._items:
            files = sorted(item.path.iterdir()) if item.path.is_dir() else [item.path]
            size = sum(file.stat().st_size for file in files)
            yield f"{self.within(item.path)} {item.first} {item.last} {item.fps} {item.place} {size}"

    def truth(self, index: int) -> Truth:
        """What the data set says of an item."""
        return self._items[self._checked(index)].truth

    def length(self, index: int) -> int:
        """How many frames an item has at the data set's `fps`. Raises UserError where its file cannot be used."""
        return len(self._usable(index))

    def clip(self, index: int, start: int, frames: int) -> Clip[Truth]:
        """Frames `start` to `start + frames` of an item, counted at `fps`: video (t, 3, size, size) float32 in [0, 1].

        Raises UserError for an item, a start or a length that is not there, and for a file that cannot be used.
        """
        if frames < 1:
            raise UserError(f"a clip has at least 1 frame, not {frames}")
        shown = self._usable(index)
        if start < 0 or start + frames > len(shown):
            raise UserError(
                f"item {index} of {self.name} ({self._items[index].path.name}) has {len(shown)} frames"
                f"{self._pace()}; frames {start} to {start + frames} were asked for"
            )
        pixels = self._read(index, shown, start, frames)
        return Clip(to_floats(pixels), self._truth(index, shown[start : start + frames]))

    def batch(self, indices: Iterable[int], starts: Iterable[int], frames: int) -> Clip[Truth]:
        """As many clips as indices and starts: video (b, t, 3, size, size), every field of the truth (b, ...)."""
        clips = [self.clip(int(i), int(s), frames) for i, s in zip(indices, starts, strict=True)]
        return _together(clips)

    def draw(self, rng: np.random.Generator, batch: int, frames: int) -> Clip[Truth]:
        """A batch at random: any item that is long enough, at any place in it. Follows from `rng` and the files alone.

        Items that cannot be used, or are too short, are passed over. Raises UserError when none is left.
        """
        passed: set[int] = set()
        clips: list[Clip[Truth]] = []
        failures = 0
        while len(clips) < batch:
            # Two numbers a try, whatever is known of the item by now: a resumed run draws as an uninterrupted one.
            index, place = int(rng.integers(len(self))), rng.random()
            shown = self._look(index)
            if isinstance(shown, str) or len(shown) < frames:
                passed.add(index)
                if len(passed) == len(self):
                    raise UserError(self._nothing_long_enough(frames))
                continue
            try:
                clips.append(self.clip(index, int(place * (len(shown) - frames + 1)), frames))
            except UserError:  # damage inside the file, which only decoding shows
                failures += 1
                if failures == _PATIENCE:
                    raise
        return _together(clips)

    def clips(self, rng: np.random.Generator, batch: int, frames: int) -> NDArray[np.float32]:
        """The video alone of `draw`: (b, t, 3, size, size) float32 in [0, 1]."""
        return self.draw(rng, batch, frames).video

    def report(self, check: bool = False) -> Report:
        """What was found, listed and passed over so far; `check=True` first looks into every file."""
        if check:
            for index in range(len(self)):
                self._look(index)
        bad = self._damaged | {i: why for i, why in self._shown.items() if isinstance(why, str)}
        return Report(
            name=self.name,
            split=self.split,
            found=self._found,
            listed=len(self._items) + len(self._skipped),
            unlisted=self._unlisted,
            checked=len(self._shown),
            skipped=self._skipped,
            unusable=tuple(Skip(self.within(self._items[i].path), bad[i]) for i in sorted(bad)),
        )

    # --- for the data sets ----------------------------------------------------------------------------------------

    def absent(self, what: str) -> UserError:
        """The error for a folder in another layout: what is missing, and what is expected."""
        return UserError(
            f"there is no {self.name} in {self.folder}: {what}; expected in that folder: {', '.join(self.layout)}"
        )

    def need(self, relative: str, *, folder: bool = False) -> Path:
        """A file (or folder) that the layout promises. Raises UserError where it is missing."""
        path = self.folder / relative
        if not (path.is_dir() if folder else path.is_file()):
            raise self.absent(f"{relative} is missing")
        return path

    def _open(self, item: Item[Truth]) -> Frames:
        """The frames of an item's file. Raises UserError for a file that cannot be used."""
        return VideoFrames(item.path, self.size)

    def _truth(self, index: int, native: NDArray[np.int64]) -> Truth:
        """The truth of a clip that consists of these frames of the file; the item's, where it is one for all frames."""
        return self._items[index].truth

    # --- inner parts ----------------------------------------------------------------------------------------------

    def _checked(self, index: int) -> int:
        if not 0 <= index < len(self._items):
            raise UserError(f"{self.name}, split {self.split}, has the items 0 to {len(self) - 1}, not {index}")
        return index

    def _usable(self, index: int) -> NDArray[np.int64]:
        shown = self._look(self._checked(index))
        if isinstance(shown, str):
            raise UserError(f"{self._items[index].path} cannot be used: {shown}")
        return shown

    def _look(self, index: int) -> NDArray[np.int64] | str:
        """Which frames of its file an item shows, or why it cannot be used. Looks into each file once."""
        if index not in self._shown:
            item = self._items[index]
            key = (item.path, item.place)
            if key not in self._files:
                try:
                    frames = self._open(item)
                    self._files[key] = _File(frames.count, frames.fps, None if item.fps else frames.times())
                except UserError as error:
                    self._files[key] = str(error).replace(str(item.path), "the file")
            self._shown[index] = self._frames_of(item, self._files[key])
        return self._shown[index]

    def _frames_of(self, item: Item[Truth], file: _File | str) -> NDArray[np.int64] | str:
        if isinstance(file, str):
            return file
        if item.count is not None and file.frames != item.count:
            return f"{file.frames} frames where the data set says {item.count}"
        last = file.frames if item.last is None else item.last
        if last > file.frames or last <= item.first:
            return f"the frames {item.first + 1} to {last} are listed, and the file has {file.frames}"
        rate = item.fps or file.fps
        if not self.timed:
            return np.arange(item.first, last)
        if not rate:
            return "the file does not say how many of its frames make a second"
        known = file.times
        times = np.arange(item.first, last) / rate if known is None else known[item.first : last]
        # Frame k shows the last frame of the file that begins at or before k / fps seconds (files round their times).
        k = np.arange(math.ceil((times[-1] - times[0] + 1 / rate - _ROUNDING) * self.fps))
        return item.first + np.searchsorted(times - times[0], k / self.fps + _ROUNDING, "right") - 1

    def _pace(self) -> str:
        return f" at {self.fps:g} a second" if self.timed else ""

    def _read(self, index: int, shown: NDArray[np.int64], start: int, frames: int) -> NDArray[np.uint8]:
        """Frames uint8 (t, size, size, 3); of a short item all are kept in memory, for the next clip of it."""
        item = self._items[index]
        if index in self._cache:
            self._cache.move_to_end(index)
            return self._cache[index][start : start + frames]
        keep = len(shown) * self.size * self.size * 3 <= CACHE_BYTES // 8
        try:
            pixels = self._open(item).read(shown if keep else shown[start : start + frames])
        except UserError as error:
            reason = str(error).replace(str(item.path), "the file")
            self._damaged[index] = reason
            if keep:  # of a long item other parts may be sound
                self._shown[index] = reason
            raise UserError(f"{item.path} cannot be used: {reason}") from None
        if not keep:
            return pixels
        self._cache[index] = pixels
        while sum(kept.nbytes for kept in self._cache.values()) > CACHE_BYTES:
            self._cache.popitem(last=False)
        return pixels[start : start + frames]

    def _nothing_long_enough(self, frames: int) -> str:
        lengths = [len(shown) for shown in self._shown.values() if not isinstance(shown, str)]
        if not lengths:
            return f"nothing in {self.folder} can be used; {self.report()}".replace("\n ", ";")
        return (
            f"nothing in {self.folder} is long enough: a clip of {frames} frames was asked for, and the longest has "
            f"{max(lengths)}{self._pace()}"
        )

    def within(self, path: Path) -> str:
        """A path relative to the data set's folder, with forward slashes."""
        return path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else path.as_posix()


def _together(clips: Sequence[Clip[Any]]) -> Clip[Any]:
    """Clips as one batch; the fields of their truths become columns, lists of any length (captions) object arrays."""
    if not clips:
        raise UserError("a batch has at least 1 clip")
    columns: dict[str, Any] = {}
    for field in dataclasses.fields(clips[0].truth):
        values = [getattr(clip.truth, field.name) for clip in clips]
        if isinstance(values[0], tuple):
            columns[field.name] = np.empty(len(values), object)
            columns[field.name][:] = values
        else:
            columns[field.name] = np.array(values)
    return Clip(np.stack([clip.video for clip in clips]), type(clips[0].truth)(**columns))
