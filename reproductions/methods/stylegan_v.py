"""StyleGAN-V: A Continuous Video Generator with the Price, Image Quality and Perks of StyleGAN2, Skorokhodov, Tulyakov
and Elhoseiny, CVPR 2022, arXiv 2112.14683.

The one idea. A frame is an image x_t = G(w, v_t): w is drawn once per video, and v_t is a code of the moment t, any
real number. v_t is made of noise at anchors and of waves between them, so it never repeats and is never fed back:
any frame can be made alone, at any frame rate, at any time. Training needs three frames of a video at a time.

Deviations (paper -> here, and why):
 1. 256x256, codes of 512 numbers, 25,000 thousand images on 4 GPUs -> 16x16 `timelapse`, codes of 32 to 64 numbers,
    58,000 images, minutes on one CPU core. A laptop can train it.
 2. The logistic loss, R1 on real clips -> a relativistic pairing loss (each fake beside the real clip of the same
    time differences), gradient penalties on real (R1) and fake (R2) clips, weight 0.5 each, on a third of the batch at
    every step (an unbiased estimate at a third of the price). It keeps its balance without ADA.
 3. p scales t itself -> p scales the time since the left anchor. An error of p would grow with t: at the end of an
    hour, 1 per cent of it is more than a day. At p = 1 and between anchors 0 and 1 both are the same.
 4. Periods of 16 to 1024 frames, d = 256 for skies -> 15 to 240, d = 240, one day of this world; fast waves are lower,
    g = sqrt(period / longest); W_p, W_q, A and the styles start small. With p = 1 and q = 0 the wave of a day would be
    a clock for ever. Toy training leaves that start: days and nights come, but not on time (measured in the notebook).
 5. The first frame is t = 0 -> a moment of the first d frames, drawn with the seed: real video begins at any hour.
 6. Equalised learning rates, filtered resampling, ADA, minibatch deviation -> He weights, bilinear resampling, neither
    of the last two: the world is endless, so nothing can be learnt by heart.
 7. Half of the discriminator's blocks see single frames -> one block does, then frames are concatenated at 8x8.
 8. Clips of 3 frames that span at most 32 -> at most 64, more than a quarter of a day, so that the clock is seen to go;
    drawn twice from each stretch of 65 frames, which is cheaper here and can be read from any real video.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from kiloframe.errors import UserError
from reproductions.contract import Batch, Condition, Presets, Reproduction, Stage
from reproductions.parts.motion import EndlessNoise, LSTMMotion, Noise, PlainTime, periods, sinusoids
from reproductions.parts.stylegan import Halve, Mapping, Synthesis, leaky
from reproductions.worlds.base import EVALUATION_SEEDS
from reproductions.worlds.timelapse import Timelapse

__all__ = ["METHOD", "Discriminator", "Film", "MotionCode", "StyleGANV", "draw_times"]

KERNEL = 11  # of both convolutions over the noise
EXTRA = 2 * (KERNEL - 1)  # noise vectors that they take away
HOUR = 36_000  # frames; training draws its moments from the first hour
CHUNK = 64  # frames rendered at once


@dataclass(frozen=True)
class Config(Presets):
    """Sizes and training of a preset. `clip`: the paper's k; `span`: frames between a clip's ends at most; `anchor`: d,
    in frames; `waves`: how many periods; `motion`: what makes v_t; `draws`: clips from each stretch of a batch."""

    side: int = 16
    channels: tuple[int, ...] = (64, 48, 32)
    style: int = 64
    noise: int = 32
    anchor: int = 240
    waves: int = 13
    periods: tuple[float, float] = (15.0, 240.0)
    motion: str = "acyclic"
    frame_channels: tuple[int, int] = (48, 48)
    clip_channels: tuple[int, int] = (80, 112)
    features: int = 80
    clip: int = 3
    span: int = 64
    penalty: float = 0.5
    draws: int = 2
    steps: int = 1200
    batch: int = 8
    learning_rate: float = 1e-3
    ema: float = 0.995

    @classmethod
    def smoke(cls) -> Self:
        """A few steps, for tests of training."""
        return cls(
            channels=(8, 8, 8), style=8, noise=4, anchor=16, waves=5, frame_channels=(4, 8), clip_channels=(8, 8),
            features=8, span=8, steps=6, batch=2,
        )  # fmt: skip

    @classmethod
    def gpu(cls) -> Self:
        """Hours on one GPU, as the study `more_training` measured."""
        return cls(
            side=32, channels=(256, 256, 128, 64), style=128, noise=128, waves=49, frame_channels=(64, 128),
            clip_channels=(192, 256), features=256, steps=20_000, batch=32,
        )  # fmt: skip

    @classmethod
    def paper(cls) -> Self:
        """256x256, the published codes of 512 numbers, batch 64; 25,000 thousand images in clips of 3."""
        return cls(
            side=256, channels=(512, 512, 512, 512, 256, 128, 64), style=512, noise=512, anchor=256, waves=256,
            periods=(16.0, 1024.0), frame_channels=(64, 128), clip_channels=(384, 512), features=512, span=32,
            steps=130_000, batch=64, draws=1, learning_rate=2e-3, ema=0.999,
        )  # fmt: skip

    @classmethod
    def variants(cls) -> dict[str, dict[str, Any]]:
        """lstm: the motion code is an LSTM, unrolled frame by frame; plain-time: bare sinusoids of t. Trained less."""
        return {"lstm": {"motion": "lstm", "steps": 250}, "plain-time": {"motion": "plain", "steps": 250}}


class MotionCode(nn.Module):
    """Noise at anchors, waves between them: v_t for any real t (official code, motion and layers)."""

    def __init__(self, noise: int, d: int, waves: int, between: tuple[float, float]) -> None:
        super().__init__()
        self.d, self.between, self.count = d, between, waves
        convs = [nn.Conv1d(noise, noise, KERNEL) for _ in range(2)]
        self.convs = nn.ModuleList(convs)
        # No bias in these three: with one, the model could ignore u and all videos would move alike.
        self.period = nn.Linear(noise, waves, bias=False)
        self.phase = nn.Linear(noise, waves, bias=False)
        self.aligner = nn.Linear(noise, 2 * waves, bias=False)
        for conv in convs:
            nn.init.normal_(conv.weight, std=1 / math.sqrt(noise * KERNEL))
        for small, size in ((self.period, 0.03), (self.phase, 0.1), (self.aligner, 0.1)):
            nn.init.normal_(small.weight, std=size / math.sqrt(noise))

    def anchors(self, z: Tensor) -> Tensor:
        """Noise (b, L + 20, c) to anchors u (b, L, c). Unpadded, so every anchor has the same statistics."""
        u = z.transpose(1, 2)
        for conv in self.convs:
            u = leaky(conv(u))
        return u.transpose(1, 2)

    def waves(self, t: Tensor, t_l: Tensor, u_l: Tensor) -> Tensor:
        """e(t) = [g sin(f tau + q s), g cos(f tau + q s)], tau = t_l + p (t - t_l), p = tanh(W_p u_l) + 1, q = W_q u_l.

        t, t_l: (b, k) float64; u_l: (b, k, c), always of the anchor on the left. Returns (b, k, 2 waves).
        """
        p, q = torch.tanh(self.period(u_l)) + 1, self.phase(u_l)
        period = periods(*self.between, self.count).to(t.device)
        f, s = 2 * math.pi / period, (self.between[1] / period).float()  # s_i = longest / period_i
        start = ((f * t_l[..., None]) % (2 * math.pi)).float()  # of late moments a float32 would lose the phase
        angle = start + (f * (t - t_l)[..., None]).float() * p + q * s
        return sinusoids(angle, period)

    def forward(self, t: Tensor, noise: Noise, state: Any = None) -> tuple[Tensor, Any]:
        """v_t = e(t) - [(1 - a) e(t_l) + a e(t_r)] + [(1 - a) A u_l + a A u_r].

        t: (b, k) float64 frames; noise: see parts/motion.py. Returns v (b, k, 2 waves); there is no state.
        """
        left = (t / self.d).floor().long()  # l
        first = left.min(1).values
        count = int((left - first[:, None]).max()) + 2
        u = self.anchors(noise(first, count + EXTRA))
        rows = torch.arange(len(t), device=t.device)[:, None]
        u_l, u_r = u[rows, left - first[:, None]], u[rows, left - first[:, None] + 1]
        t_l = (left * self.d).double()
        a = ((t - t_l) / self.d).float()[..., None]
        chord = (1 - a) * self.waves(t_l, t_l, u_l) + a * self.waves(t_l + self.d, t_l, u_l)
        return self.waves(t, t_l, u_l) - chord + (1 - a) * self.aligner(u_l) + a * self.aligner(u_r), None


class Discriminator(nn.Module):
    """One network for the k frames of a clip: each alone at first, then together; it is told how far apart they are."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        (a, b), (c, d), levels = config.frame_channels, config.clip_channels, int(math.log2(config.side // 4))
        self.clip, self.span = config.clip, config.span
        self.first, self.second = nn.Conv2d(12, a, 3, padding=1), nn.Conv2d(a, b, 3, padding=1)
        self.frame = nn.Sequential(*(Halve(b, b) for _ in range(levels - 2)))
        self.merge = nn.Conv2d(config.clip * b, c, 3, padding=1)
        self.together = Halve(c, d)
        n, wide = config.features, config.features // 2
        self.features, self.table = nn.Linear(16 * d, n), nn.Embedding(config.span + 1, wide)
        told = max(1, config.clip - 1) * (wide + 16)
        self.condition = nn.Sequential(nn.Linear(told, n), nn.LeakyReLU(0.2), nn.Linear(n, n))

    def forward(self, video: Tensor, t: Tensor) -> Tensor:
        """Logits <h, c> / sqrt(dim), (b,); video: (b, k, 3, n, n) in [-1, 1]; t: (b, k), whole numbers apart."""
        h = F.pixel_unshuffle(video.flatten(0, 1), 2)
        h = self.frame(leaky(self.second(leaky(self.first(h)))))
        h = leaky(self.merge(h.unflatten(0, video.shape[:2]).flatten(1, 2)))
        h = leaky(self.features(self.together(h).flatten(1)))
        delta = (t[:, 1:] - t[:, :-1]).round().long() if self.clip > 1 else t.long()[:, :1] * 0
        f = 2 * math.pi / periods(2.0, 2.0 * self.span, 8).to(t.device)
        angle = (f * delta[..., None]).float()
        c = torch.cat([self.table(delta), angle.sin(), angle.cos()], -1).flatten(1)
        return (h * self.condition(c)).sum(1) / math.sqrt(h.shape[1])


def draw_times(count: int, k: int, span: int, frames: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """k rising frame numbers of a stretch of `frames`, for each of `count` clips: (count, k) (official code, sampling).

    The time between the ends is a power of two from k - 1 to `span`; between them lie k - 2 frames at random.
    """
    widest = min(span, frames - 1)
    widths = [w for w in (1 << i for i in range(span.bit_length())) if k - 1 <= w <= widest] or [max(0, k - 1)]
    times: NDArray[np.int64] = np.zeros((count, k), np.int64)
    for row in times:
        width = int(rng.choice(widths)) if k > 1 else 0
        inner = 1 + rng.permutation(width - 1)[: k - 2] if k > 2 else ()
        row[:] = int(rng.integers(frames - width)) + np.sort([0, *inner, width][-k:])
    return times


class StyleGANV(Reproduction):
    """The model: content code, motion code, generator, discriminator."""

    slug = "stylegan_v"
    world = "timelapse"
    Config = Config

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        codes = 2 * config.waves
        self.motion: nn.Module = {
            "acyclic": lambda: MotionCode(config.noise, config.anchor, config.waves, config.periods),
            "lstm": lambda: LSTMMotion(config.noise, 2 * config.noise, codes),
            "plain": lambda: PlainTime(config.waves, config.periods),
        }[config.motion]()
        self.mapping = Mapping(config.style)
        self.synthesis = Synthesis(codes, config.channels, config.style)
        self.discriminator = Discriminator(config)

    def frames(self, w: Tensor, v: Tensor) -> Tensor:
        """x_t = G(w, v_t), of the input [const; v_t]: w (b, s), v (b, k, c); (b, k, 3, n, n), about [-1, 1]."""
        images: Tensor = self.synthesis(v.flatten(0, 1), w.repeat_interleave(v.shape[1], 0))
        return images.unflatten(0, v.shape[:2])

    # --- training -------------------------------------------------------------------------------------------------

    def stages(self) -> tuple[tuple[Stage, Stage], ...]:
        """One pair: generator and discriminator, step by step."""
        make, judge = (self.motion, self.mapping, self.synthesis), (self.discriminator,)
        adam: Any = {"betas": (0.0, 0.99), "weight_decay": 0.0, "constant": True}
        generator = Stage("generator", make, self.generator_loss, **adam)
        return ((generator, Stage("discriminator", judge, self.discriminator_loss, **adam)),)

    def clips(self, rng: np.random.Generator, batch: int) -> Tensor:
        """Stretches of `span` + 1 frames of the sky, (b, t, 3, n, n) in [0, 1]."""
        seeds, starts = rng.integers(0, EVALUATION_SEEDS, batch), rng.integers(0, 4096, batch)
        return torch.from_numpy(Timelapse(self.config.side).batch(seeds, starts, self.config.span + 1).video)

    def _real_and_fake(self, clip: Any, step: int, role: int) -> tuple[Tensor, Tensor, Tensor]:
        """Real clips, fake clips, their times: fakes at fractional moments, as far apart as the real ones."""
        config, rng = self.config, np.random.default_rng([11, role, step])
        video = 2 * Batch.of(clip).video.repeat_interleave(config.draws, 0) - 1
        count, device = len(video), video.device
        times = torch.from_numpy(draw_times(count, config.clip, config.span, video.shape[1], rng)).to(device)
        real = video[torch.arange(count, device=device)[:, None], times]
        far = config.span if config.motion == "lstm" else HOUR
        t = torch.from_numpy(rng.uniform(0, far, (count, 1))).to(device) + (times - times[:, :1]).double()
        generator = torch.Generator().manual_seed(2 * step + role)
        z = torch.randn(count, config.style, generator=generator).to(device)

        def noise(first: Tensor, many: int) -> Tensor:
            return torch.randn(count, many, config.noise, generator=generator).to(device)

        fake = self.frames(self.mapping(z), self.motion(t, noise)[0])
        return real, fake, times

    def generator_loss(self, clip: Any, step: int) -> dict[str, Tensor]:
        """softplus(-(D(fake) - D(real))), pair by pair (deviation 2)."""
        for p in self.discriminator.parameters():  # it only passes the gradient on
            p.requires_grad_(False)
        real, fake, times = self._real_and_fake(clip, step, 0)
        with torch.no_grad():
            beside = self.discriminator(real, times)
        loss = F.softplus(beside - self.discriminator(fake, times)).mean()
        for p in self.discriminator.parameters():
            p.requires_grad_(True)
        return {"loss": loss}

    def discriminator_loss(self, clip: Any, step: int) -> dict[str, Tensor]:
        """softplus(-(D(real) - D(fake))) + penalty (R1 + R2), R = E |grad_x D(x)|^2 / k, averaged over the k frames."""
        with torch.no_grad():
            real, fake, times = self._real_and_fake(clip, step, 1)
        both = self.discriminator(torch.cat([real, fake]), torch.cat([times, times]))
        gap = both[: len(real)] - both[len(real) :]
        some = slice(max(1, len(real) // 3))
        x = torch.cat([real[some], fake[some]]).requires_grad_()
        logits = self.discriminator(x, torch.cat([times[some], times[some]]))
        (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
        size = slope.square().sum((1, 2, 3, 4)) / x.shape[1]
        r1, r2 = size[: len(size) // 2].mean(), size[len(size) // 2 :].mean()
        loss = F.softplus(-gap).mean() + self.config.penalty * (r1 + r2)
        return {"loss": loss, "gap": gap.mean().detach(), "r1": r1.detach(), "r2": r2.detach()}

    # --- generation -----------------------------------------------------------------------------------------------

    def stream(
        self, frames: int, condition: Condition | None = None, *, seed: int = 0, batch: int = 1
    ) -> Iterator[Tensor]:
        """Frames 0, 1, 2, ... in chunks of 64; nothing of one chunk is needed for the next (but by the LSTM).

        Raises UserError for a bad length or batch, and for any condition.
        """
        self.asked(frames, condition, batch)
        return self._run(frames, seed, batch)

    @torch.inference_mode()
    def _run(self, frames: int, seed: int, batch: int) -> Iterator[Tensor]:
        video, state = Film(self, seed, batch), None
        for first in range(0, frames, CHUNK):  # whole chunks, so that a longer video starts with this one to the bit
            t = torch.arange(first, first + CHUNK, dtype=torch.float64).expand(batch, -1)
            images, state = video.at(t, state)
            yield images[:, : frames - first]

    @torch.inference_mode()
    def frames_at(self, times: Sequence[float], *, seed: int = 0, batch: int = 1) -> Tensor:
        """The frames of the same videos at any real times (k,) from 0, in frames: (b, k, 3, n, n) in [0, 1].

        Raises UserError for no times, and for one before 0 or not finite.
        """
        t = torch.as_tensor(times, dtype=torch.float64)
        if t.ndim != 1 or not len(t) or not bool((t >= 0).all()) or bool(torch.isinf(t).any()):
            raise UserError("the times of frames are a list of finite numbers from 0, at least one")
        video = Film(self, seed, batch)
        return torch.cat([video.at(part.expand(batch, -1))[0] for part in t.split(CHUNK)], 1)


class Film:
    """A batch of videos that follow from a seed: their w, the moment at which they start, their noise without end."""

    def __init__(self, model: StyleGANV, seed: int, batch: int) -> None:
        self.model, config, seed = model, model.config, seed % (1 << 63)
        rng = np.random.default_rng([seed, 0])
        self.device = next(model.parameters()).device
        z = torch.from_numpy(rng.standard_normal((batch, config.style), np.float32)).to(self.device)
        self.w = model.mapping(z)
        self.noise = EndlessNoise(seed, batch, config.noise, self.device)
        cycle = {"lstm": 0.0, "plain": config.periods[1]}.get(config.motion, float(config.anchor))
        self.start = torch.from_numpy(rng.uniform(0, 1, (batch, 1)) * cycle)

    def at(self, t: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """The frames at times (b, k) after the start, in [0, 1] on the CPU, and what an LSTM goes on from."""
        v, state = self.model.motion((t + self.start).to(self.device), self.noise, state)
        return ((self.model.frames(self.w, v) + 1) / 2).clamp(0, 1).float().cpu(), state


METHOD = StyleGANV
