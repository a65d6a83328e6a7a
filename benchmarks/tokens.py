"""Rows of tokens: a transformer layer, autoregressive decoding with a cache, and the vector quantiser."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.ready import count, greatest, inferred, randn, trained
from benchmarks.row import OURS, Built, Contender, Row
from benchmarks.shim import declare_operators
from reproductions.parts.quantise import VectorQuantiser
from reproductions.parts.token_prior import TokenPrior
from reproductions.parts.transformer import Layer, draw_token

__all__ = ["ROWS", "layer_row"]

WIDTH, HEADS, LAYERS = 256, 4, 4
CODES, LENGTH, SLICE = 512, 256, 32
"""Codes, numbers in a sequence, and how many of these a slice has."""
BATCH, TOP, DECODED = 2, 50, 128
ENTRIES, CHANNELS = 1024, 32
XTRANSFORMERS, QUANTISE, TORCH = "x-transformers", "vector-quantize-pytorch", "torch.nn"


# --- one layer, with the same weights ---------------------------------------------------------------------------------


def _layer(width: int) -> Layer:
    torch.manual_seed(0)
    layer = Layer(width, HEADS, None)
    nn.init.zeros_(layer.attend.out.bias)  # the one that x-transformers does not have
    return layer


def _torch_layer(width: int) -> nn.TransformerEncoderLayer:
    own = _layer(width)
    layer = nn.TransformerEncoderLayer(width, HEADS, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
    attend, first, last = layer.self_attn, own.net[0], own.net[2]
    assert attend.in_proj_weight is not None
    with torch.no_grad():
        attend.in_proj_weight.copy_(torch.cat([own.attend.q.weight, own.attend.kv.weight]))
        attend.in_proj_bias.zero_()
    for theirs, ours in (
        (attend.out_proj, own.attend.out), (layer.norm1, own.norm1), (layer.norm2, own.norm2), (layer.linear1, first),
        (layer.linear2, last),
    ):  # fmt: skip
        theirs.load_state_dict(ours.state_dict())
    return layer


def _x_layer(width: int) -> Any:
    declare_operators()
    from x_transformers import Encoder

    one = Encoder(dim=width, depth=1, heads=HEADS, attn_dim_head=width // HEADS, pre_norm_has_final_norm=False)
    return _mapped(one, [_layer(width)])


def _mapped(layers: Any, own: list[Layer]) -> Any:
    """x-transformers' layers with our weights; its norms have no bias, and ours are zero at the start."""
    attends, nets = layers.layers[::2], layers.layers[1::2]
    for layer, (norms, attend, _), (net_norms, net, _) in zip(own, attends, nets, strict=True):
        k, v = layer.attend.kv.weight.chunk(2)
        with torch.no_grad():
            for theirs, ours in (
                (norms[0].gamma, layer.norm1.weight - float(norms[0].unit_offset)),
                (net_norms[0].gamma, layer.norm2.weight - float(net_norms[0].unit_offset)),
                (attend.to_q.weight, layer.attend.q.weight), (attend.to_k.weight, k), (attend.to_v.weight, v),
                (attend.to_out.weight, layer.attend.out.weight),
            ):  # fmt: skip
                theirs.copy_(ours)
        linear = [module for module in net.modules() if isinstance(module, nn.Linear)]
        for there, here in zip(linear, (layer.net[0], layer.net[2]), strict=True):
            there.load_state_dict(here.state_dict())
    return layers


def _layer_contender(make: Callable[[int], Any], width: int, length: int) -> Callable[[], Built]:
    def build() -> Built:
        layer, x = make(width), randn(8, length, width)
        if isinstance(layer, Layer):
            return inferred(layer, lambda: layer(x, None, None, None, None, 0))
        return inferred(layer, lambda: layer(x))

    return build


def layer_row(name: str, width: int = WIDTH, length: int = LENGTH) -> Row:
    """One layer of a transformer: attention and network, norms in front."""
    makers = {OURS: _layer, TORCH: _torch_layer, XTRANSFORMERS: _x_layer}
    built = {name: _layer_contender(make, width, length) for name, make in makers.items()}

    def difference(peer: str) -> Callable[[], float]:
        return lambda: greatest(built[OURS]().run(), built[peer]().run())

    return Row(
        name, "Transformer layer", "forward", f"8 sequences of {length} vectors of {width}, {HEADS} heads",
        (
            Contender(OURS, built[OURS], label="Layer"),
            Contender(TORCH, built[TORCH], "torch", "TransformerEncoderLayer"),
            Contender(XTRANSFORMERS, built[XTRANSFORMERS], XTRANSFORMERS, "Encoder of depth 1"),
        ),
        parity=tuple((peer, difference(peer)) for peer in (TORCH, XTRANSFORMERS)),
    )  # fmt: skip


# --- sequences of code numbers ------------------------------------------------------------------------------------


def _numbers() -> Tensor:
    return torch.randint(CODES, (BATCH, LENGTH), generator=torch.Generator().manual_seed(0))


def _prior() -> TokenPrior:
    torch.manual_seed(0)
    prior = TokenPrior(CODES, LENGTH, SLICE, WIDTH, LAYERS, HEADS)
    for layer in prior.net.layers:
        assert isinstance(layer, Layer)
        nn.init.zeros_(layer.attend.out.bias)
    return prior


def _wrapped() -> Any:
    """x-transformers' decoder with the weights of ours: it embeds the places by one vector each, ours by two."""
    declare_operators()
    from x_transformers import Decoder, TransformerWrapper

    own = _prior()
    model = TransformerWrapper(
        num_tokens=CODES + 1, max_seq_len=LENGTH, tie_embedding=True, tie_embedding_scale=1.0,
        attn_layers=Decoder(dim=WIDTH, depth=LAYERS, heads=HEADS, attn_dim_head=WIDTH // HEADS),
    )  # fmt: skip
    _mapped(model.attn_layers, [layer for layer in own.net.layers if isinstance(layer, Layer)])
    with torch.no_grad():
        model.token_emb.emb.weight.copy_(own.vector)
        places = (own.slice[:, None] + own.place).flatten(0, 1)
        model.pos_emb.emb.weight.copy_(places / model.pos_emb.scale)
    return model


def _ours_forward() -> Built:
    prior, z = _prior(), _numbers()
    return inferred(prior, lambda: prior.causal(z))


def _wrapped_forward() -> Built:
    model, z = _wrapped(), _prior().begin(_numbers()[:, :-1])
    return inferred(model, lambda: model(z)[..., :CODES])


def _ours_training() -> Built:
    prior, z = _prior(), _numbers()
    return trained(prior, lambda: prior.loss(z))


def _wrapped_training() -> Built:
    model, z = _wrapped(), _numbers()
    begun = _prior().begin(z[:, :-1])
    return trained(model, lambda: F.cross_entropy(model(begun).flatten(0, 1), z.flatten()))


def _ours_decoding() -> Built:
    prior, generator = _prior(), torch.Generator().manual_seed(0)

    def run() -> Tensor:
        slices = prior.slide(LENGTH // SLICE, SLICE, BATCH, lambda logits: draw_token(logits, generator, top_k=TOP))
        return torch.cat(list(islice(slices, DECODED // SLICE)), 1)

    return inferred(prior, run)


def _wrapped_decoding() -> Built:
    model, begin = _wrapped(), torch.full((BATCH, 1), CODES)
    from x_transformers import AutoregressiveWrapper

    wrapper = AutoregressiveWrapper(model)
    return inferred(wrapper, lambda: wrapper.generate(begin, DECODED, filter_kwargs={"k": TOP}, cache_kv=True))


# --- the quantiser ------------------------------------------------------------------------------------------------


def _quantiser() -> VectorQuantiser:
    torch.manual_seed(0)
    return VectorQuantiser(ENTRIES, CHANNELS)


def _their_quantiser() -> Any:
    declare_operators()
    from vector_quantize_pytorch import VectorQuantize

    layer = VectorQuantize(
        dim=CHANNELS, codebook_size=ENTRIES, use_cosine_sim=True, commitment_weight=0.25
    )  # fmt: skip
    with torch.no_grad():
        layer._codebook.embed.copy_(_quantiser().codebook)
    return layer


def _vectors() -> Tensor:
    return randn(8, 1024, CHANNELS)


def _quantised(make: Callable[[], Any]) -> Built:
    layer, z = make(), _vectors()
    return inferred(layer, lambda: layer(z), *_codebook(layer))


def _quantiser_training(make: Callable[[], Any]) -> Built:
    """The vectors are learned too, so that gradients go on past the codes."""
    layer, z = make(), nn.Parameter(_vectors())

    def loss() -> Tensor:
        codes, _, loss = layer(z)
        return loss.sum() + codes.square().mean()

    # What is learned by averaging is no parameter; the optimiser then has the vectors alone.
    held = nn.ParameterDict({"z": z})
    held.add_module("layer", layer)
    built = trained(held, loss)
    return Built(built.run, count(layer, *_codebook(layer)))


def _codebook(layer: Any) -> list[Tensor]:
    """The codebook where it is no parameter, as their default is: it follows the vectors by moving averages."""
    return [] if isinstance(layer, VectorQuantiser) else [layer._codebook.embed]


def _quantiser_difference() -> float:
    """Of the codes; infinite where the numbers differ."""
    (own, number, _), (theirs, their_number, _) = (_quantised(m).run() for m in (_quantiser, _their_quantiser))
    return greatest(own, theirs) if bool((number == their_number).all()) else float("inf")


_SHAPE = f"{BATCH} sequences of {LENGTH} numbers, {LAYERS} layers of {WIDTH}"
ROWS = (
    layer_row("layer"),
    Row(
        "transformer-forward", "Autoregressive transformer", "forward", _SHAPE,
        (
            Contender(OURS, _ours_forward, label="TokenPrior"),
            Contender(XTRANSFORMERS, _wrapped_forward, XTRANSFORMERS, "TransformerWrapper"),
        ),
        parity=((XTRANSFORMERS, lambda: greatest(_ours_forward().run(), _wrapped_forward().run())),),
    ),
    Row(
        "transformer-training", "Autoregressive transformer", "training step", _SHAPE,
        (
            Contender(OURS, _ours_training, label="TokenPrior"),
            Contender(XTRANSFORMERS, _wrapped_training, XTRANSFORMERS, "TransformerWrapper"),
        ),
    ),
    Row(
        "transformer-decoding", "Autoregressive transformer, decoding with a cache", "sampling",
        f"{BATCH} sequences of {DECODED} numbers, {LAYERS} layers of {WIDTH}",
        (
            Contender(OURS, _ours_decoding, label="TokenPrior"),
            Contender(XTRANSFORMERS, _wrapped_decoding, XTRANSFORMERS, "AutoregressiveWrapper"),
        ),
        repeats=10,
    ),
    Row(
        "quantiser-forward", "Vector quantiser", "forward", f"8,192 vectors of {CHANNELS}, {ENTRIES} codes",
        (
            Contender(OURS, lambda: _quantised(_quantiser), label="VectorQuantiser"),
            Contender(QUANTISE, lambda: _quantised(_their_quantiser), QUANTISE, "VectorQuantize, cosine"),
        ),
        parity=((QUANTISE, _quantiser_difference),),
    ),
    Row(
        "quantiser-training", "Vector quantiser", "training step", f"8,192 vectors of {CHANNELS}, {ENTRIES} codes",
        (
            Contender(OURS, lambda: _quantiser_training(_quantiser), label="VectorQuantiser"),
            Contender(QUANTISE, lambda: _quantiser_training(_their_quantiser), QUANTISE, "VectorQuantize, cosine"),
        ),
    ),
)  # fmt: skip
