"""The studies, notebooks about no single method, at scale smoke; and what their frozen results say."""

import numpy as np
import pytest

from kiloframe.execute import run
from kiloframe.results import read_result
from reproductions import worlds
from reproductions.measures.exact import quantities

pytestmark = pytest.mark.notebook


STUDIES = ["worlds", "what_the_metrics_see", "more_training", "one_hour", "under_fire", "speed"]


@pytest.fixture(scope="module", params=STUDIES)
def ran(request, tmp_path_factory):
    """The folder of one run at scale smoke, and its result."""
    runs = tmp_path_factory.mktemp("smoke run")
    (done,) = run([request.param], scale="smoke", runs=runs, progress=False)
    return runs, done.result


def test_a_study_runs_from_end_to_end(ran):
    runs, result = ran
    assert result.claims == [] and result.measures and result.media
    for media in result.media:
        assert (runs / result.slug / media.file).is_file() and media.caption and media.alt
    assert max(file.stat().st_size for file in (runs / result.slug).iterdir()) < 700_000


def frozen(root, slug):
    return {(m.subject, m.id): m for m in read_result(root / f"results/{slug}.json").measures}


def test_the_worlds_clear_their_bars(root):
    """As measured on the machine of the frozen run; a slower one is no fault of the code's."""
    found = frozen(root, "worlds")
    for name, bar in {"digits": 20_000, "shapes": 20_000, "rooms": 2_000}.items():
        assert found[name, "speed"].value > bar


def test_the_frozen_study_shows_what_its_page_says(root):
    found = frozen(root, "what_the_metrics_see")
    for name in worlds.NAMES:
        calm = {s: found[f"{name}: {s}", "flickering"].value for s in ("real", "freeze", "noise")}
        assert calm["freeze"] > calm["real"] > calm["noise"], "the calmest video is the frozen one"
        clips = {s: found[f"{name}: {s}", "frechet-clips"].value for s in ("real", "freeze", "shuffle", "noise")}
        assert min(clips, key=clips.get) == "real" and max(clips, key=clips.get) == "noise"
        stills = [found[f"{name}: {s}", "kernel-stills"].value for s in ("real", "shuffle")]
        np.testing.assert_allclose(*stills, rtol=1e-6, err_msg="frames out of order are the same frames")
        kept, glued = (found[f"{name}: {s}", "kept"].value for s in ("real", "glued"))
        assert kept != glued
        for q in quantities(name):
            measure = found.get((f"{name}: real", q.id))
            assert measure is None or measure.name == q.name
    assert any(
        np.mean(found[name, "psnr-blur"].values) > np.mean(found[name, "psnr-late"].values) for name in worlds.NAMES
    ), "PSNR prefers the blur somewhere, or the page must not say so"
