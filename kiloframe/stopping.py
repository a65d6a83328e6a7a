"""Ending long work between two steps of it, and not in the middle of one."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self

__all__ = ["Stop"]


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
