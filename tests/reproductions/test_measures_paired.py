"""PSNR, SSIM, pixel errors and LPIPS' arithmetic: the dossier's closed forms, parity with libraries, bad input."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import (
    peak_signal_noise_ratio as torchmetrics_psnr,
)
from torchmetrics.functional.image import (
    structural_similarity_index_measure as torchmetrics_ssim,
)

from kiloframe.errors import UserError
from reproductions.measures.paired import (
    PSNR,
    SSIM,
    PixelError,
    pixel_error,
    pixel_error_per_frame,
    psnr,
    psnr_per_frame,
    ssim,
    ssim_per_frame,
)
from reproductions.measures.perceptual import (
    PerceptualDistance,
    perceptual_distance,
    perceptual_per_frame,
    squared_distance_per_frame,
)


def flat(value, shape=(2, 3, 3, 16, 16), dtype=np.float64):
    return np.full(shape, value, dtype)


@pytest.fixture(scope="module")
def videos():
    rng = np.random.default_rng(0)
    real = rng.uniform(size=(3, 4, 3, 24, 20))
    return real, np.clip(real + rng.normal(0, 0.1, real.shape), 0, 1)


@pytest.mark.parametrize(
    ("real", "fake", "limits", "expected"),
    [
        (flat(7, dtype=np.uint8), flat(8, dtype=np.uint8), None, 48.1308036086791),
        (flat(0.5), flat(0.5 + 1 / 255), None, 48.1308036086791),
        (flat(0.0), flat(1.0), None, 0.0),
        (flat(0.5), flat(0.6), None, 20.0),
        (flat(0.5), flat(0.6), (-1, 1), 26.020599913279625),
    ],
)
def test_psnr_in_closed_form(real, fake, limits, expected):
    assert psnr(real, fake, limits).value == pytest.approx(expected, abs=1e-9)


def test_psnr_of_equal_frames_is_infinite_and_says_so_or_capped():
    real = flat(0.5)
    found = psnr(real, real)
    assert found.value == found.low == found.high == math.inf
    assert any("infinite" in warning for warning in found.warnings)
    assert psnr(real, real, cap=60).value == 60
    half = real.copy()
    half[0, 0] += 0.1
    assert psnr_per_frame(real, half, cap=60)[0].tolist() == pytest.approx([20, 60, 60])


def test_one_infinite_video_does_not_spoil_the_interval_of_the_others():
    real = flat(0.5, (6, 2, 3, 8, 8))
    fake = real + np.array([0, 0.1, 0.1, 0.1, 0.1, 0.1])[:, None, None, None, None]
    found = psnr(real, fake)
    assert found.value == math.inf and found.low == pytest.approx(20) and found.high == math.inf


def test_pooled_psnr_has_its_own_name_and_is_never_larger(videos):
    real, fake = videos
    fake = np.where(np.arange(4)[:, None, None, None] == 2, real, fake) * 0.9 + 0.05
    usual, pooled = psnr(real, fake), psnr(real, fake, pooled=True)
    assert pooled.value < usual.value and "pooled" in pooled.name and usual.name == "PSNR"
    mse = np.square(real - fake).mean((1, 2, 3, 4))
    assert pooled.value == pytest.approx((10 * np.log10(1 / mse)).mean())


def test_psnr_and_ssim_agree_with_scikit_image(videos):
    real, fake = videos
    by_psnr, by_ssim = psnr_per_frame(real, fake), ssim_per_frame(real, fake)
    for at in np.ndindex(real.shape[:2]):
        assert by_psnr[at] == pytest.approx(peak_signal_noise_ratio(real[at], fake[at], data_range=1), abs=1e-5)
        theirs = structural_similarity(
            real[at], fake[at], channel_axis=0, data_range=1, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False,
        )  # fmt: skip
        assert by_ssim[at] == pytest.approx(theirs, abs=1e-5)


def test_uncropped_ssim_is_the_mean_of_scikit_images_full_map(videos):
    real, fake = videos
    _, full = structural_similarity(
        real[0, 0], fake[0, 0], channel_axis=0, data_range=1, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, full=True,
    )  # fmt: skip
    found = ssim_per_frame(real, fake, border="reflect")[0, 0]
    assert found == pytest.approx(full.mean(), abs=1e-5) and abs(found - ssim_per_frame(real, fake)[0, 0]) > 1e-5


def test_psnr_and_ssim_agree_with_torchmetrics_on_8_bit_and_other_ranges(videos):
    for real, fake, span, limits in (
        ((videos[0] * 255).astype(np.uint8), (videos[1] * 255).astype(np.uint8), 255.0, None),
        (videos[0] * 2 - 1, videos[1] * 2 - 1, 2.0, (-1, 1)),
    ):
        a, b = (torch.from_numpy(x.reshape(-1, *x.shape[2:]).astype(np.float64)) for x in (real, fake))
        theirs, full = torchmetrics_ssim(b, a, data_range=span, reduction="none", return_full_image=True)
        np.testing.assert_allclose(ssim_per_frame(real, fake, limits, "mirror").ravel(), theirs, atol=1e-5)
        cropped = full[..., 5:-5, 5:-5].mean((1, 2, 3))
        np.testing.assert_allclose(ssim_per_frame(real, fake, limits).ravel(), cropped, atol=1e-5)
        theirs = torchmetrics_psnr(b, a, data_range=span, reduction="none", dim=(1, 2, 3)).numpy()
        np.testing.assert_allclose(psnr_per_frame(real, fake, limits).ravel(), theirs, atol=1e-5)


def test_ssim_in_closed_form():
    assert ssim(flat(0.3), flat(0.3)).value == 1
    assert ssim(flat(0.0), flat(1.0)).value == pytest.approx(9.999000099990002e-05, rel=1e-9)
    assert ssim(flat(0.5), flat(0.6)).value == pytest.approx(0.9836092443861661, rel=1e-9)
    board = np.indices((32, 32)).sum(0) % 2
    board = np.broadcast_to(board, (1, 2, 1, 32, 32)).astype(np.float64)
    assert ssim(board, 1 - board).value < -0.99


def test_ssim_states_its_settings_and_refuses_frames_that_its_window_does_not_fit():
    found = ssim(flat(0.3), flat(0.4)).settings
    assert "11 x 11" in found["window"] and "1.5" in found["window"] and found["covariance"] == "population"
    assert found["range"] == [0, 1] and found["frames"] == "3" and found["reduction"].startswith("mean over frames")
    with pytest.raises(UserError, match="10 x 16"):
        ssim(flat(0, (1, 1, 3, 10, 16)), flat(0, (1, 1, 3, 10, 16)))
    with pytest.raises(UserError, match="border"):
        ssim(flat(0), flat(0), border="wrap")


def test_pixel_errors_in_closed_form(videos):
    assert pixel_error(flat(0.5), flat(0.75), 1).value == 0.25
    assert pixel_error(flat(0.5), flat(0.75), 2).value == 0.0625
    assert pixel_error(flat(9, dtype=np.uint8), flat(5, dtype=np.uint8), 1).value == 4  # no wrapping round
    np.testing.assert_allclose(
        10 * np.log10(1 / pixel_error_per_frame(*videos)), psnr_per_frame(*videos), rtol=1e-12
    )  # fmt: skip
    with pytest.raises(UserError, match="power"):
        pixel_error(flat(0), flat(0), 3)


def test_float32_counts_in_float64():
    real = flat(0.5, (1, 2, 3, 128, 128), np.float32)
    fake = real + np.float32(1e-3)
    assert psnr(real, fake).value == pytest.approx(-20 * math.log10(float(np.float32(0.501)) - 0.5), abs=1e-9)
    assert psnr(torch.from_numpy(real), torch.from_numpy(fake)).value == psnr(real, fake).value


BOXES = {
    "psnr": PSNR, "pooled": lambda: PSNR(pooled=True), "ssim": SSIM, "mae": lambda: PixelError(1), "mse": PixelError,
}  # fmt: skip


@pytest.mark.parametrize("name", BOXES)
@given(cut=st.integers(0, 6), at=st.integers(1, 4), seed=st.integers(0, 5))
@settings(max_examples=8, deadline=None)
def test_merged_accumulators_equal_one(name, cut, at, seed):
    rng = np.random.default_rng(seed)
    real, fake = rng.uniform(size=(2, 6, 5, 1, 12, 12))
    one, left, right, pieces = (BOXES[name]() for _ in range(4))
    one.update(real, fake)
    if cut:
        left.update(real[:cut], fake[:cut])
    if cut < 6:
        right.update(real[cut:], fake[cut:])
    ids = list("abcdef")
    pieces.update(real[:, :at], fake[:, :at], ids)
    pieces.update(real[:, at:], fake[:, at:], ids)
    a, b = left.merge(right), right.merge(left)
    assert len(a) == len(b) == 6 and len(left) == cut
    for box in (a, b, pieces):
        assert box.compute(resamples=50).value == pytest.approx(one.compute(resamples=50).value, rel=1e-12)
        assert box.compute(resamples=50).low == pytest.approx(one.compute(resamples=50).low, rel=1e-9)
        assert box.compute(resamples=50).settings == one.compute(resamples=50).settings
    again = BOXES[name]()
    again.update(real[:1], fake[:1])
    p, q = left.merge(right).merge(again).compute(resamples=0), left.merge(right.merge(again)).compute(resamples=0)
    assert p.value == pytest.approx(q.value, rel=1e-12)


def test_pieces_of_one_video_in_two_accumulators_are_one_video(videos):
    real, fake = videos
    left, right = PSNR(), PSNR()
    left.update(real[:, :1], fake[:, :1], "abc")
    right.update(real[:, 1:], fake[:, 1:], "abc")
    made = left.merge(right)
    assert len(made) == 3 and len(left) == len(right) == 3
    found, whole = made.compute(), psnr(real, fake)
    assert found.value == pytest.approx(whole.value) and found.settings["frames"] == "4"


def test_accumulators_refuse_what_cannot_be_averaged():
    box = PSNR()
    with pytest.raises(UserError, match="no video yet"):
        box.compute()
    box.update(flat(0.5), flat(0.6))
    with pytest.raises(UserError, match="one range"):
        box.update(flat(5, dtype=np.uint8), flat(6, dtype=np.uint8))
    with pytest.raises(UserError, match="1 ids"):
        box.update(flat(0.5), flat(0.6), ["a"])
    with pytest.raises(UserError, match="different settings"):
        box.merge(PSNR(pooled=True))
    with pytest.raises(UserError, match="SSIM"):
        box.merge(SSIM())
    other = PSNR()
    other.update(flat(5, dtype=np.uint8), flat(6, dtype=np.uint8))
    with pytest.raises(UserError, match="cannot be merged"):
        box.merge(other)


def layers(rng, b=2, t=3):
    return [rng.normal(size=(b, t, c, s, s)) for c, s in ((4, 6), (8, 3))]


def test_lpips_arithmetic_in_closed_form():
    rng = np.random.default_rng(1)
    x, y, w = layers(rng), layers(rng), [rng.uniform(size=c) for c in (4, 8)]
    assert (perceptual_per_frame(x, x, w) == 0).all()
    np.testing.assert_array_equal(perceptual_per_frame(x, y, w), perceptual_per_frame(y, x, w))
    assert (perceptual_per_frame(x, y, w) >= 0).all()
    by_hand = 0.0
    for a, b, k in zip(x, y, w, strict=True):
        a, b = a[1, 2], b[1, 2]
        gap = a / np.linalg.norm(a, axis=0) - b / np.linalg.norm(b, axis=0)
        by_hand += np.mean([(k * gap[:, i, j] ** 2).sum() for i, j in np.ndindex(gap.shape[1:])])
    assert perceptual_per_frame(x, y, w)[1, 2] == pytest.approx(by_hand)
    scaled = [7 * layer for layer in y]
    np.testing.assert_allclose(perceptual_per_frame(x, scaled, w), perceptual_per_frame(x, y, w))


def test_orthogonal_features_are_two_apart_per_layer_and_zero_features_stay_zero():
    one, other = np.zeros((1, 1, 2, 3, 3)), np.zeros((1, 1, 2, 3, 3))
    one[:, :, 0], other[:, :, 1] = 5.0, 0.5
    assert perceptual_per_frame([one], [other])[0, 0] == pytest.approx(2)
    assert perceptual_per_frame([one] * 3, [other] * 3)[0, 0] == pytest.approx(6)
    assert perceptual_per_frame([one], [0 * one])[0, 0] == pytest.approx(1)


def test_one_vector_with_the_weights_inside_gives_the_same_distance():
    rng = np.random.default_rng(2)
    x, y, w = layers(rng), layers(rng), [rng.uniform(size=c) for c in (4, 8)]

    def folded(features):
        units = [f / np.linalg.norm(f, axis=2, keepdims=True) for f in features]
        parts = [u * np.sqrt(k[:, None, None] / u[0, 0, 0].size) for u, k in zip(units, w, strict=True)]
        return np.concatenate([p.reshape(2, 3, -1) for p in parts], 2)

    np.testing.assert_allclose(
        squared_distance_per_frame(folded(x), folded(y)), perceptual_per_frame(x, y, w), rtol=1e-12
    )
    both = [perceptual_distance(*pair, "a trunk", w).value for pair in ((x, y), (folded(x), folded(y)))]
    assert both[0] == pytest.approx(both[1])


def test_only_lpips_own_trunk_with_its_own_weights_is_lpips():
    rng = np.random.default_rng(3)
    widths = (64, 192, 384, 256, 256)
    x, y = ([rng.normal(size=(2, 1, c, 2, 2)) for c in widths] for _ in range(2))
    w = [rng.uniform(size=c) for c in widths]
    assert perceptual_distance(x, y, "alexnet", w).name == "LPIPS"
    assert perceptual_distance(x, y, "toy-trunk", w).name == "Perceptual distance over toy-trunk features"
    for weights in (None, w[:4]):
        with pytest.raises(UserError, match="linear weights"):
            perceptual_distance(x, y, "alexnet", weights)
    one, two = PerceptualDistance("t"), PerceptualDistance("t")
    one.update([x[0][:1]], [y[0][:1]])
    two.update([x[0][1:]], [y[0][1:]])
    whole = perceptual_distance([x[0]], [y[0]], "t")
    assert one.merge(two).compute() == two.merge(one).compute() == whole


def test_perceptual_distance_refuses_what_does_not_fit():
    rng = np.random.default_rng(4)
    x, y = layers(rng), layers(rng)
    for bad, words in (
        ((x, y[:1]), "as many layers"),
        (([], []), "as many layers"),
        ((x, [y[0], y[1][:1]]), "must agree"),
        ((x, [y[0], y[1] * np.nan]), "NaN"),
        ((x, y, [np.ones(4), np.ones(7)]), "8 weights"),
        ((x, y, [np.ones(4), -np.ones(8)]), "from 0"),
    ):
        with pytest.raises(UserError, match=words):
            perceptual_per_frame(*bad)
    with pytest.raises(UserError, match="must agree"):
        squared_distance_per_frame(np.ones((1, 2, 3)), np.ones((1, 2, 4)))
