"""Measuring fairly on a noisy machine: contenders take turns, and what is told of them are ratios within one turn."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from kiloframe.apart import peak_kilobytes
from kiloframe.errors import UserError
from kiloframe.sources import checkout

__all__ = [
    "command_kilobytes", "interleaved", "matrix_peak", "median_ratio", "reset_peak", "resident_kilobytes",
    "threads_set",
]  # fmt: skip

Unit = Callable[[], Any]


def interleaved(
    units: Mapping[str, Unit], repeats: int, *, warm_up: int = 2, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of every unit, `repeats` times: in each round each runs once, and another one begins.

    Whatever slows the machine down for a while then slows all of them, and entry i of one list belongs to entry i of
    the others. warm_up: rounds before, which are not counted.
    """
    names, seconds = list(units), {name: list[float]() for name in units}
    for number in range(warm_up + repeats):
        first = number % len(names)
        gc.collect()
        gc.disable()  # nobody pays for the rubbish of the one before
        try:
            for name in names[first:] + names[:first]:
                begun = clock()
                units[name]()
                taken = clock() - begun
                if number >= warm_up:
                    seconds[name].append(taken)
        finally:
            gc.enable()
    return seconds


def median_ratio(ours: Sequence[float], theirs: Sequence[float], draws: int = 2000) -> tuple[float, float, float]:
    """The median over the rounds of their seconds over ours, above 1 where we are faster, and its 95 % interval.

    The interval is that of the bootstrap over the rounds; the same rounds give the same interval.
    """
    ratios = np.asarray(theirs, float) / np.asarray(ours, float)
    drawn = np.random.default_rng(0).choice(ratios, (draws, len(ratios)))
    low, high = np.percentile(np.median(drawn, 1), [2.5, 97.5])
    return median(ratios.tolist()), float(low), float(high)


def matrix_peak(size: int = 1024, repeats: int = 10) -> float:
    """Operations per second of torch's product of two size x size matrices, the fastest of some: 2 size^3 each."""
    import torch

    a, b = torch.randn(size, size), torch.randn(size, size)
    seconds = interleaved({"product": lambda: a @ b}, repeats)["product"]
    return 2 * size**3 / min(seconds)


@contextmanager
def threads_set(count: int) -> Iterator[None]:
    """Within the block torch computes with `count` threads."""
    import torch

    former = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(former)


def reset_peak() -> None:
    """Let the peak of this process begin anew at what it holds now; where the system refuses, the old peak stays."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def resident_kilobytes() -> int:
    """What this process holds in memory now (VmRSS); where the system does not tell, its peak."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    except (OSError, StopIteration):
        return peak_kilobytes()


_LAUNCHER = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def command_kilobytes(command: Sequence[str]) -> int:
    """The peak of a command's process. Raises UserError with its last words where it fails.

    A bare Python starts it: a process inherits the peak of the one that started it, which here would be torch's.
    """
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command]
    done = subprocess.run(launcher, cwd=checkout(), capture_output=True, text=True)
    if done.returncode:
        raise UserError(
            f"{Path(command[0]).name} failed: {(done.stderr.strip().splitlines() or ['without a word'])[-1]}"
        )
    return int(done.stdout)
