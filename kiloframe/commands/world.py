"""`kiloframe world`: a video of a toy world."""

from __future__ import annotations

from typing import Any

import click

from kiloframe.commands import output
from kiloframe.errors import UserError
from kiloframe.stopping import Stop


@click.command("world", short_help="A video of a toy world.")
@click.argument("name", required=False)
@click.option("--list", "listing", is_flag=True, help="Print the worlds and what is seen in each.")
@click.option("--frames", type=click.IntRange(1), default=100, show_default=True, metavar="N", help="10 are a second.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    default=0,
    show_default=True,
    metavar="N",
    help="Which of its endless videos.",
)
@click.option("--start", type=click.IntRange(0, 10**15), default=0, show_default=True, metavar="N", help="First frame.")
@click.option("--size", type=int, default=64, show_default=True, help="Pixels per side, 16 to 128.")
@click.option("--scale-up", type=click.IntRange(1, 32), help="Squares per pixel; default: to about 512 pixels.")
@click.option("--memory", is_flag=True, help="digits only: with the curtain behind which they hide.")
@click.option("-o", "--out", type=click.Path(), metavar="FILE", help="An .mp4, .webm, .gif or .webp; default NAME.mp4.")
def command(
    name: str | None,
    listing: bool,
    frames: int,
    seed: int,
    start: int,
    size: int,
    scale_up: int | None,
    memory: bool,
    out: str | None,
) -> None:
    """Write a video of one of the worlds that the reproductions are trained on and judged by.

    A world is endless: the same seed and frame always give the same picture, wherever the video starts. A file that
    is there is replaced once the new one is whole.

    \b
    Examples:
      kiloframe world --list
      kiloframe world rooms --frames 300 -o rooms.mp4
      kiloframe world stories --seed 7 --size 128 -o story.gif
      kiloframe world digits --memory --size 32
    """
    from reproductions import worlds

    if listing:
        if name is not None:
            raise UserError("give a world's name or --list, not both")
        output.print_rows("table", ("world", "what is seen"), [(w, worlds.kind(w).about) for w in worlds.NAMES])
        return
    if name is None:
        raise UserError(f"world needs a name ({', '.join(worlds.NAMES)}) or --list")
    name = name.lower()
    if memory and name != "digits":
        raise UserError("--memory is an option of the digits world; leave it away")
    world = worlds.world(name, size, memory=True) if memory else worlds.world(name, size)
    if out == "":
        raise UserError(f"--out names no file; write one, for example --out {name}.mp4, or leave it away")
    target = out or f"{name}.mp4"
    film(world, target, frames, seed, start, scale_up or max(1, round(512 / size / 2) * 2))
    length = f"{frames} frames, {frames / world.fps:g} s at {world.fps} frames per second"
    output.put(f"{target}: {length}, of the world {name}, seed {seed}")


def film(world: Any, target: str, frames: int, seed: int, start: int, scale_up: int) -> None:
    """Render a world chunk by chunk into a video file, with a progress bar; memory does not grow with the length."""
    from tqdm import tqdm

    from reproductions.video import VideoWriter

    with (
        Stop() as stop,
        VideoWriter(target, fps=world.fps, scale_up=scale_up) as writer,
        tqdm(total=frames, unit="frame", desc=world.name, disable=None) as bar,
    ):
        for first in range(0, frames, _CHUNK):
            stop.check()
            count = min(_CHUNK, frames - first)
            writer.write(world.clip(seed, start + first, count).video)
            bar.update(count)


_CHUNK = 20
