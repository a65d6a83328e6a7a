"""Look Outside the Room: Synthesizing A Consistent Long-Term 3D Scene Video from A Single Image, Ren and Wang, CVPR
2022, arXiv 2203.09457.

The one idea. A view is a grid of tokens, and a transformer writes the tokens of the next view after those of the two
views before it and of the camera's motion. How the camera moved also says where in the old views each patch of the new
one is to be found: a small network turns the motion into a bias on the attention logits, patch by patch.

Deviations (paper -> here, and why):
 1. 256x256 pictures in 16x16 tokens out of 16,384, 32 layers of width 1024, four GPUs -> 16x16 pictures in 8x8 tokens
    out of 512, 4 layers of width 64, minutes on one CPU core. A laptop can train it.
 2. Flights through real houses -> walks through the rooms of a world whose every view is known. A quarter of the
    training windows sway back and forth along their walk instead of following it, so that the network learns to return.
 3. The camera vector g is 30 numbers: rotation, translation, intrinsics and their inverse -> 3 numbers, (right, ahead,
    turn): the camera walks upright and its lens never changes. (Preset `paper` has the 30.)
 4. A trained table embeds the tokens, and each has its own row in the last layer -> a linear layer over the vectors of
    the codebook, and a last layer that can also point at a place among them. Like codes start alike; hundreds of steps
    are saved.
 5. A pretrained VQGAN -> a small convolutional autoencoder with cosine codes and no discriminator
    (parts/autoencoder.py), trained first and then frozen.
 6. The released script takes the likeliest token -> a draw at temperature 0.5 from the likeliest nine tenths. With the
    likeliest token of every patch, walls lose their doors and soon fill the view.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional as F

from kiloframe.errors import UserError
from reproductions.contract import Batch, Condition, Presets, Reproduction, Stage
from reproductions.parts.autoencoder import FrameAutoencoder
from reproductions.parts.cameras import camera_vector, check_poses
from reproductions.parts.transformer import draw_token
from reproductions.parts.view_transformer import ViewTransformer
from reproductions.worlds.rooms import EVALUATION_SEEDS, Rooms

__all__ = ["METHOD", "Config", "LookOutside", "draw_order"]

CLIP = 5  # frames of a training clip, as in the paper's second stage
_CHUNK = 4  # frames handed out together
_TOP_P = 0.9  # of the probability of a token, this share is drawn from


@dataclass(frozen=True)
class Config(Presets):
    """Sizes and training of a preset.

    grid: tokens per side of a view; camera: "plane" (3 numbers) or "full" (30); hidden: of the bias network;
    bias: False leaves H = 0; accumulation: False trains the second stage of the transformer on real views alone.
    """

    side: int = 16
    channels: tuple[int, ...] = (32, 48)
    codes: int = 512
    code_channels: int = 8
    width: int = 64
    layers: int = 4
    heads: int = 2
    hidden: int = 32
    camera: Literal["plane", "full"] = "plane"
    bias: bool = True
    accumulation: bool = True
    steps: int = 5000
    shares: tuple[float, ...] = (600, 3400, 1000)
    batch: int = 8
    learning_rate: float = 3e-3
    ema: float = 0.995

    @property
    def grid(self) -> int:
        """Tokens per side of a view."""
        return self.side // 2 ** (len(self.channels) - 1)

    @classmethod
    def smoke(cls) -> Self:
        """A few steps, for tests of training."""
        return cls(channels=(4, 8, 8, 8), codes=16, width=16, layers=2, heads=2, hidden=4, steps=6, batch=2)

    @classmethod
    def gpu(cls) -> Self:
        """Hours on one GPU, as the study `more_training` measured."""
        return cls(
            side=32, channels=(64, 128, 128), codes=1024, width=384, layers=8, heads=8, hidden=60, steps=40_000,
            batch=64, learning_rate=6e-4, ema=0.999,
        )  # fmt: skip

    @classmethod
    def paper(cls) -> Self:
        """The published sizes: 256 tokens and 30 camera numbers per view, 827 places in all."""
        return cls(
            side=256, channels=(128, 128, 256, 256, 512), codes=16_384, code_channels=256, width=1024, layers=32,
            heads=16, hidden=60, camera="full", steps=300_000, shares=(0.0, 2.0, 1.0), batch=16,
        )  # fmt: skip

    @classmethod
    def variants(cls) -> dict[str, dict[str, Any]]:
        """The ablations of the claims."""
        return {"no-bias": {"bias": False}, "no-accumulation": {"accumulation": False}}


def draw_order(length: int, rng: np.random.Generator) -> list[int]:
    """Which frames of a clip of CLIP make a training window: mostly `length` in a row; one window in four sways, that
    is, goes one frame forward or back at each step.
    """
    start = int(rng.integers(CLIP - length + 1))
    if rng.uniform() < 0.75:
        return list(range(start, start + length))
    order = [int(rng.integers(CLIP))]
    while len(order) < length:
        step = 1 if rng.uniform() < 0.5 else -1
        order.append(order[-1] + (step if 0 <= order[-1] + step < CLIP else -step))
    return order


class LookOutside(Reproduction):
    """The model: a tokeniser of views and a transformer that writes the next one."""

    slug = "look_outside_the_room"
    world = "rooms"
    uses = ("context", "poses")
    Config = Config

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.tokeniser = FrameAutoencoder(config.channels, config.codes, config.code_channels)
        self.views = ViewTransformer(config)

    @cached_property
    def _rooms(self) -> Rooms:
        return Rooms(self.config.side, depth=False)

    # --- training -------------------------------------------------------------------------------------------------

    def stages(self) -> tuple[Stage, ...]:
        """The tokeniser, the transformer on real views, the transformer on its own mistakes."""
        share, rate, third = self.config.shares, self.config.learning_rate, max(1, self.config.batch // 3)
        return (
            Stage("tokeniser", (self.tokeniser,), self.picture_loss, share[0], 4e-3),
            Stage("views", (self.views,), self.view_loss, share[1]),
            Stage("own views", (self.views,), self.accumulation_loss, share[2], rate / 2, third),  # three passes each
        )

    def clips(self, rng: np.random.Generator, batch: int) -> Batch:
        """Five frames of each walk, (b, 5, 3, side, side), with their poses."""
        seeds = rng.integers(0, EVALUATION_SEEDS, batch)
        poses = self._rooms.poses(seeds, rng.integers(0, self._rooms.loop, batch)[:, None] + np.arange(CLIP))
        return Batch(torch.from_numpy(self._rooms.render(poses, seeds)), poses=torch.from_numpy(poses).float())

    def picture_loss(self, clip: Tensor | Batch, step: int) -> dict[str, Tensor]:
        """Stage 1: three frames of each clip through the tokeniser."""
        video, generator = Batch.of(clip).video, torch.Generator().manual_seed(step)
        chosen = torch.rand(video.shape[:2], generator=generator).argsort(1)[:, :3].to(video.device)
        frames = video[torch.arange(len(video), device=video.device)[:, None], chosen].flatten(0, 1)
        return self.tokeniser.loss(frames, generator, colour=2.0)

    def view_loss(self, clip: Tensor | Batch, step: int) -> dict[str, Tensor]:
        """Stage 2: - log p(b | a, g_ab) - log p(c | a, g_ab, b, g_ac), mean per token, on three real views."""
        tokens, poses = self._windows(clip, 3, step)
        loss, _ = self._pass(tokens, tokens[:, 1:], poses)
        return {"loss": loss}

    def accumulation_loss(self, clip: Tensor | Batch, step: int) -> dict[str, Tensor]:
        """Stage 3 (official code, second training stage): three windows along five views. In each the third view is
        real; what was predicted, decoded and encoded again, is a and b of the next. No gradient flows through that.
        """
        tokens, poses = self._windows(clip, CLIP, step)
        a, b = tokens[:, 0], tokens[:, 1]
        losses = []
        for i in range(CLIP - 2):
            seen = torch.stack([a, b, tokens[:, i + 2]], 1)
            loss, predicted = self._pass(seen, tokens[:, i + 1 : i + 3], poses[:, i : i + 3])
            losses.append(loss)
            a, b = tokens[:, i + 1], tokens[:, i + 2]
            if self.config.accumulation:
                a, b = self.tokens(self.pictures(predicted)).unbind(1)
        return {"loss": torch.stack(losses).mean()}

    def _windows(self, clip: Tensor | Batch, length: int, step: int) -> tuple[Tensor, Tensor]:
        """Tokens (b, length, n) and poses (b, length, 4, 4) of frames drawn from each clip by `draw_order`.

        Without poses the camera is taken to stand still.
        """
        rng, video, poses = np.random.default_rng([11, step]), Batch.of(clip).video, Batch.of(clip).poses
        if poses is None:
            poses = torch.eye(4, device=video.device).expand(*video.shape[:2], 4, 4)
        order = torch.tensor([draw_order(length, rng) for _ in video], device=video.device)
        row = torch.arange(len(video), device=video.device)[:, None]
        return self.tokens(video[row, order]), poses[row, order]

    def _pass(self, seen: Tensor, true: Tensor, poses: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of one window and its likeliest tokens. seen: (b, 3, n), true: (b, 2, n), poses: (b, 3, 4, 4)."""
        logits = torch.stack(self.views(seen, self.cameras(poses.unbind(1)), self.codes()), 1)
        return F.cross_entropy(logits.flatten(0, -2), true.flatten()), logits.argmax(-1)

    # --- views, tokens, cameras -----------------------------------------------------------------------------------

    @torch.no_grad()
    def codes(self) -> Tensor:
        """All codes e_k, (K, c)."""
        return self.tokeniser.quantise.lookup(torch.arange(self.config.codes, device=next(self.parameters()).device))

    @torch.no_grad()
    def tokens(self, video: Tensor) -> Tensor:
        """Frames (..., 3, h, w) to token numbers (..., n), row by row."""
        return self.tokeniser.encode(video).flatten(-2)

    @torch.no_grad()
    def pictures(self, tokens: Tensor) -> Tensor:
        """Token numbers (..., n) to frames (..., 3, h, w) in [0, 1]."""
        return self.tokeniser.decode(rearrange(tokens, "... (h w) -> ... h w", h=self.config.grid))

    def cameras(self, poses: Sequence[Tensor]) -> list[Tensor]:
        """[g_ab] of two poses (b, 4, 4), or [g_ab, g_ac, g_bc] of three; each (b, k)."""
        K = torch.as_tensor(self._rooms.intrinsics, dtype=poses[0].dtype, device=poses[0].device)
        lens = K if self.config.camera == "full" else None
        pairs = ((0, 1), (0, 2), (1, 2))[: 2 * len(poses) - 3]
        return [camera_vector(poses[u], poses[v], lens).float() for u, v in pairs]

    # --- generation -----------------------------------------------------------------------------------------------

    def stream(
        self, frames: int, condition: Condition | None = None, *, seed: int = 0, batch: int = 1, views: int = 2,
        temperature: float = 0.5,
    ) -> Iterator[Tensor]:  # fmt: skip
        """Walk on from the first frames of `condition` along its poses.

        Without poses the camera takes the world's own walk of the evaluation seed that follows from `seed`; without
        context it starts with that walk's first frame. views: how many frames the next one is written from, 1 or 2
        (the method's own); temperature: of the draw, 0 for the likeliest token.
        Raises UserError for a bad length, batch, number of views or temperature, context of the wrong shape or with
        values outside [0, 1], poses of the wrong shape or that are none, and for other conditions.
        """
        context, batch = self.asked(frames, condition, batch)
        if views not in (1, 2) or not 0 <= temperature < math.inf:
            raise UserError(f"views must be 1 or 2 and the temperature a number from 0, not {views} and {temperature}")
        poses = None if condition is None else condition.poses
        if poses is not None:
            check_poses(poses, frames, upright=self.config.camera == "plane")
            if context is not None and len(poses) != batch:
                raise UserError(f"context and poses must be of as many videos, not {batch} and {len(poses)}")
            batch = len(poses)
        seeds = EVALUATION_SEEDS + 1000 * seed + np.arange(batch)
        if context is None:
            context = torch.from_numpy(self._rooms.batch(seeds, np.zeros(batch, int), 1).video)
        if poses is None:  # the walk is closed: this is all of it
            poses = torch.from_numpy(self._rooms.poses(seeds, np.tile(np.arange(self._rooms.loop), (batch, 1))))
        return self._run(frames, context, poses, seed, views, temperature)

    @torch.inference_mode()
    def _run(
        self, frames: int, context: Tensor, poses: Tensor, seed: int, views: int, temperature: float
    ) -> Iterator[Tensor]:
        device = next(self.parameters()).device
        generator = torch.Generator().manual_seed(seed)
        codes = self.codes()

        def draw(logits: Tensor) -> Tensor:
            return draw_token(logits, generator, temperature=temperature, top_p=_TOP_P)

        known: list[tuple[Tensor, Tensor]] = []  # the tokens of the last two views, and where they were seen from
        ready: list[Tensor] = []
        for i in range(frames):
            pose = poses[:, i % poses.shape[1]].to(device)
            if i < context.shape[1]:
                frame = context[:, i].to(device)
            else:
                seen = known[-views:]
                cameras = self.cameras([*(p for _, p in seen), pose])
                frame = self.pictures(self.views.write(torch.stack([t for t, _ in seen], 1), cameras, codes, draw))
            known = [*known[-1:], (self.tokens(frame), pose)]
            ready.append(frame.float().cpu())
            if len(ready) == _CHUNK or i == frames - 1:
                yield torch.stack(ready, 1)
                ready = []


METHOD = LookOutside
