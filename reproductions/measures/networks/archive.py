"""Tensors out of a TorchScript archive, without running anything that is in it.

Such an archive (OpenAI publishes CLIP as one) holds a program beside its weights, so `torch.load(weights_only=True)`
refuses it. Here only `data.pkl` and the raw storages are read. The unpickler below knows a tensor, a dictionary, lists
of numbers and "some module"; a file that asks for anything else is refused.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

__all__ = ["is_archive", "read_archive"]

_DTYPES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class _Module:
    """A module of the program: only its attributes are kept."""

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {}


class _Unpickler(pickle.Unpickler):
    """An unpickler that can make tensors, dictionaries, lists of numbers and `_Module`s, and nothing else."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(io.BytesIO(archive.read(f"{folder}data.pkl")))
        self._archive, self._folder = archive, folder

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return _tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if module == "torch.jit._pickle" and name in ("build_intlist", "build_doublelist", "build_boollist"):
            return list
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module.split(".")[0] == "__torch__":
            return _Module
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> Tensor:
        _, dtype, key, _, _ = pid
        data = bytearray(self._archive.read(f"{self._folder}data/{key}"))
        return torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)


def _tensor(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    return storage.as_strided(size, stride, offset)  # raises where it would reach beyond the storage


def is_archive(path: Path) -> bool:
    """Whether the file is a TorchScript archive: a zip with a program's constants and data."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        names = {name.rsplit("/", 1)[-1] for name in archive.namelist()}
    return {"constants.pkl", "data.pkl"} <= names


def read_archive(path: Path) -> dict[str, Tensor]:
    """Every tensor in the archive under its dotted name, as `state_dict` would call it.

    Raises pickle.UnpicklingError for a file that asks for more than weights; KeyError, RuntimeError or
    zipfile.BadZipFile for a damaged one.
    """
    with zipfile.ZipFile(path) as archive:
        folder = next(name for name in archive.namelist() if name.endswith("data.pkl"))[: -len("data.pkl")]
        root = _Unpickler(archive, folder).load()
    found: dict[str, Tensor] = {}
    _collect(root, "", found)
    return found


def _collect(node: Any, prefix: str, found: dict[str, Tensor]) -> None:
    for name, value in getattr(node, "state", {}).items():
        if isinstance(value, Tensor):
            found[f"{prefix}{name}"] = value
        elif isinstance(value, _Module):
            _collect(value, f"{prefix}{name}.", found)
