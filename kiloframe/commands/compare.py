"""`kiloframe compare`: methods side by side."""

from __future__ import annotations

from typing import Any

import click

from kiloframe.commands import output
from kiloframe.commands.values import Slug, format_option
from kiloframe.errors import UserError
from kiloframe.schema import Method


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

    wanted = list(dict.fromkeys(slugs))
    if len(wanted) < 2:
        raise UserError("compare needs at least two methods, for example: kiloframe compare fdm tats")
    cat = kiloframe.load()
    methods = [cat.methods[slug] for slug in wanted]
    rows = [row for row in _rows(methods) if row[1] or not differences]
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


def _rows(methods: list[Method]) -> list[tuple[str, bool, list[Any]]]:
    """(field, whether known values differ, one value per method)."""
    columns = [_facts(method) for method in methods]
    out = []
    for field in columns[0]:
        values = [facts[field] for facts in columns]
        known = {repr(value) for value in values if value not in (None, [], "")}
        out.append((field, len(known) > 1, values))
    return out


def _facts(m: Method) -> dict[str, Any]:
    stated, shown = m.long_video_definition, m.longest_shown
    survey = m.paradigm.survey
    return {
        "name": m.name,
        "first_public": m.first_public,
        "venue": m.venue,
        "membership": m.membership.by,
        "paradigm": m.paradigm.editors.value,
        "paradigm_survey": survey.value if survey else "under no heading",
        "generator": list(m.generator.editors.value),
        "control_signals": list(m.control_signals),
        "long_stated_frames": stated.value if stated.stated and stated.unit == "frames" else None,
        "long_stated_seconds": stated.value if stated.stated and stated.unit == "seconds" else None,
        "longest_shown_frames": shown.frames,
        "longest_shown_seconds": shown.seconds,
        "longest_shown_fps": shown.fps,
        "clip_frames": m.training.clip_frames,
        "resolution": m.training.resolution,
        "representation": m.representation,
        "datasets": list(dict.fromkeys(d.ref or d.text for d in m.datasets)),
        "metrics": list(dict.fromkeys(x.ref or x.text for x in m.metrics)),
        "distinguishing": m.distinguishing,
        "code_status": m.code_status.value,
    }
