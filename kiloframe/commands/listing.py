"""`kiloframe list`: the methods, filtered."""

from __future__ import annotations

import click


@click.command("list")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(form: str) -> None:
    """List the methods."""
    import kiloframe

    cat = kiloframe.load()
    if form == "json":
        import msgspec

        click.echo(msgspec.json.encode(list(cat.methods.values())).decode())
    else:
        for slug in cat.methods:
            click.echo(slug)
