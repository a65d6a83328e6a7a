"""Taichi-HD: 3,334 chunks of 280 videos, cut and cropped to 256x256 by the First Order Motion Model's script.

A chunk is `<video_id>#<start>#<end>`, an .mp4 or a folder of frames `0000000.png` (whose name may also end in .mp4);
start and end are frames of the source video at the rate in taichi-metadata.csv, the end excluded. With that file beside
train/ and test/ the chunks it lists are used, at its rates: those in the .mp4 files are the writer's default, not the
video's. Without it every chunk on disk is used, an .mp4 at its own rate and a folder of frames as it is.
A chunk that does not hold end - start frames was cut short or made from another copy of the video; it is passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from reproductions.loaders.base import Dataset, Item, Listing, Number, Skip, Text, Whole
from reproductions.loaders.frames import FolderFrames, Frames, VideoFrames
from reproductions.loaders.lists import as_number, as_whole, bad_line, rows

__all__ = ["DATASET", "TaichiHD", "Truth"]

_CHUNK = re.compile(r"(?P<video>[^#]+)#(?P<start>\d{6,})#(?P<end>\d{6,})(?:\.mp4)?")
_COLUMNS = ("video_id", "start", "end", "bbox", "fps", "width", "height", "partition")


@dataclass(frozen=True)
class Truth:
    """video: the source video's id; start, end: frames of that video, the end excluded; rate: their frames per second,
    0 where no metadata tells; split: as asked for; path: within the data set."""

    video: Text
    start: Whole
    end: Whole
    rate: Number
    split: Text
    path: Text


class TaichiHD(Dataset[Truth]):
    """The data set. split: "train" or "test", the metadata's partitions."""

    slug = "taichi_hd"
    name = "Taichi-HD"
    layout = (
        "train/<video_id>#<start>#<end>.mp4 (or a folder of <number>.png) and test/...",
        "taichi-metadata.csv (may be left out)",
    )
    splits = ("train", "test")

    def _list(self) -> Listing[Truth]:
        root = self.need(self.split, folder=True)
        found: dict[tuple[str, int, int], Path] = {}
        skipped: list[Skip] = []
        for path in sorted(root.iterdir()):
            parts = _CHUNK.fullmatch(path.name)
            if parts is not None and (path.is_dir() or path.suffix == ".mp4"):
                found[parts["video"], int(parts["start"]), int(parts["end"])] = path
            elif not path.name.startswith("."):
                skipped.append(Skip(self.within(path), "not named <video_id>#<start>#<end>"))
        file = self.folder / "taichi-metadata.csv"
        rates: dict[tuple[str, int, int], float] = dict.fromkeys(found, 0.0)
        if file.exists():
            rates = _metadata(file, self.split)
        items: list[Item[Truth]] = []
        for chunk, rate in rates.items():
            video, start, end = chunk
            if chunk in found:
                truth = Truth(video, start, end, rate, self.split, self.within(found[chunk]))
                items.append(Item(found[chunk], truth, fps=rate or None, count=end - start))
            else:
                skipped.append(Skip(f"{self.split}/{video}#{start:06d}#{end:06d}", "listed, but not on disk"))
        return Listing(items, len(found), len(found.keys() - rates.keys()), skipped)

    def _open(self, item: Item[Truth]) -> Frames:
        if not item.path.is_dir():
            return VideoFrames(item.path, self.size)
        return FolderFrames(item.path, self.size, fps=self.fps)


def _metadata(path: Path, split: str) -> dict[tuple[str, int, int], float]:
    """taichi-metadata.csv: the frame rate of every chunk of a partition, by video, start and end."""
    rates: dict[tuple[str, int, int], float] = {}
    seen: set[tuple[str, int, int]] = set()
    for line, row in rows(path, _COLUMNS):
        chunk = (row["video_id"], as_whole(path, line, "start", row["start"]), as_whole(path, line, "end", row["end"]))
        rate = as_number(path, line, "fps", row["fps"])
        if chunk[2] <= chunk[1]:
            raise bad_line(path, line, f"end must be after start, not {chunk[1]} to {chunk[2]}")
        if not re.fullmatch(r"\d+-\d+-\d+-\d+", row["bbox"]):
            raise bad_line(path, line, f"bbox must be 'left-top-right-bottom' in whole pixels, not {row['bbox']!r}")
        if row["partition"] not in ("train", "test"):
            raise bad_line(path, line, f"partition must be train or test, not {row['partition']!r}")
        if chunk in seen:
            raise bad_line(path, line, f"the chunk {'#'.join(map(str, chunk))} is listed twice")
        seen.add(chunk)
        if row["partition"] == split:
            rates[chunk] = rate
    return rates


DATASET = TaichiHD
