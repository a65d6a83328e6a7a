"""Work in a process of its own: its peak memory is then its own, and so are its threads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kiloframe.errors import UserError
from kiloframe.sources import checkout

__all__ = ["apart", "peak_kilobytes"]

_STOPPED = (-2, -15, 130)
"""Exit statuses of a process that Ctrl-C or SIGTERM ended."""


def apart(module: str, arguments: Sequence[str], what: str, *, environment: Mapping[str, str] | None = None) -> Any:
    """What `python -m module arguments` prints as JSON in its last line.

    what: what it does, for the error; environment: its whole environment, None for this process's.
    Raises UserError if it fails, and KeyboardInterrupt if it was stopped.
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=checkout(), env=environment)
    if done.returncode in _STOPPED:
        raise KeyboardInterrupt
    if done.returncode:
        raise UserError(f"{what} failed: {(done.stderr.strip().splitlines() or ['without a word'])[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def peak_kilobytes() -> int:
    """The highest resident size of this process so far (VmHWM). Raises UserError where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        raise UserError(
            "peak memory is read from /proc, which this system does not have; measure it on Linux"
        ) from None
