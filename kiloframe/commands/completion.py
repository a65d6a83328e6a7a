"""`kiloframe completion`: the shell's completion script."""

from __future__ import annotations

import click

from kiloframe.commands.values import Name

PLACES = {
    "bash": "~/.local/share/bash-completion/completions/kiloframe",
    "zsh": "~/.zfunc/_kiloframe",
    "fish": "~/.config/fish/completions/kiloframe.fish",
}


@click.command("completion", short_help="The shell's completion script.")
@click.argument("shell", type=Name(tuple(PLACES)))
def command(shell: str) -> None:
    """Print the completion script for a shell: commands, options, slugs and filter values.

    \b
    Where to put it (the folder must exist), then open a new shell:
      kiloframe completion bash > ~/.local/share/bash-completion/completions/kiloframe
      kiloframe completion zsh > ~/.zfunc/_kiloframe
      kiloframe completion fish > ~/.config/fish/completions/kiloframe.fish

    zsh also needs, in ~/.zshrc and before anything else that completes:

    \b
      fpath+=~/.zfunc; autoload -Uz compinit; compinit

    \b
    Examples:
      kiloframe completion bash
    """
    from click.shell_completion import get_completion_class

    from kiloframe.cli import cli

    maker = get_completion_class(shell)
    assert maker is not None
    script = maker(cli, {}, "kiloframe", "_KILOFRAME_COMPLETE")
    head, first, rest = "", *script.source().strip().partition("\n")[::2]
    if first.startswith("#compdef"):  # zsh wants this line first
        head, text = f"{first}\n", rest
    else:
        text = f"{first}\n{rest}"
    click.echo(f"{head}# Put this into {PLACES[shell]} and open a new shell.\n{text}")
