"""The whole field: every task once, in order, each leaving one JSON; interrupted at any time, taken up again later."""

from __future__ import annotations

import datetime
import json
import multiprocessing
import os
import platform
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import Any

import torch

from kiloframe import cluster
from kiloframe.errors import UserError
from kiloframe.files import write_atomically
from kiloframe.progress import Progress
from kiloframe.sources import checkout
from kiloframe.stopping import Stop
from reproductions.level_field.plan import (
    Contender,
    Settings,
    as_json,
    contenders,
    costed,
    entrants,
    key_of,
    settings_of,
    trivial,
)

__all__ = ["SETTINGS", "Task", "default_folder", "is_done", "run", "tasks"]

SETTINGS = "settings.json"
_FRAME_SECONDS = 0.12  # a frame of a video, generated and measured; a first guess, until tasks of its kind have run
_NEEDED = ("reference", "train")
"""Kinds of tasks that the others need."""
_ALONE = "cost"
"""The kind of task that measures time and memory of its own."""


_Inputs = Callable[[], dict[str, Any]]
_Work = Callable[[Path, Path], dict[str, Any]]


@dataclass(frozen=True)
class Task:
    """One piece of work. id: its record is <folder>/<id>.json; inputs: all that decides the outcome; work: given the
    folder and the file to leave beside the record, returns what it found; guess: seconds; beside: that file's suffix;
    needs: files of other tasks that it reads, below the folder.
    """

    id: str
    inputs: _Inputs
    work: _Work
    guess: float
    beside: str = ".npz"
    needs: tuple[str, ...] = ()

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

    def add(
        id: str, inputs: _Inputs, work: _Work, guess: float, beside: str = ".npz", needs: tuple[str, ...] = ()
    ) -> None:
        found.append(Task(id, inputs, work, guess, beside, needs))

    def weights(contender: Contender, training_seed: int) -> tuple[str, ...]:
        return (f"train/{contender.entrant.id}-r{training_seed}.safetensors",) if contender.entrant else ()

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
                needs=weights(c, r),
            )
        for c, r in made if n in settings.costed else ():
            if c.entrant is None or not costed(c, n, settings):
                continue
            add(
                f"cost/{c.id}-{n}-r{r}",
                partial(cost.inputs, c, n, r, settings),
                partial(cost.cost, c, n, r, settings),
                5 + (2 + len(settings.seeds)) * _FRAME_SECONDS * n,
                ".json",
                weights(c, r),
            )
    for (c, r), s in product(made, settings.seeds):
        if exchange.can(c):
            add(
                f"exchange/{c.id}-s{s}-r{r}",
                partial(exchange.inputs, c, s, r, settings),
                partial(exchange.exchange, c, s, r, settings),
                15,
                needs=weights(c, r),
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


def run_one(id: str, folder: Path) -> None:
    """Do one task of the field whose settings lie in the folder, and keep its record. Raises UserError for an unknown
    one.
    """
    settings = settings_of((folder / SETTINGS).read_text("utf-8"))
    for task in tasks(settings):
        if task.id == id:
            _keep(*_do(task, folder), folder)
            return
    raise UserError(f"the field has no task {id}")


def run_spread(settings: Settings, folder: Path, address: str, *, progress: bool = True) -> tuple[int, int]:
    """As `run`, on the Dask cluster at `address`: every task where a worker is free, each record as soon as it is back.

    Costs come last, and alone where each machine of the cluster has one worker of one thread. Raises UserError where
    tasks failed, for the others are kept, and as `kiloframe.cluster.spread` does.
    """
    root, every = checkout(), tasks(settings)
    write_atomically(folder / SETTINGS, as_json(settings))
    waiting = [task for task in every if not is_done(task, folder)]
    place = "build/level_field"

    def job(task: Task) -> cluster.Job:
        carry = {name: (folder / name).read_bytes() for name in (SETTINGS, *task.needs)}
        return cluster.Job(
            task.id, ("--task", task.id, "--folder", place), tuple(f"{place}/{name}" for name in _files(task)),
            {f"{place}/{name}": data for name, data in carry.items()}, "reproductions.level_field",
        )  # fmt: skip

    def collect(sent: cluster.Job, files: Mapping[str, bytes]) -> None:
        if set(files) != set(sent.bring):
            raise UserError(f"the task {sent.name} sent no record back")
        for name in sorted(
            files, key=lambda name: name == sent.bring[0]
        ):  # the record, which says that it is done, last
            write_atomically(folder / Path(name).relative_to(place), files[name])

    for phase in _phases(waiting):
        failed = cluster.spread(address, [job(task) for task in phase], root, collect, progress=progress)
        if failed:
            name, why = next(iter(failed.items()))
            raise UserError(f"{len(failed)} of {len(phase)} tasks failed, {name} because: {why}")
    return len(waiting), len(every)


def _files(task: Task) -> tuple[str, ...]:
    """The record first, then what lies beside it."""
    return tuple(dict.fromkeys([f"{task.id}.json", f"{task.id}{task.beside}"]))


def _phases(waiting: list[Task]) -> Iterator[list[Task]]:
    """First what others need, then the videos, then what must not be disturbed; none is empty."""
    kinds = [lambda kind: kind in _NEEDED, lambda kind: kind not in (*_NEEDED, _ALONE), lambda kind: kind == _ALONE]
    yield from filter(None, ([task for task in waiting if chosen(task.kind)] for chosen in kinds))


def run(settings: Settings, folder: Path, *, jobs: int = 1, progress: bool = True) -> tuple[int, int]:
    """Do every task that is not done, `jobs` at once; returns how many were done now, and how many there are.

    What is trained or made beside something else has the cores divided among them; costs are measured alone, last.
    Raises UserError for less than one job, and KeyboardInterrupt when asked to stop: what was finished stays, and a
    training goes on where it was.
    """
    if jobs < 1:
        raise UserError(f"--jobs must be at least 1, not {jobs}")
    every = tasks(settings)
    write_atomically(folder / SETTINGS, as_json(settings))
    waiting = [task for task in every if not is_done(task, folder)]
    open_ = {task.id: task for task in waiting}
    done: list[float] = []
    spent: dict[str, list[float]] = {}

    def guesses() -> list[float]:
        ratios = {kind: sorted(known)[len(known) // 2] for kind, known in spent.items()}
        left = [
            task.guess * ratios.get(task.kind, 1.0) / (1 if task.kind == _ALONE else jobs) for task in open_.values()
        ]
        return [*done, *left]

    bar = Progress("level field", len(waiting), guesses(), shown=progress and bool(waiting), what="task")
    try:
        bar.start(0)
        for task, found, seconds in _outcomes(waiting, folder, jobs):
            _keep(task, found, seconds, folder)
            del open_[task.id]
            bar.end(len(done))
            done.append(seconds / (1 if task.kind == _ALONE else jobs))
            spent.setdefault(task.kind, []).append(seconds / task.guess)
            bar.former = guesses()
            if open_:
                bar.start(len(done))
    finally:
        bar.close()
    return len(waiting), len(every)


_Outcome = tuple[Task, dict[str, Any], float]


def _outcomes(waiting: list[Task], folder: Path, jobs: int) -> Iterator[_Outcome]:
    """The tasks as they are done, with what they found and the seconds they took: first what others need, then the
    videos, then what must not be disturbed.
    """
    if jobs == 1:
        yield from (_do(task, folder) for task in waiting)
        return
    for phase in _phases(waiting):
        yield from _at_once(phase, folder, 1 if phase[0].kind == _ALONE else jobs)


def _at_once(some: list[Task], folder: Path, jobs: int) -> Iterator[_Outcome]:
    """The same in processes of their own, which end after a checkpoint when this one is asked to stop."""
    if jobs == 1:
        yield from (_do(task, folder) for task in some)
        return
    threads = max(1, torch.get_num_threads() // jobs)
    context = multiprocessing.get_context("spawn")
    left = iter(some)
    with Stop() as stop, ProcessPoolExecutor(min(jobs, len(some)), context, _begin, (threads,)) as pool:
        pending = {
            pool.submit(_do, task, folder) for task in islice(left, jobs)
        }  # no more: a queue would outlive a stop
        try:
            while pending:
                ended, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                more = islice(left, 0 if stop.asked else len(ended))
                pending |= {pool.submit(_do, task, folder) for task in more}
                for future in ended:
                    yield future.result()
                stop.check()
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _begin(threads: int) -> None:
    """Ctrl-C reaches every process of a terminal; only the first one is to answer it, and tells the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)


def _do(task: Task, folder: Path) -> _Outcome:
    began = time.monotonic()
    found = task.work(folder, folder / f"{task.id}{task.beside}")
    return task, found, time.monotonic() - began


def _keep(task: Task, found: dict[str, Any], seconds: float, folder: Path) -> None:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    record = {
        "task": task.id, "inputs": key_of(task.inputs()), "took": round(seconds, 2), "created": now,
        "on": f"{platform.machine()}, {os.cpu_count()} cores", "found": found,
    }  # fmt: skip
    write_atomically(folder / f"{task.id}.json", json.dumps(record, indent=1) + "\n")
