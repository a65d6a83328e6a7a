"""One notebook through papermill, in a kernel of the interpreter that runs us, with every failure as a sentence."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kiloframe.errors import UserError
from kiloframe.notebooks import Script, Value
from kiloframe.progress import Progress

__all__ = ["Interrupted", "Kernels", "RunError", "execute"]

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
START_SECONDS = 120
"""How long a kernel may take to start: long, for machines that are busy with other kernels."""


class RunError(UserError):
    """A notebook that failed: one sentence that says which cell and why. The command exits with code 1."""

    exit_code = 1


class Interrupted(RunError):
    """The run was stopped with Ctrl-C; former results are untouched. The command exits with code 130."""

    exit_code = 130


class Kernels:
    """The kernels that are running, so that Ctrl-C can end them all; `stopped` keeps new ones from starting."""

    def __init__(self) -> None:
        self.stopped = False
        self._pids: set[int] = set()
        self._lock = threading.Lock()

    def add(self, pid: int) -> None:
        """A kernel has started; it ends at once where all were stopped meanwhile."""
        with self._lock:
            self._pids.add(pid)
            if self.stopped:
                _end(pid)

    def discard(self, pid: int) -> None:
        """A kernel has ended."""
        with self._lock:
            self._pids.discard(pid)

    def stop(self) -> None:
        """End all kernels, and those that are just starting."""
        with self._lock:
            self.stopped = True
            for pid in self._pids:
                _end(pid)


def _end(pid: int) -> None:
    try:  # a kernel leads a session of its own, so its children go with it
        os.killpg(pid, signal.SIGKILL) if hasattr(os, "killpg") else os.kill(pid, signal.SIGTERM)
    except OSError:
        return


def execute(
    script: Script,
    values: Mapping[str, Value],
    staging: Path,
    *,
    root: Path,
    kernels: Kernels,
    timeout: float,
    threads: int | None,
    bar: Progress,
) -> None:
    """Execute the script as a notebook with `values` and `out=staging`; the notebook is left in staging/<slug>.ipynb.

    The kernel is sys.executable whatever kernelspecs are installed; it works in `root`, sees none of the user's IPython
    settings, and uses `threads` threads. Raises RunError for a failing cell, a cell over its time, or a dead kernel.
    """
    import nbformat
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill import execute_notebook
    from papermill.exceptions import PapermillExecutionError

    out = staging.relative_to(root).as_posix() if staging.is_relative_to(root) else str(staging)
    path = staging / f"{script.path.stem}.ipynb"
    environment = {"MPLBACKEND": "Agg", "IPYTHONDIR": str(staging / ".ipython"), "PYTHONHASHSEED": "0"}
    environment["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # else the debugger warns about frozen modules
    if threads is not None:
        environment |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    manager = _manager(environment, kernels)
    for attempt in (1, 2):
        try:
            execute_notebook(
                nbformat.from_dict(script.notebook),
                str(path).replace("{", "{{").replace("}", "}}"),  # papermill formats its paths
                {**values, "out": out},
                progress_bar=False,
                start_timeout=START_SECONDS,
                execution_timeout=math.ceil(timeout),
                kernel_manager_class=manager,
                resources={"metadata": {"path": str(root)}},
                shutdown_kernel="immediate",
                iopub_timeout=60,
                coalesce_streams=True,
                record_timing=False,
                on_cell_start=lambda cell, cell_index: bar.start(cell_index),
                on_cell_executed=lambda cell, cell_index, execute_reply: bar.end(cell_index),
            )
            return
        except PapermillExecutionError as error:
            where = _where(script, error.cell_index, _line_in_cell(error))
            # IPython names the file of a syntax error, a number that differs from run to run
            error.evalue = re.sub(r" \(\d+\.py, line \d+\)", "", str(error.evalue))
            reason = (_ANSI.sub("", str(error.evalue)).strip().splitlines() or [""])[0][:400]
            raise RunError(f"{where}: {error.ename}{f': {reason}' if reason else ''}") from None
        except CellTimeoutError:
            where = _where(script, bar.current)
            limit = f"{math.ceil(timeout)} seconds a cell may take"
            raise RunError(f"{where}: it took longer than the {limit}; make it do less, or give it more time") from None
        except DeadKernelError:
            if kernels.stopped:
                raise KeyboardInterrupt from None
            where = _where(script, bar.current)
            raise RunError(f"{where}: the kernel died, probably out of memory or stopped from outside") from None
        except RuntimeError as error:  # a kernel that does not come up: another process took its port, or no memory
            if kernels.stopped:
                raise KeyboardInterrupt from None
            if bar.current is not None or attempt == 2:
                raise RunError(f"the kernel of notebooks/{script.path.name} did not start ({error})") from None


def _manager(environment: dict[str, str], kernels: Kernels) -> Any:
    """The class of kernel manager that starts this interpreter, quietly, and reports its process to `kernels`."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    options = ["-m", "ipykernel_launcher", "-f", "{connection_file}", "--HistoryManager.enabled=False"]
    spec = KernelSpec(
        argv=[sys.executable, *options], env=environment, language="python", display_name="Python 3", name="python3"
    )

    class Manager(AsyncKernelManager):
        """Starts our interpreter; its own stdout and stderr go nowhere, what cells print still reaches the notebook."""

        pid: int | None = None

        @property
        def kernel_spec(self) -> KernelSpec:
            return spec

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            if kernels.stopped:
                raise RuntimeError("stopped")
            await super().start_kernel(**options, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.pid = getattr(self.provisioner, "pid", None)
            if self.pid is not None:
                kernels.add(self.pid)

        async def cleanup_resources(self, restart: bool = False) -> None:  # type: ignore[override]
            await super().cleanup_resources(restart=restart)
            if self.pid is not None:
                kernels.discard(self.pid)

    return Manager


def _line_in_cell(error: Any) -> int:
    """The 1-based line of the cell at which its exception passed, 1 where the traceback does not say."""
    text = _ANSI.sub("", "\n".join(error.traceback or []))
    match = re.search(rf"Cell In\[{error.exec_count}\], line (\d+)", text)
    return int(match.group(1)) if match else 1


def _where(script: Script, index: int | None, line: int = 1) -> str:
    """`notebooks/x.py, line 12 (cell 3, "y = f(x)")` for cell `index` of the executed notebook."""
    shown = f"notebooks/{script.path.name}"
    if index is None:
        return shown
    tags = [cell.metadata.get("tags", []) for cell in script.notebook.cells]
    injected = next(number for number, names in enumerate(tags) if "parameters" in names) + 1
    index -= index >= injected
    code = script.notebook.cells[index].source.splitlines()
    said = next((text.strip() for text in code[line - 1 :] if text.strip()), "")
    at = script.lines[index] + line - 1
    return f'{shown}, line {at} (cell {index + 1}, "{said[:80]}")'
