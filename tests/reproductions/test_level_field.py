"""The level field, over a method that needs hardly any training: its videos are the world's own, spoilt on purpose."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import reproductions
from kiloframe.errors import UserError
from reproductions import training
from reproductions.contest import film_seeds
from reproductions.contract import Reproduction, Stage
from reproductions.level_field import __main__ as command
from reproductions.level_field import cost, exchange, field, flops, plan, trained
from reproductions.level_field.plan import Contender, Entrant, Settings
from reproductions.level_field.records import Records
from reproductions.worlds import world

BLACK_FROM = 40


@dataclasses.dataclass(frozen=True)
class Config:
    side: int = 16
    window: int = 8
    new: int = 4
    horizon: int = 32
    steps: int = 2
    batch: int = 3
    learning_rate: float = 1e-3
    ema: float = 0.9

    @classmethod
    def smoke(cls):
        return cls()

    toy = smoke


class Pretend(Reproduction):
    """In the place of fdm. Ahead: real video, two calls a frame; in a chain: black from frame 40 on, one call a frame.

    An exchanged frame spoils its 10 neighbours where they are planned ahead, and itself alone in a chain.
    """

    slug, world, Config = "fdm", "shapes", Config
    orders = ("autoregressive", "hierarchy-2")

    def __init__(self, config):
        super().__init__(config)
        self.net = nn.Sequential(nn.Linear(48, 32), nn.Linear(32, 48))
        self.small = nn.Linear(1, 1)

    def stages(self):
        return (Stage("net", (self.net,), self.loss), Stage("small", (self.small,), self.loss_small, share=0.5))

    def clips(self, rng, batch):
        return torch.from_numpy(world("shapes").batch(rng.integers(0, 99, batch), np.zeros(batch, int), 8).video)

    def loss(self, clip, step):
        return {"loss": self.net(clip[:, 0, :, 0].flatten(1)).square().mean()}

    def loss_small(self, clip, step):
        return {"loss": self.small(clip[:, 0, :1, 0, 0]).square().mean()}

    @torch.inference_mode()
    def stream(self, frames, condition=None, *, seed=0, batch=1, schedule="autoregressive", edit=None):
        seeds = (1 << 41) + 50 * seed + np.arange(batch)
        video = torch.from_numpy(world("shapes").batch(seeds, np.zeros(batch, int), frames).video)
        ahead = schedule == "hierarchy-2"
        if not ahead:
            video[:, BLACK_FROM:] = 0.05
        for i in range(frames):
            for _ in range(2 if ahead else 1):
                self.net(torch.zeros(batch, 48))
            self.small(torch.zeros(1, 1))
            if edit is not None:
                changed = edit(i, video[:, i])
                if not torch.equal(changed, video[:, i]):
                    video[:, i] = changed
                    if ahead:
                        video[:, i + 1 : i + 11] = 0.05
        yield video


def enter(monkeypatch):
    """Put Pretend in the place of fdm."""
    monkeypatch.setattr(reproductions, "method", lambda slug: Pretend)
    monkeypatch.setattr(plan, "FIELD", {"shapes": ("fdm",)})
    monkeypatch.setattr(
        cost, "cost", lambda *a: cost.run(*a[:-1])
    )  # without the process of its own, which would not know Pretend


@pytest.fixture
def pretend(monkeypatch):
    enter(monkeypatch)


SETTINGS = Settings(
    budget=0.01, preset="smoke", seeds=(0, 1, 2), videos=2, lengths=(16, 80), costed=(16, 80), timed=1, reference=24,
    worlds=("shapes",), methods=("fdm",),
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The records of a field of Pretend."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        enter(monkeypatch)
        folder = tmp_path_factory.mktemp("field")
        new, every = field.run(SETTINGS, folder, progress=False)
        assert new == every
        return Records(folder)


CHAIN, AHEAD = (
    Contender(f"fdm, {order}", "shapes", Entrant("fdm", "shapes"), order) for order in ("autoregressive", "hierarchy-2")
)


def test_the_steps_planned_fill_the_budget():
    assert trained.steps_that_fit(60, [0.1, 0.2], [1, 1]) == 400
    assert trained.steps_that_fit(60, [0.1, 0.4], [3, 1]) == round(60 / 0.175)
    assert trained.steps_that_fit(0.01, [1.0, 1.0, 1.0], [1, 1, 1]) == 3, "each stage has one step at least"
    with torch.random.fork_rng():
        assert training.stage_steps(Pretend(Config()), 300) == [200, 100]


def test_operations_of_a_training_step_in_closed_form():
    model = Pretend(Config())
    # forward 2 b n m per layer; back as much for the weights, and for the input of every layer but the first
    layer = 2 * 3 * 48 * 32
    assert trained.flops_of_training(model) == [2 * layer + 3 * layer, 2 * 2 * 3 * 1]
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("masked", [False, True])
def test_operations_of_attention_are_counted_too(masked):
    q, k = torch.randn(2, 3, 10, 8, requires_grad=True), torch.randn(2, 3, 20, 8)
    mask = torch.ones(10, 20, dtype=torch.bool) if masked else None
    product = 2 * 2 * 3 * 10 * 20 * 8
    with flops.Counting() as counter, torch.inference_mode():
        nn.functional.scaled_dot_product_attention(q, k, k, attn_mask=mask)
    assert counter.total == 2 * product
    with flops.Counting() as counter:
        nn.functional.scaled_dot_product_attention(q, k, k, attn_mask=mask).sum().backward()
    assert counter.total == (2 + 5) * product


def test_operations_are_those_that_torch_counts_also_under_a_gradient_penalty():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 5), nn.ReLU(), nn.Linear(5, 1))
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    with flops.Counting() as mine, FlopCounterMode(display=False) as theirs:
        net(x).sum().backward()
    assert mine.total == theirs.get_total_flops() > 0
    with flops.Counting() as counter:
        (slope,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
        slope.square().sum().backward()
    assert counter.total > 1.4 * mine.total, "the way back through the way back is counted"


def test_calls_are_counted_from_outside_and_only_of_networks():
    model = Pretend(Config())
    with cost.calls_in_a_row(model) as counted:
        model.net(torch.zeros(2, 48))
        model.net[0](torch.zeros(2, 48))
        model.small(torch.zeros(1, 1))
        with pytest.raises(RuntimeError):
            model.net(torch.zeros(1, 1))
        model.net(torch.zeros(1, 48))
    assert counted == {"net": 3, "net.0": 1}
    model.net(torch.zeros(2, 48))
    assert counted["net"] == 3, "the hooks are gone"


def test_time_is_measured_per_stage_and_leaves_nothing(monkeypatch, tmp_path, pretend):
    monkeypatch.chdir(tmp_path)
    state = torch.get_rng_state()
    seconds = training.step_seconds("fdm", preset="smoke", steps=2)
    assert len(seconds) == 2 and all(0 < s < 10 for s in seconds)
    assert torch.equal(torch.get_rng_state(), state) and not list(tmp_path.iterdir())


def test_a_changed_config_needs_a_place(tmp_path, pretend):
    with pytest.raises(UserError, match="name a place"):
        training.train("fdm", preset="smoke", changes={"horizon": 16}, progress=False)
    training.train("fdm", preset="smoke", changes={"horizon": 16}, out=tmp_path / "a.safetensors", progress=False)
    assert Pretend.load(tmp_path / "a.safetensors").config.horizon == 16


def test_who_takes_text_is_told_what_the_real_films_show(monkeypatch):
    from reproductions.level_field.measured import stream

    asked = []

    class Told(Pretend):
        uses = ("captions", "context")

        def stream(self, frames, condition=None, *, seed=0, batch=1, **options):
            asked.append((condition.captions, seed, batch))
            return super().stream(frames, None, seed=seed, batch=batch)

    contender = Contender("told", "shapes", Entrant("fdm", "shapes"))
    chunks = list(stream(Told(Config()), contender, 12, Settings(), seed=2, videos=3))
    assert all(chunk.shape[0] == 3 for chunk in chunks) and sum(chunk.shape[1] for chunk in chunks) == 12
    real = world("shapes").batch(film_seeds(2, 3), np.zeros(3, int), 12).truth.captions().tolist()
    assert [captions for captions, _, _ in asked] == [(text,) for text in real]
    assert len({seed for _, seed, _ in asked}) == 3 and {batch for _, _, batch in asked} == {1}
    asked.clear()
    list(stream(Pretend(Config()), contender, 12, Settings(), seed=2, videos=3))
    assert not asked


# --- the whole field ----------------------------------------------------------------------------------------------


def test_what_is_done_is_not_done_again_unless_its_inputs_change(whole, pretend, monkeypatch):
    assert field.run(SETTINGS, whole.folder, progress=False)[0] == 0
    name = "measure/noise-shapes-16-s1-r0"
    for spoil in (
        lambda: (whole.folder / f"{name}.json").write_text("{"),
        lambda: (whole.folder / f"{name}.npz").unlink(),
    ):
        spoil()
        assert field.run(SETTINGS, whole.folder, progress=False)[0] == 1
    more = dataclasses.replace(SETTINGS, seeds=(0, 1, 2, 3))
    waiting = [task.id for task in field.tasks(more) if not field.is_done(task, whole.folder)]
    costs = [id for id in waiting if id.startswith("cost/")]
    assert waiting and all("-s3-" in id or id in costs for id in waiting) and len(costs) == 4
    longer = dataclasses.replace(SETTINGS, budget=0.02)
    waiting = {task.id for task in field.tasks(longer) if not field.is_done(task, whole.folder)}
    assert "train/fdm-shapes-r0" in waiting and "measure/fdm-shapes-autoregressive-16-s0-r0" in waiting
    assert not any("real" in id or "reference" in id for id in waiting)


def test_interrupted_it_goes_on_where_it_was(tmp_path, pretend, monkeypatch):
    settings = dataclasses.replace(SETTINGS, lengths=(16,), costed=(), seeds=(0,), reference=4)
    load, calls, timed = trained.load, [], []

    def stopped(*arguments):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return load(*arguments)

    real_timing = training.step_seconds
    monkeypatch.setattr(training, "step_seconds", lambda *a, **k: timed.append(1) or real_timing(*a, **k))
    monkeypatch.setattr("reproductions.level_field.measured.load", stopped)
    with pytest.raises(KeyboardInterrupt):
        field.run(settings, tmp_path, progress=False)
    done = [task for task in field.tasks(settings) if field.is_done(task, tmp_path)]
    assert len(timed) == 2 and 3 < len(done) < len(field.tasks(settings))
    new, every = field.run(settings, tmp_path, progress=False)
    assert new == every - len(done) and len(timed) == 2, "nothing was trained twice"


def test_a_training_taken_up_again_keeps_its_number_of_steps(tmp_path, pretend, monkeypatch):
    entrant, train = Entrant("fdm", "shapes"), training.train
    monkeypatch.setattr(training, "train", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        trained.train(entrant, 0, SETTINGS, tmp_path, trained.weights_of(tmp_path, entrant, 0))
    steps = json.loads((tmp_path / "train/fdm-shapes-r0.plan").read_text())["steps"]
    monkeypatch.setattr(training, "step_seconds", lambda *a, **k: [1e-6, 1e-6])
    seen = []
    monkeypatch.setattr(training, "train", lambda *a, **k: seen.append(k) or train(*a, **k))
    found = trained.train(entrant, 0, SETTINGS, tmp_path, trained.weights_of(tmp_path, entrant, 0))
    assert found["steps"] == steps == seen[0]["steps"]
    assert seen[0]["restart"] is False and not list((tmp_path / "train").glob("*.plan"))


def test_comments_and_docstrings_are_no_change_of_code(tmp_path):
    file = tmp_path / "reproductions" / "methods" / "a.py"
    file.parent.mkdir(parents=True)

    def hashed(text):
        file.write_text(text)
        plan._code_hash.cache_clear()
        return plan.code_hash(["methods/a.py"], ["methods"], tmp_path)

    first = hashed('"""Doc."""\ndef f(x):\n    """Doc."""\n    return x + 1\n')
    assert hashed('"""Other."""\n# a comment\ndef f(x):\n    return (x +\n        1)\n') == first
    assert hashed('"""Doc."""\ndef f(x):\n    """Doc."""\n    return x + 2\n') != first


# --- what the records say -----------------------------------------------------------------------------------------


def test_identity_falls_in_a_chain_and_stays_where_it_is_planned(whole, pretend):
    early, late = slice(8, 24), slice(64, 80)
    real = whole.find("real", "shapes")
    assert min(whole.values(AHEAD, 80, "identity")) > 0.9 and min(whole.values(real, 80, "identity")) > 0.9
    assert (
        min(whole.values(CHAIN, 80, "identity", early)) > 0.9 and max(whole.values(CHAIN, 80, "identity", late)) < 0.1
    )
    assert max(whole.slopes(CHAIN, 80, "identity")) < -0.5
    assert max(abs(s) for s in whole.slopes(AHEAD, 80, "identity")) < 0.3
    assert whole.course(CHAIN, 80, "identity").shape == (3, 1, 2, 80)


def test_clips_at_the_end_are_far_from_real_ones_where_they_went_black(whole, pretend):
    at_end = {name: whole.distance(c, 80, whole.end(80)).value for name, c in (("chain", CHAIN), ("ahead", AHEAD))}
    assert at_end["chain"] > 5 * abs(at_end["ahead"])
    assert min(whole.distance_slopes(CHAIN, 80)) > max(whole.distance_slopes(AHEAD, 80))
    assert np.mean(whole.distances(AHEAD, 16, whole.end(16))) == pytest.approx(
        whole.distance(AHEAD, 16, whole.end(16)).value, abs=2
    )
    assert whole.strip(CHAIN, 80).shape == (16, 3, 16, 16) and whole.strip(CHAIN, 80)[-1].max() < 0.06


def test_costs_are_counted(whole, pretend):
    for contender, calls in ((CHAIN, 1), (AHEAD, 2)):
        found = whole.cost(contender, 80)
        assert found["calls"] == 80 * calls and found["calls_by_network"] == {"net": 80 * calls}
        assert found["flops"] == 80 * (calls * 2 * 2 * 48 * 32 + 2), "also where no gradient is kept"
        assert len(found["seconds"]) == 3 and found["peak_kilobytes"] > 10_000 and found["grown_kilobytes"] >= 0


def test_an_exchanged_frame_is_paid_by_those_made_from_it(whole, pretend):
    assert exchange.key_frame(Config()) == 13, "the fourth of 8 key frames over 32"
    assert max(map(abs, whole.exchanged(CHAIN))) < 2, "the reader asks the neighbours about shapes that are covered"
    assert min(whole.exchanged(AHEAD)) > 8 and max(whole.exchanged(AHEAD)) < 13
    courses, at = whole.exchange_courses(AHEAD)
    assert at == 13 and not courses["changed"][:13].any() and courses["changed"][14:24].min() > 0


def test_the_field_without_its_records_says_what_to_type(tmp_path, whole, pretend):
    with pytest.raises(UserError, match=r"has not been run here.*type: make level-field"):
        Records(tmp_path)
    (tmp_path / "settings.json").write_text(plan.as_json(SETTINGS))
    with pytest.raises(UserError, match=r"\d+ of the level field's \d+ tasks are not done yet; type: make level-field"):
        Records(tmp_path)
    (tmp_path / "settings.json").write_text('{"budgets": 1}')
    with pytest.raises(UserError, match="cannot be read"):
        Records(tmp_path)
    with pytest.raises(UserError, match="there is no 'fmd' in shapes; there are: fdm, autoregressive"):
        whole.find("fmd", "shapes")


def test_records_of_other_code_are_counted(whole, pretend, monkeypatch):
    assert whole.outdated == 0
    monkeypatch.setattr("reproductions.level_field.trained.code_hash", lambda *_: "other")
    assert Records(whole.folder).outdated > 20


# --- who competes -------------------------------------------------------------------------------------------------


def test_every_method_of_the_field_that_is_here_has_its_world():
    usual = Settings()
    for entrant in plan.entrants(usual):
        config = entrant.config("toy")
        assert getattr(config, "horizon", 16) >= 16 and config.side == 16
    assert plan.entrants(usual)[0].id == "fdm-shapes"
    assert {e.slug for e in plan.entrants(usual)} | set(plan.absent()) == set(plan._all())
    assert Entrant("fdm", "shapes").config("toy").channels == (16, 32, 48)
    small = Entrant("fdm", "shapes", (("horizon", 8),)).config("smoke")
    assert small.channels == (8, 16, 16) and (small.world, small.horizon) == ("shapes", 8)
    orders = [c.name for c in plan.contenders(Entrant("fdm", "rooms"))]
    assert orders == ["fdm, autoregressive", "fdm, hierarchy-2"]


def test_paradigms_follow_the_order_of_frames_or_the_record():
    assert plan.paradigm(CHAIN) == "temporal-autoregressive" and plan.paradigm(AHEAD) == "divide-and-conquer"
    assert plan.paradigm(Contender("nuwa_xl", "shapes", Entrant("nuwa_xl", "shapes"))) == "divide-and-conquer"
    assert plan.paradigm(Contender("real", "shapes")) is None


def test_in_rooms_everybody_gets_what_he_can_use():
    from reproductions.level_field.measured import condition_of, field_world

    clip = field_world("rooms").batch(np.arange(2), np.zeros(2, int), 20)
    posed = type("Posed", (Pretend,), {"uses": ("context", "poses")})
    seen = type("Seen", (Pretend,), {"uses": ("context",)})
    given = condition_of(posed, clip, "rooms", 8)
    assert given.context.shape == (2, 8, 3, 16, 16) and given.poses.shape == (2, 20, 4, 4)
    assert condition_of(seen, clip, "rooms", 8).poses is None
    assert condition_of(posed, clip, "shapes", 8) is None


def test_the_command_runs_the_field_and_can_be_stopped(monkeypatch, capsys, tmp_path):
    seen = []
    monkeypatch.setattr(field, "run", lambda settings, folder, jobs: seen.append((settings, folder, jobs)) or (3, 8))
    asked = ["--budget", "9", "--seeds", "2", "--only", "nuwa-xl", "--jobs", "3", "--folder", str(tmp_path)]
    assert command.main(asked) == 0
    assert "8 tasks, 3 of them done now" in capsys.readouterr().out
    only = dataclasses.replace(Settings(), budget=9.0, seeds=(0, 1), methods=("nuwa_xl",), worlds=("shapes",))
    assert seen == [(only, tmp_path, 3)]

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(field, "run", stop)
    assert command.main(["--folder", str(tmp_path)]) == 130
    assert "the same command goes on" in capsys.readouterr().err
