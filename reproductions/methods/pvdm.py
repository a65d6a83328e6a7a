"""Video Probabilistic Diffusion Models in Projected Latent Space (PVDM), Yu et al., CVPR 2023, arXiv 2302.07685.

The one idea. A clip is a box of time x height x width. Look at it along each of its three axes: three flat pictures
remain, one without time (what is there) and two with time and one side of the frame (how it moves). A diffusion model
makes these three planes with the convolutions of an image model, and one attention lets them talk. Given the planes of
the previous clip, or zeros when there is none, the same network starts a video and goes on with it for ever.

Deviations (paper -> here, and why):
 1. 256x256 UCF-101 and SkyTimelapse, S = 16, 8x down, 850k iterations -> 16x16 shapes, S = 8, 2x down: H' = W' = 8 and
    three planes of 4 x 8 x 8, minutes on 2 CPU cores. A laptop can train it.
 2. TimeSformer encoder and decoder of depth 8, axis projections of four layers -> a few factored convolutions
    (parts/residual.py) and one attention layer per axis, read at the token that asks (the released code appends a
    token at the end and reads the first place). The planes are concatenated, as in the paper; the code sums them.
 3. L1 + LPIPS, then adversarial and feature-matching losses -> squared error + L1 / 5, ten times as heavy where the
    frame is not plain ground. A network trained on photographs has nothing to say about 16x16 shapes, which are sharp
    enough without a discriminator.
 4. DDPM noise and noise prediction, T = 1000, DDIM with eta = 1 -> a straight noise path, prediction of the clean
    latent, logit-normal times, Euler steps (parts/diffusion.py). Cutting predictions to [-1, 1] is right here as
    there, because tanh bounds the planes.
 5. Latents as they are -> noise of 0.1 is added before decoding in stage 1 and to the condition in stage 2. The decoder
    forgives what the denoiser misses, and the denoiser forgives its own earlier clips. No condition stays exactly 0.
 6. The condition as it is -> its time axis turned round, so that the two frames at the seam lie in the same row of the
    motion planes, where a convolution sees both.
 7. lambda = 0.3 or 0.2 (code) -> 0.5. Of the 16 clips of a toy video 15 are continuations; lambda = 0.3 remains in
    `paper`.
 8. 2 residual blocks on 4 levels -> 1 on 2 levels, and a learned vector for each plane and place at the entrance.
 9. The unconditional branch takes a window of its own -> the second clip of the same pair.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.nn import functional as F

from kiloframe.errors import UserError
from reproductions.contract import Batch, Condition, Presets, Reproduction, Stage
from reproductions.parts.diffusion import draw_times, loss_weight, noisy, sample
from reproductions.parts.foreground import foreground_weight
from reproductions.parts.planes import PlaneUNet, Sizes, join, split
from reproductions.parts.residual import ClipBlock
from reproductions.parts.transformer import Attention
from reproductions.worlds.base import EVALUATION_SEEDS
from reproductions.worlds.shapes import BACKGROUND, Shapes

__all__ = ["METHOD", "PVDM", "ProjectedAutoencoder"]


@dataclass(frozen=True)
class Config(Presets):
    """Sizes and training of a preset. `frames` is the paper's S, `latent` its c, `conditional` its lambda.

    side / patch = H' = W'; encoder, decoder, channels: widths of the networks; blocks: residual blocks of encoder and
    decoder; jitter: deviation 5; share: of the steps that train the autoencoder.
    """

    side: int = 16
    frames: int = 8
    patch: int = 2
    latent: int = 4
    encoder: int = 32
    decoder: int = 48
    blocks: tuple[int, int] = (2, 3)
    channels: tuple[int, ...] = (48, 64)
    level_blocks: int = 1
    heads: int = 2
    attention_levels: int = 2
    conditional: float = 0.5
    jitter: float = 0.1
    sampling_steps: int = 10
    share: float = 0.2
    steps: int = 10125
    batch: int = 16
    learning_rate: float = 2e-3
    ema: float = 0.995

    @classmethod
    def smoke(cls) -> Self:
        """A few steps, for tests of training."""
        return cls(encoder=8, decoder=8, blocks=(1, 1), channels=(8, 16), heads=2, sampling_steps=2, steps=6, batch=2)

    @classmethod
    def gpu(cls) -> Self:
        """Hours on one GPU, as the study `more_training` measured."""
        return cls(
            side=32, frames=16, encoder=64, decoder=96, channels=(96, 192, 256), level_blocks=2, heads=4,
            attention_levels=3, steps=30_000, batch=64, learning_rate=5e-4,
        )  # fmt: skip

    @classmethod
    def paper(cls) -> Self:
        """The published sizes at 256x256: S = 16, 8x down, c = 4, U-Net width 256, multipliers 1, 2, 4, 4."""
        return cls(
            side=256, frames=16, patch=8, encoder=384, decoder=384, blocks=(8, 8), channels=(256, 512, 1024, 1024),
            level_blocks=2, heads=8, attention_levels=3, conditional=0.3, jitter=0.0, sampling_steps=400,
            steps=850_000, batch=64, learning_rate=1e-4, ema=0.9999,
        )  # fmt: skip


class AxisProjection(nn.Module):
    """f: what a sequence along one axis of the clip holds, as one vector in [-1, 1]^c.

    A token, learned plus the sequence's mean, attends once to the sequence, whose places are known by learned vectors.
    The paper's projections are the same with four layers; the token's own output is what is read (its code reads
    another place).
    """

    def __init__(self, length: int, channels: int, latent: int, heads: int = 4) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.randn(length, channels) * 0.5)
        self.token = nn.Parameter(torch.randn(channels) * 0.5)
        self.norm1, self.attend = nn.LayerNorm(channels), Attention(channels, heads)
        self.norm2 = nn.LayerNorm(channels)
        self.net = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, latent))

    def forward(self, u: Tensor) -> Tensor:
        """u: (..., n, C), n along the axis to remove. Returns (..., c)."""
        lead = u.shape[:-2]
        u = self.norm1(u).flatten(0, -3) + self.place
        token = self.token + u.mean(1, keepdim=True)
        token = token + self.attend(token, u, None)
        return torch.tanh(self.net(self.norm2(token))).view(*lead, -1)


class ProjectedAutoencoder(nn.Module):
    """Stage 1: clips x (b, S, 3, H, W) in [-1, 1] to z (b, c, H'W' + SW' + SH') in [-1, 1], and back."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        side, s, c, d = config.side // config.patch, config.frames, config.encoder, config.decoder
        self.patch, self.frames, pixels = config.patch, s, 3 * config.patch**2
        self.sizes: Sizes = ((side, side), (s, side), (s, side))
        self.stem = nn.Conv2d(pixels, c, 3, padding=1)
        self.encoder = nn.ModuleList(ClipBlock(c) for _ in range(config.blocks[0]))
        self.f_s, self.f_h, self.f_w = (AxisProjection(length, c, config.latent) for length in (s, side, side))
        self.lift = nn.ModuleList(nn.Conv2d(config.latent, d, 3, padding=1) for _ in range(3))
        self.mix = nn.Conv2d(3 * d, d, 1)
        self.decoder = nn.ModuleList(ClipBlock(d) for _ in range(config.blocks[1]))
        self.head = nn.Sequential(nn.GroupNorm(8, d), nn.SiLU(), nn.Conv2d(d, pixels, 3, padding=1))

    def encode(self, x: Tensor) -> Tensor:
        """u = f_shw(x), then z^s = f_s(u along s), z^h = f_h(u along h), z^w = f_w(u along w)."""
        b = len(x)
        u = self.stem(F.pixel_unshuffle(x.flatten(0, 1), self.patch)).unflatten(0, (b, -1))
        for block in self.encoder:
            u = block(u)
        z_s = self.f_s(rearrange(u, "b s c h w -> b h w s c"))
        z_h = self.f_h(rearrange(u, "b s c h w -> b s w h c"))
        z_w = self.f_w(rearrange(u, "b s c h w -> b s h w c"))
        return join([plane.movedim(-1, 1) for plane in (z_s, z_h, z_w)])

    def decode(self, z: Tensor) -> Tensor:
        """v_shw = [z^s_hw, z^h_sw, z^w_sh], each repeated along the axis it lacks; x = 2 sigmoid(decoder(v)) - 1."""
        z_s, z_h, z_w = (lift(plane) for lift, plane in zip(self.lift, split(z, self.sizes), strict=True))
        (s, w), h = z_h.shape[2:], z_s.shape[2]
        v = torch.cat(
            [
                repeat(z_s, "b c h w -> (b s) c h w", s=s),
                repeat(z_h, "b c s w -> (b s) c h w", h=h),
                repeat(z_w, "b c s h -> (b s) c h w", w=w),
            ],
            1,
        )
        v = self.mix(F.silu(v)).unflatten(0, (-1, s))
        for block in self.decoder:
            v = block(v)
        x = F.pixel_shuffle(self.head(v.flatten(0, 1)), self.patch)
        return (2 * torch.sigmoid(x) - 1).unflatten(0, (-1, s))


class PVDM(Reproduction):
    """The model: an autoencoder of three planes, and one network that makes them from nothing or from the last clip."""

    slug = "pvdm"
    world = "shapes"
    uses = ("context",)
    Config = Config

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.autoencoder = ProjectedAutoencoder(config)
        self.denoiser = PlaneUNet(
            self.autoencoder.sizes, 2 * config.latent, config.latent, config.channels, config.level_blocks,
            config.heads, config.attention_levels,
        )  # fmt: skip

    # --- training -------------------------------------------------------------------------------------------------

    def stages(self) -> tuple[Stage, ...]:
        """The autoencoder, then the denoiser of its latents."""
        share = self.config.share
        return (
            Stage("autoencoder", (self.autoencoder,), self.reconstruction_loss, share, batch=self.config.batch // 2),
            Stage("denoiser", (self.denoiser,), self.loss, 1 - share),
        )

    def clips(self, rng: np.random.Generator, batch: int) -> Tensor:
        """Pairs of clips that follow each other: (b, 2 S, 3, side, side) in [0, 1]."""
        seeds, starts = rng.integers(0, EVALUATION_SEEDS, batch), rng.integers(0, 4096, batch)
        return torch.from_numpy(Shapes(self.config.side).batch(seeds, starts, 2 * self.config.frames).video)

    def reconstruction_loss(self, clip: Tensor | Batch, step: int) -> dict[str, Tensor]:
        """Weighted mean of (x - x')^2 + |x - x'| / 5: 10 where there is something, 1 on the ground (deviation 3)."""
        x = Batch.of(clip).video.unflatten(1, (2, -1))[:, step % 2]
        m = foreground_weight(x, 10, 0.1, BACKGROUND)
        x = 2 * x - 1
        z = self.autoencoder.encode(x)
        noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(step)).to(z.device)
        error = self.autoencoder.decode(z + self.config.jitter * noise) - x
        loss = (m * (error.square() + 0.2 * error.abs())).sum() / (3 * m.sum())
        return {"loss": loss, "error": error.square().mean().detach()}

    def loss(self, clip: Tensor | Batch, step: int) -> dict[str, Tensor]:
        """lambda || z^2 - D(z^2_t, z^1, t) ||^2 + (1 - lambda) || z^2 - D(z^2_t, 0, t) ||^2, over max(t, 0.6)^2."""
        generator = torch.Generator().manual_seed(step)
        x = 2 * Batch.of(clip).video - 1
        with torch.no_grad():
            z1, z = (self.autoencoder.encode(half) for half in x.chunk(2, 1))
        given = (torch.rand(len(x), generator=generator) < self.config.conditional).float()
        jitter = self.config.jitter * torch.randn(z.shape, generator=generator)
        condition = given.to(z.device).view(-1, 1, 1) * (z1 + jitter.to(z.device))
        t = draw_times(len(x), generator).to(z.device)
        z_t = noisy(z, torch.randn(z.shape, generator=generator).to(z.device), t)
        error = (self.denoise(z_t, condition, t) - z).square().mean((1, 2))
        return {"loss": (loss_weight(t) * error).mean(), "error": error.mean().detach()}

    def denoise(self, z_t: Tensor, condition: Tensor, t: Tensor) -> Tensor:
        """D(z_t, z_prev, t): the clean latent. The condition's time runs backwards, so that both sides of the seam lie
        in row 0 of the motion planes (deviation 6); all are (b, c, positions), zeros are no condition.
        """
        z_s, z_h, z_w = split(condition, self.autoencoder.sizes)
        turned = join([z_s, z_h.flip(2), z_w.flip(2)])
        return self.denoiser(torch.cat([z_t, turned], 1), t)

    # --- generation -----------------------------------------------------------------------------------------------

    def stream(
        self,
        frames: int,
        condition: Condition | None = None,
        *,
        seed: int = 0,
        batch: int = 1,
        steps: int | None = None,
    ) -> Iterator[Tensor]:
        """Clip after clip, each from noise and the clip before; only one latent is kept.

        A context of at least S frames comes first, unchanged; its last S frames are the clip before the first. steps:
        Euler steps per clip, default the preset's; batch: that of the context, if any.
        Raises UserError for a bad length, batch or number of steps, a context of the wrong shape or with values
        outside [0, 1], and a condition other than context.
        """
        steps = self.config.sampling_steps if steps is None else steps
        if steps < 1:
            raise UserError(f"a clip takes at least 1 step, not {steps}")
        context, batch = self.asked(frames, condition, batch, least=self.config.frames)
        return self._run(frames, context, seed, batch, steps)

    @torch.inference_mode()
    def _run(self, frames: int, context: Tensor | None, seed: int, batch: int, steps: int) -> Iterator[Tensor]:
        device = self.denoiser.place.device
        generator = torch.Generator().manual_seed(seed)
        shape = (batch, self.config.latent, self.denoiser.place.shape[1])
        z, made = torch.zeros(shape, device=device), 0  # zeros: no clip before the first
        if context is not None:
            yield context.float().cpu()
            z, made = self.autoencoder.encode(2 * context[:, -self.config.frames :].to(device) - 1), context.shape[1]
        while made < frames:
            if self.config.conditional == 0:  # has never seen a condition: all its clips are first clips
                z = torch.zeros_like(z)
            z = self.next_clip(z, torch.randn(shape, generator=generator).to(device), steps)
            clip = ((self.autoencoder.decode(z) + 1) / 2).clamp(0, 1).float().cpu()
            yield clip[:, : frames - made]
            made += clip.shape[1]

    def next_clip(self, condition: Tensor, eps: Tensor, steps: int) -> Tensor:
        """z^l from noise and z^(l-1) (zeros: none); predictions cut to [-1, 1], where tanh keeps all latents."""
        return sample(lambda z_t, t: self.denoise(z_t, condition, t).clamp(-1, 1), eps, steps)


METHOD = PVDM
