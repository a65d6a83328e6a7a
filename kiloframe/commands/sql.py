"""`kiloframe sql`: questions in SQL, answered by a read-only database in memory."""

from __future__ import annotations

import sys

import click

from kiloframe.commands import output
from kiloframe.commands.values import format_option
from kiloframe.errors import UserError


@click.command("sql", short_help="A question in SQL.")
@click.argument("query", required=False)
@click.option("--tables", is_flag=True, help="Print the tables and columns with what they mean, and stop.")
@format_option(output.ROW_FORMATS)
def command(query: str | None, tables: bool, form: str) -> None:
    """Ask in SQL (SQLite's dialect). Writing, attaching and runaway queries are refused.

    QUERY is one select statement; `-` reads it from standard input.

    \b
    Examples:
      kiloframe sql --tables
      kiloframe sql "select paradigm, count(*) as n from methods group by paradigm order by n desc"
      kiloframe sql "select slug, first_public from methods order by first_public limit 5" --format md
      kiloframe sql "select count(*) as claims from claims" --format json
    """
    if tables:
        if query is not None:
            raise UserError("--tables takes no query; type: kiloframe sql --tables")
        _print_tables(form)
        return
    if query is None:
        raise UserError('sql needs a query, for example "select slug from methods"; tables: kiloframe sql --tables')
    if query == "-":
        query = sys.stdin.read()
    import kiloframe

    columns, rows = kiloframe.load().query(query)
    output.print_rows(form, columns, rows, keep=("slug",))


def _print_tables(form: str) -> None:
    from kiloframe.tables import TABLES

    if form != "table":
        rows = [(t.name, c.name, c.type, c.doc) for t in TABLES.values() for c in t.columns]
        output.print_rows(form, ("table", "column", "type", "meaning"), rows)
        return
    from kiloframe.commands.document import Block, to_text

    blocks = [
        Block(table.name, table.doc, pairs=[(f"{c.name} ({c.type})", c.doc) for c in table.columns])
        for table in TABLES.values()
    ]
    output.put(to_text(blocks, output.width()))
