"""Build hook: compile the facts into the wheel, so that an installed kiloframe needs no YAML files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):
    """Write build/facts.msgpack and include it as kiloframe/facts.msgpack in a standard wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":  # a checkout reads ../catalogue itself
            return
        sys.path.insert(0, self.root)
        from kiloframe.compile import write_snapshot

        target = Path(self.root, "build", "facts.msgpack")
        write_snapshot(Path(self.root, "catalogue"), target)
        build_data["force_include"][str(target)] = "kiloframe/facts.msgpack"
