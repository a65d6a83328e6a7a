"""Weight files: finding, hashing and reading them, and one clear sentence for each way they can be wrong.

Nothing in a file is ever executed: safetensors, NumPy archives without objects, `torch.load(weights_only=True)`, and
the data part of TorchScript archives (archive.py).
"""

from __future__ import annotations

import hashlib
import os
import pickle
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kiloframe.errors import UserError
from kiloframe.sources import checkout
from reproductions.measures.networks.archive import is_archive, read_archive
from reproductions.measures.networks.table import WeightFile

__all__ = ["FOLDER", "checked", "find", "fitted", "read", "split_pin"]

FOLDER = "KILOFRAME_NETWORKS"
"""The environment variable that names a folder of weight files."""
_SHOWN = 3


def split_pin(file: str | Path, sha256: str | None = None) -> tuple[Path, str | None]:
    """A file and the hash that it must have, from `path`, `path@sha256` or `path` with `sha256`.

    Raises UserError for a pin that is not 8 to 64 hexadecimal digits, or two pins that differ.
    """
    path, at, pin = str(file).rpartition("@")
    if not at or "/" in pin or "." in pin:  # an @ inside a folder's or file's own name
        path, pin = str(file), ""
    if at and pin and sha256 and pin.lower() != sha256.lower():
        raise UserError(f"{path} is given two different hashes, {pin} and {sha256}; give one")
    pin = (pin or sha256 or "").lower()
    if pin and not (8 <= len(pin) <= 64 and set(pin) <= set("0123456789abcdef")):
        raise UserError(f"{pin!r} is not a sha256; write its 64 hexadecimal digits (or the first 8 and more)")
    return Path(path).expanduser(), pin or None


def find(weights: WeightFile, needed_by: str, near: Path | None = None) -> Path:
    """Where the file lies: beside `near`, in the folder that KILOFRAME_NETWORKS names, in `networks/` of the
    checkout, or in an installed package that holds it.

    needed_by: who needs it, as the error's sentence begins. Raises UserError that says what to fetch and where it goes.
    """
    folders = [near.parent] if near is not None else []
    if os.environ.get(FOLDER):
        folders.append(Path(os.environ[FOLDER]).expanduser())
    try:
        home = checkout() / "networks"
        folders.append(home)
    except UserError:  # installed without a checkout: the argument and the environment remain
        home = None
    for folder in folders:
        for name in (weights.file, *weights.aliases):
            if (folder / name).is_file():
                return folder / name
    if weights.package is not None:
        package, inside = weights.package
        spec = find_spec(package)  # finds a package without importing it: lpips and open_clip would import torchvision
        for place in (spec.submodule_search_locations or ()) if spec else ():
            if (Path(place) / inside).is_file():
                return Path(place) / inside
    install = f", or install {weights.distribution}" if weights.distribution else ""
    put = f"put it into {home}, " if home is not None else ""
    raise UserError(
        f"{needed_by} needs {weights.fetch()}, which is not here: fetch it and {put}name its folder in {FOLDER}, or "
        f"pass the file itself{install}"
    )


def checked(path: Path, weights: WeightFile, pin: str | None = None) -> tuple[str, str]:
    """The file's sha256, and how it was checked: "published" (equals the known one), "other" (differs from the known
    one, and the user pinned it), "pinned" (by the user; none is known) or "recorded" (nothing to compare it with).

    Raises UserError where there is no such file, or its hash is not the one that it must be.
    """
    if not path.is_file():
        raise UserError(f"there is no weight file at {path}; it should be {weights.fetch()}")
    with path.open("rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    known = any(found.startswith(start) for start in weights.sha256)
    if pin is not None:
        if not found.startswith(pin):
            raise UserError(f"{path} has the sha256 {found}, not the pinned {pin}; fetch it again or mend the pin")
        return found, "published" if known else "other" if weights.sha256 else "pinned"
    if weights.sha256 and not known:
        raise UserError(
            f"{path} has the sha256 {found}, and the published {weights.file} has {weights.sha256[0]}"
            f"{'...' if len(weights.sha256[0]) < 64 else ''}; fetch it again from {weights.project}, or, where another "
            f"file is meant, pin it: {path}@{found}"
        )
    return found, "published" if known else "recorded"


def read(path: Path, weights: WeightFile) -> dict[str, Tensor]:
    """The tensors in a weight file, by name, as they stand there.

    Raises UserError for a file that is cut short or damaged, holds more than weights, or is no weight file at all.
    """
    what = f"expected {weights.file}, {weights.holds}"
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return {name: torch.from_numpy(np.ascontiguousarray(arrays[name])) for name in arrays.files}
        if is_archive(path):
            return read_archive(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on damage torch warns before it raises; the error says all
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Unsupported" in str(error) or "asks for" in str(error) or "Weights only" in str(error):
            raise UserError(
                f"{path} holds more than weights (pickled objects, which could run code) and is not opened; {what}"
            ) from None
        raise UserError(f"{path} cannot be read, it is damaged or cut short; {what}") from None
    except ValueError as error:  # NumPy: an array of pickled objects, or no array
        objects = "pickle" in str(error)
        reason = "holds pickled objects and is not opened" if objects else "cannot be read, it is damaged or cut short"
        raise UserError(f"{path} {reason}; {what}") from None
    except (RuntimeError, EOFError, KeyError, OSError, zipfile.BadZipFile, StopIteration):
        raise UserError(f"{path} cannot be read, it is damaged or cut short; {what}") from None
    except Exception as error:
        if type(error).__name__ != "SafetensorError":
            raise
        raise UserError(f"{path} cannot be read, it is damaged or cut short; {what}") from None
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path} holds no table of named tensors; {what}")
    return dict(state)


def fitted(
    state: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    path: Path,
    weights: WeightFile,
    ignored: tuple[str, ...] = (),
) -> dict[str, Tensor]:
    """Exactly the expected tensors, as float32: every name and shape is there, and none is left over.

    expected: names and shapes (a module's state_dict, on the meta device); ignored: beginnings of names that the
    published file holds and we do not need. Batch-norm counters are neither needed nor minded;
    they come back as 0.
    Raises UserError that names the missing, superfluous or wrongly shaped tensors.
    """
    wanted = {name: value for name, value in expected.items() if not name.endswith("num_batches_tracked")}
    given = {
        name: value
        for name, value in state.items()
        if name in wanted or not (name.endswith("num_batches_tracked") or name.startswith(ignored))
    }
    what = f"expected {weights.file}, {weights.holds}"
    for problem, names in (("lacks", wanted.keys() - given.keys()), ("also holds", given.keys() - wanted.keys())):
        if names:
            raise UserError(f"{path} is not a file of this network: it {problem} {_few(names)}; {what}")
    for name, value in wanted.items():
        if given[name].shape != value.shape:
            raise UserError(
                f"{path} is not a file of this network: {name} has the shape {tuple(given[name].shape)}, not "
                f"{tuple(value.shape)}; {what}"
            )
    counters = {name: torch.zeros((), dtype=torch.int64) for name in expected.keys() - wanted.keys()}
    return {name: given[name].to(torch.float32) for name in wanted} | counters


def _few(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
