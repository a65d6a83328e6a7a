"""MSR-VTT: 10,000 clips with 20 captions each, 20 categories (CVPR 2016).

Two forms of its captions are read. The official json (`videos` with their split and category, `sentences`), in one
file or two, and Frozen in Time's annotation/MSR_VTT.json (`annotations`), whose splits are lists of video ids. The
retrieval splits (JSFusion, 1k-A) are not the splits that generation is judged on. Assumptions beyond
catalogue/datasets/msr_vtt.yaml: the official split "validate" is val; the lists of the three splits end in _full.txt;
start and end time say where a clip came from, the files are already cut.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from kiloframe.errors import UserError
from reproductions.loaders.base import Dataset, Item, Listing, Skip, Text, Whole
from reproductions.loaders.lists import bad_line, json_object, json_rows, text_lines

__all__ = ["DATASET", "MSRVTT", "Truth"]

_OFFICIAL = ("train_val_videodatainfo.json", "test_videodatainfo.json")
_SPLITS = {"train": "train", "validate": "val", "val": "val", "test": "test"}
_ID = re.compile(r"video\d+")


@dataclass(frozen=True)
class Truth:
    """caption: the first of the sentences; captions: all of them, in the file's order; category: 0 to 19, -1 where the
    annotation does not tell; video: its id; split: as asked for; path: within the data set."""

    caption: Text
    captions: tuple[str, ...] | Any
    category: Whole
    video: Text
    split: Text
    path: Text


class MSRVTT(Dataset[Truth]):
    """The data set. split: "train", "val", "test" (6,513, 497 and 2,990 clips) or "all"."""

    slug = "msr_vtt"
    name = "MSR-VTT"
    layout = (
        "videos/all/video<ID>.mp4",
        "annotation/train_val_videodatainfo.json and test_videodatainfo.json",
        "or annotation/MSR_VTT.json and high-quality/structured-symlinks/<split>_list_full.txt",
    )
    splits = ("train", "val", "test", "all")

    def _list(self) -> Listing[Truth]:
        root = self.need("videos/all", folder=True)
        found = {path.stem for path in root.glob("*.mp4")}
        present = [name for name in _OFFICIAL if (self.folder / "annotation" / name).is_file()]
        captions, categories = self._official(present) if present else self._frozen_in_time()
        items: list[Item[Truth]] = []
        skipped: list[Skip] = []
        for video, category in categories.items():
            path = root / f"{video}.mp4"
            if video not in found:
                skipped.append(Skip(self.within(path), "listed, but not on disk"))
            elif not captions.get(video):
                skipped.append(Skip(self.within(path), "no caption"))
            else:
                sentences = tuple(captions[video])
                truth = Truth(sentences[0], sentences, category, video, self.split, self.within(path))
                items.append(Item(path, truth))
        return Listing(items, len(found), len(found - categories.keys()), skipped)

    def _official(self, names: list[str]) -> tuple[dict[str, list[str]], dict[str, int]]:
        """Captions by video and the category of every video of the split, from the official files."""
        captions: dict[str, list[str]] = {}
        categories: dict[str, int] = {}
        for name in names:
            path = self.folder / "annotation" / name
            data = json_object(path)
            for video in json_rows(path, data, "videos", {"video_id": str, "split": str}):
                where = f"{path}, {video['video_id']}"
                if video["split"] not in _SPLITS:
                    raise UserError(f"{where}: the split must be train, validate or test, not {video['split']!r}")
                category = video.get("category", -1)
                if not isinstance(category, int) or not -1 <= category <= 19:
                    raise UserError(f"{where}: the category must be 0 to 19, not {category!r}")
                if video["video_id"] in categories:
                    raise UserError(f"{where} is listed twice")
                if self.split in ("all", _SPLITS[video["split"]]):
                    categories[video["video_id"]] = category
            for sentence in json_rows(path, data, "sentences", {"video_id": str, "caption": str}):
                captions.setdefault(sentence["video_id"], []).append(sentence["caption"])
        if not categories:
            missing = [name for name in _OFFICIAL if name not in names]
            raise self.absent(f"no video of {self.split} is listed; annotation/{' and '.join(missing)} is missing")
        return captions, categories

    def _frozen_in_time(self) -> tuple[dict[str, list[str]], dict[str, int]]:
        """The same from MSR_VTT.json and the split's list, which has one video id a line."""
        path = self.folder / "annotation" / "MSR_VTT.json"
        if not path.is_file():
            raise self.absent("annotation/ holds neither of the two forms of the captions")
        captions: dict[str, list[str]] = {}
        for sentence in json_rows(path, json_object(path), "annotations", {"image_id": str, "caption": str}):
            captions.setdefault(sentence["image_id"], []).append(sentence["caption"])
        if self.split == "all":
            return captions, dict.fromkeys(captions, -1)
        file = self.need(f"high-quality/structured-symlinks/{self.split}_list_full.txt")
        categories: dict[str, int] = {}
        for line, text in text_lines(file):
            if not _ID.fullmatch(text):
                raise bad_line(file, line, f"a line is a video id, for example video123, not {text!r}")
            if text in categories:
                raise bad_line(file, line, f"{text} is listed twice")
            categories[text] = -1
        return captions, categories


DATASET = MSRVTT
