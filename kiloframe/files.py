"""Writing files so that nothing half-written is ever left behind."""

from __future__ import annotations

import glob
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kiloframe.errors import UserError

__all__ = ["no_room", "replacing", "system_error", "write_atomically"]


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block ends well, and vanishes when it does not.

    The temporary file keeps the suffix, for writers that go by it, and is locked while it is written: one that nobody
    holds was left by a process that was killed, and goes away when `path` is next written. Raises UserError where the
    folder cannot be written, where the disk is full, and where `path` is a folder, a pipe or a device, which a rename
    would put a file in the place of.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file in it, for example {path / 'out'}{path.suffix}")
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is a pipe or a device; name a file, which takes its place once it is whole")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); name another place") from None
    temporary = Path(name)
    held = handle if _lock(handle) else None  # else closed: an open file cannot be renamed on Windows
    if held is None:
        os.close(handle)
    try:
        yield temporary
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except UserError:
        raise
    except Exception as error:
        number = system_error(error)
        reason = no_room(temporary) if number is None else os.strerror(number)
        if reason is None:
            raise
        raise UserError(f"{path} cannot be written ({reason}); make room or name another place") from error
    finally:
        temporary.unlink(missing_ok=True)
        if held is not None:
            os.close(held)


def no_room(path: Path) -> str | None:
    """Why nothing more can be written to a file, which is made if need be; None where more can be.

    SQLite, safetensors and others have errors of their own for a full disk, so the disk itself is asked.
    """
    try:
        with path.open("ab") as file:
            file.write(bytes(2**16))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


def system_error(error: Exception) -> int | None:
    """The system's number for what went wrong, where a library written in Rust hands it on in its words; such a one has
    cleared up already.
    """
    number = re.search(r"\(os error (\d+)\)", str(error))
    return int(number[1]) if number else None


_YOUNG = 5.0  # seconds in which a file may have been made and not locked yet


def _sweep(path: Path) -> None:
    """Remove the temporary files of `path` that killed processes left."""
    for left in path.parent.glob(f".{glob.escape(path.stem)}.????????{glob.escape(path.suffix)}"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime < _YOUNG:
                continue
            handle = os.open(left, os.O_RDWR)
            try:
                if _lock(handle):
                    left.unlink()
            finally:
                os.close(handle)


def _lock(handle: int) -> bool:
    """Whether this process now holds the only lock on an open file; False where the system or the disk knows none."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True


def write_atomically(path: str | Path, data: bytes | str) -> None:
    """Write text (UTF-8) or bytes to `path` by way of a temporary file and a rename. Raises as `replacing`."""
    with replacing(path) as temporary:
        temporary.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
