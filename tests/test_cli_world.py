"""`kiloframe world`: a film of a toy world, whole or not at all."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from reproductions import worlds
from reproductions.video import read_video


def test_the_list_names_every_world(kf):
    code, out, _ = kf("world", "--list")
    assert code == 0
    for name in worlds.NAMES:
        assert f"{name} " in out and worlds.kind(name).about[:30] in out


@pytest.mark.parametrize("name", worlds.NAMES)
def test_a_film_of_every_world(kf, tmp_path, name):
    target = tmp_path / f"{name}.webp"  # lossless: the pixels can be compared
    target.write_bytes(b"an older file")
    code, out, _ = kf(
        "world",
        name,
        "--frames",
        "55",
        "--start",
        "7",
        "--seed",
        "3",
        "--size",
        "16",
        "--scale-up",
        "1",
        "-o",
        str(target),
    )
    assert code == 0 and "55 frames, 5.5 s" in out
    film = read_video(target)
    assert film.frames.shape == (55, 16, 16, 3) and film.fps == pytest.approx(10)
    clip = worlds.world(name, 16).clip(3, 7, 55).video
    assert np.abs(film.frames / 255 - clip.transpose(0, 2, 3, 1)).max() < 0.003
    assert np.abs(np.diff(clip, axis=0)).max((1, 2, 3)).min() > 0.02, "two neighbouring frames look the same"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["romms"], "'romms' is not a world; nearest: rooms; allowed: digits"),
        ([], "world needs a name (digits, shapes, stories, rooms, timelapse) or --list"),
        (["rooms", "--list"], "give a world's name or --list, not both"),
        (["rooms", "--memory"], "--memory is an option of the digits world"),
        (["rooms", "--size", "8"], "frames of 16 to 128 pixels, not 8"),
        (["rooms", "--frames", "0"], "--frames"),
        (["rooms", "--seed", str(2**64)], "'--seed'"),
        (["rooms", "--start", str(10**15 + 1)], "'--start'"),
        (["rooms", "--out", ""], "--out names no file"),
        (["digits", "-o", "a.mpg"], "allowed: .mp4"),
        (["digits", "-o", "/dev/null/a.mp4"], "cannot be written"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(kf, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    code, out, err = kf("world", *arguments)
    assert code == 2 and sentence in err and len(err.strip().splitlines()) == 1 and out == ""
    assert list(tmp_path.iterdir()) == []


def test_memory_hides_the_digit(kf, tmp_path):
    target = tmp_path / "d.webp"
    assert (
        kf("world", "digits", "--memory", "--size", "16", "--scale-up", "1", "--frames", "40", "-o", str(target))[0]
        == 0
    )
    world = worlds.world("digits", 16, memory=True)
    assert np.abs(read_video(target).frames / 255 - world.clip(0, 0, 40).video.transpose(0, 2, 3, 1)).max() < 0.003


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_stopped_film_leaves_the_older_file_and_nothing_else(tmp_path, name):
    target = tmp_path / "d.webp"
    target.write_bytes(b"an older file")
    words = ["world", "digits", "--frames", "1000000", "--size", "16", "-o", str(target)]
    # In the background or under nohup the tests' own process ignores some signals, and a child inherits that.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    heard += "[signal.signal(n, signal.SIG_DFL) for n in (signal.SIGTERM, signal.SIGHUP)]; "
    code = f"{heard}from kiloframe.cli import invoke; raise SystemExit(invoke({words!r}))"
    running = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 60
        while len(os.listdir(tmp_path)) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        assert len(os.listdir(tmp_path)) == 2, "the film was never begun"
        running.send_signal(getattr(signal, name))
        assert running.communicate(timeout=60)[1] == "kiloframe: interrupted; nothing half-written was left behind\n"
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 130
    assert os.listdir(tmp_path) == ["d.webp"] and target.read_bytes() == b"an older file"
