"""What every feature network answers, whichever architecture stands behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kiloframe.errors import UserError
from reproductions.measures.networks.table import Network, WeightFile

__all__ = ["Extractor", "FeatureNetwork", "pixels"]


class Extractor(nn.Module):
    """An architecture with its input rule. Subclasses say how they name their weights in a file, if otherwise.

    ignored: beginnings of names that the published file holds and the network does not need; least, most: frames
    that a clip must have (None: any number).
    """

    ignored: tuple[str, ...] = ()
    least: int = 1
    most: int | None = None

    @classmethod
    def make(cls, *also: tuple[Path, WeightFile]) -> Self:
        """The network without weights, on the meta device; also: the further files that `NETWORKS` lists for it."""
        with torch.device("meta"):
            return cls()

    @staticmethod
    def layout(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The published file's tensors under this module's names."""
        return dict(state)

    def prepare(self, batch: Any) -> Tensor:
        """The network's input, from what `FeatureNetwork.features` is given: frames (n, 3, h, w), clips
        (n, t, 3, h, w), uint8 or float in [0, 1], or captions."""
        raise TypeError(f"{type(self).__name__} must say how its input is made")

    def forward(self, x: Tensor) -> Tensor:
        """Features (n, d) of prepared input."""
        raise TypeError(f"{type(self).__name__} must say how its features are made")


class FeatureNetwork:
    """A network with its weights, ready to turn videos (or captions) into features.

    name: as in `NETWORKS`, unless the weights are known not to be the published ones: then the name says so, and no
    measure over it bears a famous name (reproductions/measures/names.py). kind, dimension: as in `NETWORKS`; sha256:
    of the weight file; settings: what a result must say about its features, as plain text by plain names; extractor:
    the module itself.
    """

    def __init__(
        self,
        network: Network,
        extractor: Extractor,
        sha256: str,
        settings: Mapping[str, str],
        device: str = "cpu",
        name: str | None = None,
    ) -> None:
        self.network, self.sha256, self.settings = network, sha256, dict(settings)
        self.name: str = name or network.name
        self.kind: Literal["frames", "clips", "text"] = network.kind
        self.dimension: int | None = network.dimension
        self.device = torch.device(device)
        self.extractor = extractor.to(self.device).eval().requires_grad_(False)

    def features(self, given: Any) -> NDArray[np.float64]:
        """Features (n, d), float64. The same input gives the same numbers.

        given: videos (b, t, 3, h, w), uint8 or float in [0, 1], an array or a CPU tensor; n is b t for a network of
        frames (video by video) and b for one of clips. For a network of text: captions, n of them.
        Only one batch is in work at a time, so memory does not grow with n but for the result.
        Raises UserError for another shape or type, NaN, values outside [0, 1], or too few or too many frames.
        """
        with torch.inference_mode(), torch.backends.cudnn.flags(benchmark=False, deterministic=True):
            parts = [self.extractor(part.to(self.device)).cpu() for part in self._batches(given)]
            return np.concatenate([part.to(torch.float64).numpy() for part in parts])

    def _batches(self, given: Any) -> Iterator[Tensor]:
        count, ex = self.network.batch, self.extractor
        if self.kind == "text":
            texts = _captions(given)
            yield from (ex.prepare(texts[i : i + count]) for i in range(0, len(texts), count))
            return
        video = given.numpy() if isinstance(given, Tensor) else np.asarray(given)
        _check(video, self.network, ex)
        flat = video.reshape(-1, *video.shape[2:]) if self.kind == "frames" else video
        for i in range(0, len(flat), count):
            part = flat[i : i + count]
            _check_values(part)
            yield ex.prepare(torch.from_numpy(np.ascontiguousarray(part)))


def pixels(batch: Tensor, eight_bit: bool = True) -> Tensor:
    """float32 in [0, 1] from uint8 or from floats in [0, 1].

    eight_bit: floats are first rounded to the 256 values that a video file can hold, so that a generated video is
    looked at as the real ones are, and as it would be after being written.
    """
    if batch.dtype == torch.uint8:
        return batch.to(torch.float32) / 255
    x = batch.to(torch.float32)
    return (x * 255).round() / 255 if eight_bit else x


def _captions(given: Any) -> list[str]:
    if isinstance(given, str) or not isinstance(given, Sequence) or not all(isinstance(text, str) for text in given):
        raise UserError(f"captions are a list of texts, not {type(given).__name__}")
    if not given:
        raise UserError("there are no captions; give at least one")
    return list(given)


def _check(video: NDArray[Any], network: Network, ex: Extractor) -> None:
    if video.ndim != 5 or video.shape[2] != 3 or 0 in video.shape:
        raise UserError(f"{network.name} takes videos (b, t, 3, h, w), none of them empty, not {tuple(video.shape)}")
    if video.dtype != np.uint8 and video.dtype.kind != "f":
        raise UserError(f"{network.name} takes uint8 or float values in [0, 1], not {video.dtype}")
    frames = video.shape[1]
    if frames < ex.least or (ex.most is not None and frames > ex.most):
        allowed = f"at least {ex.least}" if ex.most is None else f"exactly {ex.most}"
        raise UserError(f"{network.name} takes clips of {allowed} frames, not {frames}; cut the videos into such clips")


def _check_values(part: NDArray[Any]) -> None:
    if part.dtype == np.uint8:
        return
    low, high = float(part.min()), float(part.max())
    if not (low >= -1e-4 and high <= 1 + 1e-4):  # also false for NaN
        raise UserError(f"float videos have values in [0, 1]; these have {low:.4g} to {high:.4g}")
