"""Where training takes its clips from when not from a method's world: a video file, a folder of them, a data set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions import loaders
from reproductions.footage import Footage
from reproductions.loaders.base import Dataset

__all__ = ["ClipSource", "Clips", "SourceRecord"]


class Clips(Protocol):
    """What can be drawn from: a Footage, a Dataset."""

    def clips(self, rng: np.random.Generator, batch: int, frames: int) -> NDArray[np.float32]:
        """Clips (b, t, 3, h, w) in [0, 1] that follow from `rng` and the files alone."""


@dataclass(frozen=True)
class SourceRecord:
    """What a training report says of its source.

    kind: "file", "folder" or "dataset"; name: of the file or folder, or the data set's slug; split: a data set's;
    videos: how many stretches of video clips are drawn from; sha256: for a file of its bytes, else of the list of what
    is drawn from, with the sizes of the files (so that a large data set need not be read whole).
    """

    kind: Literal["file", "folder", "dataset"]
    name: str
    split: str | None
    videos: int
    sha256: str

    @property
    def label(self) -> str:
        """A short name that tells sources apart, fit for a folder's name."""
        name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in Path(self.name).stem)
        return f"{name}-{self.sha256[:8]}"


@dataclass(frozen=True)
class ClipSource:
    """Where the clips are: a video file or a folder of videos, or, with `dataset`, a data set's folder and its split.

    Clips are drawn at 10 frames per second, as the worlds give them. Raises UserError for a path that is not there, an
    unknown data set, and whatever opening it finds wrong.
    """

    path: Path
    dataset: str | None = None
    split: str | None = None

    @classmethod
    def from_option(cls, text: str, split: str | None = None) -> Self:
        """`NAME=FOLDER`, as `kiloframe train --dataset` takes it. Raises UserError for anything else."""
        name, equals, folder = text.partition("=")
        if not equals or not folder:
            raise UserError(f"--dataset takes NAME=FOLDER, for example ucf_101=/data/ucf101, not {text!r}")
        return cls(Path(folder), loaders.kind(name).slug, split)

    def open(self, size: int) -> Footage | Dataset[Any]:
        """What clips of `size` pixels per side are drawn from."""
        if self.dataset is not None:
            return loaders.open(self.dataset, self.path, self.split, size)
        if not self.path.exists():
            raise UserError(f"there is no video and no folder at {self.path}")
        return Footage(self.path, size)

    def record(self, opened: Footage | Dataset[Any]) -> SourceRecord:
        """What is to be remembered of the source; `opened`: as `open` gave it."""
        name = self.path.resolve().name
        if isinstance(opened, Dataset):
            digest = _sha256(f"{line}\n".encode() for line in opened.contents())
            return SourceRecord("dataset", opened.slug, opened.split, len(opened), digest)
        if self.path.is_file():
            return SourceRecord("file", name, None, 1, _sha256(_blocks(self.path)))
        files = [span.path for span in opened.spans]
        lines = (f"{file.relative_to(self.path).as_posix()} {file.stat().st_size}\n".encode() for file in files)
        return SourceRecord("folder", name, None, len(files), _sha256(lines))

    def words(self) -> list[str]:
        """The options of `kiloframe train` that mean this source."""
        if self.dataset is None:
            return ["--clips", str(self.path)]
        return ["--dataset", f"{self.dataset}={self.path}", *(["--split", self.split] if self.split else [])]


def _sha256(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _blocks(path: Path) -> Iterable[bytes]:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            yield block
