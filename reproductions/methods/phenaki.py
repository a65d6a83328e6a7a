"""Phenaki: Variable Length Video Generation From Open Domain Textual Description, Villegas et al., ICLR 2023,
arXiv 2210.02399.

The one idea. Code a video so that its first frame stands alone and every later step of codes looks only back in time.
Then any number of frames can be coded, the last few frames of one clip can open the next, and one transformer that
fills in masked codes under a text turns short clips into a video of any length, under prompts that change on the way.

Deviations (paper -> here, and why):
 1. 128x128 pixels, 8x8 patches, 50 M and 1.8 B parameters, 15 M text-video pairs, 5 days -> 16x16 shapes, 4x4 patches,
    about a million parameters, minutes on one CPU core. The clips still have 11 frames, and those still make 6 steps.
 2. A patch of pixels is embedded by one linear map, and painted by another -> every frame passes 3x3 convolutions by
    itself first, and others last; linear maps put the two frames of a step together and take them apart. They change
    nothing about what looks where in time. Without them, small as all is here, shapes stay blurred.
 3. One of 8192 codes of 32 numbers for each patch -> four of 128 codes of 4 numbers, in a row. The transformer sees a
    row as one vector and foretells each of its codes. One of 1024 codes of 16 numbers left 1.6 times the error after
    twice the steps with codes: a patch here is a quarter of a frame's side, and holds much.
 4. Adversarial and perceptual losses beside L_VQ + L2 -> L_VQ + L2 alone, L2 weighted 10:1 towards the foreground; the
    first two fifths of the steps without codes, which then begin where vectors are; dead codes revived. Codes that are
    there from the start settle too soon.
 5. Text from a frozen T5X -> a small caption encoder, learnt with the transformer. The captions use 21 words.
 6. Context tokens appear only when sampling goes on from them (as far as the text says) -> more than half of the
    training clips open with 1, 3 or 5 given frames, which are never masked. What is asked for at test time is learnt
    sooner when it is trained.
 7. Web videos change by themselves -> the captions of the toy world are true for a whole video, so nothing would ever
    change. A fifth of the training clips therefore open with 1, 3 or 5 given frames of another video, under the new
    video's caption: a change of prompt is learnt as a cut.
 8. 12 to 48 rounds, guidance 6 to 12, temperature 4 to 8 -> fewer rounds and less guidance (see `Config`), since 192 to
    384 tokens are sampled per window and not 1536.
 9. Still images beside videos in training -> videos only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import normalize

from kiloframe.errors import UserError
from reproductions.contract import Batch, Condition, Presets, Reproduction, Stage
from reproductions.parts.cvivit import CViViT
from reproductions.parts.foreground import foreground_weight
from reproductions.parts.masked_tokens import draw_mask, guided, masked_loss, sample_masked
from reproductions.parts.text import CaptionEncoder
from reproductions.parts.transformer import Transformer
from reproductions.worlds.base import EVALUATION_SEEDS
from reproductions.worlds.captions import encode
from reproductions.worlds.shapes import BACKGROUND, Shapes

__all__ = ["METHOD", "MaskedTransformer", "Phenaki", "Sampling"]


Prompts = Callable[[int], Sequence[str]]  # a frame to the captions of a batch


@dataclass(frozen=True)
class Config(Presets):
    """Sizes and training of a preset. `frames` is the paper's t_x + 1, `context` its K, `rounds` its S."""

    side: int = 16
    patch: int = 4
    stem: int = 48
    group: int = 4
    frames: int = 11
    per_frame: bool = False
    width: int = 64
    depth: int = 1
    tokenizer_heads: int = 4
    codes: int = 128
    code_size: int = 4
    channels: int = 96
    layers: int = 4
    heads: int = 4
    vocabulary: int = 64
    words: int = 21
    context: int = 5
    rounds: int = 8
    guidance: float = 1.0
    noise: float = 1.0
    tokenizer_steps: int = 4000
    steps: int = 9000
    batch: int = 16
    learning_rate: float = 2e-3
    ema: float = 0.995

    @classmethod
    def smoke(cls) -> Self:
        """A few steps, for tests of training."""
        return cls(
            stem=8, width=16, tokenizer_heads=2, codes=32, channels=16, layers=1, heads=2, rounds=2, tokenizer_steps=3,
            steps=6, batch=2,
        )  # fmt: skip

    @classmethod
    def gpu(cls) -> Self:
        """Hours on one GPU, as the study `more_training` measured."""
        return cls(
            side=32, stem=96, width=192, depth=2, tokenizer_heads=6, codes=256, channels=384, layers=8, heads=6,
            rounds=16, tokenizer_steps=10000, steps=30000, batch=64, learning_rate=1e-3,
        )  # fmt: skip

    @classmethod
    def paper(cls) -> Self:
        """The published sizes: C-ViViT of about 50 M, the masked transformer of 1.8 B parameters."""
        return cls(
            side=128, patch=8, stem=0, group=1, width=512, depth=4, tokenizer_heads=8, codes=8192, code_size=32,
            channels=2048, layers=24, heads=32, words=77, rounds=48, guidance=12.0, noise=8.0,
            tokenizer_steps=1_000_000, steps=2_000_000, batch=512, learning_rate=1e-4, ema=0.9999,
        )  # fmt: skip

    @classmethod
    def variants(cls) -> dict[str, dict[str, Any]]:
        """per-frame: every frame coded alone, as ViT-VQGAN does; a tokenizer of the same size, and nothing else."""
        return {"per-frame": {"per_frame": True, "steps": cls.toy().tokenizer_steps}}


@dataclass(frozen=True)
class Sampling:
    """rounds: S; keep: K, the frames that open the next window; guidance: lambda; noise: on the confidence."""

    rounds: int = 8
    keep: int = 5
    guidance: float = 1.0
    noise: float = 1.0


def _error(x_hat: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """L2 = 20 * weighted mean of (x_hat - x)^2, about 1 where nothing has been learnt."""
    return 20 * (weight * (x_hat - x).square()).mean() / weight.mean()


class MaskedTransformer(nn.Module):
    """Logits of every token given the unmasked ones and a caption (section 2.2), bidirectional."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        c, patches = config.channels, (config.side // config.patch) ** 2
        self.mask = config.codes  # the number of [MASK]
        self.token, self.group = nn.Embedding(config.codes + 1, c // config.group), config.group
        self.time = nn.Parameter(torch.randn((config.frames + 1) // 2, 1, c) * 0.1)
        self.site = nn.Parameter(torch.randn(patches, c) * 0.1)
        self.caption = CaptionEncoder(config.vocabulary, config.words, c, config.heads)
        self.net = Transformer(c, config.layers, config.heads, context=c)
        self.head = nn.Linear(c, config.group * config.codes)

    def forward(self, tokens: Tensor, words: Tensor) -> Tensor:
        """tokens: (b, n) in raster order, step by step; words: (b, l), all 0: no caption. Returns (b, n, codes)."""
        text, seen = self.caption(words)
        x = rearrange(self.token(tokens), "b (n g) c -> b n (g c)", g=self.group)  # the codes of a patch as one vector
        x = self.net(x + (self.time + self.site).flatten(0, 1), context=text, context_mask=seen)
        return rearrange(self.head(x), "b n (g v) -> b (n g) v", g=self.group)


class Phenaki(Reproduction):
    """The model: C-ViViT, and a masked transformer over its codes."""

    slug = "phenaki"
    world = "shapes"
    uses = ("context", "captions")
    Config = Config

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.sites = config.group * (config.side // config.patch) ** 2  # codes of a step
        self.tokenizer = CViViT(
            config.side, config.patch, config.frames, config.width, config.depth, config.tokenizer_heads, config.codes,
            config.code_size, config.stem, config.group, config.per_frame,
        )  # fmt: skip
        self.net = None if config.per_frame else MaskedTransformer(config)

    # --- training -------------------------------------------------------------------------------------------------

    def stages(self) -> tuple[Stage, ...]:
        """The tokenizer, for two fifths of its steps without codes; then, with it frozen, the masked transformer."""
        config, parts = self.config, (self.tokenizer,)
        stages = [
            Stage("C-ViViT without codes", parts, self.loss_vectors, config.tokenizer_steps * 0.4, 3e-3, batch=4),
            Stage("C-ViViT", parts, self.loss_codes, config.tokenizer_steps * 0.6, batch=8),
        ]
        if self.net is not None:
            share = config.steps - config.tokenizer_steps
            stages.append(Stage("masked transformer", (self.net,), self.loss_tokens, share))
        return tuple(stages)

    def clips(self, rng: np.random.Generator, batch: int) -> Batch:
        """Clips of t_x + 1 frames with their captions; a fifth are cut (deviation 7).

        A cut clip opens with 1, 3 .. K frames of its neighbour in the batch, with that one's caption.
        """
        config = self.config
        seeds, starts = rng.integers(0, EVALUATION_SEEDS, batch), rng.integers(0, 4096, batch)
        clip = Shapes(config.side).batch(seeds, starts, config.frames)
        video, told = torch.from_numpy(clip.video), encode(clip.truth.captions().tolist(), config.words)
        words = torch.from_numpy(told)[:, None].repeat(1, config.frames, 1)
        cut = np.where(rng.uniform(size=batch) < 0.2, 1 + 2 * rng.integers(0, (config.context + 1) // 2, batch), 0)
        before = torch.arange(config.frames) < torch.from_numpy(cut)[:, None]
        video = torch.where(before[..., None, None, None], video.roll(1, 0), video)
        return Batch(video, torch.where(before[..., None], words.roll(1, 0), words))

    def loss_vectors(self, clip: Tensor | Batch, step: int) -> dict[str, Tensor]:
        """L2 alone, the vectors not yet snapped to codes (deviation 4)."""
        video, weight, z = self._seen(clip, step)
        return {"loss": _error(self.tokenizer.decode(normalize(z, dim=-1)), video, weight)}

    def loss_codes(self, clip: Tensor | Batch, step: int) -> dict[str, Tensor]:
        """L = L_VQ + L2 (section 2.1)."""
        video, weight, z = self._seen(clip, step)
        e, _, loss_vq = self.tokenizer.codes(z)
        error = _error(self.tokenizer.decode(e), video, weight)
        return {"loss": error + loss_vq, "error": error.detach()}

    def _seen(self, clip: Tensor | Batch, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """The clips, half of them mirrored; each pixel's weight, 10 on the foreground, else 1; z (deviation 4)."""
        video, generator = Batch.of(clip).video, torch.Generator().manual_seed(step)
        mirrored = torch.rand(len(video), 1, 1, 1, 1, generator=generator).to(video.device) < 0.5
        video = torch.where(mirrored, video.flip(-1), video)
        weight = foreground_weight(video, 10, 0.05, BACKGROUND)
        z = self.tokenizer.encode(video)
        if self.training:
            near = self.tokenizer.near(weight > 1)  # one code can tell the background
            self.tokenizer.codes.revive(z[near] if near.any() else z, self.tokenizer.codes.nearest(z), generator)
        return video, weight, z

    def loss_tokens(self, clip: Tensor | Batch, step: int) -> dict[str, Tensor]:
        """L = - sum over masked i of log p(a_i | a unmasked, p) (section 2.2), as a mean."""
        assert self.net is not None
        batch, generator = Batch.of(clip), torch.Generator().manual_seed(step)
        with torch.no_grad():
            a = self.tokenizer.tokens(batch.video).flatten(1)
        words, given = self._asked(batch, generator)
        known = torch.arange(a.shape[1]) < given[:, None] * self.sites
        masked = draw_mask(known, generator).to(a.device)
        logits = self.net(a.masked_fill(masked, self.net.mask), words.to(a.device))
        return {"loss": masked_loss(logits, a, masked)}

    def _asked(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The caption that each clip ends with, (b, l), and how many steps open it as context, (b,).

        A clip that is cut gives what lies before the cut. Of the others 3 in 5 give the first 1, 3 .. K frames, and one
        caption in ten is dropped, so that the transformer also learns what comes without a text.
        """
        b, most = len(batch.video), (self.config.context + 1) // 2
        captions = batch.captions
        if captions is None:
            captions = torch.zeros(b, self.config.frames, self.config.words, dtype=torch.int64)
        captions = captions.cpu()
        words = captions[:, -1]
        before = (captions != words[:, None]).any(-1).sum(1)  # frames under another caption
        chance = torch.rand(2, b, generator=generator)
        given = (chance[0] < 0.6) * torch.randint(1, most + 1, (b,), generator=generator)
        dropped = (chance[1] < 0.1) & (before == 0)
        return words.masked_fill(dropped[:, None], 0), torch.where(before > 0, (before + 1) // 2, given)

    # --- generation -----------------------------------------------------------------------------------------------

    def stream(
        self,
        frames: int,
        condition: Condition | None = None,
        *,
        seed: int = 0,
        batch: int = 1,
        how: Sampling | None = None,
        say: Prompts | None = None,
    ) -> Iterator[Tensor]:
        """Generate window by window; a context comes first, unchanged. A prompt rules from the next window on.

        batch: that of the context, if there is one; how: the preset's by default; say: in place of the condition's
        captions, from the first new frame of a window to one caption for each video, so that each has its own story.
        Raises UserError for a bad length, batch or `how`, a caption with an unknown word or too many, a context of the
        wrong shape or with values outside [0, 1], and any other condition.
        """
        config = self.config
        context, batch = self.asked(frames, condition, batch)
        how = how or Sampling(config.rounds, config.context, config.guidance, config.noise)
        if config.per_frame:
            raise UserError("the variant per-frame of phenaki is a tokenizer alone and generates nothing")
        if how.rounds < 1:
            raise UserError(f"a window takes at least 1 round, not {how.rounds}")
        if how.keep % 2 == 0 or not 0 < how.keep < config.frames:
            raise UserError(f"K frames open the next window, an odd number below {config.frames}, not {how.keep}")
        if condition is not None and condition.captions:
            encode(condition.captions, config.words)  # mistakes show now

        def told(frame: int) -> Sequence[str]:
            return [(condition.caption_at(frame, frames) if condition else None) or ""] * batch

        return self._run(say or told, frames, context, seed, how)

    @torch.inference_mode()
    def _run(self, say: Prompts, frames: int, context: Tensor | None, seed: int, how: Sampling) -> Iterator[Tensor]:
        generator, device = torch.Generator().manual_seed(seed), next(self.parameters()).device
        old, done = None, 0
        if context is not None:
            yield context
            done = context.shape[1]
            known = min(done, how.keep)
            old = context[:, -(known - 1 + known % 2) :].to(device)  # an odd number of frames
        while done < frames:
            words = torch.from_numpy(encode(say(done), self.config.words)).to(device)
            video = self.window(old, words, generator, how)
            new = video[:, 0 if old is None else old.shape[1] :]
            yield new[:, : frames - done].float().cpu()
            old, done = video[:, -how.keep :], done + new.shape[1]

    def window(self, old: Tensor | None, words: Tensor, generator: torch.Generator, how: Sampling) -> Tensor:
        """A window of t_x + 1 frames, (b, t_x + 1, 3, h, w), that opens with `old`, (b, 1 + 2n, ..), coded anew."""
        assert self.net is not None
        net, steps = self.net, (self.config.frames + 1) // 2
        a = torch.full((len(words), steps, self.sites), net.mask, device=words.device)
        if old is not None:
            a[:, : (old.shape[1] + 1) // 2] = self.tokenizer.tokens(old)

        def predict(tokens: Tensor) -> Tensor:
            if how.guidance == 0 or not words.any():
                return net(tokens, words)
            told, untold = net(tokens.repeat(2, 1), torch.cat([words, torch.zeros_like(words)])).chunk(2)
            return guided(told, untold, how.guidance)

        a = a.flatten(1)
        a = sample_masked(predict, a, a == net.mask, how.rounds, generator, mask=net.mask, noise=how.noise)
        return self.tokenizer.paint(a.unflatten(1, (steps, self.sites)))


METHOD = Phenaki
