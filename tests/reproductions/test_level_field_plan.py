"""What decides an outcome, and what the records tell of how they were made."""

import ast
import json

import pytest

from kiloframe.errors import UserError
from reproductions import training
from reproductions.level_field import plan, records
from reproductions.level_field.plan import Settings
from reproductions.methods.fdm import FDM


def test_fields_of_syntax_that_only_newer_pythons_have_change_no_hash():
    tree = ast.parse("def f(x):\n    return x + 1\n")
    before = plan._plain(tree)
    tree.body[0].type_params = []  # Python 3.12 has it
    tree.body[0]._fields = (*type(tree.body[0])._fields, "type_params", "some_later_field")
    tree.body[0].some_later_field = None
    assert plan._plain(tree) == before
    tree.body[0].some_later_field = "something"
    assert plan._plain(tree) != before


def test_trainings_at_once_are_counted_by_their_clocks(tmp_path):
    found = object.__new__(records.Records)
    found.folder, found._ids = tmp_path, ["train/a", "train/b", "train/c", "measure/d"]
    (tmp_path / "train").mkdir()
    for name, ended, took in (("a", "10:00:10", 10), ("b", "10:00:14", 8), ("c", "10:00:30", 9)):
        text = json.dumps({"created": f"2026-11-26T{ended}Z", "took": took})
        (tmp_path / f"train/{name}.json").write_text(text)
    assert found.trained_at_once() == 2


def test_cuda_is_refused_in_one_sentence_where_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(training.torch.cuda, "is_available", lambda: False)
    for work in (
        lambda: training.train(FDM, preset="smoke", device="cuda", out=tmp_path / "w.safetensors", progress=False),
        lambda: training.step_seconds(FDM, preset="smoke", device="cuda"),
    ):
        with pytest.raises(UserError, match="no CUDA here"):
            work()
    assert not list(tmp_path.iterdir())


def test_a_field_is_trained_on_a_device_that_exists():
    with pytest.raises(UserError, match="cpu or cuda, not on tpu"):
        Settings(device="tpu")
    assert Settings(device="cuda").device == "cuda"
