"""Frechet and kernel distances, moments, the inception score and text similarity: closed forms, twins, intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from sklearn.metrics.pairwise import polynomial_kernel
from torchmetrics.image.fid import _compute_fid

from kiloframe.errors import UserError
from reproductions.measures.distances import FrechetDistance, KernelDistance, Moments, frechet, kernel
from reproductions.measures.estimate import Description, mean_estimate, percentiles, resamples_of
from reproductions.measures.scores import (
    InceptionScore,
    TextSimilarity,
    inception_score,
    text_similarity,
    text_similarity_per_frame,
)
from reproductions.measures.statistics import frechet_distance, frechet_of_moments


def with_moments(mean, covariance, count, seed=0):
    """Vectors whose sample mean and covariance are exactly these."""
    x = np.random.default_rng(seed).normal(size=(count, len(mean)))
    x -= x.mean(0)
    white = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return white @ np.linalg.cholesky(covariance).T + mean


@pytest.fixture(scope="module")
def sets():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5)), rng.normal(size=(70, 5)) + 0.5


FAR = np.r_[3.0, 4.0, np.zeros(4)]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((np.zeros(6), np.eye(6)), (FAR, np.eye(6)), 25.0),
        ((np.zeros(400), 4 * np.eye(400)), (np.zeros(400), np.eye(400)), 400.0),
        ((np.zeros(2), np.diag([1.0, 4.0])), (np.zeros(2), np.diag([9.0, 25.0])), 13.0),
    ],
)
def test_frechet_distance_of_gaussians_in_closed_form(a, b, expected):
    assert frechet_of_moments(*a, *b) == pytest.approx(expected, rel=1e-9)
    if len(a[0]) < 10:
        found = frechet(with_moments(*a, 40), with_moments(*b, 50, 1), "n", resamples=0)
        assert found.value == pytest.approx(expected, rel=1e-9)


def test_equal_sets_are_at_distance_zero(sets):
    real = sets[0]
    assert frechet(real, real, "n").value <= 1e-6 * np.trace(np.cov(real, rowvar=False))
    thin = np.random.default_rng(0).normal(size=(400, 3)) @ np.ones((3, 9))  # singular covariance
    assert frechet(thin, thin, "n", resamples=0).value <= 1e-6 * np.trace(np.cov(thin, rowvar=False))


def test_frechet_distance_is_the_principal_root_and_torchmetrics_and_the_old_function(sets):
    a, b = sets
    c1, c2 = (np.cov(x, rowvar=False) for x in sets)
    root = sqrtm(c1 @ c2)
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(c1 + c2 - 2 * root.real)
    found = frechet(a, b, "n", resamples=0).value
    assert found == pytest.approx(expected, rel=1e-9) and found == pytest.approx(frechet_distance(a, b), rel=1e-12)
    import torch

    theirs = _compute_fid(*(torch.from_numpy(x) for x in (a.mean(0), c1, b.mean(0), c2)))
    assert found == pytest.approx(float(theirs), abs=1e-5)


def test_frechet_distance_needs_twice_as_many_clips_as_features(sets):
    a, b = sets
    with pytest.raises(UserError, match="9 clips for 5 features"):
        frechet(a[:9], b, "n")
    with pytest.raises(UserError, match="the fake set has 9"):
        frechet(a, b[:9], "n")
    frechet(a[:10], b[:10], "n", resamples=2)
    with pytest.raises(UserError, match="set of 1"):
        frechet(a[:1], b, "n")
    with pytest.raises(UserError, match="empty"):
        FrechetDistance("n").compute()
    with pytest.raises(UserError, match="4 features and the other 5"):
        frechet(a, b[:, :4], "n")
    with pytest.raises(UserError, match="2048"):
        FrechetDistance("inception").update(a, b)


def test_results_name_what_they_were_made_over(sets):
    found = frechet(*sets, "world-network")
    assert found.name == "Frechet distance over world-network features" and found.count == 60
    assert found.settings["network"] == "world-network" and "n - 1" in found.settings["covariance"]
    assert found.settings["real videos"] == 60 and found.settings["fake videos"] == 70
    assert any("2048" in warning for warning in found.warnings)
    rng = np.random.default_rng(1)
    famous = kernel(rng.normal(size=(4, 400)), rng.normal(size=(4, 400)), "i3d", resamples=0)
    assert famous.name == "KVD" and "unbiased" in famous.settings["estimator"]


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (np.zeros((3, 4)), np.zeros((5, 4)), 0.0),
        (np.zeros((3, 4)), np.ones((5, 4)), 7.0),
        (np.zeros((3, 4)), 2 * np.ones((5, 4)), 124.0),
        (np.array([np.zeros(4), np.ones(4)]), np.array([np.zeros(4), np.ones(4)]), -3.5),
    ],
)
def test_kernel_distance_in_closed_form(x, y, expected):
    assert kernel(x, y, "n").value == pytest.approx(expected, abs=1e-12)


def test_kernel_distance_is_that_of_scikit_learns_kernel(sets):
    a, b = np.concatenate([sets[0]] * 20), sets[1]  # more rows than a block holds
    kaa, kbb, kab = polynomial_kernel(a), polynomial_kernel(b), polynomial_kernel(a, b)
    m, n = len(a), len(b)
    expected = (kaa.sum() - np.trace(kaa)) / (m * (m - 1)) + (kbb.sum() - np.trace(kbb)) / (n * (n - 1))
    found = kernel(a, b, "n", resamples=0)
    assert found.value == pytest.approx(expected - 2 * kab.mean(), rel=1e-9)
    assert found.low is None and any("no interval" in warning for warning in found.warnings)


def test_kernel_distance_needs_no_covariance_but_two_of_each():
    rng = np.random.default_rng(0)
    assert kernel(rng.normal(size=(3, 50)), rng.normal(size=(3, 50)), "n").low is not None
    with pytest.raises(UserError, match="1 video"):
        kernel(np.ones((1, 3)), np.ones((2, 3)), "n")
    with pytest.raises(UserError, match="keep"):
        KernelDistance("n", keep=False)


@given(parts=st.lists(st.integers(1, 9), min_size=2, max_size=5), seed=st.integers(0, 9))
@settings(max_examples=20, deadline=None)
def test_moments_merge_to_those_of_the_whole(parts, seed):
    x = 1e3 + np.random.default_rng(seed).normal(size=(sum(parts), 3))
    boxes = []
    for piece in np.split(x, np.cumsum(parts)[:-1]):
        boxes.append(Moments())
        boxes[-1].update(piece)
    forwards = backwards = Moments()
    for box in boxes:
        forwards = forwards.merge(box)
    for box in reversed(boxes):
        backwards = box.merge(backwards)
    for made in (forwards, backwards):
        np.testing.assert_allclose(made.mean, x.mean(0), rtol=1e-13)
        np.testing.assert_allclose(made.covariance(), np.cov(x, rowvar=False), rtol=1e-8, atol=1e-10)


def test_moments_refuse_another_width_and_too_few():
    box, other = Moments(), Moments()
    box.update(np.ones((1, 3)))
    other.update(np.ones((1, 2)))
    with pytest.raises(UserError, match="earlier vectors have 3"):
        box.update(np.ones((1, 2)))
    with pytest.raises(UserError, match="cannot be merged"):
        box.merge(other)
    with pytest.raises(UserError, match="at least 2"):
        box.covariance()


@pytest.mark.parametrize("kind", [FrechetDistance, KernelDistance])
@given(cut=st.integers(0, 30), seed=st.integers(0, 3))
@settings(max_examples=8, deadline=None)
def test_merged_distances_equal_one(kind, cut, seed):
    rng = np.random.default_rng(seed)
    real, fake = rng.normal(size=(30, 3)), rng.normal(size=(30, 3)) + 1
    one, left, right = kind("n"), kind("n"), kind("n")
    one.update(real, fake)
    for box, part in ((left, slice(0, cut)), (right, slice(cut, 30))):
        if len(real[part]):
            box.update(real=real[part])
            box.update(fake=fake[part])
    whole = one.compute(resamples=10)
    for box in (left.merge(right), right.merge(left)):
        made = box.compute(resamples=10)
        for attribute in ("value", "low", "high"):
            assert getattr(made, attribute) == pytest.approx(getattr(whole, attribute), rel=1e-9)
        assert made.settings == whole.settings and made.count == 30
    with pytest.raises(UserError, match="cannot be merged"):
        left.merge(kind("another"))


def test_without_the_features_the_value_is_the_same_and_there_is_no_interval(sets):
    box = FrechetDistance("n", keep=False)
    for i in range(0, 60, 20):
        box.update(sets[0][i : i + 20])
    box.update(fake=sets[1])
    found = box.compute()
    assert found.value == pytest.approx(frechet(*sets, "n").value, rel=1e-9) and found.low is None


def test_frames_of_one_video_are_resampled_together():
    rng = np.random.default_rng(0)
    videos = rng.normal(size=(12, 1, 2))
    real, fake = np.repeat(videos, 20, 1) + 0.01 * rng.normal(size=(2, 12, 20, 2)) + np.array([[[[0.0]]], [[[1.0]]]])
    together, apart = frechet(real, fake, "n"), frechet(real.reshape(-1, 2), fake.reshape(-1, 2), "n")
    assert together.value == pytest.approx(apart.value) and (together.count, apart.count) == (12, 240)
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_the_interval_holds_the_true_distance_and_narrows_with_the_sample():
    rng = np.random.default_rng(0)
    hits, widths = 0, {}
    for count in (60, 240):
        for trial in range(20):
            a, b = rng.normal(size=(count, 2)), rng.normal(size=(count, 2)) + np.array([1.0, 0])
            found = frechet(a, b, "n", resamples=60, seed=trial)
            hits += found.low <= 1 <= found.high
            widths.setdefault(count, []).append(found.high - found.low)
    assert hits >= 33  # of 40, at a nominal 95 per cent
    assert np.mean(widths[240]) < 0.7 * np.mean(widths[60])


def test_the_bias_of_resampling_is_taken_off():
    a, b = np.random.default_rng(0).normal(size=(2, 40, 12))  # small sets of many features: resampling adds distance
    found = frechet(a, b, "n", resamples=100)
    assert found.low < found.value < found.high
    assert (found.low + found.high) / 2 == pytest.approx(found.value, rel=0.15)


def test_two_runs_agree_bit_for_bit(sets):
    assert frechet(*sets, "n", seed=3) == frechet(*sets, "n", seed=3) != frechet(*sets, "n", seed=4)
    assert kernel(*sets, "n", seed=3) == kernel(*sets, "n", seed=3)


def one_hot(classes, kinds):
    return np.eye(kinds)[classes]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (np.full((50, 7), 1 / 7), 1.0),
        (one_hot(np.arange(1010) % 101, 101), 101.0),
        (one_hot(np.full(40, 3), 5), 1.0),
        (one_hot(np.arange(40) % 2, 2), 2.0),
    ],
)
def test_inception_score_in_closed_form(rows, expected):
    found = inception_score(rows, "c3d" if rows.shape[1] == 101 else "n")
    assert found.value == pytest.approx(expected, rel=1e-9)
    assert found.settings["standard deviation over splits"] == pytest.approx(0, abs=1e-9)
    assert found.name == ("IS (video, C3D)" if rows.shape[1] == 101 else "Inception score by the n classifier")


def test_inception_score_by_hand_and_its_splits():
    p = np.random.default_rng(0).dirichlet(np.ones(4), 23)
    scores = []
    for n in range(5):
        part = p[n * 23 // 5 : (n + 1) * 23 // 5]
        scores.append(np.exp(np.mean(np.sum(part * (np.log(part) - np.log(part.mean(0))), 1))))
    found = inception_score(p, "n", 5)
    assert found.value == pytest.approx(np.mean(scores))
    assert found.settings["standard deviation over splits"] == pytest.approx(np.std(scores))
    assert found.low < found.value < found.high and found.count == 23 and found.warnings
    with pytest.raises(UserError, match="23 clips"):
        inception_score(p, "n", 24)
    with pytest.raises(UserError, match="101 numbers"):
        inception_score(p, "c3d")


@given(cut=st.integers(1, 22))
@settings(max_examples=10, deadline=None)
def test_merged_inception_scores_equal_one(cut):
    p = np.random.default_rng(1).dirichlet(np.ones(4), 23)
    left, right = InceptionScore("n", 3), InceptionScore("n", 3)
    left.update(p[:cut])
    right.update(p[cut:], first=cut)
    assert left.merge(right).compute() == right.merge(left).compute() == inception_score(p, "n", 3)


def test_inception_scores_refuse_a_clip_twice_and_other_settings():
    p = np.random.default_rng(1).dirichlet(np.ones(4), 6)
    box, other = InceptionScore("n", 3), InceptionScore("n", 3)
    box.update(p)
    other.update(p)
    with pytest.raises(UserError, match="clip 0 is there twice"):
        box.merge(other)
    with pytest.raises(UserError, match="other splits"):
        box.merge(InceptionScore("n", 2))
    with pytest.raises(UserError, match="other classes"):
        box.update(np.ones((1, 1)))
    with pytest.raises(UserError, match="at least 1 split"):
        InceptionScore("n", 0)


def test_text_similarity_in_closed_form():
    text = np.array([[1.0, 0, 0]])
    same, other = np.tile(text, (1, 4, 1)), np.tile([[[0.0, 2, 0]]], (1, 4, 1))
    assert text_similarity(same, text, "n").value == 1 == text_similarity(same, 5 * text, "n").value
    assert text_similarity(other, text, "n").value == 0
    half = np.concatenate([same, other], 1)
    assert text_similarity(half, text, "n").value == 0.5 and text_similarity(half, text, "n", 100).value == 50
    assert text_similarity_per_frame(half, text).tolist() == [[1] * 4 + [0] * 4]


def test_text_similarity_is_clipsim_only_over_clip_and_merges():
    rng = np.random.default_rng(0)
    frames, texts = rng.normal(size=(5, 6, 512)), rng.normal(size=(5, 512))
    whole = text_similarity(frames, texts, "clip")
    assert whole.name == "CLIPSIM" and any("2990" in warning for warning in whole.warnings)
    assert text_similarity(frames, texts, "n").name == "Text similarity of n embeddings"
    left, right = TextSimilarity("clip"), TextSimilarity("clip")
    left.update(frames[:2], texts[:2])
    right.update(frames[2:, :1], texts[2:], "abc")
    right.update(frames[2:, 1:], texts[2:], "abc")
    assert left.merge(right).compute().value == pytest.approx(whole.value, rel=1e-12)
    for bad in (frames[:4], frames[..., :9]):
        with pytest.raises(UserError, match="must agree"):
            text_similarity(bad, texts, "n")
    with pytest.raises(UserError, match="zero vector"):
        text_similarity(0 * frames, texts, "n")
    with pytest.raises(UserError, match="512 numbers"):
        text_similarity(frames[..., :9], texts[:, :9], "clip")


def test_the_bootstrap_resamples_videos_and_covers_their_mean():
    rng = np.random.default_rng(0)
    about = Description("m", "", "higher", "mean over videos")
    x = rng.normal(size=40)
    found = mean_estimate(x, np.ones(40), about, None)
    half = 1.96 * x.std(ddof=1) / np.sqrt(40)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.15) and found.low < found.value < found.high
    assert mean_estimate(x[::-1], np.ones(40), about, None) == found
    alone = mean_estimate(x[:1], np.ones(1), about, None)
    assert alone.low is None and "no interval" in str(alone) and any("one video" in w for w in alone.warnings)
    blocks = np.concatenate(list(resamples_of(7, 100, 0)))
    assert blocks.shape == (100, 7) and (blocks.sum(1) == 7).all()
    with pytest.raises(UserError, match="confidence"):
        percentiles(x, 95)


def test_pairs_within_a_video_do_not_count_in_a_kernel_distance():
    """By hand over pairs of different videos; and with frames that are all alike, it is the distance of the videos."""
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(4, 3, 2)), rng.normal(size=(5, 2, 2))

    def k(a, b):
        return (a @ b / 2 + 1) ** 3

    def within(z):
        return np.mean([k(a, b) for i, v in enumerate(z) for j, w in enumerate(z) if i != j for a in v for b in w])

    cross = np.mean([k(a, b) for v in x for a in v for w in y for b in w])
    assert kernel(x, y, "n", resamples=0).value == pytest.approx(within(x) + within(y) - 2 * cross, rel=1e-12)
    alike = [np.repeat(z[:, :1], 7, 1) for z in (x, y)]
    assert kernel(*alike, "n", resamples=0).value == pytest.approx(kernel(x[:, 0], y[:, 0], "n", resamples=0).value)


def test_one_video_gives_no_interval():
    """Its resamples are all the same set, which would be an interval without width."""
    rng = np.random.default_rng(6)
    found = frechet(rng.normal(size=(1, 40, 3)), rng.normal(size=(1, 40, 3)), "n")
    assert found.low is None and found.high is None and any("no interval" in w for w in found.warnings)
