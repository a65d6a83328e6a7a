"""Strict reading of the lists that come with data sets: every mistake names the file, the line and what is allowed."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kiloframe.errors import UserError

__all__ = ["as_number", "as_whole", "bad_line", "json_object", "json_rows", "rows", "text_lines"]


def bad_line(path: Path, line: int, what: str) -> UserError:
    """The error for one line of a list."""
    return UserError(f"{path}, line {line}: {what}")


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a list that are not blank, without blanks around them, each with its number from 1.

    Raises UserError for a file that cannot be read or is not UTF-8.
    """
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if line.strip():
            yield number, line.strip()


def rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a csv file with a header, each with the number of its (last) line.

    columns: those that must be there; others may be. Raises UserError for a missing column, a row with more or fewer
    fields than the header, and text that is not csv or not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            missing = [name for name in columns if name not in header]
            if missing:
                raise bad_line(path, 1, f"the header has no column {missing[0]!r}; needed are: {', '.join(columns)}")
            for fields in reader:
                if not fields:
                    continue
                if len(fields) != len(header):
                    raise bad_line(path, reader.line_num, f"{len(fields)} fields where the header has {len(header)}")
                yield reader.line_num, dict(zip(header, fields, strict=True))
    except csv.Error as error:
        raise bad_line(path, reader.line_num, f"this is not csv ({error})") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None


def as_whole(path: Path, line: int, column: str, text: str) -> int:
    """A whole number from 0 out of a list. Raises UserError for anything else."""
    if not (text.isascii() and text.isdigit()):
        raise bad_line(path, line, f"{column} must be a whole number from 0, not {text!r}")
    return int(text)


def as_number(path: Path, line: int, column: str, text: str) -> float:
    """A number above 0 out of a list. Raises UserError for anything else."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise bad_line(path, line, f"{column} must be a number above 0, not {text!r}")
    return value


def json_object(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds. Raises UserError for anything else, with the line where the JSON breaks."""
    try:
        data = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise bad_line(path, error.lineno, f"this is not JSON ({error.msg})") from None
    if not isinstance(data, dict):
        raise UserError(f"{path} must hold a JSON object, not a {type(data).__name__}")
    return data


def json_rows(path: Path, data: dict[str, Any], key: str, fields: dict[str, type]) -> Iterator[dict[str, Any]]:
    """The records under `key`, each with at least `fields` of these types. Raises UserError that names the record."""
    records = data.get(key)
    if not isinstance(records, list):
        raise UserError(f"{path} must hold a list {key!r}")
    for number, record in enumerate(records):
        where = f"{path}, {key}[{number}]"
        if not isinstance(record, dict):
            raise UserError(f"{where} must be an object, not {record!r}")
        for field, kind in fields.items():
            if not isinstance(record.get(field), kind) or isinstance(record.get(field), bool):
                raise UserError(f"{where}: {field!r} must be {_kind(kind)}, not {record.get(field)!r}")
        yield record


def _kind(kind: type) -> str:
    return {str: "a text", int: "a whole number"}[kind]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None
