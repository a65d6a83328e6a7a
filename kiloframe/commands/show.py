"""`kiloframe show`: all facts of one record, or one fact with the place it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kiloframe.commands import output
from kiloframe.commands.values import Slug, format_option
from kiloframe.errors import UserError

if TYPE_CHECKING:
    from kiloframe.catalogue import Catalogue
    from kiloframe.schema import Dataset, Method, Metric


@click.command("show", short_help="One record with all its facts and sources.")
@click.argument("slug", type=Slug("methods", "datasets", "metrics"))
@click.option("--explain", metavar="FIELD", help="Print one field: its value, where it stands, how it was seen.")
@format_option(("text", "json", "md", "bibtex"), "text")
def command(slug: str, explain: str | None, form: str) -> None:
    """Show a method, a data set or a metric with all its facts and their sources.

    FIELD is a name as `kiloframe show SLUG --format json` prints it, with dots and [numbers] for what stands
    deeper. How a fact was seen: primary (read in the paper or code), secondary (read elsewhere), memory.

    \b
    Examples:
      kiloframe show nuwa-xl
      kiloframe show nuwa-xl --explain longest_shown
      kiloframe show nuwa-xl --explain paradigm
      kiloframe show fdm --explain long_video_definition --format json
      kiloframe show ucf-101 --format md
      kiloframe show fvd --format json
      kiloframe show tats --format bibtex
    """
    import kiloframe

    cat = kiloframe.load()
    record = find(cat, slug)
    if explain is not None:
        _explain(cat, slug, explain, form)
    elif form == "json":
        click.echo(output.as_json(record))
    elif form == "bibtex":
        _bibtex(cat, slug)
    else:
        from kiloframe.commands.document import document, to_markdown, to_text

        blocks = document(record)
        output.put(to_markdown(blocks) if form == "md" else to_text(blocks, output.width()))


def find(cat: Catalogue, slug: str) -> Method | Dataset | Metric:
    """The record of that slug among methods, data sets and metrics. Raises UserError with the nearest matches."""
    for records in (cat.methods, cat.datasets, cat.metrics):
        if slug in records:
            return records[slug]
    from kiloframe.words import nearest

    near = nearest(slug, [*cat.methods, *cat.datasets, *cat.metrics])
    hint = f"; nearest: {', '.join(near)}" if near else ""
    raise UserError(
        f"there is no method, data set or metric {slug!r}{hint}; all methods: kiloframe list, data sets and metrics: "
        "kiloframe sql 'select slug from datasets union select slug from metrics'"
    )


def _bibtex(cat: Catalogue, slug: str) -> None:
    from kiloframe import cite

    if slug not in cat.methods:
        raise UserError(f"{slug} is not a method, and only methods have a BibTeX entry; leave --format bibtex away")
    output.put(cite.bibtex(cat.methods[slug], cat))


def _explain(cat: Catalogue, slug: str, field: str, form: str) -> None:
    found = cat.explain(slug, field)
    told: list[tuple[str, Any]] = [
        ("slug", found.slug),
        ("field", found.field),
        ("value", found.value),
        ("place", found.locator),
        ("seen", found.seen),
        ("by", found.by),
        ("why", found.why),
    ]
    if form == "json":
        click.echo(output.as_json(dict(told)))
        return
    if form == "bibtex":
        raise UserError("--explain prints text, json or md, not bibtex")
    from kiloframe.commands.document import Block, to_markdown, to_text

    origin = [(name, _worded(value)) for name, value in told[3:] if value is not None or name == "place"]
    heading, value = f"{found.slug}: {found.field}", found.value
    if isinstance(value, list) and any(isinstance(part, dict) for part in value):
        blocks = [Block(heading, items=[_entry(part) for part in value]), Block("All of them", pairs=origin)]
    else:
        parts = value.items() if isinstance(value, dict) else [("value", value)]
        blocks = [Block(heading, pairs=[*((name, _worded(part)) for name, part in parts), *origin])]
    output.put(to_markdown(blocks) if form == "md" else to_text(blocks, output.width()))


def _entry(part: Any) -> str:
    """One entry of a list: its known fields by name."""
    if not isinstance(part, dict):
        return _worded(part)
    return "; ".join(f"{name}: {_worded(value)}" for name, value in part.items() if value is not None)


def _worded(value: Any) -> str:
    """A value in words: unknown, or the parts of a list or dictionary, and so on inwards."""
    if value is None:
        return "unknown"
    if isinstance(value, list):
        return "; ".join(_worded(part) for part in value) or "none"
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_worded(part)}" for name, part in value.items() if part is not None)
    return output.cell(value)
