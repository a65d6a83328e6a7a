"""Reading real video: streaming, frame-accurate seeking, another size, another frame rate. Imports no torch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.video_pixels import fit, to_floats
from reproductions.video_source import Shown, open_source

__all__ = ["CHUNK_BYTES", "MOST_PIXELS", "Video", "VideoReader", "check_rate", "clips", "frame_size", "read_video"]

CHUNK_BYTES = 32 << 20
"""A chunk holds at most 64 frames, and no more than fill this many bytes."""

_LONGEST = 3600  # seconds that one frame may last when the frame rate is changed: more is damage
MOST_PIXELS = 8192
"""Per side of a frame that is read; every codec at hand stays below."""
_EARLY = 1000  # microseconds; files round their times, WebM and Matroska to whole milliseconds


class Video(NamedTuple):
    """A video as read: frames uint8 (t, h, w, 3), RGB, and how many of them make a second."""

    frames: NDArray[np.uint8]
    fps: float


class VideoReader:
    """A video file as an iterator of chunks, and as an array whose frames can be had in any order.

    Any container and codec that PyAV opens (mp4, mov, webm, mkv, avi, mpg, ts, ...); animated GIF and WebP through
    Pillow. Memory stays flat however long the video is (of a WebP, the compressed file is held).

        with VideoReader("film.mkv", size=64, fps=10) as reader:
            for chunk in reader:                  # uint8 (t, 64, 64, 3), t at most `chunk`
                ...
            later = reader.clip(3000, 16)         # exactly the frames that decoding from the beginning would give

    path: the file. size: pixels of a frame, one number for a square or (height, width); None keeps the file's own.
    crop: how a frame fits a size of another shape: "centre" cuts the largest middle part of that shape, None squeezes
    the whole frame into it. It shrinks by averaging areas and enlarges bilinearly (`video_pixels.fit`).
    start, stop: the frames of the file that count, in order of presentation, stop not included; None is the end.
    fps: frames per second wanted; None keeps the frames as they are. Frame k of the result is the last frame of the
    file that begins at or before k / fps seconds after frame `start` (one that begins up to 1 ms later counts, since
    files round their times); there are as many as begin before the end, which is 1 / source_fps after the last frame.
    floats: give float32 (t, 3, h, w) in [0, 1], as worlds do, in place of uint8 (t, h, w, 3).
    chunk: frames per chunk of the iteration; None is 64, or fewer if they would fill more than `CHUNK_BYTES`.

    What is done to frames: rotation by quarter turns that a phone wrote into the file is applied; pixels that are not
    square are stretched to square ones (by width, where no size is given); transparent parts are shown over black;
    grey becomes RGB, and more than 8 bits are rounded to 8. Interlaced frames stay woven. A mirrored video, another
    angle, or a size that changes on the way is refused.

    What a seek costs: in mp4, mov, mkv and webm whose codec makes one frame of each packet (H.264, HEVC, VP9, AV1,
    MJPEG, ...) the packets are scanned once, undecoded, then the key frame before a frame is sought; each seek is
    checked against the time stamps. Everything else is decoded from the beginning, which is slow and always right.

    Raises UserError for a file that is missing, damaged, audio only or without frames, for bad options, and, on
    reaching the place, for damage, a file cut short, and a size that changes; with `fps`, for a frame that lasts more
    than an hour.
    """

    def __init__(
        self,
        path: str | Path,
        size: int | tuple[int, int] | None = None,
        crop: str | None = "centre",
        fps: float | None = None,
        start: int = 0,
        stop: int | None = None,
        *,
        floats: bool = False,
        chunk: int | None = None,
    ) -> None:
        if crop not in ("centre", None):
            raise UserError(f"crop is 'centre' or None, not {crop!r}")
        if fps is not None:
            check_rate(fps)
        whole = all(isinstance(n, int | np.integer) for n in (start, 0 if stop is None else stop))
        if not whole or start < 0 or (stop is not None and stop <= start):
            raise UserError(f"start is a frame from 0 and stop one after it, not {start} and {stop}")
        if chunk is not None and chunk < 1:
            raise UserError(f"a chunk has at least 1 frame, not {chunk}")
        self._source = open_source(path)
        self._start, self._stop, self._crop, self._wanted_fps = start, stop, crop, fps
        self._floats = floats
        self._count: int | None = None
        self._size = self._fitted(size)
        self._chunk = chunk or max(1, min(64, CHUNK_BYTES // (self._size[0] * self._size[1] * 3)))
        self._playing: Iterator[Any] | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self._source.path

    @property
    def source_fps(self) -> float:
        """Mean frames per second that the file declares; 10 where it declares none."""
        return self._source.fps

    @property
    def fps(self) -> float:
        """Frames per second of what is read: those asked for, or the file's."""
        return self._wanted_fps or self.source_fps

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames that are read."""
        return self._size

    @property
    def frames(self) -> int | None:
        """How many frames there are, exactly; None when only decoding can tell and nothing has decoded it yet.

        Known without decoding where seeks are quick (above) and for GIF and WebP; after a whole pass, and after
        `count()`, for every file. What a file merely declares is never given.
        """
        if self._count is None:
            times = self._times()
            if times is not None and self._wanted_fps is None:
                self._count = len(times)
            elif times is not None:
                self._count = _outputs(int(times[-1]) + _microseconds(self._gap), self.fps)
        return self._count

    @property
    def duration(self) -> float | None:
        """Seconds, `frames / fps`; None while the number of frames is not known."""
        return None if self.frames is None else self.frames / self.fps

    def count(self) -> int:
        """How many frames there are, exactly, decoding the file if need be. Raises UserError for a damaged file."""
        if self.frames is None:
            for _ in self._outputs():
                pass
        assert self._count is not None
        return self._count

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Chunks in order, uint8 (t, h, w, 3), or float32 (t, 3, h, w) with `floats`; each iteration begins anew."""
        self._playing = self._chunks()
        return self._playing

    def frames_at(self, indices: Any) -> NDArray[Any]:
        """The frames of these indices, whole numbers (n,) in any order, also repeated: (n, h, w, 3) or (n, 3, h, w).

        They are exactly what the iteration gives at these places. Raises UserError for a negative index and one
        beyond the end.
        """
        given = np.asarray(indices).reshape(-1)
        if not len(given):
            return self._given([])
        if given.dtype.kind not in "iu":
            raise UserError(f"frames have whole numbers; {indices!r:.60} was asked for")
        wanted = given.astype(np.int64)
        if wanted.min() < 0:
            raise UserError(f"a video starts at frame 0; frame {wanted.min()} was asked for")
        unique, places = np.unique(wanted, return_inverse=True)
        return self._given(self._pick(unique))[places]

    def clip(self, start: int, frames: int) -> NDArray[Any]:
        """Frames `start` to `start + frames`, as `frames_at` gives them. Raises UserError beyond the end."""
        if frames < 1:
            raise UserError(f"a clip has at least 1 frame, not {frames}")
        return self.frames_at(np.arange(start, start + frames))

    def read(self) -> NDArray[Any]:
        """All frames in one array, of the kind that the chunks are."""
        return np.concatenate(list(self))

    def close(self) -> None:
        """End the iteration under way, which closes the file. Nothing else is held open."""
        if self._playing is not None:
            self._playing.close()  # type: ignore[attr-defined]
            self._playing = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _gap(self) -> float:
        return 1 / self.source_fps

    def _fitted(self, size: int | tuple[int, int] | None) -> tuple[int, int]:
        if size is None:
            return self._source.height, max(1, round(self._source.width * self._source.pixel_aspect))
        return frame_size(size)

    def _chunks(self) -> Iterator[NDArray[Any]]:
        held: list[NDArray[np.uint8]] = []
        for image in self._outputs():
            held.append(self._pixels(image))
            if len(held) == self._chunk:
                yield self._given(held)
                held = []
        if held:
            yield self._given(held)

    def _given(self, images: list[NDArray[np.uint8]]) -> NDArray[Any]:
        pixels = np.stack(images) if images else np.zeros((0, *self._size, 3), np.uint8)
        return to_floats(pixels) if self._floats else pixels

    def _pixels(self, shown: Shown) -> NDArray[np.uint8]:
        return fit(shown.pixels(), self._size, self._crop, self._source.pixel_aspect)

    def _used(self) -> Iterator[Shown]:
        """The frames of the file from `start` to `stop`, in order."""
        times = self._times() if self._start else None
        source = self._source
        shown_frames = source.play() if times is None else source.pick(range(self._start, self._start + len(times)))
        seen = 0
        for shown in shown_frames:
            seen = shown.number + 1
            if shown.number >= self._start:
                yield shown
            if seen == self._stop:
                return
        self._reaches(seen)

    def _reaches(self, count: int) -> None:
        """Raise UserError where a file of so many frames lacks some that `start` and `stop` ask for."""
        last = self._start if self._stop is None else self._stop - 1
        if count <= last:
            raise UserError(f"{self.path} ends before frame {last}; it has {count} frames")

    def _outputs(self) -> Iterator[Shown]:
        """The frames of the result, in order; a frame of the file comes as often as the rule for `fps` says."""
        count = 0
        if self._wanted_fps is None:
            for shown in self._used():
                count += 1
                yield shown
        else:
            origin, time, held = 0.0, 0, None
            for shown in self._used():
                if held is None:
                    origin = shown.time
                elif shown.time - held.time > _LONGEST:
                    seconds = shown.time - held.time
                    raise UserError(f"frame {held.number} of {self.path} lasts {seconds:.0f} s; its times are damaged")
                time = _microseconds(shown.time - origin)
                while held is not None and _due(count, self.fps) < time:
                    count += 1
                    yield held
                held = shown
            while held is not None and (count == 0 or _due(count, self.fps) < time + _microseconds(self._gap)):
                count += 1
                yield held
        self._count = count

    def _times(self) -> NDArray[np.int64] | None:
        """Microseconds of each used frame after the first of them, if known without decoding."""
        times = self._source.times()
        if times is None:
            return None
        self._reaches(len(times))
        used = times[self._start : self._stop]
        return np.rint((used - used[0]) * 1e6).astype(np.int64)

    def _pick(self, wanted: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
        """The frames of the result of these numbers, which increase."""
        times = self._times()
        if times is None and self._wanted_fps is not None:
            return self._pick_by_playing(wanted)
        total = self.frames
        if total is not None and wanted[-1] >= total:
            raise UserError(f"there is no frame {wanted[-1]}; {self.path} has {total} as read here")
        numbers = wanted if times is None or self._wanted_fps is None else _sources(wanted, times, self.fps)
        unique, places = np.unique(numbers + self._start, return_inverse=True)
        images = [self._pixels(shown) for shown in self._source.pick(unique.tolist())]
        return [images[place] for place in places]

    def _pick_by_playing(self, wanted: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
        images: list[NDArray[np.uint8]] = []
        for number, shown in enumerate(self._outputs()):
            if number == wanted[len(images)]:
                images.append(self._pixels(shown))
                if len(images) == len(wanted):
                    return images
        raise UserError(f"there is no frame {wanted[len(images)]}; {self.path} has {self._count} as read here")


def read_video(path: str | Path) -> Video:
    """All frames of a video file, uint8 (t, h, w, 3), and its frames per second (10 where the file does not say).

    What `VideoReader` does to frames holds here too. Raises UserError for a file that is missing, damaged or cut
    short, or holds no video or no frames.
    """
    with VideoReader(path) as reader:
        return Video(reader.read(), reader.fps)


def clips(
    video: str | Path | VideoReader,
    frames: int,
    stride: int | None = None,
    *,
    size: int | tuple[int, int] | None = None,
    fps: float | None = None,
) -> Iterator[NDArray[np.float32]]:
    """The consecutive clips of a video, float32 (frames, 3, h, w) in [0, 1], in one pass and with flat memory.

    stride: frames from the start of one clip to that of the next; by default `frames`, so that they do not overlap.
    A rest that is too short for a clip is left out. size and fps: as in VideoReader, for a path; a reader brings its
    own. Raises UserError for numbers below 1, and as reading does.
    """
    stride = frames if stride is None else stride
    if frames < 1 or stride < 1:
        raise UserError(f"frames and stride are whole numbers from 1, not {frames} and {stride}")
    reader = video if isinstance(video, VideoReader) else VideoReader(video, size=size, fps=fps)
    return _cut(reader, frames, stride)


def _cut(reader: VideoReader, frames: int, stride: int) -> Iterator[NDArray[np.float32]]:
    held: deque[NDArray[np.float32]] = deque(maxlen=frames)
    number = 0
    for chunk in reader:
        for frame in chunk if chunk.dtype == np.float32 else to_floats(chunk):
            held.append(frame)
            number += 1
            if number >= frames and (number - frames) % stride == 0:
                yield np.stack(held)


def frame_size(size: Any) -> tuple[int, int]:
    """Height and width from a number of pixels, for a square, or a pair. Raises UserError for anything else."""
    sides = tuple(size) if isinstance(size, tuple | list) else (size, size)
    if len(sides) != 2 or not all(isinstance(n, int | np.integer) and 1 <= n <= MOST_PIXELS for n in sides):
        raise UserError(f"a frame has 1 to {MOST_PIXELS} pixels on each side, as a number or (h, w), not {size!r}")
    return int(sides[0]), int(sides[1])


def check_rate(fps: Any) -> None:
    """Raises UserError for what is no number of frames per second that a video can be read at."""
    if not (isinstance(fps, int | float | np.number) and 0 < fps <= 1000):
        raise UserError(f"a video is read at more than 0 and at most 1000 frames per second, not {fps}")


def _microseconds(seconds: float) -> int:
    """A time as a whole number, so that all comparisons of times are exact."""
    return round(seconds * 1e6)


def _due(number: int, fps: float) -> int:
    """Microseconds until which a frame of the file may begin and still be shown as frame `number` at `fps`."""
    return _microseconds(number / fps) + _EARLY


def _outputs(end: int, fps: float) -> int:
    """How many frames at `fps` begin before `end` microseconds, at least 1."""
    count = max(1, int((end - _EARLY) * fps / 1e6))
    while _due(count, fps) < end:
        count += 1
    while count > 1 and _due(count - 1, fps) >= end:
        count -= 1
    return count


def _sources(wanted: NDArray[np.int64], times: NDArray[np.int64], fps: float) -> NDArray[np.int64]:
    """For each frame at `fps` the frame of the file that it shows: the last that begins by then."""
    due = np.array([_due(int(number), fps) for number in wanted])
    return np.searchsorted(times, due, "right") - 1
