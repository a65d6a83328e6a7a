"""The study of all methods at equal budgets, at scale smoke: it runs a tiny field by itself, and its exercise too."""

import json
import re

import numpy as np
import pytest

import kiloframe
import reproductions
from kiloframe.errors import UserError
from kiloframe.execute import run
from reproductions.level_field.field import default_folder

pytestmark = pytest.mark.notebook


@pytest.fixture(scope="module")
def ran(root, tmp_path_factory):
    place = tmp_path_factory.mktemp("smoke run")
    text = (root / "notebooks/level_field.py").read_text()
    solution = re.search(r"(?ms)<details>.*?^# ```python\n(.*?)^# ```$", text).group(1)
    whole, last = text.rstrip().rsplit("\n\n# %%\n", 1)
    (place / "notebooks").mkdir()
    solved = f"{whole}\n\n# %%\n" + re.sub(r"(?m)^# ?", "", solution) + f"\n# %%\n{last}\n"
    (place / "notebooks/level_field.py").write_text(solved)
    before = default_folder().exists()
    (done,) = run(["level_field"], scale="smoke", runs=place / "runs", root=place, progress=False, timeout=280)
    assert default_folder().exists() == before, "a smoke run has its records in a place of its own"
    return place / "runs", done.result


def test_the_survey_s_sentences_are_tested_and_not_judged(ran):
    _, result = ran
    claimed = [claim["id"] for claim in kiloframe.load().survey["claims"]]
    assert [claim.id for claim in result.claims] == claimed
    for claim in result.claims:
        assert claim.verdict == "not judged" and len(claim.values) == len(result.seeds)
        assert np.isfinite([*claim.values, *claim.baseline_values]).all()


def test_the_page_shows_quality_drift_and_cost_of_two_methods(ran):
    runs, result = ran
    methods = 1 + any(slug in reproductions.names() for slug in ("nuwa_xl", "tats", "phenaki", "pvdm"))
    trained = {m.subject for m in result.measures if m.id == "training-seconds"}
    assert len(trained) == methods + 1, "and fdm once more, taught by short clips"
    ids = {measure.id for measure in result.measures}
    assert {"identity-16", "identity-32", "clip-distance-32", "distance-drift", "calls-32", "memory-32"} <= ids
    assert {"length-shapes", "shapes-drift", "exchange-shapes"} <= {curve.id for curve in result.curves}
    for media in result.media:
        assert (runs / "level_field" / media.file).is_file() and media.caption and media.alt
    cells = json.loads((runs / "level_field.ipynb").read_text())["cells"]
    text = "".join(str(output) for cell in cells for output in cell.get("outputs", []))
    assert "'output_type': 'error'" not in text and "base64" not in text and " nan" not in text


def test_without_records_it_says_what_to_type(root, tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/level_field.py").write_text((root / "notebooks/level_field.py").read_text())
    with pytest.raises(UserError, match=r"reads records that are not here .*type: make level-field"):
        run(["level_field"], root=tmp_path, progress=False)
