"""Printing: facts without control characters, tables for terminals and pipes, rows as JSON, CSV and Markdown."""

from __future__ import annotations

# C0 but tab and newline, DEL, C1, and the marks that reorder text: what a hostile fact could steer a terminal with.
_UNSAFE = [*range(0x00, 0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F]
_UNSAFE += [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_STRIP = dict.fromkeys(_UNSAFE)


def clean(text: str) -> str:
    """The text without control characters (tab and newline stay)."""
    return text.translate(_STRIP)
