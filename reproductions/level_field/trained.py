"""Task: train one entrant for an equal number of seconds on one machine, and count what it cost."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

import reproductions
from kiloframe.files import write_atomically
from reproductions import training
from reproductions.contract import Batch, Reproduction
from reproductions.drawn_ahead import drawn_ahead
from reproductions.level_field.flops import Counting
from reproductions.level_field.plan import Entrant, Settings, code_hash, key_of

__all__ = ["flops_of_training", "inputs", "load", "steps_that_fit", "train", "weights_of"]


def weights_of(folder: Path, entrant: Entrant, training_seed: int) -> Path:
    """Where the weights of an entrant lie."""
    return folder / "train" / f"{entrant.id}-r{training_seed}.safetensors"


def inputs(entrant: Entrant, training_seed: int, settings: Settings) -> dict[str, Any]:
    """All that decides how an entrant is trained."""
    return {
        "entrant": entrant.id,
        "config": dataclasses.asdict(entrant.config(settings.preset)),
        "seed": training_seed,
        "budget": settings.budget,
        "device": settings.device,
        "timed": settings.timed,
        "code": code_hash([f"methods/{entrant.slug}.py", "training.py"], ["methods", "parts", "worlds"]),
    }


def steps_that_fit(budget: float, seconds: list[float], shares: list[float]) -> int:
    """How many steps in all fit into `budget` seconds, when a step of stage i takes seconds[i] and has its share.

    The learning rate of every stage falls over the steps it has, so they must be known before training begins; that
    is why they are planned from a measured step and not stopped by the clock.
    """
    mean = float(np.dot(seconds, shares) / np.sum(shares))
    return max(len(seconds), round(budget / mean))


def train(entrant: Entrant, training_seed: int, settings: Settings, folder: Path, out: Path) -> dict[str, Any]:
    """Train and write the weights, `weights_of` the entrant; returns the record.

    On a GPU a second process draws the clips. An interrupted training goes on where it stopped. Raises
    KeyboardInterrupt, after a checkpoint, on Ctrl-C and SIGTERM, and UserError for CUDA where there is none.
    """
    what: dict[str, Any] = {
        "preset": settings.preset, "changes": entrant.fields(settings.preset), "device": settings.device,
    }  # fmt: skip
    key = key_of(inputs(entrant, training_seed, settings))
    planned = out.with_suffix(".plan")
    plan = json.loads(planned.read_text()) if planned.is_file() else {}
    fresh = plan.get("key") != key
    with drawn_ahead(reproductions.method(entrant.slug), 1 if settings.device == "cuda" else 0) as kind:
        if fresh:  # a step is timed once, so that a training taken up again has as many steps as it began with
            seconds = training.step_seconds(kind, steps=settings.timed, **what)
            shares = [group[0].share for group in kind(entrant.config(settings.preset)).stage_groups()]
            plan = {"key": key, "step_seconds": seconds, "steps": steps_that_fit(settings.budget, seconds, shares)}
            write_atomically(planned, json.dumps(plan) + "\n")
        report = training.train(
            kind, seed=training_seed, steps=plan["steps"], out=out, progress=False, restart=fresh, **what
        )
    model = load(folder, entrant, training_seed, settings.preset)
    per_stage = training.stage_steps(model, report.steps)
    flops = flops_of_training(model)
    planned.unlink(missing_ok=True)
    return {
        "slug": entrant.slug, "world": entrant.world, "training_seed": training_seed,
        "budget": settings.budget, "device": settings.device,
        "seconds": report.seconds, "steps": report.steps, "steps_per_stage": per_stage,
        "step_seconds": plan["step_seconds"], "flops": float(np.dot(flops, per_stage)), "batch": report.batch,
        "parameters": report.parameters, "loss": report.loss, "machine": report.machine, "torch": report.torch,
        "config": dataclasses.asdict(entrant.config(settings.preset)),
    }  # fmt: skip


def load(folder: Path, entrant: Entrant, training_seed: int, preset: str) -> Reproduction:
    """The entrant's trained model, with the config that it generates with.

    What was changed for its training is put back, where the weights do not depend on it: a hierarchy taught by short
    clips alone still plans as far ahead as the one that saw long ones.
    """
    model = reproductions.method(entrant.slug).load(weights_of(folder, entrant, training_seed))
    model.config = dataclasses.replace(entrant, changes=()).config(preset)
    return model


def flops_of_training(model: Reproduction) -> list[float]:
    """Floating point operations of one training step of each stage: the losses and the way back, counted by torch."""
    counted = []
    for parts in model.stage_groups():
        clip: Any = Batch.of(model.clips(np.random.default_rng(0), parts[0].batch or model.config.batch))
        clip = clip if clip.captions is not None or clip.poses is not None else clip.video
        with Counting() as counter, torch.enable_grad():
            for part in parts:
                part.loss(clip, 0)["loss"].backward()
        counted.append(float(counter.total))
    model.zero_grad(set_to_none=True)
    return counted
