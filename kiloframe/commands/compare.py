"""`kiloframe compare`: methods side by side."""

from __future__ import annotations

from typing import Any

import click

from kiloframe.commands import output
from kiloframe.commands.values import Slug, format_option
from kiloframe.errors import UserError


@click.command("compare", short_help="Methods side by side.")
@click.argument("slugs", type=Slug("methods"), nargs=-1, required=True)
@click.option("--differences", is_flag=True, help="Only the rows in which the methods differ.")
@format_option(output.ROW_FORMATS)
def command(slugs: tuple[str, ...], differences: bool, form: str) -> None:
    """Put two or more methods side by side; rows in which they differ are marked with *.

    Unknown differs from nothing: a row is marked when two known values differ.

    \b
    Examples:
      kiloframe compare nuwa-xl phenaki
      kiloframe compare fdm mcvd tats --differences
      kiloframe compare nuwa_xl tats --format md
      kiloframe compare nuwa_xl tats --format json
    """
    import kiloframe
    from kiloframe.comparison import compare

    wanted = list(dict.fromkeys(slugs))
    if len(wanted) < 2:
        raise UserError("compare needs at least two methods, for example: kiloframe compare fdm tats")
    cat = kiloframe.load()
    methods = [cat.methods[slug] for slug in wanted]
    rows = [row for row in compare(methods) if row.differs or not differences]
    if form == "json":
        records = [
            {"field": field, "differs": differs, "values": dict(zip(wanted, values, strict=True))}
            for field, differs, values in rows
        ]
        click.echo(output.as_json(records))
        return
    columns = ["field", "differs", *wanted]
    flat = [
        (
            field,
            ("yes" if form == "csv" else "*") if differs else "",
            *(v if form == "csv" else _said(v) for v in values),
        )
        for field, differs, values in rows
    ]
    if form == "table":
        output.print_table(["field", " ", *wanted], flat, keep=("field",), wrap=40)
    else:
        output.print_rows(form, columns, flat)


def _said(value: Any) -> Any:
    """For a reader's eyes: unknown is written out."""
    return "unknown" if value is None else value
