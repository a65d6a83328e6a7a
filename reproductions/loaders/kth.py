"""KTH Actions: 25 persons, 6 actions, 4 scenarios; 2,391 sequences in 599 files, 160x120 at 25 fps (ICPR 2004).

An item is a sequence of 00sequences.txt, not a file: between the sequences of one file the actor is out of sight.
Assumptions beyond catalogue/datasets/kth.yaml: the sequence file may open with prose, and lines `Training:`,
`Validation:` and `Test:` in it name the official persons; a file it marks `*missing*` was never published; sequences
may overlap and need not stand in order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kiloframe.errors import UserError
from reproductions.loaders.base import Dataset, Item, Listing, Skip, Text, Whole
from reproductions.loaders.lists import bad_line, text_lines

__all__ = ["ACTIONS", "DATASET", "KTH", "Truth"]

ACTIONS = ("boxing", "handclapping", "handwaving", "jogging", "running", "walking")
PERSONS = range(1, 26)
FILE_FPS = 25.0
_LINE = re.compile(
    rf"(?P<name>person(?P<person>\d\d)_(?P<action>{'|'.join(ACTIONS)})_d(?P<scenario>[1-4]))\s+"
    r"(?:frames\s+(?P<ranges>\d+-\d+(?:\s*,\s*\d+-\d+)*)|\*missing\*)"
)
_OFFICIAL = {"Training": "official-train", "Validation": "official-val", "Test": "official-test"}
_SPLIT = re.compile(rf"(?P<split>{'|'.join(_OFFICIAL)}):\s*person(?P<persons>\d\d(?:\s*,\s*\d\d)*)")


@dataclass(frozen=True)
class Truth:
    """label: 0 to 5, in the order of ACTIONS; action; person: 1 to 25; scenario: 1 even background, 2 changes of
    scale, 3 other clothes, 4 changes of light; sequence: from 1 in its file; first, last: its frames in the file, from
    1 and both included, as the sequence file has them; split: as asked for; path: within the data set."""

    label: Whole
    action: Text
    person: Whole
    scenario: Whole
    sequence: Whole
    first: Whole
    last: Whole
    split: Text
    path: Text


class KTH(Dataset[Truth]):
    """The data set. split: "train" (persons 1 to 20) and "test" (21 to 25) as video prediction has them;
    "official-train", "official-val", "official-test" (8, 8 and 9 persons) where 00sequences.txt names them; "all"."""

    slug = "kth"
    name = "KTH Actions"
    layout = ("<action>/person<PP>_<action>_d<1-4>_uncomp.avi", "00sequences.txt")
    splits = ("train", "test", "official-train", "official-val", "official-test", "all")

    def _list(self) -> Listing[Truth]:
        sequences, official = _sequences(self.need("00sequences.txt"))
        persons: set[int] = {"train": set(range(1, 21)), "test": set(range(21, 26)), "all": set(PERSONS)}.get(
            self.split, official.get(self.split, set())
        )
        if not persons:
            raise UserError(f"00sequences.txt in {self.folder} does not name the persons of {self.split}")
        found = {path.name: path for path in self.folder.glob("*/person*_uncomp.avi")}
        items: list[Item[Truth]] = []
        skipped: list[Skip] = []
        named: set[str] = set()
        for name, ranges in sequences.items():
            parts = _LINE.fullmatch(f"{name} *missing*")
            assert parts is not None
            if int(parts["person"]) not in persons:
                continue
            file = f"{name}_uncomp.avi"
            path = self.folder / parts["action"] / file
            named.add(file)
            if not ranges:
                skipped.append(Skip(self.within(path), "never published, says 00sequences.txt"))
            elif found.get(file) != path:
                skipped.append(Skip(self.within(path), "listed, but not on disk"))
            else:
                for number, (first, last) in enumerate(ranges, start=1):
                    truth = Truth(
                        ACTIONS.index(parts["action"]), parts["action"], int(parts["person"]), int(parts["scenario"]),
                        number, first, last, self.split, self.within(path),
                    )  # fmt: skip
                    items.append(Item(path, truth, first - 1, last, fps=FILE_FPS))
        return Listing(items, len(found), len(found.keys() - named), skipped)


def _sequences(path: Path) -> tuple[dict[str, list[tuple[int, int]]], dict[str, set[int]]]:
    """00sequences.txt: `personPP_action_dK  frames  s1-e1, s2-e2, ...` a line, frames from 1 and both ends included."""
    sequences: dict[str, list[tuple[int, int]]] = {}
    official: dict[str, set[int]] = {}
    for line, text in text_lines(path):
        split = _SPLIT.fullmatch(text)
        if split is not None:
            official[_OFFICIAL[split["split"]]] = {int(number) for number in split["persons"].split(",")}
            continue
        parts = _LINE.fullmatch(text)
        if parts is None and not sequences and not text.startswith("person"):
            continue  # the prose at the top
        if parts is None or int(parts["person"]) not in PERSONS:
            form = "personPP_<action>_d<1-4>  frames  <first>-<last>, ..."
            raise bad_line(path, line, f"a line is '{form}' with the persons 01 to 25, not {text!r}")
        if parts["name"] in sequences:
            raise bad_line(path, line, f"{parts['name']} is listed twice")
        ranges = []
        for span in re.findall(r"\d+-\d+", parts["ranges"] or ""):
            first, last = map(int, span.split("-"))
            if not 1 <= first <= last:
                raise bad_line(path, line, f"frames count from 1 and do not run backwards, not {span}")
            ranges.append((first, last))
        sequences[parts["name"]] = ranges
    if not sequences:
        raise UserError(f"{path} lists no sequence")
    return sequences, official


DATASET = KTH
