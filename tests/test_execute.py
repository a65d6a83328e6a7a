"""kiloframe.execute on small scripts in a made-up checkout: what is kept, what is refused, what a failure says."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from kiloframe import swap
from kiloframe.errors import UserError
from kiloframe.execute import Interrupted, RunError, due, run
from kiloframe.notebooks import parse_assignments, private_names, read_script, scrub, with_values
from kiloframe.results import read_result

PARAMETERS = """\
# %% tags=["parameters"]
scale = "toy"
seed = 0
train = False
rate = 0.5
label = "a"
limit = None
out = ""
"""
RESULT = """\
# %%
from pathlib import Path
from kiloframe.results import Media, Result, write_result

folder = Path(out or "build/runs")
(folder / SLUG).mkdir(parents=True, exist_ok=True)
(folder / SLUG / "clip.txt").write_text(f"seed {seed}")
media = [Media(file="clip.txt", kind="image", caption="A clip.", alt="A clip")]
result = Result(slug=SLUG, title="Tiny", scale=scale, seed=seed, seeds=[seed], media=media)
write_result(result, folder / f"{SLUG}.json")
"""
HEADER = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: {name}
#     language: {language}
#     name: {name}
# ---

"""


def script(root, slug="tiny", body="", *, parameters=PARAMETERS, result=RESULT):
    """Write notebooks/<slug>.py: a text cell, the parameters, `body`, and the cell that writes the result."""
    path = root / "notebooks" / f"{slug}.py"
    path.parent.mkdir(exist_ok=True)
    text = f"# %% [markdown]\n# # Tiny\n\n{parameters}\n# %%\nSLUG = {slug!r}\n\n{body}\n{result}"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def root(tmp_path):
    """A made-up checkout whose path holds a space and braces."""
    place = tmp_path / "a {check} out"
    place.mkdir()
    return place


def execute(root, slugs=("tiny",), **options):
    return run(list(slugs), root=root, progress=False, **options)


def snapshot(root):
    """Every file of the results and runs but locks, cell times and failed notebooks."""
    files = [file for name in ("results", "build/runs") for file in (root / name).rglob("*") if file.is_file()]
    kept = [file for file in files if file.suffix != ".lock" and ".times" not in file.parts]
    return {str(file.relative_to(root)): file.read_bytes() for file in kept if "failed" not in file.name}


def no_leftovers(root):
    return not list((root / "build/runs").glob(".staging*")) and not list((root / "build/runs").glob(".[lf]*-tiny"))


# --- what is due --------------------------------------------------------------------------------------------------


@pytest.mark.notebook
def test_what_is_due_is_what_would_be_another_result_now(root):
    for slug in ("tiny", "other"):
        script(root, slug)
    assert due(root=root) == (["other", "tiny"], [])
    execute(root)
    assert due(root=root) == (["other"], ["tiny"])
    assert due(freeze=True, root=root) == (["other", "tiny"], []), "it was not frozen"
    assert due(parameters={"seed": 1}, root=root) == (["other", "tiny"], []), "another seed is another result"
    assert due("smoke", root=root) == (["other", "tiny"], [])
    execute(root, ["tiny", "other"], freeze=True)
    assert due(freeze=True, root=root) == ([], ["other", "tiny"])
    script(root, "other", body="# %%\n1 + 1\n")
    (root / "results/tiny.json").write_text("{")
    assert due(freeze=True, root=root) == (["other", "tiny"], []), "changed, damaged"
    assert due(root=root) == (["other"], ["tiny"])
    with pytest.raises(UserError, match="sed"):
        due(parameters={"sed": 1}, root=root)


# --- a run that ends well -----------------------------------------------------------------------------------------


@pytest.mark.notebook
def test_a_run_is_kept_whole_with_how_it_was_made_and_nothing_private(root):
    body = "# %%\nimport os, sys\nfrom pathlib import Path\nprint(os.getcwd(), Path(out).resolve(), Path.home())\n"
    body += "# %%\nimport matplotlib\n"
    body += f"print(matplotlib.get_backend().lower(), sys.prefix == {sys.prefix!r}, 6 * 7)\n"
    script(root, body=body)
    (done,) = execute(root, parameters={"seed": "3", "train": True, "rate": 1}, freeze=True)
    assert done.notebook == root / "build/runs/tiny.ipynb" and done.frozen == root / "results/tiny.json"
    result = read_result(root / "results/tiny.json")
    assert result == done.result == read_result(root / "build/runs/tiny.json")
    assert result.parameters == {"scale": "toy", "seed": 3, "train": True, "rate": 1.0, "label": "a", "limit": None}
    assert result.command == "kiloframe run tiny --scale toy -p seed=3 -p train=true -p rate=1.0 --freeze"
    assert result.created.endswith("Z") and 0 < result.seconds < 60 and "core" in result.machine
    assert result.versions["python"] == ".".join(map(str, sys.version_info[:3])) and "torch" in result.versions
    assert len(result.source_hash) == 64 and set(result.sources) == {"method", "notebook", "weights", "parameters"}
    assert (root / "results/tiny/clip.txt").read_text() == "seed 3"

    text = (root / "results/tiny.ipynb").read_text()
    assert (root / "build/runs/tiny.ipynb").read_text() == text
    assert str(root) not in text and "staging" not in text and "papermill" not in text and '"execution"' not in text
    assert '". build/runs ~' in text and "agg True 42" in text, "outputs are kept, places of this machine are not"
    cells = json.loads(text)["cells"]
    injected = next(cell for cell in cells if "injected-parameters" in cell["metadata"].get("tags", []))
    assert "seed = 3" in "".join(injected["source"]) and "out" not in "".join(injected["source"])
    assert no_leftovers(root)


@pytest.mark.notebook
def test_running_again_gives_the_same_notebook_and_drops_media_of_the_former_run(root):
    script(root)
    execute(root)
    first = (root / "build/runs/tiny.ipynb").read_bytes()
    (root / "build/runs/tiny/old.txt").write_text("left by a former run")
    (root / "build/runs/tiny.failed.ipynb").write_text("{}")
    execute(root)
    assert (root / "build/runs/tiny.ipynb").read_bytes() == first
    assert not (root / "build/runs/tiny/old.txt").exists()
    assert not (root / "build/runs/tiny.failed.ipynb").exists(), "a failed notebook goes once a run ends well"
    assert not (root / "results").exists(), "nothing is frozen unless asked"


@pytest.mark.notebook
def test_several_at_once_share_the_cores_and_one_that_fails_does_not_stop_the_others(root, monkeypatch):
    monkeypatch.setattr("kiloframe.execute._cores", lambda: 6)
    script(root, "one", '# %%\nimport os\nassert os.environ["OMP_NUM_THREADS"] == "3"')
    script(root, "two", "# %%\n1 / 0")
    script(root, "three")
    with pytest.raises(RunError, match="1 of 3 notebooks failed") as caught:
        run(None, root=root, progress=False, jobs=2)
    assert "two: notebooks/two.py, line " in str(caught.value) and "ZeroDivisionError" in str(caught.value)
    assert {file.name for file in (root / "build/runs").glob("*.json")} == {"one.json", "three.json"}


@pytest.mark.notebook
def test_plain_python_and_plain_papermill_run_the_same_script(root):
    path = script(root)
    path.write_text(HEADER.format(name="python3", language="python") + path.read_text())
    binaries = Path(sys.executable).parent
    subprocess.run([sys.executable, path], cwd=root, check=True, capture_output=True, timeout=60)
    assert read_result(root / "build/runs/tiny.json").seed == 0
    plain = root.parent / "plain"  # papermill formats its paths, so plain papermill cannot take braces
    plain.mkdir()
    subprocess.run(
        [binaries / "jupytext", "--quiet", "--to", "ipynb", path, "-o", plain / "x.ipynb"], check=True, timeout=60
    )
    command = [binaries / "papermill", "x.ipynb", "out.ipynb", "-p", "seed", "5", "-k", "python3"]
    subprocess.run(command, cwd=plain, check=True, capture_output=True, timeout=60)
    assert read_result(plain / "build/runs/tiny.json").seed == 5


@pytest.mark.notebook
def test_progress_says_how_many_cells_and_what_the_last_run_took(root, capsys):
    script(root)
    run(["tiny"], root=root)
    run(["tiny"], root=root)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "tiny: executing 5 cells" and second.startswith("tiny: executing 5 cells, about ")


# --- what is refused before anything starts -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"parameters": {"sede": "1"}}, "has no parameter 'sede'; did you mean 'seed'? it has: seed, train, rate"),
        ({"parameters": {"seed": "abc"}}, "'seed' must be a whole number, not 'abc'; its default is 0"),
        ({"parameters": {"seed": 1.5}}, "'seed' must be a whole number, not 1.5"),
        ({"parameters": {"seed": True}}, "'seed' must be a whole number, not True"),
        ({"parameters": {"train": "maybe"}}, "'train' must be true or false, not 'maybe'"),
        ({"parameters": {"rate": "nan"}}, "'rate' must be a number, not 'nan'"),
        ({"parameters": {"out": "x"}}, "'out' is set by the run itself"),
        ({"parameters": {"scale": "gpu"}}, "type: --scale gpu"),
        ({"scale": "tiny"}, "there is no scale 'tiny'; "),
        ({"scale": "smok"}, "nearest: smoke; it is one of: smoke, toy, gpu"),
        ({"scale": "smoke", "freeze": True}, "a smoke run is not frozen"),
        ({"jobs": 0}, "--jobs must be at least 1, not 0"),
        ({"timeout": 0}, "must be more than 0 seconds"),
        ({"slugs": ["tniy"]}, "there is no notebook of 'tniy' (notebooks/tniy.py); nearest: tiny; there are: tiny"),
        ({"slugs": []}, "there is no notebook to run"),
    ],
)
def test_wrong_requests_are_refused_with_one_sentence(root, options, sentence):
    script(root)
    with pytest.raises(UserError) as caught:
        execute(root, **options)
    assert sentence in str(caught.value) and caught.value.exit_code == 2
    assert not (root / "build").exists(), "nothing was started"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("scale = 'toy'\n", "is no percent script"),
        ("# %%\nscale = 'toy'\n", 'no cell has the tag "parameters"'),
        (PARAMETERS + PARAMETERS, '2 cells have the tag "parameters"'),
        ('# %% tags=["parameters"]\nscale = "toy"\n', "the parameters cell must set out"),
        ('# %% tags=["parameters"]\nscale = "toy" "\n', "the parameters cell is not valid Python"),
        (PARAMETERS + "seed = [1]\n", "'seed' must have a plain default"),
        (PARAMETERS + "seed = 1 + seed\n", "'seed' must have a plain default"),
        (HEADER.format(name="ir", language="R") + PARAMETERS, "names the kernel 'ir' (language R); only python"),
        (
            HEADER.format(name="x", language="python").replace("display_", "shown_") + PARAMETERS,
            "cannot be read by jupytext",
        ),
        (b"# %%\n\xff\xfe", "cannot be read as UTF-8 text"),
    ],
)
def test_broken_scripts_are_refused_with_one_sentence(root, text, sentence):
    path = script(root)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as caught:
        execute(root)
    assert sentence in str(caught.value) and "notebooks/tiny.py" in str(caught.value)


def test_a_header_is_not_needed_and_windows_line_ends_do_not_matter(root):
    path = script(root)
    plain = read_script(path)
    path.write_bytes(HEADER.format(name="python3", language="python").encode() + path.read_bytes())
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    headed = read_script(path)
    assert headed.defaults == plain.defaults and headed.notebook.metadata.kernelspec.name == "python3"
    assert [line - 8 for line in headed.lines] == plain.lines


def needs_records(root):
    """A notebook that says in its header what it reads."""
    path = script(root, "reader")
    header = HEADER.format(name="python3", language="python").replace(
        "# ---\n\n", "#   kiloframe:\n#     records: build/reader/all.json\n#     made_by: make reader\n# ---\n\n"
    )
    path.write_text(header + path.read_text())
    return path


def test_without_its_records_a_notebook_says_what_makes_them(root, capsys):
    assert read_script(needs_records(root)).made_by == "make reader"
    script(root)
    told = r"notebooks/reader.py reads records that are not here \(build/reader/all.json\); type: make reader"
    with pytest.raises(UserError, match=told):
        execute(root, ["tiny", "reader"])
    assert [done.slug for done in run(None, root=root, progress=False)] == ["tiny"]
    assert re.fullmatch(f"left out: {told}\n", capsys.readouterr().err)
    assert [done.slug for done in execute(root, ["reader"], scale="smoke")] == ["reader"]
    (root / "build/reader").mkdir()
    (root / "build/reader/all.json").write_text("{}")
    assert [done.slug for done in run(None, root=root, progress=False)] == ["reader", "tiny"]
    kept = json.loads((root / "build/runs/reader.ipynb").read_text())
    assert "kiloframe" not in kept["metadata"]


def test_texts_become_values_of_the_default_s_type(root):
    found = read_script(script(root))
    for text, value in (("3", 3), ("2.5", 2.5), ("true", True), ("none", None), ("x y", "x y")):
        assert (
            with_values(found, {"limit": text}, "toy")["limit"] is value
            or with_values(found, {"limit": text}, "toy")["limit"] == value
        )
    values = with_values(found, {"label": "1", "rate": "1e-3", "train": "Yes", "seed": "-1"}, "smoke")
    assert values == {"scale": "smoke", "seed": -1, "train": True, "rate": 1e-3, "label": "1", "limit": None}


def test_assignments():
    assert parse_assignments(["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}
    for pairs, sentence in ((["a"], "not 'a'"), (["=1"], "not '=1'"), (["a=1", "a=2"], "given twice")):
        with pytest.raises(UserError, match=sentence):
            parse_assignments(pairs)


def test_missing_packages_name_the_extra(root, monkeypatch):
    script(root)
    monkeypatch.setitem(sys.modules, "jupytext", None)
    with pytest.raises(UserError, match=r"pip install 'kiloframe\[reproductions,notebooks\]'"):
        execute(root)


# --- what fails on the way ----------------------------------------------------------------------------------------

EMBEDDED = """\
# %%
from IPython.display import HTML, Image, display
"""
PICTURE = 'display(Image(b"\\x89PNG" + bytes(20_000), format="png"))'
INLINE = """display(HTML("<img src='data:image/png;base64," + "A" * 9000 + "'>"))"""
VIDEO = """display(HTML("<video src='tiny/gone.mp4'></video>"))"""
GONE = RESULT.replace('file="clip.txt"', 'file="gone.mp4"')
ELSEWHERE = RESULT.replace('file="clip.txt"', 'file="../tiny.json"')
FAILURES = {  # what goes wrong: (cells before the result, the cell that writes it, what the sentence says)
    "cell": (
        "# %%\nx = 1\n\ndef f():\n    return x / 0\n\ny = f()\n",
        RESULT,
        'line 22 (cell 4, "y = f()"): ZeroDivisionError: division by zero;',
    ),
    "syntax": ("# %%\nx = = 1\n", RESULT, 'line 17 (cell 4, "x = = 1"): SyntaxError: invalid syntax;'),
    "time": (
        "# %%\nimport time\ntime.sleep(60)\n",
        RESULT,
        'line 17 (cell 4, "import time"): it took longer than the 2 seconds',
    ),
    "killed": (
        "# %%\nimport os\nos.kill(os.getpid(), 9)\n",
        RESULT,
        'line 17 (cell 4, "import os"): the kernel died, probably out of memory',
    ),
    "exit": ("# %%\nraise SystemExit(0)\n", RESULT, "left early (SystemExit)"),
    "picture": (EMBEDDED + PICTURE, RESULT, "embeds image/png of 26 kB in its output; show figures"),
    "inline": (EMBEDDED + INLINE, RESULT, "cell 5 embeds text/html of 8 kB"),
    "reference": (EMBEDDED + VIDEO, RESULT, "shows tiny/gone.mp4, but wrote no such file"),
    "no result": ("", "# %%\nprint(1)", "wrote no tiny.json into the folder `out`"),
    "bad result": ("", RESULT + '\n(folder / "tiny.json").write_text("{}")', "wrote a tiny.json that is no result"),
    "other slug": ("", RESULT.replace("slug=SLUG", "slug='other'"), "wrote a result with the slug 'other'"),
    "other scale": ("", RESULT.replace("scale=scale", "scale='gpu'"), "scale 'gpu', but it was run with 'toy'"),
    "no media": ("", GONE, "shows tiny/gone.mp4, but wrote no such file"),
    "media elsewhere": ("", ELSEWHERE, "but wrote no such file"),
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A checkout in which `tiny` was run and frozen well once, and its files then."""
    place = tmp_path_factory.mktemp("ran")
    script(place)
    execute(place, freeze=True)
    return place, snapshot(place)


@pytest.mark.notebook
@pytest.mark.parametrize("name", FAILURES)
def test_failures_say_what_and_where_and_leave_former_results_untouched(ran, name):
    root, before = ran
    body, result, sentence = FAILURES[name]
    script(root, body=body, result=result)
    with pytest.raises(RunError) as caught:
        execute(root, freeze=True, timeout=2 if name == "time" else None)
    message = str(caught.value)
    assert (sentence in message and "notebooks/tiny.py" in message) or name == "bad result"
    assert caught.value.exit_code == 1 and "\n" not in message and str(root) not in message and "staging" not in message
    assert "the notebook as far as it came: build/runs/tiny.failed.ipynb" in message
    assert json.loads((root / "build/runs/tiny.failed.ipynb").read_text())["cells"]
    assert snapshot(root) == before and no_leftovers(root)


@pytest.mark.notebook
def test_ctrl_c_ends_the_kernel_and_leaves_no_trace(root):
    """Through the real signal in a real process, since that is what a user does."""
    script(
        root, body=f"# %%\nimport os, time\nopen({str(root / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    )
    script(root, "other", body="# %%\nimport time\ntime.sleep(60)")
    code = textwrap.dedent("""
        import sys
        from kiloframe.execute import Interrupted, run
        try:
            run(sys.argv[1].split(), root=".", progress=False, jobs=2)
        except Interrupted as error:
            print(error)
            sys.exit(error.exit_code)
    """)
    for slugs in ("tiny", "tiny other"):
        (root / "pid").unlink(missing_ok=True)
        process = subprocess.Popen(
            [sys.executable, "-c", code, slugs], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 30
        while not (root / "pid").exists() or not (root / "pid").read_text():
            assert time.monotonic() < deadline and process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out.strip(), err) == (130, "interrupted; the former results are untouched", "")
        assert snapshot(root) == {} and no_leftovers(root)
        with pytest.raises(ProcessLookupError):
            os.kill(int((root / "pid").read_text()), 0)
    assert Interrupted.exit_code == 130


def test_two_runs_of_one_slug_at_once_are_refused(root):
    script(root)
    with (
        swap.locked(root / "build/runs", "tiny"),
        pytest.raises(UserError, match="a run of tiny is in progress") as caught,
    ):
        execute(root)
    assert str(os.getpid()) in str(caught.value)


def test_private_names_are_replaced_and_words_of_the_script_are_not(root, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "frodo-7.example")
    monkeypatch.setenv("HOME", "/home/shapes")
    found = read_script(script(root, body='# %%\nkind = "shapes"'))
    runs = root / "build/runs"
    rules = private_names(found, root, runs / ".staging-tiny", runs)
    text = f"{runs}/.staging-tiny/tiny/a.png {root}/x.py /home/shapes/y frodo-7 shapes"
    text += f" /tmp/ipykernel_12/34.py:5 {root}2"
    assert scrub({"a": [text]}, rules) == {"a": [f"build/runs/tiny/a.png x.py ~/y host shapes <cell>:5 {root}2"]}
