"""`kiloframe list`: the methods that fit all filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from kiloframe.commands import output
from kiloframe.commands.values import FilterValue, Name, format_option, split

if TYPE_CHECKING:
    from kiloframe.catalogue import Catalogue
    from kiloframe.records import Methods

# What the table shows when nothing else is asked for: columns of the table `methods` (kiloframe/tables.py).
SHOWN = ("slug", "first_public", "paradigm", "generators", "definition_frames", "definition_seconds")

# Filters that may be given several times, or with commas: any of the values will do.
REPEATABLE = {
    "paradigm": "divide-and-conquer, temporal-autoregressive, other or both.",
    "generator": "diffusion, spatial-autoregressive, gan or mask-modeling.",
    "dataset": "A data set it uses or reports a result on (slug).",
    "metric": "A metric it uses or reports (slug).",
    "control": "A control signal, such as text, image or action.",
    "membership": "survey-text or editors.",
    "code": "Status of the authors' code: full, partial, none, gone or unknown.",
    "verdict": "Found about one of its claims: held, not-held, inconclusive, not-judged or not-run.",
}


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for every filter of `cat.methods.where`, in the order of the help text."""
    options = [
        click.option(f"--{name}", type=FilterValue(name), multiple=True, metavar="VALUE", help=f"{text} Repeatable.")
        for name, text in REPEATABLE.items()
    ]
    for unit in ("frames", "seconds"):
        options.append(click.option(f"--min-{unit}", type=float, metavar="N", help=f"Called long: at least N {unit}."))
        options.append(click.option(f"--max-{unit}", type=float, metavar="N", help=f"Called long: at most N {unit}."))
    options += [
        click.option("--shown", is_flag=True, help="Lengths are those of the longest video shown."),
        click.option("--year", multiple=True, metavar="YEAR", help="First public: 2023 or 2022-2023. Repeatable."),
        click.option("--text", multiple=True, metavar="WORDS", help="Words that must all occur. Repeatable."),
        click.option("--reproduction/--no-reproduction", default=None, help="With, or without, a reproduction here."),
        click.option("--by", type=Name(("editors", "survey")), default="editors", help="Whose paradigm and generator."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@click.command("list", short_help="The methods that fit all filters.")
@_filters
@format_option((*output.ROW_FORMATS, "bibtex"))
@click.option("--columns", multiple=True, metavar="NAMES", help="Columns of the table methods, with commas.")
@click.option("--sort", metavar="COLUMN", help="Sort by a column; -COLUMN: the other way round. Unknown comes last.")
def command(form: str, columns: tuple[str, ...], sort: str | None, **given: Any) -> None:
    """List the methods that fit all filters; several values of one filter mean any of them.

    A length is what the paper itself calls long; frames and seconds convert only with the record's own frame rate,
    and unknown never matches. Paradigm `both` matches either. `kiloframe sql --tables` explains all columns.
    JSON is an array of whole records, or of the columns asked for; CSV has all columns of the table methods.

    \b
    Examples:
      kiloframe list --paradigm divide-and-conquer
      kiloframe list --generator diffusion --control text --min-frames 1000
      kiloframe list --paradigm both,other --by editors --format json
      kiloframe list --min-seconds 60 --shown --sort -shown_seconds
      kiloframe list --dataset ucf-101 --metric fvd --year 2022-2023 --format csv
      kiloframe list --text "temporal attention" --columns slug,title --format md
      kiloframe list --reproduction --verdict held,not-held
      kiloframe list --membership survey-text --format bibtex
    """
    import kiloframe

    cat = kiloframe.load()
    wanted: dict[str, Any] = {name: split(given[name]) or None for name in (*REPEATABLE, "year")}
    same = ("min_frames", "max_frames", "min_seconds", "max_seconds", "shown", "reproduction", "by")
    wanted |= {name: given[name] for name in same}
    methods = cat.methods.where(text=" ".join(given["text"]) or None, **wanted)
    slugs = list(methods) if sort is None else _sorted(cat, methods, sort)
    if form == "bibtex":
        from kiloframe.cite import bibtex_for_all

        output.put(bibtex_for_all([methods[slug] for slug in slugs], cat))
    elif form == "json" and not columns:
        click.echo(output.as_json([methods[slug] for slug in slugs]))
    else:
        names = _columns(split(columns), form, given["by"], given["shown"])
        output.print_rows(form, names, _rows(cat, slugs, names), keep=("slug",))
    if not slugs:
        click.echo("no method fits all filters", err=True)


def _columns(asked: list[str], form: str, by: str, shown: bool) -> tuple[str, ...]:
    """The columns to print: those asked for, or what suits the format and the filters."""
    from kiloframe.tables import TABLES
    from kiloframe.words import fold, refuse

    known = [column.name for column in TABLES["methods"].columns]
    if asked:
        for name in asked:
            if fold(name) not in known:
                raise refuse(name, "column of the table methods", known)
        return tuple(dict.fromkeys(fold(name) for name in asked))
    if form == "csv":
        return tuple(known)
    lengths = {"definition_frames": "shown_frames", "definition_seconds": "shown_seconds"} if shown else {}
    readings = {"paradigm": "paradigm_survey", "generators": "generators_survey"} if by == "survey" else {}
    return tuple((lengths | readings).get(name, name) for name in SHOWN)


def _rows(cat: Catalogue, slugs: list[str], names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """The named columns of the table methods, one row per slug, in their order."""
    from kiloframe.tables import TABLES

    table = TABLES["methods"]
    at = {column.name: i for i, column in enumerate(table.columns)}
    by_slug = {row[at["slug"]]: row for row in table.rows(cat)}
    return [tuple(by_slug[slug][at[name]] for name in names) for slug in slugs]


def _sorted(cat: Catalogue, methods: Methods, sort: str) -> list[str]:
    """The slugs by one column, words in any case; with a leading hyphen from the largest; unknown last either way."""
    (name,) = _columns([sort.removeprefix("-")], "table", "editors", False)
    values = dict(zip(methods, (row[0] for row in _rows(cat, list(methods), (name,))), strict=True))
    unknown = (None, "", "unknown")

    def key(slug: str) -> Any:
        value = values[slug]
        return value.lower() if isinstance(value, str) else value

    known = sorted((s for s in methods if values[s] not in unknown), key=key, reverse=sort.startswith("-"))
    return known + [slug for slug in methods if values[slug] in unknown]
