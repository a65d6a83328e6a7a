"""`--dask`: a real cluster of two worker processes, which get code, weights and parameters sent and share no folder."""

import os
import shutil
import signal
import threading
import time

import psutil
import pytest

import kiloframe
from kiloframe import cluster, execute, remote
from kiloframe.errors import UserError
from kiloframe.execute import Interrupted, RunError
from kiloframe.results import read_result

pytestmark = pytest.mark.notebook

SCRIPT = """\
# %% tags=["parameters"]
scale = "toy"
seed = 0
out = ""

# %%
import os, time
from pathlib import Path
from kiloframe.results import Media, Result, write_result
import reproductions
BODY

# %%
folder = Path(out or "build/runs")
(folder / "SLUG").mkdir(parents=True, exist_ok=True)
where = Path(reproductions.__file__).parent.parent
(folder / "SLUG" / "clip.txt").write_text(f"{where.name} {seed} {(where / 'weights/mine.safetensors').read_text()}")
media = [Media(file="clip.txt", kind="image", caption="A clip.", alt="A clip")]
write_result(Result(slug="SLUG", title="Tiny", scale=scale, seed=seed, seeds=[seed], media=media), folder / "SLUG.json")
"""


def notebook(root, slug, body=""):
    (root / "notebooks" / f"{slug}.py").write_text(SCRIPT.replace("SLUG", slug).replace("BODY", body))


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    from distributed import LocalCluster

    place = tmp_path_factory.mktemp("workers")
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=str(place),
        silence_logs=50,
    ) as found:  # fmt: skip
        yield found.scheduler_address


@pytest.fixture(scope="module")
def small(root, tmp_path_factory):
    """A checkout with code and facts, a weight file of its own, and notebooks that take no time."""
    place = tmp_path_factory.mktemp("a small checkout")
    for name in ("kiloframe", "reproductions", "catalogue"):
        shutil.copytree(root / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(root / "pyproject.toml", place / "pyproject.toml")
    (place / "notebooks").mkdir()
    (place / "weights").mkdir()
    (place / "weights/mine.safetensors").write_text("learnt")
    return place


@pytest.fixture
def checkout(small):
    """The same without what a former test left."""
    for file in (small / "notebooks").iterdir():
        file.unlink()
    for name in ("build", "results"):
        shutil.rmtree(small / name, ignore_errors=True)
    return small


def jobs_alive():
    """Processes that work for a job."""
    return [p for p in psutil.process_iter(["cmdline"]) if any("kiloframe.cli import main" in w for w in p.info["cmdline"] or [])]  # noqa: E501  # fmt: skip


def test_results_come_back_from_workers_and_are_frozen_one_by_one(checkout, address, capsys):
    for slug in ("one", "two"):
        notebook(checkout, slug)
    notebook(checkout, "broken", "raise ValueError('no such cat')")
    with pytest.raises(
        RunError, match=r"(?s)1 of 3 notebooks failed.*broken: notebooks/broken.py, line 11 .*no such cat"
    ):
        remote.run(address, ["one", "two", "broken"], parameters={"seed": 5}, freeze=True, root=checkout)
    for slug in ("one", "two"):
        result = read_result(checkout / f"results/{slug}.json")
        assert result == read_result(checkout / f"build/runs/{slug}.json")
        assert result.command == f"kiloframe run {slug} --scale toy -p seed=5 --freeze" and result.seed == 5
        where, seed, weights = (checkout / f"results/{slug}/clip.txt").read_text().split()
        assert where.startswith("kiloframe-job-") and seed == "5" and weights == "learnt", "it ran on what was sent"
        assert str(checkout) not in (checkout / f"results/{slug}.ipynb").read_text()
    assert not (checkout / "results/broken.json").exists() and not (checkout / "build/runs/broken.json").exists()
    assert "no such cat" in (checkout / "build/runs/broken.failed.ipynb").read_text(), "as far as it came"
    told = capsys.readouterr().err
    assert "one: runs on tcp://127.0.0.1:" in told and "of 3, " in told and "two: done" in told
    assert "is gone" not in told
    assert execute.due(parameters={"seed": 5}, freeze=True, root=checkout) == (["broken"], ["one", "two"])


def test_a_job_whose_worker_is_killed_is_done_by_another(checkout, address, capsys):
    from distributed import Client

    notebook(checkout, "slow", "time.sleep(8)")

    def kill():
        with Client(address, set_as_default=False) as client:
            until = time.time() + 60
            while not jobs_alive() and time.time() < until:
                time.sleep(0.2)
            time.sleep(2)
            (worker,) = [w for w, keys in client.processing().items() if any(k.endswith("-slow") for k in keys)]
            os.kill(client.run(os.getpid, workers=[worker])[worker], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    (done,) = remote.run(address, ["slow"], root=checkout)
    killer.join()
    assert done.result.slug == "slow" and (checkout / "build/runs/slow.json").is_file()
    assert "slow: its worker is gone; again on tcp://" in capsys.readouterr().err
    until = time.time() + 10
    while jobs_alive() and time.time() < until:
        time.sleep(0.2)
    assert not jobs_alive(), "what the dead worker had begun is not left running"


def test_ctrl_c_stops_the_workers_and_keeps_what_is_there(checkout, address):
    notebook(checkout, "quick")
    notebook(checkout, "endless", "time.sleep(500)")

    def interrupt():
        until = time.time() + 90
        while not (checkout / "build/runs/quick.json").is_file() and time.time() < until:
            time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(Interrupted, match="the results that were there are kept"):
        remote.run(address, ["quick", "endless"], root=checkout, progress=False)
    until = time.time() + 25
    while jobs_alive() and time.time() < until:
        time.sleep(0.2)
    assert not jobs_alive()
    assert execute.due(root=checkout) == (["endless"], ["quick"]), "the same command goes on with what is missing"


def test_training_comes_back_with_its_report_and_goes_on(checkout, address, monkeypatch):
    words = {name: ("train", "stylegan_v", "--steps", "2", *more) for name, more in
             {"stylegan_v": (), "stylegan_v-lstm": ("--variant", "lstm")}.items()}  # fmt: skip
    with pytest.raises(RunError, match=r"(?s)1 of 3 trainings failed:.*oops: .*nearest: fdm"):
        remote.train(address, {**words, "oops": ("train", "fmd")}, root=checkout, progress=False)
    for name in words:
        assert (checkout / f"weights/{name}.json").is_file() and (checkout / f"weights/{name}.safetensors").is_file()
    seen = []
    monkeypatch.setattr(cluster, "spread", lambda _, jobs, *a, **k: seen.append([j.name for j in jobs]) or {})
    remote.train(address, {**words, "oops": ("train", "fmd")}, root=checkout)
    remote.train(address, words, root=checkout)
    assert seen == [["oops"], ["stylegan_v", "stylegan_v-lstm"]], "other trainings, so a new beginning"


def test_tasks_of_the_level_field_are_done_by_workers(address, tmp_path):
    import dataclasses

    from reproductions.level_field import field
    from reproductions.level_field.plan import Settings

    settings = dataclasses.replace(
        Settings.smoke(), methods=("fdm",), seeds=(0,), videos=1, lengths=(16,), costed=(), reference=4
    )
    new, every = field.run(settings, tmp_path, progress=False)
    assert new == every
    again = ["train/fdm-shapes-horizon16-r0", "measure/fdm-shapes-horizon16-autoregressive-16-s0-r0"]
    before = [(tmp_path / f"{id}.json").read_bytes() for id in again]
    for id in again:
        (tmp_path / f"{id}.json").unlink()
    assert field.run_spread(settings, tmp_path, address, progress=False) == (2, every)
    assert all(field.is_done(task, tmp_path) for task in field.tasks(settings))
    assert [(tmp_path / f"{id}.json").read_bytes() for id in again] != before
    (tmp_path / f"{again[1]}.json").unlink()
    (tmp_path / "train/fdm-shapes-horizon16-r0.safetensors").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"1 of 1 tasks failed, measure/.*the weight file .* is damaged"):
        field.run_spread(settings, tmp_path, address, progress=False)


def test_a_worker_that_lacks_a_package_is_named_before_anything_is_sent(checkout, address, monkeypatch):
    notebook(checkout, "one")
    monkeypatch.setattr(cluster, "_NEEDED", ("torch", "no_such_package"))
    with pytest.raises(UserError, match=r"the worker tcp://.* lacks no_such_package; install there: pip install"):
        remote.run(address, ["one"], root=checkout, progress=False)
    assert not (checkout / "build").exists()


# --- without a cluster --------------------------------------------------------------------------------------------


def test_no_scheduler_is_one_sentence(kf, monkeypatch):
    monkeypatch.setattr(cluster, "_ANSWER", 1)
    code, _, err = kf("run", "fdm", "--dask", "tcp://127.0.0.1:9")
    assert (
        code == 2
        and err.startswith("kiloframe: no Dask scheduler answers at tcp://127.0.0.1:9")
        and err.count("\n") == 1
    )
    code, _, err = kf("train", "--all", "--dask", "nonsense://x")
    assert code == 2 and "no Dask scheduler answers at nonsense://x" in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "--all", "--dask", "x", "--jobs", "2"], "its workers decide"),
        (["run", "fdm", "--dask", "x", "--scale", "smoke", "--freeze"], "a smoke run is not frozen"),
        (["run", "fdm", "--dask", "x", "-p", "sed=1"], "seed"),
        (["run", "fdm", "--again"], "--again belongs to --all"),
        (["train"], "either a method or --all"),
        (["train", "fdm", "--all"], "either a method or --all"),
        (["train", "--all", "--seed", "1", "--out", "x"], "leave --out, --seed away"),
        (["train", "fdm", "--dask", "x", "--clips", "a.mp4"], "leave --clips away"),
        (["train", "fdm", "--dask", "x", "--preset", "gpu"], "leave --preset away"),
        (["train", "fdm", "--dask", "x", "--variant", "nonsense"], "has no variant 'nonsense'"),
    ],
)
def test_mistakes_are_told_before_anything_is_sent(kf, monkeypatch, arguments, told):
    monkeypatch.setattr(cluster, "spread", lambda *a, **k: pytest.fail("something was sent"))
    code, _, err = kf(*arguments)
    assert code == 2 and told in err and err.count("\n") == 1


@pytest.mark.parametrize("name", ["../evil.json", "/etc/passwd", "build/runs/../../evil", "results/fdm.json"])
def test_files_that_were_not_asked_for_are_not_written(name):
    assert not cluster._fits(name, ("build/runs/fdm.json", "build/runs/fdm/*"))
    assert cluster._fits("build/runs/fdm/a.mp4", ("build/runs/fdm.json", "build/runs/fdm/*"))


def test_the_same_checkout_is_the_same_bundle_without_what_is_half_done(checkout):
    first = cluster.bundle(checkout)
    (checkout / "kiloframe/__pycache__").mkdir(exist_ok=True)
    (checkout / "kiloframe/__pycache__/x.pyc").write_bytes(b"x")
    (checkout / "weights/.fdm.safetensors.train").mkdir(exist_ok=True)
    (checkout / "weights/.fdm.safetensors.train/checkpoint.pt").write_bytes(b"x")
    assert cluster.bundle(checkout) == first
    (checkout / "weights/mine.safetensors").write_text("learnt more")
    assert cluster.bundle(checkout) != first
    (checkout / "weights/mine.safetensors").write_text("learnt")


def test_every_kept_weight_names_the_command_that_made_it(root):
    found = remote.kept_trainings(root)
    assert {"fdm", "tats", "stylegan_v-lstm", "fdm-rooms"} <= set(found) and "world_network" not in found
    assert found["stylegan_v-lstm"][:2] == ("train", "stylegan_v") and "lstm" in found["stylegan_v-lstm"]
    assert kiloframe.load().methods.keys() >= {words[1] for words in found.values()}
