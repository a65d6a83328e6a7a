"""`kiloframe train`: train a reproduction."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

import click

from kiloframe.commands.values import Name, Slug
from kiloframe.errors import UserError


@click.command("train", short_help="Train a reproduction.")
@click.argument("slug", type=Slug("methods"), required=False)
@click.option(
    "--all", "everything", is_flag=True, help="All weights that are kept, ablations too, each by its command."
)
@click.option("--dask", "address", metavar="ADDRESS", help="On a Dask cluster: the address of its scheduler.")
@click.option("--preset", type=Name(("smoke", "toy", "gpu")), default="toy", show_default=True, help="The size.")
@click.option("--variant", metavar="NAME", help="An ablation that the method's Config.variants() names.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Initial weights and batches.")
@click.option("--steps", type=click.IntRange(1), help="Instead of the preset's number of steps.")
@click.option("--restart", is_flag=True, help="Forget an interrupted run instead of resuming it.")
@click.option("--clips", type=click.Path(), metavar="PATH", help="Train on a video file or a folder of videos.")
@click.option("--dataset", metavar="NAME=FOLDER", help="Train on a data set of the survey's Table 1, for example kth.")
@click.option("--split", metavar="NAME", help="Of the data set; default: its training split.")
@click.option("--out", type=click.Path(), metavar="FILE", help="The weight file; default: weights/SLUG.safetensors.")
def command(
    slug: str | None,
    everything: bool,
    address: str | None,
    preset: str,
    variant: str | None,
    seed: int,
    steps: int | None,
    restart: bool,
    clips: str | None,
    dataset: str | None,
    split: str | None,
    out: str | None,
) -> None:
    """Train a method and keep its weights, with the loss curve beside them as JSON. Needs a checkout.

    A checkpoint is written every minute and on Ctrl-C, and the same command takes the run up again, to the same
    weights. So it can run in the background, and be stopped and started again as you like:

    \b
      nohup kiloframe train fdm > train.log 2>&1 &
      tail -f train.log

    With --clips or --dataset the clips come from real video, at 10 frames a second, instead of the method's world.
    Those weights go below build/train/ (or to --out) and never replace the ones in weights/.

    \b
    Examples:
      kiloframe train fdm
      kiloframe train fdm --preset smoke
      kiloframe train fdm --seed 1 --out build/fdm-seed1.safetensors
      kiloframe train fdm --preset smoke --clips holiday.mp4
      kiloframe train fdm --dataset ucf_101=/data/ucf101
      kiloframe train --all --dask tcp://10.0.0.7:8786
    """
    from kiloframe import execute

    execute.checkout()
    if everything == (slug is not None):
        raise UserError("train needs either a method or --all, for example: kiloframe train fdm")
    if everything or address is not None:
        told: dict[str, object] = {"--clips": clips, "--dataset": dataset, "--split": split, "--out": out}
        told["--restart"] = restart
        if everything:
            told |= {"--variant": variant, "--steps": steps, "--seed": seed, "--preset": preset != "toy"}
        given = [name for name, value in told.items() if value]
        if given:
            what = (
                "--all makes every kept weight by its own command" if everything else "a cluster trains on the worlds"
            )
            raise UserError(f"{what}; leave {', '.join(given)} away")
        if not everything and preset != "toy":
            raise UserError("a cluster trains what weights/ keeps, at preset toy; leave --preset away")
        _many(slug, variant, seed, steps, address)
        return
    assert slug is not None
    if clips is not None and dataset is not None:
        raise UserError("--clips and --dataset cannot both say where the clips come from; leave one away")
    if clips == "":
        raise UserError("--clips names nothing; write a video file or a folder of videos, or leave it away")
    if split is not None and dataset is None:
        raise UserError("--split is of a data set; say which with --dataset NAME=FOLDER, or leave it away")
    from reproductions.loaders.source import ClipSource
    from reproductions.training import default_out, train

    source = None
    if dataset is not None:
        source = ClipSource.from_option(dataset, split)
    elif clips is not None:
        source = ClipSource(Path(clips))
    target = Path(out) if out is not None else default_out(slug, variant, preset, seed)
    try:
        with _alone(target, *(source.words() if source is not None else [])):
            report = train(
                slug, preset=preset, variant=variant, seed=seed, steps=steps, restart=restart, out=out, progress=True,
                source=source,
            )  # fmt: skip
    except UserError:
        raise
    except Exception as error:  # torch and safetensors have errors of their own for what cannot be written
        reason = _no_room(target, error)
        if reason is None:
            raise
        raise UserError(
            f"{target.parent} cannot be written ({reason}); make room, and the same command goes on where it was"
        ) from error
    except KeyboardInterrupt:
        raise execute.Interrupted("interrupted; the same command takes the training up where it stopped") from None
    loss = f", loss {report.loss[-1][1]:.4g}" if report.loss else ""
    click.echo(
        f"{report.weights}: {report.parameters:,} parameters, {report.steps} steps in {report.seconds:.0f} s{loss}"
    )
    if report.source is not None:
        kept = out or default_out(report.slug, report.variant, report.preset, report.seed, report.source)
        click.echo(f"trained on {report.source.name}; the weights are in {kept}, and weights/ is as it was")
        click.echo(report.read)


def _alone(weights: Path, *source: str) -> AbstractContextManager[None]:
    """Two trainings of the same weights would write over each other's checkpoints; the second one is refused.

    The lock lies among the temporary files: weights/ is kept by git, and neither the checkout nor the place of the
    weights has to allow for more than the weights.
    """
    from kiloframe import swap

    decides = "\0".join([str(weights.resolve()), *source])
    name = f"{weights.stem}-{hashlib.sha256(decides.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"
    user = os.getuid() if hasattr(os, "getuid") else 0
    return swap.locked(Path(tempfile.gettempdir(), f"kiloframe-{user}"), name, f"a training of {weights}")


def _no_room(weights: Path, error: Exception) -> str | None:
    """Why the disk of the weights takes no more, or None. safetensors tells the system's error in its words; for the
    others the disk is asked, which may have room again for little, but not for what was to be written.
    """
    from kiloframe.files import no_room, system_error

    number = error.errno if isinstance(error, OSError) else system_error(error)
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return os.strerror(number)
    try:
        weights.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".room-", dir=weights.parent) as folder:
            return no_room(Path(folder, "file"))
    except OSError as closed:
        return closed.strerror or type(closed).__name__


def _many(slug: str | None, variant: str | None, seed: int, steps: int | None, address: str | None) -> None:
    """Every kept weight, or one method on a cluster."""
    from kiloframe import execute, remote

    root = execute.checkout()
    if slug is None:
        trainings = remote.kept_trainings(root)
    else:
        import reproductions

        kind = reproductions.method(slug)
        if variant is not None:
            kind.changes(variant)
        words = ["train", slug, "--seed", str(seed), *(["--variant", variant] if variant else [])]
        words += ["--steps", str(steps)] if steps else []
        trainings = {reproductions.weights_path(slug, variant).stem: tuple(words)}
    if address is not None:
        for name in remote.train(address, trainings, root=root):
            click.echo(f"weights/{name}.safetensors: trained")
        return
    for line in trainings.values():
        command.main([*line[1:]], prog_name="kiloframe train", standalone_mode=False)
