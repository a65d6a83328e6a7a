"""BAIR robot pushing: 43,264 + 256 trajectories of 30 steps, 64x64, with the arm's actions (arXiv 1710.05268).

The records are TFRecord files of tf.train.Example; the messages are decoded by the package `tfrecord`, without
TensorFlow. The images are called "encoded" and are raw RGB bytes. Two cameras look on; prediction work uses
image_aux1. The robot's frame rate is not known, so every step is a frame, whatever `fps`.
"""

from __future__ import annotations

import dataclasses
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from kiloframe.words import refuse
from reproductions.loaders.base import Dataset, Item, Listing, Skip, Text, Whole
from reproductions.loaders.frames import Frames, fit

__all__ = ["CAMERAS", "DATASET", "SIDE", "STEPS", "BAIRRobotPushing", "Truth"]

STEPS = 30
SIDE = 64
CAMERAS = ("image_aux1", "image_main")
_HEADER = 12  # a record: its length in 8 bytes, their checksum in 4; the data; its checksum in 4


@dataclass(frozen=True)
class Truth:
    """action: float32 (t, a), what the arm was told to do at each step; position: float32 (t, p), of its end effector;
    record: from 0 in its file; camera; split: as asked for; path: within the data set. (a and p as in the records;
    empty, (0,), for a whole item, whose record is read only with its frames.)"""

    action: NDArray[np.float32]
    position: NDArray[np.float32]
    record: Whole
    camera: Text
    split: Text
    path: Text


class BAIRRobotPushing(Dataset[Truth]):
    """The data set. split: "train" or "test"; camera: "image_aux1" or "image_main"."""

    slug = "bair_robot_pushing"
    name = "BAIR robot pushing"
    layout = ("softmotion30_44k/train/*.tfrecords", "softmotion30_44k/test/*.tfrecords")
    splits = ("train", "test")
    timed = False

    def __init__(
        self,
        folder: str | Path,
        split: str | None = None,
        size: int = 16,
        fps: float = 10,
        camera: str = "image_aux1",
    ) -> None:
        if camera not in CAMERAS:
            raise refuse(camera, "camera of BAIR robot pushing", CAMERAS)
        self.camera = camera
        super().__init__(folder, split, size, fps)

    def _list(self) -> Listing[Truth]:
        root = self.need(f"softmotion30_44k/{self.split}", folder=True)
        files = sorted(root.glob("*.tfrecords"))
        if not files:
            raise self.absent(f"softmotion30_44k/{self.split} holds no .tfrecords file")
        items: list[Item[Truth]] = []
        skipped: list[Skip] = []
        nothing = np.zeros(0, np.float32)
        for path in files:
            places, whole = _places(path)
            for record, place in enumerate(places):
                truth = Truth(nothing, nothing, record, self.camera, self.split, self.within(path))
                items.append(Item(path, truth, count=STEPS, place=place))
            if not whole:
                skipped.append(Skip(self.within(path), "the file is cut short; its whole records are used"))
            elif not places:
                skipped.append(Skip(self.within(path), "the file holds no records"))
        return Listing(items, len(files), 0, skipped)

    def _open(self, item: Item[Truth]) -> Frames:
        return _Trajectory(item.path, item.place, self.camera, self.size)

    def _truth(self, index: int, native: NDArray[np.int64]) -> Truth:
        item = self._items[index]
        features = _features(item.path, item.place)
        return dataclasses.replace(
            item.truth,
            action=_floats(features, "action", native),
            position=_floats(features, "endeffector_pos", native),
        )


class _Trajectory(Frames):
    """The frames of one record, as one camera saw them."""

    def __init__(self, path: Path, place: int, camera: str, size: int) -> None:
        self._features, self._camera, self._size = _features(path, place), camera, size
        steps = {int(key.split("/")[0]) for key in self._features if key.endswith(f"/{camera}/encoded")}
        if steps != set(range(len(steps))):
            raise UserError(f"the record's steps of {camera} do not run from 0 without gaps")
        self._count, self.fps = len(steps), None
        if not steps:
            raise UserError(f"the record has no frames of {camera}")
        for step in range(self._count):
            self._pixels(step)

    @property
    def count(self) -> int:
        return self._count

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.stack([fit(self._pixels(int(step)), self._size) for step in indices])

    def _pixels(self, step: int) -> NDArray[np.uint8]:
        values = self._features[f"{step}/{self._camera}/encoded"].bytes_list.value
        if len(values) != 1 or len(values[0]) != SIDE * SIDE * 3:
            size = len(values[0]) if values else 0
            raise UserError(f"an image of the record has {size} bytes, not the {SIDE * SIDE * 3} of raw RGB")
        return np.frombuffer(values[0], np.uint8).reshape(SIDE, SIDE, 3)


def _places(path: Path) -> tuple[list[int], bool]:
    """Where the records of a file begin, and whether the last of them is whole. Reads their lengths only."""
    places: list[int] = []
    size, place = path.stat().st_size, 0
    with path.open("rb") as file:
        while place + _HEADER <= size:
            file.seek(place)
            (length,) = struct.unpack("<Q", file.read(8))
            if place + _HEADER + length + 4 > size:
                break
            places.append(place)
            place += _HEADER + length + 4
    return places, place == size


def _features(path: Path, place: int) -> Any:
    """The features of the record that begins at `place`. Raises UserError for damage, which its checksums show."""
    from crc32c import crc32c
    from google.protobuf.message import DecodeError
    from tfrecord.example_pb2 import Example

    with path.open("rb") as file:
        file.seek(place)
        (length,) = struct.unpack("<Q", file.read(8))
        file.read(4)
        data = file.read(length)
        (stated,) = struct.unpack("<I", file.read(4))
    crc = crc32c(data)
    # TFRecord masks its checksums: rotated right by 15 bits, plus a constant.
    if (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF != stated:
        raise UserError("a record is damaged: its checksum does not fit")
    try:
        return Example.FromString(data).features.feature
    except DecodeError:
        raise UserError("a record is not a tf.train.Example") from None


def _floats(features: Any, field: str, steps: NDArray[np.int64]) -> NDArray[np.float32]:
    """A float field of some steps, (t, n); (t, 0) where the record lacks it."""
    keys = [f"{step}/{field}" for step in steps]
    values = [list(features[key].float_list.value) if key in features else [] for key in keys]
    if len({len(value) for value in values}) != 1:
        raise UserError(f"the record's {field} has not as many numbers at every step")
    return np.array(values, np.float32).reshape(len(steps), -1)


DATASET = BAIRRobotPushing
