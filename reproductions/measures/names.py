"""What a measure may be called: a famous name belongs to one network, and a stand-in never borrows it.

FVD is a Frechet distance over the logits of one certain I3D; over any other features it is another number, on another
scale. So no result is named by hand: `named` gives the name from the kind of measure and the network.
"""

from __future__ import annotations

from typing import Literal

from kiloframe.errors import UserError
from kiloframe.words import refuse

__all__ = ["C3D", "CLIP", "I3D", "INCEPTION", "LPIPS_WIDTHS", "Kind", "named", "samples_advised"]

I3D = "i3d"
"""I3D trained on Kinetics-400, its 400 logits averaged over time: the network of FVD and KVD (arXiv 1812.01717)."""
INCEPTION = "inception"
"""The Inception-v3 graph of 2015-12-05, pool3, 2048 numbers: the network of FID (arXiv 1706.08500)."""
C3D = "c3d"
"""C3D fine-tuned on UCF-101, 101 classes: the classifier of the video inception score (arXiv 1611.06624)."""
CLIP = "clip"
"""CLIP ViT-B/32, 512 numbers: the encoder of most reported CLIPSIM values (arXiv 2104.14806)."""

LPIPS_WIDTHS = {
    "alexnet": (64, 192, 384, 256, 256),
    "vgg16": (64, 128, 256, 512, 512),
    "squeezenet": (64, 128, 256, 384, 384, 512, 512),
}
"""Channels per layer of the three trunks that LPIPS v0.1 has linear weights for (arXiv 1801.03924)."""

Kind = Literal["frechet", "kernel", "inception", "perceptual", "text", "frames", "subject"]


# (kind, network): the name, and the number of features it is defined over (None where that varies).
_FAMOUS: dict[tuple[str, str], tuple[str, int | None]] = {
    ("frechet", INCEPTION): ("FID", 2048),
    ("frechet", I3D): ("FVD", 400),
    ("kernel", I3D): ("KVD", 400),
    ("kernel", INCEPTION): ("KID", 2048),
    ("inception", C3D): ("IS (video, C3D)", 101),
    ("text", CLIP): ("CLIPSIM", 512),
    ("frames", CLIP): ("CLIP temporal consistency", 512),
    **{("perceptual", trunk): ("LPIPS", None) for trunk in LPIPS_WIDTHS},
}
# How the names of stand-ins that ship with the project are written in a sentence.
_WRITTEN = {"efficientnet_lite0": "EfficientNet-Lite0 frame"}
_PLAIN = {
    "frechet": "Frechet distance over {} features",
    "kernel": "Kernel distance over {} features",
    "inception": "Inception score by the {} classifier",
    "perceptual": "Perceptual distance over {} features",
    "text": "Text similarity of {} embeddings",
    "frames": "Temporal consistency of {} embeddings",
    "subject": "Subject consistency of {} embeddings",
}
# How many videos (texts for "text") the protocols ask for: minimal_protocol in catalogue/metrics/{fid,fvd,kvd,
# inception_score,clipsim}.yaml. The distances' number holds for any features: bias and scatter come with the formula.
_ADVISED = {"frechet": 2048, "kernel": 2048, "inception": 2048, "text": 2990}


def named(kind: Kind, network: str, width: int | None = None) -> str:
    """The name of a measure over a network's features: "FVD" over I3D, "Frechet distance over world-network features".

    kind: "frechet", "kernel", "inception" (score), "perceptual" (LPIPS), "text" (CLIPSIM), "frames" (consistency
    over time) or "subject"; network: an identifier of this module, given by the loader that checked the file's hash,
    or a stand-in's own name; width: how many features it gave.
    Raises UserError for an unknown kind, for a network without a name, for one that calls itself by a famous
    measure's name, and for a famous network that gave another number of features than the measure is defined over.
    """
    if kind not in _PLAIN:
        raise refuse(kind, "kind of measure", list(_PLAIN))
    words = network.strip()
    if not words:
        raise UserError("features need the name of the network that made them, for example 'world-network'")
    if words.upper() in {name.upper() for name, _ in _FAMOUS.values()} | {"IS"}:
        raise UserError(f"{words!r} is the name of a measure, not of a network; a stand-in goes by its own name")
    name, asked = _FAMOUS.get((kind, words), (_PLAIN[kind].format(_WRITTEN.get(words, words)), None))
    if asked is not None and width is not None and width != asked:
        raise UserError(
            f"{name} is defined over {asked} numbers from {words}, not {width}; "
            "features of another width go by another network's name"
        )
    return name


def samples_advised(kind: Kind) -> int | None:
    """How many samples the protocols of the field ask for (catalogue/metrics); None where they give no number."""
    return _ADVISED.get(kind)
