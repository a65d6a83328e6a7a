"""WebVid-10M: stock-footage previews with one caption each (arXiv 2104.00650). Withdrawn in February 2024: only copies
made before can be read, and a watermark is on every clip.

Read as Frozen in Time's loader expects it. Rows without a caption are passed over, as there; captions stay whole (that
loader cuts them after 350 characters), and the validation list is not sampled down.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from kiloframe.errors import UserError
from reproductions.loaders.base import Dataset, Item, Listing, Skip, Text
from reproductions.loaders.lists import bad_line, rows

__all__ = ["DATASET", "Truth", "WebVid10M"]


@dataclass(frozen=True)
class Truth:
    """caption: the stock footage's title; video: its id; page: the folder it is in; split: as asked for; path: within
    the data set."""

    caption: Text
    video: Text
    page: Text
    split: Text
    path: Text


class WebVid10M(Dataset[Truth]):
    """The data set. split: "train" or "val". There must be one list of that split, whatever its cut (2M, 10M)."""

    slug = "webvid_10m"
    name = "WebVid-10M"
    layout = ("metadata/results_<cut>_<split>.csv with the splits train and val", "videos/<page_dir>/<videoid>.mp4")
    splits = ("train", "val")

    def _list(self) -> Listing[Truth]:
        root = self.need("videos", folder=True)
        lists = sorted(self.need("metadata", folder=True).glob(f"results_*_{self.split}.csv"))
        if not lists:
            raise self.absent(f"metadata/results_<cut>_{self.split}.csv is missing")
        if len(lists) > 1:
            names = ", ".join(path.name for path in lists)
            raise UserError(f"{self.folder / 'metadata'} holds several lists of {self.split} ({names}); keep one there")
        found = {f"{page.name}/{file.name}" for page in os.scandir(root) if page.is_dir() for file in os.scandir(page)}
        items: list[Item[Truth]] = []
        skipped: list[Skip] = []
        named: set[str] = set()
        for line, row in rows(lists[0], ("videoid", "page_dir", "name")):
            if not row["videoid"] or not row["page_dir"]:
                raise bad_line(lists[0], line, "videoid and page_dir must not be empty")
            name = f"{row['page_dir']}/{row['videoid']}.mp4"
            if name in named:
                raise bad_line(lists[0], line, f"{name} is listed twice")
            named.add(name)
            if not row["name"].strip():
                skipped.append(Skip(f"videos/{name}", "no caption"))
            elif name not in found:
                skipped.append(Skip(f"videos/{name}", "listed, but not on disk"))
            else:
                path = root / name
                truth = Truth(row["name"].strip(), row["videoid"], row["page_dir"], self.split, self.within(path))
                items.append(Item(path, truth))
        return Listing(items, len(found), len(found - named), skipped)


DATASET = WebVid10M
