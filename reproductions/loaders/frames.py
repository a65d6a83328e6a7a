"""The frames of one item of a data set, at the size that is wanted: of a video file, or of a folder of pictures."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions import video_pixels
from reproductions.video_reader import VideoReader
from reproductions.video_source import open_source

__all__ = ["FolderFrames", "Frames", "VideoFrames", "fit", "image_files"]

_IMAGES = frozenset({".jpg", ".jpeg", ".png"})


class Frames(ABC):
    """Some frames in order. fps: how many make a second, None where nobody knows."""

    fps: float | None

    @property
    @abstractmethod
    def count(self) -> int:
        """How many there are. Raises UserError for damage."""

    def times(self) -> NDArray[np.float64] | None:
        """Seconds of each frame after the first, where the file says more than `fps` does."""
        return None

    @abstractmethod
    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The frames of these numbers, which do not decrease: (t, size, size, 3), RGB. Raises UserError for damage."""


class VideoFrames(Frames):
    """The frames of a video file. Raises UserError for a file that is broken, cut short, empty or without a picture."""

    def __init__(self, path: Path, size: int) -> None:
        self._reader = VideoReader(path, size)
        self.fps = self._reader.source_fps

    @property
    def count(self) -> int:
        return self._reader.count()

    def times(self) -> NDArray[np.float64] | None:
        return open_source(self._reader.path).times()

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.asarray(self._reader.frames_at(indices), np.uint8)


class FolderFrames(Frames):
    """The pictures (.jpg, .png) of a folder, in the order of the last number in their names, which may have gaps.

    Raises UserError for a folder without pictures, names without a number, pictures of several sizes, and damage.
    """

    def __init__(self, path: Path, size: int, fps: float | None = None) -> None:
        self._size, self.fps = size, fps
        numbers: dict[int, Path] = {}
        for file in image_files(path):
            found = re.findall(r"\d+", file.stem)
            if not found:
                raise UserError(f"the frame {file.name} has no number in its name")
            number = int(found[-1])
            if number in numbers:
                raise UserError(f"two frames have the number {number}: {numbers[number].name} and {file.name}")
            numbers[number] = file
        if not numbers:
            raise UserError("the folder holds no frames")
        self._files = [numbers[number] for number in sorted(numbers)]
        sizes = {_size(file): file.name for file in self._files}
        if len(sizes) > 1:
            (one, first), (other, second) = list(sizes.items())[:2]
            raise UserError(f"the frames have several sizes: {first} {one[0]}x{one[1]}, {second} {other[0]}x{other[1]}")

    @property
    def count(self) -> int:
        return len(self._files)

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        numbers, places = np.unique(indices, return_inverse=True)
        return np.stack([fit(_picture(self._files[number]), self._size) for number in numbers])[places]


def image_files(folder: Path) -> list[Path]:
    """The pictures that lie in a folder."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _IMAGES and not path.name.startswith("."))


def fit(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The middle square of a picture (h, w, 3), as (size, size, 3); as VideoReader makes it of a video's frames."""
    return video_pixels.fit(image, (size, size))


def _size(file: Path) -> tuple[int, int]:
    """Width and height, from the head of the file."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            return image.size
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"the frame {file.name} is not a picture ({type(error).__name__})") from None


def _picture(file: Path) -> NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(file) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"the frame {file.name} is damaged ({type(error).__name__})") from None
