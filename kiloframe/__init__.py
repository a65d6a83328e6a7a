"""kiloframe: the catalogue of long video generation that you can run.

    import kiloframe
    cat = kiloframe.load()
    cat.methods["nuwa_xl"].longest_shown.frames
    cat.methods.where(paradigm="divide_and_conquer", min_frames=1024)

Importing this package imports neither torch nor pandas nor yaml.
"""

from __future__ import annotations

from kiloframe.errors import UserError

TYPE_CHECKING = False  # importing `typing` would cost more than loading the facts; type checkers take the name as true
if TYPE_CHECKING:
    from pathlib import Path

    from kiloframe.catalogue import Catalogue

__all__ = ["Catalogue", "UserError", "__version__", "load"]

__version__ = "0.1.0"


def load(path: str | Path | None = None) -> Catalogue:
    """The catalogue: from `path` (a catalogue folder), else from the checkout around this package, else the wheel's.

    In a checkout the facts are compiled into a git-ignored snapshot when a file changed; otherwise the snapshot is
    read, without validating again. Raises UserError that names file, line, field and allowed values for bad facts.
    """
    from kiloframe.catalogue import load as _load

    return _load(path)


def __getattr__(name: str) -> object:
    if name == "Catalogue":
        from kiloframe.catalogue import Catalogue

        return Catalogue
    raise AttributeError(f"module 'kiloframe' has no attribute {name!r}")
