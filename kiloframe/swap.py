"""Replacing a result as a whole: its record, its executed notebook and its media folder change places together.

Three renames cannot be one. So the former set moves into `.leaving-<slug>`, which is called `.former-<slug>` once it
holds all of it; then the new set moves in, its record (`<slug>.json`) last. Whoever comes next after a crash can tell
from these names what to undo or to finish.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kiloframe.errors import UserError

__all__ = ["freeze", "locked", "replace", "staging"]


def _members(slug: str) -> tuple[str, str, str]:
    return f"{slug}.json", f"{slug}.ipynb", slug


@contextmanager
def locked(folder: Path, slug: str, what: str | None = None) -> Iterator[None]:
    """Only one run of a slug at a time. what: says what runs, in place of "a run of <slug>".

    Raises UserError when another is in progress.
    """
    path = folder / f".{slug}.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); results need a folder that can be") from None
    with file:
        try:
            import fcntl
        except ImportError:  # no such locks on Windows, where the second run would fail on the open files instead
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            who = file.read().strip()
            process = f" (process {who})" if who else ""
            raise UserError(
                f"{what or f'a run of {slug}'} is in progress{process}; wait until it ends, or stop it"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.truncate(0)


@contextmanager
def staging(folder: Path, slug: str) -> Iterator[Path]:
    """An empty folder `.staging-<slug>` beside the results, removed at the end whatever happens. Needs the lock."""
    place = folder / f".staging-{slug}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)  # of a run that was killed
        place.mkdir()
    except OSError as error:
        raise UserError(
            f"{place} cannot be made ({error.strerror}); results need a folder that can be written"
        ) from None
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _restore(folder: Path, slug: str) -> None:
    """Undo a replacement that broke off; finish one whose new set had arrived whole."""
    leaving, former = folder / f".leaving-{slug}", folder / f".former-{slug}"
    if former.is_dir() and not (folder / f"{slug}.json").exists():
        for name in _members(slug):
            _remove(folder / name)
        os.rename(former, leaving)
    for name in reversed(_members(slug)):
        if (leaving / name).exists():
            os.rename(leaving / name, folder / name)
    for place in (leaving, former):
        shutil.rmtree(place, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def replace(source: Path, folder: Path, slug: str) -> None:
    """Move the set in `source` (same file system) into `folder`, in the place of the former one.

    Raises UserError where that cannot be done; the former set is then back in its place.
    """
    leaving, former = folder / f".leaving-{slug}", folder / f".former-{slug}"
    try:
        _restore(folder, slug)
        leaving.mkdir()
        try:
            for name in _members(slug):
                if (folder / name).exists():
                    os.rename(folder / name, leaving / name)
            os.rename(leaving, former)
            for name in reversed(_members(slug)):
                if (source / name).exists():
                    os.rename(source / name, folder / name)
        except BaseException:
            _restore(folder, slug)
            raise
        shutil.rmtree(former, ignore_errors=True)
    except OSError as error:
        raise UserError(
            f"the result of {slug} cannot be put into {folder} ({error.strerror}); the former one is untouched"
        ) from None


def freeze(runs: Path, results: Path, slug: str) -> None:
    """Copy the set in `runs` into `results`, where it replaces the frozen one as a whole. Raises UserError as above."""
    with staging(results, slug) as place:
        try:
            for name in _members(slug):
                if (runs / name).is_dir():
                    shutil.copytree(runs / name, place / name)
                elif (runs / name).exists():
                    shutil.copyfile(runs / name, place / name)
        except (OSError, shutil.Error) as error:
            raise UserError(f"the result of {slug} cannot be copied into {results} ({error})") from None
        replace(place, results, slug)
