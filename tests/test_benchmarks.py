"""The benchmark: fair turns, honest ratios, refused rows, going on where it was, and a small row measured for real."""

import json
import subprocess
import sys
import types

import numpy as np
import pytest

import benchmarks.__main__ as bench
from benchmarks import elsewhere, rows, shim, timing, verdicts
from benchmarks import row as measuring
from benchmarks.row import OURS, Built, Contender, Row
from kiloframe.errors import UserError

PEERS = {
    "diffusers", "phenaki_pytorch", "torchvision", "transformers", "vector_quantize_pytorch", "video_diffusion_pytorch",
    "x_transformers",
}  # fmt: skip


class Clock:
    """A clock that only the contenders move; each writes down that it ran."""

    def __init__(self):
        self.now, self.ran = 0.0, []

    def __call__(self):
        return self.now

    def unit(self, name, *seconds):
        durations = list(seconds)

        def run():
            self.ran.append(name)
            self.now += durations.pop(0) if len(durations) > 1 else durations[0]

        return run


def fake(name="fake", parameters=(100, 105), parity=(), **more):
    """A row of two contenders that do nothing, the second of a distribution that is there."""
    ours, theirs = parameters
    return Row(
        name, "Fake", "forward", "nothing",
        (Contender(OURS, lambda: Built(lambda: None, ours)), Contender("peer", lambda: Built(lambda: None, theirs))),
        outside=True, threads=(1,), parity=parity, **more,
    )  # fmt: skip


# --- turns and ratios -----------------------------------------------------------------------------------------------


def test_contenders_take_turns_and_each_begins_as_often_as_the_others():
    clock = Clock()
    units = {name: clock.unit(name, 1.0) for name in "abc"}
    seconds = timing.interleaved(units, 6, warm_up=0, clock=clock)
    rounds = [clock.ran[3 * i : 3 * i + 3] for i in range(6)]
    assert all(sorted(one) == list("abc") for one in rounds), "each runs once in every round"
    assert [one[0] for one in rounds] == list("abcabc")
    assert seconds == {name: [1.0] * 6 for name in "abc"}


def test_warm_up_is_run_and_not_counted():
    clock = Clock()
    seconds = timing.interleaved({"a": clock.unit("a", 9.0, 9.0, 1.0), "b": clock.unit("b", 2.0)}, 3, clock=clock)
    assert seconds == {"a": [1.0] * 3, "b": [2.0] * 3} and clock.ran.count("a") == 5


def test_a_machine_that_slows_down_halfway_does_not_change_the_ratio():
    slow = np.repeat([1.0, 7.0], 10)
    ratio, low, high = timing.median_ratio(2 * slow, 3 * slow)
    assert ratio == low == high == pytest.approx(1.5)


def test_the_ratio_is_theirs_over_ours_and_its_interval_holds_it():
    rng = np.random.default_rng(1)
    ours, theirs = rng.uniform(1, 2, 20), rng.uniform(1, 2, 20)
    ratio, low, high = timing.median_ratio(ours, theirs)
    assert ratio == pytest.approx(np.median(theirs / ours)) and low < ratio < high
    assert (ratio, low, high) == timing.median_ratio(ours, theirs), "the same rounds give the same interval"


def test_the_matrix_peak_counts_two_operations_for_every_product(monkeypatch):
    monkeypatch.setattr(timing, "interleaved", lambda units, repeats: {"product": [0.5, 0.25, 1.0]})
    assert timing.matrix_peak(100) == 2 * 100**3 / 0.25


# --- rows -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("theirs", "refused"), [(110, False), (90, False), (111, True), (89, True), (None, False)])
def test_a_row_whose_parameters_are_too_far_apart_is_refused(theirs, refused):
    row = fake(parameters=(100, theirs))
    if not refused:
        assert measuring.measure_row(row, smoke=True)["contenders"][1]["parameters"] == theirs
        return
    with pytest.raises(UserError, match=f"fake is refused: peer has {theirs} parameters and kiloframe 100, more than"):
        measuring.measure_row(row, smoke=True)


def test_a_library_that_is_missing_is_told_or_left_out():
    made = fake()
    row = Row(**{**vars(made), "contenders": (*made.contenders, Contender("x", lambda: 1 / 0, "no-such-package"))})
    with pytest.raises(UserError, match="the row fake needs no-such-package; type: make bench"):
        measuring.measure_row(row, smoke=True)
    record = measuring.measure_row(row, smoke=True, without_peers=True)
    assert record["left_out"] == ["x"] and set(record["seconds"]["1"]) == {OURS, "peer"}


def test_parity_is_measured_for_those_that_are_there():
    record = measuring.measure_row(fake(parity=(("peer", lambda: 0.25), ("absent", lambda: 1 / 0))), smoke=True)
    assert record["parity"] == {"peer": 0.25}


def test_the_rows_cover_what_was_asked_for_and_import_no_compared_library():
    code = (
        "import sys; from benchmarks.rows import rows; names = rows(); "
        "print(*(m.split('.')[0] for m in sys.modules)); print(*names)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported, names = (set(line.split()) for line in done.stdout.splitlines()[-2:])
    assert not imported & PEERS
    networks = {f"{kind}-{unit}" for kind in ("unet", "phenaki") for unit in ("forward", "training", "sampling")}
    assert networks | {"diffusion-extension", "phenaki-extension", "transformer-decoding"} <= names
    assert {"query", "load", "site", "notebooks", "world-rooms", "quantiser-forward", "cvivit-training"} <= names


def test_every_row_names_ours_first_and_compares_with_someone():
    known = rows.rows()
    for name, row in known.items():
        contenders = [c.name for c in row.contenders]
        assert contenders[0] == OURS and len(set(contenders)) == len(contenders) > 1, name
        assert row.repeats >= 20 or (row.unit in ("sampling", "extension") and row.repeats >= 5) or row.lengthy, name
        assert {peer for peer, _ in row.parity} <= set(contenders)
    wanted = {package for row in known.values() for package in row.packages}
    pinned = {line.split("==")[0] for line in (bench.checkout() / "benchmarks/requirements.txt").read_text().split()}
    assert {"diffusers", "phenaki-pytorch", "video-diffusion-pytorch", "x-transformers"} <= wanted & pinned


def test_a_small_row_measured_for_real():
    """Our layer and torch's, with the same weights: close to each other in time, equal in numbers and operations."""
    import torch

    torch.manual_seed(3)
    record = measuring.measure_row(rows.row("layer-small"), smoke=True, without_peers=True)
    ours, theirs = record["contenders"][:2]
    n, width = 8 * 32, 64
    products = 2 * n * width * width * 12 + 4 * 8 * 32 * 32 * width
    assert ours["operations"] == theirs["operations"] == products
    assert record["parity"]["torch.nn"] < verdicts.PARITY
    assert all(0 < s < 1 for taken in record["seconds"]["1"].values() for s in taken)
    assert 1e9 < record["matrix_peak"]["1"] < 1e13 and record["versions"]["torch"] == torch.__version__
    assert json.loads(json.dumps(record)) == record


def test_parity_tells_other_weights(monkeypatch):
    from benchmarks import tokens

    mapped = tokens._torch_layer

    def wrong(width):
        layer = mapped(width)
        layer.linear2.bias.data += 0.5
        return layer

    monkeypatch.setattr(tokens, "_torch_layer", wrong)
    assert dict(tokens.layer_row("wrong", 64, 32).parity)["torch.nn"]() == pytest.approx(0.5, abs=1e-4)


KILOBYTES = 64 * 1024


def grown():
    """What a row that fills 64 MB grows by, and its peer, after a higher peak from before."""
    row = Row(
        "memory", "Memory", "forward", "numbers",
        (Contender(OURS, lambda: Built(lambda: np.ones(1024 * KILOBYTES, np.uint8))), fake().contenders[1]),
    )  # fmt: skip
    held = np.ones(1024 * 2 * KILOBYTES, np.uint8)
    del held
    return [measuring.measure_memory(row, name)["grown"] for name in (OURS, "peer")]


def test_memory_is_what_the_peak_grows_by(root):
    """In a process of its own, as in use: here, what other tests have freed would be taken first and grow nothing."""
    command = [sys.executable, "-c", "import test_benchmarks; print(*test_benchmarks.grown())"]
    done = subprocess.run(command, cwd=root / "tests", capture_output=True, text=True, check=True)
    ours, peer = map(int, done.stdout.split())
    assert 0.9 * KILOBYTES < ours < 1.5 * KILOBYTES and peer < KILOBYTES / 4


def test_the_memory_of_a_command_is_its_own():
    held = np.ones(200_000_000, np.uint8)  # a process inherits the peak of the one that started it
    commands = [(sys.executable, "-c", f"x = b'1' * {size}") for size in (10**8, 1)]
    large, small = (timing.command_kilobytes(command) for command in commands)
    assert 80_000 < large - small < 120_000 and small < len(held) / 1024 / 4
    row = Row(
        "command", "A command", "command", "x", (Contender(OURS, elsewhere._process(*commands[0])),), outside=True
    )  # fmt: skip
    assert measuring.measure_memory(row, OURS)["grown"] == pytest.approx(large, rel=0.05)


def test_a_command_that_fails_is_told_by_its_last_words():
    command = (sys.executable, "-c", "raise SystemExit('boom')")
    with pytest.raises(UserError, match="failed: boom"):
        elsewhere._started(*command)
    with pytest.raises(UserError, match=r"failed: .*exit status 1"):
        timing.command_kilobytes(command)


# --- verdicts -------------------------------------------------------------------------------------------------------


def record_of(ours, theirs, **more):
    contenders = [{"name": OURS, "memory": {"grown": 60}}, {"name": "peer", "memory": {"grown": 100}}]
    return {
        "name": "x", "seconds": {"1": {OURS: ours, "peer": theirs}}, "contenders": contenders, "memory_counts": False,
        "bar": None, "parity": {}, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("theirs", "says", "lacks"),
    [(2.0, "faster", ()), (1.0, "level", ()), (0.5, "slower", ("slower than peer on 1 thread",))],
)
def test_who_is_faster(theirs, says, lacks):
    wobble = 1 + 0.01 * np.sin(np.arange(20))
    result = verdicts.judged(record_of([1.0] * 20, list(theirs * wobble)))
    assert [p.says for p in result.paces] == [says] and result.lacks == lacks and result.memory == 0.6
    assert result.paces[0].ratio == pytest.approx(theirs, rel=0.01)


def test_the_fastest_peer_counts_and_every_other_bar():
    record = record_of([1.0] * 5, [3.0] * 5, memory_counts=True, bar=0.5, parity={"peer": 2e-5, "other": 1e-6})
    record["seconds"]["1"]["other"] = [2.0] * 5
    result = verdicts.judged(record)
    assert result.paces[0].peer == "other" and result.paces[0].ratio == 2
    assert result.lacks == (
        "60 % of the least memory of a peer", "1 s, above the bar of 0 s", "differs from peer by 2.0e-05"
    )  # fmt: skip
    assert verdicts.judged(record_of([1.0], [2.0], parity={"peer": float("nan")})).lacks, "not a number is no parity"


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def two(monkeypatch):
    """Two fake rows in place of all, measured in this process; the names of those that were."""
    measured = []

    def apart(row, *, smoke, without_peers):
        measured.append(row.name)
        if row.name == "second" and measured.count("second") == 1:
            raise KeyboardInterrupt
        return measuring.measure_row(row, smoke=smoke, without_peers=without_peers)

    monkeypatch.setattr(rows, "rows", lambda: {name: fake(name) for name in ("first", "second")})
    monkeypatch.setattr(bench, "measured_apart", apart)
    return measured


def test_an_interrupted_benchmark_goes_on_where_it_was(two, tmp_path, capsys):
    command = ["--smoke", "--folder", str(tmp_path)]
    assert bench.main(command) == 130 and two == ["first", "second"]
    assert [p.name for p in tmp_path.glob("*.json")] == ["first.json"]
    assert "goes on with what is not measured" in capsys.readouterr().err
    before = (tmp_path / "first.json").read_bytes()
    assert bench.main(command) == 0 and two == ["first", "second", "second"]
    capsys.readouterr()
    assert bench.main(command) == 0 and len(two) == 3
    out, err = capsys.readouterr()
    assert out.startswith("measured already: 2 of 2 rows") and err == "", "nothing is left, and nothing is begun"
    assert (tmp_path / "first.json").read_bytes() == before
    assert list(bench.read_records(tmp_path)) == ["first", "second"]
    assert bench.main([*command, "--again", "--only", "first"]) == 0 and two[-1] == "first" and len(two) == 4


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["--only", "unet-foward"], "did you mean 'unet-forward'? allowed: unet-forward, unet-training"),
        (["--row", "nothing-of-the-kind"], "there is no row 'nothing-of-the-kind'; allowed: "),
    ],
)
def test_an_unknown_row_is_told_in_a_sentence(command, told, tmp_path, capsys):
    assert bench.main([*command, "--folder", str(tmp_path / "x")]) == 2
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1 and not (tmp_path / "x").exists()


def test_missing_libraries_are_told_before_anything_is_measured(two, tmp_path, monkeypatch, capsys):
    lacking = Contender("x", lambda: 1 / 0, "no-such-package")
    second = Row(**{**vars(fake("second")), "contenders": (*fake().contenders, lacking)})
    monkeypatch.setattr(rows, "rows", lambda: {"first": fake("first"), "second": second})
    assert bench.main(["--folder", str(tmp_path)]) == 2 and two == []
    assert capsys.readouterr().err == "benchmarks: the row second needs no-such-package; type: make bench\n"


def test_a_damaged_record_is_told(tmp_path):
    (tmp_path / "unet-forward.json").write_text("{")
    with pytest.raises(UserError, match=r"unet-forward\.json is no record of a row; delete it"):
        bench.read_records(tmp_path)


def test_operators_are_declared_once_and_only_where_torchvision_is(monkeypatch):
    import torch

    declared = []

    class Library:
        def __init__(self, name, kind):
            declared.append((name, kind))

        def define(self, schema):
            declared.append(schema.split("(")[0])

    monkeypatch.setattr(torch.library, "Library", Library)
    monkeypatch.setattr(shim, "_kept", [])
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.setattr(shim, "find_spec", lambda name: None)
    shim.declare_operators()
    assert declared == []
    monkeypatch.setattr(shim, "find_spec", lambda name: types.SimpleNamespace())
    shim.declare_operators()
    shim.declare_operators()
    assert declared == [("torchvision", "FRAGMENT"), "nms", "qnms"]
