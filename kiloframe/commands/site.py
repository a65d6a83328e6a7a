"""`kiloframe site`: build and serve the documentation site."""

from __future__ import annotations

import time

import click

from kiloframe.errors import UserError


@click.command("site", short_help="Build and serve the documentation site.")
@click.option("--serve", is_flag=True, help="Then serve it on 127.0.0.1 until Ctrl-C.")
@click.option("--no-build", is_flag=True, help="Serve what stands in site/ already.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Where to serve it.")
def command(serve: bool, no_build: bool, port: int) -> int:
    """Build the site into site/ from the facts and the results at hand. Needs a checkout.

    A run in build/runs/ is shown in place of a frozen result that is older. The pages also work from disk: open
    site/index.html.

    \b
    Examples:
      kiloframe site
      kiloframe site --serve --port 8080
      kiloframe site --serve --no-build
    """
    from kiloframe import execute, web

    if no_build and not serve:
        raise UserError("--no-build without --serve leaves nothing to do; type: kiloframe site --serve --no-build")
    root = execute.checkout()
    if serve:
        taken: int = web.check_port(port)
        if taken:
            return taken
    folder = root / "site"
    if not no_build:
        started = time.monotonic()
        folder = web.build(root=root)
        click.echo(f"built {folder / 'index.html'} in {time.monotonic() - started:.0f} s")
    if serve:
        web.serve(folder, port)
    return 0
