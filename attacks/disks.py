"""Disks that are full, and places where nothing can be written or something else is in the way."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attacks import rights
from attacks.child import run
from attacks.kills import any_work, checkpoints_all_the_time
from attacks.tally import Fire
from attacks.works import Work, expected, state, strangers

__all__ = ["full_disk", "no_place"]

WAYS = ("a file for a folder", "a folder in its place", "a pipe in its place", "/proc")
AS_ROOT = ("no right to write", "a disk that can only be read")


@contextmanager
def _mounted(folder: Path, size: str) -> Iterator[bool]:
    """A small file system of its own in `folder`; False where this user cannot have one."""
    made = _mount("-t", "tmpfs", "-o", f"size={size}", "kiloframe-attack", str(folder))
    try:
        yield made
    finally:
        if made:
            subprocess.run(["umount", "-l", folder], capture_output=True, check=False)


def _mount(*words: str) -> bool:
    try:
        return subprocess.run(["mount", *words], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def full_disk(fire: Fire) -> Iterator[None]:
    """A disk on which some of what is needed has room: a small file system, or a limit on the size of a file."""
    tally, rng, folder = fire.tally, fire.rng, fire.folder / "disk"
    folder.mkdir()
    with _mounted(folder, "64k") as can_mount:
        if not can_mount:
            tally.note("this user cannot mount a small disk; files were limited in size instead")
    for work in any_work(rng):
        needs = sum(map(len, expected(work).files.values()))
        room = max(4096, int(needs * rng.choice((0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.3, 2.0))))
        former = rng.random() < 0.5
        tally.tried(work.part)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        if can_mount and rng.random() < 0.7:
            with _mounted(folder, str(2 * needs + 2**20)):
                work.lay(folder / "place", former)
                _leave(folder, room)
                _fill(work, fire, former, f"{room} bytes left on the disk", None)
        else:
            work.lay(folder / "place", former)
            _fill(work, fire, former, f"files of at most {room} bytes", room)
        yield


def _leave(folder: Path, room: int) -> None:
    """Fill the disk but for so many bytes."""
    disk = os.statvfs(folder)
    (folder / "filler").write_bytes(bytes(max(0, disk.f_bavail * disk.f_frsize - room)))


def _fill(work: Work, fire: Fire, former: bool, how: str, limit: int | None) -> None:
    tally, folder = fire.tally, fire.folder / "disk" / "place"

    def ready() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        if work.part == "train" and fire.tally.inputs % 2:
            checkpoints_all_the_time()

    outcome = run(work.words, folder, prepare=work.prepare(folder, ready))
    told = f"{work.name}, {how}, seed {tally.seed}, input {tally.inputs}"
    if tally.judge(outcome, told):
        if state(work, folder) != expected(work).state:
            tally.fault("broken", f"{told}: it says that it wrote, and did not")
        return
    tally.faults += 1
    for wrong in work.torn(folder, former):
        tally.fault("broken", f"{told}: {wrong}")
    for name in strangers(work, folder):
        if not name.startswith("kept/.w.safetensors.train") and ".failed." not in name:  # both are there to be used
            tally.fault("broken", f"{told}: {name} is left behind")


def no_place(fire: Fire) -> Iterator[None]:
    """Places where nothing can be written, and where something else is in the way: nothing of it is replaced."""
    rng, tally, folder = fire.rng, fire.tally, fire.folder / "place"
    ways = WAYS + (AS_ROOT if os.getuid() == 0 else ())
    if os.getuid() != 0:
        tally.note("not as root: no other user's rights were tried, and no disk that can only be read")
    fire.folder.chmod(0o755)  # so that only the place itself is closed
    for work in any_work(rng):
        way = rng.choice(ways)
        work.lay(folder, former=False)
        with _mounted(folder, "64k") if way == "a disk that can only be read" else _nothing() as there:
            if not there:
                tally.note("this user cannot mount a disk that can only be read")
                continue
            tally.tried(f"{work.part}: {way}")
            tally.faults += 1
            words = _spoilt(work, folder, way)
            before = _listing(folder)
            outcome = run(
                words, folder, prepare=work.prepare(folder, rights.powerless if way == "no right to write" else None)
            )
            told = f"{work.name}, {way}, seed {tally.seed}, input {tally.inputs}"
            if tally.judge(outcome, told):
                if not work.notebook:  # what lies in the way of a result is moved aside: the folder is kiloframe's own
                    tally.fault("broken", f"{told}: it says that it wrote")
            elif lost := [name for name in before if name not in _listing(folder)]:
                tally.fault("broken", f"{told}: {lost} are gone")
        yield


@contextmanager
def _nothing() -> Iterator[bool]:
    yield True


def _spoilt(work: Work, folder: Path, way: str) -> tuple[str, ...]:
    """Spoil the place in which the command is to write; the words of the command, with another place where needed."""
    target = folder / work.leaves[0]
    if way == "a file for a folder":
        (folder / ("build" if work.notebook else "file")).write_text("x")
        return _elsewhere(work, "file/x")
    if way == "a folder in its place":
        target.mkdir(parents=True)
        (target / "mine").write_text("x")
    elif way == "a pipe in its place":
        target.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(target)
    elif way == "/proc":
        if work.notebook:
            (folder / "build").symlink_to("/proc")
        return _elsewhere(work, "/proc/kiloframe")
    elif way == "no right to write":
        folder.chmod(0o555)
    else:
        work.lay_in(folder)
        _mount("-o", "remount,ro", str(folder))
    return work.words


def _elsewhere(work: Work, place: str) -> tuple[str, ...]:
    """The command with its file at another place; a notebook's results have one place only."""
    name = work.leaves[0]
    return tuple(f"{place}/{Path(name).name}" if word == name and not work.notebook else word for word in work.words)


def _listing(folder: Path) -> list[str]:
    """What lies there, not what lies behind a link."""
    found = [path for path in folder.glob("*") if not path.is_symlink()]
    found += [path for inner in found for path in inner.rglob("*")]
    return sorted(path.relative_to(folder).as_posix() for path in found if not path.name.startswith("."))
