"""The progress of one executing notebook: a bar over its cells, with an estimate from the last run's cell times."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

import msgspec

from kiloframe.files import write_atomically

__all__ = ["Progress", "former_times", "keep_times"]

LINE_EVERY = 10.0
"""Seconds between two lines where the output is no terminal."""


def former_times(runs: Path, slug: str, scale: str, cells: int) -> list[float] | None:
    """Seconds of each cell in the last run of this scale; None where there was none or its cells were others."""
    try:
        kept = msgspec.json.decode((runs / ".times" / f"{slug}.json").read_bytes(), type=dict[str, list[float]])
    except (OSError, msgspec.MsgspecError):
        return None
    times = kept.get(scale)
    return times if times is not None and len(times) == cells and sum(times) > 0 else None


def keep_times(runs: Path, slug: str, scale: str, times: list[float]) -> None:
    """Keep the seconds of each cell for the estimate of the next run."""
    path = runs / ".times" / f"{slug}.json"
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=dict[str, list[float]])
    except (OSError, msgspec.MsgspecError):
        kept = {}
    kept[scale] = [round(seconds, 2) for seconds in times]
    write_atomically(path, msgspec.json.encode(kept, order="deterministic") + b"\n")


class Progress:
    """Follows the cells of one run; draws a bar on a terminal, writes a line now and then elsewhere.

    former: seconds that each is expected to take, if known; what: what they are, if no cells.
    `current` is the cell that is being executed, None before the first; `times` holds the seconds of each cell.
    """

    def __init__(self, slug: str, cells: int, former: list[float] | None, *, shown: bool, what: str = "cell") -> None:
        self.slug, self.cells, self.what = slug, cells, what
        self.former = former if former and sum(former) > 0 else None
        self.current: int | None = None
        self.times = [0.0] * cells
        self._began = self._cell_began = self._last_line = time.monotonic()
        self._stream: TextIO = sys.stderr
        self._bar: Any = None
        self._stop = threading.Event()
        self._shown = shown
        if shown and self._stream.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                total=1.0,
                file=self._stream,
                leave=False,
                bar_format="{percentage:3.0f}% |{bar:24}| {desc}",  # tqdm would put a comma before a postfix
            )
            self._ticker = threading.Thread(target=self._tick, daemon=True)
            self._ticker.start()
        elif shown:
            print(f"{slug}: executing {cells} {what}s{self._estimate()}", file=self._stream, flush=True)

    def start(self, index: int) -> None:
        """Cell `index` begins."""
        self.current, self._cell_began = index, time.monotonic()
        if self._shown and self._bar is None and self._cell_began - self._last_line >= LINE_EVERY:
            self._last_line = self._cell_began
            print(self._line(), file=self._stream, flush=True)

    def end(self, index: int) -> None:
        """Cell `index` has ended."""
        self.times[index] = time.monotonic() - self._cell_began

    def close(self) -> None:
        """Take the bar away."""
        self._stop.set()
        if self._bar is not None:
            self._ticker.join()
            self._bar.close()

    def _fraction(self) -> float:
        """How much is done, by the former times where known, else by cells."""
        index = 0 if self.current is None else self.current
        if self.former is None:
            return index / max(self.cells, 1)
        inside = min(time.monotonic() - self._cell_began, self.former[index]) if self.current is not None else 0.0
        return min((sum(self.former[:index]) + inside) / sum(self.former), 1.0)

    def _estimate(self) -> str:
        if self.former is None:
            return ""
        left = (1 - self._fraction()) * sum(self.former)
        late = left == 0 or time.monotonic() - self._began > 2 * sum(self.former) + 10
        return ", longer than the last run" if late else f", about {left:.0f} s left"

    def _line(self) -> str:
        at = "starting" if self.current is None else f"{self.what} {self.current + 1} of {self.cells}"
        return f"{self.slug}: {at}, {time.monotonic() - self._began:.0f} s{self._estimate()}"

    def _tick(self) -> None:
        while not self._stop.wait(0.5):
            self._bar.n = self._fraction()
            self._bar.set_description_str(self._line(), refresh=True)
