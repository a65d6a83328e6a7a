"""Kills at random moments and between any two operations on files; then the same command again."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from attacks import works
from attacks.child import Child, Outcome, Planned, run
from attacks.tally import Fire
from attacks.works import Work, aged, expected, state, strangers

__all__ = ["any_work", "checkpoints_all_the_time", "cycle", "killed"]

STEPS = (0, 1, 1, 1, 2, 2, 3, 4, 6, 9, 14)
"""Steps of Python after an operation on files: the first ones lie between opening a file and closing it."""
TIMES = 3
"""At most so many kills of one command before it is left in peace."""


def killed(fire: Fire, part: str) -> Iterator[None]:
    """Kill a command of this part up to three times, then let it end: it must leave what it leaves in peace."""
    tally, rng, folder = fire.tally, fire.rng, fire.folder / "a {place} of its own"
    for work in cycle(works.WORKS[part], rng):
        former = rng.random() < 0.5
        work.lay(folder, former)
        tally.tried(work.name)
        for _ in range(rng.randint(1, TIMES)):
            outcome, how = _kill(work, fire)
            tally.faults += outcome.code != 0
            told = f"{work.name}, {how}, seed {tally.seed}, input {tally.inputs}"
            tally.judge(outcome, told, killed=True)
            for wrong in work.torn(folder, former):
                tally.fault("broken", f"{told}: {wrong}")
        aged(folder)
        outcome = run(work.words, folder, prepare=work.prepare(folder))
        if tally.judge(outcome, f"again: {told}"):
            if state(work, folder) != expected(work).state:
                tally.fault("broken", f"{told}: not what it leaves in peace")
            for name in strangers(work, folder):
                tally.fault("broken", f"{told}: {name} is left behind")
        elif outcome.code == 2:
            tally.fault("broken", f"{told}: it cannot be started again: {outcome.err[-300:]}")
        for name in _running(folder) if work.notebook else ():
            tally.fault("broken", f"{told}: {name} still runs")
        yield


def _running(folder: Path) -> list[str]:
    """Processes that work in the folder a minute later: kernels, which must notice that nobody waits for them."""
    for _ in range(600):
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.readlink(process / "cwd").startswith(str(folder.resolve())):
                    found.append(f"{process.name} {(process / 'cmdline').read_bytes()[:80]!r}")
        if not found:
            break
        time.sleep(0.1)
    return found


def any_work(rng: random.Random) -> Iterator[Work]:
    """A command of each part in turn, the quick ones as often as the slow ones."""
    turns = {part: cycle(given, rng) for part, given in works.WORKS.items()}
    while True:
        for part in rng.sample(sorted(works.WORKS), len(works.WORKS)):
            yield next(turns[part])


def cycle(given: tuple[Work, ...], rng: random.Random) -> Iterator[Work]:
    """All of them again and again, each time in another order."""
    while True:
        yield from rng.sample(given, len(given))


def _kill(work: Work, fire: Fire) -> tuple[Outcome, str]:
    rng, folder = fire.rng, fire.folder / "a {place} of its own"
    peace = expected(work).outcome
    number = rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))
    often = rng.random() < 0.7
    ready = work.prepare(folder, checkpoints_all_the_time if often and work.part == "train" else None)
    if rng.random() < 0.7:
        planned = Planned(number, rng.randint(1, max(1, peace.operations)), rng.choice(STEPS))
        how = f"signal {number:d} at operation {planned.operation} and {planned.steps} steps"
        return run(work.words, folder, prepare=ready, planned=planned), how
    moment = rng.uniform(0, peace.seconds)
    child = Child(work.words, folder, prepare=ready)
    time.sleep(moment)
    child.kill(number)
    return child.wait(), f"signal {number:d} after {moment:.2f} s"


def checkpoints_all_the_time() -> None:
    """So that kills meet a checkpoint that is being written, which otherwise happens once a minute."""
    from reproductions import training

    training.CHECKPOINT_SECONDS = 0
