"""More training: what is drawn ahead is the same, what is measured is what a method made, and mistakes are told."""

import dataclasses
import json

import numpy as np
import pytest
import torch

import reproductions
from reproductions import more_training as more
from reproductions.contract import Batch
from reproductions.drawn_ahead import drawn_ahead
from reproductions.level_field.trained import flops_of_training
from reproductions.worlds import world


@pytest.mark.parametrize("slug", ["fdm", "nuwa_xl", "look_outside_the_room"])  # plain, with captions, with poses
def test_clips_drawn_ahead_are_those_that_training_would_draw(slug):
    kind = reproductions.method(slug)
    model = kind(kind.Config.smoke())
    with drawn_ahead(kind, 1) as ahead:
        drawer = ahead(kind.Config.smoke())
        for stage, step in [(0, 0), (0, 1), (0, 2), (1, 0), (0, 3)]:  # a stage begins; and one that was not expected
            mine, theirs = (Batch.of(m.clips(np.random.default_rng([5, stage, step]), 2)) for m in (drawer, model))
            assert torch.equal(mine.video, theirs.video)
            for name in ("captions", "poses"):
                one, other = getattr(mine, name), getattr(theirs, name)
                assert (one is None) == (other is None) and (one is None or torch.equal(one, other))


@pytest.mark.parametrize("slug", ["tats", "stylegan_v"])  # several stages; two networks that take turns
def test_operations_of_a_step_grow_with_the_batch_and_are_counted_on_two_clips(slug):
    kind = reproductions.method(slug)
    model = kind(dataclasses.replace(kind.Config.smoke(), batch=5))
    assert more.step_operations(model) == pytest.approx(flops_of_training(model), rel=0.05)
    assert "clips" not in vars(model)


def test_a_larger_frame_is_the_mean_over_squares():
    video = np.random.default_rng(0).random((2, 3, 3, 32, 32), np.float32)
    small = more._small(video)
    assert small.shape == (2, 3, 3, 16, 16)
    np.testing.assert_allclose(small[1, 2, 0, 3, 5], video[1, 2, 0, 6:8, 10:12].mean(), rtol=1e-5)
    assert more._small(small) is small


class Real(torch.nn.Module):
    """Makes other real video of its world, so that every measure must be as good as real."""

    slug, world, uses = "real", "shapes", ()

    def __init__(self, side):
        super().__init__()
        self.config = reproductions.method("fdm").Config(side=side)

    def generate(self, frames, condition, *, seed, batch):
        seeds = 7_000_000 + 100 * seed + np.arange(batch)
        return torch.from_numpy(world("shapes", self.config.side).batch(seeds, np.zeros(batch, int), frames).video)


@pytest.mark.parametrize("side", [16, 32])
def test_real_video_is_measured_as_real(side, tmp_path):
    found = more.measure(Real(side), 48, tmp_path / "real.npz")
    assert found["side"] == side and found["frames"] == 48 and found["parameters"] == 0
    assert np.mean(found["exact"]["identity"]) > 0.9 and len(found["generating"]) == len(more.SEEDS)
    kept = np.load(tmp_path / "real.npz")
    assert kept["features"].shape == kept["real"].shape == (3, more.VIDEOS, 3, 64)
    assert kept["strip"].shape == (16, 3, side, side) and not np.array_equal(kept["strip"], kept["real_strip"])


def test_the_command_trains_measures_and_does_nothing_twice(tmp_path, capsys):
    command = ["--only", "stylegan_v", "--preset", "smoke", "--seconds", "0.05", "--frames", "16", "--workers", "0"]
    assert more.main([*command, "--folder", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "stylegan_v-smoke-0.05.json").read_text())
    assert "stylegan_v-smoke-0.05" in capsys.readouterr().out
    assert record["steps"] == sum(record["steps_per_stage"]) >= 1 and record["operations"] > 1e6
    assert sorted(p.name for p in tmp_path.iterdir()) == ["stylegan_v-smoke-0.05.json", "stylegan_v-smoke-0.05.npz"]
    assert more.main([*command, "--folder", str(tmp_path)]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "give --kept or --seconds"),
        (["--seconds", "-1"], "--seconds above 0"),
        (["--kept", "--frames", "3"], "--frames of at least 16"),
        (["--kept", "--only", "fmd"], "fmd"),
    ],
)
def test_mistakes_are_told_in_a_sentence(arguments, told, tmp_path, capsys):
    assert more.main([*arguments, "--folder", str(tmp_path / "x")]) == 2
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1 and not (tmp_path / "x").exists()
