"""One hour: what is kept of a stream, what a record says, and mistakes."""

import json

import numpy as np
import pytest

import reproductions
from kiloframe.apart import apart
from reproductions import one_hour
from reproductions.video_reader import VideoReader


def test_excerpts_are_the_frames_they_say_however_the_stream_is_cut():
    total, at = 2 * one_hour.EVERY + one_hour.SEGMENT + 7, 0
    kept = one_hour.Excerpts(total)
    rng = np.random.default_rng(0)
    while at < total:
        count = min(int(rng.integers(1, 300)), total - at)
        number = (at + np.arange(count)).reshape(-1, 1, 1, 1)
        kept.add(np.concatenate([number // 100, number % 100, 0 * number], 1).astype(np.float32) / 255)
        at += count
    arrays = kept.arrays()

    def numbers(frames):
        return frames[..., 0, 0, 0].astype(int) * 100 + frames[..., 1, 0, 0]

    starts = np.arange(3) * one_hour.EVERY
    assert (numbers(arrays["segments"]) == starts[:, None] + np.arange(one_hour.SEGMENT)).all()
    assert (numbers(arrays["fast"]) == np.arange(0, total, one_hour.STRIDE)).all()


@pytest.mark.parametrize("more", [0, 40, one_hour.SEGMENT - 1])
def test_an_excerpt_that_is_cut_off_is_left_out(more):
    kept = one_hour.Excerpts(one_hour.EVERY + more)
    kept.add(np.zeros((one_hour.EVERY + more, 3, 2, 2), np.float32))
    assert kept.arrays()["segments"].shape == (1, one_hour.SEGMENT, 3, 2, 2) and not kept.arrays()["segments"].any()


@pytest.mark.parametrize("slug", ["stylegan_v", "look_outside_the_room"])
def test_a_video_of_a_process_of_its_own_is_whole_and_its_record_true(slug, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(one_hour, "_plan", lambda slugs: [(s, 12, True) for s in slugs])
    command = ["--only", slug, "--folder", str(tmp_path)]
    assert one_hour.main(command) == 0 and f"{slug}-12-file: " in capsys.readouterr().out
    record = json.loads((tmp_path / f"{slug}-12-file.json").read_text())
    assert record["frames"] == 12 and record["into_a_file"] and record["world"] == reproductions.method(slug).world
    assert 0 <= record["grown_kilobytes"] < record["peak_kilobytes"] < 2_000_000
    with VideoReader(tmp_path / f"{slug}-12-file.mp4") as reader:
        assert sum(len(chunk) for chunk in reader) == 12
    assert one_hour.main(command) == 0 and capsys.readouterr().out == "", "nothing is made twice"


def test_memory_does_not_grow_with_a_video_that_goes_into_a_file(tmp_path):
    """A tenth of the hour, within the bar that is set for it."""
    made = [("stylegan_v", str(frames), f"stylegan_v-{frames}-file") for frames in (1_000, 3_600)]
    place = ["--folder", str(tmp_path), "--make"]
    found = [apart("reproductions.one_hour", [*place, *words], "making a video") for words in made]
    few, many = (record["peak_kilobytes"] for record in found)
    assert many < 1.05 * few


def test_what_is_planned():
    plan = one_hour._plan(reproductions.names())
    assert {(slug, one_hour.HOUR, True) for slug in one_hour.HOURS} <= set(plan)
    assert {(slug, n, False) for slug in reproductions.names() for n in one_hour.LENGTHS} <= set(plan)
    assert len(set(plan)) == len(plan)


def test_mistakes_are_told_in_a_sentence(tmp_path, capsys):
    assert one_hour.main(["--only", "fmd", "--folder", str(tmp_path / "x")]) == 2
    err = capsys.readouterr().err
    assert "fmd" in err and err.count("\n") == 1 and not (tmp_path / "x").exists()
