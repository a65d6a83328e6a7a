"""Click's usage errors as one sentence each, with the nearest matches and what to type."""

from __future__ import annotations

import click

from kiloframe.words import nearest

__all__ = ["sentence"]


_NUMBERS = {
    "is not a valid integer range": "is not a whole number",
    "is not a valid integer": "is not a whole number",
    "is not a valid float": "is not a number",
}


def sentence(error: click.UsageError) -> str:
    """What is wrong on the command line and what to type instead, without click's three-line usage block."""
    path = error.ctx.command_path if error.ctx else "kiloframe"
    see = f"see: {path} --help"
    if isinstance(error, click.NoSuchOption):
        options = _options(error.ctx)
        near = nearest(error.option_name, options)
        hint = f"nearest: {', '.join(near)}; " if near else ""
        return f"there is no option {error.option_name}; {hint}{see}"
    if isinstance(error, click.MissingParameter) and error.param is not None:
        option = isinstance(error.param, click.Option)
        metavar = error.param.metavar or (error.param.type.name if option else error.param.human_readable_name)
        what = f"{error.param.opts[0]} {metavar.upper()}" if option else metavar.upper()
        return f"{path.removeprefix('kiloframe ')} needs {what}; {see}"
    message = error.format_message().strip().rstrip(".")
    for click_says, we_say in _NUMBERS.items():
        message = message.replace(click_says, we_say)
    return f"{message[:1].lower()}{message[1:]}; {see}"


def _options(ctx: click.Context | None) -> list[str]:
    if ctx is None:
        return []
    found = [name for param in ctx.command.get_params(ctx) if isinstance(param, click.Option) for name in param.opts]
    return [name for name in found if name.startswith("--")]
