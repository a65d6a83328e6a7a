"""`kiloframe measure`: measures of video files."""

from __future__ import annotations

import math
from typing import Any, Self

import click

from kiloframe.commands import output
from kiloframe.commands.values import format_option, split
from kiloframe.errors import UserError


@click.command("measure", short_help="Measure generated video files against real ones.")
@click.argument("real", type=click.Path(), required=False)
@click.argument("fake", type=click.Path(), required=False)
@click.option("--measures", multiple=True, metavar="NAME,...", help="Which; default: psnr,ssim. --list names them all.")
@click.option("--list", "listing", is_flag=True, help="Print the measures and the network that each needs.")
@click.option("--size", type=click.IntRange(1, 4096), metavar="N", help="Bring all frames to N x N pixels first.")
@click.option("--frames", type=click.IntRange(1), metavar="N", help="Only the first N frames of every file.")
@click.option("--window", type=click.IntRange(1), default=16, show_default=True, metavar="N", help="Frames per clip.")
@click.option(
    "--network", "given", multiple=True, metavar="NAME=FILE[@SHA256]", help="A feature network's weights; repeatable."
)
@click.option(
    "--captions", type=click.Path(), metavar="FILE", help="For clipsim: a CSV with the columns file, caption."
)
@format_option(("table", "json"))
def command(
    real: str | None,
    fake: str | None,
    measures: tuple[str, ...],
    listing: bool,
    size: int | None,
    frames: int | None,
    window: int,
    given: tuple[str, ...],
    captions: str | None,
    form: str,
) -> None:
    """Measure a generated video file, or a folder of them, against a real one.

    Files of two folders are paired by their names, whatever the ending. Every value comes with its settings, and with
    an interval where there are several videos. A famous name such as FVD needs the famous network, whose weights you
    bring (see docs/feature-networks.md); distances over other features go by other names. JSON has every digit, and
    null for a number that is infinite.

    \b
    Examples:
      kiloframe measure real.mp4 fake.mp4
      kiloframe measure real/ fake/ --measures psnr,ssim,flickering --frames 64
      kiloframe measure real/ fake/ --measures frechet-world --format json
      kiloframe measure real/ fake/ --measures fvd --network i3d=i3d_pretrained_400.pt
    """
    from reproductions.measures import files

    if listing:
        kinds = {"pairs": "pairs of files", "sets": "two sets", "each": "each side"}
        rows = [(m.id, m.name, kinds[m.of], m.network or "") for m in files.MEASURES.values()]
        output.print_rows(form, ("measure", "name", "of", "network"), rows)
        return
    if not real or not fake:
        raise UserError("measure needs two files or folders, the real one first: kiloframe measure REAL FAKE")
    options = files.Options(size, frames, window, _networks(given), captions)
    chosen = split(measures) if measures else list(files.DEFAULT)
    if not chosen:
        raise UserError(f"--measures names none; allowed: {', '.join(files.MEASURES)}")
    with Progress() as bar:
        found = files.measure_files(real, fake, chosen, options, bar.tell)
    if form == "json":
        click.echo(output.as_json([_plain(row) for row in found]))
        return
    heads = ("measure", "of", "value", "95 % interval", "videos", "note")
    output.print_rows("table", heads, [_cells(row) for row in found])


def _networks(given: tuple[str, ...]) -> dict[str, str]:
    pairs = [word.partition("=") for word in given]
    for name, equals, file in pairs:
        if not (name and equals and file):
            raise UserError(
                f"--network takes NAME=FILE, for example i3d=i3d_pretrained_400.pt, not {name + equals + file!r}"
            )
    return {name: file for name, _, file in pairs}


class Progress:
    """A bar on stderr: which file is being read, how many are left, how long it will take."""

    def __enter__(self) -> Self:
        from tqdm import tqdm

        self.bar = tqdm(unit="file", desc="measuring", disable=None)
        return self

    def tell(self, what: str, total: int) -> None:
        """The next file's turn."""
        self.bar.total = total
        self.bar.set_postfix_str(what, refresh=False)
        self.bar.update(1)

    def __exit__(self, *_: object) -> None:
        self.bar.close()


def _plain(row: Any) -> dict[str, Any]:
    found = {"measure": row.measure, "of": row.of, **row.estimate.as_dict(), "network": dict(row.network) or None}
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in found.items()}


def _cells(row: Any) -> tuple[str, ...]:
    e = row.estimate
    interval = "" if e.low is None else f"{e.low:.4g} to {e.high:.4g}"
    return (
        e.name,
        row.of,
        f"{e.value:.6g}{f' {e.unit}' if e.unit else ''}",
        interval,
        str(e.count),
        "; ".join(e.warnings),
    )
