"""UCF-101: 13,320 clips of 101 human actions, 320x240, with three official splits (arXiv 1212.0402).

Assumption beyond catalogue/datasets/ucf_101.yaml: the class in a file's name may differ in case from the class index.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from reproductions.loaders.base import Dataset, Item, Listing, Skip, Text, Whole
from reproductions.loaders.lists import as_whole, bad_line, text_lines

__all__ = ["DATASET", "UCF101", "Truth"]

_NAME = re.compile(r"(?P<folder>\w+)/v_(?P<action>\w+)_g(?P<group>\d{2})_c(?P<number>\d{2})\.avi")


@dataclass(frozen=True)
class Truth:
    """label: 0 to 100, the class index less one; action: the class name; group: from 1, clips of one group come from
    one source video, so a split of one's own must keep them together; number: of the clip in its group; split: as
    asked for; path: within the data set."""

    label: Whole
    action: Text
    group: Whole
    number: Whole
    split: Text
    path: Text


class UCF101(Dataset[Truth]):
    """The data set. split: "train01" to "test03", by their lists ("train" and "test" are the first ones), or "all":
    every file, as protocols that compare with train and test together need."""

    slug = "ucf_101"
    name = "UCF-101"
    layout = (
        "UCF-101/<ClassName>/v_<ClassName>_g<group>_c<clip>.avi",
        "ucfTrainTestlist/classInd.txt",
        "ucfTrainTestlist/trainlist01.txt, 02, 03",
        "ucfTrainTestlist/testlist01.txt, 02, 03",
    )
    splits = ("train", "test", "train01", "train02", "train03", "test01", "test02", "test03", "all")

    def _list(self) -> Listing[Truth]:
        root = self.need("UCF-101", folder=True)
        classes = _classes(self.need("ucfTrainTestlist/classInd.txt"))
        found = {path.relative_to(root).as_posix() for path in root.glob("*/*.avi")}
        if self.split == "all":
            fit = {name for name in found if _parts(name, classes)}
            missing, wrong = set[str](), found - fit
        else:
            kind = self.split.rstrip("0123456789")
            file = self.need(f"ucfTrainTestlist/{kind}list{self.split.removeprefix(kind) or '01'}.txt")
            listed = _listed(file, classes, labelled=kind == "train")
            fit, missing, wrong = listed & found, listed - found, set[str]()
        skipped = [Skip(f"UCF-101/{name}", "listed, but not on disk") for name in sorted(missing)]
        skipped += [Skip(f"UCF-101/{name}", "not named as the data set's files are") for name in sorted(wrong)]
        items = [self._item(root / name, name, classes) for name in sorted(fit)]
        return Listing(items, len(found), len(found - fit - wrong), skipped)

    def _item(self, path: Path, name: str, classes: dict[str, int]) -> Item[Truth]:
        parts = _parts(name, classes)
        assert parts is not None  # names were looked at when they were listed
        action = parts["folder"]
        truth = Truth(classes[action], action, int(parts["group"]), int(parts["number"]), self.split, self.within(path))
        return Item(path, truth)


def _parts(name: str, classes: dict[str, int]) -> re.Match[str] | None:
    """The parts of `<ClassName>/v_<ClassName>_gGG_cCC.avi`, None for any other name."""
    parts = _NAME.fullmatch(name)
    known = parts is not None and parts["folder"] in classes and parts["action"].lower() == parts["folder"].lower()
    return parts if known else None


def _classes(path: Path) -> dict[str, int]:
    """classInd.txt: `<index from 1> <ClassName>` a line, in order."""
    classes: dict[str, int] = {}
    for line, text in text_lines(path):
        words = text.split()
        if len(words) != 2:
            raise bad_line(path, line, f"a line is '<index> <ClassName>', not {text!r}")
        index = as_whole(path, line, "the index", words[0])
        if index != len(classes) + 1 or words[1] in classes:
            raise bad_line(path, line, f"the indices run from 1 without gaps and each class stands once, not {text!r}")
        classes[words[1]] = index - 1
    return classes


def _listed(path: Path, classes: dict[str, int], *, labelled: bool) -> set[str]:
    """trainlistNN.txt: `<ClassName>/<file>.avi <index>` a line; testlistNN.txt: the file alone."""
    names: set[str] = set()
    form = "<ClassName>/v_<ClassName>_g<group>_c<clip>.avi" + (" <index>" if labelled else "")
    for line, text in text_lines(path):
        words = text.split()
        parts = _parts(words[0], classes)
        if len(words) != 1 + labelled or parts is None:
            raise bad_line(path, line, f"a line is '{form}' with a class of classInd.txt, not {text!r}")
        if labelled and as_whole(path, line, "the index", words[1]) != classes[parts["folder"]] + 1:
            raise bad_line(
                path, line, f"{parts['folder']} has the index {classes[parts['folder']] + 1}, not {words[1]}"
            )
        if words[0] in names:
            raise bad_line(path, line, f"{words[0]} is listed twice")
        names.add(words[0])
    return names


DATASET = UCF101
