"""Kinetics-600: about half a million ten-second clips of 600 human actions (arXiv 1808.01340).

Read as cvdfoundation's arrange_by_classes.py leaves it: a folder per class. Every clip in those folders is used: its
publishers call train.csv and val.csv incomplete, so where annotations/<split>.csv is there it only tells which clips
are missing, and checks the classes of the others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from reproductions.loaders.base import Dataset, Item, Listing, Skip, Text, Whole
from reproductions.loaders.lists import as_whole, bad_line, rows

__all__ = ["DATASET", "Kinetics600", "Truth"]

_CLIP = re.compile(r"(?P<id>.+)_(?P<start>\d{6})_(?P<end>\d{6})\.mp4")
_COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split")


@dataclass(frozen=True)
class Truth:
    """label: place of the class among all classes found in any split, in alphabetical order; action: the class;
    video: the YouTube id; start, end: seconds in that video; split: as asked for; path: within the data set."""

    label: Whole
    action: Text
    video: Text
    start: Whole
    end: Whole
    split: Text
    path: Text


class Kinetics600(Dataset[Truth]):
    """The data set. split: "train", "val" or "test"."""

    slug = "kinetics_600"
    name = "Kinetics-600"
    layout = (
        "<split>/<class name>/<youtube_id>_<start>_<end>.mp4 with the splits train, val and test",
        "annotations/<split>.csv (may be left out)",
    )
    splits = ("train", "val", "test")

    def _list(self) -> Listing[Truth]:
        root = self.need(self.split, folder=True)
        actions = sorted(
            {path.name for split in self.splits for path in self.folder.glob(f"{split}/*") if path.is_dir()}
        )
        labels = {action: label for label, action in enumerate(actions)}
        file = self.folder / "annotations" / f"{self.split}.csv"
        listed = _listed(file, self.split) if file.exists() else None
        items: list[Item[Truth]] = []
        skipped: list[Skip] = []
        seen: set[tuple[str, int, int]] = set()
        paths = sorted(root.glob("*/*.mp4"))
        for path in paths:
            parts = _CLIP.fullmatch(path.name)
            if parts is None:
                skipped.append(Skip(self.within(path), "not named <youtube_id>_<start>_<end>.mp4"))
                continue
            clip = (parts["id"], int(parts["start"]), int(parts["end"]))
            action = path.parent.name
            seen.add(clip)
            if listed is not None and listed.get(clip, action) != action:
                skipped.append(Skip(self.within(path), f"in the folder of another class than {file.name} says"))
                continue
            items.append(Item(path, Truth(labels[action], action, *clip, self.split, self.within(path))))
        for clip, action in (listed or {}).items():
            if clip not in seen:
                name = f"{self.split}/{action}/{clip[0]}_{clip[1]:06d}_{clip[2]:06d}.mp4"
                skipped.append(Skip(name, "listed, but not on disk"))
        unlisted = len(seen - listed.keys()) if listed is not None else 0
        return Listing(items, len(paths), unlisted, skipped)


def _listed(path: Path, split: str) -> dict[tuple[str, int, int], str]:
    """The class of every clip in a csv with the columns label, youtube_id, time_start, time_end, split."""
    listed: dict[tuple[str, int, int], str] = {}
    for line, row in rows(path, _COLUMNS):
        start = as_whole(path, line, "time_start", row["time_start"])
        end = as_whole(path, line, "time_end", row["time_end"])
        if end <= start:
            raise bad_line(path, line, f"time_end must be after time_start, not {start} to {end}")
        if row["split"] != split:
            raise bad_line(path, line, f"the split must be {split}, not {row['split']!r}")
        if not row["label"] or not row["youtube_id"]:
            raise bad_line(path, line, "label and youtube_id must not be empty")
        listed[row["youtube_id"], start, end] = row["label"]
    return listed


DATASET = Kinetics600
