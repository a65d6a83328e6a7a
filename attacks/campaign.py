"""The plan of all attacks, and the command that carries it out."""

from __future__ import annotations

import argparse
import difflib
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from attacks import disks, facts, inputs, kills, places
from attacks.tally import Fire, Tally
from kiloframe.cli import COMMANDS
from kiloframe.errors import UserError
from kiloframe.sources import checkout
from kiloframe.stopping import status_of

__all__ = ["ATTACKS", "Attack", "default_folder", "main", "warm"]


class Attack(NamedTuple):
    """An attack: one input and its judgement per step; the share of the time it gets, and whether it needs torch."""

    title: str
    begin: Callable[[Fire], Iterator[None]]
    share: float
    torch: bool = False


ATTACKS = {
    "command-line": Attack("Command line: odd words", inputs.command_line, 2),
    "sql": Attack("SQL: odd queries", inputs.sql, 1),
    "facts": Attack("Fact files (YAML): damaged", inputs.fact_files, 2),
    "results": Attack("Result files (JSON): damaged", inputs.results, 1),
    "weights": Attack("Weight files: damaged", inputs.weights, 1, True),
    "video": Attack("Video files: damaged", inputs.video, 2, True),
    "encoding": Attack("Bytes that are not UTF-8", inputs.encodings, 1, True),
    "pages": Attack("Hostile facts in HTML", facts.pages, 2),
    "database": Attack("Hostile facts in SQLite", facts.database, 1),
    "spreadsheet": Attack("Hostile facts in CSV", facts.spreadsheet, 1),
    "citations": Attack("Hostile facts in BibTeX", facts.citations, 1),
    "shell": Attack("Hostile words in shell completion", facts.shell, 1),
    "killed-export": Attack("Killed: kiloframe export", partial(kills.killed, part="export"), 2),
    "killed-generate": Attack("Killed: kiloframe generate", partial(kills.killed, part="generate"), 4, True),
    "killed-world": Attack("Killed: kiloframe world", partial(kills.killed, part="world"), 2, True),
    "killed-train": Attack("Killed: kiloframe train", partial(kills.killed, part="train"), 6, True),
    "killed-run": Attack("Killed: kiloframe run", partial(kills.killed, part="run"), 6),
    "full-disk": Attack("The disk is full", disks.full_disk, 4, True),
    "no-place": Attack("Folders that cannot be written", disks.no_place, 2, True),
    "no-home": Attack("No home directory", places.no_home, 2, True),
    "twice": Attack("The same command twice at once", places.twice, 4, True),
    "offline": Attack("No network", places.offline, 2, True),
}
"""By the name of the record."""


def default_folder() -> Path:
    """build/under_fire of the checkout."""
    return checkout() / "build" / "under_fire"


def warm(torch: bool) -> None:
    """Import what the commands import, once, so that a forked child begins with its work."""
    import importlib

    names = ["concurrent.futures.process", "ipykernel", "papermill", "pandas", "pyarrow.parquet", "yaml"]
    names += [
        f"kiloframe.{name}" for name in ("execute", "exports", "lint", *(f"commands.{c}" for c in COMMANDS.values()))
    ]
    if torch:
        names += ["av", "torch._dynamo", "scipy.ndimage", "sklearn"]
        names += [
            f"reproductions.{name}" for name in ("training", "video", "worlds", "methods.fdm", "methods.stylegan_v")
        ]
    for name in names:
        importlib.import_module(name)


def main(arguments: list[str] | None = None) -> int:
    """Carry out the attacks; the exit status: 0 nothing was wrong, 1 something was, 2 a mistake, 130 stopped."""
    parser = argparse.ArgumentParser(prog="python -m attacks", description=__doc__)
    parser.add_argument("--folder", type=Path, default=default_folder(), metavar="FOLDER", help="for the records")
    parser.add_argument("--minutes", type=float, default=8.0, metavar="M", help="for all attacks together (default: 8)")
    parser.add_argument("--rounds", type=int, metavar="N", help="so many inputs of each attack, instead of a time")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    parser.add_argument(
        "--only", action="append", metavar="KIND[=N]",
        help=f"this attack, and so many inputs of it; repeatable; one of: {', '.join(ATTACKS)}",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    wrong = 0

    def work() -> None:
        nonlocal wrong
        rounds = dict(_asked(word) for word in given.only or ATTACKS)
        chosen = {kind: ATTACKS[kind] for kind in rounds}
        if not given.minutes > 0 or (given.rounds is not None and given.rounds < 1):
            raise UserError("--minutes must be more than 0, and --rounds at least 1")
        shares = sum(attack.share for attack in chosen.values())
        warm(any(attack.torch for attack in chosen.values()))
        for kind, attack in chosen.items():
            count = rounds[kind] or given.rounds
            limit = float("inf") if count is not None else 60 * given.minutes * attack.share / shares
            tally = carry_out(kind, attack, given.seed, limit, count)
            tally.save(given.folder)
            wrong += tally.wrong
            print(
                f"{kind}: {tally.inputs} inputs, {tally.faults} faults, {tally.answered} answered, "
                f"{tally.refused} refused, {tally.stopped} stopped, {tally.tracebacks} tracebacks, "
                f"{tally.broken} broken, {tally.hung} hung; {tally.seconds:.0f} s", flush=True,
            )  # fmt: skip
            for example in tally.examples[:3]:
                print(f"  {example}", file=sys.stderr, flush=True)

    return status_of(work, "attacks", "the records of the attacks that were carried out are kept") or int(wrong > 0)


def carry_out(kind: str, attack: Attack, seed: int, limit: float, rounds: int | None) -> Tally:
    """One attack, for so many seconds or inputs; the same seed makes the same inputs in the same order."""
    tally, began = Tally(kind, attack.title, seed), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kiloframe-attack-") as name:
        steps = attack.begin(Fire(tally, random.Random(f"{seed}/{kind}"), Path(name)))
        try:
            for _ in itertools.islice(steps, rounds):
                tally.seconds = time.monotonic() - began
                if tally.seconds > limit:
                    break
        finally:
            steps.close()  # type: ignore[attr-defined]
    tally.seconds = time.monotonic() - began
    return tally


def _asked(word: str) -> tuple[str, int | None]:
    """The attack, and how many inputs of it are wanted, None where that is not said."""
    kind, _, count = word.partition("=")
    if count and not (count.isdecimal() and int(count) > 0):
        raise UserError(f"--only {kind}= needs a number of inputs from 1, not {count!r}")
    if kind not in ATTACKS:
        near = difflib.get_close_matches(kind, ATTACKS, 1)
        hint = f"; nearest: {near[0]}" if near else ""
        raise UserError(f"there is no attack {kind!r}{hint}; they are: {', '.join(ATTACKS)}")
    return kind, int(count) if count else None
