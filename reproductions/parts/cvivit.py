"""C-ViViT: videos as codes of which each depends on what came before it alone.

Source: Phenaki (Villegas et al., arXiv 2210.02399), section 2.1. Shapes: b batch, t = 1 + 2n frames of h x w pixels,
1 + n steps, patches of p x p pixels, `sites` codes of a step, one or `group` for every patch, c channels.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from einops import rearrange, reduce
from torch import Tensor, nn

from reproductions.parts.autoencoder import Block
from reproductions.parts.quantise import VectorQuantiser
from reproductions.parts.transformer import Transformer, causal_mask

__all__ = ["CViViT"]


class CViViT(nn.Module):
    """Frames to codes and back: full attention within a step, causal attention from step to step, on both ways.

    A step is the first frame, cut into p x p patches, or two further frames, cut into 2 x p x p patches. So a single
    picture is a video of one step, and any number of steps up to the longest can be coded or painted.

    side, patch: pixels; frames: 1 + 2n at most; width: channels; depth: spatial layers, and as many temporal ones, of
    the encoder and of the decoder; codes, code_size: the codebook's; stem: channels of the convolutions that every
    frame passes alone before its patches are put together, and after they were taken apart, the patch a power of 2; 0
    as published: a patch of pixels is embedded, and painted, by one linear map; group: how many codes of the one
    codebook a patch has, one as published; they stand in a row wherever sites are counted; per_frame: every frame is a
    step, coded by itself: the temporal layers attend within the frame too. The size stays nearly the same.
    """

    def __init__(
        self,
        side: int,
        patch: int,
        frames: int,
        width: int,
        depth: int,
        heads: int,
        codes: int,
        code_size: int,
        stem: int = 0,
        group: int = 1,
        per_frame: bool = False,
    ) -> None:
        super().__init__()
        self.cells, self.group, self.pairs = side // patch, group, not per_frame
        steps = (frames + 1) // 2 if self.pairs else 1  # steps whose place in time is told apart
        levels = patch.bit_length() - 1 if stem else 0
        self.see = _narrowing(levels, stem, width) if stem else nn.PixelUnshuffle(patch)
        self.show = _widening(levels, stem, width) if stem else nn.PixelShuffle(patch)
        features = width if stem else 3 * patch**2
        self.embed, self.paint_step = nn.ModuleList(), nn.ModuleList()  # of the first frame, and of two
        for count in (1, 2)[: 1 + self.pairs]:
            embed = nn.Linear(count * features, width)
            self.embed.append(nn.Sequential(embed, nn.LayerNorm(width)) if stem else embed)
            self.paint_step.append(nn.Linear(width, count * features))
        self.place_in, self.place_out = (
            nn.Parameter(torch.randn(steps, self.cells**2, width) * 0.02) for _ in range(2)
        )
        self.encode_space, self.encode_time, self.decode_time, self.decode_space = (
            Transformer(width, depth, heads) for _ in range(4)
        )
        self.to_code, self.from_code = nn.Linear(width, group * code_size), nn.Linear(group * code_size, width)
        self.codes = VectorQuantiser(codes, code_size)

    def encode(self, video: Tensor) -> Tensor:
        """z before quantisation, (b, steps, sites, code_size), of frames (b, t, 3, h, w) in [0, 1]."""
        features = self._pictures(self.see, 2 * video - 1)
        steps = [rearrange(step, "b t c y x -> b t (y x) c") for step in self._steps(features)]
        z = torch.cat([embed(step) for embed, step in zip(self.embed, steps, strict=False)], 1)
        z = self._in_space(self.encode_space, z + self.place_in[: z.shape[1]])
        z = self.to_code(self._in_time(self.encode_time, z))
        return rearrange(z, "b t n (g c) -> b t (n g) c", g=self.group)

    def tokens(self, video: Tensor) -> Tensor:
        """The numbers of the codes: (b, steps, sites) int64."""
        return self.codes.nearest(self.encode(video))

    def decode(self, e: Tensor) -> Tensor:
        """Codes (b, steps, sites, code_size) to frames (b, t, 3, h, w), about in [0, 1]."""
        x = self.from_code(rearrange(e, "b t (n g) c -> b t n (g c)", g=self.group)) + self.place_out[: e.shape[1]]
        x = self._in_space(self.decode_space, self._in_time(self.decode_time, x))
        parts = x.split([1, x.shape[1] - 1], 1) if self.pairs else [x]
        frames = [
            rearrange(paint(part), "b t (y x) (s c) -> b (t s) c y x", y=self.cells, s=count)
            for count, (paint, part) in enumerate(zip(self.paint_step, parts, strict=True), 1)
        ]
        return (self._pictures(self.show, torch.cat(frames, 1)) + 1) / 2

    def paint(self, tokens: Tensor) -> Tensor:
        """Numbers of codes (b, steps, sites) to frames (b, t, 3, h, w) in [0, 1]."""
        return self.decode(self.codes.lookup(tokens)).clamp(0, 1)

    def near(self, pixels: Tensor) -> Tensor:
        """The codes of patches in which any of the pixels, (b, t, 1, h, w) bool, is True: (b, steps, sites) bool."""
        side = self.cells
        found = [
            reduce(step.float(), "b t s (y p) (x q) -> b t (y x)", "max", y=side, x=side) > 0
            for step in self._steps(pixels)
        ]
        return torch.cat(found, 1).repeat_interleave(self.group, -1)

    def _steps(self, x: Tensor) -> list[Tensor]:
        """Frames as pictures with the colours of all frames of a step, (b, steps, s * 3, h, w): first, then pairs."""
        if not self.pairs or x.shape[1] == 1:
            return [x]
        return [x[:, :1], rearrange(x[:, 1:], "b (t s) c h w -> b t (s c) h w", s=2)]

    def _pictures(self, net: nn.Module, x: Tensor) -> Tensor:
        """A network of single pictures over (b, t, c, h, w); colours last in memory, as a CPU convolves fastest."""
        y = net(x.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        return y.contiguous().unflatten(0, x.shape[:2])

    def _in_space(self, net: Transformer, x: Tensor) -> Tensor:
        return rearrange(net(rearrange(x, "b t n c -> (b t) n c")), "(b t) n c -> b t n c", b=len(x))

    def _in_time(self, net: Transformer, x: Tensor) -> Tensor:
        if not self.pairs:
            return self._in_space(net, x)
        mask = causal_mask(x.shape[1], x.shape[1], x.device)
        return rearrange(net(rearrange(x, "b t n c -> (b n) t c"), mask), "(b n) t c -> b t n c", b=len(x))


def _narrowing(levels: int, stem: int, width: int) -> nn.Sequential:
    """A picture to `width` features of patches of 2^levels pixels: 3x3 convolutions, each halving the side."""
    layers: list[nn.Module] = []
    for before, behind in pairwise([3, *[stem] * (levels - 1), width]):
        layers += [nn.SiLU(), nn.Conv2d(before, behind, 3, 2, 1)]
    return _begun(nn.Sequential(*layers[1:]))


def _widening(levels: int, stem: int, width: int) -> nn.Sequential:
    """The way back: the side doubles by taking apart the channels, with a block of 3x3 convolutions behind."""
    layers: list[nn.Module] = []
    for before in [width, *[stem] * (levels - 2)][: levels - 1]:
        layers += [nn.Conv2d(before, 4 * stem, 1), nn.PixelShuffle(2), Block(stem, 3), nn.SiLU()]
    last = nn.Conv2d(stem if levels > 1 else width, 4 * 3, 3, padding=1)
    net = _begun(nn.Sequential(*layers, last, nn.PixelShuffle(2)))
    with torch.no_grad():
        last.weight.mul_(0.01)  # a picture begins as nearly grey
    return net


def _begun(net: nn.Sequential) -> nn.Sequential:
    """Weights such that a layer's output is as large as its input; the blocks begin as nothing."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias if layer.bias is not None else torch.empty(0))
    for layer in net:
        if isinstance(layer, Block):
            nn.init.zeros_(layer.two.weight)
    return net
