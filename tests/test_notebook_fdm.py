"""FDM's notebook at scale smoke: under `kiloframe run`, as plain Python, broken on purpose, and its exercise."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import kiloframe
from kiloframe.execute import RunError, run
from kiloframe.results import read_result
from reproductions.parts import schedules

pytestmark = pytest.mark.notebook

CLAIMS = ["hierarchy-beats-autoreg-on-memory", "scheme-is-data-dependent", "hierarchy-flicker"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The folder of one run at scale smoke, and its result."""
    runs = tmp_path_factory.mktemp("smoke run")
    (done,) = run(["fdm"], scale="smoke", runs=runs, progress=False)
    return runs, done.result


def test_the_claims_are_recorded_but_not_judged(ran):
    _, result = ran
    assert [claim.id for claim in result.claims] == CLAIMS
    assert set(CLAIMS) <= {claim.id for claim in kiloframe.load().methods["fdm"].claims}
    for claim in result.claims:
        assert claim.verdict == "not judged"
        assert len(claim.values) == len(claim.baseline_values) == len(claim.seeds) == len(result.seeds) >= 2
        assert np.isfinite([*claim.values, *claim.baseline_values]).all()


def test_the_reader_is_right_on_real_video_and_real_video_is_the_best(ran):
    measures = {measure.id: measure for measure in ran[1].measures}
    for what in ("label", "colour"):
        assert measures[f"reader-{what}"].value > 0.999
    for column in ("legible", "identity-kept", "colour-kept", "lawful-steps"):
        assert measures[f"{column}:real"].value > 0.99
        assert measures[f"{column}:noise"].value < 0.01
    assert measures["memory-both-kept:real"].value == 1
    assert measures["memory-hidden:freeze"].value == 0, "a frozen frame never hides behind the curtain"
    far = {id: measure.value for id, measure in measures.items() if id.startswith("frechet:")}
    assert min(far, key=far.get) == "frechet:real"


def test_media_are_small_files_beside_the_result(ran):
    runs, result = ran
    files = list((runs / "fdm").iterdir())
    assert {"side-by-side.mp4", "memory.mp4", "schedules.svg"} <= {file.name for file in files}
    for media in result.media:
        assert (runs / "fdm" / media.file).is_file() and media.caption and media.alt
    assert max(file.stat().st_size for file in files) < 300_000
    assert sum(file.stat().st_size for file in files) < 3_000_000


def test_the_executed_notebook_embeds_nothing_and_shows_its_films(ran):
    runs, _ = ran
    outputs = [o for cell in json.loads((runs / "fdm.ipynb").read_text())["cells"] for o in cell.get("outputs", [])]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert kinds <= {"text/plain", "text/html", "text/markdown"}
    assert not [output for output in outputs if output["output_type"] in ("stream", "error")]
    rich = "".join(str(output.get("data", {})) for output in outputs)
    assert 'src="fdm/side-by-side.mp4"' in rich and "![" in rich and "base64" not in rich
    assert "nan" not in re.findall(r"[a-z]+", rich)


def test_it_runs_as_plain_python(ran, root, tmp_path):
    """With the parameters edited, as a reader would; the result is that of the executed notebook."""
    text = (root / "notebooks" / "fdm.py").read_text()
    for name, value in (("scale", "smoke"), ("out", str(tmp_path / "out"))):
        text = re.sub(rf'(?m)^{name} = ".*?"', f"{name} = {value!r}", text)
    (tmp_path / "fdm_copy.py").write_text(text)
    done = subprocess.run([sys.executable, "fdm_copy.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "hierarchy-flicker: not judged" in done.stdout
    plain = read_result(tmp_path / "out" / "fdm.json")
    assert [m.id for m in plain.measures] == [m.id for m in ran[1].measures]
    assert [c.id for c in plain.claims] == CLAIMS
    assert {f.name for f in (tmp_path / "out" / "fdm").iterdir()} == {f.name for f in (ran[0] / "fdm").iterdir()}


def test_a_broken_cell_is_named_and_leaves_no_result(root, tmp_path):
    (tmp_path / "notebooks").mkdir()
    script = shutil.copy(root / "notebooks" / "fdm.py", tmp_path / "notebooks" / "fdm.py")
    text = script.read_text()
    broken = text.replace("side = model.config.side", "side = model.config.width")
    assert broken != text
    script.write_text(broken)
    with pytest.raises(
        RunError, match=r'notebooks/fdm\.py, line \d+ \(cell \d+, "side = model\.config\.width"\)'
    ) as error:
        run(["fdm"], scale="smoke", root=tmp_path, progress=False)
    assert "width" in str(error.value)
    assert not list(tmp_path.rglob("fdm.json"))


def test_the_solution_of_the_exercise_prints_what_it_says(root, capsys):
    text = (root / "notebooks" / "fdm.py").read_text()
    reach = re.search(r"(?ms)^def reach\(.*?(?=^\S|\Z)", text).group(0)
    solution = re.search(r"(?ms)^# ```python\n(.*?)^# ```$", text).group(1)
    sight = np.array([True] * 10 + [False] * 20 + [True] * 20 + [False] * 14)
    names = {"schedules": schedules, "np": np, "PREFIX": 8, "N": 64, "K": 8, "sights": [sight]}
    exec(reach, names)
    exec(re.sub(r"(?m)^# ?", "", solution), names)
    assert capsys.readouterr().out == "1.0\n"
    assert names["reach"](schedules.schedule("autoregressive", 64, 8), sight) == 0
