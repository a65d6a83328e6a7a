"""The world network: a small 3D ConvNet that was trained to read the truth of the worlds from 16 frames.

Its 64 features stand where the field puts I3D's: a Frechet or kernel distance over them compares clips of our worlds
with real ones. Such a distance is called by this network's name and never FVD; no number of a paper compares with it.
Trained by reproductions/measures/world_training.py, weights in weights/world_network.safetensors.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from kiloframe.errors import UserError
from reproductions.measures.networks.base import Extractor, FeatureNetwork, pixels
from reproductions.measures.networks.table import Network, WeightFile

__all__ = ["FEATURES", "FRAMES", "SIDE", "WEIGHTS", "WorldNetwork", "load"]

SIDE = 16
FRAMES = 16
FEATURES = 64
WEIGHTS = Path(__file__).resolve().parents[2] / "weights" / "world_network.safetensors"

_FILE = WeightFile(
    file=WEIGHTS.name,
    holds="the world network",
    author="kiloframe",
    project="weights/ of a checkout",
    megabytes=None,
    sha256=(),
    hash_source="in every result made with it",
    licence="MIT",
)
NETWORK = Network(
    name="world-network",
    title="World network",
    measures=("Frechet distance over world-network features", "Kernel distance over world-network features"),
    kind="clips",
    dimension=FEATURES,
    features=f"{FEATURES} numbers per clip, averaged over time before the heads that predict the worlds' truth",
    input=f"frames averaged down to {SIDE}x{SIDE} (area), values in [-1, 1]; at least {FRAMES} frames",
    batch=64,
    weights=_FILE,
)


class WorldNetwork(Extractor):
    """Clips to features. Four blocks of 3x3x3 convolutions, the first at full size, the others halving space and two
    of them time; the strongest answer anywhere in the frame; two linear layers per moment; the mean over the moments.
    Clips of any length from FRAMES on give FEATURES numbers.
    """

    least = FRAMES

    def __init__(self, channels: tuple[int, ...] = (16, 48, 96, 160)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for level, (a, b) in enumerate(zip((3, *channels[:-1]), channels, strict=True)):
            stride = (1, 2, 2) if level == 3 else min(level + 1, 2)
            layers += [nn.Conv3d(a, b, 3, stride, 1), nn.GroupNorm(8, b), nn.GELU()]
        self.body = nn.Sequential(*layers)  # (b, 3, t, 16, 16) -> (b, c, t / 4, 2, 2)
        self.moment = nn.Sequential(nn.Linear(channels[-1], 128), nn.GELU(), nn.Linear(128, FEATURES))

    def prepare(self, batch: Any) -> Tensor:
        """(n, t, 3, h, w), uint8 or float in [0, 1], to (n, 3, t, 16, 16) in [-1, 1]."""
        x = pixels(batch)
        if x.shape[-2:] != (SIDE, SIDE):
            if min(x.shape[-2:]) < SIDE:
                raise UserError(f"the world network takes frames of at least {SIDE}x{SIDE} pixels, not {x.shape[-2]}x{x.shape[-1]}")  # fmt: skip  # noqa: E501
            x = F.adaptive_avg_pool2d(x.flatten(0, 1), SIDE).unflatten(0, x.shape[:2])
        return x.movedim(2, 1) * 2 - 1

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, t, 16, 16) to (n, FEATURES)."""
        h = self.body(x).amax((3, 4)).transpose(1, 2)  # (n, t / 4, c)
        found: Tensor = self.moment(h).mean(1)
        return found


def load(file: str | Path | None = None, sha256: str | None = None, device: str = "cpu") -> FeatureNetwork:
    """The trained network, ready for `features`; file: other weights than the kept ones, sha256: what they must be.

    Raises UserError for weights that are missing, damaged, of another hash or another shape.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(file) if file is not None else WEIGHTS
    again = "train it again with: python -m reproductions.measures.world_training"
    if not path.is_file():
        raise UserError(f"there are no weights of the world network at {path}; {again}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if sha256 is not None and digest != sha256.lower():
        raise UserError(f"{path} has the sha256 {digest}, not {sha256}; name the file that was meant, or {again}")
    extractor = WorldNetwork()
    try:
        state = {k.removeprefix("network."): v.float() for k, v in load_file(path).items() if k.startswith("network.")}
        extractor.load_state_dict(state)
    except (SafetensorError, OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} does not hold the world network ({reason}); {again}") from None
    settings = {
        "network": NETWORK.title,
        "features": NETWORK.features,
        "input": NETWORK.input,
        "weights": path.name,
        "weights sha256": digest,
        "weights are": "those of this checkout" if path == WEIGHTS else "named by the user, known by this hash",
    }
    return FeatureNetwork(NETWORK, extractor, digest, settings, device)
