"""One training loop for all reproductions: stages in order, moving average of the weights, checkpoints, resuming.

Step k of stage s depends on (seed, s, k) and the state alone, so a run that was killed and resumed ends with the
same weights as one that was not. A checkpoint is written every minute, on Ctrl-C and on SIGTERM, always between steps.

In the background, for as long as it takes, through logouts and interruptions:

    nohup kiloframe train fdm > train.log 2>&1 &
    tail -f train.log           # steps, loss, time left
    kill %1                     # stops after the step at hand
    kiloframe train fdm         # the same command takes the run up again
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import shlex
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import reproductions
from kiloframe.errors import UserError
from kiloframe.files import write_atomically
from kiloframe.stopping import Stop
from reproductions.contract import Batch, Reproduction, Stage
from reproductions.footage import Footage
from reproductions.loaders.source import ClipSource, SourceRecord

__all__ = [
    "PRESETS", "TrainingReport", "default_out", "learning_rate", "stage_steps", "step_seconds", "train",
]  # fmt: skip

PRESETS = ("smoke", "toy", "gpu")
WARM_UP = 100
CHECKPOINT_SECONDS = 60

_Clips = Callable[[np.random.Generator, int], Any]


@dataclasses.dataclass(frozen=True)
class TrainingReport:
    """How weights came to be; kept beside them as JSON. `loss` holds [step, loss] pairs, averaged over 20 steps.

    source: the real video they were trained on, None for the method's world; read: how much of it was usable, and why
    the rest was skipped, in one sentence.
    """

    slug: str
    variant: str | None
    preset: str
    seed: int
    steps: int
    batch: int
    parameters: int
    seconds: float
    command: str
    machine: str
    torch: str
    loss: list[tuple[int, float]]
    weights: str
    source: SourceRecord | None = None
    read: str | None = None


def learning_rate(step: int, steps: int, peak: float, constant: bool = False) -> float:
    """Linear warm-up over 100 steps (or a tenth of the run), then half a cosine down to zero, or nothing more."""
    warm = min(WARM_UP, max(1, steps // 10))
    if step < warm:
        return peak * (step + 1) / warm
    if constant:
        return peak
    return peak * 0.5 * (1 + float(np.cos(np.pi * (step - warm) / max(1, steps - warm))))


def train(
    slug: str | type[Reproduction],
    *,
    preset: str = "toy",
    variant: str | None = None,
    changes: Mapping[str, Any] | None = None,
    seed: int = 0,
    steps: int | None = None,
    restart: bool = False,
    out: str | Path | None = None,
    progress: bool = True,
    source: ClipSource | None = None,
    device: str | None = None,
) -> TrainingReport:
    """Train a method and write its weights; continues an interrupted run unless `restart`.

    slug: a method's, or the class itself of what is trained here without being one (the world network);
    preset: "smoke", "toy" or "gpu"; variant: a name from the method's Config.variants(), an ablation; changes: further
    fields of the config, for experiments, which also name `out`; steps: instead of the preset's; out: weight file,
    default weights/<slug>[-<variant>].safetensors for toy, else below build/train/; source: real video to draw clips
    from in place of the method's world, as long and as large as the world's. What is trained on it goes below
    build/train/ by default, and never into weights/; device: "cpu" or "cuda", None for CUDA where there is one and the
    preset is gpu.
    The report with the loss curve is written beside the weights as JSON. Ctrl-C and SIGTERM raise KeyboardInterrupt
    after a checkpoint; a second one does not wait for the step at hand.
    Raises UserError for an unknown method, preset or variant, a checkpoint that is damaged or of a run with other
    settings, a source that cannot be read or is too short, CUDA where there is none, and when the loss stops being a
    number.
    """
    if preset not in PRESETS:
        raise UserError(f"there is no preset {preset!r}; allowed: {', '.join(PRESETS)}")
    if steps is not None and steps < 1:
        raise UserError(f"--steps must be at least 1, not {steps}")
    if changes and out is None:
        raise UserError("weights of a changed config belong to no preset; name a place for them with `out`")
    model, config = _new(slug, preset, variant, changes or {}, seed)
    slug = model.slug
    if device is None:
        device = "cuda" if preset == "gpu" and torch.cuda.is_available() else "cpu"
    _usable(device)
    model.to(device)

    clips: _Clips = model.clips
    drawn_from: SourceRecord | None = None
    told: Callable[[], str] | None = None
    if source is not None:
        clips, drawn_from, told = _real_clips(model, source)
        if out is not None and Path(out).resolve().parent == reproductions.weights_path(slug).parent:
            raise UserError(f"{Path(out).parent} keeps what is trained on the worlds; name another place for {out}")
    folder = _folder(slug, variant, preset, seed, drawn_from) if out is None else _folder_beside(Path(out))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder.parent} cannot be written ({error.strerror}); name another place") from None
    target = Path(out) if out is not None else default_out(slug, variant, preset, seed, drawn_from)
    total = steps if steps is not None else config.steps
    decides: list[Any] = [slug, preset, variant, seed, total, dataclasses.asdict(config)]
    decides += [dataclasses.asdict(drawn_from)] if drawn_from is not None else []
    run = _Run(model, clips, folder, total, seed, device, json.dumps(decides))
    if restart:
        run.file.unlink(missing_ok=True)
    run.resume()
    with Stop() as run.stop:
        _all_stages(run, config, progress)
    model.load_state_dict(run.average)
    model.save(target)
    on = torch.cuda.get_device_name() if device == "cuda" else device
    report = TrainingReport(
        slug=slug, variant=variant, preset=preset, seed=seed, steps=total, batch=config.batch,
        parameters=sum(p.numel() for p in model.parameters()), seconds=round(run.seconds, 1),
        command=_command(slug, preset, variant, seed, steps, out, source),
        machine=f"{platform.machine()}, {os.cpu_count()} CPU cores, {torch.get_num_threads()} threads, {on}",
        torch=torch.__version__, loss=_smooth(run.losses), weights=target.name, source=drawn_from,
        read=None if told is None else told(),
    )  # fmt: skip
    write_atomically(target.with_suffix(".json"), json.dumps(dataclasses.asdict(report), indent=1) + "\n")
    run.forget()
    return report


def _usable(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("torch finds no CUDA here; train on the CPU")


def _new(
    slug: str | type[Reproduction], preset: str, variant: str | None, changes: Mapping[str, Any], seed: int
) -> tuple[Reproduction, Any]:
    """An untrained model and its config. Initial weights come from the global generator, which is put back."""
    kind = reproductions.method(slug) if isinstance(slug, str) else slug
    fields = {**(kind.changes(variant) if variant is not None else {}), **changes}
    config = dataclasses.replace(getattr(kind.Config, preset)(), **fields)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return kind(config), config


def stage_steps(model: Reproduction, total: int) -> list[int]:
    """How many of `total` training steps each stage gets: its share, but at least one."""
    shares = [group[0].share for group in model.stage_groups()]
    return [max(1, round(total * share / sum(shares))) for share in shares]


def step_seconds(
    slug: str | type[Reproduction], *, preset: str = "toy", variant: str | None = None,
    changes: Mapping[str, Any] | None = None, warm_up: int = 3, steps: int = 20, device: str = "cpu",
) -> list[float]:  # fmt: skip
    """How long a training step of each stage takes here and now: the mean over `steps`, after a warm-up.

    Drawing the clips is counted, as it is in training. Nothing is kept. Raises UserError for CUDA where there is none.
    """
    from tqdm import tqdm

    _usable(device)
    model, config = _new(slug, preset, variant, changes or {}, 0)
    model.to(device)
    seconds, quiet = [], tqdm(disable=True)
    for number, group in enumerate(model.stage_groups()):
        run = _Run(model, model.clips, Path(), 0, 0, device, "")
        run.live = _optimizers(group)
        for until in (warm_up, warm_up + steps):
            began = time.monotonic()
            _one_stage(run, config, group, number, until, quiet)
        seconds.append((time.monotonic() - began) / steps)
    return seconds


def _real_clips(model: Reproduction, source: ClipSource) -> tuple[_Clips, SourceRecord, Callable[[], str]]:
    """Clips of real video as long and as large as the method's own; what is read; how much of it was usable so far.

    A first clip is drawn, so that mistakes show now.
    """
    example = Batch.of(model.clips(np.random.default_rng(0), 2))
    if example.poses is not None:
        raise UserError(f"{model.slug} needs the camera's pose in every frame; it takes no real video")
    _, frames, channels, height, width = example.video.shape
    if channels != 3 or height != width:
        raise UserError(f"{model.slug} is trained on something else than square colour frames; it takes no real video")
    opened = source.open(height)
    opened.clips(np.random.default_rng(0), 1, frames)

    def clips(rng: np.random.Generator, batch: int) -> Tensor:
        return torch.from_numpy(opened.clips(rng, batch, frames))

    return (
        clips,
        source.record(opened),
        lambda: opened.summary() if isinstance(opened, Footage) else str(opened.report()),
    )


def _folder(slug: str, variant: str | None, preset: str, seed: int, source: SourceRecord | None) -> Path:
    """Where a run keeps its checkpoint, and its weights when they are not kept weights: below build/train/."""
    name = f"{slug}{f'-{variant}' if variant else ''}-{preset}-seed{seed}{f'-{source.label}' if source else ''}"
    return reproductions.weights_path(slug).parent.parent / "build" / "train" / name


def _folder_beside(out: Path) -> Path:
    return out.parent / f".{out.name}.train"


def default_out(slug: str, variant: str | None, preset: str, seed: int, source: SourceRecord | None = None) -> Path:
    """Where weights go that are given no place: weights/ for what a world taught at toy scale, else build/train/."""
    if preset == "toy" and source is None:
        return reproductions.weights_path(slug, variant)
    return _folder(slug, variant, preset, seed, source) / f"{slug}.safetensors"


def _command(
    slug: str, preset: str, variant: str | None, seed: int, steps: int | None, out: str | Path | None,
    source: ClipSource | None,
) -> str:  # fmt: skip
    words = ["kiloframe", "train", slug, "--preset", preset, "--seed", str(seed)]
    words += ["--variant", variant] if variant else []
    words += ["--steps", str(steps)] if steps else []
    words += source.words() if source is not None else []
    words += ["--out", str(out)] if out is not None else []
    return shlex.join(words)


class _Run:
    """The state of one training run and its checkpoint file."""

    def __init__(
        self, model: Reproduction, clips: _Clips, folder: Path, total: int, seed: int, device: str, key: str
    ) -> None:
        self.model, self.clips, self.total, self.seed, self.device = model, clips, total, seed, device
        self.key = key  # all that decides what the run computes; a checkpoint of another key is not taken up
        self.stop = Stop()
        self.file = folder / "checkpoint.pt"
        self.stage, self.step, self.seconds = 0, 0, 0.0
        self.losses: list[float] = []
        self.average: dict[str, Tensor] = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.live: list[torch.optim.Optimizer] = []
        self.saved_optimizers: list[dict[str, Any]] = []

    def checkpoint(self) -> None:
        """Write the whole state to a temporary file, then rename it over the last one."""
        state = {
            "key": self.key,
            "stage": self.stage,
            "step": self.step,
            "seconds": self.seconds,
            "losses": self.losses,
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizers": [optimizer.state_dict() for optimizer in self.live],
        }
        temporary = self.file.with_suffix(".tmp")
        torch.save(state, temporary)
        os.replace(temporary, self.file)

    def resume(self) -> None:
        """Take up the last checkpoint, if there is one. Raises UserError for a damaged one and for another run's."""
        if not self.file.exists():
            return
        try:
            state = torch.load(self.file, weights_only=True, map_location=self.device)
            same = state["key"] == self.key
            if same:
                self.model.load_state_dict(state["model"])
                self.stage, self.step, self.seconds = state["stage"], state["step"], state["seconds"]
                self.losses, self.average = state["losses"], state["average"]
                self.saved_optimizers = state["optimizers"]
        except Exception as error:  # torch.load meets damage with many types
            raise UserError(
                f"the checkpoint {self.file} cannot be read ({type(error).__name__}); start over with --restart"
            ) from None
        if not same:
            raise UserError(
                f"the checkpoint {self.file} is of a run with other settings; finish it with its own command, "
                "or start over with --restart"
            )

    def forget(self) -> None:
        """Remove the checkpoint, and its folder when nothing else is in it."""
        self.file.unlink(missing_ok=True)
        self.file.with_suffix(".tmp").unlink(missing_ok=True)
        if self.file.parent.exists() and not any(self.file.parent.iterdir()):
            self.file.parent.rmdir()


def _all_stages(run: _Run, config: Any, progress: bool) -> None:
    from tqdm import tqdm

    planned = stage_steps(run.model, run.total)
    for number, (parts, steps) in enumerate(zip(run.model.stage_groups(), planned, strict=True)):
        if number < run.stage:
            continue
        run.live = _optimizers(parts)
        if run.saved_optimizers:
            for optimizer, state in zip(run.live, run.saved_optimizers, strict=True):
                optimizer.load_state_dict(state)
            run.saved_optimizers = []
        bar = tqdm(total=steps, initial=run.step, desc=f"{run.model.slug}: {parts[0].name}", disable=not progress)
        _one_stage(run, config, parts, number, steps, bar)
        bar.close()
        run.stage, run.step = number + 1, 0


def _one_stage(run: _Run, config: Any, parts: tuple[Stage, ...], number: int, steps: int, bar: Any) -> None:
    run.model.train()
    last_saved = started = time.monotonic()
    spent = run.seconds
    while run.step < steps:
        k = run.step
        clip = run.clips(np.random.default_rng([run.seed, number, k]), parts[0].batch or config.batch).to(run.device)
        for part, optimizer in zip(parts, run.live, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(k, steps, part.learning_rate or config.learning_rate, part.constant)
            losses = part.loss(clip, run.seed * 1_000_003 + k)
            if not torch.isfinite(losses["loss"]):
                raise UserError(f"the loss of stage {part.name!r} is not a number at step {k}; lower the learning rate")
            optimizer.zero_grad(set_to_none=True)
            losses["loss"].backward()
            nn.utils.clip_grad_norm_(_parameters(part.modules), 1.0)
            optimizer.step()
        run.losses.append(float(losses["loss"].detach()))
        _average(run, config.ema)
        run.step += 1
        run.seconds = spent + time.monotonic() - started
        bar.update(1)
        if k % 20 == 0:
            bar.set_postfix(loss=f"{np.mean(run.losses[-50:]):.4f}", refresh=False)
        if run.stop.asked or time.monotonic() - last_saved > CHECKPOINT_SECONDS:
            run.checkpoint()
            last_saved = time.monotonic()
        run.stop.check()


def _average(run: _Run, decay: float) -> None:
    """average <- d average + (1 - d) weights, with d rising to `decay` so that the start is forgotten soon."""
    d = min(decay, (1 + run.step) / (10 + run.step))
    with torch.no_grad():
        for name, value in run.model.state_dict().items():
            if value.is_floating_point():
                run.average[name].lerp_(value, 1 - d)
            else:
                run.average[name].copy_(value)


def _optimizers(parts: tuple[Stage, ...]) -> list[torch.optim.Optimizer]:
    return [
        torch.optim.AdamW(_parameters(part.modules), betas=part.betas, weight_decay=part.weight_decay) for part in parts
    ]


def _parameters(modules: Iterable[nn.Module]) -> list[nn.Parameter]:
    return [p for module in modules for p in module.parameters()]


def _smooth(losses: list[float], width: int = 20) -> list[tuple[int, float]]:
    return [
        (i + len(losses[i : i + width]), round(float(np.mean(losses[i : i + width])), 5))
        for i in range(0, len(losses), width)
    ]
