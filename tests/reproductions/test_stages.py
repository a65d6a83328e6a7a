"""What a stage of training may ask for: its own rate, batch and betas; a rival; clips with captions or poses."""

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from kiloframe.errors import UserError
from reproductions import training
from reproductions.contract import Batch, Condition, Reproduction, Stage
from reproductions.training import learning_rate


@dataclasses.dataclass(frozen=True)
class Config:
    steps: int = 8
    batch: int = 2
    learning_rate: float = 0.1
    ema: float = 0.0

    @classmethod
    def smoke(cls):
        return cls()


class Pair(Reproduction):
    """A number alone, then two rivals: each stage tells what it was given."""

    slug = "fdm"
    world = "digits"
    Config = Config
    posed = False

    def __init__(self, config):
        super().__init__(config)
        self.first, self.one, self.two = (nn.ParameterList([torch.zeros(1)]) for _ in range(3))
        self.seen = []

    def stages(self):
        alone = Stage("alone", (self.first,), self.told("alone", self.first), share=1, batch=5, weight_decay=0.0)
        rivals = (
            Stage("one", (self.one,), self.told("one", self.one), share=3, constant=True, weight_decay=0.0),
            Stage("two", (self.two,), self.told("two", self.two), learning_rate=0.01, betas=(0.0, 0.9)),
        )
        return alone, rivals

    def told(self, name, parameters):
        def loss(clip, step):
            self.seen.append((name, len(Batch.of(clip).video), self.one[0].item(), self.two[0].item()))
            return {"loss": (parameters[0] - 1e6).square().sum()}  # the gradient is clipped: Adam's steps are the rate

        return loss

    def clips(self, rng, batch):
        video = torch.from_numpy(rng.random((batch, 4, 3, 16, 16), np.float32))
        return Batch(video, poses=torch.eye(4).expand(batch, 4, 4, 4)) if self.posed else Batch(video)


def test_stages_share_the_steps_and_rivals_take_turns(tmp_path, monkeypatch):
    models = []
    monkeypatch.setattr(
        Pair, "__init__", lambda self, config, init=Pair.__init__: (init(self, config), models.append(self))[0]
    )
    report = training.train(Pair, preset="smoke", out=tmp_path / "w.safetensors", progress=False)
    (model,) = models
    assert [name for name, *_ in model.seen] == ["alone"] * 2 + ["one", "two"] * 6
    assert [count for _, count, *_ in model.seen] == [5] * 2 + [2] * 12, "a batch of its own, else the config's"
    ones = [one for name, _, one, _ in model.seen if name == "two"]
    assert ones[0] == pytest.approx(0.1), "two sees what one has just learnt"
    steps = np.diff([0, *ones])
    assert steps == pytest.approx([0.1] * 6, rel=1e-3), "constant, with the config's rate"
    assert 0 < model.two[0].item() < 0.061 and report.steps == 8


@pytest.mark.parametrize("constant", [False, True])
def test_the_rate_warms_up_and_falls_or_stays(constant):
    rates = [learning_rate(k, 1000, 1.0, constant) for k in range(1000)]
    assert rates[:100] == pytest.approx([(k + 1) / 100 for k in range(100)])
    assert (rates[-1] < 1e-4 and rates[550] == pytest.approx(0.5)) if not constant else set(rates[100:]) == {1.0}


def test_a_resumed_run_of_rivals_ends_as_one_that_was_not_stopped(tmp_path, monkeypatch):
    whole, broken = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    training.train(Pair, preset="smoke", out=whole, progress=False)
    average, calls = training._average, []

    def stop_once(run, decay):
        average(run, decay)
        calls.append(1)
        if len(calls) == 5:
            run.stop.asked = True

    monkeypatch.setattr(training, "_average", stop_once)
    with pytest.raises(KeyboardInterrupt):
        training.train(Pair, preset="smoke", out=broken, progress=False)
    assert not broken.exists()
    training.train(Pair, preset="smoke", out=broken, progress=False)
    one, other = load_file(whole), load_file(broken)
    assert len(calls) == 8 and one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_what_needs_poses_takes_no_real_video(tmp_path, monkeypatch):
    monkeypatch.setattr(Pair, "posed", True)
    with pytest.raises(UserError, match="fdm needs the camera's pose in every frame; it takes no real video"):
        training.train(Pair, preset="smoke", out=tmp_path / "w.safetensors", progress=False, source=object())


def test_a_batch_travels_whole():
    clip = torch.zeros(2, 3, 3, 4, 4)
    batch = Batch(clip, torch.ones(2, 3, 5, dtype=torch.int64))
    assert Batch.of(batch) is batch and Batch.of(clip).video is clip and Batch.of(clip).captions is None
    moved = batch.to("meta")
    assert moved.video.is_meta and moved.captions.is_meta and moved.poses is None


def test_captions_share_the_length_evenly_and_in_order():
    told = Condition(captions=("a", "b", "c"))
    assert [told.caption_at(t, 9) for t in range(9)] == list("aaabbbccc")
    assert [told.caption_at(t, 4) for t in range(6)] == list("aabccc"), "frames beyond the end have the last one"
    assert Condition().caption_at(0, 4) is None
