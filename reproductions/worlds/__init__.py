"""Endless, seeded video with exact truth for every frame, at 10 frames per second. Imports no torch."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

from kiloframe.words import refuse

if TYPE_CHECKING:
    from reproductions.worlds.base import World

__all__ = ["NAMES", "kind", "world"]

NAMES = ("digits", "shapes", "stories", "rooms", "timelapse")


def kind(name: str) -> type[World[Any]]:
    """The class of a world. Raises UserError for an unknown name. Imports its module, and nothing before."""
    if name not in NAMES:
        raise refuse(name, "world", NAMES)
    found: type[World[Any]] = importlib.import_module(f"reproductions.worlds.{name}").WORLD
    return found


def world(name: str, size: int = 16, **options: Any) -> World[Any]:
    """A world by name, `world("rooms", size=32)`; further options are its class's own.

    Raises UserError for an unknown name or option, or a size out of range.
    """
    found = kind(name)
    known = list(inspect.signature(found).parameters)[1:]
    for option in options:
        if option not in known:
            raise refuse(option, f"option of the {name} world", known)
    return found(size, **options)
