"""Real video in and out: .mp4, .webm, .gif and .webp files, contact sheets and posters. Imports no torch.

Everything is written by way of a temporary file, so that the file at the final path is always whole. The same frames
give the same bytes: one encoder thread, no time stamps, no random identifiers.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from kiloframe.files import replacing

__all__ = ["SUFFIXES", "Video", "VideoWriter", "contact_sheet", "poster", "read_video", "write_image", "write_video"]

_TOLERANCE = 1e-4  # what rounding in float32 may add beyond [0, 1]


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


class Video(NamedTuple):
    """A video as read: frames uint8 (t, h, w, 3), RGB, and how many of them make a second."""

    frames: NDArray[np.uint8]
    fps: float


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


def read_video(path: str | Path) -> Video:
    """All frames of a video file, uint8 (t, h, w, 3), and its frames per second.

    Raises UserError for a file that is missing, damaged or cut short, or holds no video or no frames.
    """
    import av

    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no video at {path}")
    if path.suffix.lower() == ".webp":
        return _read_webp(path)
    frames: list[NDArray[np.uint8]] = []
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UserError(f"{path} holds no video, only {_kinds(container)}")
            stream = container.streams.video[0]
            fps, declared = stream.average_rate, stream.frames
            for frame in container.decode(stream):
                frames.append(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
    except (av.error.FFmpegError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise UserError(f"{path} cannot be read as a video ({reason}); it is damaged or of another kind") from None
    if not frames:
        raise UserError(f"the video {path} holds no frames")
    if len(frames) < declared:
        raise UserError(f"the video {path} is cut short: {len(frames)} of {declared} frames can be read")
    return Video(np.stack(frames), float(fps) if fps else 10.0)


def contact_sheet(
    frames: Any, columns: int = 8, every: int = 1, scale_up: int = 4, numbers: bool = True
) -> NDArray[np.uint8]:
    """One picture (H, W, 3) uint8 of every `every`-th frame, in reading order, each under its frame number.

    frames: float (t, 3, h, w) in [0, 1], or uint8 (t, h, w, 3) as read; `numbers=False` leaves the numbers out.
    Raises UserError for frames that `VideoWriter.write` would refuse, none at all, or a bad number of columns.
    """
    if columns < 1 or every < 1 or scale_up < 1:
        raise UserError(f"columns, every and scale_up are whole numbers from 1, not {columns}, {every}, {scale_up}")
    pixels = enlarge(_as_pixels(frames)[::every], scale_up)
    if not len(pixels):
        raise UserError("a contact sheet needs at least 1 frame")
    count, height, width, _ = pixels.shape
    gap, strip = 2, 12 if numbers else 0
    columns = min(columns, count)
    rows = -(-count // columns)
    sheet = np.full((rows * (height + strip + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    corners = [(gap + n // columns * (height + strip + gap), gap + n % columns * (width + gap)) for n in range(count)]
    for image, (y, x) in zip(pixels, corners, strict=True):
        sheet[y + strip : y + strip + height, x : x + width] = image
    return _numbered(sheet, corners, every) if numbers else sheet


def poster(frames: Any, at: int = 0, scale_up: int = 1) -> NDArray[np.uint8]:
    """Frame `at` as a picture (H, W, 3) uint8, for `write_image`. Takes what `contact_sheet` takes."""
    pixels = _as_pixels(frames)
    if not -len(pixels) <= at < len(pixels):
        raise UserError(f"there is no frame {at}; the video has {len(pixels)}")
    return enlarge(pixels[at][None], scale_up)[0]


def write_image(path: str | Path, image: NDArray[np.uint8]) -> None:
    """Write a picture (H, W, 3) uint8 as .png or .webp (lossless), atomically. Raises UserError for another suffix."""
    from PIL import Image

    path = Path(path)
    if path.suffix.lower() not in (".png", ".webp"):
        raise UserError(f"{path} has no ending for a picture; allowed: .png, .webp")
    with replacing(path) as temporary:
        Image.fromarray(image).save(temporary, lossless=True)


def to_pixels(frames: Any) -> NDArray[np.uint8]:
    """Frames float (t, 3, h, w) in [0, 1] as uint8 (t, h, w, 3). Raises UserError for anything else."""
    array = np.asarray(frames)
    if array.ndim != 4 or array.shape[1] != 3 or not np.issubdtype(array.dtype, np.floating):
        raise UserError(f"frames must be float, of shape (t, 3, h, w), not {array.dtype} of shape {array.shape}")
    if array.size:
        low, high = float(array.min()), float(array.max())
        if np.isnan(low) or np.isnan(high):
            raise UserError("the frames hold values that are not numbers (NaN)")
        if low < -_TOLERANCE or high > 1 + _TOLERANCE:
            raise UserError(f"the frames' values must lie in [0, 1], but reach from {low:.4g} to {high:.4g}")
    pixels = np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(pixels, 1, -1))


def enlarge(pixels: NDArray[np.uint8], scale_up: int) -> NDArray[np.uint8]:
    """Pixels (t, h, w, 3) with every pixel as a square of `scale_up` pixels per side."""
    return pixels if scale_up == 1 else pixels.repeat(scale_up, 1).repeat(scale_up, 2)


def _as_pixels(frames: Any) -> NDArray[np.uint8]:
    array = np.asarray(frames)
    return array if array.dtype == np.uint8 and array.ndim == 4 and array.shape[-1] == 3 else to_pixels(array)


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


def _read_webp(path: Path) -> Video:
    """An animated WebP, which not every build of FFmpeg reads."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            frames, durations = [], []
            for n in range(getattr(image, "n_frames", 1)):
                image.seek(n)
                frames.append(np.array(image.convert("RGB")))
                durations.append(image.info.get("duration", 100))
    except (UnidentifiedImageError, OSError, EOFError, SyntaxError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a video ({type(error).__name__}); it is damaged") from None
    return Video(np.stack(frames), 1000 / (float(np.mean(durations)) or 100.0))


def _kinds(container: Any) -> str:
    return ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"


def _numbered(sheet: NDArray[np.uint8], corners: Iterable[tuple[int, int]], every: int) -> NDArray[np.uint8]:
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(sheet)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(10)
    for n, (y, x) in enumerate(corners):
        draw.text((x, y), str(n * every), fill=(90, 90, 90), font=font)
    return np.array(picture)
