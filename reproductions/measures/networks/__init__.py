"""The networks behind the measures of the survey's Table 2, and stand-ins under names of their own.

`NETWORKS` says what there is; `load` makes one ready. A famous measure's name belongs to one network with one set of
weights, which mostly cannot be had offline: the user names their file, it is checked by hash, and nothing in it is ever
run. Importing this package imports no torch.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kiloframe.words import fold, refuse
from reproductions.measures.networks.table import NETWORKS, Network, WeightFile, markdown

if TYPE_CHECKING:
    from reproductions.measures.networks.base import Extractor, FeatureNetwork

__all__ = ["NETWORKS", "OWN", "Network", "WeightFile", "load", "markdown", "names"]

OWN = {"world": "reproductions.measures.world_network"}
"""Networks that are trained here: the module that loads each, by `load(file, sha256, device)`."""

_CLASSES = {
    "i3d": ("i3d", "I3D"),
    "inception": ("inception", "InceptionV3"),
    "c3d": ("c3d", "C3D"),
    "alexnet": ("alexnet", "AlexNet"),
    "clip": ("clip", "CLIPImage"),
    "clip_text": ("clip", "CLIPText"),
    "efficientnet_lite0": ("efficientnet", "EfficientNetLite0"),
}
_HOW = {
    "published": "the published file, by its hash",
    "other": "not the published file: taken because the user pinned it",
    "pinned": "the file that the user pinned; no hash is published to compare with",
    "recorded": "recorded by hash; none is published to compare with",
}


def names() -> tuple[str, ...]:
    """The words that `load` takes."""
    return (*NETWORKS, *OWN)


def load(name: str, file: str | Path | None = None, sha256: str | None = None, device: str = "cpu") -> FeatureNetwork:
    """A network with its weights, ready for `features`.

    name: a key of `NETWORKS`, or "world"; hyphens and case do not matter. file: its weights, `path` or `path@sha256`;
    None looks in the folder that the environment variable KILOFRAME_NETWORKS names, in `networks/` of the checkout, and
    in installed packages. sha256: the hash that the file must have. A file that is not the published one is taken only
    when it is pinned; the network's name then says so, and no measure over it bears a famous name. device: where it
    computes.
    Raises UserError for an unknown name; a file that is missing (it says what to fetch and where it goes), has another
    hash, is damaged, holds more than weights, or does not fit the network.
    """
    key = fold(name)
    key = "world" if key == "world_network" else key  # as results call it
    if key not in names():
        raise refuse(name, "feature network", names())
    from reproductions.measures.networks import files

    if key in OWN:
        given, pin = (None, sha256) if file is None else files.split_pin(file, sha256)
        found: FeatureNetwork = importlib.import_module(OWN[key]).load(given, pin, device)
        return found
    from reproductions.measures.networks.base import FeatureNetwork

    network = NETWORKS[key]
    needed_by = f"{network.measures[0]} over {network.title}"
    path, pin = files.split_pin(files.find(network.weights, needed_by) if file is None else file, sha256)
    digest, how = files.checked(path, network.weights, pin)
    settings: dict[str, str] = {
        "network": network.title,
        "features": network.features,
        "input": network.input,
        "weights": path.name,
        "weights sha256": digest,
        "weights are": _HOW[how],
    }
    also = []
    for extra in network.also:
        where = files.find(extra, needed_by, near=path)
        settings[f"{extra.file} sha256"] = files.checked(where, extra)[0]
        also.append((where, extra))
    module, kind = _CLASSES[key]
    extractor: Extractor = getattr(importlib.import_module(f"{__name__}.{module}"), kind).make(*also)
    state = extractor.layout(files.read(path, network.weights))
    fitted = files.fitted(state, extractor.state_dict(), path, network.weights, extractor.ignored)
    extractor.load_state_dict(fitted, assign=True)
    if how == "recorded":
        print(
            f"{path} has the sha256 {digest}; to take only this file from now on, name {path}@{digest}", file=sys.stderr
        )
    called = f"{network.name} with other weights" if how == "other" else network.name
    return FeatureNetwork(network, extractor, digest, settings, device, called)
