"""Where the frames of a video file come from: PyAV for every container, Pillow for animated GIF and WebP.

`VideoReader` stands on this and is what other code uses. A source gives every frame in order of presentation, or
chosen ones; both give the same pixels, because a seek is trusted only after its time stamps were checked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError

__all__ = ["DEFAULT_FPS", "Shown", "Source", "open_source"]

DEFAULT_FPS = 10.0
"""Frames per second of a file that does not say."""

# Containers that hold an exact time for each frame and an index to seek by, and codecs that make exactly one frame of
# each packet: together they let a scan of the packets, without decoding, tell what frames there are.
_INDEXED_CONTAINERS = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"})
_ONE_FRAME_A_PACKET = frozenset(
    {
        "h264",
        "hevc",
        "vp9",
        "av1",
        "libdav1d",
        "mjpeg",
        "png",
        "ffv1",
        "prores",
        "dnxhd",
        "huffyuv",
        "ffvhuff",
        "rawvideo",
    }
)


class Shown(NamedTuple):
    """One frame: its number in order of presentation, seconds since the first frame, and what makes its pixels.

    pixels(): RGB uint8 (h, w, 3), upright; transparent parts lie over black.
    """

    number: int
    time: float
    pixels: Callable[[], NDArray[np.uint8]]


class Source(ABC):
    """One open video. fps: mean frames per second; height, width: upright; pixel_aspect: width over height of a pixel.

    declared: how many frames the file says it has, 0 where it does not say.
    """

    path: Path
    fps: float
    height: int
    width: int
    pixel_aspect: float
    declared: int

    @abstractmethod
    def play(self) -> Iterator[Shown]:
        """Every frame from the beginning. Raises UserError where the file is damaged, cut short or changes its size."""

    @abstractmethod
    def times(self) -> NDArray[np.float64] | None:
        """Seconds since the first frame, for all frames, if that can be told without decoding; else None."""

    def pick(self, numbers: Sequence[int]) -> Iterator[Shown]:
        """The frames of these numbers, which increase; the same as `play` gives. Raises UserError beyond the end."""
        wanted, count = iter(numbers), 0
        number = next(wanted, None)
        if number is None:
            return
        for shown in self.play():
            count += 1
            if shown.number == number:
                yield shown
                number = next(wanted, None)
                if number is None:
                    return
        raise UserError(f"there is no frame {number} in {self.path}; it has {count} frames")


def open_source(path: str | Path) -> Source:
    """The video file at `path`. Raises UserError for one that is missing, damaged, or holds no video or no frames."""
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder; name one video file in it")
    if not path.exists():
        raise UserError(f"there is no video at {path}")
    if not path.is_file():
        raise UserError(f"{path} is a pipe or a device; a video is read from a file, which can be gone through twice")
    try:
        with path.open("rb") as file:
            head = file.read(12)
            file.seek(-min(64, path.stat().st_size), 2)
            tail = file.read()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None
    gif = head[:6] in (b"GIF87a", b"GIF89a")
    if gif and not tail.rstrip(b"\0").endswith(b";"):  # Pillow would give the whole frames and say nothing
        raise UserError(f"the video {path} is cut short: the mark at the end of a GIF is missing")
    if gif or (head[:4] == b"RIFF" and head[8:] == b"WEBP"):
        return _Pictures(path)
    return _Container(path)


class _Mistaken(Exception):
    """The index and the decoder do not agree: only decoding from the beginning is to be trusted."""


class _Index(NamedTuple):
    """What a scan of the packets tells: the time stamps of all frames, in order, and those where decoding can start."""

    stamps: NDArray[np.int64]
    keys: NDArray[np.int64]


class _Container(Source):
    """A file that FFmpeg reads. Every pass opens the file anew, so that passes do not disturb each other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._scanned: _Index | None = None
        self._seekable: bool | None = None  # unknown until the first scan
        with self._opened() as (container, stream):
            rate = stream.average_rate or stream.guessed_rate
            self.fps = float(rate) if rate else DEFAULT_FPS
            self._base = float(stream.time_base)
            self.declared, self._listed = stream.frames, len(stream.index_entries)
            aspect = stream.sample_aspect_ratio
            self._named = (container.format.name, stream.codec_context.name)
            if self._named[0] in _INDEXED_CONTAINERS and self._listed:  # an edit list may leave frames out
                self.declared = min(self.declared, self._listed)
            self._alone = len(container.streams) == 1 and container.duration
            self._seconds = (container.duration or 0) / 1e6
            first = next(self._decoded(container, stream), None)
        if first is None:
            raise UserError(f"the video {path} holds no frames")
        self._first_stamp, self._shape = first.pts, (first.height, first.width)
        self._turns = _quarter_turns(first, path)
        self.pixel_aspect = float(aspect) if aspect else 1.0
        if self._turns % 2:
            self.height, self.width, self.pixel_aspect = first.width, first.height, 1 / self.pixel_aspect
        else:
            self.height, self.width = first.height, first.width

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, Any]]:
        import av

        try:
            with av.open(str(self.path), metadata_errors="replace") as container:
                streams = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
                if not streams:
                    kinds = sorted({s.type for s in container.streams if s.type != "video"})
                    raise UserError(f"{self.path} holds no video, only {', '.join(kinds) or 'a still picture'}")
                if streams[0].codec_context is None:
                    raise UserError(f"{self.path} holds video of a kind that cannot be decoded here, or is damaged")
                yield container, streams[0]
        except (av.error.FFmpegError, EOFError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise UserError(
                f"{self.path} cannot be read as a video ({reason}); it is damaged, cut short or of another kind"
            ) from None

    def _decoded(self, container: Any, stream: Any, packets: Counter[str] | None = None) -> Iterator[Any]:
        """Frames from where the container stands; `packets` counts what they come from."""
        for packet in container.demux(stream):
            if packets is not None and packet.size:
                packets["read"] += 1
            yield from packet.decode()

    def play(self) -> Iterator[Shown]:
        count, time, end, packets = 0, 0.0, 0.0, Counter[str]()
        with self._opened() as (container, stream):
            for frame in self._decoded(container, stream, packets):
                time = self._time(frame.pts, time + 1 / self.fps) if count else 0.0
                end = ((frame.pts or 0) + (frame.duration or 0)) * self._base
                yield self._shown(count, time, frame)
                count += 1
        # The header of an AVI often states a wrong number; its index, which stands at the end, proves the file whole.
        indexed = self._named[0] == "avi" and self._listed > 1 and packets["read"] <= self._listed
        if packets["read"] < self.declared and not indexed:
            raise UserError(f"the video {self.path} is cut short: {count} of {self.declared} frames can be read")
        # These declare no count, but the time at which their last frame ends (or another stream's, where there is one).
        if self._named[0] == "matroska,webm" and self._alone and end + 3 / self.fps < self._seconds - 0.1:
            raise UserError(f"the video {self.path} is cut short: it can be read to {end:.1f} of {self._seconds:.1f} s")

    def times(self) -> NDArray[np.float64] | None:
        index = self._index()
        return None if index is None else (index.stamps - index.stamps[0]) * self._base

    def pick(self, numbers: Sequence[int]) -> Iterator[Shown]:
        index, done = self._index(), 0
        if index is not None:
            if len(numbers) and numbers[-1] >= len(index.stamps):
                raise UserError(f"there is no frame {numbers[-1]} in {self.path}; it has {len(index.stamps)} frames")
            try:
                for shown in self._sought(numbers, index):
                    yield shown
                    done += 1
            except _Mistaken:
                self._seekable = False
            else:
                return
        yield from super().pick(numbers[done:])

    def _sought(self, numbers: Sequence[int], index: _Index) -> Iterator[Shown]:
        """The frames by seeking to the key frame before each, unless decoding on gets there sooner."""
        with self._opened() as (container, stream):
            frames, coming, sought = self._decoded(container, stream), 0, False
            for number in numbers:
                key = index.keys[max(0, np.searchsorted(index.keys, index.stamps[number], "right") - 1)]
                start = int(np.searchsorted(index.stamps, key))
                if number < coming or start > coming:
                    container.seek(int(key), stream=stream)
                    frames, coming, sought = self._decoded(container, stream), -1, True
                for frame in frames:
                    at = int(np.searchsorted(index.stamps, frame.pts)) if frame.pts is not None else -1
                    if at < 0 or at >= len(index.stamps) or index.stamps[at] != frame.pts:
                        raise _Mistaken
                    if coming < 0 and at < start:
                        continue  # frames of the group before, which may lack what they refer to
                    if at > number or (coming >= 0 and at != coming) or (coming < 0 and at != start):
                        raise _Mistaken
                    if sought and frame.is_corrupt:
                        raise _Mistaken
                    coming = at + 1
                    if at == number:
                        yield self._shown(number, self._time(frame.pts, 0.0), frame)
                        break
                else:
                    raise _Mistaken

    def _index(self) -> _Index | None:
        if self._seekable is None:
            self._scanned = self._scan()
            self._seekable = self._scanned is not None
        return self._scanned if self._seekable else None

    def _scan(self) -> _Index | None:
        """The time stamps of all packets, in order; None where they do not tell what frames there are."""
        if self._named[0] not in _INDEXED_CONTAINERS or self._named[1] not in _ONE_FRAME_A_PACKET:
            return None
        stamps: list[int] = []
        keys: list[int] = []
        packets = 0
        with self._opened() as (container, stream):
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                if packet.pts is None or packet.is_corrupt:
                    return None
                packets += 1
                if packet.is_keyframe:
                    keys.append(packet.pts)
                if not packet.is_discard:
                    stamps.append(packet.pts)
        stamps.sort()
        index = _Index(np.array(stamps, np.int64), np.array(sorted(keys), np.int64))
        whole = packets >= self.declared and len(stamps) > 0 and len(keys) > 0
        return index if whole and (np.diff(index.stamps) > 0).all() and stamps[0] == self._first_stamp else None

    def _time(self, stamp: int | None, otherwise: float) -> float:
        """Seconds since the first frame; `otherwise` where the file gives no time, or one that does not increase."""
        if stamp is None or self._first_stamp is None:
            return otherwise
        time = (stamp - self._first_stamp) * self._base
        return time if time > otherwise - 1 / self.fps else otherwise

    def _shown(self, number: int, time: float, frame: Any) -> Shown:
        if (frame.height, frame.width) != self._shape:
            (h, w), (h0, w0) = (frame.height, frame.width), self._shape
            raise UserError(
                f"frame {number} of {self.path} has {h}x{w} pixels, those before it have {h0}x{w0}; "
                "a video of one size is needed"
            )
        return Shown(number, time, lambda: np.rot90(_rgb(frame), self._turns) if self._turns else _rgb(frame))


class _Pictures(Source):
    """An animated GIF or WebP, whose frames Pillow puts together."""

    def __init__(self, path: Path) -> None:
        self.path, self.pixel_aspect = path, 1.0
        with self._opened() as image:
            self.width, self.height = image.size
            self.declared = getattr(image, "n_frames", 1)
            self._starts = np.zeros(0)
            lasts = []
            for number in range(self.declared):
                image.seek(number)
                image.load()
                # Browsers show a frame of no duration for a tenth of a second, and so is it here.
                lasts.append((image.info.get("duration") or 1000 / DEFAULT_FPS) / 1000)
        self._starts = np.concatenate([[0.0], np.cumsum(lasts)[:-1]])
        self.fps = len(lasts) / float(np.sum(lasts))

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        from PIL import Image

        try:
            with Image.open(self.path) as image:
                yield image
        except (Image.DecompressionBombError, OSError, EOFError, SyntaxError, ValueError, IndexError) as error:
            raise UserError(
                f"{self.path} cannot be read as a video ({type(error).__name__}); it is damaged or cut short"
            ) from None

    def play(self) -> Iterator[Shown]:
        yield from self.pick(range(self.declared))

    def times(self) -> NDArray[np.float64] | None:
        return self._starts

    def pick(self, numbers: Sequence[int]) -> Iterator[Shown]:
        if len(numbers) and numbers[-1] >= self.declared:
            raise UserError(f"there is no frame {numbers[-1]} in {self.path}; it has {self.declared} frames")
        with self._opened() as image:
            for number in numbers:
                image.seek(number)
                pixels = _over_black(np.array(image.convert("RGBA")))
                yield Shown(number, float(self._starts[number]), lambda pixels=pixels: pixels)  # type: ignore[misc]


def _quarter_turns(frame: Any, path: Path) -> int:
    """Quarter turns anticlockwise that set a frame upright, from the matrix that phones write."""
    matrix = next((bytes(data) for data in frame.side_data if data.type.name == "DISPLAYMATRIX"), None)
    if matrix is None:
        return 0
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].astype(float)
    if a * d - b * c < 0 or frame.rotation % 90:
        raise UserError(
            f"{path} is to be shown mirrored or turned by {frame.rotation} degrees; only quarter turns are read: "
            "write it upright first"
        )
    return int(frame.rotation // 90)


def _rgb(frame: Any) -> NDArray[np.uint8]:
    if any(component.is_alpha for component in frame.format.components) or frame.format.name == "pal8":
        return _over_black(np.asarray(frame.to_ndarray(format="rgba"), np.uint8))
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)


def _over_black(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGBA (h, w, 4) over black, rounded: RGB (h, w, 3)."""
    alpha = pixels[..., 3:]
    if (alpha == 255).all():
        return np.ascontiguousarray(pixels[..., :3])
    return ((pixels[..., :3].astype(np.uint16) * alpha + 127) // 255).astype(np.uint8)
