import itertools
import json
import os
import signal
import threading

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

import reproductions
from kiloframe.errors import UserError
from reproductions import training
from reproductions.methods.fdm import FDM
from reproductions.training import learning_rate, train


def smoke(out, **options):
    return train("fdm", preset="smoke", out=out, progress=False, **options)


def stop_after(monkeypatch, step, number=signal.SIGTERM):
    """Send the signal from within the loss of one step, where it finds a step half done."""
    loss = FDM.loss

    def patched(self, clip, k):
        if k == step:
            os.kill(os.getpid(), number)
        return loss(self, clip, k)

    monkeypatch.setattr(FDM, "loss", patched)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_and_resumed_gives_the_weights_of_an_uninterrupted_run(tmp_path, monkeypatch, number):
    whole = smoke(tmp_path / "whole.safetensors")
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with monkeypatch.context() as patch:
        stop_after(patch, 3, number)
        with pytest.raises(KeyboardInterrupt):
            smoke(tmp_path / "parts.safetensors")
    assert not (tmp_path / "parts.safetensors").exists()
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers, "as they were"
    steps = []
    clips = FDM.clips
    monkeypatch.setattr(FDM, "clips", lambda self, rng, batch: steps.append(1) or clips(self, rng, batch))
    parts = smoke(tmp_path / "parts.safetensors")
    assert len(steps) == whole.steps - 4, "the four steps before the stop were not made again"
    first, second = (load_file(tmp_path / f"{name}.safetensors") for name in ("whole", "parts"))
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    assert parts.loss == whole.loss
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"{name}.{suffix}" for name in ("parts", "whole") for suffix in ("json", "safetensors")
    ], "neither checkpoint nor folder stays behind"


def test_restart_forgets_the_interrupted_run(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            smoke(tmp_path / "a.safetensors")
    steps = []
    clips = FDM.clips
    monkeypatch.setattr(FDM, "clips", lambda self, rng, batch: steps.append(1) or clips(self, rng, batch))
    assert len(steps) == 0 and smoke(tmp_path / "a.safetensors", restart=True).steps == len(steps)


def test_damaged_and_foreign_checkpoints_give_a_sentence(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            smoke(tmp_path / "a.safetensors")
    (checkpoint,) = tmp_path.glob(".a.safetensors.train/*")
    for options in ({"seed": 1}, {"steps": 9}):
        with pytest.raises(UserError, match=r"run with other settings; .*--restart"):
            smoke(tmp_path / "a.safetensors", **options)
    whole = checkpoint.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"nonsense"):
        checkpoint.write_bytes(damaged)
        with pytest.raises(UserError, match=r"cannot be read .*--restart"):
            smoke(tmp_path / "a.safetensors")
    torch.save({"key": 3}, checkpoint)
    with pytest.raises(UserError, match="--restart"):
        smoke(tmp_path / "a.safetensors")


def test_the_report_and_the_weights(tmp_path):
    out = tmp_path / "a folder" / "b.safetensors"
    state = torch.get_rng_state()
    report = smoke(out, seed=3, steps=25)
    assert torch.equal(torch.get_rng_state(), state), "the global random state is as it was"
    kept = json.loads(out.with_suffix(".json").read_text())
    assert kept["loss"] == [list(point) for point in report.loss] and [step for step, _ in report.loss] == [20, 25]
    assert kept["command"] == f"kiloframe train fdm --preset smoke --seed 3 --steps 25 --out '{out}'"
    model = FDM.load(out)
    assert kept["parameters"] == sum(p.numel() for p in model.parameters())
    first, other = load_file(out), smoke(tmp_path / "c.safetensors", seed=4, steps=25)
    second = load_file(tmp_path / "c.safetensors")
    assert any(not torch.equal(first[name], second[name]) for name in first) and other.seed == 4


def test_training_lowers_the_loss(tmp_path):
    report = smoke(tmp_path / "a.safetensors", steps=40)
    losses = [loss for _, loss in report.loss]
    assert losses[-1] < 0.6 * losses[0]


def test_kept_weights_are_the_moving_average(tmp_path, monkeypatch):
    last = {}
    average = training._average

    def watched(run, decay):
        average(run, decay)
        last.update({name: value.clone() for name, value in run.average.items()})

    monkeypatch.setattr(training, "_average", watched)
    smoke(tmp_path / "a.safetensors")
    kept = load_file(tmp_path / "a.safetensors")
    assert all(torch.equal(kept[name], last[name].half()) for name in kept)


def test_works_outside_the_main_thread(tmp_path):
    """Where no signal can be caught, as in a Dask worker."""
    thread = threading.Thread(target=smoke, args=(tmp_path / "a.safetensors",))
    thread.start()
    thread.join()
    assert (tmp_path / "a.safetensors").exists()


def test_mistakes(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="no preset 'paper'; allowed: smoke, toy, gpu"):
        train("fdm", preset="paper")
    with pytest.raises(UserError, match="--steps must be at least 1"):
        smoke(tmp_path / "a.safetensors", steps=0)
    with pytest.raises(UserError, match="no variant 'x'"):
        smoke(tmp_path / "a.safetensors", variant="x")
    with pytest.raises(UserError, match="no reproduction of 'fdmm'"):
        train("fdmm")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        smoke(tmp_path / "file" / "a.safetensors")
    monkeypatch.setattr(FDM, "loss", lambda self, clip, step: {"loss": next(self.parameters()).sum() * torch.nan})
    with pytest.raises(UserError, match="stage 'denoiser' is not a number at step 0"):
        smoke(tmp_path / "a.safetensors")
    assert not (tmp_path / "a.safetensors").exists()


def test_learning_rate_rises_then_falls_to_nothing():
    rates = [learning_rate(step, 1000, 2.0) for step in range(1000)]
    assert rates[0] == pytest.approx(0.02) and rates[99] == rates[100] == 2.0
    assert all(a < b for a, b in itertools.pairwise(rates[:100]))
    assert all(a > b for a, b in itertools.pairwise(rates[100:]))
    assert rates[550] == pytest.approx(1.0) and rates[-1] < 1e-4


def test_kept_toy_weights_are_of_the_toy_preset():
    report = json.loads(reproductions.weights_path("fdm").with_suffix(".json").read_text())
    config = FDM.Config.toy()
    assert (report["preset"], report["steps"], report["batch"]) == ("toy", config.steps, config.batch)
    assert report["seconds"] <= 20 * 60 and report["loss"][-1][0] == config.steps
    assert report["parameters"] == FDM.count(config)


def test_two_trainings_of_the_same_weights_do_not_meet(monkeypatch, tmp_path, capsys):
    from kiloframe.cli import invoke

    words, asked = ["train", "fdm", "--preset", "smoke", "--out", str(tmp_path / "w.safetensors")], []

    def meanwhile(*_, **__):
        if not asked:  # the second one does not come as far as this
            asked.append(invoke(words))
        raise UserError("the first one ends here")

    monkeypatch.setattr(training, "train", meanwhile)
    assert invoke(words) == 2 and asked == [2]
    told = capsys.readouterr().err.splitlines()
    assert "w.safetensors is in progress (process " in told[0] and told[1].endswith("the first one ends here")
    assert invoke(words) == 2 and "the first one ends here" in capsys.readouterr().err, "not locked any more"


FULL = [
    OSError(28, "No space left on device"),
    RuntimeError("PytorchStreamWriter failed"),
    SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
]


@pytest.mark.parametrize("error", FULL)
def test_a_training_that_finds_the_disk_full_says_so_and_keeps_what_it_has(monkeypatch, tmp_path, capsys, error):
    from kiloframe import files
    from kiloframe.cli import invoke

    def full(*_, **__):
        raise error

    words = ["train", "fdm", "--preset", "smoke", "--out", str(tmp_path / "kept" / "w.safetensors")]
    monkeypatch.setattr(training, "train", full)
    asked = "No space left on device" if isinstance(error, RuntimeError) else None  # the others tell by themselves
    monkeypatch.setattr(files, "no_room", lambda path: asked)
    assert invoke(words) == 2
    told = capsys.readouterr().err
    assert told.startswith("kiloframe: ") and "kept cannot be written (No space left on device); make room" in told
    assert not list(tmp_path.glob("kept/*"))
    monkeypatch.setattr(files, "no_room", lambda path: None)
    if isinstance(error, RuntimeError):
        with pytest.raises(RuntimeError):  # another fault than a full disk is told as what it is
            invoke(words)
