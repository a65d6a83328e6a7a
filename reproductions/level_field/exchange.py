"""Task: exchange one frame while a video is being made, and see how many others suffer.

In the middle of the span that a hierarchy plans, one frame is replaced, the moment it is made, by that of another
video of the same model. For a hierarchy it is a key frame; the same frame of a sliding window is context of the next
call. Both orders make the same span with the same network, noise and frame exchanged.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kiloframe.files import replacing
from reproductions.contract import Reproduction
from reproductions.level_field.measured import field_world, stream
from reproductions.level_field.plan import MAIN, Contender, Settings, code_hash, key_of
from reproductions.level_field.trained import inputs as trained_inputs
from reproductions.level_field.trained import load
from reproductions.measures.exact import exact
from reproductions.parts import schedules

__all__ = ["can", "exchange", "inputs", "key_frame"]

_DONOR = 500  # added to a sampling seed, for the video that the frame is taken from


def can(contender: Contender) -> bool:
    """Whether the method lets a frame be changed as soon as it is made: its stream() has the option `edit`."""
    import reproductions

    if contender.entrant is None or contender.world == "rooms" or contender.entrant.changes:
        return False
    return "edit" in inspect.signature(reproductions.method(contender.entrant.slug).stream).parameters


def inputs(contender: Contender, seed: int, training_seed: int, settings: Settings) -> dict[str, Any]:
    """All that decides the outcome."""
    assert contender.entrant is not None
    return {
        "contender": contender.id,
        "seed": seed,
        "videos": settings.videos,
        "trained": key_of(trained_inputs(contender.entrant, training_seed, settings)),
        "code": code_hash(["level_field/exchange.py", f"measures/{contender.world}.py"], ["measures", "worlds"]),
    }


def key_frame(config: Any) -> int:
    """The key frame in the middle of the first span that a hierarchy plans."""
    plan = schedules.schedule(
        "hierarchy-2", config.horizon, window=config.window, new=config.new, horizon=config.horizon
    )
    keys = next(plan).latent
    return keys[(len(keys) - 1) // 2]


def exchange(
    contender: Contender, seed: int, training_seed: int, settings: Settings, folder: Path, arrays: Path
) -> dict[str, Any]:
    """The video as it would be, and with one frame exchanged; writes `arrays` (npz: whole, touched (videos, frames)
    of the world's main measure, changed (videos, frames) mean absolute difference of pixels).

    Returns the record: lost, how many frames' worth of the main measure the other frames lose; changed, how many other
    frames differ by more than half of what two unrelated videos differ by. Both are means over the videos.
    """
    assert contender.entrant is not None
    model = load(folder, contender.entrant, training_seed, settings.preset)
    frames, at = model.config.horizon, key_frame(model.config)
    taken: dict[int, Tensor] = {}

    def take(index: int, frame: Tensor) -> Tensor:
        taken[index] = frame.clone()
        return frame

    def give(index: int, frame: Tensor) -> Tensor:
        return taken[at] if index == at else frame

    other = _video(model, contender, frames, settings, seed + _DONOR, edit=take)
    whole = _video(model, contender, frames, settings, seed)
    touched = _video(model, contender, frames, settings, seed, edit=give)
    world = field_world(contender.world)
    main = [exact(world, video, None)[MAIN[contender.world]] for video in (whole, touched)]
    changed = np.abs(whole - touched).mean((2, 3, 4))
    apart = np.abs(whole - other).mean()
    rest = np.arange(frames) != at
    with replacing(arrays) as path:
        np.savez_compressed(path, whole=main[0], touched=main[1], changed=changed)
    return {
        "name": contender.name, "world": contender.world, "frames": frames, "exchanged": at, "seed": seed,
        "training_seed": training_seed, "videos": settings.videos,
        "lost": float(np.nansum((main[0] - main[1])[:, rest]) / len(whole)),
        "changed": float((changed[:, rest] > apart / 2).sum() / len(whole)),
    }  # fmt: skip


def _video(
    model: Reproduction, contender: Contender, frames: int, settings: Settings, seed: int, **more: Any
) -> NDArray[np.float32]:
    chunks = stream(model, contender, frames, settings, seed=seed, videos=settings.videos, **more)
    made: NDArray[np.float32] = torch.cat(list(chunks), 1).numpy()
    return made
