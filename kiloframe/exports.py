"""The facts in files for other tools. Writing twice gives the same bytes; nothing half-written is left behind.

| suffix     | content |
|------------|---------|
| `.sqlite`  | all tables of `kiloframe.tables` |
| `.csv`     | one table, `methods` unless another is named; guarded against formulas (`csv_text`) |
| `.parquet` | one table, with its column types; needs pyarrow |
| `.json`    | an array of the full records with all their provenance, or the rows of a table where one is named |
| `.bib`     | BibTeX of the methods |
| `.md`      | a short table of the methods, or one table in full where one is named |
"""

from __future__ import annotations

import csv
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from kiloframe.errors import UserError
from kiloframe.files import replacing, write_atomically
from kiloframe.lengths import longest
from kiloframe.records import Methods
from kiloframe.schema import Method
from kiloframe.tables import TABLES, Table, table_named

if TYPE_CHECKING:
    from kiloframe.catalogue import Catalogue

__all__ = [
    "SUFFIXES", "csv_text", "markdown_text", "to_bibtex", "to_csv", "to_json", "to_markdown", "write",
]  # fmt: skip

SUFFIXES = (".sqlite", ".csv", ".json", ".parquet", ".bib", ".md")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write(what: Catalogue | Methods, path: str | Path, table: str | None = None) -> None:
    """Write a catalogue, or only some of its methods, to a file in the format of its suffix.

    `table` picks one of `kiloframe.tables.TABLES` for .csv, .parquet, .json and .md. For a selection of methods only
    rows about them are written; tables about data sets, metrics and the survey stay whole.
    Raises UserError for a suffix or table that does not exist, a table where the format takes none, a missing pyarrow,
    and a place that cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"{path} ends in {path.suffix or 'no suffix'}; the formats are {', '.join(SUFFIXES)}")
    if table is not None and suffix in (".sqlite", ".bib"):
        raise UserError(f"{suffix} takes no table; name one for .csv, .json, .parquet or .md")
    methods = what if isinstance(what, Methods) else what.methods
    if suffix == ".sqlite":
        _write_sqlite(methods, path)
    elif suffix == ".parquet":
        _write_parquet(methods, table_named(table or "methods"), path)
    elif suffix == ".bib":
        write_atomically(path, to_bibtex(methods))
    elif suffix == ".csv":
        write_atomically(path, to_csv(methods, table or "methods"))
    elif suffix == ".md":
        write_atomically(path, to_markdown(methods, table))
    else:
        write_atomically(path, to_json(methods, table))


def _rows(methods: Methods, table: Table) -> list[tuple[Any, ...]]:
    """The rows of a table that are about these methods, or about none."""
    names = [column.name for column in table.columns]
    rows = table.rows(methods.catalogue)
    if table.method is not None:
        at = names.index(table.method)
        return [row for row in rows if row[at] in methods]
    if "kind" in names:
        kind, slug = names.index("kind"), names.index("slug")
        return [row for row in rows if row[kind] != "method" or row[slug] in methods]
    return rows


def to_json(methods: Methods, table: str | None = None) -> str:
    """An array of full records with all provenance, or of the rows of a table as objects; ends with a newline."""
    found: list[Any] = list(methods.values())
    if table is not None:
        chosen = table_named(table)
        names = [column.name for column in chosen.columns]
        found = [dict(zip(names, row, strict=True)) for row in _rows(methods, chosen)]
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"


def to_csv(methods: Methods, table: str = "methods") -> str:
    """One table as CSV, guarded as `csv_text` says."""
    chosen = table_named(table)
    return csv_text([column.name for column in chosen.columns], _rows(methods, chosen))


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows as CSV with a header, quoted as RFC 4180 says, lines ended by a newline; unknown is empty.

    A text that a spreadsheet would take for a formula (it begins with = + - @, a tab or a line break) gets an
    apostrophe in front; plain numbers stay numbers.
    """
    lines: list[str] = []

    class Out:
        """What csv writes to: one call per row."""

        write = staticmethod(lines.append)

    writer = csv.writer(Out(), lineterminator="\r\n")  # with it, a lone carriage return in a text is quoted
    for row in (columns, *rows):
        writer.writerow([_guarded(value) for value in row])
    return "".join(line[:-2] + "\n" for line in lines)


def _guarded(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        value = "; ".join(str(part) for part in value)
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA) and not _NUMBER.fullmatch(value):
        return "'" + value
    return value


def to_markdown(methods: Methods, table: str | None = None) -> str:
    """A table in Markdown: the methods in short, or all columns of a named table; ends with a newline."""
    if table is None:
        head = ("method", "name", "first public", "paradigm", "generators", "calls long", "longest shown", "arXiv")
        return markdown_text(head, [_short(method) for method in methods.values()])
    chosen = table_named(table)
    return markdown_text([column.name for column in chosen.columns], _rows(methods, chosen))


def _short(m: Method) -> tuple[Any, ...]:
    generators = ", ".join(m.generator.editors.value)
    long = [_length(m, shown) for shown in (False, True)]
    return m.slug, m.name, m.first_public, m.paradigm.editors.value, generators, *long, m.arxiv


def _length(method: Method, shown: bool) -> str | None:
    found = longest(method, shown)
    return None if found.unit is None else f"{found.value:g} {found.unit}"


def markdown_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows as a table in Markdown; what would be markup in a cell is escaped."""

    def line(row: Sequence[Any]) -> str:
        return "| " + " | ".join(_cell(value) for value in row) + " |\n"

    return line(columns) + "|" + " --- |" * len(columns) + "\n" + "".join(line(row) for row in rows)


def _cell(value: Any) -> str:
    text = "" if value is None else " ".join(str(value).split())
    text = re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def to_bibtex(methods: Methods | Mapping[str, Method]) -> str:
    """The BibTeX entries of the methods, each once; ends with a newline."""
    from kiloframe.cite import bibtex_for_all

    catalogue = methods.catalogue if isinstance(methods, Methods) else None
    return bibtex_for_all(methods.values(), catalogue)


def _write_sqlite(methods: Methods, path: Path) -> None:
    from kiloframe.database import create

    with replacing(path) as temporary:
        connection = sqlite3.connect(temporary)
        try:
            for pragma in ("page_size = 4096", "journal_mode = off", "auto_vacuum = none", "encoding = 'UTF-8'"):
                connection.execute(f"pragma {pragma}")
            create(connection, {name: _rows(methods, table) for name, table in TABLES.items()})
            connection.execute("create table columns (table_name text, column_name text, type text, doc text)")
            connection.executemany("insert into columns values (?, ?, ?, ?)", _documented())
            connection.commit()
        finally:
            connection.close()


def _documented() -> Iterator[tuple[str, str, str, str]]:
    for table in TABLES.values():
        for column in table.columns:
            yield table.name, column.name, column.type, column.doc


def _write_parquet(methods: Methods, table: Table, path: Path) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UserError(
            "Parquet needs pyarrow, which is not installed; type: pip install 'kiloframe[parquet]'"
        ) from None
    kinds = {"text": pyarrow.string(), "integer": pyarrow.int64(), "real": pyarrow.float64()}
    rows = _rows(methods, table)
    fields = [
        pyarrow.field(column.name, kinds[column.type], metadata={"description": column.doc}) for column in table.columns
    ]
    values = [
        pyarrow.array([_number(row[at], column.type) for row in rows], kinds[column.type])
        for at, column in enumerate(table.columns)
    ]
    with replacing(path) as temporary:
        pyarrow.parquet.write_table(pyarrow.table(values, schema=pyarrow.schema(fields)), temporary)


def _number(value: Any, kind: str) -> Any:
    return float(value) if kind == "real" and value is not None else value
