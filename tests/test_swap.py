"""kiloframe.swap: a result is replaced as a whole, or not at all, even when the process dies half-way."""

import os
import subprocess
import sys
import textwrap

import pytest

from kiloframe import swap
from kiloframe.errors import UserError


def members(folder, text):
    (folder / "x").mkdir(parents=True)
    for name in ("x.json", "x.ipynb", "x/clip"):
        (folder / name).write_text(text)


def contents(folder):
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*")) if file.is_file()}


@pytest.mark.parametrize("fails_at", range(1, 8))
def test_a_replacement_that_breaks_off_brings_the_former_set_back(tmp_path, monkeypatch, fails_at):
    members(tmp_path / "kept", "old")
    members(tmp_path / "new", "new")
    before = contents(tmp_path / "kept")
    rename, calls = os.rename, []

    def breaking(source, target):
        calls.append(source)
        if len(calls) == fails_at:
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(swap.os, "rename", breaking)
    with pytest.raises(UserError, match="No space left on device"):
        swap.replace(tmp_path / "new", tmp_path / "kept", "x")
    assert contents(tmp_path / "kept") == before


@pytest.mark.parametrize("dies_at", range(1, 8))
def test_a_replacement_that_was_killed_is_mended_by_the_next_one(tmp_path, monkeypatch, dies_at):
    members(tmp_path / "kept", "old")
    members(tmp_path / "new", "new")
    before = contents(tmp_path / "kept")
    code = textwrap.dedent(f"""
        import os
        from pathlib import Path
        from kiloframe import swap
        rename, calls = os.rename, []
        def dying(source, target):
            calls.append(source)
            if len(calls) == {dies_at}:
                os._exit(9)
            rename(source, target)
        os.rename = dying
        swap.replace(Path("new"), Path("kept"), "x")
    """)
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 9
    swap._restore(tmp_path / "kept", "x")
    assert contents(tmp_path / "kept") == before
    members(tmp_path / "newer", "newer")
    swap.replace(tmp_path / "newer", tmp_path / "kept", "x")
    assert set(contents(tmp_path / "kept").values()) == {"newer"}


def test_a_first_set_that_breaks_off_leaves_nothing(tmp_path, monkeypatch):
    members(tmp_path / "new", "new")
    (tmp_path / "kept").mkdir()
    rename = os.rename

    def breaking(source, target):
        if str(source).endswith("x.json"):
            raise OSError(13, "Permission denied")
        rename(source, target)

    monkeypatch.setattr(swap.os, "rename", breaking)
    with pytest.raises(UserError, match="Permission denied"):
        swap.replace(tmp_path / "new", tmp_path / "kept", "x")
    assert contents(tmp_path / "kept") == {}


def test_freezing_copies_and_replaces(tmp_path):
    members(tmp_path / "runs", "new")
    members(tmp_path / "results", "old")
    (tmp_path / "results/x/former clip").write_text("old")
    swap.freeze(tmp_path / "runs", tmp_path / "results", "x")
    assert contents(tmp_path / "results") == contents(tmp_path / "runs")
    assert set(contents(tmp_path / "runs").values()) == {"new"}


def test_a_lock_is_free_again_after_its_run_even_a_failed_one(tmp_path):
    with pytest.raises(ValueError), swap.locked(tmp_path, "x"):
        raise ValueError
    with swap.locked(tmp_path, "x"), swap.locked(tmp_path, "y"):
        pass


def test_folders_that_cannot_be_written_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"), swap.locked(tmp_path / "file", "x"):
        pass
    with pytest.raises(UserError, match="cannot be made"), swap.staging(tmp_path / "file", "x"):
        pass
