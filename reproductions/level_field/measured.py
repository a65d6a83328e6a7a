"""Task: generate the videos of one contender, one length and one sampling seed, and measure them.

What is kept: the exact measures per frame, the world network's features of every 16-frame clip, and a strip of frames
to look at. The videos themselves are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kiloframe.files import replacing
from kiloframe.stopping import Stop
from reproductions import worlds
from reproductions.contest import clip_features, film_seeds, reference_clips, trivial
from reproductions.contract import Condition, Reproduction
from reproductions.level_field.plan import Contender, Settings, code_hash, key_of
from reproductions.level_field.trained import inputs as trained_inputs
from reproductions.level_field.trained import load
from reproductions.measures import world_network
from reproductions.measures.exact import exact
from reproductions.measures.networks.base import FeatureNetwork
from reproductions.worlds.base import World

__all__ = [
    "STRIP",
    "condition_of",
    "field_world",
    "inputs",
    "measure",
    "network",
    "reference",
    "stream",
]

STRIP = 16
"""Frames kept to look at, evenly spaced over the first video."""
_APART = 1000  # seeds of the videos of one sampling seed begin so far from those of the next
_CODE = ["level_field/measured.py", "contest.py"]


def field_world(name: str, side: int = 16) -> World[Any]:
    """The world that is measured against."""
    return worlds.world(name, side, **({"depth": False} if name == "rooms" else {}))


def condition_of(kind: type[Reproduction], clip: Any, world: str, context: int) -> Condition | None:
    """What a method is given: nothing where video can begin from nothing; in `rooms` what it can use of the walk.

    That is the first `context` frames and, where the method knows poses, those of all frames. A method that cannot
    use poses has to guess where the walk goes.
    """
    if world != "rooms":
        return None
    given: dict[str, Any] = {
        "context": torch.from_numpy(np.ascontiguousarray(clip.video[:, :context])),
        "poses": torch.from_numpy(np.asarray(clip.truth.pose, np.float32)),
    }
    return Condition(**{name: value for name, value in given.items() if name in kind.uses})


def stream(
    model: Reproduction, contender: Contender, frames: int, settings: Settings, *, seed: int, videos: int, **more: Any
) -> Iterator[Tensor]:
    """The chunks of a contender's videos, as the model makes them. `more`: further options of its stream().

    A method that takes text is given, for each video, the caption of a real film, as in `rooms` one that takes poses is
    given the walk: it was made to be told, and what it makes of no words at all would say nothing about it.
    """
    world, seeds = field_world(contender.world, model.config.side), film_seeds(seed, videos)
    options = {"schedule": contender.schedule, **more} if contender.schedule else more
    truth = world.batch(seeds, np.zeros(videos, int), 1).truth
    if "captions" in type(model).uses and hasattr(truth, "captions"):
        each = [
            model.stream(frames, Condition(captions=(text,)), seed=_APART * seed + v, batch=1, **options)
            for v, text in enumerate(truth.captions().tolist())
        ]
        return (torch.cat(chunks) for chunks in zip(*each, strict=True))
    clip = world.batch(seeds, np.zeros(videos, int), frames) if world.name == "rooms" else None
    condition = condition_of(type(model), clip, world.name, settings.context)
    return model.stream(frames, condition, seed=seed, batch=videos, **options)


def inputs(contender: Contender, frames: int, seed: int, training_seed: int, settings: Settings) -> dict[str, Any]:
    """All that decides what is measured of a contender."""
    entrant = contender.entrant
    return {
        "contender": contender.id,
        "frames": frames,
        "seed": seed,
        "videos": settings.videos,
        "context": settings.context,
        "network": network().sha256,
        "trained": key_of(trained_inputs(entrant, training_seed, settings)) if entrant else None,
        "code": code_hash([*_CODE, f"measures/{contender.world}.py"], ["measures", "worlds"]),
    }


@cache
def network() -> FeatureNetwork:
    """The world network, read once."""
    return world_network.load()


def measure(
    contender: Contender, frames: int, seed: int, training_seed: int, settings: Settings, folder: Path, arrays: Path
) -> dict[str, Any]:
    """Generate and measure; writes `arrays` (npz: exact/<id> (videos, frames), features (videos, clips, 64), strip).

    Exact measures compare with the truth in `rooms`, where everybody walks on from the same real frames along the same
    way; elsewhere, where everybody begins with nothing, with each video's own first frames. Returns the record: means
    over the frames behind the first `context`.
    """
    world = field_world(contender.world)
    clip = world.batch(film_seeds(seed, settings.videos), np.zeros(settings.videos, int), frames)
    if contender.entrant is None:
        video = clip.video if contender.name == "real" else trivial(contender.name, clip.video, settings.context, seed)
    else:
        model = load(folder, contender.entrant, training_seed, settings.preset)
        chunks = []
        with Stop() as stop:
            for chunk in stream(model, contender, frames, settings, seed=seed, videos=settings.videos):
                stop.check()
                chunks.append(chunk.numpy())
        video = np.concatenate(chunks, 1)
    found = exact(world, video, clip.truth if contender.world == "rooms" else None)
    kept: dict[str, NDArray[Any]] = {f"exact/{id}": values.astype(np.float32) for id, values in found.items()}
    kept["features"] = clip_features(network(), video).astype(np.float32)
    kept["strip"] = np.round(video[0, np.linspace(0, frames - 1, STRIP).round().astype(int)] * 255).astype(np.uint8)
    with replacing(arrays) as path:
        np.savez_compressed(path, allow_pickle=False, **kept)
    late = {id: values[:, settings.context :] for id, values in found.items()}
    return {
        "name": contender.name, "world": contender.world, "frames": frames, "seed": seed,
        "training_seed": None if contender.entrant is None else training_seed, "videos": settings.videos,
        "exact": {id: float(np.nanmean(v)) if np.isfinite(v).any() else None for id, v in late.items()},
    }  # fmt: skip


def reference_inputs(world: str, settings: Settings) -> dict[str, Any]:
    """All that decides what distances are taken from."""
    code = code_hash(_CODE, [f"worlds/{world}.py"])
    return {
        "world": world,
        "clips": settings.reference,
        "until": max(settings.lengths),
        "network": network().sha256,
        "code": code,
    }


def reference(world: str, settings: Settings, _folder: Path, arrays: Path) -> dict[str, Any]:
    """Features of real clips of a world, of other seeds than any film's, that distances are taken from."""
    found = network().features(reference_clips(field_world(world), settings.reference, max(settings.lengths)))
    with replacing(arrays) as path:
        np.savez_compressed(path, features=found.astype(np.float32))
    return {"world": world, "clips": settings.reference}
