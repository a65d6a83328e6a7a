"""SkyTimelapse: short clips of clouds cut from time-lapse videos, each a folder of frames (arXiv 1709.07592).

The frames carry no rate (25 a second is only how others play them), so every frame is given, whatever `fps`. Frame
numbers may have gaps; frames are taken in the order of the last number in their names. A clip is any folder that holds
frames, so both the release (`sky_train/<video>/<clip>/<frame>.jpg`) and the re-arranged form of PVDM and DIGAN
(`train/<video>/frame00000.png`) are read. Joining neighbouring clips of one video is left to the user.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reproductions.loaders.base import Dataset, Item, Listing, Skip, Text
from reproductions.loaders.frames import FolderFrames, Frames, image_files

__all__ = ["DATASET", "SkyTimelapse", "Truth"]

_FOLDERS = {"train": ("sky_train", "train"), "test": ("sky_test", "val")}


@dataclass(frozen=True)
class Truth:
    """video: the source video's id; clip: the clip's folder, empty in the re-arranged form; split: as asked for;
    path: within the data set."""

    video: Text
    clip: Text
    split: Text
    path: Text


class SkyTimelapse(Dataset[Truth]):
    """The data set. split: "train" or "test" ("val" of the re-arranged form)."""

    slug = "sky_timelapse"
    name = "SkyTimelapse"
    layout = (
        "sky_train/<video_id>/<clip_id>/<frame>.jpg and sky_test/...",
        "or train/<video>/<frame>.png and val/...",
    )
    splits = ("train", "test")
    timed = False

    def _list(self) -> Listing[Truth]:
        root = next((self.folder / name for name in _FOLDERS[self.split] if (self.folder / name).is_dir()), None)
        if root is None:
            raise self.absent(f"{' or '.join(_FOLDERS[self.split])} is missing")
        folders = sorted(path for path in root.rglob("*") if path.is_dir())
        items: list[Item[Truth]] = []
        skipped: list[Skip] = []
        for folder in folders:
            if image_files(folder):
                items.append(Item(folder, self._truth_of(folder, root)))
            elif not any(path.is_dir() for path in folder.iterdir()):
                skipped.append(Skip(self.within(folder), "the folder holds no frames"))
        return Listing(items, len(items), 0, skipped)

    def _truth_of(self, folder: Path, root: Path) -> Truth:
        video, *clip = folder.relative_to(root).parts
        return Truth(video, "/".join(clip), self.split, self.within(folder))

    def _open(self, item: Item[Truth]) -> Frames:
        return FolderFrames(item.path, self.size)


DATASET = SkyTimelapse
