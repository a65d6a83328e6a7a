"""`kiloframe lint`: check the fact files."""

from __future__ import annotations

from pathlib import Path

import click

from kiloframe.commands import output
from kiloframe.errors import UserError


@click.command("lint", short_help="Check the fact files.")
@click.argument("path", required=False, type=click.Path())
@click.option("--fix", is_flag=True, help="Mend what can be mended: canonical formatting; comments stay.")
def command(path: str | None, fix: bool) -> int:
    """Check the fact files: schema, references, keys, dates, sources, formatting.

    PATH is a catalogue folder; default: the checkout's. Each problem is one line, file:line: field: what is wrong.
    Exit code 0: nothing found; 2: problems.

    \b
    Examples:
      kiloframe lint
      kiloframe lint catalogue
      kiloframe lint --fix
    """
    from kiloframe import lint

    report = lint.run(_folder(path), fix)
    output.put(lint.format_problems(report))
    if report.problems and not fix:
        click.echo("kiloframe lint --fix mends the formatting; the rest is yours to mend", err=True)
    return 2 if report.problems else 0


def _folder(path: str | None) -> Path:
    if path is None:
        from kiloframe.execute import checkout

        return checkout() / "catalogue"
    folder = Path(path)
    if folder.is_dir() and not (folder / "methods").is_dir() and (folder / "catalogue" / "methods").is_dir():
        return folder / "catalogue"
    if not (folder / "methods").is_dir():
        raise UserError(f"{path} is no catalogue folder (it has no methods/ in it); type: kiloframe lint catalogue")
    return folder
