"""The command: `kiloframe list`, `show`, `run` and the rest. Each command's module is imported when it is called.

Exit codes: 0 done; 1 the command did its work and the answer is bad news (lint found problems, a run failed);
2 a mistake of the user, told in one sentence on stderr; 130 interrupted; 141 the reader of the pipe went away.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from kiloframe import __version__
from kiloframe.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "cli", "invoke", "main"]

# Command -> module of kiloframe.commands; the order is that of `kiloframe --help`.
COMMANDS = {
    "list": "listing",
    "show": "show",
    "compare": "compare",
    "lengths": "lengths",
    "sql": "sql",
    "cite": "cite",
    "export": "export",
    "lint": "lint",
    "run": "run",
    "status": "status",
    "world": "world",
    "measure": "measure",
    "train": "train",
    "generate": "generate",
    "site": "site",
    "doctor": "doctor",
    "completion": "completion",
}

# The package that brings a module -> the extra to install.
EXTRAS = {
    "reproductions": ("torch", "einops", "numpy", "sklearn", "av", "PIL", "safetensors", "tqdm"),
    "notebooks": ("papermill", "jupytext", "ipykernel", "nbformat", "nbconvert", "nbclient", "matplotlib"),
    "site": ("mkdocs", "material", "mkdocstrings", "altair", "vl_convert", "latex2mathml"),
    "parquet": ("pyarrow",),
    "cluster": ("distributed", "dask"),
}


class Commands(click.Group):
    """The group of all commands, imported one by one as they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = importlib.import_module(f"kiloframe.commands.{module}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, but an unknown command is answered with the nearest ones and all of them."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            from kiloframe.words import refuse

            raise refuse(args[0], "command of kiloframe", COMMANDS)
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="kiloframe %(version)s")
def cli() -> None:
    """The catalogue of long video generation that you can run.

    \b
    Examples:
      kiloframe list --paradigm divide-and-conquer
      kiloframe show nuwa-xl
      kiloframe lengths

    Every command explains itself: kiloframe COMMAND --help. Hyphen and underscore are one in every name you type.
    """


def main() -> NoReturn:
    """The console script: runs the command line and exits with its code."""
    gc.set_threshold(100_000, 20, 20)  # loading makes many objects at once and drops none: looking costs a tenth
    _prepare_streams()
    code = invoke(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:  # told already, or a broken pipe: the interpreter must not complain again on its way out
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = code or 141
    sys.exit(code)


def invoke(arguments: Sequence[str]) -> int:
    """Run one command line and return the exit code; every error becomes one sentence on stderr."""
    try:
        code = _run(list(arguments) or ["--help"])
        sys.stdout.flush()
    except UserError as error:
        return _say(str(error), error.exit_code)
    except click.UsageError as error:
        from kiloframe.commands.mistakes import sentence

        return _say(_one_line(sentence(error)), 2)
    except click.ClickException as error:
        return _say(_one_line(error.format_message()), 2)
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted; nothing half-written was left behind", 130)
    except ModuleNotFoundError as error:
        extra = _extra(error.name or "")
        if extra is None:
            raise
        return _say(f"the package {error.name!r} is missing; type: pip install 'kiloframe[{extra}]'", 2)
    except BrokenPipeError:
        return 141
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _say(f"{where}{error.strerror or error}; the command stopped there", 2)
    return code


def _run(arguments: list[str]) -> int:
    """As click's own main, which however would hide a broken pipe."""
    instruction = os.environ.get("_KILOFRAME_COMPLETE")
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, "kiloframe", "_KILOFRAME_COMPLETE", instruction)
    try:
        with cli.make_context("kiloframe", arguments) as ctx:
            result: Any = cli.invoke(ctx)
    except click.exceptions.Exit as done:
        return done.exit_code
    return result if isinstance(result, int) else 0


def _extra(module: str) -> str | None:
    top = module.split(".")[0]
    return next((extra for extra, modules in EXTRAS.items() if top in modules), None)


def _one_line(message: str) -> str:
    """Click repeats words as they were typed, line breaks and all."""
    return " ".join(message.splitlines())


def _say(sentence: str, code: int) -> int:
    from kiloframe.commands.output import clean

    click.echo(f"kiloframe: {clean(sentence)}", err=True)
    return code


def _prepare_streams() -> None:
    """UTF-8 whatever the locale says, unless PYTHONIOENCODING or a terminal asks for another; never a crash."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is None:
            continue
        chosen = "PYTHONIOENCODING" in os.environ or stream.isatty()
        reconfigure(encoding=stream.encoding if chosen else "utf-8", errors="replace")
