"""What every reproduction answers, so that one test suite, one benchmark and one command serve all of them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from kiloframe.errors import UserError
from kiloframe.files import replacing

__all__ = ["Condition", "Reproduction", "Stage", "generate_to_file"]


@dataclasses.dataclass(frozen=True)
class Condition:
    """What a video is generated from; a method says which fields it uses and refuses the others.

    context: the first frames, (b, t, c, h, w) float32 in [0, 1]; captions: one text per frame or span;
    poses: (b, t, 4, 4); actions: (b, t) int; label: (b,) int.
    """

    context: Tensor | None = None
    captions: tuple[str, ...] | None = None
    poses: Tensor | None = None
    actions: Tensor | None = None
    label: Tensor | None = None


@dataclasses.dataclass(frozen=True)
class Stage:
    """One part of training. `loss(clip, step)` takes clips (b, t, c, h, w) in [0, 1] and returns named scalars; the
    one called "loss" is minimised. All randomness in it follows from `step`. `share` of the training budget.
    """

    name: str
    modules: tuple[nn.Module, ...]
    loss: Callable[[Tensor, int], dict[str, Tensor]]
    share: float = 1.0


class Reproduction(nn.Module):
    """Base of every method: builds from a config, trains by stages, streams frames, saves and loads itself."""

    slug: ClassVar[str]
    world: ClassVar[str]
    Config: ClassVar[Any]

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    def stages(self) -> tuple[Stage, ...]:
        """The training stages, in order."""
        raise TypeError(f"{type(self).__name__} must say how it is trained")

    def clips(self, rng: np.random.Generator, batch: int) -> Tensor:
        """A training batch (b, t, c, h, w), drawn with `rng` alone."""
        raise TypeError(f"{type(self).__name__} must say what it is trained on")

    def stream(
        self, frames: int, condition: Condition | None = None, *, seed: int = 0, batch: int = 1
    ) -> Iterator[Tensor]:
        """Chunks (b, t, c, h, w), float32 in [0, 1], in order, as soon as they are final."""
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
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
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
    prompt: str | None = None,
    variant: str | None = None,
    progress: bool = True,
    **options: Any,
) -> Path:
    """Stream `frames` frames of a method's toy weights into a video file (.mp4, .webm, .gif, .webp).

    The same seed gives the same file content. Nothing is left at `out` if it is interrupted.
    Raises UserError for an unknown method, missing weights, a prompt the method cannot use, or an unwritable file.
    """
    import reproductions
    from reproductions.video import VideoWriter

    if frames < 1:
        raise UserError(f"--frames must be at least 1, not {frames}")
    model = reproductions.load(slug, variant)
    if prompt is not None and "text" not in getattr(model, "controls", ()):
        raise UserError(f"{slug} takes no prompt; leave --prompt away")
    condition = Condition(captions=(prompt,)) if prompt is not None else None
    bar = _bar(frames) if progress else None
    with VideoWriter(out, fps=10, scale_up=8) as writer, torch.inference_mode():
        for chunk in model.stream(frames, condition, seed=seed, **options):
            writer.write(chunk[0].numpy())
            if bar is not None:
                bar.update(chunk.shape[1])
    if bar is not None:
        bar.close()
    return Path(out)


def _bar(frames: int) -> Any:
    from tqdm import tqdm

    return tqdm(total=frames, unit="frame", desc="generating")
