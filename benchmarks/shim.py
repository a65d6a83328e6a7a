"""Two operator schemas that torchvision expects; for the compared libraries alone. kiloframe needs no torchvision."""

from __future__ import annotations

import sys
from importlib.util import find_spec

__all__ = ["declare_operators"]

_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_kept: list[object] = []  # a library's declarations end with it


def declare_operators() -> None:
    """Declare torchvision::nms and ::qnms, so that torchvision can be imported beside a torch it was not built for.

    At import torchvision registers what these operators do with fake tensors, which fails where its compiled library
    did not load and so declared none. Nothing measured here calls them. Does nothing where torchvision is missing, or
    is imported already.
    """
    if _kept or "torchvision" in sys.modules or find_spec("torchvision") is None:
        return
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in _SCHEMAS.items():
        try:
            library.define(name + schema)
        except RuntimeError:  # declared already
            continue
    _kept.append(library)
