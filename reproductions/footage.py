"""Many video files as one supply of clips, and video files as a world. Imports no torch.

Files that cannot be used are left out and counted, never the end of a run: `Footage.skipped`, `Footage.summary()`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.video_pixels import to_floats
from reproductions.video_reader import VideoReader, check_rate, frame_size
from reproductions.worlds.base import Clip, uniform

__all__ = ["MEMORY", "VIDEO_SUFFIXES", "Drawn", "Footage", "RealVideo", "Skipped", "Span", "video_files"]

MEMORY = 1 << 30
"""How many bytes of decoded frames a Footage keeps, if it is not told otherwise."""

_ENDINGS = "mp4 m4v mov webm mkv avi mpg mpeg ts m2ts flv wmv 3gp ogv gif webp"
VIDEO_SUFFIXES = tuple(f".{ending}" for ending in _ENDINGS.split())
"""Endings of the files that are taken from a folder; a file named by itself may have any."""


class Span(NamedTuple):
    """Part of a file: its frames from `start` to `stop`, in order of presentation, stop not included; None: the end."""

    path: Path
    start: int = 0
    stop: int | None = None


class Skipped(NamedTuple):
    """A file that is not used, and why, in one sentence."""

    path: Path
    reason: str


class Drawn(NamedTuple):
    """Clips drawn: video float32 (b, t, 3, h, w) in [0, 1]; number of the span (b,) and first frame there (b,)."""

    video: NDArray[np.float32]
    spans: NDArray[np.int64]
    starts: NDArray[np.int64]


def video_files(folder: str | Path) -> list[Path]:
    """The video files in a folder and the folders in it, by their endings, in order of their paths.

    Raises UserError for a folder that is missing, is a file, or holds none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder" if folder.exists() else f"there is no folder {folder}")
    found = sorted(file for file in folder.rglob("*") if file.suffix.lower() in VIDEO_SUFFIXES and file.is_file())
    if not found:
        raise UserError(f"the folder {folder} holds no video files (endings {', '.join(VIDEO_SUFFIXES)})")
    return found


class Footage:
    """Clips out of many video files (or one), at one size and frame rate.

    paths: a video file, a folder (its video files, also in folders below), or several files and `Span`s.
    size, crop, fps: as VideoReader takes them. frames: the fewest frames a span must have, after the change of frame
    rate; shorter ones are skipped. memory: bytes of decoded frames to keep, at the size given; those not used for the
    longest time go first, and a span too long to be kept is read by seeking instead.

    Nothing is decoded before it is needed. A span whose file is missing, damaged, cut short, audio only, without
    frames, too short, or of changing size is skipped: noted once in `skipped` and drawn no more. Only when none is
    left does drawing raise UserError.

    Raises UserError for a missing or empty folder, no paths, and bad options.
    """

    def __init__(
        self,
        paths: str | Path | Iterable[str | Path | Span],
        size: int | tuple[int, int] = 16,
        fps: float | None = 10,
        frames: int = 1,
        *,
        crop: str | None = "centre",
        memory: int = MEMORY,
    ) -> None:
        if isinstance(paths, str | Path):
            path = Path(paths)
            paths = [path] if path.is_file() else video_files(path)
        self.spans = tuple(path if isinstance(path, Span) else Span(Path(path)) for path in paths)
        """What clips are drawn from, in the order given; skipped ones keep their places."""
        if not self.spans:
            raise UserError("footage needs at least one video file")
        if frames < 1:
            raise UserError(f"a clip has at least 1 frame, not {frames}")
        frame_size(size)
        if fps is not None:
            check_rate(fps)
        self.size, self.fps, self.frames, self.crop, self.memory = size, fps, frames, crop, memory
        self._skipped: dict[int, Skipped] = {}
        self._lengths: dict[int, int] = {}
        self._kept: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        self._long: dict[int, VideoReader] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self.spans)

    @property
    def skipped(self) -> list[Skipped]:
        """The files that turned out not to be usable so far, each with its reason, in the order of `spans`."""
        return [self._skipped[number] for number in sorted(self._skipped)]

    def length(self, span: int) -> int:
        """Frames of a span at the wanted frame rate; 0 for one that is skipped. Decodes it the first time."""
        if span not in self._lengths and span not in self._skipped:
            self._load(span)
        return self._lengths.get(span, 0)

    def check(self) -> str:
        """Decode every file that was not yet, and return `summary()`. Raises UserError if none can be used."""
        if not sum(self.length(span) for span in range(len(self))):
            raise UserError(self._none_left())
        return self.summary()

    def summary(self) -> str:
        """One sentence: how many of the files seen so far can be used, and why others cannot."""
        text = f"{len(self._lengths)} of {len(self)} videos read"
        if self._skipped:
            text += f", {len(self._skipped)} skipped: {self._reasons()}"
        return text

    def clip(self, span: int, start: int, frames: int) -> NDArray[np.float32]:
        """Frames `start` to `start + frames` of a span: float32 (t, 3, h, w) in [0, 1].

        Raises UserError for a skipped span, with its reason, and beyond the end.
        """
        length = self.length(span)
        if span in self._skipped:
            raise UserError(self._skipped[span].reason)
        if frames < 1 or start < 0 or start + frames > length:
            raise UserError(
                f"{self.spans[span].path} has {length} frames as read here; "
                f"{frames} from frame {start} on were asked for"
            )
        if span not in self._kept and span not in self._long:
            self._load(span)
        if span in self._long:
            try:
                return to_floats(self._long[span].clip(start, frames))
            except UserError as error:
                self._skip(span, str(error))
        if span in self._skipped:  # it could be read once, and now it cannot
            raise UserError(self._skipped[span].reason)
        self._kept.move_to_end(span)
        return to_floats(self._kept[span][start : start + frames])

    def draw(self, rng: np.random.Generator, batch: int, frames: int) -> Drawn:
        """`batch` clips of `frames` frames: each from a span drawn evenly, starting anywhere in it with equal chance.

        The same generator state gives the same clips, whatever was read or skipped before. Raises UserError when no
        span is usable and long enough.
        """
        if batch < 1 or frames < 1:
            raise UserError(f"batch and frames are whole numbers from 1, not {batch} and {frames}")
        videos: list[NDArray[np.float32]] = []
        spans: list[int] = []
        starts: list[int] = []
        short: set[int] = set()
        while len(videos) < batch:
            span = int(rng.integers(len(self)))
            length = self.length(span)
            if length < frames:
                short.add(span)
                if len(short) == len(self):
                    raise UserError(f"no video has {frames} frames; {self.summary()}")
                continue
            start = int(rng.integers(length - frames + 1))
            try:
                videos.append(self.clip(span, start, frames))
            except UserError:
                if span in self._skipped:
                    continue
                raise
            spans.append(span)
            starts.append(start)
        return Drawn(np.stack(videos), np.array(spans), np.array(starts))

    def clips(self, rng: np.random.Generator, batch: int, frames: int) -> NDArray[np.float32]:
        """The video of `draw`: float32 (b, t, 3, h, w) in [0, 1]."""
        return self.draw(rng, batch, frames).video

    def _load(self, span: int) -> None:
        """Decode a span into memory, or find it too long for that, or unusable."""
        path, start, stop = self.spans[span]
        try:
            reader = VideoReader(path, self.size, self.crop, self.fps, start, stop)
            parts, count = [], 0
            for chunk in reader:
                count += len(chunk)
                parts.append(chunk)
                if count * chunk[0].nbytes > self.memory:
                    parts.clear()  # too long to keep; only the count is still of interest
            if count < self.frames:
                raise UserError(f"{path} has {count} frames as read here, fewer than {self.frames}")
            if count != self._lengths.get(span, count):
                raise UserError(
                    f"{path} was changed on the way: it had {self._lengths[span]} frames and now has {count}"
                )
        except UserError as error:
            self._skip(span, str(error))
            return
        self._lengths[span] = count
        if count * chunk[0].nbytes > self.memory:
            self._long[span] = reader
            return
        self._kept[span] = np.concatenate(parts)
        self._bytes += self._kept[span].nbytes
        while self._bytes > self.memory:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes

    def _skip(self, span: int, reason: str) -> None:
        self._skipped[span] = Skipped(self.spans[span].path, reason)
        self._lengths.pop(span, None)
        self._long.pop(span, None)

    def _reasons(self, most: int = 3) -> str:
        reasons = [skipped.reason for skipped in self.skipped]
        more = f"; and {len(reasons) - most} more" if len(reasons) > most else ""
        return "; ".join(reasons[:most]) + more

    def _none_left(self) -> str:
        return f"none of {len(self)} videos can be used: {self._reasons()}"


class RealVideo:
    """Video files as a world: `clip(seed, start, frames)` and `batch(seeds, starts, frames)` as a `World` has them.

    The video of a seed is `frames` consecutive frames out of the files: the seed chooses the file, evenly, and the
    place in it. So a clip is the same whichever way it is cut, but real footage ends: a clip must lie within the
    `frames` frames. The truth of a real video is not known: it is None. Seeds draw from the same files in training
    and in evaluation; hold files back for the latter.

    paths, size, fps, crop, memory: as Footage takes them. Raises UserError as Footage does, and if no file has
    `frames` frames.
    """

    name: ClassVar[str] = "footage"
    about: ClassVar[str] = "clips of real video files; nothing is known about them but their pixels"

    def __init__(
        self,
        paths: str | Path | Iterable[str | Path | Span],
        size: int | tuple[int, int] = 16,
        fps: float = 10,
        frames: int = 16,
        *,
        crop: str | None = "centre",
        memory: int = MEMORY,
    ) -> None:
        self.footage = Footage(paths, size, fps, frames, crop=crop, memory=memory)
        self.footage.check()
        self.size, self.fps, self.frames = size, fps, frames
        self._usable = np.array([n for n in range(len(self.footage)) if self.footage.length(n)])
        self._lengths = np.array([self.footage.length(int(n)) for n in self._usable])

    def clip(self, seed: int, start: int, frames: int) -> Clip[None]:
        """Frames `start` to `start + frames` of the video `seed`: video float32 (t, 3, h, w) in [0, 1].

        Raises UserError below 1 frame, before frame 0, beyond the end, and for a negative seed.
        """
        found = self.batch([seed], [start], frames)
        return Clip(found.video[0], None)

    def batch(self, seeds: Any, starts: Any, frames: int) -> Clip[None]:
        """As many clips as seeds and starts (both (b,)): video (b, t, 3, h, w). Raises UserError as `clip`."""
        given, first = np.asarray(seeds), np.asarray(starts, dtype=np.int64)
        if first.ndim != 1 or given.shape != first.shape:
            raise UserError(f"a batch has one start per seed, both (b,), not {given.shape} and {first.shape}")
        if given.dtype.kind == "i" and (given < 0).any():
            raise UserError("a world's seeds are whole numbers from 0; a negative one was asked for")
        if frames < 1 or (first < 0).any() or (first + frames > self.frames).any():
            raise UserError(
                f"a video of this footage has {self.frames} frames, from 0; {frames} from frame "
                f"{int(first.min() if (first < 0).any() else first.max())} on were asked for"
            )
        numbers = given.astype(np.uint64)
        which = (uniform(numbers, 0) * len(self._usable)).astype(int)
        offsets = (uniform(numbers, 1) * (self._lengths[which] - self.frames + 1)).astype(int)
        clips = [
            self.footage.clip(int(span), int(at), frames)
            for span, at in zip(self._usable[which], offsets + first, strict=True)
        ]
        return Clip(np.stack(clips), None)
