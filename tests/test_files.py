"""Files appear whole or not at all, and what a killed process left goes away."""

import os
import signal
import subprocess
import sys
import time

import pytest

from kiloframe.errors import UserError
from kiloframe.files import replacing, write_atomically

WRITE = """
import sys, time
from kiloframe.files import replacing
with replacing(sys.argv[1]) as path:
    path.write_text("half")
    print(path.name, flush=True)
    time.sleep(60)
"""


def writing(path):
    """A process in the middle of writing `path`, and the name of its temporary file."""
    process = subprocess.Popen([sys.executable, "-c", WRITE, str(path)], stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().strip()


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def aged(path):
    """As if written a minute ago."""
    os.utime(path, (time.time() - 60,) * 2)


@pytest.mark.parametrize("name", ["out.mp4", "a [b] *c.mp4", "no suffix"])
def test_what_a_killed_process_left_goes_away_when_the_file_is_next_written(tmp_path, name):
    process, left = writing(tmp_path / name)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert names(tmp_path) == [left]
    aged(tmp_path / left)
    write_atomically(tmp_path / name, "whole")
    assert names(tmp_path) == [name] and (tmp_path / name).read_text() == "whole"


def test_what_another_process_is_writing_stays_however_long_it_takes(tmp_path):
    process, mine = writing(tmp_path / "out.mp4")
    aged(tmp_path / mine)
    try:
        write_atomically(tmp_path / "out.mp4", "whole")
        assert names(tmp_path) == [mine, "out.mp4"]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_other_files_stay(tmp_path):
    others = [".out.abcdefgh.webm", ".out.abcdefghi.mp4", ".outer.abcdefgh.mp4", "out.abcdefgh.mp4"]
    for name in others:
        (tmp_path / name).write_text("mine")
        aged(tmp_path / name)
    write_atomically(tmp_path / "out.mp4", "whole")
    assert names(tmp_path) == sorted([*others, "out.mp4"])


def test_a_failure_leaves_the_former_file_and_nothing_else(tmp_path):
    write_atomically(tmp_path / "a.json", "former")

    def fail():
        with replacing(tmp_path / "a.json") as path:
            path.write_text("new")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert names(tmp_path) == ["a.json"] and (tmp_path / "a.json").read_text() == "former"
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        write_atomically(tmp_path / "a.json", "again")
    assert len(os.listdir("/proc/self/fd")) == before, "no handle is left open"


def test_places_that_cannot_be_written_are_told(tmp_path):
    (tmp_path / "file").write_text("x")
    for path, told in ((tmp_path, "is a folder"), (tmp_path / "file/x.json", "cannot be written")):
        with pytest.raises(UserError, match=told):
            write_atomically(path, "x")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="a pipe or a device"):
        write_atomically(tmp_path / "pipe", "x")


FULL = """
import resource, sys
from kiloframe.errors import UserError
from kiloframe.files import replacing

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with replacing(sys.argv[1]) as path:
        try:
            path.write_bytes(bytes(10**6))
        except OSError:
            raise RuntimeError(sys.argv[2]) from None
except UserError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("words", "reason"),
    [("disk I/O error", "File too large"), ("I/O error: no (os error 28)", "No space left on device")],
)
def test_a_full_disk_is_told_whatever_error_a_writer_raises(tmp_path, words, reason):
    path = tmp_path / "a.sqlite"
    path.write_text("former")
    done = subprocess.run([sys.executable, "-c", FULL, str(path), words], capture_output=True, text=True)
    assert done.stdout == f"{path} cannot be written ({reason}); make room or name another place\n", done.stderr
    assert names(tmp_path) == ["a.sqlite"] and path.read_text() == "former"
