"""No home, no network, and the same command twice at once."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from attacks import rights, works
from attacks.child import Child, Outcome, run
from attacks.kills import any_work, checkpoints_all_the_time
from attacks.tally import Fire, Tally
from attacks.works import Work, expected, state, strangers
from kiloframe.sources import checkout

__all__ = ["no_home", "offline", "twice"]


class _Turn(NamedTuple):
    """A command in a place that was laid out for it; work: None for one that only answers."""

    work: Work | None
    words: Sequence[str]
    folder: Path

    def judged(self, tally: Tally, ready: Callable[[], None], told: str, missing: str) -> Outcome:
        """Run it after `ready`, and count how it ended; where it ended well, it left what it leaves with `missing`."""
        work, folder = self.work, self.folder
        outcome = run(self.words, folder, prepare=work.prepare(folder, ready) if work is not None else ready)
        well = tally.judge(outcome, told, news=work is None)
        if well and work is not None and state(work, folder) != expected(work).state:
            tally.fault("broken", f"{told}: not what it leaves with {missing}")
        return outcome


def _turns(fire: Fire, asks: Sequence[tuple[str, ...]]) -> Iterator[_Turn]:
    """Three works to one question out of `asks`, each in an empty place."""
    folder, works_ = fire.folder / "place", any_work(fire.rng)
    while True:
        work = next(works_) if fire.rng.random() < 0.75 else None
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        if work is not None:
            work.lay(folder, former=False)
        yield _Turn(work, work.words if work is not None else fire.rng.choice(asks), folder)


def no_home(fire: Fire) -> Iterator[None]:
    """HOME unset, empty, not there, a file, in /proc, or somebody who is in no list of users."""
    rng, tally = fire.rng, fire.tally
    (fire.folder / "file").write_text("x")
    homes: dict[str, str | None] = {
        "unset": None, "empty": "", "not there": str(fire.folder / "gone" / "home"),
        "a file": str(fire.folder / "file"), "in /proc": "/proc/home", "relative": "home",
    }  # fmt: skip
    ways = [*homes, *(["a user without a name"] if os.getuid() == 0 else [])]
    asks: tuple[tuple[str, ...], ...] = (("list",), ("status",), ("lint",), ("doctor",), ("completion", "bash"))
    for turn in _turns(fire, asks):
        way = rng.choice(ways)
        words, folder = turn.words, turn.folder
        tally.tried(f"{words[0]}: {way}")
        tally.faults += 1
        if way == "a user without a name":
            fire.folder.chmod(0o755)
            for path in (folder, *folder.rglob("*")):
                os.chown(path, rights.STRANGER, rights.STRANGER)

        def ready(way: str = way) -> None:
            for name in [name for name in os.environ if name.startswith(("XDG_", "JUPYTER_", "IPYTHON", "MPL"))]:
                del os.environ[name]
            home = homes.get(way)
            os.environ.pop("HOME", None)
            if home is not None:
                os.environ["HOME"] = home
            if way == "a user without a name":
                rights.stranger()

        told = f"kiloframe {' '.join(words)}, home {way}, seed {tally.seed}, input {tally.inputs}"
        outcome = turn.judged(tally, ready, told, "a home")
        if turn.work is not None and outcome.code and not outcome.hung:
            tally.note(f"{words[0]} without a home ({way}): {outcome.err.strip()[-200:]}")
        yield


def twice(fire: Fire) -> Iterator[None]:
    """Two of the same command in the same folder, begun at nearly the same moment; then once more, alone."""
    rng, tally, folder = fire.rng, fire.tally, fire.folder / "place"
    for work in any_work(rng):
        former = rng.random() < 0.5
        work.lay(folder, former)
        tally.tried(work.part)
        tally.faults += 1
        told = f"{work.name} twice at once, seed {tally.seed}, input {tally.inputs}"
        often = checkpoints_all_the_time if work.part == "train" and rng.random() < 0.5 else None
        children = [Child(work.words, folder, prepare=work.prepare(folder, often))]
        time.sleep(rng.uniform(0, expected(work).outcome.seconds * rng.choice((0.1, 0.9))))
        children.append(Child(work.words, folder, prepare=work.prepare(folder, often)))
        outcomes = [child.wait() for child in children]
        ended = [tally.judge(outcome, told) for outcome in outcomes]
        if not any(ended):
            tally.fault("broken", f"{told}: neither ended well")
        elif state(work, folder) != expected(work).state:
            tally.fault("broken", f"{told}: not what it leaves in peace")
        works.aged(folder)
        if not tally.judge(run(work.words, folder, prepare=work.prepare(folder)), f"again: {told}") or (
            state(work, folder) != expected(work).state
        ):
            tally.fault("broken", f"{told}: once more alone, it does not leave what it leaves in peace")
        for name in strangers(work, folder):
            tally.fault("broken", f"{told}: {name} is left behind")
        yield


def offline(fire: Fire) -> Iterator[None]:
    """No way to any other machine: sockets reach this one alone, in the command and in the kernels that it starts."""
    tally = fire.tally
    closed = checkout() / "tests" / "offline"
    asks: tuple[tuple[str, ...], ...] = (
        ("list",),
        ("status",),
        ("doctor",),
        ("show", "fdm"),
        ("lint",),
        ("sql", "select 1"),
    )
    for turn in _turns(fire, asks):
        tally.tried(turn.words[0])
        tally.faults += 1

        def ready(asked: Path = fire.folder / "asked") -> None:
            os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(closed), os.environ.get("PYTHONPATH")]))
            sys.addaudithook(_closed(asked))

        told = f"kiloframe {' '.join(turn.words)}, offline, seed {tally.seed}, input {tally.inputs}"
        turn.judged(tally, ready, told, "a network")
        if (fire.folder / "asked").exists():
            tally.fault("broken", f"{told}: it asked for {(fire.folder / 'asked').read_text()}")
            (fire.folder / "asked").unlink()
        yield


def _closed(asked: Path) -> Callable[..., None]:
    """Refuse every address but this machine's, and write down what was asked for."""

    def look(event: str, args: tuple[object, ...]) -> None:
        if event == "socket.getaddrinfo":
            host = args[0]
        elif event in ("socket.connect", "socket.sendto") and isinstance(args[-1], tuple):
            host = args[-1][0]
        else:
            return
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if isinstance(name, str) and name not in ("", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::"):
            asked.write_text(name)
            raise PermissionError(f"no network, and something asked for {name}")

    return look
