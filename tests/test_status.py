"""kiloframe.sources: what a result was made from, whether it is still fresh, and which result is shown."""

import gc
import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

import kiloframe.sources
from kiloframe.errors import UserError
from kiloframe.execute import checkout, latest_result, source_hash, status
from kiloframe.results import Media, Result, read_result, write_result
from kiloframe.sources import code_files, combined, source_parts, weight_hashes

FILES = {
    "notebooks/fdm.py": (
        '# %% tags=["parameters"]\nscale = "toy"\nseed = 0\nout = ""\n\n'
        "# %%\nfrom reproductions.report import Report\n%matplotlib inline\n"
    ),
    "reproductions/__init__.py": "",
    "reproductions/report.py": "def load():\n    from reproductions import video\n",
    "reproductions/video.py": "import numpy\n",
    "reproductions/methods/fdm.py": "from reproductions.parts import schedules\nfrom ..parts.unet import UNet\n",
    "reproductions/methods/other.py": "",
    "reproductions/parts/schedules.py": "",
    "reproductions/parts/unet.py": "import reproductions.parts.attention as attention\n",
    "reproductions/parts/attention.py": "",
    "reproductions/parts/unused.py": "",
    "weights/fdm.safetensors": "toy",
    "weights/fdm-variant.safetensors": "variant",
    "weights/fdm2.safetensors": "another method's",
    "weights/fdm.json": "{}",
}
VALUES = {"scale": "toy", "seed": 3}


@pytest.fixture
def root(tmp_path):
    """A made-up checkout with one method, its parts, its notebook and its weights."""
    place = tmp_path / "check out"
    for name, text in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


def put(root, folder="results", slug="fdm", **fields):
    """A whole result with a notebook and one media file, as a run today would leave it."""
    parts = source_parts(slug, VALUES, root)
    told = {"created": "2026-11-25T12:00:00Z", "scale": "toy", "parameters": VALUES, "sources": parts}
    told |= {"source_hash": combined(parts), "media": [Media(file="a.mp4", kind="video", caption="A.", alt="A")]}
    result = Result(slug=slug, title="FDM", seed=3, seeds=[3], **(told | fields))
    write_result(result, root / folder / f"{slug}.json")
    (root / folder / f"{slug}.ipynb").write_text(json.dumps({"cells": []}))
    (root / folder / slug).mkdir(exist_ok=True)
    (root / folder / slug / "a.mp4").write_bytes(b"x")
    return result


def change(root, name, text="# changed\n"):
    (root / name).write_text((root / name).read_text() + text)


def test_the_code_of_a_method_is_what_it_and_its_notebook_import_from_reproductions(root):
    names = {file.relative_to(root / "reproductions").as_posix() for file in code_files("fdm", root)}
    parts = {"parts/schedules.py", "parts/unet.py", "parts/attention.py"}
    assert names == {"__init__.py", "report.py", "video.py", "methods/fdm.py"} | parts


def test_the_code_of_the_real_method_is_found():
    root = checkout()
    names = {file.relative_to(root / "reproductions").as_posix() for file in code_files("fdm", root)}
    assert {"contract.py", "methods/fdm.py", "parts/unet.py", "parts/attention.py", "worlds/digits.py"} <= names


def test_weights_are_those_of_the_method_and_its_variants(root):
    expected = {"fdm.safetensors": b"toy", "fdm-variant.safetensors": b"variant"}
    assert weight_hashes("fdm", root) == {name: hashlib.sha256(data).hexdigest() for name, data in expected.items()}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("notebooks/fdm.py", "notebook"),
        ("reproductions/methods/fdm.py", "method"),
        ("reproductions/parts/attention.py", "method"),
        ("reproductions/video.py", "method"),
        ("weights/fdm.safetensors", "weights"),
        ("weights/fdm-variant.safetensors", "weights"),
        ("reproductions/parts/unused.py", None),
        ("reproductions/methods/other.py", None),
        ("weights/fdm2.safetensors", None),
    ],
)
def test_a_change_makes_the_result_stale_and_names_the_part(root, name, part):
    put(root)
    before = source_hash("fdm", VALUES, root)
    assert status(root) == [("fdm", "fresh", "")]
    change(root, name)
    labels = {"method": "method code changed", "notebook": "notebook changed", "weights": "weights changed"}
    assert status(root) == [("fdm", "stale", labels[part]) if part else ("fdm", "fresh", "")]
    assert (source_hash("fdm", VALUES, root) != before) == (part is not None)


def test_the_hash_knows_the_parameters_but_not_the_place_nor_line_ends(root):
    before = source_hash("fdm", VALUES, root)
    assert source_hash("fdm", VALUES | {"out": "/somewhere"}, root) == before
    assert source_hash("fdm", VALUES | {"seed": 4}, root) != before
    for name in FILES:
        if name.endswith(".py"):
            (root / name).write_bytes((root / name).read_bytes().replace(b"\n", b"\r\n"))
    assert source_hash("fdm", VALUES, root) == before


def test_several_changes_and_a_new_parameter_are_all_named(root):
    put(root)
    script = root / "notebooks/fdm.py"
    script.write_text(script.read_text().replace("seed = 0", "seed = 0\nrate = 0.5"))
    change(root, "reproductions/parts/unet.py")
    assert status(root) == [("fdm", "stale", "method code, notebook, parameters changed")]


def test_an_edited_hash_is_noticed(root):
    put(root, source_hash="0" * 64)
    assert status(root) == [("fdm", "stale", "source_hash of the result changed")]


def test_missing_and_orphaned(root):
    (root / "notebooks/new.py").write_text(FILES["notebooks/fdm.py"])
    put(root)
    (root / "notebooks/fdm.py").unlink()
    gone = ("fdm", "stale", "its notebook, notebooks/fdm.py, is gone")
    assert status(root) == [gone, ("new", "missing", "nothing is frozen yet; type: kiloframe run new --freeze")]


def test_missing_where_records_are_missing_too(root):
    header = "# ---\n# jupyter:\n#   kiloframe:\n#     records: build/new.json\n#     made_by: make new\n# ---\n\n"
    (root / "notebooks/new.py").write_text(header + FILES["notebooks/fdm.py"])
    assert status(root)[1] == ("new", "missing", "nothing is frozen yet; type: make new")
    (root / "build").mkdir()
    (root / "build/new.json").write_text("{}")
    assert status(root)[1].reason.endswith("type: kiloframe run new --freeze")


def test_a_script_that_can_no_longer_be_read_is_stale(root):
    put(root)
    (root / "notebooks/fdm.py").write_text("# %%\nscale = 'toy'\n")
    ((_, state, reason),) = status(root)
    assert state == "stale" and reason.startswith("notebook changed: notebooks/fdm.py: no cell has the tag")


def broken(root, name, data):
    if data is None:
        (root / "results" / name).unlink()
    else:
        (root / "results" / name).write_bytes(data)


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("fdm.json", b'{"slug": "fdm"', "fdm.json is not a result this version can read"),
        ("fdm.json", b'{"slug": 3}', "fdm.json is not a result this version can read"),
        ("fdm.json", b"\xff\xfe", "fdm.json is not a result this version can read"),
        ("fdm.json", b"", "fdm.json is not a result this version can read"),
        ("fdm.json", None, "there is no result at"),
        ("fdm.ipynb", b"{}", "fdm.ipynb is not a notebook"),
        ("fdm.ipynb", b"[1]", "fdm.ipynb is not a notebook"),
        ("fdm.ipynb", b"no json", "fdm.ipynb is not a notebook"),
        ("fdm.ipynb", None, "is missing beside its result"),
        ("fdm/a.mp4", None, "a.mp4 is missing"),
    ],
)
def test_damaged_results_are_told_in_one_sentence_and_never_shown(root, name, data, sentence):
    put(root)
    broken(root, name, data)
    ((slug, state, reason),) = status(root)
    assert (slug, state) == ("fdm", "damaged") and sentence in reason and "kiloframe run fdm" in reason
    with pytest.raises(UserError) as caught:
        latest_result("fdm", root)
    assert str(caught.value) == reason and "\n" not in reason


def test_the_fresh_run_is_shown_unless_it_is_smoke_or_older_or_not_by_the_command(root):
    runs, results = root / "build/runs", root / "results"
    assert latest_result("fdm", root) is None
    frozen = put(root)
    assert latest_result("fdm", root) == (frozen, results, True)
    newer = put(root, "build/runs", created="2026-11-25T12:00:01Z")
    assert latest_result("fdm", root) == (newer, runs, False)
    put(root, "build/runs", created="2026-11-25T11:59:59Z")
    assert latest_result("fdm", root) == (frozen, results, True)
    put(root, "build/runs", created="2026-11-26T00:00:00Z", scale="smoke")
    assert latest_result("fdm", root) == (frozen, results, True)
    put(root, "build/runs", created="")
    assert latest_result("fdm", root) == (frozen, results, True)
    for file in ("fdm.json", "fdm.ipynb"):
        (results / file).unlink()
    assert latest_result("fdm", root) is None
    put(root, "build/runs")
    assert latest_result("fdm", root)[1:] == (runs, False)
    (runs / "fdm.json").write_text("{")
    with pytest.raises(UserError, match=r"make it again with: kiloframe run fdm$"):
        latest_result("fdm", root)


def test_results_without_parts_are_read_and_written_as_before(root):
    plain = put(root, sources={})
    assert "sources" not in msgspec.json.decode((root / "results/fdm.json").read_bytes())
    assert read_result(root / "results/fdm.json") == plain
    assert status(root)[0].state == "stale"


def test_without_a_checkout_the_sentence_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(kiloframe.sources, "__file__", str(tmp_path / "kiloframe/sources.py"))
    with pytest.raises(UserError, match=r"needs a checkout .* pip install -e '.\[all\]'"):
        status()


def test_weights_that_belong_to_an_imported_file_count(root):
    (root / "weights/attention.safetensors").write_text("of a part")
    (root / "weights/attention-other.safetensors").write_text("of nobody")
    assert sorted(weight_hashes("fdm", root)) == [
        "attention.safetensors", "fdm-variant.safetensors", "fdm.safetensors",
    ]  # fmt: skip
    put(root)
    change(root, "weights/attention.safetensors")
    assert status(root)[0].reason == "weights changed"


def test_several_threads_read_code_at_once():
    """A garbage collection in the middle of parsing lets another thread run, here at nearly every step.

    On the code of this checkout: parsing the files of `root` is over before another thread begins.
    """

    def let_others_run(*_):
        time.sleep(0)

    here, slugs, former = checkout(), ["fdm", "tats", "pvdm", "worlds"], gc.get_threshold()
    alone = [code_files(slug, here) for slug in slugs]
    assert min(map(len, alone)) > 10
    gc.callbacks.append(let_others_run)
    gc.set_threshold(20)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda slug: code_files(slug, here), slugs)) == alone
    finally:
        gc.callbacks.remove(let_others_run)
        gc.set_threshold(*former)
