"""The kinds of values that commands take: names out of a list, slugs, filter values. Hyphen and underscore are one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import click

from kiloframe.errors import UserError
from kiloframe.words import fold, refuse

__all__ = ["FilterValue", "Name", "Slug", "format_option", "split"]


def split(values: Sequence[str]) -> list[str]:
    """Values given by repeating an option or with commas, in order: ("a,b", "c") is [a, b, c]."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


class Name(click.ParamType):
    """One of a few names. A wrong one is answered with the nearest matches and all allowed values."""

    name = "name"

    def __init__(self, allowed: Sequence[str]) -> None:
        self.allowed = tuple(allowed)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """`[table|json]`, as click's own choices show."""
        return "[" + "|".join(self.allowed) + "]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The allowed name that was meant."""
        for name in self.allowed:
            if fold(name) == fold(str(value)):
                return name
        named = "this" if param is None else param.opts[0] if param.opts[0].startswith("-") else param.opts[0].upper()
        raise refuse(value, f"value of {named}", self.allowed)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """The allowed names that begin so."""
        return _items(self.allowed, incomplete)


class Slug(click.ParamType):
    """A record's slug, hyphens folded to underscores. Whether it exists is for the catalogue to say."""

    name = "slug"

    def __init__(self, *kinds: str) -> None:
        self.kinds = kinds or ("methods",)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The slug as the catalogue writes it."""
        return fold(str(value))

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """The slugs that begin so; none where the facts cannot be loaded."""
        return _items(_slugs(self.kinds), incomplete)


class FilterValue(click.ParamType):
    """A value that `list` filters by; `--paradigm` and the like check it against the catalogue."""

    name = "value"

    def __init__(self, field: str) -> None:
        self.field = field

    def allowed(self) -> list[str]:
        """The values this filter knows."""
        from kiloframe import schema
        from kiloframe.verdicts import VERDICTS

        if self.field == "verdict":
            return list(VERDICTS)
        literals = {
            "paradigm": schema.Paradigm,
            "generator": schema.Generator,
            "control": schema.Control,
            "membership": schema.MembershipBy,
            "code": schema.CodeState,
        }
        if self.field in literals:
            return list(get_args(literals[self.field]))
        return _slugs((f"{self.field}s",))

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """The values that begin so."""
        return _items(self.allowed(), incomplete)


def format_option(allowed: Sequence[str], default: str = "table") -> Any:
    """The option `--format`, passed to the command as `form`."""
    return click.option(
        "--format", "form", type=Name(allowed), default=default, show_default=True, help="How to print it."
    )


def _slugs(kinds: Sequence[str]) -> list[str]:
    import kiloframe

    try:
        cat = kiloframe.load()
    except UserError:
        return []
    return [slug for kind in kinds for slug in getattr(cat, kind)]


def _items(words: Sequence[str], incomplete: str) -> list[Any]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(_spelt(word, incomplete)) for word in words if fold(word).startswith(fold(incomplete))]


def _spelt(word: str, incomplete: str) -> str:
    """The word in the user's own spelling as far as typed, so that the shell takes it for a completion."""
    return incomplete + word[len(incomplete) :]
