"""The tables in an in-memory SQLite that can only be read, with limits on time, memory and the size of an answer."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any

from kiloframe.errors import UserError
from kiloframe.tables import TABLES, Table
from kiloframe.words import nearest

if TYPE_CHECKING:
    from kiloframe.catalogue import Catalogue

__all__ = ["MAX_BYTES", "MAX_ROWS", "Database", "create", "schema_sql"]

MAX_ROWS = 100_000
MAX_BYTES = 64 * 2**20
MAX_VALUE = 2**18  # bytes of one text or blob; the longest of ours has about ten thousand
EXAMPLE = "select slug, shown_frames from methods where shown_frames > 1000"
_REFUSED = {"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"}


def schema_sql(table: Table, collate: bool = False) -> str:
    """The CREATE TABLE statement; with `collate`, columns of slugs and enumerated values ignore case, - and _."""
    fold = " collate words"
    columns = (f'"{c.name}" {c.type}{fold if collate and c.names else ""}' for c in table.columns)
    return f'create table "{table.name}" ({", ".join(columns)})'


def create(connection: sqlite3.Connection, rows: dict[str, list[tuple[Any, ...]]], collate: bool = False) -> None:
    """Create the tables named in `rows` and fill them."""
    for name, content in rows.items():
        connection.execute(schema_sql(TABLES[name], collate))
        marks = ", ".join("?" * len(TABLES[name].columns))
        connection.executemany(f'insert into "{name}" values ({marks})', content)
    connection.commit()


def _compare(a: str, b: str) -> int:
    left, right = a.lower().replace("-", "_"), b.lower().replace("-", "_")
    return (left > right) - (left < right)


def _allow(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """The authorizer: reading and harmless functions, nothing else."""
    if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE):
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _REFUSED:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


class Database:
    """The tables of one catalogue, made on first use and then only read. Safe to use from several threads."""

    def __init__(self, cat: Catalogue) -> None:
        self._lock = threading.Lock()
        self._deadline = 0.0
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        connection.create_collation("words", _compare)
        connection.execute("pragma temp_store = file")  # large sorts spill to disk
        connection.execute("pragma cache_size = -16000")
        create(connection, {name: table.rows(cat) for name, table in TABLES.items()}, collate=True)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 200)
        connection.setlimit(sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 200)
        connection.setlimit(sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 100)
        connection.execute("pragma query_only = on")
        connection.set_authorizer(_allow)
        connection.set_progress_handler(self._late, 1000)
        self._connection = connection

    def _late(self) -> int:
        return int(time.monotonic() > self._deadline)

    def query(self, sql: str, seconds: float) -> tuple[list[str], list[tuple[Any, ...]]]:
        """See `Catalogue.query`."""
        if not isinstance(sql, str) or not _bare(sql):
            raise UserError(f"the query is empty; write one SELECT, for example: {EXAMPLE}")
        first = _bare(sql).split(None, 1)[0].strip("(;").lower()
        if first not in ("select", "with", "values", "explain"):
            raise UserError(f"the query begins with {first[:20]!r}, and the facts can only be read; write one SELECT")
        with self._lock:
            self._deadline = time.monotonic() + seconds
            cursor = self._connection.cursor()
            try:
                cursor.execute(sql)
                rows = self._fetch(cursor)
                return [column[0] for column in cursor.description or ()], rows
            except sqlite3.Warning:  # before Python 3.12 what several statements raise
                raise UserError("the query holds more than one statement; write one SELECT") from None
            except (sqlite3.Error, OverflowError, UnicodeError, MemoryError, ValueError) as error:
                raise _explained(error, sql, seconds) from None
            finally:
                cursor.close()

    def _fetch(self, cursor: sqlite3.Cursor) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        size = 0
        for row in cursor:
            size += sum(len(value) if isinstance(value, (str, bytes)) else 8 for value in row)
            rows.append(row)
            if len(rows) > MAX_ROWS or size > MAX_BYTES:
                limit = f"{MAX_ROWS} rows" if len(rows) > MAX_ROWS else f"{MAX_BYTES // 2**20} MB"
                raise UserError(f"the answer is larger than {limit}; narrow the query or add a LIMIT")
        return rows


def _bare(sql: str) -> str:
    """The query without leading blanks, comments and parentheses."""
    return re.sub(r"\A(?:\s|;|\(|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))+", "", sql, flags=re.DOTALL)


def _explained(error: Exception, sql: str, seconds: float) -> UserError:
    """A mistake in one sentence, with the tables or columns there are."""
    said = str(error).strip()
    if "interrupted" in said:
        return UserError(f"the query ran longer than {seconds:g} s and was stopped; narrow it or add a LIMIT")
    if "not authorized" in said or "prohibited" in said or "readonly" in said or "too many attached" in said:
        return UserError(f"the query does more than read ({said}), and the facts can only be read; write one SELECT")
    if "one statement" in said:
        return UserError("the query holds more than one statement; write one SELECT")
    if "too big" in said or isinstance(error, (OverflowError, MemoryError)):
        return UserError(f"the query makes a value larger than {MAX_VALUE // 2**10} kB; make it smaller")
    if match := re.match(r"no such table: (?:\w+\.)?(.*)", said):
        return UserError(f"there is no table {match[1]!r}{_near(match[1], TABLES)}; tables: {', '.join(TABLES)}")
    if match := re.match(r"no such column: (?:\w+\.)?(.*)", said):
        used = [table for name, table in TABLES.items() if re.search(rf"\b{name}\b", sql, re.IGNORECASE)]
        known = list(dict.fromkeys(column.name for table in used for column in table.columns))
        where = ", ".join(table.name for table in used)
        return UserError(
            f"there is no column {match[1]!r}{_near(match[1], known)}; columns of {where}: {', '.join(known)}"
        )
    return UserError(f"the query is not right ({said}); write one SELECT, for example: {EXAMPLE}")


def _near(word: str, known: Any) -> str:
    near = nearest(word, known)
    return f"; nearest: {', '.join(near)}" if near else ""
