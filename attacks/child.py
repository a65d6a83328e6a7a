"""One command in a process of its own, forked from one that has imported everything, so that a kill meets the work.

The child runs `kiloframe.cli.main` as the console script does. A kill can be planned for a moment, by the clock, or for
an operation on files: the n-th one below the child's folder, and so many steps of Python later.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

__all__ = ["Child", "Outcome", "Planned", "run"]

TIMEOUT = 600.0
_FILES = {
    "open", "tempfile.mkstemp", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate",
    "sqlite3.connect",
}  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Outcome(NamedTuple):
    """How a command ended: exit code (minus the signal that killed it), its words, seconds, operations on files."""

    code: int
    out: str
    err: str
    seconds: float
    operations: int
    hung: bool


class Planned(NamedTuple):
    """A signal that the child sends itself: at the n-th operation on files, so many steps of Python later."""

    signal: int
    operation: int
    steps: int


class Child:
    """The command `kiloframe *words`, started in `folder`; `prepare` is called in the child before it begins."""

    def __init__(
        self, words: Sequence[str], folder: Path, *, prepare: Callable[[], None] | None = None,
        planned: Planned | None = None,
    ) -> None:  # fmt: skip
        self._began = time.monotonic()
        self._said = [tempfile.TemporaryFile() for _ in range(3)]  # noqa: SIM115, wait closes them
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _become(words, folder, prepare, planned, [file.fileno() for file in self._said])
        self._code: int | None = None

    def alive(self) -> bool:
        """Whether it is still running."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
                self._seconds = time.monotonic() - self._began
        return self._code is None

    def kill(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.alive():
            os.kill(self.pid, number)

    def wait(self, timeout: float = TIMEOUT) -> Outcome:
        """Wait for its end, and end it after so many seconds, with all that it started."""
        hung, pause = False, 0.001
        try:
            while self.alive():
                if time.monotonic() - self._began > timeout:
                    hung = True
                    self.kill(signal.SIGKILL)
                time.sleep(pause)
                pause = min(0.02, pause * 1.5)
        finally:
            with suppress(ProcessLookupError, PermissionError):  # nothing is left of it
                os.killpg(self.pid, signal.SIGKILL)
            self.alive()
        texts = []
        for file in self._said:
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
            file.close()
        assert self._code is not None
        return Outcome(self._code, texts[0], texts[1], self._seconds, int(texts[2] or 0), hung)


def run(
    words: Sequence[str], folder: Path, *, prepare: Callable[[], None] | None = None, planned: Planned | None = None,
    timeout: float = TIMEOUT,
) -> Outcome:  # fmt: skip
    """The command from beginning to end."""
    return Child(words, folder, prepare=prepare, planned=planned).wait(timeout)


def _become(
    words: Sequence[str], folder: Path, prepare: Callable[[], None] | None, planned: Planned | None, said: list[int]
) -> NoReturn:
    """In the child: everything as in a process that was just started, then the command. Never returns."""
    code: Any = 70
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(said[0], 1)
        os.dup2(said[1], 2)
        sys.stdin, sys.stdout, sys.stderr = (open(n, "w" if n else "r", closefd=False) for n in range(3))  # noqa: SIM115
        os.chdir(folder)
        sys.argv = ["kiloframe", *words]
        if prepare is not None:
            prepare()
        count = _watch(os.path.realpath(folder), planned)
        code = _command()
        os.write(said[2], str(count[0]).encode())
    except BaseException:
        traceback.print_exc()
        code = 70
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _command() -> Any:
    from kiloframe.cli import main

    try:
        main()
    except SystemExit as end:
        return end.code
    except BaseException:  # what the interpreter would print on its way out
        traceback.print_exc()
        return 1
    finally:
        gc.collect()


def _watch(folder: str, planned: Planned | None) -> list[int]:
    """Count the operations on files below `folder`, and send the planned signal. The count is in the list."""
    count = [0]

    def look(event: str, args: tuple[Any, ...]) -> None:
        if event not in _FILES or not args or not isinstance(args[0], (str, bytes, os.PathLike)):
            return
        if event == "open" and not (isinstance(args[2], int) and args[2] & _WRITES):
            return
        if not os.path.abspath(os.fsdecode(args[0])).startswith(folder):
            return
        count[0] += 1
        if planned is not None and count[0] == planned.operation:
            if planned.steps <= 0:
                os.kill(os.getpid(), planned.signal)
            else:
                sys.setprofile(_countdown(planned))

    sys.addaudithook(look)
    return count


def _countdown(planned: Planned) -> Callable[..., None]:
    left = planned.steps

    def step(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal left
        if event in ("c_call", "c_return"):  # such as between opening a file and writing it
            left -= 1
            if left == 0:
                sys.setprofile(None)
                os.kill(os.getpid(), planned.signal)

    return step
