"""Animated WebP, written as its frames come. Imports no torch.

libwebp's own assembler keeps every compressed frame until the end (about 70 KB each, even at 16x16) and merges frames
that are alike, so that a video does not come back as long as it was. Hence the container is written here, by the
specification (RFC 9649, sec. 2), around stills that Pillow compresses without loss. Memory does not grow, and every
frame stays a frame.
"""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["AnimatedWebP"]

_ANIMATED, _KEEP_WHAT_IS_BELOW, _DO_NOT_BLEND = 0b10, 0, 0b10


class AnimatedWebP:
    """A lossless .webp that plays for ever. path: the file to write; size: (height, width); fps: frames per second.

    Raises OSError where the file cannot be written.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: Fraction) -> None:
        height, width = size
        self._fps, self._count = fps, 0
        self._before: NDArray[np.uint8] | None = None
        self._file = path.open("wb")
        self._file.write(b"RIFF\0\0\0\0WEBP")
        self._chunk(b"VP8X", struct.pack("<I", _ANIMATED) + _three_bytes(width - 1) + _three_bytes(height - 1))
        self._chunk(b"ANIM", struct.pack("<IH", 0, 0))  # background, which is never seen; loops, 0 for endless

    def write(self, image: NDArray[np.uint8]) -> None:
        """Append one picture (h, w, 3) uint8. Only the rectangle that changed is stored."""
        top, left, bottom, right = _changed(self._before, image)
        part = np.ascontiguousarray(image[top:bottom, left:right])
        corner = _three_bytes(left // 2) + _three_bytes(top // 2)
        size = _three_bytes(right - left - 1) + _three_bytes(bottom - top - 1)
        # Whole milliseconds, rounded so that they never drift from the frame rate.
        begin, end = (round(1000 * n / self._fps) for n in (self._count, self._count + 1))
        flags = bytes([_KEEP_WHAT_IS_BELOW | _DO_NOT_BLEND])
        self._chunk(b"ANMF", corner + size + _three_bytes(end - begin) + flags + _still(part))
        self._before = image
        self._count += 1

    def finish(self) -> None:
        """Complete the file: its first bytes hold its length."""
        length = self._file.tell()
        self._file.seek(4)
        self._file.write(struct.pack("<I", length - 8))
        self._file.flush()

    def close(self) -> None:
        """Close the file, complete or not."""
        self._file.close()

    def _chunk(self, name: bytes, data: bytes) -> None:
        self._file.write(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2))


def _changed(before: NDArray[np.uint8] | None, image: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of what differs, the corner at even numbers as the format wants; at least one pixel."""
    if before is None:
        return 0, 0, *image.shape[:2]
    differs = (before != image).any(2)
    rows, columns = np.flatnonzero(differs.any(1)), np.flatnonzero(differs.any(0))
    if not len(rows):
        return 0, 0, 1, 1
    return int(rows[0]) // 2 * 2, int(columns[0]) // 2 * 2, int(rows[-1]) + 1, int(columns[-1]) + 1


def _still(image: NDArray[np.uint8]) -> bytes:
    """The chunk of pixels, without loss, of a WebP with this one picture."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "webp", lossless=True, method=4)
    return file.getvalue()[12:]


def _three_bytes(number: int) -> bytes:
    return struct.pack("<I", number)[:3]
