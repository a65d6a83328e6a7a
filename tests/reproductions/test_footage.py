"""Many files as one supply of clips: what is drawn, what is left out and why, how much is kept."""

import numpy as np
import pytest
from films import film, number, numbered, numbers

import reproductions.footage as footage
from kiloframe.errors import UserError
from reproductions.footage import Footage, RealVideo, Span, video_files
from reproductions.video import VideoReader

FILMS = 4


def hundreds(n, size, film=0):
    """Film 2, frame 7 shows 207."""
    return numbered(100 * film + n, size)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Four films of 50 frames at 25 a second, in two folders, beside a file that is none."""
    folder = tmp_path_factory.mktemp("footage")
    (folder / "b").mkdir()
    for n, name in enumerate(["a.mp4", "b/b.avi", "b/c.mkv", "d.webm"]):
        codec = {"avi": "mpeg4", "webm": "libvpx-vp9"}.get(name[-3:].strip("."), "libx264")
        codec = "libvpx-vp9" if name.endswith("webm") else codec
        film(folder / name, 50, codec, draw=lambda i, size, n=n: hundreds(i, size, n))
    (folder / "notes.txt").write_text("not a film")
    return folder


@pytest.fixture
def broken(folder, tmp_path):
    """The four films, and five files that cannot be used."""
    for file in video_files(folder):
        (tmp_path / file.relative_to(folder)).parent.mkdir(exist_ok=True)
        (tmp_path / file.relative_to(folder)).write_bytes(file.read_bytes())
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "cut.mp4").write_bytes((folder / "a.mp4").read_bytes()[:900])
    (tmp_path / "b/text.mov").write_text("not a film" * 50)
    film(tmp_path / "short.mkv", 9)
    first, second = film(tmp_path / "1.ts", 30), film(tmp_path / "2.ts", 30, size=(48, 48))
    (tmp_path / "mixed.ts").write_bytes(first.read_bytes() + second.read_bytes())
    first.unlink(), second.unlink()
    return tmp_path


def test_clips_are_consecutive_frames_of_one_film_at_the_wanted_rate(folder):
    footage = Footage(folder, size=16, fps=10)
    assert [span.path.name for span in footage.spans] == ["a.mp4", "b.avi", "c.mkv", "d.webm"]
    drawn = footage.draw(np.random.default_rng(0), 40, 8)
    assert drawn.video.shape == (40, 8, 3, 16, 16) and drawn.video.dtype == np.float32
    assert drawn.video.min() >= 0 and drawn.video.max() <= 1
    for clip, span, start in zip(drawn.video, drawn.spans, drawn.starts, strict=True):
        want = [100 * span + int((start + n) * 2.5) for n in range(8)]
        assert numbers(clip) == want
    assert set(drawn.spans) == {0, 1, 2, 3} and drawn.starts.min() < 3 and drawn.starts.max() > 9
    assert footage.check() == footage.summary() == "4 of 4 videos read"


def test_every_start_is_equally_likely(folder):
    drawn = Footage(folder / "a.mp4", size=8, fps=None).draw(np.random.default_rng(0), 600, 46)
    counts = np.bincount(drawn.starts, minlength=5)
    assert len(counts) == 5 and counts.min() > 90


def test_what_is_drawn_follows_from_the_generator_alone(broken):
    first = Footage(broken, frames=10)
    want = first.clips(np.random.default_rng(5), 12, 10)
    assert (first.clips(np.random.default_rng(5), 12, 10) == want).all(), "skipped files are known by now"
    other = Footage(broken, frames=10, memory=30 * 16 * 16 * 3)
    other.check()
    assert (other.clips(np.random.default_rng(5), 12, 10) == want).all(), "another order of reading"
    assert (other.clips(np.random.default_rng(6), 12, 10) != want).any()


def test_files_that_cannot_be_used_are_counted_and_said(broken):
    supply = Footage(broken, fps=25, frames=10)
    assert not supply.skipped, "nothing is decoded before it is needed"
    summary = supply.check()
    assert summary.startswith("4 of 9 videos read, 5 skipped: ") and summary.endswith("; and 2 more")
    reasons = {skipped.path.name: skipped.reason for skipped in supply.skipped}
    words = {
        "empty.mp4": "cannot be read",
        "cut.mp4": "cannot be read",
        "text.mov": "cannot be read",
        "short.mkv": "has 9 frames as read here, fewer than 10",
        "mixed.ts": "48x48 pixels",
    }
    assert reasons.keys() == words.keys()
    for name, part in words.items():
        assert part in reasons[name] and str(broken) in reasons[name]
    paths = [span.path for span in supply.spans]
    assert {path.name for n, path in enumerate(paths) if supply.length(n) == 50} == {
        "a.mp4",
        "b.avi",
        "c.mkv",
        "d.webm",
    }
    with pytest.raises(UserError, match="fewer than 10"):
        supply.clip(paths.index(broken / "short.mkv"), 0, 1)


@pytest.mark.parametrize("memory", [60 * 16 * 16 * 3, 100])
def test_a_file_that_vanishes_on_the_way_is_skipped(broken, memory):
    supply = Footage([broken / "a.mp4", broken / "b/b.avi", broken / "b/c.mkv"], memory=memory, fps=None)
    supply.check()  # the last is kept, if any
    (broken / "a.mp4").unlink()
    (broken / "b/b.avi").write_bytes(b"")
    drawn = supply.draw(np.random.default_rng(0), 20, 4)
    assert set(drawn.spans) == {2} and len(supply.skipped) == 2
    assert supply.summary().startswith("1 of 3 videos read, 2 skipped: ")


def test_a_file_that_changes_on_the_way_is_skipped(broken):
    supply = Footage([broken / "a.mp4", broken / "b/b.avi"], memory=60 * 16 * 16 * 3, fps=None)
    supply.check()
    film(broken / "a.mp4", 30)
    assert set(supply.draw(np.random.default_rng(0), 20, 4).spans) == {1}
    assert "it had 50 frames and now has 30" in supply.summary()


def test_no_more_is_kept_than_was_said(folder):
    one = 50 * 16 * 16 * 3
    supply = Footage(folder, fps=None, memory=2 * one + 100)
    want = [VideoReader(span.path, size=16, floats=True).read() for span in supply.spans]
    rng = np.random.default_rng(0)
    for _ in range(30):
        drawn = supply.draw(rng, 2, 5)
        for clip, span, start in zip(*drawn, strict=True):
            assert (clip == want[span][start : start + 5]).all()
        assert sum(kept.nbytes for kept in supply._kept.values()) == supply._bytes <= 2 * one + 100
    assert len(supply._kept) == 2


def test_a_film_too_long_to_keep_is_read_by_seeking(folder):
    supply = Footage(folder, fps=10, memory=1000)
    assert numbers(supply.clip(2, 12, 8)) == [200 + int(n * 2.5) for n in range(12, 20)]
    assert not supply._kept and supply.length(2) == 20


def test_parts_of_files(folder):
    supply = Footage([Span(folder / "a.mp4", 10, 30), Span(folder / "a.mp4", 40), folder / "b/c.mkv"], fps=None)
    assert [supply.length(n) for n in range(3)] == [20, 10, 50]
    assert numbers(supply.clip(0, 0, 20)) == list(range(10, 30)) and number(supply.clip(1, 9, 1)[0]) == 49
    beyond = Footage([Span(folder / "a.mp4", 10, 60)])
    with pytest.raises(UserError, match=r"none of 1 videos can be used: .*ends before frame 59; it has 50 frames"):
        beyond.check()


def test_missing_and_empty_folders_and_bad_numbers(folder, tmp_path):
    (tmp_path / "notes.txt").write_text("")
    for call, words in (
        (lambda: Footage(tmp_path / "nowhere"), "there is no folder"),
        (lambda: video_files(tmp_path / "notes.txt"), "is no folder"),
        (lambda: Footage(tmp_path), r"holds no video files \(endings \.mp4"),
        (lambda: Footage([]), "at least one video"),
        (lambda: Footage(folder, frames=0), "at least 1 frame"),
        (lambda: Footage(folder).clips(np.random.default_rng(0), 0, 4), "from 1"),
        (lambda: Footage(folder).clips(np.random.default_rng(0), 2, 400), "no video has 400 frames"),
        (lambda: Footage(folder, frames=400).check(), "none of 4 videos can be used"),
        (lambda: Footage(folder).clip(0, 15, 6), "has 20 frames as read here; 6 from frame 15"),
        (lambda: Footage([tmp_path / "gone.mp4"]).check(), "there is no video at"),
        (lambda: Footage(folder, fps=0).check(), "frames per second"),
        (lambda: Footage(folder, size=0), "^a frame has 1 to 8192 pixels"),
    ):
        with pytest.raises(UserError, match=words):
            call()


# A film as a world


def test_a_real_video_is_a_world(folder):
    world = RealVideo(folder, size=16, fps=10, frames=12)
    seeds = np.arange(30)
    whole = world.batch(seeds, np.zeros(30, int), 12)
    assert whole.video.shape == (30, 12, 3, 16, 16) and whole.video.dtype == np.float32 and whole.truth is None
    assert {number(clip[0]) // 100 for clip in whole.video} == {0, 1, 2, 3}
    assert len({number(clip[0]) for clip in whole.video}) > 10, "seeds begin in different places"
    for seed in (0, 7, 29):
        assert (world.clip(seed, 0, 12).video == whole.video[seed]).all()
        parts = [world.clip(seed, start, 4).video for start in (0, 4, 8)]
        assert (np.concatenate(parts) == whole.video[seed]).all(), "the same whichever way it is cut"
    assert (RealVideo(folder, size=16, fps=10, frames=12).clip(7, 0, 12).video == whole.video[7]).all()
    assert (world.name, world.fps, world.size) == ("footage", 10, 16)


def test_a_real_video_ends(folder, tmp_path):
    world = RealVideo(folder / "a.mp4", frames=12)
    for call, words in (
        (lambda: world.clip(0, 8, 5), "12 frames, from 0; 5 from frame 8"),
        (lambda: world.clip(0, -1, 5), "from frame -1"),
        (lambda: world.clip(0, 0, 0), "0 from frame 0"),
        (lambda: world.clip(-1, 0, 5), "negative"),
        (lambda: RealVideo(folder, frames=21), "none of 4 videos can be used"),
    ):
        with pytest.raises(UserError, match=words):
            call()


def test_a_usable_film_among_broken_ones(broken):
    world = RealVideo(broken, fps=25, frames=40)
    assert {number(world.clip(seed, 0, 1).video[0]) // 100 for seed in range(40)} == {0, 1, 2, 3}
    assert len(world.footage.skipped) == 5


def test_endings_cover_what_is_written():
    from reproductions.video import SUFFIXES

    assert set(SUFFIXES) <= set(footage.VIDEO_SUFFIXES)
