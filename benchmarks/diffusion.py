"""Rows of diffusion: the denoiser of `fdm` beside other video U-Nets, a residual block, and videos beyond the clip."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.ready import greatest, inferred, randn, trained
from benchmarks.row import OURS, Built, Contender, Row
from benchmarks.shim import declare_operators
from reproductions.methods.fdm import FDM, Config
from reproductions.parts.diffusion import sample
from reproductions.parts.residual import ImageBlock

__all__ = ["ROWS"]

BATCH, FRAMES, SIDE, STEPS = 2, 8, 16, 10
CLIP, LONG, FEW = 16, 64, 5
"""Frames of the extension: n, and 4n; and its steps, fewer, so that it takes seconds."""
WORDS = 4
"""Vectors of a condition, where a network demands one."""
DIFFUSERS, LUCIDRAINS = "diffusers", "video-diffusion-pytorch"


def _fdm(**changes: Any) -> FDM:
    torch.manual_seed(0)
    return FDM(Config(side=SIDE, **{"channels": (32, 56, 88), "window": FRAMES, "sampling_steps": STEPS, **changes}))


def _ours_forward() -> Built:
    model, x = _fdm(), randn(BATCH, FRAMES, 3, SIDE, SIDE)
    obs, index = torch.zeros(BATCH, FRAMES, 1, 1, 1), torch.arange(FRAMES).expand(BATCH, -1)
    t = torch.full((BATCH,), 0.5)
    return inferred(model, lambda: model.denoise(x, x, obs, index, t))


def _ours_training() -> Built:
    model, step = _fdm(), itertools.count()
    clip = model.clips(np.random.default_rng(0), BATCH)
    return trained(model, lambda: model.loss(clip, next(step))["loss"])


def _ours_sampling() -> Built:
    model, eps = _fdm(), randn(1, FRAMES, 3, SIDE, SIDE)
    obs, index = torch.zeros(1, FRAMES, 1, 1, 1), torch.arange(FRAMES)[None]
    return inferred(
        model, lambda: sample(lambda x, t: model.denoise(x, x, obs, index, t).clamp(-1, 1), eps, STEPS)
    )  # fmt: skip


# --- video-diffusion-pytorch --------------------------------------------------------------------------------------


def _unet3d() -> Any:
    declare_operators()
    from video_diffusion_pytorch import Unet3D

    torch.manual_seed(0)
    return Unet3D(dim=24, dim_mults=(1, 2, 3), attn_heads=4)


def _gaussian(timesteps: int) -> Any:
    net = _unet3d()
    from video_diffusion_pytorch import GaussianDiffusion

    return GaussianDiffusion(net, image_size=SIDE, num_frames=FRAMES, timesteps=timesteps)


def _unet3d_forward() -> Built:
    net, x, t = _unet3d(), randn(BATCH, 3, FRAMES, SIDE, SIDE), torch.full((BATCH,), 500)
    return inferred(net, lambda: net(x, t))


def _unet3d_training() -> Built:
    model, clip = _gaussian(1000), torch.rand(BATCH, 3, FRAMES, SIDE, SIDE)
    return trained(model, lambda: model(clip))


def _unet3d_sampling() -> Built:
    model = _gaussian(STEPS)
    return inferred(model, lambda: model.sample(batch_size=1))


# --- diffusers ----------------------------------------------------------------------------------------------------

_SIZES: Any = {
    "sample_size": SIDE, "in_channels": 3, "out_channels": 3, "block_out_channels": (16, 32, 48), "layers_per_block": 1,
    "norm_num_groups": 8, "cross_attention_dim": 32,
}  # fmt: skip


def _unet3d_condition() -> Any:
    declare_operators()
    from diffusers import UNet3DConditionModel

    torch.manual_seed(0)
    return UNet3DConditionModel(
        down_block_types=("DownBlock3D", "CrossAttnDownBlock3D", "CrossAttnDownBlock3D"),
        up_block_types=("CrossAttnUpBlock3D", "CrossAttnUpBlock3D", "UpBlock3D"), attention_head_dim=8, **_SIZES,
    )  # fmt: skip


def _condition_forward() -> Built:
    net, x, words = _unet3d_condition(), randn(BATCH, 3, FRAMES, SIDE, SIDE), randn(BATCH, WORDS, 32)
    return inferred(net, lambda: net(x, 500, words).sample)


def _condition_training() -> Built:
    net, x, words = _unet3d_condition(), randn(BATCH, 3, FRAMES, SIDE, SIDE), randn(BATCH, WORDS, 32)
    from diffusers import DDPMScheduler

    path = DDPMScheduler()

    def loss() -> Tensor:
        noise, t = torch.randn_like(x), torch.randint(0, 1000, (BATCH,))
        return F.mse_loss(net(path.add_noise(x, noise, t), t, words).sample, noise)

    return trained(net, loss)


def _condition_sampling() -> Built:
    net, eps, words = _unet3d_condition(), randn(1, 3, FRAMES, SIDE, SIDE), randn(1, WORDS, 32)
    from diffusers import DDIMScheduler

    path = DDIMScheduler()

    def run() -> Tensor:
        path.set_timesteps(STEPS)
        x = eps
        for t in path.timesteps:
            x = path.step(net(x, t, words).sample, t, x).prev_sample
        return x

    return inferred(net, run)


# --- one residual block, with the same weights ----------------------------------------------------------------------

_BLOCK, _VECTOR = (16, 64, 32, 32), 128


def _image_block() -> ImageBlock:
    torch.manual_seed(0)
    block = ImageBlock(64, 64, _VECTOR)
    for parameter in block.conv2.parameters():  # begins at zero, which would hide what comes before
        torch.nn.init.normal_(parameter, std=0.05)
    return block


def _resnet_block() -> Any:
    declare_operators()
    from diffusers.models.resnet import ResnetBlock2D

    block = ResnetBlock2D(
        in_channels=64, out_channels=64, temb_channels=_VECTOR, groups=8, eps=1e-5, time_embedding_norm="scale_shift"
    )  # fmt: skip
    names = {"norm1": "norm1", "conv1": "conv1", "time_emb_proj": "film", "norm2": "norm2", "conv2": "conv2"}
    for theirs, own in names.items():
        getattr(block, theirs).load_state_dict(getattr(_image_block(), own).state_dict())
    return block


def _block(make: Any) -> Built:
    block, x, vector = make(), randn(*_BLOCK), randn(_BLOCK[0], _VECTOR)
    return inferred(block, lambda: block(x, vector))


def _block_difference() -> float:
    return greatest(_block(_image_block).run(), _block(_resnet_block).run())


# --- beyond the clip ------------------------------------------------------------------------------------------------


def _ours_extension() -> Built:
    model = _fdm(channels=(24, 48, 80), window=CLIP, new=CLIP // 2, sampling_steps=FEW)

    def run() -> int:
        return sum(chunk.shape[1] for chunk in model.stream(LONG))

    return inferred(model, run)


def _free_noise() -> Built:
    declare_operators()
    from diffusers import AnimateDiffPipeline, DDIMScheduler, MotionAdapter, UNetMotionModel

    torch.manual_seed(0)
    net = UNetMotionModel(
        down_block_types=("DownBlockMotion", "CrossAttnDownBlockMotion", "CrossAttnDownBlockMotion"),
        up_block_types=("CrossAttnUpBlockMotion", "CrossAttnUpBlockMotion", "UpBlockMotion"), num_attention_heads=4,
        motion_num_attention_heads=4, **_SIZES,
    )  # fmt: skip
    parts: Any = dict.fromkeys(("vae", "text_encoder", "tokenizer"))
    # The network has its motion layers already; the adapter is only asked how long a clip may be.
    adapter = MotionAdapter(
        block_out_channels=_SIZES["block_out_channels"], motion_layers_per_block=1, motion_norm_num_groups=8,
        motion_num_attention_heads=4,
    )  # fmt: skip
    pipe: Any = AnimateDiffPipeline(**parts, unet=net, motion_adapter=adapter, scheduler=DDIMScheduler())
    pipe.set_progress_bar_config(disable=True)
    pipe.enable_free_noise(context_length=CLIP)
    # There is no text encoder to download: every prompt is the same four vectors.
    pipe.encode_prompt = lambda prompt, *_, **__: (randn(1, WORDS, 32).expand(len(prompt), -1, -1), None)
    scale = pipe.vae_scale_factor * SIDE

    def run() -> Any:
        return pipe(
            prompt="a", num_frames=LONG, height=scale, width=scale, num_inference_steps=FEW, guidance_scale=1.0,
            output_type="latent",
        ).frames  # fmt: skip

    return inferred(net, run)


_SHAPE = f"{BATCH} clips of {FRAMES} frames, {SIDE} x {SIDE}"
ROWS = (
    Row(
        "unet-forward", "Video U-Net", "forward", _SHAPE,
        (
            Contender(OURS, _ours_forward, label="the denoiser of fdm"),
            Contender(LUCIDRAINS, _unet3d_forward, LUCIDRAINS, "Unet3D"),
            Contender(DIFFUSERS, _condition_forward, DIFFUSERS, "UNet3DConditionModel"),
        ),
    ),
    Row(
        "unet-training", "Video U-Net", "training step", _SHAPE,
        (
            Contender(OURS, _ours_training, label="fdm"),
            Contender(LUCIDRAINS, _unet3d_training, LUCIDRAINS, "GaussianDiffusion"),
            Contender(DIFFUSERS, _condition_training, DIFFUSERS, "UNet3DConditionModel, noise prediction"),
        ),
    ),
    Row(
        "unet-sampling", "Video U-Net", "sampling", f"1 clip of {FRAMES} frames, {SIDE} x {SIDE}, {STEPS} steps",
        (
            Contender(OURS, _ours_sampling, label="fdm, Euler"),
            Contender(LUCIDRAINS, _unet3d_sampling, LUCIDRAINS, "GaussianDiffusion.sample"),
            Contender(DIFFUSERS, _condition_sampling, DIFFUSERS, "UNet3DConditionModel, DDIM"),
        ),
        repeats=6,
    ),
    Row(
        "block", "Residual block of convolutions", "forward", "16 pictures of 64 channels, 32 x 32",
        (
            Contender(OURS, lambda: _block(_image_block), label="ImageBlock"),
            Contender(DIFFUSERS, lambda: _block(_resnet_block), DIFFUSERS, "ResnetBlock2D"),
        ),
        parity=((DIFFUSERS, _block_difference),),
    ),
    Row(
        "diffusion-extension", "Video by diffusion, from n to 4n frames", "extension",
        f"{LONG} frames with a window of {CLIP}, {SIDE} x {SIDE}, {FEW} steps",
        (
            Contender(OURS, _ours_extension, label="fdm, autoregressive, as a stream"),
            Contender(DIFFUSERS, _free_noise, DIFFUSERS, "AnimateDiff with FreeNoise"),
        ),
        repeats=5, memory_counts=True,
    ),
)  # fmt: skip
