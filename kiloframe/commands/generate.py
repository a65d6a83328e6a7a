"""`kiloframe generate`: a video file from a reproduction."""

from __future__ import annotations

import click

from kiloframe.commands.values import Slug


@click.command("generate", short_help="A video file from a reproduction.")
@click.argument("slug", type=Slug("methods"))
@click.option("--frames", type=click.IntRange(1), required=True, metavar="N", help="Length; 10 frames are a second.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same video.")
@click.option("--prompt", "prompts", multiple=True, metavar="TEXT", help="What to show; several: one after the other.")
@click.option("--variant", metavar="NAME", help="Weights of a variant, such as fdm trained on shapes.")
@click.option("--schedule", metavar="NAME", help="The order of frames, for methods that have several.")
@click.option("-o", "--out", type=click.Path(), metavar="FILE", help="An .mp4, .webm, .gif or .webp; default SLUG.mp4.")
def command(
    slug: str,
    frames: int,
    seed: int,
    prompts: tuple[str, ...],
    variant: str | None,
    schedule: str | None,
    out: str | None,
) -> None:
    """Generate a video with a method's toy weights, frame by frame into a file. Needs a checkout.

    The file appears only when it is whole.

    \b
    Examples:
      kiloframe generate fdm --frames 128 --seed 1 -o out.mp4
      kiloframe generate fdm --frames 300 --schedule hierarchy-2 -o long.gif
      kiloframe generate fdm --frames 128 --variant shapes
      kiloframe generate phenaki --frames 200 --prompt "a red circle" --prompt "a blue square"
    """
    from kiloframe import execute

    execute.checkout()
    from reproductions.contract import generate_to_file

    written = generate_to_file(
        slug, frames, out or f"{slug}.mp4", seed=seed, prompts=prompts, variant=variant, schedule=schedule
    )
    click.echo(f"{written}: {frames} frames, {frames / 10:g} s at 10 frames per second, seed {seed}")
