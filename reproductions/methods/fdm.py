"""Flexible Diffusion Modeling of Long Videos (FDM), Harvey et al., NeurIPS 2022, arXiv 2205.11495.

The one idea. A network that holds at most K frames learns to denoise ANY frames of a video given ANY others, each
frame known by its true index. Which frames are generated from which, in which order, is then decided at test time:
the same weights run as a sliding window, or plan sparse key frames first and fill the gaps.

Deviations (paper -> here, and why):
 1. 64x64 or 128x128 pixels, K = 20, N = 300 to 1000 frames, 550k or more steps on one A100 -> 16x16 digits, K = 8,
    N = 64, minutes on 2 CPU cores. A laptop can train it. Variants: the other worlds, with a smaller network.
 2. DDPM, noise prediction, linear schedule, 1000 steps -> a straight noise path, prediction of the clean frames,
    Euler steps (parts/diffusion.py), predictions cut to [-1, 1]; logit-normal times that lean towards noise instead
    of uniform ones, weight 1 / max(t, 0.6)^2. The paper's idea does not depend on the sampler; ten steps are enough.
 3. Convolutions never mix frames; only temporal attention does -> each frame also hears its two neighbours in the set
    through a temporal convolution, gated by their true distance (TrueTimeConv). Smooth motion is learnt sooner.
 4. Temporal attention, then spatial attention inside each frame, at feature sides 16 and 8 -> temporal attention at 8,
    full space-time attention at 4, both with the paper's relative encodings; one residual block per level and no
    middle block. At 4x4 the full form is as cheap. (Presets `gpu` and `paper` are full at their last level too.)
 5. Index sets only from the random-group sampler -> a quarter of them from it, the rest from the steps of the four
    schedules (so the toy budget is spent where it is used). Any subset can still be asked for.
 6. A group that no longer fits ends the draw, and free slots are padded with frames of another video behind an
    attention mask -> the last group is cut to fit, so that no slot is free and no mask is needed.
 7. 36 frames observed at test time -> 8, or none; the adaptive and optimised schedules are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from kiloframe.errors import UserError
from reproductions import worlds
from reproductions.contract import Condition, Presets, Reproduction, Stage
from reproductions.parts import schedules
from reproductions.parts.diffusion import draw_times, loss_weight, noisy, sample
from reproductions.parts.unet import SpaceTimeUNet
from reproductions.worlds.digits import EVALUATION_SEEDS, Digits

Edit = Callable[[int, Tensor], Tensor]

__all__ = ["FDM", "METHOD", "draw_group", "draw_indices"]


@dataclass(frozen=True)
class Config(Presets):
    """Sizes and training of a preset. `window` is the paper's K, `horizon` its N, `new` its g (frames per call)."""

    world: str = "digits"
    side: int = 16
    channels: tuple[int, ...] = (24, 48, 72)
    heads: int = 4
    attention_level: int = 1
    window: int = 8
    new: int = 4
    horizon: int = 64
    prefix: int = 8
    sampling_steps: int = 10
    steps: int = 2700
    batch: int = 16
    learning_rate: float = 2e-3
    ema: float = 0.995

    @classmethod
    def smoke(cls) -> Self:
        """A few steps, for tests of training."""
        return cls(
            channels=(8, 16, 16), heads=2, window=4, new=2, horizon=16, prefix=4, sampling_steps=2, steps=6, batch=2
        )

    @classmethod
    def gpu(cls) -> Self:
        """Hours on one GPU, as the study `more_training` measured."""
        return cls(side=32, channels=(64, 128, 192, 256), attention_level=2, window=16, new=8, steps=20000, batch=64)

    @classmethod
    def paper(cls) -> Self:
        """The published sizes at 64x64: 128 base channels, multipliers 1, 2, 3, 4, K = 20, GQN-Mazes' N = 300."""
        return cls(
            side=64, channels=(128, 256, 384, 512), attention_level=2, window=20, new=10, horizon=300, prefix=36,
            sampling_steps=1000, steps=950_000, batch=2, learning_rate=1e-4, ema=0.9999,
        )  # fmt: skip

    @classmethod
    def variants(cls) -> dict[str, dict[str, Any]]:
        """The same method, smaller, on the worlds of others: the yardstick that they are measured against."""
        small = {"channels": (16, 32, 48), "batch": 8, "steps": 1600}
        return {
            "shapes": {"world": "shapes", **small, "steps": 4500},
            "timelapse": {"world": "timelapse", "horizon": 32, **small, "steps": 1200},
            "rooms": {"world": "rooms", "horizon": 32, **small},
        }


def draw_group(limit: int, horizon: int, rng: np.random.Generator) -> list[int]:
    """One group of evenly spaced frame indices (official code, training index sampler).

    s ~ U{1..K};  spacing = (N / (s - 1))^u, u ~ U(0, 1): log-uniform between 1 and N / (s - 1);
    start ~ U(0, N - spacing (s - 1));  indices floor(start + i spacing), i < s.
    The code divides by s - 0.999, so that s = 1 is legal; here the spacing is then cut to (N - 1) / (s - 1), the
    widest at which both ends are frames of the video. Returns s rising indices.
    """
    s = int(rng.integers(1, limit + 1))
    spacing = (horizon / (s - 0.999)) ** rng.uniform() if s > 1 else 1.0
    spacing = min(spacing, (horizon - 1) / max(s - 1, 1))
    start = rng.uniform(0, horizon - spacing * (s - 1))
    return sorted({min(int(start + i * spacing), horizon - 1) for i in range(s)})


def draw_indices(window: int, horizon: int, rng: np.random.Generator) -> tuple[list[int], list[bool]]:
    """Disjoint observed and latent index sets O and L with |O| + |L| = K. Returns rising indices and `observed` flags.

    The first group is latent; every further group is observed or latent with probability 1/2, less what is taken.
    """
    chosen: dict[int, bool] = dict.fromkeys(draw_group(window, horizon, rng), False)
    while len(chosen) < window:
        observed = bool(rng.integers(2))
        fresh = [i for i in draw_group(window, horizon, rng) if i not in chosen]
        chosen |= dict.fromkeys(fresh[: window - len(chosen)], observed)
    indices = sorted(chosen)
    return indices, [chosen[i] for i in indices]


def schedule_steps(config: Config) -> list[tuple[list[int], list[bool]]]:
    """Every call that the four schedules make on one horizon, with and without a prefix, shifted to start at 0."""
    found = []
    for name in schedules.NAMES:
        for prefix in (0, config.prefix):
            for step in schedules.schedule(
                name, config.horizon, prefix, window=config.window, new=config.new, horizon=config.horizon
            ):
                both = sorted([*step.observed, *step.latent])
                if len(both) == config.window:
                    observed = set(step.observed)
                    found.append(([i - both[0] for i in both], [i in observed for i in both]))
    return found


class FDM(Reproduction):
    """The model: one network, any frames given any others."""

    slug = "fdm"
    world = "digits"
    uses = ("context",)
    orders = ("autoregressive", "hierarchy-2")
    Config = Config

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        # Per frame 4 channels in, obs * x_clean + (1 - obs) * x_t and the indicator obs; 3 channels out.
        self.net = SpaceTimeUNet(4, 3, config.side, config.channels, config.heads, config.attention_level)
        self._calls = schedule_steps(config)

    # --- training -------------------------------------------------------------------------------------------------

    def stages(self) -> tuple[Stage, ...]:
        """One stage: the conditional denoiser."""
        return (Stage("denoiser", (self.net,), self.loss),)

    def clips(self, rng: np.random.Generator, batch: int) -> Tensor:
        """Clips of the config's world, of `digits` half with the curtain; (b, horizon, 3, side, side) in [0, 1]."""
        seeds = rng.integers(0, EVALUATION_SEEDS, batch)
        starts = rng.integers(0, 4096, batch)
        if self.config.world != "digits":
            options = {"depth": False} if self.config.world == "rooms" else {}
            other = worlds.world(self.config.world, self.config.side, **options)
            return torch.from_numpy(other.batch(seeds, starts, self.config.horizon).video)
        half = batch // 2
        plain = Digits(self.config.side).batch(seeds[:half], starts[:half], self.config.horizon)
        hidden = Digits(self.config.side, memory=True).batch(seeds[half:], starts[half:], self.config.horizon)
        return torch.from_numpy(np.concatenate([plain.video, hidden.video]))

    def loss(self, clip: Tensor, step: int) -> dict[str, Tensor]:
        """E || lat * (x - x_hat(x_t, x_obs, idx, obs, t)) ||^2 / max(t, 0.6)^2, over latent entries (deviation 2)."""
        rng = np.random.default_rng([7, step])
        generator = torch.Generator().manual_seed(step)
        draws = [self._draw(rng) for _ in range(len(clip))]
        index = torch.tensor([indices for indices, _ in draws])
        obs = torch.tensor([flags for _, flags in draws]).float()[..., None, None, None].to(clip.device)
        x = 2 * clip[torch.arange(len(clip))[:, None], index] - 1
        index = index.to(clip.device)
        t = draw_times(len(x), generator).to(clip.device)
        x_t = noisy(x, torch.randn(x.shape, generator=generator).to(clip.device), t)
        error = (1 - obs) * (self.denoise(x_t, x, obs, index, t) - x).square()
        per_video = error.sum((1, 2, 3, 4)) / ((1 - obs).sum((1, 2, 3, 4)) * x[0, 0].numel())
        return {"loss": (loss_weight(t) * per_video).mean(), "error": per_video.mean().detach()}

    def _draw(self, rng: np.random.Generator) -> tuple[list[int], list[bool]]:
        if rng.uniform() < 0.25:
            return draw_indices(self.config.window, self.config.horizon, rng)
        return self._calls[int(rng.integers(len(self._calls)))]

    def denoise(self, x_t: Tensor, x_obs: Tensor, obs: Tensor, index: Tensor, t: Tensor) -> Tensor:
        """x_hat (b, t, 3, h, w) in [-1, 1]. Observed frames enter clean, with the same t; only obs tells them apart."""
        x = obs * x_obs + (1 - obs) * x_t
        indicator = obs.expand(-1, -1, 1, *x.shape[-2:])
        return self.net(torch.cat([x, indicator], 2), index, t)

    # --- generation -----------------------------------------------------------------------------------------------

    def stream(
        self,
        frames: int,
        condition: Condition | None = None,
        *,
        seed: int = 0,
        batch: int = 1,
        schedule: str = "autoregressive",
        steps: int | None = None,
        edit: Edit | None = None,
    ) -> Iterator[Tensor]:
        """Generate by any schedule of parts/schedules.py; the context frames come first, unchanged.

        schedule: "autoregressive" (keeps K frames in memory), "long-range", "hierarchy-2" or "mixed" (these keep the
        frames of one horizon); steps: Euler steps per call, default the preset's; batch: that of the context, if any;
        edit(i, x_i): changes frame i, (b, 3, h, w) in [-1, 1], as soon as it is made, before others are made from it.
        Raises UserError for a bad length, batch or number of steps, an unknown schedule, a context of the wrong shape
        or with values outside [0, 1], and a condition other than context.
        """
        config = self.config
        steps = config.sampling_steps if steps is None else steps
        if steps < 1:
            raise UserError(f"a call takes at least 1 step, not {steps}")
        context, batch = self.asked(frames, condition, batch)
        given = 0 if context is None else context.shape[1]
        planned = frames
        if schedule == "autoregressive":  # every call makes all its frames, so that a longer video starts with this one
            first = given or config.window
            planned = first + max(0, -(-(frames - first) // config.new)) * config.new
        plan = schedules.schedule(
            schedule, planned, given, window=config.window, new=config.new, horizon=config.horizon
        )
        return self._run(plan, frames, given, context, seed, batch, steps, edit)

    @torch.inference_mode()
    def _run(
        self,
        plan: Iterator[schedules.Step],
        frames: int,
        given: int,
        context: Tensor | None,
        seed: int,
        batch: int,
        steps: int,
        edit: Edit | None,
    ) -> Iterator[Tensor]:
        device = next(self.parameters()).device
        generator = torch.Generator().manual_seed(seed)
        done: dict[int, Tensor] = (
            {i: 2 * context[:, i].to(device) - 1 for i in range(given)} if context is not None else {}
        )
        for ready, forget, step in schedules.walk(plan, frames, given):
            if step is not None:
                made = self._call(step, done, batch, generator, steps, device)
                done |= made if edit is None else {i: edit(i, frame) for i, frame in made.items()}
            ready = [i for i in ready if i < frames]
            if ready:
                yield ((torch.stack([done[i] for i in ready], 1) + 1) / 2).clamp(0, 1).float().cpu()
            for i in forget:
                done.pop(i, None)

    def _call(
        self,
        step: schedules.Step,
        done: dict[int, Tensor],
        batch: int,
        generator: torch.Generator,
        steps: int,
        device: torch.device,
    ) -> dict[int, Tensor]:
        """Sample the frames x_L of one call, given x_O."""
        order = sorted([*step.observed, *step.latent])
        shape = (batch, len(order), 3, self.config.side, self.config.side)
        eps = torch.randn(shape, generator=generator).to(device)
        observed = set(step.observed)
        x_obs = torch.stack([done[i] if i in observed else eps[:, n] for n, i in enumerate(order)], 1)
        obs = (
            torch.tensor([float(i in observed) for i in order], device=device)
            .view(1, -1, 1, 1, 1)
            .expand(batch, -1, -1, -1, -1)
        )
        index = torch.tensor(order, device=device).expand(batch, -1)
        x = sample(lambda x_t, t: self.denoise(x_t, x_obs, obs, index, t).clamp(-1, 1), eps, steps)
        return {i: x[:, n] for n, i in enumerate(order) if i not in observed}


METHOD = FDM
