"""`kiloframe export`: the facts in a file for other tools."""

from __future__ import annotations

from typing import Any

import click

from kiloframe.commands import output
from kiloframe.commands.values import Name


class TableName(click.ParamType):
    """A table of kiloframe/tables.py, which is imported only when one is named."""

    name = "table"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The table's name as the catalogue spells it."""
        from kiloframe.tables import table_named

        return table_named(str(value)).name

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """The tables that begin so."""
        from kiloframe.tables import TABLES

        return Name(tuple(TABLES)).shell_complete(ctx, param, incomplete)


@click.command("export", short_help="The facts as sqlite, csv, json, parquet, bib or md.")
@click.argument("path", type=click.Path())
@click.option("--table", type=TableName(), metavar="NAME", help="One table, for .csv, .json, .parquet and .md.")
def command(path: str, table: str | None) -> None:
    """Write the facts to a file; its suffix says how. The same facts give the same bytes.

    .sqlite holds all tables; .csv, .parquet and .md hold one, methods unless another is named; .json holds the whole
    records with all their sources, or one table; .bib holds the BibTeX entries. Tables: kiloframe sql --tables.

    \b
    Examples:
      kiloframe export facts.sqlite
      kiloframe export methods.csv
      kiloframe export results.csv --table results
      kiloframe export methods.json
      kiloframe export claims.parquet --table claims
      kiloframe export methods.bib
      kiloframe export methods.md
    """
    import kiloframe
    from kiloframe import exports

    exports.write(kiloframe.load(), path, table)
    output.put(f"wrote {path}")
