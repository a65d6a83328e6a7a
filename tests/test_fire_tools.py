"""The attacks themselves: they find what they are there to find, can be repeated, and refuse what they do not know."""

import ast
import os

import pytest
from attacked import attacked

from attacks.campaign import main

IN_PLACE = """
import kiloframe.files
from pathlib import Path

def write(path, data):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(data.encode() if isinstance(data, str) else data)

kiloframe.files.write_atomically = write
"""


@pytest.mark.notebook
def test_a_file_that_is_written_in_place_is_found_torn(root, tmp_path, monkeypatch):
    """Without the temporary file there must be torn files, or the kills guard nothing."""
    (tmp_path / "sitecustomize.py").write_text(IN_PLACE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(root)]))
    record = attacked(root, tmp_path, {"killed-export": 16}, wrong=True)["killed-export"]
    assert record["broken"] > 0 and "neither the former nor the new one" in record["examples"][0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--only", "kiled-run"], "there is no attack 'kiled-run'; nearest: killed-run; they are: command-line, "),
        (["--minutes", "0"], "--minutes must be more than 0, and --rounds at least 1"),
        (["--only", "sql=x"], "--only sql= needs a number of inputs from 1, not 'x'"),
        (["--rounds", "0"], "--minutes must be more than 0, and --rounds at least 1"),
    ],
)
def test_mistakes_on_its_own_command_line_are_told(tmp_path, capsys, words, told):
    assert main(["--folder", str(tmp_path / "x"), *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"attacks: {told}") and err.count("\n") == 1
    assert not (tmp_path / "x").exists()


@pytest.mark.notebook
def test_the_same_seed_makes_the_same_inputs(root, tmp_path):
    rounds = {"command-line": 30, "sql": 30, "results": 10, "citations": 5}
    first, again, other = (
        attacked(root, tmp_path / name, rounds, seed=s) for name, s in (("a", 5), ("b", 5), ("c", 6))
    )
    kept = ("inputs", "answered", "refused", "parts")
    told = [[record[name] for record in records.values() for name in kept] for records in (first, again, other)]
    assert told[0] == told[1] != told[2]


def test_kept_weights_are_safetensors_and_nothing_opens_a_pickle(root):
    kept = [file for file in (root / "weights").iterdir() if not file.name.startswith(".")]
    assert {file.suffix for file in kept} == {".safetensors", ".json"}
    seen = 0
    for file in [*(root / "kiloframe").rglob("*.py"), *(root / "reproductions").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name, given = ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}
            assert name not in ("pickle.load", "pickle.loads", "eval", "exec"), f"{file}: {name}"
            assert given.get("allow_pickle", "False") == "False", f"{file}: {name}"
            if name == "torch.load":
                seen += 1
                assert given.get("weights_only") == "True", f"{file}, line {node.lineno}"
    assert seen, "the test looks for a name that nobody uses any more"
