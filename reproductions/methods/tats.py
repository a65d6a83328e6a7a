"""Long Video Generation with Time-Agnostic VQGAN and Time-Sensitive Transformer (TATS), Ge et al., ECCV 2022,
arXiv 2204.03638.

The one idea. A video that was turned into code numbers can be continued for ever by sliding a transformer over them,
but only if a number does not tell where in its clip it stood. Zeros around the clip do tell; so every convolution of
the tokenizer repeats the border instead. Then plan: draw every 4th slice of numbers first, fill all gaps at once.

Deviations (paper -> here, and why):
 1. 64x64 to 256x256 pixels, transformers of 24 layers and width 1024, days on 8 V100 -> 16x16 shapes, 3 or 4 layers,
    minutes on a CPU core.
 2. Slices of 4 frames, 8x down in space, 16384 codes of 256 numbers, found by moving averages -> slices of ONE frame,
    4x down, 256 codes of 8 numbers and length 1, found by gradients, dead ones revived (parts/quantise.py). Minutes of
    training do not teach so few codes how shapes move within a slice. A window of 8 slices has 8 frames here, 16 there.
 3. L1, perceptual, adversarial and feature-matching losses -> squared error alone, 10:1 towards the foreground: small
    shapes need no discriminator to be sharp. Plain blocks all have one code. A third of the steps goes without codes,
    so that these lie where vectors are; in the last third dead ones stay dead, and all settle.
 4. Stride-2 and transposed 3D convolutions, synchronised batch norm -> 2D ones while there are more places than codes,
    then 3x3x3 ones (parts/video_vq.py): cheaper. No norm looks along time, so the decoder can stream.
 5. The whole video decoded in one pass -> slice by slice, each with all that the convolutions can hear of: the same
    frames, in memory that does not grow.
 6. Interpolation loss over all five slices (released code), of which two are given -> over the three in the middle.
 7. Transformers of one size, a vector per place -> two smaller ones; a vector of the slice plus one of the place in it.
 8. Class, text and audio prompts -> none: a caption would tell the colours, which are to be kept without it.
 9. Top-p 0.8 -> 0.97 in the first slice, then 0.9, between slices 0.8: shapes are rarely among the likeliest 80 %.
The context of a slice is what the text says, the t - 1 slices before it (the released script keeps 1 by default).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from typing import Any, Self, cast

import numpy as np
import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

import reproductions
from kiloframe.errors import UserError
from reproductions.contract import Batch, Condition, Presets, Reproduction, Stage
from reproductions.parts.foreground import foreground_weight
from reproductions.parts.token_prior import TokenPrior, interpolation_mask
from reproductions.parts.transformer import Cache, draw_token
from reproductions.parts.video_vq import FAINT, Padding, VideoVQ
from reproductions.worlds.base import EVALUATION_SEEDS
from reproductions.worlds.shapes import Shapes

__all__ = ["METHOD", "SCHEDULES", "TATS", "interpolation_mask"]

SCHEDULES = ("hierarchical", "sliding")
_PARTS = ("tokenizer", "base", "sparse", "interpolation")


@dataclass(frozen=True)
class Config(Presets):
    """Sizes and training of a preset. In slices: `window` of TATS-base, `sparse_window` of the transformer that draws
    every `every`-th of them; `gaps` are filled at once; `shares` are those of the `parts` in the steps."""

    side: int = 16
    per_slice: int = 1  # frames
    widths: tuple[int, ...] = (48, 64)  # of the convolutions of pixels; each halves the sides
    channels: int = 96
    depth: tuple[int, int] = (4, 2)  # of 3x3x3 convolutions, of encoder and decoder
    codes: int = 256
    code_channels: int = 8
    padding: Padding = "replicate"
    window: int = 8
    width: int = 112
    layers: int = 4
    heads: int = 4
    every: int = 4
    sparse_window: int = 6
    sparse_width: int = 96
    sparse_layers: int = 3
    gap_width: int = 72
    gap_layers: int = 3
    leak: bool = False
    gaps: int = 16
    top_k: int = 128
    first_top_p: float = 0.97  # of the first slice, which is drawn from nothing
    top_p: float = 0.9
    gap_top_p: float = 0.8
    parts: tuple[str, ...] = _PARTS
    shares: tuple[float, ...] = (30, 24, 12, 8)
    steps: int = 7400
    batch: int = 8
    tokenizer_batch: int = 8
    learning_rate: float = 2e-3
    tokenizer_rate: float = 2e-3
    ema: float = 0.995

    @classmethod
    def smoke(cls) -> Self:
        """A few steps, for tests of training."""
        return cls(
            per_slice=2, widths=(8, 8), channels=8, depth=(1, 1), codes=16, code_channels=4, window=2, width=16,
            layers=1, heads=2, sparse_window=2, sparse_width=16, sparse_layers=1, gap_width=16, gap_layers=1, gaps=1,
            steps=8, batch=2, tokenizer_batch=2,
        )  # fmt: skip

    @classmethod
    def gpu(cls) -> Self:
        """Hours on one GPU, as the study `more_training` measured."""
        return cls(
            side=32, per_slice=4, widths=(64, 128, 192), channels=256, depth=(4, 4), codes=2048, code_channels=16,
            window=4, width=384, layers=8, heads=8, sparse_window=4, sparse_width=384, sparse_layers=8, gap_width=384,
            gap_layers=8, top_k=256, steps=30_000, batch=16, tokenizer_batch=16,
        )  # fmt: skip

    @classmethod
    def paper(cls) -> Self:
        """The published sizes at 128x128; the tokenizer's channels and depth are not in the fact file."""
        return cls(
            side=128, per_slice=4, widths=(128, 256, 512), channels=512, depth=(4, 4), codes=16384, code_channels=256,
            window=4, width=1024, layers=24, heads=16, sparse_window=4, sparse_width=1024, sparse_layers=24,
            gap_width=1024, gap_layers=24, top_k=2048, shares=(30, 500, 500, 30), steps=1_060_000, batch=8,
            learning_rate=1e-4, tokenizer_rate=1e-4, ema=0.9999,
        )  # fmt: skip

    @classmethod
    def variants(cls) -> dict[str, dict[str, Any]]:
        """Ablations: another tokenizer alone, and another interpolation on the kept tokenizer's codes."""
        c = cls.toy()

        def only(part: str) -> dict[str, Any]:
            share = c.shares[c.parts.index(part)]
            return {"parts": (part,), "shares": (share,), "steps": round(c.steps * share / sum(c.shares))}

        return {
            "zero-padding": {"padding": "zeros"} | only("tokenizer"),
            "leaky-mask": {"leak": True} | only("interpolation"),
        }


class TATS(Reproduction):
    """The model: a tokenizer and three transformers over its code numbers."""

    slug = "tats"
    world = "shapes"
    orders = ("sliding", "hierarchical")
    Config = Config

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        c = config
        codec = VideoVQ(c.widths, c.per_slice, c.channels, c.codes, c.code_channels, c.depth, c.padding)
        self.per_slice, self.reach = codec.per_slice, codec.reach
        self.tokens = n = (c.side // codec.down) ** 2  # h w, the numbers of a slice
        if "tokenizer" in c.parts:
            self.tokenizer = codec
        if "base" in c.parts:
            self.base = TokenPrior(c.codes, c.window * n, n, c.width, c.layers, c.heads)
        if "sparse" in c.parts:
            self.sparse = TokenPrior(c.codes, c.sparse_window * n, n, c.sparse_width, c.sparse_layers, c.heads)
        if "interpolation" in c.parts:
            self.interpolation = TokenPrior(c.codes, 1 + (c.every + 1) * n, n, c.gap_width, c.gap_layers, c.heads)
        self._lender: list[TATS] = []  # in a list, so that what is borrowed is neither trained nor saved

    def part(self, name: str) -> Any:
        """The tokenizer, or the prior "base", "sparse" or "interpolation".

        Weights without a tokenizer of their own (variant leaky-mask) belong to the kept one, and borrow what they lack
        from the kept weights. Raises UserError for a part that is not there.
        """
        if name in self.config.parts:
            return getattr(self, name)
        if "tokenizer" in self.config.parts:
            raise UserError(f"these weights have no part {name!r}; they have: {', '.join(self.config.parts)}")
        if not self._lender:
            kept = cast(TATS, reproductions.load(self.slug))
            same = ("side", "per_slice", "widths", "codes", "code_channels", "every")
            if any(getattr(kept.config, field) != getattr(self.config, field) for field in same):
                raise UserError(f"a {self.slug} without a tokenizer needs the kept one, which has other sizes")
            self._lender.append(kept)
        return self._lender[0].part(name).to(next(self.parameters()).device)

    # --- training -------------------------------------------------------------------------------------------------

    @property
    def _length(self) -> int:
        """Frames of a clip: two windows of TATS-base, or all slices among which the sparse ones lie."""
        return self.per_slice * max(2 * self.config.window, self.config.every * self.config.sparse_window)

    def stages(self) -> tuple[Stage, ...]:
        """The tokenizer (deviation 4), then the transformers over its codes, one after the other."""
        c = self.config
        found = []
        for name, share in zip(c.parts, c.shares, strict=True):
            own, loss = (getattr(self, name),), getattr(self, f"{name}_loss")
            if name == "tokenizer":
                same = {"share": share / 3, "learning_rate": c.tokenizer_rate, "batch": c.tokenizer_batch}
                free, snapped = partial(loss, snap=False, revive=True), partial(loss, revive=True)
                found += [Stage(f"{name} without codes", own, free, constant=True, **same)]
                found += [
                    Stage(name, own, snapped, constant=True, **same),
                    Stage(f"{name}, settling", own, loss, **same),
                ]
            else:
                found.append(Stage(name, own, loss, share))
        return tuple(found)

    def clips(self, rng: np.random.Generator, batch: int) -> Tensor:
        """A shape that bounces; (b, t, 3, side, side) in [0, 1], a slice less a frame longer than is looked at."""
        seeds, starts = rng.integers(0, EVALUATION_SEEDS, batch), rng.integers(0, 4096, batch)
        clip = Shapes(self.config.side).batch(seeds, starts, self._length + 2 * self.per_slice - 1)
        return torch.from_numpy(clip.video)

    def _cut(self, clip: Tensor | Batch, step: int, slices: int, pieces: int = 1) -> Tensor:
        """Each clip from a frame drawn for this step on, in pieces of `slices`: (b pieces, t, 3, h, w)."""
        video, length = Batch.of(clip).video, pieces * slices * self.per_slice
        generator = torch.Generator().manual_seed(step)
        start = torch.randint(video.shape[1] - length + 1, (len(video), 1), generator=generator)
        at = (start + torch.arange(length)).to(video.device)
        video = video[torch.arange(len(video), device=video.device)[:, None], at]
        return rearrange(video, "b (n t) c h w -> (b n) t c h w", n=pieces)

    @torch.no_grad()
    def encode(self, video: Tensor) -> Tensor:
        """The code numbers of a video (b, t, 3, h, w), t a multiple of `per_slice`: (b, slices, tokens) int64."""
        return self.part("tokenizer").encode(video).flatten(2)

    def tokenizer_loss(self, clip: Any, step: int, *, snap: bool = True, revive: bool = False) -> dict[str, Tensor]:
        """20 sum w (x_hat - x)^2 / sum w + L_VQ, w = 10 on the foreground, else 1 (deviation 3; see `VideoVQ`)."""
        x = self._cut(clip, step, self.config.window)
        x_hat, loss_vq = self.tokenizer(x, snap=snap, revive=torch.Generator().manual_seed(step) if revive else None)
        w = foreground_weight(x, 10, FAINT)
        error = (w * (x_hat - x).square()).mean() / w.mean()
        return {"loss": 20 * error + loss_vq, "error": error.detach()}

    def base_loss(self, clip: Tensor | Batch, step: int) -> dict[str, Tensor]:
        """-sum_i log p(z_i | z_<i, c), mean over i (section 2.3), of clips that were encoded by themselves, as in the
        paper: what the border does to a code is in the training set."""
        return {"loss": self.base.loss(self.encode(self._cut(clip, step, self.config.window, 2)).flatten(1))}

    def sparse_loss(self, clip: Tensor | Batch, step: int) -> dict[str, Tensor]:
        """The same over every 4th slice of a longer clip, from all four beginnings."""
        c = self.config
        z = self.encode(self._cut(clip, step, c.every * c.sparse_window))
        return {"loss": self.sparse.loss(rearrange(z, "b (s e) n -> (b e) (s n)", e=c.every))}

    def interpolation_loss(self, clip: Tensor | Batch, step: int) -> dict[str, Tensor]:
        """-sum_i log p(z_i | z_<i, A, B, c) over the middle slices, mean over i (section 2.3, deviation 6)."""
        e = self.config.every
        gaps = (self._length // self.per_slice - 1) // e  # of one clip; each ends where the next begins
        z = self.encode(self._cut(clip, step, gaps * e + 1)).unfold(1, e + 1, e)
        z = z.transpose(2, 3).flatten(0, 1).flatten(1)
        return {"loss": F.cross_entropy(self.gap_logits(z).flatten(0, 1), z[:, self.tokens : -self.tokens].flatten())}

    def gap_logits(self, z: Tensor) -> Tensor:
        """Logits of the middle's numbers from whole sequences A, m_1 ... B (b, n): each from the row before it."""
        net = self.interpolation
        mask = interpolation_mask(self.tokens, self.config.every - 1, leak=self.config.leak).to(z.device)
        logits: Tensor = net(net.begin(z), torch.arange(len(mask), device=z.device), mask)
        return logits[:, self.tokens : -1 - self.tokens]

    @torch.no_grad()
    def equivariance(self, video: Tensor) -> float:
        """The share of positions with E(x_0:T)[i] = E(x_d:T+d)[i - 1], d the frames of a slice (supplement A.3).

        video: (b, T + d, 3, h, w). 1: a code does not tell where in its clip it stands.
        """
        here, later = self.encode(video[:, : -self.per_slice]), self.encode(video[:, self.per_slice :])
        return float((here[:, 1:] == later[:, :-1]).float().mean())

    # --- generation -----------------------------------------------------------------------------------------------

    def stream(
        self, frames: int, condition: Condition | None = None, *, seed: int = 0, batch: int = 1,
        schedule: str = "hierarchical",
    ) -> Iterator[Tensor]:  # fmt: skip
        """Generate from nothing, in memory that does not grow.

        schedule: "hierarchical" (every 4th slice, then the gaps, `gaps` of them at once) or "sliding" (TATS-base).
        Raises UserError for a bad length or batch, a schedule that is unknown or whose parts are missing, a condition.
        """
        self.asked(frames, condition, batch)
        if schedule not in SCHEDULES:
            raise UserError(f"there is no schedule {schedule!r}; allowed: {', '.join(SCHEDULES)}")
        for name in ("tokenizer", *(("base",) if schedule == "sliding" else ("sparse", "interpolation"))):
            self.part(name)
        draw = self._sliding if schedule == "sliding" else self._hierarchical
        return self._decode(draw(batch, torch.Generator().manual_seed(seed)), frames)

    @torch.no_grad()
    def fill(self, a: Tensor, b: Tensor, generator: torch.Generator) -> Tensor:
        """The slices between two given ones, token by token, all gaps at once: (g, tokens) twice to (g, every - 1,
        tokens). The cache holds c, A and B from the beginning: by the mask they do not wait for the middle.
        """
        net, n = self.part("interpolation"), self.tokens
        rows = torch.arange(1 + (self.config.every + 1) * n, device=a.device)
        cache, middle = Cache(), []
        z, at, last = net.begin(torch.cat([a, b], 1)), torch.cat([rows[: n + 1], rows[-n:]]), n  # A's last row
        for row in rows[n + 1 : -n]:
            middle.append(self._draw(net(z, at, None, cache)[:, last], generator, self.config.gap_top_p)[:, None])
            z, at, last = middle[-1], row[None], -1
        return rearrange(torch.cat(middle, 1), "g (s n) -> g s n", n=n)

    def _slide(self, name: str, window: int, batch: int, generator: torch.Generator) -> Iterator[Tensor]:
        prior: TokenPrior = self.part(name)
        top_p = chain(repeat(self.config.first_top_p, self.tokens), repeat(self.config.top_p))
        return prior.slide(window, self.tokens, batch, lambda p: self._draw(p, generator, next(top_p)))

    def _draw(self, logits: Tensor, generator: torch.Generator, top_p: float) -> Tensor:
        return draw_token(logits, generator, top_k=self.config.top_k, top_p=top_p)

    def _sliding(self, batch: int, generator: torch.Generator) -> Iterator[Tensor]:
        slices = self._slide("base", self.config.window, batch, generator)
        while True:
            yield torch.stack([next(slices) for _ in range(self.config.window)], 1)

    def _hierarchical(self, batch: int, generator: torch.Generator) -> Iterator[Tensor]:
        """`gaps` sparse slices, then all gaps between them; (b, gaps * every, tokens) each time."""
        sparse = self._slide("sparse", self.config.sparse_window, batch, generator)
        last = next(sparse)
        while True:
            key = torch.stack([last, *(next(sparse) for _ in range(self.config.gaps))], 1)
            a, b = key[:, :-1], key[:, 1:]
            middle = self.fill(a.flatten(0, 1), b.flatten(0, 1), generator).unflatten(0, (batch, -1))
            last = key[:, -1]
            yield torch.cat([a[:, :, None], middle], 2).flatten(1, 2)

    @torch.inference_mode()
    def _decode(self, chunks: Iterator[Tensor], frames: int) -> Iterator[Tensor]:
        """Frames of a slice as soon as all slices are there that the decoder can hear (deviation 5)."""
        codec = self.part("tokenizer")
        side, reach, made = self.config.side // codec.down, self.reach, 0
        held, fresh = next(chunks), 0  # slices in memory, and from which of them on no frame was given out
        while True:
            done = held.shape[1] - reach
            if done > fresh:
                video = codec.decode(rearrange(held, "b s (y x) -> b s y x", x=side))
                video = video[:, fresh * self.per_slice : done * self.per_slice][:, : frames - made].float().cpu()
                made += video.shape[1]
                yield video
                if made == frames:
                    return
                keep = max(0, done - reach)
                held, fresh = held[:, keep:], done - keep
            held = torch.cat([held, next(chunks)], 1)


METHOD = TATS
