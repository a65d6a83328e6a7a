"""The trivial videos, put in order by every measure: real video comes first, and no fault escapes all of them."""

import numpy as np
import pytest

from reproductions import worlds
from reproductions.measures import baselines
from reproductions.measures.exact import exact, quantities
from reproductions.measures.flow import motion_amount, warping_error
from reproductions.measures.paired import psnr, ssim
from reproductions.measures.temporal import flickering
from reproductions.worlds.base import EVALUATION_SEEDS

PREFIX, FRAMES = 8, 56
FAULTS = ("freeze", "repeat", "shuffle", "noise")


def states(video):
    """Real video and every fault; the first 8 frames of what is continued are real."""
    given = video[:, :PREFIX]
    return {
        "real": video,
        "freeze": baselines.freeze(given, video.shape[1]),
        "repeat": baselines.repeat(given, video.shape[1]),
        "shuffle": baselines.shuffle(video),
        "noise": baselines.noise(given, video.shape[1]),
    }


def films(name, count=4, frames=FRAMES):
    world = worlds.world(name, 32 if name == "rooms" else 16)
    clip = world.batch(EVALUATION_SEEDS + np.arange(count), np.zeros(count, int), frames)
    return world, clip.video, clip.truth


@pytest.fixture(scope="module", params=worlds.NAMES)
def judged(request):
    """World name, and per state the mean of every exact measure after the prefix."""
    world, video, truth = films(request.param)
    found = {}
    for state, film in states(video).items():
        values = {id: v[:, PREFIX:] for id, v in exact(world, film, truth).items()}
        found[state] = {id: float(np.nanmean(v)) if np.isfinite(v).any() else np.nan for id, v in values.items()}
    return request.param, found


def test_no_exact_measure_puts_a_fault_before_real_video(judged):
    name, found = judged
    for q in quantities(name):
        sign = 1 if q.better == "higher" else -1
        for fault in FAULTS:
            real, bad = found["real"][q.id], found[fault][q.id]
            if np.isfinite([real, bad]).all():
                assert sign * (real - bad) > -0.05 * max(1, abs(bad)), f"{q.id}: real {real}, {fault} {bad}"


def test_every_fault_is_caught_by_an_exact_measure(judged):
    name, found = judged
    for fault in FAULTS:
        caught = {}
        for q in quantities(name):
            real, bad = found["real"][q.id], found[fault][q.id]
            if np.isfinite([real, bad]).all():
                caught[q.id] = (real - bad if q.better == "higher" else bad - real) / (abs(real) + abs(bad) + 0.1)
        assert max(caught.values()) > 0.25, f"{fault} passes for real: {caught}"


@pytest.mark.parametrize("name", worlds.NAMES)
def test_what_is_compared_frame_by_frame_puts_noise_last_and_the_truth_first(name):
    _, video, _ = films(name, 2, 24)
    rest = video[:, PREFIX:]
    far = {}
    for state, film in states(video).items():
        far[state] = psnr(rest, film[:, PREFIX:], cap=60).value, ssim(rest, film[:, PREFIX:]).value
    for n in (0, 1):
        assert max(far, key=lambda s: far[s][n]) == "real" and min(far, key=lambda s: far[s][n]) == "noise"


@pytest.mark.parametrize("name", worlds.NAMES)
def test_measures_of_calm_put_the_frozen_video_first_and_noise_last(name):
    """That is what they are: the page "What the metrics see" says so too."""
    _, video, _ = films(name, 2, 16)
    made = states(video)
    calm = {state: flickering(film).value for state, film in made.items()}
    assert max(calm, key=calm.get) == "freeze" and min(calm, key=calm.get) == "noise"
    warp = {state: warping_error(film).value for state, film in made.items()}
    assert min(warp, key=warp.get) == "freeze" and max(warp, key=warp.get) == "noise"
    moved = {state: motion_amount(made[state]).value for state in ("real", "freeze")}
    assert moved["real"] > moved["freeze"]
