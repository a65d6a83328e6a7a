"""NUWA-XL: Diffusion over Diffusion for eXtremely Long Video Generation, Yin et al., ACL 2023, arXiv 2303.12346.

The one idea. Apply one clip-making diffusion network to its own output. First it makes L key frames over the whole
time span; then, given every two neighbours, the frames between them; and so on, m levels deep. A video of
(L - 1)^m + 1 frames takes m runs one after the other, since all gaps of a level are filled at once.

Deviations (paper -> here, and why):
 1. L = 16, m = 3, 3376 frames of cartoons at 128x128 or 256x256 -> L = 5, m = 4, 257 frames of 16x16 shapes (1025
    with m = 5). A laptop can train it; so small a network can fill short gaps only.
 2. Latents of T-KLVAE, a pre-trained image autoencoder with temporal layers -> of an image autoencoder trained here
    (parts/autoencoder.py), 4x down, its vectors all of one length and noise added to them before decoding, in place of
    the KL term. The middle frames are masked in latents: a masked frame is zeros, not the latents of a black frame.
 3. Spatial layers from a pre-trained text-to-image model, new temporal layers that start as the identity, CLIP's text
    encoder -> all trained from nothing, captions too (parts/text.py). Nothing pre-trained is used here.
 4. DDPM, noise prediction -> a straight noise path, prediction of the clean clip (parts/diffusion.py), predicted
    vectors cut to the length that all have, times that lean towards noise, weight 1 / max(t, 0.6)^2. The ancestral
    steps are the paper's; there are 20 at the top, where everything is decided, and 3 at the last level, where most of
    the calls are.
 5. A 3D U-Net with spatial, caption and temporal attention in every block -> a transformer in which all places of all
    frames see each other (parts/mask_transformer.py), and the mean over a caption's words, injected as the mask is.
    Latents of 4x4 are not worth shrinking, and there the full form is as cheap.
 6. Whether all levels share their weights is left open, and the network is not told its level -> one network, whose
    temporal layers hear the true distances between frames, so that it knows the stride that it works at.
 7. No frame given at the top, both ends below -> at every stride also no frame, and the first alone: so trees of any
    depth up to m can be grown, and a video longer than a tree is a chain of them, each from the last frame of another.
 8. The levels one after the other -> by default each top-level gap is finished before the next, so that frames come
    early and memory does not grow with the video; schedule="levels" is the paper's order. Both give the same video.
 9. A caption for each frame of FlintstonesHD -> the caption of the shapes in every frame, left away in 3 clips of 10,
    so that the network also works without. Captions are followed with guidance 2, x_0 + 2 (x_p - x_0) for the guesses
    without and with; the paper does not say whether it has any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from kiloframe.errors import UserError
from kiloframe.words import refuse
from reproductions.contract import Batch, Condition, Presets, Reproduction, Stage
from reproductions.parts.autoencoder import LatentAutoencoder
from reproductions.parts.diffusion import ancestral, draw_times, loss_weight, noisy
from reproductions.parts.foreground import foreground_weight
from reproductions.parts.mask_transformer import MaskTransformer
from reproductions.worlds import captions
from reproductions.worlds.shapes import BACKGROUND, EVALUATION_SEEDS, Shapes

__all__ = ["METHOD", "SCHEDULES", "NuwaXL"]

SCHEDULES = ("depth-first", "levels")
_NONE, _FIRST, _ENDS = range(3)  # which frames of a clip are given


@dataclass(frozen=True)
class Config(Presets):
    """Sizes and training of a preset. `clip` is the paper's L, `depth` its m; `batch` counts videos of a tree's length.

    per_video: training clips that each video gives; levels: how often a clip is of each level, the global one first,
    and given: how often no frame, the first, or both ends are given (never both at the top), as relative weights;
    unsaid: how often the caption is left away; sampling_steps: of a call, per level; guidance: 1 for none. autoencoder:
    its widths, each level halves the side; latent: numbers per place; jitter: deviation 2; share: of the steps, for it.
    """

    side: int = 16
    autoencoder: tuple[int, ...] = (32, 64, 96)
    latent: int = 8
    jitter: float = 0.15
    share: float = 0.35
    channels: int = 128
    layers: int = 4
    heads: int = 4
    text_channels: int = 64
    caption_length: int = 14
    clip: int = 5
    depth: int = 4
    sampling_steps: tuple[int, ...] = (20, 16, 6, 3)
    guidance: float = 2.0
    per_video: int = 8
    levels: tuple[int, ...] = (3, 3, 7, 7)
    given: tuple[int, ...] = (1, 1, 6)
    unsaid: float = 0.3
    steps: int = 6900
    batch: int = 4
    learning_rate: float = 2e-3
    ema: float = 0.995

    @classmethod
    def smoke(cls) -> Self:
        """A few steps, for tests of training."""
        return cls(
            autoencoder=(8, 16, 16), channels=16, layers=1, heads=2, text_channels=8, depth=2, levels=(1, 1),
            sampling_steps=(3, 2), per_video=3, steps=6, batch=2,
        )  # fmt: skip

    @classmethod
    def gpu(cls) -> Self:
        """Hours on one GPU (the study `more_training`). L = 8, so that a tree of three levels has 344 frames."""
        return cls(
            side=32, autoencoder=(64, 128, 192), channels=256, layers=8, text_channels=128, clip=8, depth=3,
            levels=(1, 2, 2), sampling_steps=(50, 20, 10), steps=12_000, batch=8, learning_rate=1e-3,
        )  # fmt: skip

    @classmethod
    def paper(cls) -> Self:
        """The published L = 16, m = 3 and 128x128 pixels; widths, steps and batch are ours, the paper gives none."""
        return cls(
            side=128, autoencoder=(128, 256, 512, 512), latent=4, channels=1024, layers=24, heads=16,
            text_channels=768, caption_length=77, clip=16, depth=3, levels=(1, 1, 1), sampling_steps=(1000,) * 3,
            guidance=1.0, per_video=1, batch=32, learning_rate=1e-4, ema=0.9999,
        )  # fmt: skip

    def stride(self, below: int) -> int:
        """Frames between the frames of a clip, `below` levels above the last: (L - 1)^below."""
        return (self.clip - 1) ** below


class NuwaXL(Reproduction):
    """The model: one network that makes clips, applied over its own output."""

    slug = "nuwa_xl"
    world = "shapes"
    uses = ("captions", "context")
    Config = Config

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.autoencoder = LatentAutoencoder(config.autoencoder, config.latent)
        self.latent = (config.latent, *[config.side // self.autoencoder.factor] * 2)  # of a frame: (c, h, w)
        self.net = MaskTransformer(
            config.latent, self.latent[1] ** 2, config.channels, config.layers, config.heads, len(captions.WORDS),
            config.caption_length, config.text_channels,
        )  # fmt: skip

    # --- training -------------------------------------------------------------------------------------------------

    def stages(self) -> tuple[Stage, ...]:
        """The autoencoder of frames, then the network of all levels."""
        share = self.config.share
        return (
            Stage("autoencoder", (self.autoencoder,), self.reconstruction_loss, share, 3e-3, 4 * self.config.batch),
            Stage("mask temporal diffusion", (self.net,), self.loss, 1 - share),
        )

    def clips(self, rng: np.random.Generator, batch: int) -> Batch:
        """Whole videos, as long as a tree: (b, (L - 1)^m + 1, 3, side, side) in [0, 1], and a caption per frame."""
        frames = self.config.stride(self.config.depth) + 1
        seeds, starts = rng.integers(0, EVALUATION_SEEDS, batch), rng.integers(0, 4096, batch)
        made = Shapes(self.config.side).batch(seeds, starts, frames)
        words = captions.encode([str(c) for c in made.truth.captions()], self.config.caption_length)
        return Batch(torch.from_numpy(made.video), torch.from_numpy(words)[:, None].expand(-1, frames, -1))

    def reconstruction_loss(self, clip: Tensor | Batch, step: int) -> dict[str, Tensor]:
        """|| x - D(E(x) + noise) ||^2 of two frames of each video; shapes weigh ten times more than ground."""
        video = Batch.of(clip).video
        index = np.random.default_rng([12, step]).integers(video.shape[1], size=(len(video), 2))
        x = video[np.arange(len(video))[:, None], index].flatten(0, 1)
        m = foreground_weight(x, 10, 0.05, BACKGROUND)
        return self.autoencoder.loss(x, self.config.jitter, torch.Generator().manual_seed(step), m)

    def loss(self, clip: Tensor | Batch, step: int) -> dict[str, Tensor]:
        """|| x_0 - x_hat(x_t, p, t, x0c, x0m) ||^2 / max(t, 0.6)^2 over all L frames (paper, sec. 3.2; deviation 4).

        Each video gives `per_video` clips, at the stride of a level: sparse over the whole video for the global one.
        """
        known = Batch.of(clip)
        rng, generator = np.random.default_rng([11, step]), torch.Generator().manual_seed(step)
        device = known.video.device
        owner, index, given = self.draw(len(known.video), known.video.shape[1], rng)
        with torch.no_grad():
            x_0 = self.autoencoder.encode(known.video[owner.to(device)[:, None], index.to(device)])  # (n, L, c, h, w)
        p = torch.zeros(*index.shape, self.config.caption_length, dtype=torch.int64, device=device)
        if known.captions is not None:
            said = torch.from_numpy(rng.random(len(owner)) >= self.config.unsaid)[:, None, None].to(device)
            p = known.captions[owner.to(device)[:, None], index.to(device)] * said
        x0m = given.to(device)[..., None, None, None].expand(-1, -1, 1, *x_0.shape[-2:])
        t = draw_times(len(x_0), generator).to(device)
        x_t = noisy(x_0, torch.randn(x_0.shape, generator=generator).to(device), t)
        x_hat = self.denoise(x_t, p, t, x0m * x_0, x0m, index.to(device))
        error = (x_hat - x_0).square().mean((1, 2, 3, 4))
        return {"loss": (loss_weight(t) * error).mean(), "error": error.mean().detach()}

    def draw(self, videos: int, frames: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Training clips: whose they are (n,), their frames (n, L), which are given (n, L) as 0 and 1.

        Where a video is too short for the stride of a level, the widest that fits is taken.
        """
        config, last = self.config, self.config.clip - 1
        owner = np.repeat(np.arange(videos), config.per_video)
        level = rng.choice(config.depth, len(owner), p=np.array(config.levels) / sum(config.levels))
        stride = np.array([config.stride(config.depth - 1 - k) for k in range(config.depth)])[level]
        stride = np.minimum(stride, (frames - 1) // last)
        start = rng.integers(0, frames - stride * last)
        weights = np.array(config.given, float)
        top = rng.choice(2, len(owner), p=weights[:2] / weights[:2].sum())
        kind = np.where(level == 0, top, rng.choice(3, len(owner), p=weights / weights.sum()))
        index = start[:, None] + stride[:, None] * np.arange(config.clip)
        given = np.zeros(index.shape, np.float32)
        given[:, 0], given[:, -1] = kind >= _FIRST, kind == _ENDS
        return torch.from_numpy(owner), torch.from_numpy(index), torch.from_numpy(given)

    def denoise(self, x_t: Tensor, p: Tensor, t: Tensor, x0c: Tensor, x0m: Tensor, index: Tensor) -> Tensor:
        """x_hat (n, L, c, h, w). All L frames of x_t are noise, the given ones too; what they show comes in by x0c.

        p: (n, L, k) word numbers, one caption per frame; x0c: zero where nothing is given; x0m: (n, L, 1, h, w), 1 on
        given frames; index: (n, L) true frame numbers, of which only distances count.
        """
        return self.net(x_t, index, t, x0c, x0m, p)

    # --- generation -----------------------------------------------------------------------------------------------

    def stream(
        self,
        frames: int,
        condition: Condition | None = None,
        *,
        seed: int = 0,
        batch: int = 1,
        schedule: str = "depth-first",
        depth: int | None = None,
        steps: int | None = None,
    ) -> Iterator[Tensor]:
        """Grow trees of (L - 1)^depth frames, one after the other; the context frames come first, unchanged.

        condition: captions that share the length, and context, of which the last frame is the first tree's first;
        schedule: "depth-first" or "levels" (a level of a tree at once; keeps a tree in memory); depth: default the
        preset's, less makes shorter trees; steps: in every call, default the preset's; batch: the context's, if any.
        Raises UserError for a bad length, batch, depth or number of steps, an unknown schedule or word, a context of
        the wrong shape or with values outside [0, 1], and a condition other than captions and context.
        """
        config = self.config
        depth = config.depth if depth is None else depth
        context, batch = self.asked(frames, condition, batch)
        if steps is not None and steps < 1:
            raise UserError(f"a call takes at least 1 step, not {steps}")
        if not 1 <= depth <= config.depth:
            raise UserError(f"the depth must be 1 to {config.depth}, the levels of the training, not {depth}")
        if schedule not in SCHEDULES:
            raise refuse(schedule, "schedule", SCHEDULES)
        said = ("",) if condition is None or condition.captions is None else condition.captions
        if not said:
            raise UserError("no caption was given; leave captions away, or give at least one")
        words = torch.from_numpy(captions.encode(said, config.caption_length))
        at_once = config.clip - 1 if schedule == "levels" else 1
        each = config.sampling_steps[-depth:] if steps is None else (steps,) * depth
        plan = _Plan(words, frames, seed, batch, depth, each, at_once)
        return self._run(plan, context)

    @torch.inference_mode()
    def _run(self, plan: _Plan, context: Tensor | None) -> Iterator[Tensor]:
        """Trees until there are enough frames, each from the last frame of what was there before."""
        made, tree, first = 0, 0, None
        if context is not None:
            made, first = context.shape[1], self.autoencoder.encode(context[:, -1:].to(self.net.place.device))
            yield context.float().cpu()
        while made < plan.frames:
            for part in self._grow(plan, first, max(made - 1, 0), tree):
                old = min(made, 1)  # the first frame of all parts but one was shown before
                video = self.autoencoder.decode(part).float().cpu()  # whole, so that its length changes no rounding
                yield video[:, old : plan.frames - made + old]
                made, first = min(made + part.shape[1] - old, plan.frames), part[:, -1:]
                if made == plan.frames:
                    return
            tree += 1

    def _grow(self, plan: _Plan, first: Tensor | None, start: int, tree: int) -> Iterator[Tensor]:
        """One tree: level 1 makes L key frames, (L - 1)^(m - 1) apart; level k fills all gaps of level k - 1.

        start: the tree's first frame. Yields (b, n, c, h, w) for each `at_once` top-level gaps, both ends included.
        """
        config, device = self.config, next(self.parameters()).device
        x0c = torch.zeros(plan.batch, 1, config.clip, *self.latent, device=device)
        given = [0.0] * config.clip
        if first is not None:
            x0c[:, 0, 0], given[0] = first[:, 0], 1.0
        keys = self._call(plan, x0c, given, start, config.stride(plan.depth - 1), (tree, 0, 0))[:, 0]
        keys = keys if first is None else torch.cat([first, keys[:, 1:]], 1)
        for gap in range(0, config.clip - 1, plan.at_once):
            v = keys[:, gap : gap + plan.at_once + 1]
            for level in range(1, plan.depth):
                v = self._fill(plan, v, start, level, gap, tree)
            yield v

    def _fill(self, plan: _Plan, v: Tensor, start: int, level: int, gap: int, tree: int) -> Tensor:
        """All gaps between neighbours of v (b, n + 1, c, h, w) at once, to (b, n (L - 1) + 1, c, h, w).

        Of every clip only the frames 1 to L - 2 are kept; the two given ones stay as they were made a level above.
        """
        last, stride = self.config.clip - 1, self.config.stride(plan.depth - 1 - level)
        before = gap * self.config.stride(level - 1)  # gaps of this level that lie before v in the tree
        x0c = torch.zeros(*v[:, 1:, None].shape[:2], last + 1, *v.shape[2:], device=v.device)
        x0c[:, :, 0], x0c[:, :, last] = v[:, :-1], v[:, 1:]
        given = [1.0, *[0.0] * (last - 1), 1.0]
        made = self._call(plan, x0c, given, start + before * stride * last, stride, (tree, level, before))
        joined = torch.cat([v[:, :-1, None], made[:, :, 1:last]], 2).flatten(1, 2)
        return torch.cat([joined, v[:, -1:]], 1)

    def _call(
        self, plan: _Plan, x0c: Tensor, given: list[float], start: int, stride: int, key: tuple[int, int, int]
    ) -> Tensor:
        """Diffusion(p, v0c): one run of the network for n neighbouring clips of each video, (b, n, L, c, h, w).

        start: the first frame of the first clip; key: tree, level and first gap, from which the noise follows.
        """
        b, n, clip = x0c.shape[:3]
        slots = stride * torch.arange(clip)
        frames = start + stride * (clip - 1) * torch.arange(n)[:, None] + slots  # (n, L)
        said = frames.clamp(max=plan.frames - 1) * len(plan.words) // plan.frames
        p = plan.words[said].expand(b, -1, -1, -1).flatten(0, 1).to(x0c.device)
        x0m = torch.tensor(given, device=x0c.device)[:, None, None, None].expand(b * n, -1, 1, *x0c.shape[-2:])
        tree, level, before = key
        shape = (plan.steps[level], *x0c[:, 0].shape)
        noise = torch.stack([_noise((plan.seed, tree, level, before + i), shape) for i in range(n)], 2)
        index, flat = slots.to(x0c.device).expand(b * n, -1), x0c.flatten(0, 1)

        def x_hat(x_t: Tensor, t: Tensor) -> Tensor:
            made = self.denoise(x_t, p, t, flat, x0m, index)
            if p.any() and self.config.guidance != 1:
                untold = self.denoise(x_t, 0 * p, t, flat, x0m, index)
                made = untold + self.config.guidance * (made - untold)
            return made / made.square().mean(-3, keepdim=True).sqrt().clamp(min=1)  # vectors of length sqrt(c) at most

        return ancestral(x_hat, noise.flatten(1, 2).to(x0c.device)).unflatten(0, (b, n))


@dataclass(frozen=True)
class _Plan:
    """What was asked for. words: (captions, k); steps: per level; at_once: top-level gaps filled together."""

    words: Tensor
    frames: int
    seed: int
    batch: int
    depth: int
    steps: tuple[int, ...]
    at_once: int


def _noise(key: tuple[int, ...], shape: tuple[int, ...]) -> Tensor:
    """Standard normal noise that follows from the key, so that it does not matter in which order clips are made."""
    number = np.random.default_rng([k % 2**63 for k in key]).integers(2**63)
    return torch.randn(shape, generator=torch.Generator().manual_seed(int(number)))


METHOD = NuwaXL
