"""`kiloframe train`: train a reproduction."""

from __future__ import annotations

import click

from kiloframe.commands.values import Name, Slug


@click.command("train", short_help="Train a reproduction.")
@click.argument("slug", type=Slug("methods"))
@click.option("--preset", type=Name(("smoke", "toy", "gpu")), default="toy", show_default=True, help="The size.")
@click.option("--variant", metavar="NAME", help="An ablation that the method's Config.variants() names.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Initial weights and batches.")
@click.option("--steps", type=click.IntRange(1), help="Instead of the preset's number of steps.")
@click.option("--restart", is_flag=True, help="Forget an interrupted run instead of resuming it.")
@click.option("--out", type=click.Path(), metavar="FILE", help="The weight file; default: weights/SLUG.safetensors.")
def command(
    slug: str, preset: str, variant: str | None, seed: int, steps: int | None, restart: bool, out: str | None
) -> None:
    """Train a method and keep its weights, with the loss curve beside them as JSON. Needs a checkout.

    A checkpoint is written every minute and on Ctrl-C, and the same command takes the run up again, to the same
    weights. So it can run in the background, and be stopped and started again as you like:

    \b
      nohup kiloframe train fdm > train.log 2>&1 &
      tail -f train.log

    \b
    Examples:
      kiloframe train fdm
      kiloframe train fdm --preset smoke
      kiloframe train fdm --seed 1 --out build/fdm-seed1.safetensors
    """
    from kiloframe import execute

    execute.checkout()
    from reproductions.training import train

    try:
        report = train(
            slug, preset=preset, variant=variant, seed=seed, steps=steps, restart=restart, out=out, progress=True
        )
    except KeyboardInterrupt:
        raise execute.Interrupted("interrupted; the same command takes the training up where it stopped") from None
    loss = f", loss {report.loss[-1][1]:.4g}" if report.loss else ""
    click.echo(
        f"{report.weights}: {report.parameters:,} parameters, {report.steps} steps in {report.seconds:.0f} s{loss}"
    )
