"""Real video in and out: writing .mp4, .webm, .gif and .webp files; reading, contact sheets and posters. No torch.

Writing is done here; `video_reader` reads, `video_sheet` draws contact sheets, `footage` draws clips from many files;
what is public in the first two can be had from here too. Everything is written by way of a temporary file, so that
the file at the final path is always whole. The same frames give the same bytes: one encoder thread, no time stamps,
no random identifiers.
"""

from __future__ import annotations

from contextlib import ExitStack
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
    """What the encoder is called, the pixels it takes, and its options."""

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
    ".webp": _Encoding("libwebp_anim", "bgra", {"lossless": "1", "compression_level": "4", "loop": "0"}, False),
}
SUFFIXES = tuple(_ENCODINGS)
"""The endings that say which kind of file is meant."""


class VideoWriter:
    """Write a video as its frames arrive; `with VideoWriter(path) as writer: writer.write(frames)`.

    path: .mp4 (H.264), .webm (VP9), .gif or .webp, by suffix; fps: frames per second, 0 to 50 (a GIF counts in
    hundredths of a second); scale_up: every pixel becomes a square of so many pixels per side (nearest neighbour).
    Memory stays flat for .mp4, .webm and .gif however many frames come; .webp keeps the compressed frames, not the
    pixels, until the end, because its format starts with the total.
    The file appears at `path` when the block ends well. When it ends in an error or Ctrl-C, or nothing was written,
    no file appears and one that was there stays as it was.

    Raises UserError for an unknown suffix, a bad fps or scale, a place that cannot be written, and frames that
    `write` refuses.
    """

    def __init__(self, path: str | Path, fps: float = 10, scale_up: int = 1) -> None:
        self.path = Path(path)
        self._encoding = _encoding(self.path)
        if not 0 < fps <= 50:
            raise UserError(f"a video has more than 0 and at most 50 frames per second here, not {fps}")
        if scale_up < 1:
            raise UserError(f"scale_up must be a whole number from 1, not {scale_up}")
        self.fps, self.scale_up = fps, scale_up
        self.count = 0
        self._rate = Fraction(fps).limit_denominator(1000)
        self._size: tuple[int, int] | None = None
        self._files = ExitStack()

    def __enter__(self) -> Self:
        self._temporary = self._files.enter_context(replacing(self.path))
        return self

    def write(self, frames: Any) -> None:
        """Append frames, float (t, 3, h, w) in [0, 1]; an array, or what turns into one (a CPU tensor).

        Raises UserError for another shape or type, numbers outside [0, 1], NaN, a size that differs from the first
        frames', or, in .mp4 and .webm, an odd number of pixels on a side.
        """
        pixels = enlarge(to_pixels(frames), self.scale_up)
        if not len(pixels):
            return
        size = pixels.shape[1:3]
        if self._size is None:
            self._start(size)
            self._size = size
        elif size != self._size:
            (h, w), (h0, w0) = size, self._size
            raise UserError(f"frame {self.count} of {self.path} has {h}x{w} pixels, those before it have {h0}x{w0}")
        for image in pixels:
            frame = self._frame(image)
            frame.pts = self.count
            frame.time_base = 1 / self._rate
            self._encode(frame)
            self.count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._size is None:
                raise UserError(f"no frames were written to {self.path}; a video has at least 1")
            if self._size is not None:
                if kind is None:
                    self._encode(None)
                self._container.close()
        except BaseException as failure:
            self._files.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._files.__exit__(kind, error, trace)

    def _start(self, size: tuple[int, ...]) -> None:
        import av

        height, width = size
        if self._encoding.halves_colour and (height % 2 or width % 2):
            raise UserError(
                f"{self.path.suffix} needs an even number of pixels on each side, not {height}x{width}; "
                "scale up by an even number, or write .gif or .webp"
            )
        options = {"movflags": "+faststart"} if self.path.suffix.lower() == ".mp4" else {}
        self._container = av.open(str(self._temporary), "w", options={"fflags": "+bitexact", **options})
        stream: Any = self._container.add_stream(
            self._encoding.codec, rate=self._rate, options={"flags": "+bitexact", **self._encoding.options}
        )
        stream.height, stream.width, stream.pix_fmt = height, width, self._encoding.pixels
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = 1 / self._rate
        self._stream = stream

    def _encode(self, frame: Any) -> None:
        import av

        try:
            self._container.mux(self._stream.encode(frame))
        except av.error.FFmpegError as error:  # a full disk, mostly
            raise UserError(f"{self.path} cannot be written ({error.strerror}); name another place") from None

    def _frame(self, image: NDArray[np.uint8]) -> Any:
        import av

        if self._encoding.pixels == "pal8":
            return _with_palette(image)
        return av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=self._encoding.pixels)


def write_video(path: str | Path, frames: Any, fps: float = 10, scale_up: int = 1) -> None:
    """Write frames, float (t, 3, h, w) in [0, 1], as one video file. Options and errors as `VideoWriter`."""
    with VideoWriter(path, fps, scale_up) as writer:
        writer.write(frames)


def _encoding(path: Path) -> _Encoding:
    found = _ENCODINGS.get(path.suffix.lower())
    if found is None:
        raise UserError(f"{path} has no ending that names a video format; allowed: {', '.join(SUFFIXES)}")
    return found


def _with_palette(image: NDArray[np.uint8]) -> Any:
    """The image with the 256 colours that suit it best (a GIF holds no more); exact where there are no more."""
    import av
    from PIL import Image

    reduced = Image.fromarray(image).quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    colours = np.zeros((256, 4), np.uint8)
    colours[:, 0] = 255  # alpha first
    entries = np.array(reduced.getpalette("RGB"), np.uint8).reshape(-1, 3)
    colours[: len(entries), 1:] = entries
    indexed: Any = (np.array(reduced), colours)
    return av.VideoFrame.from_ndarray(indexed, format="pal8")
