"""Ending long work between two steps of it, and not in the middle of one."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

from kiloframe.errors import UserError

__all__ = ["Stop", "status_of"]


class Stop:
    """Within the block Ctrl-C, SIGTERM and the end of the terminal only ask: the work ends when it looks at `asked`, so
    that no encoder and no checkpoint is left in the middle. A second signal raises KeyboardInterrupt at once.

    A signal that is ignored (nohup) or answered by someone else stays so, and outside the main thread, which alone may
    set handlers, nothing changes.
    """

    asked = False

    def __enter__(self) -> Self:
        self._former: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]  # Windows has no SIGHUP
            for number in (getattr(signal, name) for name in names):
                if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                    self._former[number] = signal.signal(number, self._ask)
        return self

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal has asked for the end."""
        if self.asked:
            raise KeyboardInterrupt

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.check()
        self.asked = True

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)


def status_of(work: Callable[[], None], name: str, on_stop: str) -> int:
    """The exit status of a command that does `work`: 0 done, 2 a mistake of the user's, 130 stopped.

    A mistake and a stop are told on the error stream in one sentence each, which begins with the command's name;
    on_stop: how it goes on.
    """
    try:
        work()
    except UserError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{name}: stopped; {on_stop}", file=sys.stderr)
        return 130
    return 0
