"""Several tasks of the level field at once, in processes of their own; and mistakes on the command line."""

import dataclasses
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from reproductions.level_field import __main__ as command
from reproductions.level_field import field
from reproductions.level_field.plan import Settings

TINY = dataclasses.replace(
    Settings.smoke(), methods=("fdm",), seeds=(0,), videos=1, lengths=(16,), costed=(16,), reference=4
)


def test_two_at_once_find_what_one_after_the_other_finds(tmp_path):
    """In processes of their own, so with the real fdm; costs come last and alone."""
    began = time.time()
    new, every = field.run(TINY, tmp_path / "two", jobs=2, progress=False)
    assert new == every == len(field.tasks(TINY))
    ended = {task.id: (tmp_path / "two" / f"{task.id}.json").stat().st_mtime for task in field.tasks(TINY)}
    costs = {at for id, at in ended.items() if id.startswith("cost/")}
    assert costs and min(costs) > max(at for id, at in ended.items() if not id.startswith("cost/")) >= began
    trained_ones = tmp_path / "two/train"
    shutil.copytree(trained_ones, tmp_path / "one/train")  # how many steps fit into a second is not the same twice
    field.run(TINY, tmp_path / "one", progress=False)
    for name in (
        "fdm-shapes-autoregressive-16-s0-r0",
        "fdm-shapes-horizon16-hierarchy-2-16-s0-r0",
        "real-shapes-16-s0-r0",
    ):
        one, two = (np.load(tmp_path / way / f"measure/{name}.npz") for way in ("one", "two"))
        np.testing.assert_allclose(one["features"], two["features"], atol=1e-4)
        assert (one["strip"] == two["strip"]).mean() > 0.99


def test_a_field_of_several_jobs_stops_at_once_and_goes_on(tmp_path, root):
    words = [sys.executable, "-m", "reproductions.level_field", "--budget", "600", "--only", "fdm", "--jobs", "2"]
    with subprocess.Popen([*words, "--folder", str(tmp_path)], cwd=root, stderr=subprocess.PIPE, text=True) as process:
        plans = lambda: list((tmp_path / "train").glob("*.plan"))  # noqa: E731
        until = time.time() + 120
        while len(plans()) < 2 and time.time() < until:
            time.sleep(0.2)
        process.terminate()
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130 and told.rstrip().endswith("the same command goes on where it was")
    assert len(plans()) == 2 and not list((tmp_path / "train").glob("*.json"))
    checkpoints = sorted((tmp_path / "train").glob(".*/checkpoint.pt"))
    assert len(checkpoints) == 2, "both trainings wrote one before they ended"
    time.sleep(1)
    at = [path.stat().st_mtime for path in checkpoints]
    time.sleep(2)
    assert at == [path.stat().st_mtime for path in checkpoints], "and nobody goes on in the background"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--budget", "0"], "a number of seconds above 0, not 0"),
        (["--seeds", "0"], "a field needs videos, seeds"),
        (["--only", "fmd"], "fmd is not in the field; it has: fdm"),
        (["--smoke", "--jobs", "0"], "--jobs must be at least 1, not 0"),
    ],
)
def test_mistakes_are_told_in_a_sentence(arguments, told, capsys, tmp_path):
    assert command.main([*arguments, "--folder", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())
