import dataclasses
import math
from itertools import islice

import numpy as np
import pytest
import torch

import reproductions
from kiloframe.errors import UserError
from reproductions.contract import Batch, Condition
from reproductions.measures.shapes_reader import CLEAR, read_shapes
from reproductions.methods.tats import TATS, Config, interpolation_mask
from reproductions.parts.transformer import draw_token
from reproductions.worlds.base import EVALUATION_SEEDS
from reproductions.worlds.shapes import Shapes


@pytest.fixture(scope="module")
def trained():
    return reproductions.load("tats")


@pytest.fixture
def model():
    torch.manual_seed(0)
    return TATS(Config.smoke())


def real(frames, count=8):
    return torch.from_numpy(Shapes(16).batch(EVALUATION_SEEDS + np.arange(count), np.zeros(count, int), frames).video)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


# --- the mask ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tokens", "between"), [(1, 1), (2, 3), (4, 2)])
@pytest.mark.parametrize("leak", [False, True])
def test_the_mask_is_its_three_rules(tokens, between, leak):
    """Brute force, rule by rule, over named positions."""
    names = ["c", *["A"] * tokens, *["m"] * (between * tokens), *["B"] * tokens]
    mask = interpolation_mask(tokens, between, leak=leak)
    assert mask.shape == (len(names),) * 2
    for q, query in enumerate(names):
        for k, key in enumerate(names):
            if key in "cAB":
                allowed = True  # every query may see A and B (and the start)
            elif query == "m":
                allowed = k <= q  # the middle is causal
            else:
                allowed = leak and query == "B"  # nothing else sees the middle
            assert mask[q, k] == allowed, (query, key, q, k)


def test_no_prediction_hears_of_what_it_predicts_unless_the_mask_leaks(model):
    """Through any number of layers: that is what the last rule is for."""
    model.interpolation = type(model.interpolation)(16, 1 + 5 * 16, 16, 16, 3, 2)
    z = torch.randint(16, (2, 80), generator=rng())
    changed = z.clone()
    changed[:, 40] = (changed[:, 40] + 1) % 16  # the 25th number of the middle
    heard = {}
    for leak in (False, True):
        model.config = dataclasses.replace(model.config, leak=leak)
        with torch.no_grad():
            apart = (model.gap_logits(changed) - model.gap_logits(z)).abs().amax((0, 2)) > 1e-7
        heard[leak] = apart[: 40 - 16 + 1].any().item()
        assert apart[40 - 16 + 1 :].all(), "the numbers after it do hear of it"
        assert len(apart) == 48
    assert heard == {False: False, True: True}


def test_filling_with_a_cache_is_filling_without(model):
    """Brute force: at every step a whole pass over c, A, the middle so far (the rest is masked) and B."""
    model.config = dataclasses.replace(model.config, top_k=1)
    a, b = (torch.randint(16, (3, 16), generator=rng(s)) for s in (0, 1))
    fast = model.fill(a, b, rng())
    middle = torch.zeros(3, 48, dtype=torch.int64)
    with torch.no_grad():
        for i in range(48):
            middle[:, i] = model.gap_logits(torch.cat([a, middle, b], 1))[:, i].argmax(-1)
    assert torch.equal(fast.flatten(1), middle)


def test_the_far_end_matters_to_what_is_filled_in(trained):
    z = trained.encode(real(34))
    own = trained.fill(z[:, 0], z[:, 4], rng())
    other = trained.fill(z[:, 0], z[:, 4].roll(1, 0), rng())
    truth = z[:, 1:4]
    assert (own == truth).float().mean() > (other == truth).float().mean() + 0.05


# --- losses -----------------------------------------------------------------------------------------------------------


def test_the_transformers_are_trained_on_the_slices_they_will_meet(model):
    """Which numbers reach which loss: consecutive, every 4th, and five in a row."""
    seen = {}
    for name in ("base", "sparse"):
        getattr(model, name).loss = lambda z, name=name: seen.setdefault(name, z).float().mean()
    model.encode = lambda video: (
        video[:, ::2, 0, 0, :1].mul(1000).round().long().expand(-1, -1, 16)
    )  # the first frame's
    model.gap_logits = lambda z: seen.setdefault("gap", z)[:, 16:-16, None].float().expand(-1, -1, 16)
    clip = (torch.arange(model._length + 3) / 1000).view(1, -1, 1, 1, 1).expand(1, -1, 3, 16, 16)
    model.base_loss(clip, 0)
    model.sparse_loss(Batch(clip), 0)
    model.interpolation_loss(clip, 0)
    first = {name: z[:, ::16] - z[0, 0] for name, z in seen.items()}
    assert first["base"].tolist() == [[0, 2], [4, 6]]
    assert first["sparse"].tolist() == [[0, 8], [2, 10], [4, 12], [6, 14]]
    assert first["gap"].tolist() == [[0, 2, 4, 6, 8]]


def test_the_first_loss_of_a_transformer_is_that_of_guessing():
    config = dataclasses.replace(Config.smoke(), codes=64)
    torch.manual_seed(0)
    guess = TATS(config)
    clip = guess.clips(np.random.default_rng(0), 2)
    for loss in (guess.base_loss, guess.sparse_loss, guess.interpolation_loss):
        assert float(loss(clip, 0)["loss"].detach()) == pytest.approx(math.log(64), abs=1)


def test_the_tokenizer_loss_weighs_the_foreground(model):
    clip = real(model._length + 3, 2)
    total = model.tokenizer_loss(clip, 0)
    x = model._cut(clip, 0, model.config.window)
    with torch.no_grad():
        x_hat, loss_vq = model.tokenizer(x)
    far = (x - Shapes(16).batch(np.array([0]), np.array([0]), 1).video.min()).abs()
    assert far.max() > 0.5
    ground = torch.tensor([0.05, 0.06, 0.11]).view(1, 1, 3, 1, 1)
    w = 1 + 9 * ((x - ground).abs() > 0.08).any(2, keepdim=True).float()
    error = (w * (x_hat - x).square()).sum() / (w.sum() * 3)
    assert float(total["error"]) == pytest.approx(float(error), rel=1e-4)
    assert float(total["loss"].detach()) == pytest.approx(20 * float(error) + float(loss_vq), rel=1e-4)


def test_the_tokenizer_begins_without_codes_and_ends_without_reviving_any(model):
    """What each of its stages does to the codebook: what it minimises, and what its loss moves by itself."""
    clip, codec = model.clips(np.random.default_rng(0), 2), model.tokenizer
    codec.quantiser.usage.zero_()  # all dead
    for stage, learnt, revived in zip(model.stages()[:3], (False, True, True), (True, True, False), strict=True):
        assert stage.modules == (codec,)
        model.zero_grad()
        before = codec.quantiser.codebook.detach().clone()
        stage.loss(clip, 0)["loss"].backward()
        grad = codec.quantiser.codebook.grad
        assert (grad is not None and bool(grad.any())) is learnt
        assert (not torch.equal(codec.quantiser.codebook, before)) is revived
        assert codec.encoder[0].join.weight.grad.any() and codec.decoder[-1].part.weight.grad.any()
        codec.quantiser.usage.zero_()
    assert [stage.constant for stage in model.stages()] == [True, True, False, False, False, False]


# --- time -------------------------------------------------------------------------------------------------------------


def test_equivariance_of_a_still_video_is_one_with_replicated_borders_only():
    still = real(1).expand(-1, 18, -1, -1, -1)
    for padding in ("replicate", "zeros"):
        torch.manual_seed(0)
        model = TATS(dataclasses.replace(Config.smoke(), padding=padding, codes=256))
        score = model.equivariance(still)
        assert score == 1 if padding == "replicate" else score < 1


def test_equivariance_counts_equal_numbers_one_slice_apart(model):
    """On numbers that are known: each slice's is the brightness of its first frame."""
    model.encode = lambda video: video[:, ::2, 0, 0, :1].long()
    steps = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]).view(1, -1, 1, 1, 1).float()
    assert model.equivariance(steps) == 1
    steps[:, 0] = 9  # belongs to the first clip alone, and its first slice has no partner
    assert model.equivariance(steps) == 1
    model.encode = lambda video: torch.arange(4).view(1, 4, 1) + 0 * video[:, ::2, 0, 0, :1].long()
    assert model.equivariance(steps) == 0, "numbers that count from the clip's own border"


def test_decoding_in_pieces_is_decoding_in_one_pass(model):
    z = torch.randint(16, (2, 24, 16), generator=rng())
    for size in (1, 3, 8):
        pieces = (z[:, i : i + size] for i in range(0, 24, size))
        made = torch.cat(list(model._decode(pieces, 40)), 1)
        whole = model.tokenizer.decode(z.view(2, 24, 4, 4))
        torch.testing.assert_close(made, whole[:, :40], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("schedule", ["sliding", "hierarchical"])
def test_a_longer_video_starts_with_the_shorter_one(model, schedule):
    long = model.generate(40, schedule=schedule, seed=3)
    assert torch.equal(model.generate(17, schedule=schedule, seed=3), long[:, :17])


def test_the_hierarchy_keeps_its_sparse_slices(model):
    """Every 4th slice of what is decoded is the sparse transformer's; the rest fills the gaps between these."""
    chunks = torch.cat(list(islice(model._hierarchical(2, rng()), 3)), 1)
    draws = rng()
    sparse = model._slide("sparse", 2, 2, draws)
    last = next(sparse)
    for gap in range(3):  # gaps = 1 in this preset
        key = next(sparse)
        assert torch.equal(chunks[:, 4 * gap], last)
        assert torch.equal(chunks[:, 4 * gap + 1 : 4 * gap + 4], model.fill(last, key, draws))
        last = key


def test_numbers_are_drawn_as_the_preset_says(model):
    logits = torch.randn(5, 16, generator=rng())
    assert torch.equal(
        model._draw(logits, rng(1), 0.8), draw_token(logits, rng(1), top_k=model.config.top_k, top_p=0.8)
    )  # fmt: skip


def test_the_first_slice_is_drawn_more_freely(model):
    drawn, asked = model._draw, []
    model._draw = lambda logits, generator, top_p: asked.append(top_p) or drawn(logits, generator, top_p)
    list(islice(model._slide("base", 2, 3, rng()), 3))
    assert asked == [model.config.first_top_p] * 16 + [model.config.top_p] * 32
    assert model.config.first_top_p > model.config.top_p > model.config.gap_top_p


# --- what was learnt --------------------------------------------------------------------------------------------------


def test_the_tokenizer_reconstructs(trained):
    """Nearly all shapes are seen in their colours, and most of them read as what they are."""
    clip = real(8, 16)
    back = trained.tokenizer.decode(trained.tokenizer.encode(clip))
    blank = clip.flatten(3).median(-1).values[..., None, None]
    assert (back - clip).square().mean() < 0.07 * (blank - clip).square().mean()
    truth, read = read_shapes(clip.numpy()), read_shapes(back.detach().numpy())
    clear = truth.present & (truth.sight >= CLEAR)
    assert read.present[clear].mean() > 0.97
    assert (read.present & (read.kind == truth.kind) & (read.large == truth.large))[clear].mean() > 0.85
    apart = np.abs(read.position - truth.position).max(-1)[clear & read.present]
    assert np.median(apart) < 0.3, "pixels"


def test_the_transformers_know_what_comes_next(trained):
    """On videos that training never saw; the right order of slices is far likelier than a wrong one."""
    z = trained.encode(real(8))
    with torch.no_grad():
        assert trained.base.loss(z.flatten(1)) < 0.2 * math.log(trained.config.codes)
        wrong = z[:, [3, 6, 0, 5, 2, 7, 4, 1]]
        assert trained.base.loss(z.flatten(1)) < trained.base.loss(wrong.flatten(1)) - 0.7


# --- mistakes ---------------------------------------------------------------------------------------------------------

BAD = {
    "nothing": ({"frames": 0}, "at least 1 frame"),
    "batch": ({"frames": 8, "batch": 0}, "a batch has at least 1 video, not 0"),
    "schedule": ({"frames": 8, "schedule": "slide"}, "no schedule 'slide'; allowed: hierarchical, sliding"),
    "text": (
        {"frames": 8, "condition": Condition(captions=("a star",))},
        "cannot use captions; it takes: no condition",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_mistakes_are_met_by_the_call_itself(model, name):
    arguments, words = BAD[name]
    with pytest.raises(UserError, match=words):
        model.stream(**arguments)


def test_weights_without_a_part_say_so(trained):
    alone = TATS(dataclasses.replace(Config.toy(), **Config.variants()["zero-padding"]))
    for schedule, part in (("hierarchical", "sparse"), ("sliding", "base")):
        with pytest.raises(UserError, match=f"have no part '{part}'; they have: tokenizer"):
            alone.stream(8, schedule=schedule)
    small = TATS(dataclasses.replace(Config.smoke(), parts=("interpolation",), shares=(1.0,)))
    with pytest.raises(UserError, match="other sizes"):
        small.encode(real(16))


def test_an_interpolation_alone_borrows_the_rest_and_does_not_keep_it(trained):
    leaky = reproductions.load("tats", "leaky-mask")
    assert torch.equal(leaky.encode(real(16)), trained.encode(real(16)))
    assert all(name.startswith("interpolation.") for name in leaky.state_dict())
    assert leaky.config.leak and not trained.config.leak


def test_presets_and_their_sizes():
    sizes = {name: TATS.count(getattr(Config, name)()) for name in ("smoke", "toy", "gpu", "paper")}
    assert sizes["smoke"] < sizes["toy"] < sizes["gpu"] < sizes["paper"]
    kept = sizes["toy"] + sum(TATS.count(dataclasses.replace(Config.toy(), **v)) for v in Config.variants().values())
    assert 2 * kept < 4 * 2**20, "all weight files together"
    paper = TATS(Config.smoke()).config.paper()
    assert paper.every == 4 and paper.window == 4 and paper.codes == 16384
    with torch.device("meta"):
        built = TATS(paper)
    assert (built.per_slice, built.tokens) == (4, 256), "16x128x128 pixels become 4x16x16 numbers"
