"""Minimal PyTorch reproductions of the catalogue's methods. Importing this package imports no torch."""

from __future__ import annotations

import difflib
import importlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kiloframe.errors import UserError

if TYPE_CHECKING:
    from reproductions.contract import Reproduction

__all__ = ["load", "load_or_train", "method", "names", "weights_path"]

_HERE = Path(__file__).resolve().parent


def names() -> list[str]:
    """Slugs of the methods that have a reproduction: every file in reproductions/methods/, found by itself."""
    return sorted(file.stem for file in (_HERE / "methods").glob("[a-z]*.py"))


def method(slug: str) -> type[Reproduction]:
    """The model class of a method. Raises UserError for a slug without a reproduction. Imports torch."""
    slug = slug.replace("-", "_")
    if slug not in names():
        near = difflib.get_close_matches(slug, names(), 3)
        hint = f"; nearest: {', '.join(near)}" if near else ""
        raise UserError(f"there is no reproduction of {slug!r}{hint}; there are: {', '.join(names())}")
    try:
        module = importlib.import_module(f"reproductions.methods.{slug}")
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] == "reproductions":
            raise
        raise UserError(
            f"the package {error.name!r} is missing; type: pip install 'kiloframe[reproductions]'"
        ) from None
    found: type[Reproduction] = module.METHOD
    return found


def weights_path(slug: str, variant: str | None = None) -> Path:
    """Where toy weights are kept: weights/<slug>.safetensors; a variant's: weights/<slug>-<variant>.safetensors."""
    name = slug.replace("-", "_") + (f"-{variant}" if variant else "")
    return _HERE.parent / "weights" / f"{name}.safetensors"


def load(slug: str, variant: str | None = None) -> Reproduction:
    """The model with its toy weights in one call: `reproductions.load("fdm")`.

    Raises UserError for an unknown slug, and for weights that are missing, damaged or of another method.
    """
    return method(slug).load(weights_path(slug, variant))


def load_or_train(slug: str, scale: str, *, fresh: bool = False, variant: str | None = None) -> Reproduction:
    """The model of a notebook: the kept toy weights, or fresh ones by the preset of its scale; on the GPU at scale gpu.

    What is trained at toy scale replaces the kept weights; at other scales it is gone with the model.
    Raises UserError as `load` and `training.train` do.
    """
    if not fresh:
        model = load(slug, variant)
    elif scale == "toy":
        _trainer()(slug, variant=variant, progress=False)
        model = load(slug, variant)
    else:
        with tempfile.TemporaryDirectory() as folder:
            weights = Path(folder, "weights.safetensors")
            _trainer()(slug, preset=scale, variant=variant, out=weights, progress=False)
            model = method(slug).load(weights)
    return model.cuda() if scale == "gpu" and _has_gpu() else model


def _trainer() -> Callable[..., object]:
    from reproductions.training import train

    return train


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
