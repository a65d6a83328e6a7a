"""`kiloframe status`: which frozen results are fresh."""

from __future__ import annotations

import click

from kiloframe.commands import output
from kiloframe.commands.values import format_option


@click.command("status", short_help="Which frozen results are fresh.")
@format_option(output.ROW_FORMATS)
def command(form: str) -> None:
    """Tell which frozen results are fresh, stale (and why) or missing. Needs a checkout.

    A result is stale when the code it came from, its notebook, its parameters or its weights have changed since.

    \b
    Examples:
      kiloframe status
      kiloframe status --format json
    """
    from kiloframe import execute

    rows = [(s.slug, s.state, s.reason) for s in execute.status(execute.checkout())]
    output.print_rows(form, ("slug", "state", "reason"), rows, keep=("slug", "state"))
    if form == "table" and any(state != "fresh" for _, state, _ in rows):
        click.echo("Make a result again with: kiloframe run SLUG --freeze", err=True)
