"""Loaders for the data sets of the survey's Table 1, in the layouts in which they are handed out.

    videos = loaders.open("ucf_101", "/data/ucf101", split="train01", size=16)
    clip = videos.clip(3, start=0, frames=16)       # as a world gives it: clip.video (t, 3, h, w), clip.truth
    batch = videos.draw(rng, batch=8, frames=16)    # any clips that are long enough, with their truth
    print(videos.report(check=True))                # what was found, listed, passed over, and why

`folder` below is what is given to `open`; sizes are read from nothing but the files. Terms and sources of each data
set stand on its page of the site, /datasets/<slug>/; nothing here downloads anything.

| data set | below `folder` | splits (first: default) | an item; what its truth holds | terms |
| --- | --- | --- | --- | --- |
| `ucf_101` | `UCF-101/<Class>/*.avi`, `ucfTrainTestlist/*.txt` | train, test (= 01), train01 to test03, all | a file; label, action, group, number | /datasets/ucf_101/: research, no licence text found |
| `kth` | `<action>/person<PP>_<action>_d<K>_uncomp.avi`, `00sequences.txt` | train (persons 1 to 20), test (21 to 25), official-train, -val, -test, all | a sequence of 00sequences.txt; label, action, person, scenario, sequence, first, last | /datasets/kth/: not commercial |
| `sky_timelapse` | `sky_train/<video>/<clip>/*.jpg`, `sky_test/...` | train, test | a folder of frames, rate unknown; video, clip | /datasets/sky_timelapse/: none stated |
| `taichi_hd` | `train/<video>#<start>#<end>.mp4` (or folder of .png), `test/...`, `taichi-metadata.csv` | train, test | a chunk; video, start, end, rate | /datasets/taichi_hd/: YouTube's |
| `kinetics_600` | `<split>/<class>/<id>_<start>_<end>.mp4`, `annotations/<split>.csv` | train, val, test | a file; label, action, video, start, end | /datasets/kinetics_600/: YouTube's |
| `webvid_10m` | `metadata/results_<cut>_<split>.csv`, `videos/<page_dir>/<videoid>.mp4` | train, val | a file; caption, video, page | /datasets/webvid_10m/: withdrawn |
| `msr_vtt` | `videos/all/video<ID>.mp4`, `annotation/*.json` | train, val, test, all | a file; caption, captions, category, video | /datasets/msr_vtt/: research, no licence text found |
| `bair_robot_pushing` | `softmotion30_44k/<split>/*.tfrecords` | train, test | a record, rate unknown; action and position per frame, record, camera | /datasets/bair_robot_pushing/: CC BY 4.0 |
"""  # noqa: E501

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from kiloframe.words import choose
from reproductions.loaders.base import Dataset

__all__ = ["kind", "names", "open"]

_NAMES = (
    "bair_robot_pushing", "kinetics_600", "kth", "msr_vtt", "sky_timelapse", "taichi_hd", "ucf_101", "webvid_10m",
)  # fmt: skip


def names() -> list[str]:
    """The slugs of the data sets that can be opened: those of the survey's Table 1."""
    return list(_NAMES)


def kind(name: str) -> type[Dataset[Any]]:
    """The class of a data set, with its `layout`, its `splits` and options of its own. Raises UserError."""
    (slug,) = choose([name], "data set with a loader", _NAMES)
    found: type[Dataset[Any]] = importlib.import_module(f"reproductions.loaders.{slug}").DATASET
    return found


def open(name: str, folder: str | Path, split: str | None = None, size: int = 16, fps: float = 10) -> Dataset[Any]:
    """A data set on disk. split: one of its `splits`, by default the first; size, fps: of the clips it gives.

    Raises UserError for an unknown data set or split, a folder in another layout, and a malformed list.
    """
    return kind(name)(folder, split, size, fps)
