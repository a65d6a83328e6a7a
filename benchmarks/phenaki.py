"""Rows of Phenaki: our C-ViViT and masked transformer beside those of phenaki-pytorch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.ready import count, inferred, randn, trained
from benchmarks.row import OURS, Built, Contender, Row
from benchmarks.shim import declare_operators
from reproductions.contract import Batch, Condition
from reproductions.methods.phenaki import Config, Phenaki
from reproductions.worlds.captions import encode

__all__ = ["ROWS"]

PEER = "phenaki-pytorch"
SIDE, PATCH, FRAMES, BATCH = 32, 4, 11, 2
WIDTH, HEADS, CODES, ROUNDS, FEW = 128, 4, 512, 8, 3
STEPS = (FRAMES + 1) // 2
TOKENS = STEPS * (SIDE // PATCH) ** 2
KEPT, LONG = 5, 4 * FRAMES
"""Frames that open the next window; frames of the extension, which takes FEW rounds a window to take seconds."""
CAPTION, WORDS, TEXT = "a large red circle moving slowly", 21, 256


def _ours(rounds: int = ROUNDS) -> Phenaki:
    torch.manual_seed(0)
    return Phenaki(
        Config(
            side=SIDE, patch=PATCH, stem=0, group=1, frames=FRAMES, width=WIDTH, depth=2, tokenizer_heads=HEADS,
            codes=CODES, code_size=32, channels=WIDTH, layers=4, heads=HEADS, rounds=rounds, context=KEPT,
        )
    )  # fmt: skip


def _clips(model: Phenaki) -> Batch:
    return model.clips(np.random.default_rng(0), BATCH)


def _ours_tokenizer() -> Built:
    model = _ours()
    video = _clips(model).video
    return inferred(model.tokenizer, lambda: model.tokenizer.paint(model.tokenizer.tokens(video)))


def _ours_tokenizer_training() -> Built:
    model, step = _ours(), itertools.count()
    clips = _clips(model)
    model.train()
    return trained(model.tokenizer, lambda: model.loss_codes(clips, next(step))["loss"])


def _ours_forward() -> Built:
    net = _ours().net
    assert net is not None
    tokens = torch.randint(CODES + 1, (BATCH, TOKENS), generator=torch.Generator().manual_seed(0))
    words = torch.from_numpy(encode([CAPTION] * BATCH, WORDS))
    return inferred(net, lambda: net(tokens, words))


def _ours_training() -> Built:
    model, step = _ours(), itertools.count()
    clips = _clips(model)
    assert model.net is not None
    return trained(model.net, lambda: model.loss_tokens(clips, next(step))["loss"])


def _ours_video(frames: int, rounds: int) -> Built:
    model, told = _ours(rounds), Condition(captions=(CAPTION,))
    return inferred(model, lambda: sum(chunk.shape[1] for chunk in model.stream(frames, told)))


# --- phenaki-pytorch ------------------------------------------------------------------------------------------------


def _their_tokenizer() -> Any:
    declare_operators()
    from phenaki_pytorch import CViViT

    torch.manual_seed(0)
    return CViViT(
        dim=WIDTH, codebook_size=CODES, image_size=SIDE, patch_size=PATCH, temporal_patch_size=2, spatial_depth=2,
        temporal_depth=2, dim_head=WIDTH // HEADS, heads=HEADS, use_vgg_and_gan=False, lookup_free_quantization=False,
    )  # fmt: skip


def _theirs(rounds: int = ROUNDS) -> Any:
    tokenizer = _their_tokenizer()
    from phenaki_pytorch import MaskGit
    from phenaki_pytorch import Phenaki as Theirs
    from phenaki_pytorch.t5 import DEFAULT_T5_NAME, T5_CONFIGS
    from transformers import T5Config

    T5_CONFIGS[DEFAULT_T5_NAME] = {"config": T5Config()}  # else it is downloaded, for its size alone
    net = MaskGit(
        dim=WIDTH, num_tokens=CODES, max_seq_len=TOKENS, heads=HEADS, dim_head=WIDTH // HEADS, depth=4, dim_context=TEXT
    )  # fmt: skip
    model = Theirs(maskgit=net, cvivit=tokenizer, steps=rounds, text_embed_dim=TEXT)
    # There is no text encoder to download: every caption is the same vectors, and costs nothing. Ours is encoded.
    model.encode_texts = lambda texts, output_device=None: randn(1, WORDS, TEXT).expand(len(texts), -1, -1)
    return model


def _video() -> Tensor:
    return _clips(_ours()).video.transpose(1, 2).contiguous()


def _codebook(model: Any) -> Tensor:
    book: Tensor = model.vq._codebook.embed
    return book


def _their_tokenizer_forward() -> Built:
    model, video = _their_tokenizer(), _video()
    return inferred(model, lambda: model(video, return_recons_only=True), _codebook(model))


def _their_tokenizer_training() -> Built:
    model, video = _their_tokenizer(), _video()
    return trained(model, lambda: model(video), _codebook(model))


def _their_forward() -> Built:
    net = _theirs().maskgit
    side = SIDE // PATCH
    tokens = torch.randint(CODES + 1, (BATCH, STEPS, side, side), generator=torch.Generator().manual_seed(0))
    text = randn(1, WORDS, TEXT).expand(BATCH, -1, -1)
    seen = torch.ones(BATCH, WORDS, dtype=torch.bool)
    return inferred(net, lambda: net(tokens, context=text, text_mask=seen))


def _their_training() -> Built:
    model, video = _theirs(), _video()
    built = trained(model.maskgit, lambda: model(video, texts=[CAPTION] * BATCH))
    model.cvivit.eval()
    return built


def _their_video(windows: int, rounds: int) -> Built:
    """One window as `sample` makes it, or several by the library's own `make_video`."""
    model = _theirs(rounds)
    from phenaki_pytorch import make_video

    new = FRAMES - KEPT

    def run() -> Any:
        if windows == 1:
            return model.sample(texts=CAPTION, num_frames=FRAMES, cond_scale=2.0)
        return make_video(model, [CAPTION] * windows, (FRAMES, *[new] * (windows - 1)), (KEPT,) * (windows - 1))

    built = inferred(model, run)
    return Built(built.run, count(model.maskgit, *model.cvivit.parameters(), _codebook(model.cvivit)))


WINDOWS = 1 + -(-(LONG - FRAMES) // (FRAMES - KEPT))
_CLIPS = f"{BATCH} clips of {FRAMES} frames, {SIDE} x {SIDE}"
_TOKENS = f"{BATCH} sequences of {TOKENS} tokens, 4 layers of {WIDTH}"
ROWS = (
    Row(
        "cvivit-forward", "C-ViViT", "forward", _CLIPS,
        (
            Contender(OURS, _ours_tokenizer, label="CViViT, to codes and back"),
            Contender(PEER, _their_tokenizer_forward, PEER, "CViViT, to codes and back"),
        ),
    ),
    Row(
        "cvivit-training", "C-ViViT", "training step", _CLIPS,
        (
            Contender(OURS, _ours_tokenizer_training, label="CViViT"),
            Contender(PEER, _their_tokenizer_training, PEER, "CViViT without a discriminator"),
        ),
    ),
    Row(
        "phenaki-forward", "Masked transformer", "forward", _TOKENS,
        (
            Contender(OURS, _ours_forward, label="MaskedTransformer and its text encoder"),
            Contender(PEER, _their_forward, PEER, "MaskGit, text given"),
        ),
    ),
    Row(
        "phenaki-training", "Masked transformer", "training step", _CLIPS,
        (
            Contender(OURS, _ours_training, label="MaskedTransformer and its text encoder"),
            Contender(PEER, _their_training, PEER, "MaskGit, text given"),
        ),
    ),
    Row(
        "phenaki-sampling", "Phenaki", "sampling",
        f"1 video of {FRAMES} frames, {SIDE} x {SIDE}, {ROUNDS} rounds, guided",
        (
            Contender(OURS, lambda: _ours_video(FRAMES, ROUNDS), label="Phenaki"),
            Contender(PEER, lambda: _their_video(1, ROUNDS), PEER, "Phenaki.sample"),
        ),
        repeats=10,
    ),
    Row(
        "phenaki-extension", "Phenaki, from n to 4n frames", "extension",
        f"{LONG} frames in windows of {FRAMES}, {SIDE} x {SIDE}, {FEW} rounds, guided",
        (
            Contender(OURS, lambda: _ours_video(LONG, FEW), label="Phenaki, as a stream"),
            Contender(PEER, lambda: _their_video(WINDOWS, FEW), PEER, "make_video"),
        ),
        repeats=5, memory_counts=True,
    ),
)  # fmt: skip
