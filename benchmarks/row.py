"""A row of the benchmark: the same work done by us and by others, and the record that is kept of it."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import timing
from kiloframe.apart import peak_kilobytes
from kiloframe.errors import UserError

__all__ = ["OURS", "Built", "Contender", "Row", "check_parameters", "measure_memory", "measure_row"]

OURS = "kiloframe"
TOLERANCE = 0.10
"""How far a contender's number of parameters may lie from ours, as a share of ours."""
SMOKE_REPEATS = 2


@dataclass(frozen=True)
class Built:
    """A contender that is ready: `run` does the unit of work once.

    parameters: how many numbers it learns, or None; command: what it starts, where the work is a command.
    """

    run: Callable[[], Any]
    parameters: int | None = None
    command: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Contender:
    """What takes part in a row. build: imports what it needs and makes it, outside of what is timed; package: the
    distribution that it comes from, None for what kiloframe has anyway; label: what it is, beside its name."""

    name: str
    build: Callable[[], Built]
    package: str | None = None
    label: str = ""

    @property
    def installed(self) -> bool:
        """Whether its package is there."""
        return self.package is None or _version(self.package) is not None


@dataclass(frozen=True)
class Row:
    """unit: what is done once; shape: of what, in words; ours: the first of `contenders`.

    repeats: rounds that are timed; threads: for torch, one measurement each; parity: by peer, the greatest difference
    from ours with the same weights; outside: the work is done by commands, so that threads and operations say nothing;
    memory_counts: half a peer's memory is part of the goal; bar: seconds that ours may take, beside the comparison;
    lengthy: minutes, so left out of --smoke unless it is named, not warmed up, and without memory.
    """

    name: str
    title: str
    unit: str
    shape: str
    contenders: tuple[Contender, ...]
    repeats: int = 20
    threads: tuple[int, ...] = (1, 2)
    parity: tuple[tuple[str, Callable[[], float]], ...] = ()
    outside: bool = False
    memory_counts: bool = False
    bar: float | None = None
    lengthy: bool = False

    @property
    def packages(self) -> list[str]:
        """The distributions that it compares with."""
        return sorted({c.package for c in self.contenders if c.package is not None})


def check_parameters(row: str, counts: dict[str, int | None]) -> None:
    """Raise UserError where a contender has more than TOLERANCE more or fewer parameters than ours."""
    ours = counts[OURS]
    for name, count in counts.items():
        if ours is not None and count is not None and abs(count - ours) > TOLERANCE * ours:
            raise UserError(
                f"the row {row} is refused: {name} has {count:,} parameters and {OURS} {ours:,}, "
                f"more than {100 * TOLERANCE:.0f} % apart"
            )


def taking_part(row: Row, without_peers: bool) -> list[Contender]:
    """The contenders whose packages are there. Raises UserError for one that is not, unless `without_peers`."""
    missing = sorted({c.package for c in row.contenders if c.package is not None and not c.installed})
    if missing and not without_peers:
        raise UserError(f"the row {row.name} needs {', '.join(missing)}; type: make bench")
    return [c for c in row.contenders if c.installed]


def measure_row(row: Row, *, smoke: bool = False, without_peers: bool = False) -> dict[str, Any]:
    """Its record, without the memory: everything that can be measured in this one process.

    smoke: two rounds on one thread. Raises UserError for missing packages and for parameter counts too far apart.
    """
    contenders = taking_part(row, without_peers)
    begun = time.perf_counter()
    repeats = min(row.repeats, SMOKE_REPEATS) if smoke else row.repeats
    warm_up = 1 if row.outside or smoke or row.repeats < 10 else 2
    built = {c.name: c.build() for c in contenders}
    counts = {name: b.parameters for name, b in built.items()}
    check_parameters(row.name, counts)
    seconds, peak = {}, {}
    for threads in row.threads[:1] if smoke else row.threads:
        with nullcontext() if row.outside else timing.threads_set(threads):
            peak[str(threads)] = None if row.outside else timing.matrix_peak()
            seconds[str(threads)] = timing.interleaved(
                {n: b.run for n, b in built.items()}, repeats, warm_up=0 if row.lengthy else warm_up
            )
    found = [
        {
            "name": c.name, "label": c.label, "package": c.package,
            "version": None if c.package is None else _version(c.package),
            "parameters": counts[c.name], "operations": None if row.outside else operations(built[c.name]),
        }
        for c in contenders
    ]  # fmt: skip
    here = {c.name for c in contenders}
    return {
        "name": row.name, "title": row.title, "unit": row.unit, "shape": row.shape, "repeats": repeats,
        "warm_up": 0 if row.lengthy else warm_up, "outside": row.outside, "memory_counts": row.memory_counts,
        "bar": row.bar, "smoke": smoke, "contenders": found, "seconds": seconds, "matrix_peak": peak,
        "left_out": [c.name for c in row.contenders if c.name not in here],
        "parity": {name: compare() for name, compare in row.parity if name in here},
        "machine": machine(), "versions": _versions(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(), "took": time.perf_counter() - begun,
    }  # fmt: skip


def operations(built: Built) -> int:
    """Multiplications and additions of one unit in products, convolutions and attention."""
    import torch

    from reproductions.level_field.flops import Counting

    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one operation without a formula for a whole layer of torch.nn
    try:
        with Counting() as counting:
            built.run()
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return counting.total


def measure_memory(row: Row, name: str) -> dict[str, int]:
    """Memory of one contender, in kilobytes; to be called in a fresh process, with one thread.

    ready: what the process holds when the work can begin; peak: the highest of it; grown: the peak above `ready`.
    """
    contender = next(c for c in row.contenders if c.name == name)
    if row.outside:
        command = contender.build().command
        assert command is not None, "memory is that of one command"
        peak = timing.command_kilobytes(command)
        return {"ready": 0, "peak": peak, "grown": peak}
    import torch

    torch.set_num_threads(1)
    built = contender.build()
    timing.matrix_peak(64, 1)  # what torch sets up once is nobody's
    timing.reset_peak()
    ready = timing.resident_kilobytes()
    built.run()
    built.run()
    peak = peak_kilobytes()
    return {"ready": ready, "peak": peak, "grown": peak - ready}


def machine() -> str:
    """What it runs on, without its name: processor, cores, memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{_processor()}, {cores} cores, {memory:.0f} GB RAM"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def _versions() -> dict[str, str]:
    found = {name: _version(name) for name in ("kiloframe", "torch", "numpy")}
    return {"python": platform.python_version(), **{k: v for k, v in found.items() if v is not None}}


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
