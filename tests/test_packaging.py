"""The wheel: holds the facts, needs no torch, and lives beside an unrelated package called `catalogue`."""

import json
import os
import subprocess
import sys
import venv
import zipfile

import pytest


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel with a space")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, root],
        check=True,
        capture_output=True,
        text=True,
    )
    (found,) = out.glob("kiloframe-*.whl")
    return found


def test_wheel_holds_the_facts_and_no_module_called_catalogue(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(n for n in names if n.endswith("METADATA"))).decode()
    assert "kiloframe/facts.msgpack" in names
    assert {n.split("/")[0] for n in names if ".dist-info" not in n} == {"kiloframe", "reproductions"}
    always = [line for line in metadata.splitlines() if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert always and not any("torch" in line for line in always)
    assert any("torch" in line for line in metadata.splitlines())


def test_unpacked_wheel_answers_from_any_folder_without_torch_pandas_or_yaml(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site packages")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code = (
        "import sys, kiloframe; cat = kiloframe.load();"
        "assert kiloframe.__file__.startswith(sys.argv[1]), kiloframe.__file__;"
        "assert not {'torch', 'pandas', 'yaml', 'reproductions'} & set(sys.modules);"
        "print(len(cat.methods), len(cat.datasets), len(cat.metrics), cat.root)"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site packages")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=elsewhere, env=env, capture_output=True, text=True
    )
    assert done.stdout.split() == ["51", "30", "19", "None"], done.stderr


@pytest.mark.slow
def test_empty_environment_with_spacys_catalogue_beside_it(wheel, tmp_path, root, monkeypatch):
    monkeypatch.setenv("KILOFRAME_TESTS_ONLINE", "1")  # pip asks its index
    home = tmp_path / "an empty environment"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "-c", root / "constraints.txt", wheel, "catalogue"],
        check=True,
        capture_output=True,
        text=True,
    )
    command = [home / "bin" / "kiloframe", "list", "--paradigm", "divide_and_conquer", "--format", "json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "nuwa_xl" in {record["slug"] for record in json.loads(done.stdout)}
    check = "import catalogue, importlib.util as u; assert hasattr(catalogue, 'create'); print(u.find_spec('torch'))"
    done = subprocess.run([python, "-c", check], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == "None", done.stderr
    for words in (["run", "fdm"], ["train", "fdm"], ["generate", "fdm", "--frames", "4"], ["site"]):
        done = subprocess.run([home / "bin" / "kiloframe", *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 2, (words, done.stdout, done.stderr)
        assert "checkout" in done.stderr and "Traceback" not in done.stderr, (words, done.stderr)
