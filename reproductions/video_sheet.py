"""Pictures of a video: contact sheets, posters. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from kiloframe.files import replacing
from reproductions.video_pixels import enlarge, to_pixels
from reproductions.video_reader import VideoReader

__all__ = ["contact_sheet", "contact_sheet_of", "poster", "write_image"]


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
    names = [str(n * every) for n in range(len(pixels))] if numbers else None
    return _arranged(pixels, columns, names)


def contact_sheet_of(
    path: str | Path, columns: int = 8, rows: int = 4, width: int = 96, numbers: bool = True
) -> NDArray[np.uint8]:
    """One picture (H, W, 3) uint8 of `columns * rows` frames of a video file, evenly spaced from the first to the last.

    All frames, where there are fewer. Each is about `width` pixels wide: averaged down, or with squares for pixels.
    Only these frames are held in memory; they are sought where `VideoReader` can seek, otherwise the file is decoded
    (twice, to count its frames first). Raises UserError for bad numbers, and as VideoReader does.
    """
    if columns < 1 or rows < 1 or width < 1:
        raise UserError(f"columns, rows and width are whole numbers from 1, not {columns}, {rows}, {width}")
    reader = VideoReader(path)
    height, own = reader.size
    if own > width:
        reader = VideoReader(path, size=(max(1, round(height * width / own)), width))
    count = reader.count()
    at = np.unique(np.rint(np.linspace(0, count - 1, min(count, columns * rows))).astype(int))
    pixels = enlarge(reader.frames_at(at), max(1, width // own))
    return _arranged(pixels, columns, [str(n) for n in at] if numbers else None)


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
        try:
            Image.fromarray(image).save(temporary, lossless=True)
        except OSError as error:  # a full disk, mostly
            raise UserError(f"{path} cannot be written ({error.strerror or error}); name another place") from None


def _as_pixels(frames: Any) -> NDArray[np.uint8]:
    array = np.asarray(frames)
    return array if array.dtype == np.uint8 and array.ndim == 4 and array.shape[-1] == 3 else to_pixels(array)


def _arranged(pixels: NDArray[np.uint8], columns: int, names: Sequence[str] | None) -> NDArray[np.uint8]:
    """Pictures (t, h, w, 3) in rows on white, each under its name."""
    count, height, width, _ = pixels.shape
    gap, strip = 2, 0 if names is None else 12
    columns = min(columns, count)
    rows = -(-count // columns)
    sheet = np.full((rows * (height + strip + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    corners = [(gap + n // columns * (height + strip + gap), gap + n % columns * (width + gap)) for n in range(count)]
    for image, (y, x) in zip(pixels, corners, strict=True):
        sheet[y + strip : y + strip + height, x : x + width] = image
    return sheet if names is None else _named(sheet, corners, names)


def _named(sheet: NDArray[np.uint8], corners: Sequence[tuple[int, int]], names: Sequence[str]) -> NDArray[np.uint8]:
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(sheet)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(10)
    for name, (y, x) in zip(names, corners, strict=True):
        draw.text((x, y), name, fill=(90, 90, 90), font=font)
    return np.array(picture)
