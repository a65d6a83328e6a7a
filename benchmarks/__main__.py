"""`python -m benchmarks`: measure row by row, into build/bench/<row>.json; what is there is not measured again."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import benchmarks.rows
from benchmarks import row as measuring
from benchmarks.row import Row
from kiloframe.apart import apart
from kiloframe.errors import UserError
from kiloframe.files import write_atomically
from kiloframe.progress import Progress
from kiloframe.sources import checkout
from kiloframe.stopping import status_of

__all__ = ["default_folder", "main", "read_records"]

TEST_ONLY = ("layer-small",)
"""Rows that are measured only when they are named."""


def default_folder() -> Path:
    """build/bench of the checkout."""
    return checkout() / "build" / "bench"


def read_records(folder: Path) -> dict[str, dict[str, Any]]:
    """The records in a folder by row, in the order of the rows. Raises UserError for a file that is none."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            record = json.loads(path.read_text())
            found[str(record["name"])] = record
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{path} is no record of a row; delete it, and type: make bench") from None
    order = list(benchmarks.rows.rows())
    return dict(sorted(found.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is not measured yet; returns the exit status: 0 done, 2 a user's mistake, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", metavar="ROW", help="this row alone; repeatable")
    parser.add_argument("--list", action="store_true", help="the rows, and measure nothing")
    parser.add_argument("--smoke", action="store_true", help="two rounds on one thread, into build/bench/smoke")
    parser.add_argument("--again", action="store_true", help="measure anew what is measured already")
    parser.add_argument("--without-peers", action="store_true", help="leave out libraries that are not installed")
    parser.add_argument("--folder", type=Path, metavar="F", help="where records go; build/bench of the checkout")
    parser.add_argument("--row", metavar="ROW", help=argparse.SUPPRESS)
    parser.add_argument("--memory", nargs=2, metavar=("ROW", "CONTENDER"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)

    def work() -> None:
        if given.row is not None:
            one = benchmarks.rows.row(given.row)
            print(json.dumps(measuring.measure_row(one, smoke=given.smoke, without_peers=given.without_peers)))
        elif given.memory is not None:
            print(json.dumps(measuring.measure_memory(benchmarks.rows.row(given.memory[0]), given.memory[1])))
        elif given.list:
            for one in benchmarks.rows.rows().values():
                print(f"{one.name:22} {one.title}, {one.unit}: {', '.join(c.name for c in one.contenders)}")
        else:
            _measure(given)

    return status_of(work, "benchmarks", "the same command goes on with what is not measured")


def _measure(given: Any) -> None:
    known = benchmarks.rows.rows()
    chosen = [benchmarks.rows.row(name) for name in dict.fromkeys(given.only or ())] or [
        one for one in known.values() if one.name not in TEST_ONLY and not (given.smoke and one.lengthy)
    ]
    folder = given.folder or (default_folder() / "smoke" if given.smoke else default_folder())
    for one in chosen:
        measuring.taking_part(one, given.without_peers)  # a library that is missing is told before anything is measured
    left = [one for one in chosen if given.again or not (folder / f"{one.name}.json").is_file()]
    if len(left) < len(chosen):
        print(f"measured already: {len(chosen) - len(left)} of {len(chosen)} rows (--again measures them anew)")
    if not left:
        return
    estimate = folder / ".seconds" / f"{'smoke' if given.smoke else 'whole'}.json"
    former = _former(estimate)
    known_times = [former[one.name] for one in left] if all(one.name in former for one in left) else None
    bar = Progress("benchmarks", len(left), known_times, shown=True, what="row")
    try:
        for number, one in enumerate(left):
            bar.start(number)
            record = measured_apart(one, smoke=given.smoke, without_peers=given.without_peers)
            write_atomically(folder / f"{one.name}.json", json.dumps(record, indent=1) + "\n")
            bar.end(number)
            former[one.name] = round(bar.times[number], 1)
            write_atomically(estimate, json.dumps(former) + "\n")
            print(f"{one.name}: {_told(record)}", flush=True)
    finally:
        bar.close()


def measured_apart(one: Row, *, smoke: bool, without_peers: bool) -> dict[str, Any]:
    """The whole record of a row: timed in one fresh process, the memory of each contender in another."""
    begun = time.perf_counter()
    flags = [*(["--smoke"] if smoke else []), *(["--without-peers"] if without_peers else [])]
    environment = os.environ | {"TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    record: dict[str, Any] = apart(
        "benchmarks", ["--row", one.name, *flags], f"measuring {one.name}", environment=environment
    )  # fmt: skip
    for contender in record["contenders"] if not one.lengthy else ():
        contender["memory"] = apart(
            "benchmarks", ["--memory", one.name, contender["name"]],
            f"measuring the memory of {contender['name']} in {one.name}", environment=environment,
        )  # fmt: skip
    record["took"] = time.perf_counter() - begun
    return record


def _former(path: Path) -> dict[str, float]:
    """Seconds that each row took the last time, for the estimate."""
    try:
        found = json.loads(path.read_text())
        return {str(name): float(seconds) for name, seconds in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _told(record: dict[str, Any]) -> str:
    """The medians of one thread in a line."""
    from statistics import median

    seconds = next(iter(record["seconds"].values()))
    return ", ".join(f"{name} {1000 * median(taken):.3g} ms" for name, taken in seconds.items())


if __name__ == "__main__":
    sys.exit(main())
