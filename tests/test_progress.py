"""kiloframe.progress: what a user sees while a notebook runs, and the cell times kept for the next estimate."""

import io
import time

import pytest

from kiloframe import progress
from kiloframe.progress import Progress, former_times, keep_times


def test_cell_times_are_kept_by_scale_and_only_fit_the_same_cells(tmp_path):
    keep_times(tmp_path, "x", "toy", [1.0, 2.004])
    keep_times(tmp_path, "x", "smoke", [0.5, 0.5])
    assert former_times(tmp_path, "x", "toy", 2) == [1.0, 2.0]
    assert former_times(tmp_path, "x", "smoke", 2) == [0.5, 0.5]
    assert former_times(tmp_path, "x", "toy", 3) is None and former_times(tmp_path, "x", "gpu", 2) is None
    (tmp_path / ".times/x.json").write_text("{")
    assert former_times(tmp_path, "x", "toy", 2) is None, "a damaged file is no reason to fail"
    keep_times(tmp_path, "x", "toy", [3.0])
    assert former_times(tmp_path, "x", "toy", 1) == [3.0]


def test_the_fraction_follows_the_former_times_within_a_cell_and_cells_without_them(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    known = Progress("x", 3, [1.0, 8.0, 1.0], shown=False)
    known.start(1)
    clock[0] += 4
    assert known._fraction() == pytest.approx(0.5) and known._line() == "x: cell 2 of 3, 4 s, about 5 s left"
    clock[0] += 40
    known.end(1)
    assert known.times == [0, 44, 0] and known._fraction() == pytest.approx(0.9), "a slow cell stays within its share"
    unknown = Progress("x", 4, None, shown=False)
    assert unknown._line() == "x: starting, 0 s"
    unknown.start(2)
    assert unknown._fraction() == 0.5 and unknown._line() == "x: cell 3 of 4, 0 s"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch):
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    bar = Progress("x", 2, None, shown=True)
    bar.start(1)
    deadline = time.monotonic() + 10
    while "cell 2 of 2" not in terminal.getvalue() and time.monotonic() < deadline:
        time.sleep(0.05)
    bar.close()
    assert " 50% |" in terminal.getvalue() and "x: cell 2 of 2" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r"), "the line is cleared"


def test_a_log_gets_a_line_now_and_then_and_silence_is_silent(monkeypatch):
    monkeypatch.setattr("sys.stderr", log := io.StringIO())
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    Progress("x", 2, None, shown=False).start(0)
    assert log.getvalue() == ""
    bar = Progress("x", 2, None, shown=True)
    bar.start(1)
    bar.close()
    assert log.getvalue().splitlines() == ["x: executing 2 cells", "x: cell 2 of 2, 0 s"]


def test_nothing_to_do_and_former_times_of_nothing_are_no_estimate(monkeypatch):
    monkeypatch.setattr("sys.stderr", log := io.StringIO())
    for former in ([], [0.0]):
        bar = Progress("x", len(former), former, shown=True)
        bar.close()
    assert log.getvalue().splitlines() == ["x: executing 0 cells", "x: executing 1 cells"]
