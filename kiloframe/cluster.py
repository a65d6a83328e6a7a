"""Jobs on a Dask cluster whose workers share no disk with this machine: code, weights and parameters travel with them.

    spread("tcp://127.0.0.1:8786", [Job("fdm", ("run", "fdm"), bring=("build/runs/fdm*",))], root, collect)

A worker unpacks the checkout once, executes `kiloframe <arguments>` in a copy of its own, and sends back the files that
match `bring`. So a worker needs the same Python and the packages, not kiloframe itself. Where a worker dies, Dask gives
its job to another one. What came back is handed to `collect` at once: after Ctrl-C the same command goes on with what
is not there yet.
"""

from __future__ import annotations

import hashlib
import io
import logging
import sys
import time
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from kiloframe.errors import UserError
from kiloframe.sources import CODE
from kiloframe.stopping import Stop

__all__ = ["Job", "bundle", "spread"]

Collect = Callable[["Job", Mapping[str, bytes]], None]

_CODE = ("kiloframe", *CODE, "catalogue", "notebooks", "weights", "pyproject.toml")
_LEFT_OUT = ("__pycache__", ".train", ".tmp")
_NEEDED = ("msgspec", "click", "torch", "einops", "safetensors", "papermill", "jupytext", "ipykernel")
_ANSWER = 10  # seconds that a scheduler has to answer


@dataclass(frozen=True)
class Job:
    """One command for a worker. arguments: of `kiloframe`, or of `python` where `module` is given; carry: further files
    by their path below the root; bring: patterns of the files that come back; wreck: of those that come back where it
    failed.
    """

    name: str
    arguments: tuple[str, ...]
    bring: tuple[str, ...]
    carry: Mapping[str, bytes] = field(default_factory=dict)
    module: str | None = None
    wreck: tuple[str, ...] = ()


def bundle(root: Path) -> bytes:
    """The code, facts, notebooks and weights of a checkout as a zip, the same bytes for the same files."""
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in _CODE:
            top = root / name
            files = [top] if top.is_file() else sorted(path for path in top.rglob("*") if path.is_file())
            for path in files:
                short = path.relative_to(root).as_posix()
                if not any(word in short for word in _LEFT_OUT):
                    archive.writestr(zipfile.ZipInfo(short), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return found.getvalue()


def spread(address: str, jobs: Sequence[Job], root: Path, collect: Collect, *, progress: bool = True) -> dict[str, str]:
    """Execute every job on the cluster; returns why each failed one did, by name.

    `collect` is called with the files of each job as soon as it has ended: those it was to bring, or where it failed
    its wreck, if there is one. A live table on stderr tells what runs where. Raises UserError where no scheduler
    answers, or a worker lacks what it needs or has another Python; KeyboardInterrupt when asked to stop: what runs is
    stopped on the workers, and what was collected stays.
    """
    client = _connect(address)
    try:
        with Stop() as stop:
            return _Spread(client, jobs, root, collect, progress, stop).run()
    finally:
        client.close()


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise UserError("the package 'distributed' is missing; type: pip install 'kiloframe[cluster]'") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=_ANSWER, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"no Dask scheduler answers at {address} ({reason}); start one with: dask scheduler, then workers with: "
            "dask worker ADDRESS"
        ) from None
    try:
        _check_workers(client)
    except BaseException:
        client.close()
        raise
    return client


def _check_workers(client: Any) -> None:
    """Raises UserError for a worker that could not execute a job; workers that come later are not looked at."""
    names = _NEEDED

    def has() -> tuple[tuple[int, int], list[str]]:
        import importlib.util
        import sys

        return (sys.version_info[0], sys.version_info[1]), [n for n in names if importlib.util.find_spec(n) is None]

    for worker, (python, missing) in client.run(has).items():
        mine = (sys.version_info[0], sys.version_info[1])
        if python != mine:
            raise UserError(
                f"the worker {worker} has Python {python[0]}.{python[1]}, and this is {mine[0]}.{mine[1]}; start it "
                "with the same one"
            )
        if missing:
            raise UserError(
                f"the worker {worker} lacks {', '.join(missing)}; install there: "
                "pip install 'kiloframe[reproductions,notebooks,cluster]'"
            )


def _remote() -> Callable[..., dict[str, Any]]:
    """What a worker executes. It is defined in here so that it travels whole: kiloframe need not be installed there."""
    watch = (
        "import os, subprocess, sys, time\n"
        "parent, child = os.getppid(), subprocess.Popen(sys.argv[1:])\n"
        "while child.poll() is None:\n"
        "    if os.getppid() != parent:\n"  # the worker died: nobody waits for this any more
        "        child.kill()\n"
        "    time.sleep(0.3)\n"
        "sys.exit(child.returncode)\n"
    )

    def work(
        packed: bytes, digest: str, arguments: tuple[str, ...], module: str | None, carry: dict[str, bytes],
        bring: tuple[str, ...], wreck: tuple[str, ...], key: str, topic: str,
    ) -> dict[str, Any]:  # fmt: skip
        import io
        import os
        import shutil
        import signal
        import subprocess
        import sys
        import tempfile
        import time
        import zipfile
        from pathlib import Path

        from distributed import get_worker

        get_worker().log_event(topic, {"key": key, "worker": get_worker().address})
        shared = Path(tempfile.gettempdir()) / f"kiloframe-{digest[:16]}-{os.getuid() if hasattr(os, 'getuid') else 0}"
        if not shared.is_dir():
            fresh = Path(tempfile.mkdtemp(prefix="kiloframe-unpacking-"))
            with zipfile.ZipFile(io.BytesIO(packed)) as archive:
                archive.extractall(fresh)
            try:
                os.rename(fresh, shared)
            except OSError:  # another job of this machine was faster
                shutil.rmtree(fresh, ignore_errors=True)
        place = Path(tempfile.mkdtemp(prefix="kiloframe-job-"))
        try:
            shutil.copytree(shared, place, dirs_exist_ok=True)
            for name, data in carry.items():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                (place / name).write_bytes(data)
            start = "import sys; from kiloframe.cli import main; sys.exit(main())"
            what = ["-m", module] if module is not None else ["-c", start]
            environment = {**os.environ, "PYTHONPATH": str(place), "TQDM_DISABLE": "1", "MPLBACKEND": "Agg"}
            told = place / "told"
            with told.open("wb") as stream:
                process = subprocess.Popen(
                    [sys.executable, "-c", watch, sys.executable, *what, *arguments], cwd=place, env=environment,
                    stdout=stream, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
                )  # fmt: skip
                tasks, asked = get_worker().state.tasks, None
                while process.poll() is None:
                    task = tasks.get(key)
                    if task is None or task.state == "cancelled":  # Ctrl-C where it was asked for
                        if asked is None:
                            asked = time.monotonic()
                            os.killpg(process.pid, signal.SIGTERM)
                        elif time.monotonic() - asked > 20:
                            os.killpg(process.pid, signal.SIGKILL)
                    time.sleep(0.3)
            words = told.read_bytes()[-20_000:].decode("utf-8", "replace")
            files = {
                path.relative_to(place).as_posix(): path.read_bytes()
                for pattern in (bring if process.returncode == 0 else wreck)
                for path in place.glob(pattern)
                if path.is_file()
            }
            return {"code": process.returncode, "told": words, "files": files}
        finally:
            shutil.rmtree(place, ignore_errors=True)

    return work


class _Spread:
    """The state of one call of `spread`."""

    def __init__(
        self, client: Any, jobs: Sequence[Job], root: Path, collect: Collect, progress: bool, stop: Stop
    ) -> None:
        self.client, self.collect, self.stop = client, collect, stop
        self.topic = f"kiloframe-{time.time_ns():x}"
        self.jobs = {f"{self.topic}-{job.name}": job for job in jobs}
        self.failed: dict[str, str] = {}
        self.board = _Board([job.name for job in jobs], progress)
        packed = bundle(root)
        self.digest = hashlib.sha256(packed).hexdigest()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that the code is large; it travels once
            self.packed = client.submit(bytes, packed, key=f"kiloframe-code-{self.digest}", pure=True)

    def run(self) -> dict[str, str]:
        work = _remote()
        self.client.subscribe_topic(self.topic, self._begun)
        futures = {
            key: self.client.submit(
                work, self.packed, self.digest, job.arguments, job.module, dict(job.carry), job.bring,
                job.wreck, key, self.topic, key=key, pure=False,
            )
            for key, job in self.jobs.items()
        }  # fmt: skip
        try:
            with self.board:
                while futures:
                    self.stop.check()
                    for key in [key for key, future in futures.items() if future.done()]:
                        self._end(self.jobs[key], futures.pop(key))
                    self.board.show()
                    time.sleep(0.3)
        except BaseException:
            self.client.cancel(list(futures.values()), force=True)
            time.sleep(1)  # the workers look for it three times a second
            raise
        return self.failed

    def _begun(self, event: tuple[float, Any]) -> None:
        """A worker has begun a job; the client calls this in a thread of its own."""
        self.board.begun(self.jobs[event[1]["key"]].name, event[1]["worker"])

    def _end(self, job: Job, future: Any) -> None:
        if future.status != "finished":
            error = future.exception()
            died = type(error).__name__ == "KilledWorker"
            why = "one worker after the other died under it" if died else f"the worker failed ({type(error).__name__})"
        else:
            found = future.result()
            why = "" if found["code"] == 0 else _last_words(found["told"])
            if not why and not found["files"]:
                why = "it ended well and left no file"
            files = {n: data for n, data in found["files"].items() if _fits(n, job.wreck if why else job.bring)}
            if files or not why:
                self.collect(job, files)
        future.release()
        if why:
            self.failed[job.name] = why
        self.board.end(job.name, why)


def _fits(name: str, bring: Sequence[str]) -> bool:
    """Whether a file that a worker sends is one that was asked for, and stays below the root."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and any(fnmatch(name, p.replace("**/", "")) for p in bring)


def _last_words(told: str) -> str:
    """The sentence that the command ended with; else its last line."""
    lines = [line.strip() for line in told.replace("\r", "\n").split("\n") if line.strip()]
    for line in reversed(lines):
        for start in ("kiloframe: ", "level field: "):
            if line.startswith(start):
                return line.removeprefix(start)
    return lines[-1] if lines else "it ended without a word"


class _Board:
    """What runs where: a live table on a terminal, else a line whenever something changes."""

    def __init__(self, names: Sequence[str], shown: bool) -> None:
        self.state = dict.fromkeys(names, "waits")
        self.worker: dict[str, str] = {}
        self.began: dict[str, float] = {}
        self.took: dict[str, float] = {}
        self.again: dict[str, int] = {}
        self.shown = shown
        self.live: Any = None
        self.start = time.monotonic()

    def __enter__(self) -> _Board:
        if self.shown and sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self.live = Live(console=Console(stderr=True), refresh_per_second=4)
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live is not None:
            self.live.update(self._table())
            self.live.stop()

    def begun(self, name: str, worker: str) -> None:
        """A worker has begun a job; a second time where the first one died."""
        lost = name in self.worker
        self.again[name] = self.again.get(name, 0) + lost
        self.worker[name], self.began[name], self.state[name] = worker, time.monotonic(), "runs"
        self._say(f"{name}: {'its worker is gone; again' if lost else 'runs'} on {worker}")

    def show(self) -> None:
        """Draw the table anew."""
        if self.live is not None:
            self.live.update(self._table())

    def end(self, name: str, why: str) -> None:
        """A job has ended; why: what failed, empty where nothing did."""
        self.took[name] = time.monotonic() - self.began.get(name, self.start)
        self.state[name] = "failed" if why else "done"
        ended = sum(state in ("done", "failed") for state in self.state.values())
        self._say(f"[{ended} of {len(self.state)}, {time.monotonic() - self.start:.0f} s] {name}: {why or 'done'}")

    def _say(self, line: str) -> None:
        if self.shown and self.live is None:
            print(line, file=sys.stderr, flush=True)

    def _table(self) -> Any:
        from rich.table import Table

        ended = sum(state in ("done", "failed") for state in self.state.values())
        table = Table(title=f"{ended} of {len(self.state)} done, {time.monotonic() - self.start:.0f} s")
        for head in ("job", "state", "worker", "seconds"):
            table.add_column(head, justify="right" if head == "seconds" else "left")
        order = {"runs": 0, "failed": 1, "waits": 2, "done": 3}
        for name, state in sorted(self.state.items(), key=lambda item: order[item[1]])[:40]:
            seconds = self.took.get(name, time.monotonic() - self.began[name] if name in self.began else 0)
            tries = f", try {self.again[name] + 1}" if self.again.get(name) else ""
            table.add_row(name, state + tries, self.worker.get(name, ""), f"{seconds:.0f}" if seconds else "")
        return table
