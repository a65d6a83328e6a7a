"""Every method's notebook at scale smoke, with the solution of its exercise as one more cell; and its frozen result.

FDM's own tests (test_notebook_fdm.py) also run it as plain Python and break it on purpose.
"""

import json
import re

import numpy as np
import pytest

import kiloframe
import reproductions
from kiloframe.execute import run
from kiloframe.results import read_result

pytestmark = pytest.mark.notebook

METHODS = reproductions.names()
OTHERS = [slug for slug in METHODS if slug != "fdm"]


@pytest.fixture(scope="module", params=OTHERS)
def ran(request, root, tmp_path_factory):
    """The folder of one run at scale smoke, and its result."""
    place = tmp_path_factory.mktemp("smoke run")
    text = (root / "notebooks" / f"{request.param}.py").read_text()
    solution = re.search(r"(?ms)<details>.*?^# ```python\n(.*?)^# ```$", text).group(1)
    (place / "notebooks").mkdir()
    (place / "notebooks" / f"{request.param}.py").write_text(
        text.rstrip() + "\n\n# %%\n" + re.sub(r"(?m)^# ?", "", solution)
    )
    (done,) = run([request.param], scale="smoke", runs=place / "runs", root=place, progress=False)
    return place / "runs", done.result


def test_a_notebook_runs_and_its_exercise_too(ran):
    runs, result = ran
    known = {claim.id for claim in kiloframe.load().methods[result.slug].claims}
    assert len(result.claims) >= 2 and {claim.id for claim in result.claims} <= known
    for claim in result.claims:
        assert claim.verdict == "not judged"
        assert len(claim.values) == len(claim.baseline_values) == len(claim.seeds) == len(result.seeds)
        assert np.isfinite([*claim.values, *claim.baseline_values]).all()
    for media in result.media:
        assert (runs / result.slug / media.file).is_file() and media.caption and media.alt
    cells = json.loads((runs / f"{result.slug}.ipynb").read_text())["cells"]
    kinds = {output["output_type"] for cell in cells[:-1] for output in cell.get("outputs", [])}
    assert not kinds & {"stream", "error"}
    assert "base64" not in _shown(cells)


def _shown(cells):
    """All that a notebook shows, but for the last cell, which may be a solution's."""
    return "".join(str(output.get("data", {})) for cell in cells[:-1] for output in cell.get("outputs", []))


@pytest.mark.parametrize("slug", METHODS)
def test_a_frozen_result_has_what_a_page_needs(slug, root):
    result = read_result(root / "results" / f"{slug}.json")
    assert result.scale != "smoke" and len(result.seeds) >= 3
    assert len(result.claims) >= 2 and all(claim.verdict != "not judged" for claim in result.claims)
    assert max(media.frames or 0 for media in result.media) > 100, "a long video by the survey's definition"
    assert any(curve.id.endswith("drift") for curve in result.curves)
    folder = [file.stat().st_size for file in (root / "results" / slug).iterdir()]
    assert max(folder) < 900_000 and sum(folder) < 3_000_000
    cells = json.loads((root / "results" / f"{slug}.ipynb").read_text())["cells"]
    assert "nan" not in re.findall(r"[a-z]+", _shown(cells)), "a number that is none is not shown to anybody"


@pytest.mark.parametrize("slug", METHODS)
def test_the_weights_of_a_method_stay_small(slug, root):
    files = list((root / "weights").glob(f"{slug}*.safetensors"))
    assert files and sum(file.stat().st_size for file in files) <= 4 * 2**20
    for file in files:
        report = json.loads(file.with_suffix(".json").read_text())
        variant = file.stem.removeprefix(slug).removeprefix("-") or None
        assert report["variant"] == variant and report["preset"] in ("toy", "gpu")
        assert report["command"].startswith(f"kiloframe train {slug} ") and report["seconds"] > 0
