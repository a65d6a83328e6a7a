"""No home, no network, and the same command twice at once."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from attacks import rights, works
from attacks.child import Child, run
from attacks.kills import any_work, checkpoints_all_the_time
from attacks.tally import Fire
from attacks.works import expected, state, strangers
from kiloframe.sources import checkout

__all__ = ["no_home", "offline", "twice"]


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
    turns = any_work(rng)
    while True:
        way = rng.choice(ways)
        work = next(turns) if rng.random() < 0.75 else None
        folder = fire.folder / "place"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        words = work.words if work is not None else rng.choice(asks)
        if work is not None:
            work.lay(folder, former=False)
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
        outcome = run(words, folder, prepare=work.prepare(folder, ready) if work is not None else ready)
        if tally.judge(outcome, told, news=work is None):
            if work is not None and state(work, folder) != expected(work).state:
                tally.fault("broken", f"{told}: not what it leaves with a home")
        elif work is not None and not outcome.hung:
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
    rng, tally = fire.rng, fire.tally
    closed = checkout() / "tests" / "offline"
    asks: tuple[tuple[str, ...], ...] = (
        ("list",),
        ("status",),
        ("doctor",),
        ("show", "fdm"),
        ("lint",),
        ("sql", "select 1"),
    )
    turns = any_work(rng)
    while True:
        work = next(turns) if rng.random() < 0.75 else None
        folder = fire.folder / "place"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        words = work.words if work is not None else rng.choice(asks)
        if work is not None:
            work.lay(folder, former=False)
        tally.tried(words[0])
        tally.faults += 1

        def ready(asked: Path = fire.folder / "asked") -> None:
            os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(closed), os.environ.get("PYTHONPATH")]))
            sys.addaudithook(_closed(asked))

        told = f"kiloframe {' '.join(words)}, offline, seed {tally.seed}, input {tally.inputs}"
        outcome = run(words, folder, prepare=work.prepare(folder, ready) if work is not None else ready)
        if (
            tally.judge(outcome, told, news=work is None)
            and work is not None
            and state(work, folder) != expected(work).state
        ):
            tally.fault("broken", f"{told}: not what it leaves with a network")
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
