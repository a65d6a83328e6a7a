"""The whole field: every task once, in order, each leaving one JSON; interrupted at any time, taken up again later."""

from __future__ import annotations

import datetime
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from kiloframe.files import write_atomically
from kiloframe.progress import Progress
from kiloframe.sources import checkout
from reproductions.level_field.plan import Settings, as_json, contenders, entrants, key_of, trivial

__all__ = ["SETTINGS", "Task", "default_folder", "is_done", "run", "tasks"]

SETTINGS = "settings.json"
_FRAME_SECONDS = 0.12  # a frame of a video, generated and measured; a first guess, until tasks of its kind have run


_Inputs = Callable[[], dict[str, Any]]
_Work = Callable[[Path, Path], dict[str, Any]]


@dataclass(frozen=True)
class Task:
    """One piece of work. id: its record is <folder>/<id>.json; inputs: all that decides the outcome; work: given the
    folder and the file to leave beside the record, returns what it found; guess: seconds; beside: that file's suffix.
    """

    id: str
    inputs: _Inputs
    work: _Work
    guess: float
    beside: str = ".npz"

    @property
    def kind(self) -> str:
        """Tasks of one kind take about as long as guessed, or all as many times longer."""
        return self.id.split("/")[0]


def default_folder() -> Path:
    """build/level_field of the checkout."""
    return checkout() / "build" / "level_field"


def tasks(settings: Settings) -> list[Task]:
    """Every task of the field in the order of the work: references, training, then the videos, the short ones first.

    Raises UserError for a method without the variant that its world needs.
    """
    from reproductions.level_field import cost, exchange, measured, trained

    found: list[Task] = []

    def add(id: str, inputs: _Inputs, work: _Work, guess: float, beside: str = ".npz") -> None:
        found.append(Task(id, inputs, work, guess, beside))

    for world in settings.worlds:
        add(
            f"reference/{world}",
            partial(measured.reference_inputs, world, settings),
            partial(measured.reference, world, settings),
            2 + settings.reference / 60,
        )
    here = entrants(settings)
    for e, r in product(here, settings.trainings):
        add(
            f"train/{e.id}-r{r}",
            partial(trained.inputs, e, r, settings),
            partial(trained.train, e, r, settings),
            settings.budget + 5,
            ".safetensors",
        )
    made = [(c, r) for e in here for c in contenders(e) for r in settings.trainings]
    first = settings.trainings[0]
    for n in sorted(settings.lengths):
        for (c, r), s in product([*((c, first) for c in trivial(settings)), *made], settings.seeds):
            add(
                f"measure/{c.id}-{n}-s{s}-r{r}",
                partial(measured.inputs, c, n, s, r, settings),
                partial(measured.measure, c, n, s, r, settings),
                1 + (_FRAME_SECONDS if c.entrant else 0.01) * n,
            )
        for c, r in made if n in settings.costed else ():
            if c.entrant is None or c.entrant.changes:
                continue  # the same network: it costs the same
            add(
                f"cost/{c.id}-{n}-r{r}",
                partial(cost.inputs, c, n, r, settings),
                partial(cost.cost, c, n, r, settings),
                5 + (2 + len(settings.seeds)) * _FRAME_SECONDS * n,
                ".json",
            )
    for (c, r), s in product(made, settings.seeds):
        if exchange.can(c):
            add(
                f"exchange/{c.id}-s{s}-r{r}",
                partial(exchange.inputs, c, s, r, settings),
                partial(exchange.exchange, c, s, r, settings),
                15,
            )
    return found


def is_done(task: Task, folder: Path) -> bool:
    """Whether the task's record is there and its inputs have not changed since. A damaged record is none."""
    try:
        record = json.loads((folder / f"{task.id}.json").read_bytes())
        there = (folder / f"{task.id}{task.beside}").is_file()
        return there and bool(record["inputs"] == key_of(task.inputs()))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def run(settings: Settings, folder: Path, *, progress: bool = True) -> tuple[int, int]:
    """Do every task that is not done; returns how many were done now, and how many there are.

    Raises KeyboardInterrupt when asked to stop: what was finished stays, and a training goes on where it was.
    """
    every = tasks(settings)
    write_atomically(folder / SETTINGS, as_json(settings))
    waiting = [task for task in every if not is_done(task, folder)]
    guesses = [task.guess for task in waiting]
    bar = Progress("level field", len(waiting), guesses, shown=progress and bool(waiting), what="task")
    spent: dict[str, list[float]] = {}
    try:
        for number, task in enumerate(waiting):
            bar.start(number)
            began = time.monotonic()
            found = task.work(folder, folder / f"{task.id}{task.beside}")
            seconds = time.monotonic() - began
            _keep(task, found, seconds, folder)
            bar.end(number)
            spent.setdefault(task.kind, []).append(seconds / task.guess)
            ratio = sorted(spent[task.kind])[len(spent[task.kind]) // 2]
            guesses[number] = seconds
            guesses[number + 1 :] = [
                later.guess * ratio if later.kind == task.kind else guess
                for later, guess in zip(waiting[number + 1 :], guesses[number + 1 :], strict=True)
            ]
    finally:
        bar.close()
    return len(waiting), len(every)


def _keep(task: Task, found: dict[str, Any], seconds: float, folder: Path) -> None:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    record = {
        "task": task.id, "inputs": key_of(task.inputs()), "took": round(seconds, 2), "created": now,
        "on": f"{platform.machine()}, {os.cpu_count()} cores", "found": found,
    }  # fmt: skip
    write_atomically(folder / f"{task.id}.json", json.dumps(record, indent=1) + "\n")
