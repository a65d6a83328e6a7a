"""`kiloframe cite`: BibTeX entries of methods and of the survey."""

from __future__ import annotations

import click

from kiloframe.commands import output
from kiloframe.commands.values import Slug
from kiloframe.errors import UserError


@click.command("cite", short_help="BibTeX entries.")
@click.argument("slugs", type=Slug("methods"), nargs=-1)
@click.option("--survey", is_flag=True, help="The survey itself.")
@click.option("--all", "everything", is_flag=True, help="The survey and all methods.")
def command(slugs: tuple[str, ...], survey: bool, everything: bool) -> None:
    """Print BibTeX entries, built from the records.

    \b
    Examples:
      kiloframe cite nuwa-xl fdm
      kiloframe cite --survey
      kiloframe cite --all
    """
    import kiloframe
    from kiloframe.cite import bibtex_for_all

    if not (slugs or survey or everything):
        raise UserError("cite needs a slug, --survey or --all, for example: kiloframe cite nuwa-xl")
    cat = kiloframe.load()
    entries = [cat.references[cat.survey["bib_key"]]] if survey or everything else []
    wanted = list(cat.methods) if everything else list(dict.fromkeys(slugs))
    if wanted:
        entries.append(bibtex_for_all([cat.methods[slug] for slug in wanted], cat))
    output.put("\n\n".join(entry.strip() for entry in entries))
