import numpy as np
import pytest
import torch

from kiloframe.errors import UserError
from kiloframe.results import read_result
from reproductions.contest import BASELINES, ClipDistance, Contest, clip_features
from reproductions.measures import world_network
from reproductions.measures.exact import exact
from reproductions.report import Report
from reproductions.worlds.base import EVALUATION_SEEDS

SEEDS = [0, 1, 2]


def contest(folder, **options):
    report = Report("tats", scale="toy", seed=0, seeds=SEEDS, out=folder)
    return Contest(report, "shapes", seeds=SEEDS, videos=3, frames=32, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    c = contest(tmp_path_factory.mktemp("contest"))
    c.add("twin", {s: torch.from_numpy(c.films()[s]) for s in SEEDS})
    c.add("dark", {s: c.films()[s] * 0 for s in SEEDS})
    return c


def test_real_comes_first_and_the_trivial_ones_last(whole):
    assert whole.names == ["real", "twin", "dark", *BASELINES]
    seeds = np.concatenate([whole.film_seeds(s) for s in SEEDS])
    assert len(set(seeds)) == 9 and seeds.min() >= EVALUATION_SEEDS
    video = whole.films()[1]
    assert np.array_equal(video, whole.world.batch(whole.film_seeds(1), np.zeros(3, int), 32).video)
    assert np.array_equal(whole.films("freeze")[1][:, :8], video[:, :8])
    assert (whole.films("freeze")[1][:, 8:] == video[:, 7:8]).all()


def test_values_are_the_exact_measures_means(whole):
    course = exact(whole.world, whole.films()[2], None)["velocity_error"]
    assert whole.values("real", "velocity_error")[2] == np.nanmean(course)
    assert whole.values("real", "velocity_error", slice(8, 16))[2] == np.nanmean(course[:, 8:16])
    assert whole.values("twin", "velocity_error") == whole.values("real", "velocity_error")
    assert whole.values("shuffle", "velocity_error")[0] > 5 * whole.values("real", "velocity_error")[0]


def test_measured_against_the_world_or_a_caption(tmp_path, whole):
    same = contest(tmp_path, against="world")
    assert same.values("real", "identity") == pytest.approx([1, 1, 1], abs=0.02)
    assert np.nanmean(same.values("freeze", "position_error")) > np.nanmean(whole.values("freeze", "position_error"))
    captions = {s: same.truth[s].captions() for s in SEEDS}
    told = contest(tmp_path, against=captions)
    assert min(told.values("real", "obedience")) > 0.9
    swapped = contest(tmp_path, against={s: captions[(s + 1) % 3] for s in SEEDS})
    assert max(swapped.values("real", "obedience")) < 0.5


def test_drift_is_the_mean_of_blocks_with_intervals(whole):
    lines = whole.drift("identity", title="t", alt="a", block=16)
    x, y, low, high = lines["noise"]
    assert x.tolist() == [7.5, 23.5] and (low <= y).all() and (y <= high).all()
    first = [np.nanmean(whole.course("noise", "identity", s)[:, :16]) for s in SEEDS]
    assert y[0] == pytest.approx(np.mean(first)) and y[0] > y[1]


def test_distances_tell_noise_and_darkness_from_real_video(whole):
    values = {n: whole.distance(n) for n in whole.names}
    assert values["twin"].value == values["real"].value
    assert values["real"].low < 0 < values["real"].high
    for name in ("dark", "noise"):
        assert values[name].low > values["real"].high
    assert whole.distance("noise", slice(1, 2)).value > whole.distance("noise", slice(1)).value
    assert np.mean(whole.distance_values("noise")) == pytest.approx(values["noise"].value, rel=0.2)


def test_beaten_names_those_that_are_surely_worse(whole):
    found = whole.beaten("twin", ["velocity_error", "identity", "clip-distance"])
    assert "shuffle" in found["velocity_error"] and "freeze" not in found["identity"]
    assert "noise" in found["clip-distance"] and "freeze" not in whole.beaten("dark", ["identity"])["identity"]


def test_all_is_recorded(whole):
    whole.table(["identity", "velocity_error"], caption="c")
    whole.distances(caption="c")
    whole.distance_drift(title="t", alt="a")
    result = read_result(whole.report.save())
    found = {m.id: m for m in result.measures}
    assert found["identity:dark"].value == 0 and found["identity:dark"].better == "higher"
    assert found["velocity_error:real"].values == whole.values("real", "velocity_error")
    assert "velocity_error:dark" not in found, "nothing is seen in the dark, so nothing can be said of its steps"
    late = whole.distance("noise", slice(1, None))
    assert (found["clip-distance:noise"].low, found["clip-distance:noise"].high) == (late.low, late.high)
    assert "bootstrap" in found["clip-distance:noise"].interval
    assert {"clip-distance-drift"} <= {c.id for c in result.curves}


def test_mistakes_give_a_sentence(tmp_path, whole):
    with pytest.raises(
        UserError, match=r"'x' must be \(3, 32, 3, 16, 16\) for each seed; seed 1: missing; seed 2: \(1"
    ):
        whole.add("x", {0: whole.films()[0], 2: whole.films()[2][:1]})
    with pytest.raises(UserError, match="no contender 'y'; there are: real, twin"):
        whole.films("y")
    with pytest.raises(UserError, match="shapes has no measure 'legible'; it has: identity"):
        whole.values("real", "legible")
    with pytest.raises(UserError, match="'itself', 'world'"):
        contest(tmp_path, against="truth")
    short = Contest(whole.report, "digits", seeds=SEEDS, videos=2, frames=9)
    with pytest.raises(UserError, match="at least 16 frames, not 9"):
        short.distance("real")


def test_a_feature_that_never_changes_is_not_divided_by():
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(64, 5)) * [1, 100, 0, 1, 1] + [0, 0, 3, 0, 0]
    distance = ClipDistance(reference)
    standard = distance.standard(reference)
    assert np.allclose(standard.mean(0), 0) and np.allclose(standard.std(0), [1, 1, 0, 1, 1])
    clips = reference[:60].reshape(10, 6, 5)
    same, moved = (distance(distance.standard(clips + by), 0).value for by in (0, [0, 100, 0, 0, 0]))
    assert same < 0.05 < moved, "one deviation is one deviation, however large the numbers"


def test_features_are_those_of_clips_end_to_end():
    videos = np.random.default_rng(0).uniform(size=(2, 3, 40, 3, 16, 16)).astype(np.float32)
    network = world_network.load()
    found = clip_features(network, videos)
    assert found.shape == (2, 3, 2, 64), "two whole clips of 16 frames; the rest is left out"
    assert np.allclose(found[1, 2, 1], network.features(videos[1, 2, 16:32][None])[0], atol=1e-5)
