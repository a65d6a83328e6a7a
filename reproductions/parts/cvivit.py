"""C-ViViT: videos as codes of which each depends on what came before it alone.

Source: Phenaki (Villegas et al., arXiv 2210.02399), section 2.1. Shapes: b batch, t = 1 + 2n frames of h x w pixels,
1 + n steps, `sites` patches of p x p pixels in a frame, c channels.
"""

from __future__ import annotations

import torch
from einops import rearrange, reduce
from torch import Tensor, nn

from reproductions.parts.quantise import VectorQuantiser
from reproductions.parts.transformer import Transformer, causal_mask

__all__ = ["CViViT"]


class CViViT(nn.Module):
    """Frames to codes and back: full attention within a step, causal attention from step to step, on both ways.

    A step is the first frame, cut into p x p patches, or two further frames, cut into 2 x p x p patches. So a single
    picture is a video of one step, and any number of steps up to the longest can be coded or painted.

    side, patch: pixels; frames: 1 + 2n at most; width: channels; depth: spatial layers, and as many temporal ones, of
    the encoder and of the decoder; codes, code_size: the codebook's; overlap: pixels that a patch is seen, and
    painted, beyond its edges; 0 as published; per_frame: every frame is a step, coded by itself: the temporal layers
    attend within the frame too. The size stays nearly the same.
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
        overlap: int = 0,
        per_frame: bool = False,
    ) -> None:
        super().__init__()
        self.cells, self.pairs = side // patch, not per_frame
        steps = (frames + 1) // 2 if self.pairs else 1  # steps whose place in time is told apart
        self.embed, self.paint_step = nn.ModuleList(), nn.ModuleList()  # of the first frame, and of two
        seen = patch + 2 * overlap  # a convolution strided by the patch is one linear map for every patch
        for colours in (3, 6)[: 1 + self.pairs]:
            self.embed.append(nn.Conv2d(colours, width, seen, patch, overlap))
            self.paint_step.append(nn.ConvTranspose2d(width, colours, seen, patch, overlap))
        self.place_in, self.place_out = (
            nn.Parameter(torch.randn(steps, self.cells**2, width) * 0.02) for _ in range(2)
        )
        self.encode_space, self.encode_time, self.decode_time, self.decode_space = (
            Transformer(width, depth, heads) for _ in range(4)
        )
        self.to_code, self.from_code = nn.Linear(width, code_size), nn.Linear(code_size, width)
        self.codes = VectorQuantiser(codes, code_size, memory=0.95)

    def encode(self, video: Tensor) -> Tensor:
        """z before quantisation, (b, steps, sites, code_size), of frames (b, t, 3, h, w) in [0, 1]."""
        parts = []
        for embed, step in zip(self.embed, self._steps(2 * video - 1), strict=False):
            parts.append(rearrange(embed(step.flatten(0, 1)), "(b t) c y x -> b t (y x) c", b=len(video)))
        z = torch.cat(parts, 1)
        z = self._in_space(self.encode_space, z + self.place_in[: z.shape[1]])
        return self.to_code(self._in_time(self.encode_time, z))

    def tokens(self, video: Tensor) -> Tensor:
        """The numbers of the codes: (b, steps, sites) int64."""
        return self.codes.nearest(self.encode(video))

    def decode(self, e: Tensor) -> Tensor:
        """Codes (b, steps, sites, code_size) to frames (b, t, 3, h, w), about in [0, 1]."""
        x = self.from_code(e) + self.place_out[: e.shape[1]]
        x = self._in_space(self.decode_space, self._in_time(self.decode_time, x))
        x = rearrange(x, "b t (y x) c -> b t c y x", y=self.cells)
        frames = []
        for paint, part in zip(self.paint_step, x.split([1, x.shape[1] - 1], 1) if self.pairs else [x], strict=True):
            if part.shape[1]:
                step = paint(part.flatten(0, 1))
                frames.append(rearrange(step, "(b t) (s c) h w -> b (t s) c h w", b=len(e), c=3))
        return (torch.cat(frames, 1) + 1) / 2

    def paint(self, tokens: Tensor) -> Tensor:
        """Numbers of codes (b, steps, sites) to frames (b, t, 3, h, w) in [0, 1]."""
        return self.decode(self.codes.lookup(tokens)).clamp(0, 1)

    def near(self, pixels: Tensor) -> Tensor:
        """In which patches any of the pixels, (b, t, 1, h, w) bool, is True: (b, steps, sites) bool."""
        side = self.cells
        found = [
            reduce(step.float(), "b t s (y p) (x q) -> b t (y x)", "max", y=side, x=side) > 0
            for step in self._steps(pixels)
        ]
        return torch.cat(found, 1)

    def _steps(self, x: Tensor) -> list[Tensor]:
        """Frames as pictures with the colours of all frames of a step, (b, steps, s * 3, h, w): first, then pairs."""
        if not self.pairs or x.shape[1] == 1:
            return [x]
        return [x[:, :1], rearrange(x[:, 1:], "b (t s) c h w -> b t (s c) h w", s=2)]

    def _in_space(self, net: Transformer, x: Tensor) -> Tensor:
        return rearrange(net(rearrange(x, "b t n c -> (b t) n c")), "(b t) n c -> b t n c", b=len(x))

    def _in_time(self, net: Transformer, x: Tensor) -> Tensor:
        if not self.pairs:
            return self._in_space(net, x)
        mask = causal_mask(x.shape[1], x.shape[1], x.device)
        return rearrange(net(rearrange(x, "b t n c -> (b n) t c"), mask), "(b n) t c -> b t n c", b=len(x))
