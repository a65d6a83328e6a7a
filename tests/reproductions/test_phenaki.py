import dataclasses
import math

import numpy as np
import pytest
import torch

import reproductions
from kiloframe.errors import UserError
from reproductions.contract import Batch, Condition
from reproductions.measures.exact import exact
from reproductions.methods.phenaki import Config, Phenaki, Sampling
from reproductions.worlds.base import EVALUATION_SEEDS
from reproductions.worlds.captions import decode, encode
from reproductions.worlds.shapes import BACKGROUND, Shapes, parse

RED = "a large red circle moving slowly."
GREEN = "a small green star moving slowly."


@pytest.fixture(scope="module")
def trained():
    return reproductions.load("phenaki")


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Phenaki(Config.smoke()).eval()


def real(frames=11, count=4):
    seeds = EVALUATION_SEEDS + np.arange(count)
    return Shapes().batch(seeds, np.zeros(count, int), frames)


def pictures(count=4, frames=11):
    return torch.from_numpy(real(frames, count).video)


# --- training -------------------------------------------------------------------------------------------------------


def test_clips_are_cut_where_their_captions_change(model):
    clips = model.clips(np.random.default_rng(0), 200)
    cuts = (clips.captions[:, 1:] != clips.captions[:, :-1]).any(-1)
    assert set(cuts.sum(1).tolist()) == {0, 1} and 0.12 < cuts.any(1).float().mean() < 0.28
    assert set((cuts.int().argmax(1) + 1)[cuts.any(1)].tolist()) == {1, 3, 5}, "behind 1, 3 or 5 frames"
    assert all(len(parse(text)) == 1 for text in decode(clips.captions[:, -1].numpy()))


def test_every_frame_shows_what_its_caption_tells(model):
    clips = model.clips(np.random.default_rng(1), 24)
    for t in (0, 10):
        shown = exact(Shapes(), clips.video[:, t : t + 1].numpy(), decode(clips.captions[:, t].numpy()))
        assert np.nanmean(shown["identity"]) > 0.9 > 0.1 > np.nanmean(shown["invented"])


def test_the_tokenizers_loss_against_its_sum_by_hand(model):
    """L_VQ + L2, in which a foreground pixel counts ten times."""
    clip = pictures(2)
    video = torch.stack([clip[i].flip(-1) if f else clip[i] for i, f in enumerate(flips(2, step=3))])
    with torch.no_grad():
        e, _, vq = model.tokenizer.codes(model.tokenizer.encode(video))
        x_hat, total, weights = model.tokenizer.decode(e), 0.0, 0
        for b, t, y, x in np.ndindex(2, 11, 16, 16):
            far = (video[b, t, :, y, x] - torch.from_numpy(BACKGROUND)).abs().max() > 0.05
            weights += 10 if far else 1
            total += float((10 if far else 1) * (x_hat - video)[b, t, :, y, x].square().mean())
        found = model.loss_codes(clip, 3)
    assert found["error"].item() == pytest.approx(20 * total / weights, rel=1e-4)
    assert found["loss"].item() == pytest.approx(found["error"].item() + vq.item(), rel=1e-5)


@pytest.mark.parametrize("stage", [0, 1])
def test_codes_that_nobody_takes_move_onto_vectors_of_the_foreground(model, stage):
    """Before codes count as well, so that they begin where vectors are; and never but in training."""
    clip, codes, loss = pictures(4), model.tokenizer.codes, model.stages()[stage].loss
    before = codes.codebook.clone()
    codes.usage.zero_()
    with torch.no_grad():
        _, weight, z = model._seen(clip, 0)
        loss(clip, 0)
        assert torch.equal(codes.codebook, before)
        model.train()
        loss(clip, 0)
    moved = (codes.codebook != before).any(-1)
    z = torch.nn.functional.normalize(z[model.tokenizer.near(weight > 1)], dim=-1)
    assert moved.sum() > 8 and (codes.codebook[moved] @ z.T).amax(-1).min() > 0.9999


def flips(count, step):
    return (torch.rand(count, 1, 1, 1, 1, generator=torch.Generator().manual_seed(step)) < 0.5).flatten().tolist()


def test_context_is_never_masked_and_the_target_is_under_the_last_caption(model):
    batch = model.clips(np.random.default_rng(0), 400)
    words, given = model._asked(batch, torch.Generator().manual_seed(0))
    before = (batch.captions != batch.captions[:, -1:]).any(-1).sum(1)
    cut = before > 0
    assert torch.equal(given[cut], (before[cut] + 1) // 2), "all that lies before the cut, and no more"
    assert torch.equal(words[cut], batch.captions[cut, -1]), "a cut without a caption could not be foreseen"
    dropped = ~words[~cut].any(-1)
    assert 0.05 < dropped.float().mean() < 0.16, "one in ten"
    shares = torch.bincount(given[~cut], minlength=4) / (~cut).sum()
    assert torch.allclose(shares, torch.tensor([0.4, 0.2, 0.2, 0.2]), atol=0.07)
    words, _ = model._asked(Batch.of(batch.video), torch.Generator().manual_seed(0))
    assert not words.any(), "clips without captions"


def test_the_second_loss_sees_masked_tokens_alone(model):
    """Nothing but [MASK] and tokens that are not scored is shown to the network, and at chance it costs log(codes)."""
    shown = []
    model.net.register_forward_pre_hook(lambda _, args: shown.append(args[0].clone()))
    torch.nn.init.zeros_(model.net.head.weight)
    torch.nn.init.zeros_(model.net.head.bias)
    clip = model.clips(np.random.default_rng(0), 8)
    loss = model.loss_tokens(clip, 0)["loss"].item()
    assert loss == pytest.approx(math.log(model.config.codes), rel=1e-5)
    a = model.tokenizer.tokens(clip.video).flatten(1)
    masked = shown[0] == model.net.mask
    assert masked.any(-1).all() and torch.equal(shown[0][~masked], a[~masked])


def test_the_codes_of_a_patch_enter_as_one_vector_and_each_has_its_own_logits(model):
    """Code g of patch n of step s is token (16 s + n) 4 + g."""
    net, seen = model.net, []
    net.net.register_forward_hook(lambda _, given, made: seen.append((given[0], made)))
    tokens = torch.randint(0, model.config.codes + 1, (2, 384), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = net(tokens, torch.zeros(2, 21, dtype=torch.int64))
    (x, y), v = seen[0], model.config.codes
    assert x.shape == (2, 96, 16) and logits.shape == (2, 384, v)
    for s, n in ((0, 0), (2, 5), (5, 15)):
        first, place = (16 * s + n) * 4, net.time[s, 0] + net.site[n]
        entered = torch.cat([net.token.weight[tokens[1, first + g]] for g in range(4)]) + place
        torch.testing.assert_close(x[1, 16 * s + n], entered)
        for g in (0, 3):
            rows = slice(g * v, (g + 1) * v)
            by_hand = net.head.weight[rows] @ y[1, 16 * s + n] + net.head.bias[rows]
            torch.testing.assert_close(logits[1, first + g], by_hand, atol=1e-5, rtol=1e-5)


# --- generation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [1, 2, 5, 8])
def test_a_context_comes_first_unchanged_and_opens_the_window_with_an_odd_number_of_frames(model, given):
    coded = []
    tokens = model.tokenizer.tokens
    model.tokenizer.tokens = lambda video: coded.append(video.clone()) or tokens(video)
    context = pictures(2, given)
    video = model.generate(given + 3, Condition(context=context))
    assert torch.equal(video[:, :given], context)
    odd = {1: 1, 2: 1, 5: 5, 8: 5}[given]
    assert len(coded) == 1 and torch.equal(coded[0], context[:, -odd:])


def test_each_window_codes_the_last_k_frames_anew(model):
    coded = []
    tokens = model.tokenizer.tokens
    model.tokenizer.tokens = lambda video: coded.append(video.clone()) or tokens(video)
    for keep in (1, 3, 5):
        coded.clear()
        how = Sampling(2, keep, 0.0, 1.0)
        chunks = list(model.stream(40, how=how))
        assert [c.shape[1] for c in chunks[:3]] == [11, 11 - keep, 11 - keep]
        video = torch.cat(chunks, 1)
        ends = np.cumsum([c.shape[1] for c in chunks])[:-1]
        assert [v.shape[1] for v in coded] == [keep] * (len(chunks) - 1)
        for v, end in zip(coded, ends, strict=True):
            torch.testing.assert_close(v, video[:, end - keep : end])


def test_a_new_prompt_rules_from_the_next_window_on(model):
    heard = []
    model.net.register_forward_pre_hook(lambda _, args: heard.append(args[1].clone()))
    model.generate(44, Condition(captions=(RED, GREEN)), how=Sampling(1, 5, 0.0, 1.0))
    said = [decode(words.numpy())[0] for words in heard]
    # windows open at frames 0, 11, 17, 23, ..; the second caption rules from frame 22
    assert said == [RED] * 3 + [GREEN] * 4


def test_guidance_doubles_the_batch_and_rounds_are_calls(model):
    sizes = []
    model.net.register_forward_hook(lambda _, args, __: sizes.append(len(args[0])))
    model.generate(11, Condition(captions=(RED,)), batch=3, how=Sampling(4, 5, 2.0, 1.0))
    assert sizes == [6] * 4
    sizes.clear()
    model.generate(11, batch=3, how=Sampling(4, 5, 2.0, 1.0))
    assert sizes == [3] * 4, "without a caption there is nothing to compare"
    sizes.clear()
    model.generate(11, how=Sampling(6 * model.sites, 5, 0.0, 1.0))
    assert len(sizes) == 6 * model.sites == 384, "token by token"


def test_each_video_of_a_batch_may_have_its_own_story(model):
    heard = []
    model.net.register_forward_pre_hook(lambda _, args: heard.append(args[1].clone()))
    model.generate(17, batch=2, how=Sampling(1, 5, 0.0, 1.0), say=lambda f: [RED, GREEN] if f < 11 else [GREEN, RED])
    assert [decode(words.numpy()) for words in heard] == [[RED, GREEN], [GREEN, RED]]


BAD = {
    "nothing": ({"frames": 0}, "at least 1 frame"),
    "word": ({"frames": 8, "condition": Condition(captions=("a purple circle",))}, "'purple' of the caption"),
    "long": ({"frames": 8, "condition": Condition(captions=("a " * 40,))}, "may have 21 words"),
    "shape": ({"frames": 8, "condition": Condition(context=torch.zeros(1, 4, 3, 8, 8))}, r"\(b, t, 3, 16, 16\)"),
    "range": ({"frames": 8, "condition": Condition(context=torch.full((1, 4, 3, 16, 16), 2.0))}, r"\[0, 1\]"),
    "NaN": ({"frames": 8, "condition": Condition(context=torch.full((1, 4, 3, 16, 16), torch.nan))}, r"\[0, 1\]"),
    "batch": ({"frames": 8, "batch": 0}, "at least 1"),
    "rounds": ({"frames": 8, "how": Sampling(rounds=0)}, "at least 1"),
    "even": ({"frames": 8, "how": Sampling(keep=4)}, "an odd number below 11, not 4"),
    "wide": ({"frames": 8, "how": Sampling(keep=11)}, "an odd number below 11, not 11"),
    "label": ({"frames": 8, "condition": Condition(label=torch.zeros(1))}, "cannot use label; it takes: context, cap"),
}


@pytest.mark.parametrize("name", BAD)
def test_mistakes_are_met_by_the_call_itself(model, name):
    arguments, words = BAD[name]
    with pytest.raises(UserError, match=words):
        model.stream(**arguments)


def test_the_tokenizer_alone_generates_nothing():
    config = dataclasses.replace(Config.smoke(), **Config.variants()["per-frame"])
    alone = Phenaki(config)
    assert [stage.name for stage in alone.stages()] == ["C-ViViT without codes", "C-ViViT"]
    with pytest.raises(UserError, match="a tokenizer alone"):
        alone.stream(8)


# --- what was trained -----------------------------------------------------------------------------------------------


def test_trained_codes_give_the_picture_back(trained):
    """Kind, colour, size and place of nearly every shape can be read from what comes back."""
    video = pictures(32)
    with torch.inference_mode():
        again = trained.tokenizer.paint(trained.tokenizer.tokens(video))
    ground = (video - torch.from_numpy(BACKGROUND)[:, None, None]).square().mean()
    assert (again - video).square().mean() < 0.05 * ground
    shown = exact(Shapes(), again.numpy(), real(11, 32).truth.captions())
    assert np.nanmean(shown["identity"]) > 0.95


def test_trained_tokens_are_foretold_from_context_and_caption(trained):
    """The loss on what follows five given frames; with another video's caption, and without any, it is higher."""
    truth, video, known = real(11, 64), pictures(64), 3 * trained.sites
    words = torch.from_numpy(encode(truth.truth.captions().tolist(), trained.config.words))
    with torch.inference_mode():
        a = trained.tokenizer.tokens(video).flatten(1)
        shown = a.clone()
        shown[:, known:] = trained.net.mask
        costs = [
            torch.nn.functional.cross_entropy(
                trained.net(shown, w)[:, known:].flatten(0, 1), a[:, known:].flatten()
            ).item()
            for w in (words, 0 * words, words.roll(1, 0))
        ]
        frequent = torch.bincount(a.flatten(), minlength=trained.config.codes).float().add(0.1)
        blind = -(frequent / frequent.sum()).log()[a[:, known:]].mean().item()
    assert costs[0] < costs[1] < costs[2] and costs[0] < 0.8 * blind, (costs, blind)


def test_trained_weights_show_the_colours_they_are_told_and_change_them(trained):
    made = trained.generate(22, Condition(captions=(RED, GREEN)), batch=8)
    redder = made[:, :, 0] - made[:, :, 1]  # red less green, (b, t, h, w)
    lit = redder.abs() > 0.2
    shares = [(redder[:, part] > 0.2).sum() / lit[:, part].sum() for part in (slice(11), slice(11, None))]
    assert shares[0] > 0.95 and shares[1] < 0.05, shares


def test_trained_weights_show_shapes_as_told_far_more_often_than_as_told_to_others(trained):
    texts = real(1, 16).truth.captions().tolist()
    made = trained.generate(11, batch=16, say=lambda _: texts).numpy()
    own, other = (np.nanmean(exact(Shapes(), made, said)["identity"]) for said in (texts, texts[1:] + texts[:1]))
    assert own > 0.4 and own > 6 * other, (own, other)


def test_presets_and_their_sizes():
    sizes = {name: Phenaki.count(getattr(Config, name)()) for name in ("smoke", "toy", "gpu", "paper")}
    assert sizes["smoke"] < sizes["toy"] < sizes["gpu"] < sizes["paper"]
    paper = Config.paper()
    with torch.device("meta"):
        tokenizer = sum(p.numel() for p in Phenaki(paper).tokenizer.parameters())
    assert tokenizer == pytest.approx(50e6, rel=0.1) and sizes["paper"] - tokenizer == pytest.approx(1.8e9, rel=0.1)
    assert (paper.frames + 1) // 2 * (paper.side // paper.patch) ** 2 == 1536
    assert (paper.codes, paper.code_size, paper.rounds, paper.guidance) == (8192, 32, 48, 12)
