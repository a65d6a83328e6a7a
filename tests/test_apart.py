import subprocess

import pytest

from kiloframe import apart as module
from kiloframe.apart import apart
from kiloframe.errors import UserError
from kiloframe.stopping import status_of


def test_the_last_line_is_what_a_process_found():
    code = "import os; print('noise'); print('{\"a\": 1}', flush=True); os._exit(0)"
    assert apart("timeit", ["-n1", "-r1", code], "timing") == {"a": 1}


def test_a_failure_is_told_in_one_sentence():
    with pytest.raises(UserError, match=r"^counting failed: .*No module named no_such_module$"):
        apart("no_such_module", [], "counting")


@pytest.mark.parametrize("status", [-2, -15, 130])
def test_a_process_that_was_stopped_stops_this_one(monkeypatch, status):
    done = subprocess.CompletedProcess([], status, "", "")
    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(KeyboardInterrupt):
        apart("json", [], "reading")


def test_the_peak_of_memory_rises_with_what_is_taken_and_does_not_fall():
    code = (
        "import json, os; from kiloframe.apart import peak_kilobytes as peak; before = peak(); "
        "taken = bytearray(64 * 2**20); most = peak(); del taken; print(json.dumps([before, most, peak()]), flush=True)"
        "; os._exit(0)"
    )
    before, most, later = apart("timeit", ["-n1", "-r1", code], "taking memory")
    assert before + 60_000 < most < before + 80_000
    assert later > most - 2_000, "the system counts a little behind"


def test_commands_end_with_one_sentence_and_a_status(capsys):
    def refuse():
        raise UserError("there is no x")

    def stop():
        raise KeyboardInterrupt

    said = []
    assert status_of(lambda: said.append(1), "count", "go on") == 0 and said == [1]
    assert status_of(refuse, "count", "go on") == 2
    assert status_of(stop, "count", "the same command goes on") == 130
    assert capsys.readouterr().err == "count: there is no x\ncount: stopped; the same command goes on\n"
