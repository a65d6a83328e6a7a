"""Task: what generating costs: network calls in a row, floating point operations, seconds and peak memory per frame.

Each run has a process of its own (`python -m reproductions.level_field.cost '<arguments as JSON>'`), so that its peak
memory (VmHWM, the highest resident size the system has seen) is its own.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kiloframe.apart import apart, peak_kilobytes
from reproductions.level_field.flops import Counting
from reproductions.level_field.measured import stream
from reproductions.level_field.plan import Contender, Entrant, Settings, as_json, code_hash, key_of, settings_of
from reproductions.level_field.trained import inputs as trained_inputs
from reproductions.level_field.trained import load

__all__ = ["calls_in_a_row", "cost", "inputs"]

_BIG = 0.05
"""A network is a module with at least this share of the model's parameters."""


def inputs(contender: Contender, frames: int, training_seed: int, settings: Settings) -> dict[str, Any]:
    """All that decides what generating costs."""
    assert contender.entrant is not None
    return {
        "contender": contender.id,
        "frames": frames,
        "seeds": settings.seeds,
        "trained": key_of(trained_inputs(contender.entrant, training_seed, settings)),
        "code": code_hash(["level_field/cost.py", "level_field/flops.py"], []),
    }


@contextmanager
def calls_in_a_row(model: nn.Module) -> Iterator[Counter[str]]:
    """Counts forward passes of the model's networks, one after the other, by the name of the network.

    A network is a module with at least a twentieth of the model's parameters; what it calls inside itself is part of
    the one call. A step that reads one more token with the help of a key-value cache is one call, as is a step on a
    whole batch.
    """
    total = sum(p.numel() for p in model.parameters())
    big = {
        name: module for name, module in model.named_modules()
        if name and not isinstance(module, nn.ModuleList | nn.ModuleDict)
        and sum(p.numel() for p in module.parameters()) >= _BIG * total
    }  # fmt: skip
    counted: Counter[str] = Counter()
    depth = 0

    def enter(name: str) -> Any:
        def hook(*_: Any) -> None:
            nonlocal depth
            if depth == 0:
                counted[name] += 1
            depth += 1

        return hook

    def leave(*_: Any) -> None:
        nonlocal depth
        depth -= 1

    hooks = [module.register_forward_pre_hook(enter(name)) for name, module in big.items()]
    hooks += [module.register_forward_hook(leave, always_call=True) for module in big.values()]
    try:
        yield counted
    finally:
        for hook in hooks:
            hook.remove()


def cost(
    contender: Contender, frames: int, training_seed: int, settings: Settings, folder: Path, _record: Path
) -> dict[str, Any]:
    """What a video of `frames` frames costs, measured in a fresh process. Raises UserError if that fails."""
    assert contender.entrant is not None
    arguments = {
        "name": contender.name, "world": contender.world, "schedule": contender.schedule,
        "slug": contender.entrant.slug, "changes": contender.entrant.changes, "frames": frames,
        "training_seed": training_seed, "settings": as_json(settings), "folder": str(folder),
        "threads": torch.get_num_threads(),
    }  # fmt: skip
    what = f"measuring the cost of {contender.name}"
    found: dict[str, Any] = apart("reproductions.level_field.cost", [json.dumps(arguments)], what)
    return found


def run(contender: Contender, frames: int, training_seed: int, settings: Settings, folder: Path) -> dict[str, Any]:
    """Generate in this process: once per seed for time, the first time for calls and memory too, and once more with
    torch counting the operations. Memory is what the process has grown by since it was ready to generate.
    """
    assert contender.entrant is not None
    model = load(folder, contender.entrant, training_seed, settings.preset)
    first, *others = settings.seeds

    def generate(frames: int, seed: int) -> float:
        began = time.perf_counter()
        for _ in stream(model, contender, frames, settings, seed=seed, videos=1):
            pass
        return time.perf_counter() - began

    generate(2 * settings.context, first)  # a first run allocates and plans
    before = peak_kilobytes()
    with calls_in_a_row(model) as counted:
        seconds = [generate(frames, first)]
    after = peak_kilobytes()
    seconds += [generate(frames, seed) for seed in others]
    with Counting() as counter:
        generate(frames, first)
    return {
        "name": contender.name, "world": contender.world, "frames": frames, "training_seed": training_seed,
        "seconds": seconds, "calls": sum(counted.values()), "calls_by_network": dict(counted),
        "flops": float(counter.total), "peak_kilobytes": after, "grown_kilobytes": after - before,
        "threads": torch.get_num_threads(),
    }  # fmt: skip


def main(text: str) -> None:
    """Measure what the arguments say and print the record as one line of JSON."""
    a = json.loads(text)
    torch.set_num_threads(a["threads"])
    entrant = Entrant(a["slug"], a["world"], tuple((name, value) for name, value in a["changes"]))
    contender = Contender(a["name"], a["world"], entrant, a["schedule"])
    found = run(contender, a["frames"], a["training_seed"], settings_of(a["settings"]), Path(a["folder"]))
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
