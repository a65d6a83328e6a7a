"""The world network: what it is asked to predict, that it can, and that its features are what they say."""

import json

import numpy as np
import pytest
import torch

from kiloframe.errors import UserError
from reproductions import weights_path, worlds
from reproductions.measures import networks
from reproductions.measures.distances import frechet, kernel
from reproductions.measures.world_network import FEATURES, FRAMES, SIDE, WorldNetwork, load
from reproductions.measures.world_training import TARGETS, WorldTraining, accuracy, clips_of
from reproductions.worlds.base import EVALUATION_SEEDS

SEEDS = EVALUATION_SEEDS + np.arange(6)


@pytest.fixture(scope="module")
def network():
    return networks.load("world")


def targets(world):
    _, truth = clips_of(world, SEEDS, np.arange(6) * 5)
    return truth, {t.name: np.asarray(t.read(truth)) for t in TARGETS if t.world == world}


def test_every_world_is_asked_for_something_of_its_truth():
    assert {t.world for t in TARGETS} == set(worlds.NAMES)
    for t in TARGETS:
        _, truth = clips_of(t.world, SEEDS, np.zeros(6, int))
        read = np.asarray(t.read(truth))
        assert read.shape == ((6,) if t.kind == "class" else (6, t.size)) and np.isfinite(read).all(), t.key
        if t.kind == "class":
            assert read.min() >= 0 and read.max() < t.size, t.key
        if t.kind == "set":
            assert set(np.unique(read)) <= {0, 1}, t.key


def test_targets_by_hand():
    truth, read = targets("shapes")
    for b in range(6):
        assert set(np.flatnonzero(read["kinds"][b])) == set(truth.kind[b, 0])
        assert set(np.flatnonzero(read["colours"][b])) == set(truth.colour[b, 0])
    truth, read = targets("stories")
    assert (read["place"] == truth.place[:, FRAMES // 2]).all()
    truth, read = targets("timelapse")
    hour = np.arctan2(*read["clock"].T) / (2 * np.pi) % 1
    np.testing.assert_allclose(hour, truth.time_of_day[:, FRAMES // 2], atol=1e-9)


def test_the_walk_of_a_camera_is_its_steps_and_turns():
    """A camera that steps 0.2 forward and turns 0.1 radians to the right per frame."""
    (read,) = (t.read for t in TARGETS if t.world == "rooms")
    pose = np.tile(np.eye(4), (1, FRAMES, 1, 1))
    for n in range(FRAMES):
        a = 0.1 * n  # camera axes: x right, y down, z forward; world: z up, a turn to the right runs clockwise
        right, down, forward = (-np.sin(a), -np.cos(a), 0), (0, 0, -1), (np.cos(a), -np.sin(a), 0)
        pose[0, n, :3, :3] = np.stack([right, down, forward], -1)
        if n:
            pose[0, n, :3, 3] = pose[0, n - 1, :3, 3] + 0.2 * pose[0, n - 1, :3, 2]

    class Truth:
        pass

    Truth.pose = pose
    np.testing.assert_allclose(read(Truth), [[2.0, 10 * np.sin(0.1)]], atol=1e-9)


def test_features_are_of_clips_of_any_length_from_sixteen_frames_on(network):
    video, _ = clips_of("digits", SEEDS, np.zeros(6, int))
    f = network.features(video)
    assert f.shape == (6, FEATURES) and f.dtype == np.float64 and np.isfinite(f).all()
    np.testing.assert_array_equal(f, network.features(video))
    long = worlds.world("digits", SIDE).batch(SEEDS, np.zeros(6, int), 128).video
    assert network.features(long).shape == (6, FEATURES)
    with pytest.raises(UserError, match="at least 16 frames, not 15"):
        network.features(video[:, :15])
    with pytest.raises(UserError, match="at least 16x16 pixels, not 8x8"):
        network.features(video[..., ::2, ::2])


def test_larger_frames_are_averaged_down(network):
    """A frame of 32x32 made of squares of 2x2 pixels is the 16x16 frame; bytes are floats that were rounded."""
    video, _ = clips_of("stories", SEEDS, np.zeros(6, int))
    video = np.round(video * 255) / 255
    big = video.repeat(2, -1).repeat(2, -2).astype(np.float32)
    f = network.features(video.astype(np.float32))
    np.testing.assert_allclose(network.features(big), f, atol=1e-4)
    np.testing.assert_allclose(network.features(np.round(video * 255).astype(np.uint8)), f, atol=1e-4)


def test_it_predicts_the_truth_on_seeds_it_never_saw():
    """The accuracy reported beside the weights is what the weights have."""
    report = json.loads(weights_path("world_network").with_suffix(".json").read_text())
    model = WorldTraining.load(weights_path("world_network"))
    found = accuracy(model, count=96, seed=5)
    assert set(found) == set(report["held_out"])
    for key, told in report["held_out"].items():
        assert told["value"] > told["chance"] + 0.1, key
        scatter = 4 * np.sqrt(0.25 / 96) if told["chance"] else 0.35
        assert abs(found[key]["value"] - told["value"]) < scatter, key
    for name in worlds.NAMES:
        assert report["held_out"][f"{name}_world"]["value"] > 0.95


@pytest.mark.parametrize("name", worlds.NAMES)
def test_distances_over_its_features_put_real_video_before_every_fault(network, name):
    from reproductions.measures import baselines

    first = EVALUATION_SEEDS + np.arange(160)
    real, _ = clips_of(name, first, np.zeros(160, int))
    other, _ = clips_of(name, first + 10_000, np.zeros(160, int))
    a = network.features(other)
    states = {
        "real": real, "freeze": baselines.freeze(real[:, :4], FRAMES), "repeat": baselines.repeat(real[:, :4], FRAMES),
        "shuffle": baselines.shuffle(real), "noise": baselines.noise(real[:, :4], FRAMES),
    }  # fmt: skip
    for distance in (frechet, kernel):
        far = {s: distance(a, network.features(v), network.name, resamples=0) for s, v in states.items()}
        assert min(far, key=lambda s: far[s].value) == "real", {s: e.value for s, e in far.items()}
        assert max(far, key=lambda s: far[s].value) == "noise"
        assert far["real"].name.endswith("distance over world-network features")


def test_weights_that_do_not_fit_are_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"there are no weights of the world network at .*world_training"):
        load(tmp_path / "none.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(weights_path("world_network").read_bytes()[:1000])
    with pytest.raises(UserError, match="does not hold the world network"):
        load(tmp_path / "cut.safetensors")
    with pytest.raises(UserError, match="has the sha256"):
        load(sha256="0" * 64)
    with pytest.raises(UserError, match="does not hold the world network"):
        load(weights_path("fdm"))


def test_a_few_steps_of_training_lower_the_loss_and_reach_every_weight(tmp_path):
    from reproductions.training import train

    report = train(WorldTraining, preset="smoke", steps=12, out=tmp_path / "w.safetensors", progress=False)
    assert report.slug == "world_network" and report.steps == 12
    assert isinstance(load(tmp_path / "w.safetensors").extractor, WorldNetwork)
    model = WorldTraining(WorldTraining.Config.smoke())
    clips = model.clips(np.random.default_rng(0), 2)
    losses = model.loss(clips, 0)
    losses["loss"].backward()
    assert torch.isclose(losses["loss"], sum(v for k, v in losses.items() if k != "loss"))
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert (clips[..., 0] < EVALUATION_SEEDS).all(), "training never sees a held-out seed"
