"""Real video in and out: writing .mp4, .webm, .gif and .webp files; reading, contact sheets and posters. No torch.

Writing is done here; `video_reader` reads, `video_sheet` draws contact sheets, `footage` draws clips from many files;
what is public in the first two can be had from here too. Everything is written by way of a temporary file, so that
the file at the final path is always whole. The same frames give the same bytes: one encoder thread, no time stamps,
no random identifiers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from kiloframe.files import replacing
from reproductions.video_pixels import enlarge, fit, to_floats, to_pixels
from reproductions.video_reader import Video, VideoReader, clips, read_video
from reproductions.video_sheet import contact_sheet, contact_sheet_of, poster, write_image
from reproductions.video_webp import AnimatedWebP

__all__ = [
    "SUFFIXES",
    "Video",
    "VideoReader",
    "VideoWriter",
    "clips",
    "contact_sheet",
    "contact_sheet_of",
    "enlarge",
    "fit",
    "poster",
    "read_video",
    "to_floats",
    "to_pixels",
    "write_image",
    "write_video",
]


class _Encoding(NamedTuple):
    """What FFmpeg calls the encoder, the pixels it takes, and its options."""

    codec: str
    pixels: str
    options: dict[str, str]
    halves_colour: bool  # one colour sample per 2x2 pixels: both sides of a frame must be even


_ENCODINGS = {
    # H.264, profile main, 4:2:0: what every browser plays.
    ".mp4": _Encoding("libx264", "yuv420p", {"preset": "medium", "crf": "16", "profile": "main"}, True),
    ".webm": _Encoding(
        "libvpx-vp9", "yuv420p", {"crf": "20", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "0"}, True
    ),
    ".gif": _Encoding("gif", "pal8", {}, False),
}
SUFFIXES = (*_ENCODINGS, ".webp")
"""The endings that say which kind of file is meant."""


class VideoWriter:
    """Write a video as its frames arrive; `with VideoWriter(path) as writer: writer.write(frames)`.

    path: .mp4 (H.264), .webm (VP9), .gif or .webp, by suffix; fps: frames per second, 0 to 50 (a GIF counts in
    hundredths of a second); scale_up: every pixel becomes a square of so many pixels per side (nearest neighbour).
    Memory stays flat however many frames come.
    The file appears at `path` when the block ends well. When it ends in an error or Ctrl-C, or nothing was written,
    no file appears and one that was there stays as it was.

    Raises UserError for an unknown suffix, a bad fps or scale, a place that cannot be written, and frames that
    `write` refuses.
    """

    def __init__(self, path: str | Path, fps: float = 10, scale_up: int = 1) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() not in SUFFIXES:
            raise UserError(f"{path} has no ending that names a video format; allowed: {', '.join(SUFFIXES)}")
        if not 0.01 <= fps <= 50:
            raise UserError(f"a video has 0.01 to 50 frames per second here, not {fps}")
        if not isinstance(scale_up, int | np.integer) or scale_up < 1:
            raise UserError(f"scale_up must be a whole number from 1, not {scale_up}")
        self.fps, self.scale_up = fps, scale_up
        self.count = 0
        self._rate = Fraction(fps).limit_denominator(1000)
        self._size: tuple[int, int] | None = None
        self._film: _FFmpegFile | AnimatedWebP | None = None
        self._files = ExitStack()

    def __enter__(self) -> Self:
        self._temporary = self._files.enter_context(replacing(self.path))
        return self

    def write(self, frames: Any) -> None:
        """Append frames, float (t, 3, h, w) in [0, 1]; an array, or what turns into one (a CPU tensor).

        Raises UserError for another shape or type, numbers outside [0, 1], NaN, a size that differs from the first
        frames', or, in .mp4 and .webm, an odd number of pixels on a side.
        """
        pixels = to_pixels(frames)
        if not len(pixels):
            return
        size = (pixels.shape[1] * self.scale_up, pixels.shape[2] * self.scale_up)
        if self._size is not None and size != self._size:
            (h, w), (h0, w0) = size, self._size
            raise UserError(f"frame {self.count} of {self.path} has {h}x{w} pixels, those before it have {h0}x{w0}")
        self._size = size
        with self._errors_named():
            if self._film is None:
                self._film = self._started(size)
            for image in pixels:
                self._film.write(enlarge(image[None], self.scale_up)[0])
                self.count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._complete()
            elif self._film is not None:
                with suppress(OSError):  # what failed before fails again, and the file is not kept anyway
                    self._film.close()
        except BaseException as failure:
            self._files.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._files.__exit__(kind, error, trace)

    def _complete(self) -> None:
        if self._film is None:
            raise UserError(f"no frames were written to {self.path}; a video has at least 1")
        with self._errors_named():
            try:
                self._film.finish()
            finally:
                self._film.close()

    def _started(self, size: tuple[int, int]) -> _FFmpegFile | AnimatedWebP:
        encoding = _ENCODINGS.get(self.path.suffix.lower())
        if encoding is None:
            return AnimatedWebP(self._temporary, size, self._rate)
        height, width = size
        if encoding.halves_colour and (height % 2 or width % 2):
            raise UserError(
                f"{self.path.suffix} needs an even number of pixels on each side, not {height}x{width}; "
                "scale up by an even number, or write .gif or .webp"
            )
        return _FFmpegFile(self._temporary, size, self._rate, encoding)

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        """What the system refuses, a full disk mostly, as one sentence."""
        import av

        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            reason = error.strerror or type(error).__name__
            raise UserError(f"{self.path} cannot be written ({reason}); name another place") from None


class _FFmpegFile:
    """A file that FFmpeg encodes, in one thread, with nothing in it that differs between two runs."""

    def __init__(self, path: Path, size: tuple[int, int], fps: Fraction, encoding: _Encoding) -> None:
        import av

        options = {"movflags": "+faststart"} if path.suffix.lower() == ".mp4" else {}
        self._container = av.open(str(path), "w", options={"fflags": "+bitexact", **options})
        stream: Any = self._container.add_stream(
            encoding.codec, rate=fps, options={"flags": "+bitexact", **encoding.options}
        )
        (stream.height, stream.width), stream.pix_fmt = size, encoding.pixels
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = 1 / fps
        self._stream, self._encoding, self._time_base, self._count = stream, encoding, 1 / fps, 0

    def write(self, image: NDArray[np.uint8]) -> None:
        import av

        if self._encoding.pixels == "pal8":
            frame = _with_palette(image)
        else:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=self._encoding.pixels)
        frame.pts, frame.time_base = self._count, self._time_base
        self._count += 1
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        self._container.mux(self._stream.encode(None))

    def close(self) -> None:
        self._container.close()


def write_video(path: str | Path, frames: Any, fps: float = 10, scale_up: int = 1) -> None:
    """Write frames, float (t, 3, h, w) in [0, 1], as one video file. Options and errors as `VideoWriter`."""
    with VideoWriter(path, fps, scale_up) as writer:
        writer.write(frames)


def _with_palette(image: NDArray[np.uint8]) -> Any:
    """The image with the 256 colours that suit it best (a GIF holds no more); exact where there are no more."""
    import av
    from PIL import Image

    colours = np.zeros((256, 4), np.uint8)
    colours[:, 0] = 255  # alpha first
    packed = image.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    distinct, indices = np.unique(packed, return_inverse=True)
    if len(distinct) <= 256:
        entries = np.stack([distinct >> 16, distinct >> 8 & 255, distinct & 255], 1)
    else:
        reduced = Image.fromarray(image).quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        entries, indices = np.array(reduced.getpalette("RGB")).reshape(-1, 3), np.array(reduced)
    colours[: len(entries), 1:] = entries
    indexed: Any = (indices.reshape(image.shape[:2]).astype(np.uint8), colours)
    return av.VideoFrame.from_ndarray(indexed, format="pal8")
