import dataclasses
import math

import numpy as np
import pytest
import torch
from einops import rearrange

import reproductions
from kiloframe.errors import UserError
from reproductions.contract import Batch, Condition
from reproductions.methods.look_outside_the_room import (  # fmt: skip
    CLIP,
    Config,
    LookOutside,
    draw_order,
)
from reproductions.parts.cameras import camera_vector
from reproductions.parts.transformer import sinusoid
from reproductions.parts.view_transformer import ViewTransformer
from reproductions.worlds.rooms import EVALUATION_SEEDS, Rooms

SMALL = dataclasses.replace(Config.smoke(), width=16, codes=16, channels=(4, 4, 4, 4))  # 2 x 2 tokens per view


@pytest.fixture(scope="module")
def trained():
    return reproductions.load("look_outside_the_room")


def lively(config=SMALL):
    """An untrained model that tells views apart: a fresh one gives every patch the same token."""
    torch.manual_seed(0)
    model = LookOutside(config).eval()
    encoder, decoder = model.tokeniser.encoder, model.tokeniser.decoder
    with torch.no_grad():
        model.views.free.weight.normal_()
        real = walks(8).video.flatten(0, 1)
        encoder[-1].bias -= encoder(2 * real - 1).mean((0, 2, 3))
        made = decoder(model.tokeniser.quantise.lookup(model.tokeniser.encode(real)).movedim(-1, 1))
        decoder[-1].weight *= 0.5 / made.std()
        decoder[-1].bias -= decoder[-1].bias + made.mean() * 0.5 / made.std()
    return model


@pytest.fixture
def model():
    return lively()


@pytest.fixture
def net():
    torch.manual_seed(0)
    return ViewTransformer(SMALL).eval()


def some(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def walks(count=2, frames=CLIP, start=0, side=16):
    clip = Rooms(side, depth=False).batch(EVALUATION_SEEDS + np.arange(count), np.full(count, start), frames)
    return Batch(torch.from_numpy(clip.video), poses=torch.from_numpy(clip.truth.pose).float())


def views_and_cameras(net, b=2):
    """Tokens (b, 3, n), the three motions, the codebook (K, c)."""
    tokens = torch.randint(SMALL.codes, (b, 3, net.n), generator=torch.Generator().manual_seed(7))
    codes = torch.nn.functional.normalize(some(SMALL.codes, SMALL.code_channels), dim=-1)
    return tokens, [some(b, net.k, seed=9 + i) for i in range(3)], codes


def test_both_cameras_are_told_from_the_first_view_and_the_third_bias_from_the_second(model):
    a, b, c = (p.unsqueeze(0) for p in torch.from_numpy(Rooms(16).poses(3, np.array([0, 5, 12]))))
    found = model.cameras([a, b, c])
    expected = [camera_vector(u, v).float() for u, v in ((a, b), (a, c), (b, c))]
    assert len(found) == 3 and all(torch.equal(f, e) for f, e in zip(found, expected, strict=True))
    assert [torch.equal(f, e) for f, e in zip(model.cameras([a, b]), expected, strict=False)] == [True]


def test_windows_walk_on_or_sway():
    rng = np.random.default_rng(0)
    for length in (3, CLIP):
        orders = [draw_order(length, rng) for _ in range(2000)]
        assert all(len(o) == length and min(o) >= 0 and max(o) < CLIP for o in orders)
        assert all((np.abs(np.diff(o)) == 1).all() for o in orders)
        forward = np.mean([(np.diff(o) == 1).all() for o in orders])
        assert 0.72 < forward < 0.9
        assert {o[0] for o in orders if np.diff(o)[0] < 0} == set(range(1, CLIP)), "it also walks backwards"


def test_the_fixed_code_of_places():
    code = sinusoid(3, 4, 6)
    for row, place in enumerate(range(3, 7)):
        for i in range(3):
            angle = place / 10_000 ** (2 * i / 6)
            assert code[row, i].item() == pytest.approx(math.sin(angle), abs=1e-5)
            assert code[row, 3 + i].item() == pytest.approx(math.cos(angle), abs=1e-5)


def test_the_sequence_alternates_and_places_mean_the_same_in_every_view(net):
    tokens, (g, h, _), codes = views_and_cameras(net)
    a, b, c = codes[tokens].unbind(1)
    s = net.sequence([a, b, c], [g, h])
    n, k = net.n, net.k
    assert s.shape == (2, 3 * n + 2 * k, SMALL.width)
    s = s - sinusoid(0, s.shape[1], SMALL.width)
    for start, codes in ((0, a), (n + k, b), (2 * (n + k), c)):
        for m in range(n):
            torch.testing.assert_close(s[:, start + m], net.image(codes[:, m]) + net.image_place[m])
    for start, camera in ((n, g), (2 * n + k, h)):
        for m in range(k):
            torch.testing.assert_close(s[:, start + m], net.scalar(camera[:, m : m + 1]) + net.camera_place[m])


def test_a_part_of_the_sequence_is_the_sequences(net):
    tokens, (g, h, _), codes = views_and_cameras(net)
    views = codes[tokens].unbind(1)
    whole = net.sequence(views, [g, h])
    start = 2 * (net.n + net.k) + 1
    torch.testing.assert_close(net.sequence([views[2][:, 1:3]], [], start), whole[:, start : start + 2])


def test_the_first_view_and_camera_see_each_other_and_the_rest_looks_back(net):
    prefix, length = net.n + net.k, 3 * net.n + 2 * net.k
    mask = net.added(length, [some(1, net.k, seed=i) for i in range(3)])[1]
    for i in range(length):
        for j in range(length):
            assert (mask[i, j] == 0) == (j <= i or (i < prefix and j < prefix))
            assert mask[i, j] in (0, -math.inf)


def test_the_bias_stands_where_a_patch_of_one_view_is_predicted_from_one_of_another(net):
    """The brute-force twin: walk over all places, ask what they predict and what they see."""
    n, k = net.n, net.k
    what = [("a", m) for m in range(n)] + [None] * k + [("b", m) for m in range(n)] + [None] * k
    what += [("c", m) for m in range(n)]
    gs = [some(2, k, seed=i) for i in range(3)]
    B = {pair: net.mlp(g).view(2, n, n) for pair, g in zip((("a", "b"), ("a", "c"), ("b", "c")), gs, strict=True)}
    expected = torch.zeros(2, 1, len(what), len(what))
    for place in range(len(what) - 1):
        for column, source in enumerate(what):
            target = what[place + 1]  # the query at j predicts j + 1
            if source and target and (source[0], target[0]) in B:
                expected[:, 0, place, column] = B[source[0], target[0]][:, target[1], source[1]]
    torch.testing.assert_close(net.bias(len(what), *gs), expected)
    short = 2 * n + k - 1  # with one view there is B_ab alone
    torch.testing.assert_close(net.bias(short, gs[0]), expected[..., :short, :short])


def test_the_paper_puts_its_bias_at_rows_285_and_571():
    paper = Config.paper()
    assert (paper.grid, paper.layers, paper.heads, paper.width, paper.hidden) == (16, 32, 16, 1024, 60)
    small = ViewTransformer(dataclasses.replace(SMALL, channels=(4,), camera="full", hidden=1))  # n = 256, k = 30
    rows = small.bias(827, *(some(1, 30, seed=i) for i in range(3)))[0, 0].abs().sum(1).nonzero().flatten()
    assert rows[0] == 285 and rows[255] == 540 and rows[256] == 571 and rows[-1] == 826


def test_every_second_layer_is_biased_from_the_first_on(net):
    gs = [some(2, net.k, seed=i) for i in range(3)]
    net.net.layers.extend(list(net.net.layers))
    length = 3 * net.n + 2 * net.k
    added = net.added(length, gs)
    assert len(added) == 4
    for i, layer in enumerate(added):
        torch.testing.assert_close(layer, added[1] + net.bias(length, *gs) if i in (0, 2) else added[1])
    net.mlp = None
    assert all(torch.equal(layer, added[1]) for layer in net.added(length, gs))


def test_the_bias_of_a_patch_moves_that_patch_first():
    """One layer: what is added to the row of patch m of c changes the prediction of that patch and of no other."""
    torch.manual_seed(0)
    net = ViewTransformer(dataclasses.replace(SMALL, layers=1))
    given = views_and_cameras(net)
    before = net(*given)
    for m in range(net.n):
        whole = net.bias

        def moved(length, *gs, m=m, whole=whole):
            H = whole(length, *gs).clone()
            H[:, 0, 2 * (net.n + net.k) - 1 + m, 3] += 5
            return H

        net.bias = moved
        after = net(*given)
        net.bias = whole
        assert torch.equal(after[0], before[0])
        changed = (after[1] - before[1]).abs().amax((0, 2)) > 1e-4
        assert changed.nonzero().flatten().tolist() == [m]


def test_a_token_sees_what_was_written_before_it_and_nothing_after(net):
    tokens, cameras, codes = views_and_cameras(net)
    net.free.weight.data.normal_()
    first = net(tokens, cameras, codes)

    def moved_by(view, m):
        other = tokens.clone()
        other[:, view, m] = (other[:, view, m] + 1) % SMALL.codes
        return [(x - y).abs().amax((0, 2)) > 1e-5 for x, y in zip(net(other, cameras, codes), first, strict=True)]

    for m in range(net.n):
        assert moved_by(0, m)[0].all() and moved_by(0, m)[1].all()
        b, c = moved_by(1, m)
        assert b.tolist() == [later > m for later in range(net.n)] and c.all()
        b, c = moved_by(2, m)
        assert not b.any() and c.tolist() == [later > m for later in range(net.n)]


def test_logits_are_a_free_layer_and_nearness_to_the_codes(net):
    _, _, codes = views_and_cameras(net)
    net.free.weight.data.normal_()
    h = some(5, SMALL.width)
    logits = net.logits(h, codes)
    for row, k in ((0, 0), (3, 7), (4, 15)):
        free = net.free.weight[k] @ h[row] + net.free.bias[k]
        near = 8 * (net.near.weight @ h[row] + net.near.bias) @ codes[k]
        torch.testing.assert_close(logits[row, k], free + near)


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_writing_with_the_cache_is_writing_without(model, views, bias):
    """The twin computes the whole window anew for every token, through the training pass."""
    net, codes = model.views, model.codes()
    if not bias:
        net.mlp = None
    known = torch.randint(16, (2, views, net.n), generator=torch.Generator().manual_seed(views))
    gs = [some(2, net.k, seed=i) for i in range(2 * views - 1)]
    written = net.write(known, gs, codes, lambda logits: logits.argmax(-1))
    tokens = torch.cat([known, torch.zeros(2, 3 - views, net.n, dtype=torch.int64)], 1)
    for m in range(net.n):
        logits = net(tokens, gs if views == 2 else 3 * gs, codes)[views - 1]
        tokens[:, views, m] = logits[:, m].argmax(-1)
    assert torch.equal(written, tokens[:, views])


def test_the_loss_is_the_mean_surprise_over_the_tokens_of_the_second_and_third_view(model):
    p = torch.arange(1.0, 17)
    model.views.free.weight.data.zero_()
    model.views.free.bias.data = p.log()
    model.views.near.weight.data.zero_()
    model.views.near.bias.data.zero_()
    clip = walks(3)
    tokens, _ = model._windows(clip, 3, step=5)
    assert len(tokens.unique()) > 4
    expected = -(p / p.sum()).log()[tokens[:, 1:]].mean()
    torch.testing.assert_close(model.view_loss(clip, 5)["loss"], expected)


def test_windows_hold_the_tokens_and_the_poses_of_the_same_frames(model):
    clip = walks(4)
    tokens, poses = model._windows(clip, 3, step=1)
    rng = np.random.default_rng([11, 1])
    for b in range(4):
        order = draw_order(3, rng)
        assert torch.equal(poses[b], clip.poses[b, order])
        assert torch.equal(tokens[b], rearrange(model.tokeniser.encode(clip.video[b, order]), "t h w -> t (h w)"))
    standing = model._windows(clip.video, 3, step=1)[1]
    assert torch.equal(standing, torch.eye(4).expand(4, 3, 4, 4))


@pytest.mark.parametrize("accumulation", [True, False])
def test_the_next_window_begins_with_what_was_predicted_and_the_third_view_is_true(accumulation):
    model = lively(dataclasses.replace(SMALL, accumulation=accumulation))
    clip, calls = walks(2), []
    whole = model._pass

    def watched(seen, true, poses):
        loss, predicted = whole(seen, true, poses)
        calls.append((seen, true, poses, predicted, loss))
        return loss, predicted

    model._pass = watched
    found = model.accumulation_loss(clip, 2)["loss"]
    tokens, poses = model._windows(clip, CLIP, 2)
    assert len(calls) == 3
    torch.testing.assert_close(found, torch.stack([c[4] for c in calls]).mean())
    for i, (seen, true, where, _, _) in enumerate(calls):
        assert torch.equal(true, tokens[:, i + 1 : i + 3]) and torch.equal(where, poses[:, i : i + 3])
        assert torch.equal(seen[:, 2], tokens[:, i + 2]), "the third slot holds the true tokens"
        if i and accumulation:
            predicted = calls[i - 1][3]
            again = model.tokens(model.pictures(predicted))
            assert torch.equal(seen[:, :2], again), "both predictions, decoded and encoded again"
            assert not torch.equal(again, tokens[:, i : i + 2]) and not torch.equal(again, predicted)
        else:
            assert torch.equal(seen[:, :2], tokens[:, i : i + 2])


def test_no_gradient_flows_into_the_tokeniser(model):
    model.accumulation_loss(walks(2), 0)["loss"].backward()
    model.view_loss(walks(2), 0)["loss"].backward()
    assert all(p.grad is None for p in model.tokeniser.parameters())


def test_the_context_comes_first_and_without_one_the_worlds_first_frame(model):
    clip = walks(2, 9)
    video = model.generate(9, Condition(context=clip.video[:, :3], poses=clip.poses))
    assert torch.equal(video[:, :3], clip.video[:, :3])
    alone = model.generate(9, seed=2, batch=2)
    first = Rooms(16, depth=False).batch(EVALUATION_SEEDS + 2000 + np.arange(2), np.zeros(2, int), 1).video
    assert torch.equal(alone[:, :1], torch.from_numpy(first))


def test_without_poses_it_takes_the_worlds_walk_round_and_round(model):
    rooms, seeds = Rooms(16, depth=False), EVALUATION_SEEDS + 1000 + np.arange(2)
    poses = torch.from_numpy(rooms.poses(seeds, np.tile(np.arange(100), (2, 1))))
    assert torch.equal(model.generate(100, seed=1, batch=2), model.generate(100, Condition(poses=poses), seed=1))


def test_every_view_is_written_from_the_two_before_it_as_they_look_decoded(model):
    calls, whole = [], model.views.write

    def watched(tokens, gs, codes, draw):
        written = whole(tokens, gs, codes, draw)
        calls.append((tokens, gs, written))
        return written

    model.views.write = watched
    clip = walks(2, 6)
    video = model.generate(6, Condition(context=clip.video[:, :1], poses=clip.poses))
    assert [c[0].shape[1] for c in calls] == [1, 2, 2, 2, 2]
    for i, (tokens, gs, written) in enumerate(calls, start=1):
        assert torch.equal(video[:, i], model.pictures(written))
        first = max(0, i - 2)
        assert torch.equal(tokens, model.tokens(video[:, first:i])), "encoded again from pixels"
        if i > 1:
            assert not torch.equal(tokens[:, -1], calls[i - 2][2]), "which changes them, in this model"
        expected = model.cameras([clip.poses[:, j] for j in range(first, i + 1)])
        assert all(torch.equal(g, e) for g, e in zip(gs, expected, strict=True))
    calls.clear()
    model.generate(6, Condition(context=clip.video[:, :1], poses=clip.poses), views=1)
    assert [c[0].shape[1] for c in calls] == [1] * 5


def test_at_temperature_zero_the_seed_decides_nothing(model):
    clip = walks(1, 5)
    condition = Condition(context=clip.video[:, :2], poses=clip.poses)
    assert torch.equal(*(model.generate(5, condition, seed=s, temperature=0) for s in (1, 2)))
    assert not torch.equal(*(model.generate(5, condition, seed=s) for s in (1, 2)))


VIEWS, POSES = torch.zeros(2, 2, 3, 16, 16), torch.eye(4).expand(2, 8, 4, 4)
# fmt: off
BAD = {
    "nothing": ({"frames": 0}, "at least 1 frame"),
    "batch": ({"batch": 0}, "at least 1"),
    "views": ({"views": 3}, "views must be 1 or 2"),
    "cold": ({"temperature": -1.0}, "a number from 0, not 2 and -1"),
    "hot": ({"temperature": math.nan}, "a number from 0"),
    "shape": ({"condition": Condition(context=torch.zeros(1, 4, 3, 8, 8))}, r"\(b, t, 3, 16, 16\)"),
    "long": ({"frames": 1, "condition": Condition(context=VIEWS)}, "1 <= t <= 1"),
    "range": ({"condition": Condition(context=VIEWS - 1e-3)}, r"\[0, 1\]"),
    "NaN": ({"condition": Condition(context=VIEWS * torch.nan)}, r"\[0, 1\]"),
    "short poses": ({"frames": 9, "condition": Condition(poses=POSES)}, r"\(b, t, 4, 4\) with t >= 9"),
    "no rotation": ({"condition": Condition(poses=2 * POSES)}, "a rotation, a position"),
    "lying": ({"condition": Condition(poses=POSES)}, "must stand upright"),
    "2 and 3": ({"condition": Condition(context=VIEWS, poses=walks(3, 8).poses)}, "of as many videos, not 2 and 3"),
    "text": ({"condition": Condition(captions=("a room",))}, "cannot use captions; it takes: context, poses"),
}
# fmt: on


@pytest.mark.parametrize("name", BAD)
def test_mistakes_are_met_by_the_call_itself(model, name):
    arguments, words = BAD[name]
    with pytest.raises(UserError, match=words):
        model.stream(**{"frames": 8, **arguments})


def test_trained_tokens_show_the_rooms_and_survive_being_encoded_again(trained):
    real = walks(16, 4).video
    tokens = trained.tokens(real)
    shown = trained.pictures(tokens)
    assert (shown - real).square().mean() < 0.05**2
    assert (trained.tokens(shown) == tokens).float().mean() > 0.6
    assert len(tokens.unique()) > 0.8 * trained.config.codes


def test_the_trained_network_believes_the_camera(trained):
    """The true camera beats a mirrored one, and one that stands still."""
    clip, losses = walks(24, CLIP, start=7), {}
    mirrored = torch.diag(torch.tensor([1.0, -1, 1, 1])) @ clip.poses @ torch.diag(torch.tensor([-1.0, 1, 1, 1]))
    still = clip.poses[:, :1].expand(-1, CLIP, -1, -1)
    for name, poses in {"true": clip.poses, "mirrored": mirrored, "still": still}.items():
        with torch.inference_mode():
            losses[name] = trained.view_loss(dataclasses.replace(clip, poses=poses), 0)["loss"].item()
    assert losses["true"] < min(losses["mirrored"], losses["still"]) - 0.05, losses


def test_presets_and_their_sizes():
    sizes = {name: LookOutside.count(getattr(Config, name)()) for name in ("smoke", "toy", "gpu", "paper")}
    assert sizes["smoke"] < sizes["toy"] < sizes["gpu"] < sizes["paper"]
    assert sizes["paper"] > 32 * 12 * 1024**2
    variants = Config.variants()
    assert LookOutside(dataclasses.replace(SMALL, **variants["no-bias"])).views.mlp is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config.paper().side = 1
