from itertools import pairwise

import pytest
import torch

from reproductions.parts.diffusion import TimeEmbedding, ancestral, draw_times, loss_weight, noisy, sample


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_path_runs_straight_from_video_to_noise():
    x, eps = torch.randn(2, 3, generator=rng()), torch.randn(2, 3, generator=rng(1))
    assert (noisy(x, eps, torch.zeros(2)) == x).all() and (noisy(x, eps, torch.ones(2)) == eps).all()
    torch.testing.assert_close(noisy(x, eps, torch.tensor([0.25, 0.75]))[1], 0.25 * x[1] + 0.75 * eps[1])


@pytest.mark.parametrize("steps", [1, 2, 10, 37])
def test_with_a_perfect_denoiser_sampling_returns_the_video_exactly(steps):
    x, eps = torch.rand(2, 4, generator=rng()), torch.randn(2, 4, generator=rng(1))
    assert (sample(lambda x_t, t: x, eps, steps) == x).all()


def test_on_the_way_it_visits_the_points_of_the_path():
    x, eps = torch.rand(1, 4, generator=rng()).double(), torch.randn(1, 4, generator=rng(1)).double()
    seen = []
    sample(lambda x_t, t: seen.append((float(t[0]), x_t)) or x, eps, 8)
    assert [t for t, _ in seen] == [i / 8 for i in range(8, 0, -1)]
    for t, x_t in seen:
        torch.testing.assert_close(x_t, noisy(x, eps, torch.tensor([t], dtype=torch.float64)))


def test_gaussian_data_is_sampled_with_its_own_mean_and_deviation():
    """For x ~ N(m, d^2) the best denoiser is m + d^2 (1 - t) / ((1 - t)^2 d^2 + t^2) (x_t - (1 - t) m)."""
    m, d = 0.3, 0.5

    def denoise(x_t, t):
        t = t[:, None]
        return m + d**2 * (1 - t) / ((1 - t) ** 2 * d**2 + t**2) * (x_t - (1 - t) * m)

    eps = torch.randn(20_000, 1, generator=rng()).double()
    x = sample(denoise, eps, 200)
    assert abs(x.mean() - m) < 0.02 and abs(x.std() - d) < 0.02
    # The flow's exact end is m + d eps: Euler steps come closer as they get more.
    errors = [float((sample(denoise, eps, n) - (m + d * eps)).abs().mean()) for n in (10, 40, 160)]
    assert errors[0] > 2.5 * errors[1] > 6 * errors[2]


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_ancestral_steps_follow_the_posterior_of_the_path(steps):
    """With a denoiser that knows x, every x_s is (1 - s) x + s times noise, and as near to x_t as the chain has it.

    On the way down, x_t = a x_s + noise with a = (1 - t) / (1 - s), so cov(x_s, x_t) = a s^2.
    """
    x, seen = 0.7, []

    def denoise(x_t, t):
        seen.append((float(t[0]), x_t))
        return torch.full_like(x_t, x)

    noise = torch.randn(steps, 60_000, 1, generator=rng()).double()
    assert (ancestral(denoise, noise) == x).all() and len(seen) == steps
    for (t, x_t), (s, x_s) in pairwise(seen):
        assert abs(x_s.mean() - (1 - s) * x) < 0.02 and abs(x_s.std() - s) < 0.02
        covariance = ((x_s - x_s.mean()) * (x_t - x_t.mean())).mean()
        assert abs(covariance - (1 - t) / (1 - s) * s * s) < 0.02


def test_ancestral_sampling_with_the_ideal_denoiser_of_a_normal_has_its_mean_and_deviation():
    m, d = 0.4, 0.3

    def denoise(x_t, t):
        t = t[:, None]
        return m + (1 - t) * d * d / ((1 - t) ** 2 * d * d + t * t) * (x_t - (1 - t) * m)

    x = ancestral(denoise, torch.randn(200, 20_000, 1, generator=rng()).double())
    assert abs(x.mean() - m) < 0.02 and abs(x.std() - d) < 0.02


def test_the_weight_turns_the_error_of_the_clean_video_into_that_of_the_velocity():
    x, eps, t = torch.rand(5, 3, generator=rng()), torch.randn(5, 3, generator=rng(1)), torch.linspace(0.6, 1, 5)
    x_hat, x_t = torch.rand(5, 3, generator=rng(2)), noisy(x, eps, t)
    v, v_hat = (x_t - x) / t[:, None], (x_t - x_hat) / t[:, None]
    torch.testing.assert_close(v, eps - x, msg="the velocity of the path is eps - x")
    torch.testing.assert_close(loss_weight(t)[:, None] * (x - x_hat) ** 2, (v - v_hat) ** 2)
    assert loss_weight(torch.tensor([0.0, 0.1, 0.6])).tolist() == pytest.approx([1 / 0.36] * 3)
    assert loss_weight(torch.tensor([0.1, 0.5]), floor=0.2).tolist() == pytest.approx([25, 4])


def test_times_are_logit_normal():
    t = draw_times(20_000, rng())
    logit = torch.log(t / (1 - t))
    assert t.min() > 0 and t.max() <= 1 and abs(logit.mean() - 1) < 0.04 and abs(logit.std() - 1.5) < 0.04
    assert 0.08 < (t > 0.95).float().mean() < 0.12, "the noisy end, where sampling starts, must be trained"


def test_times_are_told_apart():
    torch.manual_seed(0)
    y = TimeEmbedding(8)(torch.tensor([0.0, 0.001, 0.5, 1.0]))
    assert y.shape == (4, 8) and torch.cdist(y, y).fill_diagonal_(1).min() > 1e-4
