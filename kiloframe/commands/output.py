"""Printing: facts without control characters, tables for terminals and pipes, rows as JSON, CSV and Markdown."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

import click

__all__ = [
    "ROW_FORMATS", "as_csv", "as_json", "as_markdown", "cell", "clean", "encodes", "print_rows", "print_table", "put",
    "width",
]  # fmt: skip

ROW_FORMATS = ("table", "json", "csv", "md")

# C0 but tab and newline, DEL, C1, and the marks that reorder text: what a hostile fact could steer a terminal with.
# Patterns, because str.translate takes 26 ms for the JSON of eleven records and these take one.
_PLAIN = "\x00-\x08\x0b-\x1f"
_BEYOND = "\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_STEERING = re.compile(f"[{_PLAIN}{_BEYOND}]")
_STEERING_IN_JSON = re.compile(f"[{_BEYOND}]")  # JSON itself escapes the others


def clean(text: str) -> str:
    """The text without control characters (tab and newline stay)."""
    return _STEERING.sub("", text)


def put(text: str) -> None:
    """Print text, cleaned, with one newline at its end."""
    click.echo(clean(text.rstrip("\n")))


def encodes(text: str) -> bool:
    """Whether stdout can show these characters (it cannot under PYTHONIOENCODING=ascii)."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def width() -> int:
    """Columns of the terminal (COLUMNS wins); 100 where there is no terminal to ask."""
    import shutil  # late: it brings in the compressors

    return max(40, shutil.get_terminal_size((100, 24)).columns)


def cell(value: Any) -> str:
    """One value as a table shows it: nothing for unknown, yes and no, six digits; JSON and CSV keep all digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(cell(v) for v in value)
    if isinstance(value, bytes):
        return value.hex()
    return clean(str(value)).replace("\t", " ").replace("\n", " ")


def as_json(value: Any) -> str:
    """The value as indented JSON, alone on stdout; every character of it survives, none steers a terminal."""
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    pattern = _STEERING_IN_JSON if encodes("é€漢") else re.compile(r"[^\x00-\x7e]")
    return pattern.sub(lambda found: _escaped(found[0]), text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def as_markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """The rows as a Markdown table; markup in the facts is escaped."""
    from kiloframe.exports import markdown_text

    return markdown_text(columns, [[cell(value) for value in row] for row in rows])


def as_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """The rows as CSV (RFC 4180, but newlines are plain), guarded against formulas as `kiloframe export` is."""
    from kiloframe.exports import csv_text

    return csv_text(columns, rows)


def print_rows(form: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, keep: Sequence[str] = ()) -> None:
    """Print rows in one of ROW_FORMATS; in a table the columns named in `keep` are never broken over lines."""
    if form == "json":
        click.echo(as_json([dict(zip(columns, row, strict=True)) for row in rows]))
    elif form == "csv":
        put(as_csv(columns, rows))
    elif form == "md":
        put(as_markdown(columns, rows))
    else:
        print_table(columns, rows, keep=keep)


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, keep: Sequence[str] = (), wrap: int | None = None
) -> None:
    """A table as wide as the terminal; in a pipe plain aligned text, never cut, broken only at `wrap` characters."""
    texts = [[cell(v) for v in row] for row in rows]
    if sys.stdout.isatty():
        _rich_table(columns, texts, keep)
    else:
        put("\n".join(_plain_table(columns, texts, wrap)))


def _plain_table(columns: Sequence[str], rows: list[list[str]], wrap: int | None) -> list[str]:
    import textwrap

    blocks = [[[name] for name in columns], [["-" * len(name)] for name in columns]]
    blocks += [[(textwrap.wrap(text, wrap) or [""]) if wrap else [text] for text in row] for row in rows]
    widths = [max(len(line) for block in blocks for line in block[i]) for i in range(len(columns))]
    blocks[1] = [["-" * w] for w in widths]
    lines = []
    for block in blocks:
        for i in range(max(len(part) for part in block)):
            parts = (part[i] if i < len(part) else "" for part in block)
            lines.append("  ".join(text.ljust(w) for text, w in zip(parts, widths, strict=True)).rstrip())
    return lines


def _rich_table(columns: Sequence[str], rows: list[list[str]], keep: Sequence[str]) -> None:
    from rich.box import ASCII, SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=SIMPLE if encodes("─") else ASCII, pad_edge=False, header_style="bold")
    for i, name in enumerate(columns):
        longest = max([len(name), *(len(row[i]) for row in rows)])
        whole = name in keep
        table.add_column(name, overflow="fold", no_wrap=whole, min_width=longest if whole else None)
    for row in rows:
        table.add_row(*(Text(text) for text in row))
    console.print(table)
