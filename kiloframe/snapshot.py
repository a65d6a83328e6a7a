"""The compiled facts: one file that is checked in a millisecond, decoded on first use and not validated again.

A snapshot is one header line (format, CRC-32 of the rest, fingerprint of the fact files it was made from) and the
facts in msgpack. Reading the header needs neither msgspec nor yaml, which is what keeps `kiloframe.load()` fast.
"""

from __future__ import annotations

import os
import zlib

TYPE_CHECKING = False  # `typing` costs as much as the rest of a load; type checkers take the name as true
if TYPE_CHECKING:
    from pathlib import Path

    from kiloframe.schema import Facts

__all__ = ["SCHEMA_VERSION", "Snapshot", "decode", "encode", "fingerprint", "read_snapshot"]

SCHEMA_VERSION = 1
_MAGIC = b"kiloframe-facts"


class Snapshot:
    """The undecoded content of a snapshot file, known to be whole."""

    def __init__(self, fingerprint: str, data: bytes) -> None:
        self.fingerprint = fingerprint
        self.data = data


def fingerprint(catalogue: str | Path) -> str:
    """Name, size and modification time of every fact file and of the schema: changes when any of them does.

    Raises OSError where one of the folders is missing.
    """
    parts = []
    for folder in ("", "methods", "datasets", "metrics"):
        with os.scandir(os.path.join(catalogue, folder)) as entries:
            for entry in entries:
                if entry.name.endswith((".yaml", ".bib")):
                    stat = entry.stat()
                    parts.append(f"{folder}/{entry.name}:{stat.st_size}:{stat.st_mtime_ns}")
    parts.sort()
    try:
        here = os.path.dirname(__file__)
        stats = [os.stat(os.path.join(here, name)) for name in ("schema.py", "schema_base.py")]
        schema = ":".join(f"{stat.st_size}:{stat.st_mtime_ns}" for stat in stats)
    except OSError:  # an installation without sources
        schema = "none"
    return f"{SCHEMA_VERSION};schema:{schema};" + ";".join(parts)


def encode(facts: Facts) -> bytes:
    """The facts as the bytes of a snapshot file."""
    import msgspec

    data = msgspec.msgpack.encode(facts)
    mark = f"{SCHEMA_VERSION} {zlib.crc32(data):08x} {facts.fingerprint}".encode()
    return _MAGIC + b" " + mark.replace(b"\n", b" ") + b"\n" + data


def read_snapshot(path: str | Path) -> Snapshot | None:
    """The snapshot in a file, not yet decoded; None where it is missing, damaged or of another schema version."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return None
    header, _, data = content.partition(b"\n")
    parts = header.split(b" ", 3)
    expected = [_MAGIC, b"%d" % SCHEMA_VERSION, b"%08x" % zlib.crc32(data)]
    if len(parts) != 4 or parts[:3] != expected:
        return None
    return Snapshot(parts[3].decode("utf-8", "replace"), data)


def decode(snapshot: Snapshot) -> Facts:
    """The facts of a snapshot. Raises msgspec.MsgspecError where it was written by another version of the schema."""
    import msgspec

    from kiloframe.schema import Facts

    return msgspec.msgpack.decode(snapshot.data, type=Facts)
