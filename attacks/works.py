"""The commands that write files, each with what it leaves, so that two outcomes can be compared byte by byte."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from attacks.child import Outcome, run

__all__ = ["WORKS", "Expected", "Work", "aged", "expected", "state", "strangers"]

TINY = """\
# %% [markdown]
# # Tiny

# %% tags=["parameters"]
scale = "toy"
seed = 0
out = ""

# %%
from pathlib import Path
from kiloframe.results import Media, Result, write_result

folder = Path(out or "build/runs")
(folder / "tiny").mkdir(parents=True, exist_ok=True)
(folder / "tiny" / "clip.txt").write_text(f"seed {seed}\\n" * 4000)

# %%
media = [Media(file="clip.txt", kind="image", caption="A clip.", alt="A clip")]
result = Result(slug="tiny", title="Tiny", scale=scale, seed=seed, seeds=[seed], media=media)
write_result(result, folder / "tiny.json")
"""
"""A notebook that takes no time: what it makes is written by `kiloframe run`, frozen, and so replaced as a whole."""
CHANGING = ("created", "seconds", "read")
"""What two runs of one command do not have in common, in the JSON beside weights and in results."""

FORMER = b"what was there before\n"


class Work(NamedTuple):
    """A command, the files that it leaves (relative to where it stands), and whether it is about a notebook."""

    part: str
    words: tuple[str, ...]
    leaves: tuple[str, ...]
    notebook: bool = False

    @property
    def name(self) -> str:
        """As it is typed."""
        return " ".join(("kiloframe", *self.words))

    def prepare(self, folder: Path, more: Callable[[], None] | None = None) -> Callable[[], None]:
        """What the child does first: a notebook is looked for in `folder`, which stands for the checkout."""

        def ready() -> None:
            if self.notebook:
                from kiloframe import execute

                setattr(execute, "checkout", lambda: folder)  # noqa: B010
            if more is not None:
                more()

        return ready

    def lay(self, folder: Path, former: bool) -> None:
        """An empty place, or one in which the command has been run before."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.lay_in(folder)
        if former:
            for name in self.leaves:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(FORMER)

    def lay_in(self, folder: Path) -> None:
        """What the command reads, in a folder that is there."""
        if self.notebook:
            (folder / "notebooks").mkdir()
            (folder / "notebooks" / "tiny.py").write_text(TINY)

    def torn(self, folder: Path, former: bool) -> list[str]:
        """What is at a final path and neither the former file nor the new one; and former files that are lost.

        A former result may lie aside, in a folder that the next run knows.
        """
        wrong = []
        for name, data in state(self, folder).items():
            aside = [
                path for path in folder.rglob(Path(name).name) if "/.leaving-" in str(path) or "/.former-" in str(path)
            ]
            if data is None and former and not aside:
                wrong.append(f"{name} is lost")
            if data is not None and data not in (FORMER if former else None, expected(self).state[name]):
                wrong.append(f"{name} is neither the former nor the new one ({len(data)} bytes)")
        return wrong


def _export(name: str, *more: str) -> Work:
    return Work("export", ("export", name, *more), (name,))


def _generate(slug: str, frames: int, name: str, *more: str) -> Work:
    return Work("generate", ("generate", slug, "--frames", str(frames), "-o", name, *more), (name,))


def _train(slug: str, steps: int) -> Work:
    words = ("train", slug, "--preset", "smoke", "--steps", str(steps), "--out", "kept/w.safetensors")
    return Work("train", words, ("kept/w.safetensors", "kept/w.json"))


_RESULT = tuple(
    f"{place}/tiny{rest}" for place in ("build/runs", "results") for rest in (".json", ".ipynb", "/clip.txt")
)
WORKS = {
    "export": (
        _export("facts.sqlite"), _export("facts.csv"), _export("facts.json"), _export("facts.bib"), _export("facts.md"),
        _export("claims.csv", "--table", "claims"), _export("facts.parquet"),
    ),
    "generate": (
        _generate("stylegan_v", 24, "film.mp4", "--seed", "1"), _generate("fdm", 4, "film.webm"),
        _generate("stylegan_v", 12, "film.gif"), _generate("fdm", 4, "film.webp", "--seed", "2"),
    ),
    "world": (Work("world", ("world", "shapes", "--frames", "20", "-o", "film.mp4"), ("film.mp4",)),),
    "train": (_train("stylegan_v", 4), _train("fdm", 4)),
    "run": (Work("run", ("run", "tiny", "--freeze"), _RESULT, notebook=True),),
}  # fmt: skip
"""By command; every one leaves the same bytes each time, but for times and dates."""


class Expected(NamedTuple):
    """What an uninterrupted run leaves: the bytes, and the same without what differs between runs; how long it took."""

    files: dict[str, bytes]
    state: dict[str, bytes | None]
    outcome: Outcome


@cache
def expected(work: Work) -> Expected:
    """Run the command once in peace. Raises RuntimeError where it does not even then end well."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="kiloframe-peace-") as name:
        folder = Path(name) / "a {place} of its own"
        work.lay(folder, former=False)
        outcome = run(work.words, folder, prepare=work.prepare(folder))
        if outcome.code != 0:
            raise RuntimeError(f"{work.name} fails in peace: {outcome.err[-2000:]}")
        return Expected({name: (folder / name).read_bytes() for name in work.leaves}, state(work, folder), outcome)


def state(work: Work, folder: Path) -> dict[str, bytes | None]:
    """The content of every file that the command leaves, without times and dates; None for one that is not there."""
    return {name: _content(folder / name) for name in work.leaves}


def _content(path: Path) -> bytes | None:
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if path.suffix == ".json" and data.lstrip().startswith(b"{"):
        try:
            record = json.loads(data)
        except ValueError:
            return data
        return json.dumps({name: value for name, value in record.items() if name not in CHANGING}).encode()
    return data


_KEPT = ("notebooks", ".lock", ".times")


def strangers(work: Work, folder: Path) -> list[str]:
    """Files and folders that the command should not have left behind."""
    known = {parent.as_posix() for name in work.leaves for parent in (Path(name), *Path(name).parents)}
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return [name for name in found if name not in known and not any(part in name for part in _KEPT)]


def aged(folder: Path) -> None:
    """As if everything had been written a minute ago: only then is what a kill left known to be nobody's."""
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - 60,) * 2, follow_symlinks=False)
