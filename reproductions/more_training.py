"""What more training buys: every method at three sizes of training, measured in one way.

python -m reproductions.more_training --kept               # the weights of the level field and the kept toy weights
python -m reproductions.more_training --seconds 60 --seconds 340   # trains the gpu preset, on a machine with a GPU

Everything that is done leaves one record with features and a strip of frames in build/more_training/, which
notebooks/more_training.py draws. The same commands go on with what is not done. Weights trained here are not kept.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
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
from reproductions import training
from reproductions.contest import clip_features, film_seeds, reference_clips
from reproductions.contract import Reproduction
from reproductions.level_field import field
from reproductions.level_field.measured import condition_of, field_world
from reproductions.level_field.trained import flops_of_training
from reproductions.measures import world_network
from reproductions.measures.exact import exact

__all__ = ["CONTEXT", "SEEDS", "VIDEOS", "default_folder", "drawn_ahead", "main", "measure", "steps_in"]

SEEDS = (0, 1, 2)
"""Of sampling."""
VIDEOS = 4
"""Per seed."""
CONTEXT = 8
"""Real frames that walks in `rooms` begin with, and that nothing is judged on."""
FRAMES = 128
_STRIP = 16  # frames kept to look at
_WARM_UP, _TIMED = 4, 30  # steps of each stage, before training
_REFERENCE = 256  # real clips that distances are taken from


def default_folder() -> Path:
    """build/more_training of the checkout."""
    return checkout() / "build" / "more_training"


# --- training -----------------------------------------------------------------------------------------------------


def _draw(kind: type[Reproduction], config: Any, entropy: list[int], batch: int) -> Any:
    with torch.device("meta"):  # the clips are wanted, not the weights
        model = kind(config)
    return model.clips(np.random.default_rng(entropy), batch)


@contextmanager
def drawn_ahead(kind: type[Reproduction], workers: int) -> Iterator[type[Reproduction]]:
    """The method with clips that other processes draw while the GPU works; they are the same clips, step by step.

    Training draws the clips of step k with a generator seeded by [seed, stage, k], so those of the next steps are
    known before they are asked for.
    """
    if workers < 1:
        yield kind
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        waiting: deque[tuple[list[int], int, Future[Any]]] = deque()

        def clips(self: Reproduction, rng: np.random.Generator, batch: int) -> Any:
            asked = list(rng.bit_generator.seed_seq.entropy)  # type: ignore[attr-defined]
            if not waiting or waiting[0][:2] != (asked, batch):  # another stage, or the first step
                for _, _, late in waiting:
                    late.cancel()
                waiting.clear()
            while len(waiting) <= 2 * workers:
                entropy = [*asked[:-1], asked[-1] + len(waiting)]
                waiting.append((entropy, batch, pool.submit(_draw, kind, self.config, entropy, batch)))
            return waiting.popleft()[2].result()

        yield type(kind.__name__, (kind,), {"clips": clips})
        pool.shutdown(wait=False, cancel_futures=True)


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
    try:
        if given.frames < 2 * CONTEXT or min(given.seconds or [1]) <= 0 or not (given.kept or given.seconds):
            raise UserError(f"give --kept or --seconds above 0, and --frames of at least {2 * CONTEXT}")
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
    except UserError as error:
        print(f"more training: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("more training: stopped; the same command goes on with what is not done", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
