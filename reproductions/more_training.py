"""What more training buys: every method at three sizes of training, measured in one way.

python -m reproductions.more_training --kept               # the weights of the level field and the kept toy weights
python -m reproductions.more_training --seconds 60 --seconds 340   # trains the gpu preset, on a machine with a GPU

Everything that is done leaves one record with features and a strip of frames in build/more_training/, which
notebooks/more_training.py draws; --kept also counts what each preset needs. The same commands go on with what is not
done. Weights trained here are not kept.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

import reproductions
from kiloframe.errors import UserError
from kiloframe.files import replacing, write_atomically
from kiloframe.sources import checkout
from kiloframe.stopping import status_of
from reproductions import training
from reproductions.contest import clip_features, film_seeds, reference_clips
from reproductions.contract import Reproduction
from reproductions.drawn_ahead import drawn_ahead
from reproductions.level_field import field
from reproductions.level_field.measured import condition_of, field_world
from reproductions.level_field.trained import flops_of_training
from reproductions.measures import world_network
from reproductions.measures.exact import exact
from reproductions.meta_operations import training_operations

__all__ = ["CONTEXT", "PRESETS", "SEEDS", "VIDEOS", "default_folder", "main", "measure", "presets", "steps_in"]

SEEDS = (0, 1, 2)
"""Of sampling."""
VIDEOS = 4
"""Per seed."""
CONTEXT = 8
"""Real frames that walks in `rooms` begin with, and that nothing is judged on."""
FRAMES = 128
PRESETS = "presets"
"""Folder of what the presets need, within that of the records."""
_STRIP = 16  # frames kept to look at
_WARM_UP, _TIMED = 4, 30  # steps of each stage, before training
_REFERENCE = 256  # real clips that distances are taken from


def default_folder() -> Path:
    """build/more_training of the checkout."""
    return checkout() / "build" / "more_training"


# --- training -----------------------------------------------------------------------------------------------------


def steps_in(seconds: float, kind: type[Reproduction], preset: str, folder: Path) -> int:
    """How many training steps fit into `seconds`: a short training is timed, after a shorter one that warms up."""
    stages = len(kind(getattr(kind.Config, preset)()).stage_groups())
    for steps in (_WARM_UP, _TIMED):
        report = training.train(
            kind, preset=preset, steps=steps * stages, out=folder / f".{kind.slug}-timing.safetensors", progress=False,
            restart=True,
        )  # fmt: skip
    for left in folder.glob(f".{kind.slug}-timing.*"):
        left.unlink()
    return max(stages, round(seconds / report.seconds * report.steps))


def train(slug: str, seconds: float, preset: str, folder: Path, workers: int) -> tuple[Reproduction, dict[str, Any]]:
    """A method trained by its preset for about `seconds`, and what that took."""
    weights = folder / f".{slug}-{seconds:g}.safetensors"
    with drawn_ahead(reproductions.method(slug), workers) as kind:
        steps = steps_in(seconds, kind, preset, folder)
        report = training.train(kind, preset=preset, steps=steps, out=weights, progress=False, restart=True)
    model = reproductions.method(slug).load(weights)
    for left in folder.glob(f"{weights.stem}.*"):
        left.unlink()
    return model, {
        "seconds": report.seconds, "steps": report.steps, "preset_steps": model.config.steps, "loss": report.loss,
        "steps_per_stage": training.stage_steps(model, report.steps), "batch": report.batch, "machine": _machine(),
    }  # fmt: skip


def _machine() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"


def step_operations(model: Reproduction) -> list[float]:
    """Floating point operations of one training step of each stage, counted on two clips and taken times the rest."""
    sizes: list[int] = []
    draw = model.clips

    def two(rng: np.random.Generator, batch: int) -> Any:
        sizes.append(batch)
        return draw(rng, 2)

    model.clips = two  # type: ignore[method-assign]
    try:
        counted = flops_of_training(model)
    finally:
        del model.clips
    return [operations * size / 2 for operations, size in zip(counted, sizes, strict=True)]


def presets(slug: str, out: Path) -> None:
    """Count what the training of each preset needs, up to the published size where the dossier has it, into `out`.

    Steps of the published size are None where the dossier does not have them.
    """
    kind, found = reproductions.method(slug), {}
    for size in ("toy", "gpu", "paper"):
        try:
            config = getattr(kind.Config, size)()
        except (AttributeError, UserError):
            continue
        with torch.device("meta"):
            model = kind(config)
        known = size != "paper" or config.steps != kind.Config.toy().steps
        per_stage = training_operations(kind, config)
        found[size] = {
            "parameters": sum(p.numel() for p in model.parameters()), "steps": config.steps if known else None,
            "operations": float(np.dot(per_stage, training.stage_steps(model, config.steps))) if known else None,
        }  # fmt: skip
    write_atomically(out, json.dumps(found, indent=1) + "\n")


# --- measuring ----------------------------------------------------------------------------------------------------


def _small(video: NDArray[np.float32]) -> NDArray[np.float32]:
    """Frames (..., 3, h, h) as the world network reads them: 16 x 16, the mean over squares."""
    factor = video.shape[-1] // 16
    flat = torch.from_numpy(video).flatten(0, -4)
    return F.avg_pool2d(flat, factor).numpy().reshape(*video.shape[:-2], 16, 16) if factor > 1 else video


def measure(model: Reproduction, frames: int, arrays: Path) -> dict[str, Any]:
    """Exact measures of videos that the model makes, means per seed over all frames behind the first `CONTEXT`.

    Writes features of their clips, of real clips of the same size, and a strip of frames, to `arrays`.
    """
    world, network = field_world(model.world, model.config.side), world_network.load()
    model = model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
    kept: dict[str, NDArray[Any]] = {}
    found: dict[str, list[float]] = {}
    features, real, seconds = [], [], []
    for seed in SEEDS:
        clip = world.batch(film_seeds(seed, VIDEOS), np.zeros(VIDEOS, int), frames)
        condition = condition_of(type(model), clip, world.name, CONTEXT)
        began = time.perf_counter()
        with torch.inference_mode():
            video = model.generate(frames, condition, seed=seed, batch=VIDEOS).float().cpu().numpy()
        seconds.append(time.perf_counter() - began)
        for id, values in exact(world, video, clip.truth if world.name == "rooms" else None).items():
            late = values[:, CONTEXT:]
            found.setdefault(id, []).append(float(np.nanmean(late)) if np.isfinite(late).any() else float("nan"))
        features.append(clip_features(network, _small(video)))
        real.append(clip_features(network, _small(clip.video)))
        if seed == SEEDS[0]:
            at = np.linspace(0, frames - 1, _STRIP).round().astype(int)
            kept["strip"] = np.round(video[0, at] * 255).astype(np.uint8)
            kept["real_strip"] = np.round(clip.video[0, at] * 255).astype(np.uint8)
    kept["features"], kept["real"] = np.array(features, np.float32), np.array(real, np.float32)
    clips = _small(reference_clips(world, _REFERENCE, frames))
    kept["reference"] = network.features(clips).astype(np.float32)
    with replacing(arrays) as path:
        np.savez_compressed(path, allow_pickle=False, **kept)
    return {
        "slug": model.slug, "world": world.name, "side": model.config.side, "frames": frames, "seeds": list(SEEDS),
        "videos": VIDEOS, "parameters": sum(p.numel() for p in model.parameters()), "generating": seconds,
        "generated_on": _machine(), "config": dataclasses.asdict(model.config),
        "exact": {id: [None if np.isnan(v) else v for v in values] for id, values in found.items()},
    }  # fmt: skip


# --- the command --------------------------------------------------------------------------------------------------


_Made = tuple[Reproduction, dict[str, Any]]


def _kept(slug: str, weights: Path) -> _Made:
    """A method whose weights and report are there."""
    model, told = reproductions.method(slug).load(weights), json.loads(weights.with_suffix(".json").read_text("utf-8"))
    told = told.get("found", told)  # of the level field
    return model, {
        "seconds": told["seconds"], "steps": told["steps"], "preset_steps": told["steps"], "batch": told["batch"],
        "steps_per_stage": training.stage_steps(model, told["steps"]), "loss": told["loss"],
        "machine": told["machine"], "torch": told["torch"],
    }  # fmt: skip


def _work(given: argparse.Namespace) -> Iterator[tuple[str, Callable[[], _Made]]]:
    """What is to be done: a name for its record, and how the model is got."""
    for slug in given.only or reproductions.names():
        kind = reproductions.method(slug)
        if given.kept:
            fields = field.default_folder() / "train" / f"{slug}-{kind.world}-r0.safetensors"
            if fields.with_suffix(".json").is_file():
                yield f"{slug}-field", partial(_kept, slug, fields)
            yield f"{slug}-toy", partial(_kept, slug, reproductions.weights_path(slug))
        for seconds in given.seconds or ():
            made = partial(train, slug, seconds, given.preset, given.folder, given.workers)
            yield f"{slug}-{given.preset}-{seconds:g}", made


def main(arguments: list[str] | None = None) -> int:
    """Train and measure; returns the exit status: 0 done, 2 a mistake in the arguments, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python -m reproductions.more_training", description=__doc__)
    parser.add_argument("--kept", action="store_true", help="measure the level field's weights and the toy weights")
    parser.add_argument("--seconds", type=float, action="append", metavar="S", help="train so long; repeatable")
    parser.add_argument("--only", action="append", metavar="METHOD", help="this method alone; repeatable")
    parser.add_argument("--preset", choices=training.PRESETS, default="gpu", help="of what is trained; default gpu")
    parser.add_argument("--frames", type=int, default=FRAMES, metavar="N", help=f"of a video; default {FRAMES}")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes that draw clips; default 2")
    parser.add_argument("--folder", type=Path, default=default_folder(), metavar="FOLDER")
    given = parser.parse_args(arguments)
    torch.set_float32_matmul_precision("high")  # TF32 on a GPU that has it

    def work() -> None:
        if given.frames < 2 * CONTEXT or min(given.seconds or [1]) <= 0 or not (given.kept or given.seconds):
            raise UserError(f"give --kept or --seconds above 0, and --frames of at least {2 * CONTEXT}")
        for slug in given.only or reproductions.names() if given.kept else ():
            counted = given.folder / PRESETS / f"{slug}.json"
            if not counted.is_file():
                presets(slug, counted)
        for name, made in list(_work(given)):
            if (given.folder / f"{name}.json").is_file():
                continue
            given.folder.mkdir(parents=True, exist_ok=True)
            began = time.monotonic()
            model, took = made()
            operations = float(np.dot(step_operations(model), took["steps_per_stage"]))
            found = measure(model, given.frames, given.folder / f"{name}.npz")
            record = {"name": name, "operations": operations, "torch": torch.__version__, **took, **found}
            write_atomically(given.folder / f"{name}.json", json.dumps(record, indent=1) + "\n")
            spent = time.monotonic() - began
            print(f"{name}: {took['steps']:,} steps in {took['seconds']:.0f} s, all in {spent:.0f} s", flush=True)

    return status_of(work, "more training", "the same command goes on with what is not done")


if __name__ == "__main__":
    sys.exit(main())
