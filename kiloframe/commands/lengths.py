"""`kiloframe lengths`: the survey's Figure 1 in the terminal, from our own records."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import click

from kiloframe.commands import output
from kiloframe.commands.values import format_option
from kiloframe.lengths import Figure1, Length, figure1, longest

COLUMNS = (
    "slug", "unit", "stated", "stated_frames", "stated_seconds", "shown_frames", "shown_seconds", "fps", "locator",
    "seen",
)  # fmt: skip
UNITS = {"frames": "frames", "seconds": "s"}


class Row(NamedTuple):
    """One method: the length its paper calls long, the longest it shows, and whether it states one at all."""

    stated: Length
    shown: Length
    says: bool | None

    def cells(self) -> tuple[Any, ...]:
        """The values of COLUMNS."""
        a, b = self.stated, self.shown
        return (a.slug, a.unit, a.value, a.frames, a.seconds, b.frames, b.seconds, a.fps, a.locator, a.seen)


@click.command("lengths", short_help="Who calls what long: Figure 1 in the terminal.")
@format_option(output.ROW_FORMATS)
def command(form: str) -> None:
    """Show who calls what long: stated lengths beside the longest shown, on a logarithmic scale.

    The bar is the length the paper calls long, the diamond the longest video its authors show. The upright line is
    the survey's threshold: more than 100 frames, or 10 seconds at its 10 frames per second. Papers that count in
    frames and in seconds stand apart, because the two convert only where a record has its own frame rate. The counts
    at the end set the survey's Figure 1 beside ours. --format json is an object: threshold, counts, methods.

    \b
    Examples:
      kiloframe lengths
      kiloframe lengths --format csv
      kiloframe lengths --format json
    """
    import kiloframe

    cat = kiloframe.load()
    figure = figure1(cat)
    rows = []
    for stated in figure.rows:
        method = cat.methods[stated.slug]
        rows.append(Row(stated, longest(method, shown=True), method.long_video_definition.stated))
    rule = cat.survey["definition_of_long_video"]
    thresholds = {unit: rule[f"{unit}_threshold"] for unit in UNITS}
    if form == "json":
        told = {
            "threshold": thresholds,
            "counts": {"survey": figure.survey._asdict(), "ours": figure.ours._asdict()},
            "methods": [dict(zip(COLUMNS, row.cells(), strict=True)) for row in rows],
        }
        click.echo(output.as_json(told))
    elif form == "table":
        _draw(figure, rows, thresholds)
    else:
        output.print_rows(form, COLUMNS, [row.cells() for row in rows])


class _Signs(NamedTuple):
    bar: str
    shown: str
    threshold: str


def _draw(figure: Figure1, rows: list[Row], thresholds: dict[str, float]) -> None:
    signs = _Signs("█", "◆", "│") if output.encodes("█◆│") else _Signs("#", "o", "|")
    label = max(len(row.stated.slug) for row in rows) + 2
    for unit in UNITS:
        _chart([row for row in rows if row.stated.unit == unit], unit, thresholds[unit], label, signs)
    silent = sorted((row for row in rows if row.stated.unit is None), key=lambda row: row.stated.slug)
    click.echo(f"No number for long ({len(silent)})")
    for row in silent:
        why = {True: "calls it long without a number", False: "states nothing", None: "unknown"}[row.says]
        output.put(f"{row.stated.slug.ljust(label)}{why}; longest shown: {_words(row.shown)}")
    click.echo("\nCounts: the survey's Figure 1 beside ours")
    names = ("studies", "give a length", "as a duration", "as a frame count", "give none, or it is unknown")
    table = zip(names, figure.survey, figure.ours, strict=True)
    output.print_table(("count", "survey", "ours"), list(table), keep=("count",))
    click.echo(
        f"Of ours without one: {figure.calls_long} call their videos long without a number, {figure.does_not} state "
        f"nothing, {figure.unknown} are unknown.\nThe survey does not list its studies; ours are counted, not fitted."
    )


def _words(length: Length) -> str:
    known = [f"{length.frames:.5g} frames"] if length.frames is not None else []
    known += [f"{length.seconds:.5g} s"] if length.seconds is not None else []
    return ", ".join(known) or "unknown"


def _chart(rows: list[Row], unit: str, threshold: float, label: int, signs: _Signs) -> None:
    """Bars of one unit on one scale, the longest last, the threshold drawn through them."""
    notes = [f"{row.stated.value:.5g} {UNITS[unit]}; shown {_shown(row.shown, unit)}" for row in rows]
    values = [v for row in rows for v in (row.stated.value, getattr(row.shown, unit)) if v]
    room = max(12, output.width() - label - max((len(note) for note in notes), default=0) - 3)
    low, high = math.log10(min([threshold, *values]) / 1.6), math.log10(max([threshold, *values]))

    def at(value: float) -> int:
        return max(1, round((math.log10(value) - low) / (high - low) * room))

    click.echo(f"Called long in {unit} ({len(rows)}); bar: stated, {signs.shown} longest shown, logarithmic scale")
    for row, note in zip(rows, notes, strict=True):
        line = [" "] * (room + 1)
        if row.stated.value:
            line[: at(row.stated.value)] = signs.bar * at(row.stated.value)
        line[at(threshold)] = signs.threshold
        shown = getattr(row.shown, unit)
        if shown:
            line[at(shown)] = signs.shown
        output.put(f"{row.stated.slug.ljust(label)}{''.join(line)}  {note}")
    head = f"{signs.threshold} {threshold:g} {UNITS[unit]}: the survey calls long what is longer"
    click.echo(" " * max(0, min(label + at(threshold), output.width() - len(head))) + head + "\n")


def _shown(shown: Length, unit: str) -> str:
    value = getattr(shown, unit)
    if value is not None:
        return f"{value:.5g}"
    return _words(shown)
