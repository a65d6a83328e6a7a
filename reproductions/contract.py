"""What every reproduction answers, so that one test suite, one benchmark and one command serve all of them."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from kiloframe.errors import UserError
from kiloframe.files import replacing
from kiloframe.stopping import Stop

__all__ = ["Batch", "Condition", "Presets", "Reproduction", "Stage", "generate_to_file"]


@dataclasses.dataclass(frozen=True)
class Condition:
    """What a video is generated from; a method says which fields it uses and refuses the others.

    context: the first frames, (b, t, c, h, w) float32 in [0, 1]; captions: one text, or several that share the video's
    length evenly and in order; poses: (b, t, 4, 4); actions: (b, t) int; label: (b,) int.
    """

    context: Tensor | None = None
    captions: tuple[str, ...] | None = None
    poses: Tensor | None = None
    actions: Tensor | None = None
    label: Tensor | None = None

    def caption_at(self, frame: int, frames: int) -> str | None:
        """The text of one frame of a video of N = `frames`: caption i of n rules frames i N / n to (i + 1) N / n."""
        return None if self.captions is None else self.captions[min(frame, frames - 1) * len(self.captions) // frames]


@dataclasses.dataclass(frozen=True)
class Batch:
    """Training clips with what is known of them.

    video: (b, t, c, h, w) float32 in [0, 1]; captions: one text per frame as word numbers, (b, t, l) int64, 0 where
    there is none; poses: camera to world, (b, t, 4, 4) float32.
    """

    video: Tensor
    captions: Tensor | None = None
    poses: Tensor | None = None

    @classmethod
    def of(cls, clip: Tensor | Batch) -> Batch:
        """Clips alone as a batch of which no more is known; a batch as it is."""
        return clip if isinstance(clip, Batch) else cls(clip)

    def to(self, device: str | torch.device) -> Batch:
        """The same on another device."""
        captions = None if self.captions is None else self.captions.to(device)
        return Batch(self.video.to(device), captions, None if self.poses is None else self.poses.to(device))


@dataclasses.dataclass(frozen=True)
class Stage:
    """One part of training. `loss(clip, step)` takes what `Reproduction.clips` draws and returns named scalars; the
    one called "loss" is minimised, by AdamW. All randomness in it follows from `step`.

    share: of the training steps; learning_rate and batch: in place of the config's; constant: leave the learning rate
    as it is after the warm-up, in place of half a cosine down to zero.
    """

    name: str
    modules: tuple[nn.Module, ...]
    loss: Callable[[Any, int], dict[str, Tensor]]
    share: float = 1.0
    learning_rate: float | None = None
    batch: int | None = None
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.01
    constant: bool = False


class Presets:
    """Base of every method's Config, a frozen dataclass that has at least steps, batch, learning_rate and ema.

    A Config also has the presets smoke (a few steps, for tests), gpu and paper (the published sizes).
    """

    @classmethod
    def toy(cls) -> Self:
        """The defaults of the fields: at most 20 minutes on 2 CPU cores, once."""
        return cls()

    @classmethod
    def variants(cls) -> dict[str, dict[str, Any]]:
        """The ablations by name, each as the fields that it changes."""
        return {}


class Reproduction(nn.Module):
    """Base of every method: builds from a config, trains by stages, streams frames, saves and loads itself.

    slug: the record it belongs to; world: its default world; uses: the fields of `Condition` that it reads; orders:
    where `stream` takes a `schedule`, those of its values that comparisons show.
    """

    slug: ClassVar[str]
    world: ClassVar[str]
    uses: ClassVar[tuple[str, ...]] = ()
    orders: ClassVar[tuple[str, ...]] = ()
    Config: ClassVar[Any]

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    def stages(self) -> tuple[Stage | tuple[Stage, ...], ...]:
        """The training stages, in order; those given as a pair (generator, discriminator) alternate, step by step."""
        raise TypeError(f"{type(self).__name__} must say how it is trained")

    def stage_groups(self) -> list[tuple[Stage, ...]]:
        """The same, each as the stages that alternate: mostly one alone."""
        return [(stage,) if isinstance(stage, Stage) else stage for stage in self.stages()]

    @classmethod
    def count(cls, config: Any) -> int:
        """How many parameters the model of a config has; built on the meta device, so that any size costs nothing."""
        with torch.device("meta"):
            return sum(p.numel() for p in cls(config).parameters())

    @classmethod
    def changes(cls, variant: str) -> dict[str, Any]:
        """The fields of the config that a variant changes. Raises UserError for one that the method does not have."""
        variants: dict[str, dict[str, Any]] = cls.Config.variants()
        if variant not in variants:
            raise UserError(f"{cls.slug} has no variant {variant!r}; there are: {', '.join(variants) or 'none'}")
        return variants[variant]

    def refuse_unused(self, condition: Condition | None) -> None:
        """Raise UserError for a field of the condition that the method does not use."""
        for field in dataclasses.fields(Condition):
            if field.name not in self.uses and condition is not None and getattr(condition, field.name) is not None:
                allowed = ", ".join(self.uses) or "no condition"
                raise UserError(f"{self.slug} cannot use {field.name}; it takes: {allowed}")

    def asked(
        self, frames: int, condition: Condition | None, batch: int, *, least: int = 1
    ) -> tuple[Tensor | None, int]:
        """The context that a stream begins with, if any, and how many videos it makes: the context's, else `batch`.

        least: frames that a context must have. Raises UserError for a length or batch below 1, a field of the condition
        that the method does not use, and a context that is not (b, t, 3, side, side) with least <= t <= frames or has
        values outside [0, 1].
        """
        if frames < 1:
            raise UserError(f"a video has at least 1 frame, not {frames}")
        if batch < 1:
            raise UserError(f"a batch has at least 1 video, not {batch}")
        self.refuse_unused(condition)
        context = None if condition is None else condition.context
        if context is None:
            return None, batch
        side, shape = self.config.side, tuple(context.shape)
        if len(shape) != 5 or shape[2:] != (3, side, side) or shape[0] < 1 or not least <= shape[1] <= frames:
            raise UserError(
                f"the context must have the shape (b, t, 3, {side}, {side}) with {least} <= t <= {frames}, not {shape}"
            )
        if not bool(((context >= 0) & (context <= 1)).all()):  # also false for NaN
            raise UserError("the context's values must lie in [0, 1]")
        return context, len(context)

    def clips(self, rng: np.random.Generator, batch: int) -> Tensor | Batch:
        """A training batch, drawn with `rng` alone: clips (b, t, c, h, w) in [0, 1], or with captions or poses."""
        raise TypeError(f"{type(self).__name__} must say what it is trained on")

    def stream(
        self, frames: int, condition: Condition | None = None, *, seed: int = 0, batch: int = 1
    ) -> Iterator[Tensor]:
        """Chunks (b, t, c, h, w), float32 in [0, 1], in order, as soon as they are final.

        Mistakes in the arguments are raised by this call, not by the first chunk.
        """
        raise TypeError(f"{type(self).__name__} must say how it generates")

    def generate(
        self, frames: int, condition: Condition | None = None, *, seed: int = 0, batch: int = 1, **options: Any
    ) -> Tensor:
        """The whole stream, (b, frames, c, h, w)."""
        return torch.cat(list(self.stream(frames, condition, seed=seed, batch=batch, **options)), 1)

    def save(self, path: str | Path) -> None:
        """Write weights (fp16) and config (in the metadata) as one safetensors file, atomically."""
        state = {name: value.detach().to(torch.float16).contiguous() for name, value in self.state_dict().items()}
        metadata = {"slug": self.slug, "config": json.dumps(dataclasses.asdict(self.config), sort_keys=True)}
        with replacing(path) as temporary:
            save_file(state, temporary, metadata)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The model in a file written by `save`, in fp32 and evaluation mode.

        Raises UserError for a file that is missing, damaged, of another method, or does not fit this code.
        """
        path = Path(path)
        again = f"train it again with: kiloframe train {cls.slug}"
        if not path.is_file():
            raise UserError(f"there are no weights at {path}; {again}")
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
                state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise UserError(f"the weight file {path} is damaged ({error}); {again}") from None
        if metadata.get("slug") != cls.slug:
            raise UserError(f"{path} holds weights of {metadata.get('slug')!r}, not of {cls.slug!r}; {again}")
        try:
            stored = {k: tuple(v) if isinstance(v, list) else v for k, v in json.loads(metadata["config"]).items()}
            model = cls(cls.Config(**stored))
            model.load_state_dict(state)
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"the weight file {path} does not fit this version of {cls.slug} ({reason}); {again}"
            ) from None
        return model.eval()


def generate_to_file(
    slug: str,
    frames: int,
    out: str | Path,
    *,
    seed: int = 0,
    prompts: Sequence[str] = (),
    variant: str | None = None,
    schedule: str | None = None,
    progress: bool = True,
) -> Path:
    """Stream `frames` frames of a method's toy weights into a video file (.mp4, .webm, .gif, .webp), 10 a second.

    prompts: what to show, for methods that take text; several share the length evenly, in order; variant: a name from
    the method's Config.variants(), whose weights are taken; schedule: the order of frames, for methods with several.
    The same seed gives the same file content. Nothing is left at `out` if it is interrupted (Ctrl-C, SIGTERM).
    Raises UserError for an unknown method, variant or schedule, missing weights, a prompt or schedule the method
    cannot use, a bad length, an unknown suffix or an unwritable place, each before anything is computed.
    """
    import reproductions
    from reproductions.video import VideoWriter

    if frames < 1:
        raise UserError(f"--frames must be at least 1, not {frames}")
    kind = reproductions.method(slug)
    if variant is not None:
        kind.changes(variant)
    if prompts and "captions" not in kind.uses:
        raise UserError(f"{kind.slug} takes no prompt; leave --prompt away")
    options: dict[str, Any] = {}
    if schedule is not None:
        if "schedule" not in inspect.signature(kind.stream).parameters:
            raise UserError(f"{kind.slug} has one order of frames only; leave --schedule away")
        options["schedule"] = schedule
    writer = VideoWriter(out, fps=10, scale_up=8)
    model = reproductions.load(slug, variant)
    condition = Condition(captions=tuple(prompts)) if prompts else None
    chunks = model.stream(frames, condition, seed=seed, **options)
    with torch.inference_mode(), Stop() as stop, writer, _bar(frames, progress) as bar:
        for chunk in chunks:
            stop.check()
            writer.write(chunk[0].numpy())
            bar.update(chunk.shape[1])
    return Path(out)


def _bar(frames: int, progress: bool) -> Any:
    from tqdm import tqdm

    return tqdm(total=frames, unit="frame", desc="generating", disable=not progress)
