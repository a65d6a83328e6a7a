"""The commands that work in a checkout: what they hand to the library, what they say, with which code they end."""

import subprocess
import sys
from pathlib import Path

import pytest

from kiloframe import execute, lint, web
from kiloframe.errors import UserError
from kiloframe.results import read_result


@pytest.fixture
def handed(monkeypatch):
    """Put a function in the place of another; what it was called with is kept and returned."""

    def replace(module, name, answer=None):
        calls = []

        def stand_in(*args, **named):
            calls.append((args, named))
            if isinstance(answer, BaseException):
                raise answer
            return answer

        monkeypatch.setattr(module, name, stand_in)
        return calls

    return replace


# --- run and status -----------------------------------------------------------------------------------------------


def test_run_hands_everything_on(kf, handed):
    calls = handed(execute, "run", [])
    arguments = ["fdm", "--scale", "smoke", "-p", "seed=3", "-p", "train=true", "--jobs", "2", "--timeout", "9"]
    assert kf("run", *arguments)[0] == 0
    told = {"scale": "smoke", "parameters": {"seed": "3", "train": "true"}, "jobs": 2, "freeze": False, "timeout": 9}
    assert calls == [((["fdm"],), {**told, "leave_out": False})]


def test_a_run_ends_by_saying_what_it_found_and_where_it_lies(kf, handed, root, monkeypatch):
    result = read_result(root / "results" / "fdm.json")
    done = execute.Run("fdm", result, root / "build/runs/fdm.ipynb", root / "results/fdm.json")
    handed(execute, "run", [done])
    monkeypatch.chdir(root)
    code, out, _ = kf("run", "fdm", "--freeze")
    first, second = out.splitlines()
    assert code == 0 and first.startswith("fdm: claims: ") and second == "fdm: frozen in results/fdm.json"
    assert first.endswith(f"took {result.seconds:.0f} s; notebook: build/runs/fdm.ipynb")
    assert sum(int(word) for word in first.split(";")[0].split() if word.isdigit()) == len(result.claims)


def test_run_all_means_what_is_stale(kf, handed, monkeypatch):
    calls = handed(execute, "run", [])
    monkeypatch.setattr(execute, "due", lambda *a: (["b"], ["a", "c"]))
    code, _, err = kf("run", "--all", "--freeze")
    assert code == 0 and calls[-1][0] == (["b"],) and calls[-1][1]["freeze"] and calls[-1][1]["leave_out"]
    assert err == "fresh and left out: a, c (--again runs them too)\n"
    code, _, err = kf("run", "--all", "--again")
    assert code == 0 and calls[-1][0] == (None,) and err == ""
    monkeypatch.setattr(execute, "due", lambda *a: ([], ["a"]))
    assert kf("run", "--all")[0] == 0 and len(calls) == 2, "nothing to do"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "run needs a slug or --all"),
        (["fdm", "--all"], "give slugs or --all, not both"),
        (["fdm", "-p", "seed"], "-p takes name=value, not 'seed'"),
        (["fdm", "-p", "seed=1", "-p", "seed=2"], "given twice"),
        (["fdm", "--scale", "toyy"], "nearest: toy; allowed: smoke, toy, gpu"),
        (["fdm", "--jobs", "0"], "'--jobs': 0 is not in the range"),
    ],
)
def test_run_refuses_before_anything_starts(kf, handed, arguments, told):
    calls = handed(execute, "run", [])
    code, out, err = kf("run", *arguments)
    assert (code, out, calls) == (2, "", []) and told in err and err.count("\n") == 1


def test_a_failed_run_ends_with_code_1_and_its_sentence(kf, handed):
    handed(execute, "run", execute.RunError("fdm failed in cell 3"))
    assert kf("run", "fdm") == (1, "", "kiloframe: fdm failed in cell 3\n")
    handed(execute, "run", execute.Interrupted("interrupted; the former results are untouched"))
    assert kf("run", "fdm")[0] == 130


def test_status_shows_state_and_reason(kf, handed):
    handed(execute, "status", [execute.Status("fdm", "stale", "weights changed"), execute.Status("x", "fresh", "")])
    code, out, err = kf("status")
    assert code == 0 and "fdm   stale  weights changed" in out and "kiloframe run SLUG --freeze" in err
    handed(execute, "status", [execute.Status("x", "fresh", "")])
    assert kf("status")[2] == ""


# --- train and generate -------------------------------------------------------------------------------------------


def test_train_hands_everything_on(kf, handed):
    from reproductions import training

    report = training.TrainingReport(
        slug="fdm", variant="x", preset="smoke", seed=5, steps=2, batch=4, parameters=60035, seconds=13.2, command="",
        machine="", torch="", loss=[(1, 2.0), (2, 1.717)], weights="a.safetensors",
    )  # fmt: skip
    calls = handed(training, "train", report)
    given = [
        "--preset",
        "smoke",
        "--variant",
        "x",
        "--steps",
        "2",
        "--seed",
        "5",
        "--restart",
        "--out",
        "a.safetensors",
    ]
    code, out, _ = kf("train", "fdm", *given)
    assert (code, out) == (0, "a.safetensors: 60,035 parameters, 2 steps in 13 s, loss 1.717\n")
    told = {"preset": "smoke", "variant": "x", "seed": 5, "steps": 2, "restart": True, "out": "a.safetensors"}
    assert calls == [(("fdm",), told | {"progress": True, "source": None})]


def test_an_interrupted_training_says_that_it_resumes(kf, handed):
    from reproductions import training

    handed(training, "train", KeyboardInterrupt())
    code, _, err = kf("train", "fdm")
    assert code == 130 and "the same command takes the training up where it stopped" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["fdmm"], "nearest: fdm"),
        (["fdm", "--preset", "paper"], "allowed: smoke, toy, gpu"),
        (["fdm", "--variant", "nope"], "has no variant 'nope'"),
        (["fdm", "--steps", "0"], "0 is not in the range"),
    ],
)
def test_train_refuses_in_one_sentence(kf, arguments, told):
    code, out, err = kf("train", *arguments)
    assert (code, out) == (2, "") and told in err and err.count("\n") == 1


def test_generate_hands_everything_on(kf, handed):
    from reproductions import contract

    calls = handed(contract, "generate_to_file", Path("long.gif"))
    code, out, _ = kf(
        "generate", "fdm", "--frames", "120", "--seed", "4", "--variant", "shapes", "--schedule", "hierarchy-2",
        "-o", "long.gif",
    )  # fmt: skip
    assert code == 0 and out == "long.gif: 120 frames, 12 s at 10 frames per second, seed 4\n"
    told = {"seed": 4, "prompts": (), "variant": "shapes", "schedule": "hierarchy-2"}
    assert calls == [(("fdm", 120, "long.gif"), told)]


def test_generate_writes_a_video(kf, tmp_path):
    from reproductions.video import read_video

    out = tmp_path / "out.mp4"
    code, _, err = kf("generate", "fdm", "--frames", "12", "-o", str(out))
    assert code == 0, err
    assert len(read_video(out).frames) == 12


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["fdm"], "generate needs --frames N"),
        (["fdm", "--frames", "0"], "0 is not in the range"),
        (["fdmm", "--frames", "9"], "nearest: fdm"),
        (["fdm", "--frames", "9", "--prompt", "a cat"], "takes no prompt"),
        (["fdm", "--frames", "9", "--schedule", "nope"], "nope"),
        (["fdm", "--frames", "9", "--variant", "nope"], "no variant 'nope'; there are: shapes, timelapse, rooms"),
        (["fdm", "--frames", "9", "-o", "out.txt"], ".mp4"),
    ],
)
def test_generate_refuses_in_one_sentence(kf, arguments, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = kf("generate", *arguments)
    assert (code, out) == (2, "") and told in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


# --- site ---------------------------------------------------------------------------------------------------------


def test_site_builds_then_serves(kf, handed, root):
    checked, built, served = (
        handed(web, "check_port", 0), handed(web, "build", Path("site")), handed(web, "serve"),
    )  # fmt: skip
    assert kf("site")[0] == 0
    assert (len(checked), len(built), len(served)) == (0, 1, 0)
    assert kf("site", "--serve", "--port", "8123")[0] == 0
    assert (checked[0][0], len(built), served[0][0]) == ((8123,), 2, (Path("site"), 8123))
    assert kf("site", "--serve", "--no-build")[0] == 0
    assert (len(built), served[1][0]) == (2, (root / "site", 8000))


def test_site_looks_at_the_port_before_it_builds(kf, handed):
    handed(web, "check_port", 2)
    built = handed(web, "build", Path("site"))
    assert kf("site", "--serve")[0] == 2 and not built
    assert kf("site", "--no-build")[0] == 2 and not built


# --- lint ---------------------------------------------------------------------------------------------------------


def test_lint_lists_the_problems_of_a_folder_and_fails(kf, catalogue_copy):
    file = catalogue_copy / "methods" / "fdm.yaml"
    file.write_text(file.read_text().replace("slug: fdm\n", "slug: fdm\ncolour: red\n"))
    code, out, err = kf("lint", str(catalogue_copy.parent))
    assert code == 2 and "catalogue/methods/fdm.yaml:" in out and "colour" in out and "in 1 file\n" in out
    assert "kiloframe lint --fix" in err


def test_lint_hands_the_folder_on_and_says_what_it_mended(kf, handed, root):
    calls = handed(lint, "run", lint.Report([], ["catalogue/methods/fdm.yaml"], 3))
    assert kf("lint", "--fix") == (0, "fixed catalogue/methods/fdm.yaml\n3 fact files, no problems\n", "")
    assert kf("lint", str(root / "catalogue"))[0] == 0
    assert [call[0] for call in calls] == [(root / "catalogue", True), (root / "catalogue", False)]


def test_broken_facts_are_told_in_one_sentence(kf, monkeypatch):
    import kiloframe

    def broken(path=None):
        raise UserError("catalogue/methods/fdm.yaml:3: colour: unknown key")

    monkeypatch.setattr(kiloframe, "load", broken)
    assert kf("list") == (2, "", "kiloframe: catalogue/methods/fdm.yaml:3: colour: unknown key\n")


# --- without a checkout, without torch ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [["run", "fdm"], ["status"], ["train", "fdm"], ["generate", "fdm", "--frames", "9"], ["site"], ["lint"]],
)
def test_commands_that_need_a_checkout_say_so(kf, handed, arguments):
    import kiloframe.sources

    missing = UserError("this needs a checkout of the repository")
    handed(execute, "checkout", missing)
    handed(kiloframe.sources, "checkout", missing)
    assert kf(*arguments) == (2, "", "kiloframe: this needs a checkout of the repository\n")


@pytest.mark.parametrize("arguments", [["train", "fdm"], ["generate", "fdm", "--frames", "9"]])
def test_without_torch_the_extra_is_named(arguments, root):
    code = f"import sys; sys.modules['torch'] = None; from kiloframe.cli import invoke;sys.exit(invoke({arguments!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=root, timeout=60)
    told = "kiloframe: the package 'torch' is missing; type: pip install 'kiloframe[reproductions]'\n"
    assert (done.returncode, done.stderr.decode()) == (2, told)
