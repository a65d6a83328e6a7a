"""`kiloframe run`: execute reproductions' notebooks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from kiloframe.commands import output
from kiloframe.commands.values import Name, Slug
from kiloframe.errors import UserError
from kiloframe.results import SCALES


@click.command("run", short_help="Execute reproductions' notebooks.")
@click.argument("slugs", type=Slug("methods"), nargs=-1)
@click.option("--scale", type=Name(SCALES), default="toy", show_default=True, help="How much is generated.")
@click.option(
    "-p", "--parameter", "given", multiple=True, metavar="NAME=VALUE", help="A notebook parameter; repeatable."
)
@click.option("--all", "everything", is_flag=True, help="Every notebook whose result is stale or missing.")
@click.option("--again", is_flag=True, help="With --all: those with a fresh result too.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Notebooks at a time.")
@click.option("--dask", "address", metavar="ADDRESS", help="On a Dask cluster: the address of its scheduler.")
@click.option("--freeze", is_flag=True, help="After success replace the frozen result in results/.")
@click.option("--timeout", type=click.IntRange(1), metavar="S", help="Seconds one cell may take.")
def command(
    slugs: tuple[str, ...],
    scale: str,
    given: tuple[str, ...],
    everything: bool,
    again: bool,
    jobs: int,
    address: str | None,
    freeze: bool,
    timeout: int | None,
) -> None:
    """Execute the notebook of a method, from its weights to its verdicts. Needs a checkout.

    The executed notebook, its numbers and its media are written to build/runs/ after success; a run that fails
    leaves former results untouched. Scales: toy takes at most two minutes on two cores; smoke generates less and
    judges nothing; gpu wants a GPU.

    \b
    Examples:
      kiloframe run fdm
      kiloframe run fdm --scale smoke
      kiloframe run fdm -p seed=3
      kiloframe run --all --jobs 2 --freeze
      kiloframe run --all --dask tcp://10.0.0.7:8786 --freeze
    """
    from kiloframe import execute, notebooks

    if everything and slugs:
        raise UserError("give slugs or --all, not both")
    if not everything and not slugs:
        raise UserError("run needs a slug or --all, for example: kiloframe run fdm")
    if again and not everything:
        raise UserError("--again belongs to --all; a slug that is named is always run")
    if address is not None and jobs > 1:
        raise UserError("--jobs is for this machine; how many notebooks a cluster runs at a time, its workers decide")
    parameters = notebooks.parse_assignments(given)
    chosen: list[str] | None = [slug.replace("-", "_") for slug in slugs]
    if everything:
        stale, fresh = execute.due(scale, parameters, freeze)
        if again:
            stale, fresh = sorted(stale + fresh), []
        if fresh:
            click.echo(f"fresh and left out: {', '.join(fresh)} (--again runs them too)", err=True)
        chosen = None if not fresh else stale
        if not stale:
            return
    if address is not None:
        from kiloframe import remote

        names = execute.notebook_slugs(execute.checkout()) if chosen is None else chosen
        done = remote.run(address, names, scale=scale, parameters=parameters, freeze=freeze, timeout=timeout)
    else:
        done = execute.run(
            chosen, scale=scale, parameters=parameters, jobs=jobs, freeze=freeze, timeout=timeout,
            leave_out=everything,
        )  # fmt: skip
    for run in done:
        counts = Counter(claim.verdict for claim in run.result.claims)
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "none tested"
        output.put(f"{run.slug}: claims: {verdicts}; took {run.result.seconds:.0f} s; notebook: {_near(run.notebook)}")
        if run.frozen is not None:
            output.put(f"{run.slug}: frozen in {_near(run.frozen)}")


def _near(path: Path) -> str:
    """The path from where the user stands, where that is shorter."""
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else str(path)
