"""Training of the world network: to predict the truth of every world from 16 frames, all worlds at once.

    python -m reproductions.measures.world_training        # minutes on 2 cores; resumes where it was stopped

What it learns is what its features can see: who is there, in which colour, how fast, where, at what time of day. It is
never shown a corrupted or generated video.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from kiloframe.files import write_atomically
from reproductions import worlds
from reproductions.contract import Presets, Reproduction, Stage
from reproductions.measures.world_network import FEATURES, FRAMES, SIDE, WorldNetwork
from reproductions.worlds import digits, shapes, stories
from reproductions.worlds.base import EVALUATION_SEEDS

__all__ = ["TARGETS", "Target", "WorldTraining", "accuracy", "clips_of", "main"]

LONGEST = 2000
"""Training clips start before this frame."""


@dataclass(frozen=True)
class Target:
    """One thing to predict of a world's clips: a class (of `size`), a set (any of `size`), or `size` numbers.

    read: from the truth of a batch of clips (b, t, ...) to (b,) int, (b, size) of 0 and 1, or (b, size) float, scaled
    so that they vary by about 1. What changes within a clip is read at its middle frame.
    """

    world: str
    name: str
    kind: Literal["class", "set", "numbers"]
    size: int
    read: Callable[[Any], NDArray[Any]]

    @property
    def key(self) -> str:
        """`world_name`, the name of its head."""
        return f"{self.world}_{self.name}"


def _present(values: NDArray[np.int64], kinds: int) -> NDArray[np.float64]:
    """Which of `kinds` occur among the last axis's values at the first frame: (b, t, n) to (b, kinds)."""
    return (values[:, 0, :, None] == np.arange(kinds)).any(1).astype(np.float64)


def _middle(values: NDArray[Any]) -> NDArray[Any]:
    return values[:, FRAMES // 2]


def _walk(truth: Any) -> NDArray[np.float64]:
    """Mean step forward and mean turn (radians, to the right) per frame, in tenths: (b, 2)."""
    r, p = truth.pose[..., :3, :3], truth.pose[..., :3, 3]
    forward = (np.diff(p, axis=1) * r[:, :-1, :, 2]).sum(-1)
    turn = np.einsum("btij,btij->bt", r[:, 1:, :, [2]], r[:, :-1, :, [0]])  # sin of the angle between headings
    return np.stack([forward.mean(1), turn.mean(1)], -1) * 10


def _clock(truth: Any) -> NDArray[np.float64]:
    angle = 2 * np.pi * _middle(truth.time_of_day)
    return np.stack([np.sin(angle), np.cos(angle)], -1)


TARGETS = (
    Target("digits", "label", "class", 10, lambda t: t.label[:, 0, 0]),
    Target("digits", "colour", "class", len(digits.PALETTE), lambda t: t.colour[:, 0, 0]),
    Target("digits", "speed", "numbers", 2, lambda t: 5 * np.abs(t.velocity[:, 0, 0])),
    Target("shapes", "kinds", "set", len(shapes.KINDS), lambda t: _present(t.kind, len(shapes.KINDS))),
    Target("shapes", "colours", "set", len(shapes.COLOURS), lambda t: _present(t.colour, len(shapes.COLOURS))),
    Target("shapes", "speed", "numbers", 2, lambda t: 2 * np.abs(t.velocity[:, 0]).sum(1)),
    Target("stories", "character", "class", len(stories.CHARACTERS), lambda t: _middle(t.character)),
    Target("stories", "colour", "class", len(stories.COLOURS), lambda t: _middle(t.colour)),
    Target("stories", "place", "class", len(stories.PLACES), lambda t: _middle(t.place)),
    Target("stories", "action", "class", len(stories.ACTIONS), lambda t: _middle(t.action)),
    Target("stories", "night", "class", 2, lambda t: _middle(t.night).astype(np.int64)),
    Target("rooms", "walk", "numbers", 2, _walk),
    Target("timelapse", "clock", "numbers", 2, _clock),
    Target("timelapse", "cover", "numbers", 1, lambda t: 4 * _middle(t.cover)[:, None]),
    Target("timelapse", "wind", "numbers", 2, lambda t: 2 * _middle(t.wind)),
)


@dataclass(frozen=True)
class Config(Presets):
    """`batch`: clips per world and step."""

    steps: int = 2000
    batch: int = 12
    learning_rate: float = 3e-3
    ema: float = 0.995

    @classmethod
    def smoke(cls) -> Self:
        """A few steps, for tests of training."""
        return cls(steps=4, batch=2)


class WorldTraining(Reproduction):
    """The world network with a linear head per target, trained by the loop that trains the methods."""

    slug = "world_network"
    world = "digits"
    Config = Config

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.network = WorldNetwork()
        self.which = nn.Linear(FEATURES, len(worlds.NAMES))
        self.heads = nn.ModuleDict({target.key: nn.Linear(FEATURES, target.size) for target in TARGETS})

    def stages(self) -> tuple[Stage, ...]:
        """One stage: every head at once."""
        return (Stage("truth", (self,), self.loss),)

    def clips(self, rng: np.random.Generator, batch: int) -> Tensor:
        """Which clips to look at: (worlds, batch, 2) int64, seed and first frame. They are drawn in `loss`."""
        shape = (len(worlds.NAMES), batch)
        seeds = rng.integers(EVALUATION_SEEDS, size=shape)
        return torch.from_numpy(np.stack([seeds, rng.integers(LONGEST, size=shape)], -1))

    def loss(self, clip: Tensor, step: int) -> dict[str, Tensor]:
        """Sum over all targets: cross-entropy of classes and of the worlds, binary cross-entropy of sets (the sum over
        their members), squared error of numbers."""
        made = [clips_of(name, *picked.T) for name, picked in zip(worlds.NAMES, clip.cpu().numpy(), strict=True)]
        video = torch.from_numpy(np.concatenate([video for video, _ in made])).to(clip.device)
        features = self.network(self.network.prepare(video)).unflatten(0, clip.shape[:2])  # (worlds, b, FEATURES)
        said = self.which(features).flatten(0, 1)
        found = {
            "world": F.cross_entropy(said, torch.arange(len(made), device=said.device).repeat_interleave(clip.shape[1]))
        }
        for target in TARGETS:
            number = worlds.NAMES.index(target.world)
            wanted = torch.from_numpy(np.array(target.read(made[number][1]))).to(said.device)
            found[target.key] = _penalty(target, self.heads[target.key](features[number]), wanted)
        return {"loss": torch.stack(list(found.values())).sum(), **found}


def _penalty(target: Target, said: Tensor, wanted: Tensor) -> Tensor:
    if target.kind == "class":
        return F.cross_entropy(said, wanted)
    if target.kind == "set":
        return target.size * F.binary_cross_entropy_with_logits(said, wanted.to(said.dtype))
    return F.mse_loss(said, wanted.to(said.dtype))


def clips_of(name: str, seeds: NDArray[np.int64], starts: NDArray[np.int64]) -> tuple[NDArray[np.float32], Any]:
    """Clips (b, FRAMES, 3, SIDE, SIDE) of a world, and their truth."""
    options: dict[str, dict[str, Any]] = {"rooms": {"depth": False}, "shapes": {"shapes": 2}}
    world = worlds.world(name, SIDE, **options.get(name, {}))
    clip = world.batch(seeds, starts, FRAMES)
    return clip.video, clip.truth


@torch.inference_mode()
def accuracy(model: WorldTraining, count: int = 512, seed: int = 0) -> dict[str, dict[str, float]]:
    """How well each target is predicted for `count` clips per world with held-out seeds.

    Per target: "value", for classes the share that is right, for sets the share that is right in every member, for
    numbers R^2 = 1 - squared error / variance; and "chance", what the commonest answer would reach.
    """
    found = {}
    rng = np.random.default_rng([seed, 1])
    for name in worlds.NAMES:
        seeds, starts = EVALUATION_SEEDS + rng.integers(EVALUATION_SEEDS, size=count), rng.integers(LONGEST, size=count)
        video, truth = clips_of(name, seeds, starts)
        f = model.network(model.network.prepare(torch.from_numpy(video)))
        right = (model.which(f).argmax(1) == worlds.NAMES.index(name)).double().mean()
        found[f"{name}_world"] = {"value": float(right), "chance": 1 / len(worlds.NAMES)}
        for target in (t for t in TARGETS if t.world == name):
            said, wanted = model.heads[target.key](f).numpy(), np.asarray(target.read(truth))
            found[target.key] = _right(target, said, wanted)
    return found


def _right(target: Target, said: NDArray[np.float32], wanted: NDArray[Any]) -> dict[str, float]:
    if target.kind == "class":
        chance = np.bincount(wanted).max() / len(wanted)
        return {"value": float((said.argmax(1) == wanted).mean()), "chance": float(chance)}
    if target.kind == "set":
        _, times = np.unique(wanted, axis=0, return_counts=True)
        return {"value": float(((said > 0) == wanted).all(1).mean()), "chance": float(times.max() / len(wanted))}
    error = np.square(said - wanted).sum() / np.square(wanted - wanted.mean(0)).sum()
    return {"value": float(1 - error), "chance": 0.0}


def main() -> None:
    """Train the kept weights and write, beside the training report, what they can predict on held-out seeds."""
    import reproductions
    from reproductions.training import train

    report = train(WorldTraining, preset="toy")
    path = reproductions.weights_path(WorldTraining.slug)
    told = asdict(report) | {
        "command": "python -m reproductions.measures.world_training",
        "held_out": accuracy(WorldTraining.load(path)),
    }
    write_atomically(path.with_suffix(".json"), json.dumps(told, indent=1) + "\n")
    for key, found in told["held_out"].items():
        print(f"{key:24} {found['value']:.3f}   (chance {found['chance']:.3f})")


if __name__ == "__main__":
    main()
