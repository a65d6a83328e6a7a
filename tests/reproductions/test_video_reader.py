"""Reading: the frames that a seek, a resize or another frame rate gives are those that plain decoding gives."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from films import film, number, numbered, numbers
from hypothesis import given, settings
from hypothesis import strategies as st

import reproductions.video_reader as video_reader
import reproductions.video_source as video_source
from kiloframe.errors import UserError
from reproductions.video import VideoReader, clips, read_video, to_floats, write_video

COUNT = 40
B_FRAMES = {"bf": "3", "g": "12"}
VARIABLE = 1000 + np.cumsum(np.random.default_rng(0).integers(20, 200, COUNT))  # ms
MS = Fraction(1, 1000)

# name: (file name, what `film` is told, whether the number of frames is known without decoding)
FILMS = {
    "mp4": ("a.mp4", {"options": B_FRAMES}, True),
    "mp4, one key frame": ("long.mp4", {"options": {"bf": "3", "g": "250"}}, True),
    "mp4, open groups": ("open.mp4", {"options": {"bf": "3", "x264-params": "open-gop=1:keyint=9:min-keyint=9"}}, True),
    "mp4, variable": ("v.mp4", {"options": B_FRAMES, "stamps": VARIABLE, "base": MS}, True),
    "mp4, with sound": ("sound.mp4", {"options": B_FRAMES, "sound": True}, True),
    "mkv": ("a.mkv", {"options": B_FRAMES}, True),
    "mkv, variable": ("v.mkv", {"options": B_FRAMES, "stamps": VARIABLE, "base": MS}, True),
    "mkv, starts late": ("late.mkv", {"options": B_FRAMES, "stamps": np.arange(COUNT) + 1000}, True),
    "mkv, no index": ("live.mkv", {"options": B_FRAMES, "container": {"options": {"live": "1"}}}, True),
    "mkv, refresh in place of key frames": (
        "refresh.mkv",
        {"options": {"x264-params": "intra-refresh=1:keyint=12:bframes=0"}},
        True,
    ),
    "mkv, lossless": ("lossless.mkv", {"codec": "ffv1"}, True),
    "mov, Motion JPEG": ("a.mov", {"codec": "mjpeg", "pixels": "yuvj420p"}, True),
    "webm, VP9": ("a.webm", {"codec": "libvpx-vp9"}, True),
    "webm, VP8": ("b.webm", {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "16"}}, False),
    "avi": ("a.avi", {"codec": "mpeg4", "options": {"bf": "2", "g": "12"}}, False),
    "mpg": ("a.mpg", {"codec": "mpeg2video", "options": {"bf": "2", "g": "12"}}, False),
    "ts": ("a.ts", {"options": B_FRAMES}, False),
    "h264, no container": ("a.h264", {"options": B_FRAMES}, False),
    "gif": ("a.gif", {"codec": "gif", "pixels": "rgb8"}, True),
    "webp": ("a.webp", {"codec": "libwebp_anim", "pixels": "bgra", "options": {"lossless": "1"}}, True),
}


@pytest.fixture(scope="session")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    return {name: film(folder / file, COUNT, **options) for name, (file, options, _) in FILMS.items()}


@pytest.fixture(scope="session")
def decoded(films):
    return {name: read_video(path).frames for name, path in films.items()}


@pytest.mark.parametrize("name", FILMS)
def test_every_frame_alone_is_the_frame_that_decoding_from_the_beginning_gives(films, decoded, name):
    frames = decoded[name]
    assert numbers(frames) == list(range(COUNT)), "decoding gives all frames in order of presentation"
    reader = VideoReader(films[name])
    for at in np.random.default_rng(1).permutation(COUNT):
        assert (reader.frames_at([at])[0] == frames[at]).all(), at
    assert (VideoReader(films[name]).clip(29, 7) == frames[29:36]).all()
    assert numbers(VideoReader(films[name], start=13, stop=17).read()) == [13, 14, 15, 16]


@pytest.mark.parametrize("name", FILMS)
def test_the_number_of_frames_is_exact_or_unknown(films, name):
    reader = VideoReader(films[name])
    assert reader.frames == (COUNT if FILMS[name][2] else None)
    assert reader.count() == reader.frames == COUNT
    assert reader.duration == pytest.approx(COUNT / reader.fps)
    assert reader.path == films[name] and reader.size == (32, 32)


@settings(max_examples=30, deadline=None)
@given(wanted=st.lists(st.integers(0, COUNT - 1), max_size=8), name=st.sampled_from(["mp4", "mkv, variable", "avi"]))
def test_any_frames_in_any_order(films, decoded, wanted, name):
    got = VideoReader(films[name], floats=True).frames_at(wanted)
    assert got.shape == (len(wanted), 3, 32, 32) and got.dtype == np.float32
    assert (got == to_floats(decoded[name][wanted])).all()


def test_a_hidden_beginning_stays_hidden(tmp_path):
    """An mp4 may tell players to leave out its first frames (an edit list); so do numbers and seeks."""
    path = film(tmp_path / "a.mp4", COUNT, options=B_FRAMES, stamps=np.arange(COUNT) - 10)
    frames = read_video(path).frames
    assert numbers(frames) == list(range(10, COUNT))
    assert VideoReader(path).frames == 30
    assert all((VideoReader(path).frames_at([at])[0] == frames[at]).all() for at in range(30))


def count_decoded(monkeypatch):
    seen, real = [], video_source._Container._decoded

    def counted(self, *arguments):
        for frame in real(self, *arguments):
            seen.append(frame.pts)
            yield frame

    monkeypatch.setattr(video_source._Container, "_decoded", counted)
    return seen


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_seek_decodes_from_the_key_frame_before_and_no_more(tmp_path, monkeypatch, suffix):
    path = film(tmp_path / f"a{suffix}", 400, options={"bf": "2", "g": "20"})
    seen = count_decoded(monkeypatch)
    assert numbers(VideoReader(path).frames_at([390, 5, 211])) == [390, 5, 211]
    assert len(seen) < 80


@pytest.mark.parametrize("name", ["mp4", "mkv"])
def test_an_index_that_is_wrong_is_noticed(films, decoded, monkeypatch, name):
    """Whatever the packets promise, what is decoded decides."""
    real = video_source._Container._scan

    def one_too_many(self):
        index = real(self)
        return index._replace(stamps=np.insert(index.stamps, 21, index.stamps[20] + 1))

    monkeypatch.setattr(video_source._Container, "_scan", one_too_many)
    for wanted in ([21], [20, 22], [3, 21, 39], list(range(COUNT))):
        assert (VideoReader(films[name]).frames_at(wanted) == decoded[name][wanted]).all(), wanted


# Frame rates


def at_or_before(begins, fps, end):
    """The rule for another frame rate, in exact fractions: for each time the last frame that begins by then."""
    out, k = [], 0
    while not out or k / Fraction(fps) < end - MS:
        out.append(max(n for n, begin in enumerate(begins) if begin <= k / Fraction(fps) + MS))
        k += 1
    return out


@pytest.mark.parametrize("fps", [1, 5, 10, 24, 25, 30, 60, 100])
@pytest.mark.parametrize("name", ["mp4", "mkv, variable", "mp4, variable", "avi", "gif", "webp"])
def test_another_frame_rate_shows_the_last_frame_that_begins_by_then(films, name, fps):
    stamps = VARIABLE - VARIABLE[0] if "variable" in name else np.arange(COUNT) * 40
    begins = [int(stamp) * MS for stamp in stamps]
    streamed = VideoReader(films[name], fps=fps)
    end = begins[-1] + Fraction(1 / streamed.source_fps).limit_denominator(100000)
    want = at_or_before(begins, fps, end)
    assert numbers(streamed.read()) == want
    assert streamed.frames == len(want) and streamed.fps == fps
    sought = VideoReader(films[name], fps=fps)
    some = np.random.default_rng(fps).permutation(len(want))[:20]
    assert numbers(sought.frames_at(some)) == [want[n] for n in some]
    with pytest.raises(UserError, match=f"there is no frame {len(want)}"):
        sought.frames_at([len(want)])


def test_thirty_frames_a_second_in_whole_milliseconds_are_every_third_at_ten(tmp_path):
    path = film(tmp_path / "a.mkv", 90, rate=30)
    assert numbers(VideoReader(path, fps=10).read()) == list(range(0, 90, 3))
    assert numbers(VideoReader(path, fps=10, start=7).read()) == list(range(7, 90, 3))
    assert numbers(VideoReader(path, fps=10, start=7, stop=20).read()) == [7, 10, 13, 16, 19]


def test_a_picture_of_no_duration_lasts_a_tenth_of_a_second(tmp_path):
    from PIL import Image

    first, *rest = [Image.fromarray(numbered(n)) for n in range(4)]
    first.save(tmp_path / "a.gif", save_all=True, append_images=rest, duration=0)
    assert VideoReader(tmp_path / "a.gif").fps == 10


def test_times_that_are_damaged_end_the_change_of_rate(tmp_path):
    path = film(tmp_path / "a.mkv", 5, stamps=[0, 40, 80, 120, 10**9], base=MS)
    assert numbers(VideoReader(path).read()) == [0, 1, 2, 3, 4]
    with pytest.raises(UserError, match=r"frame 3 of .* lasts 1000000 s"):
        VideoReader(path, fps=10).read()


# Ways to read


def test_chunks_clips_and_arrays(films, decoded):
    frames = decoded["mp4"]
    with VideoReader(films["mp4"], chunk=16) as reader:
        chunks = list(reader)
        assert [len(chunk) for chunk in chunks] == [16, 16, 8] and (np.concatenate(chunks) == frames).all()
        assert (np.concatenate(list(reader)) == frames).all(), "it can be gone through again"
        for a, b in zip(reader, VideoReader(films["mp4"], chunk=16, floats=True), strict=True):
            assert (to_floats(a) == b).all() and b.dtype == np.float32 and b.min() >= 0 and b.max() <= 1
    assert [numbers(c) for c in clips(films["mp4"], 16)] == [list(range(16)), list(range(16, 32))]
    overlapping = list(clips(VideoReader(films["mp4"], chunk=7), 6, stride=3))
    assert [number(c[0]) for c in overlapping] == list(range(0, 35, 3))
    assert all(c.shape == (6, 3, 32, 32) and c.dtype == np.float32 for c in overlapping)
    assert (overlapping[5] == to_floats(frames[15:21])).all()
    assert [numbers(c) for c in clips(films["mp4"], 2, stride=30, fps=25, size=24)] == [[0, 1], [30, 31]]


def test_leaving_the_block_closes_the_file(films):
    with VideoReader(films["mp4"], chunk=4) as reader:
        chunks = iter(reader)
        next(chunks)
        assert any(Path(link).samefile(films["mp4"]) for link in Path("/proc/self/fd").iterdir() if link.exists())
    assert not any(Path(link).samefile(films["mp4"]) for link in Path("/proc/self/fd").iterdir() if link.exists())
    assert not list(chunks)


def test_a_chunk_of_large_frames_is_short(films, monkeypatch):
    monkeypatch.setattr(video_reader, "CHUNK_BYTES", 17 * 32 * 32 * 3)
    assert [len(chunk) for chunk in VideoReader(films["mp4"])] == [17, 17, 6]
    monkeypatch.setattr(video_reader, "CHUNK_BYTES", 100)
    assert [len(chunk) for chunk in VideoReader(films["mp4"], stop=3)] == [1, 1, 1]


def test_frames_per_second_above_fifty(tmp_path):
    path = film(tmp_path / "a.mp4", 120, rate=240)
    assert VideoReader(path).fps == 240
    assert numbers(VideoReader(path, fps=60).read()) == list(range(0, 120, 4))


def test_a_written_film_is_read_at_its_rate(tmp_path):
    frames = np.stack([numbered(n) for n in [0, 1, 1, 1, 2, 2]])
    for suffix in (".mp4", ".webm", ".gif", ".webp"):
        write_video(tmp_path / f"a{suffix}", to_floats(frames), fps=10)
        video = read_video(tmp_path / f"a{suffix}")
        assert numbers(video.frames) == [0, 1, 1, 1, 2, 2] and video.fps == pytest.approx(10), suffix


BAD = {
    "crop": ({"crop": "middle"}, "'centre' or None"),
    "fps": ({"fps": 0}, "frames per second"),
    "start": ({"start": -1}, "start is a frame from 0"),
    "stop": ({"start": 3, "stop": 3}, "stop one after it"),
    "size": ({"size": 0}, "1 to 8192 pixels"),
    "chunk": ({"chunk": 0}, "at least 1 frame"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_options_give_a_sentence(films, name):
    options, words = BAD[name]
    with pytest.raises(UserError, match=words):
        VideoReader(films["mp4"], **options)


@pytest.mark.parametrize("name", ["mp4", "avi", "webp"])
def test_places_that_are_not_there(films, name):
    for call, words in (
        (lambda: VideoReader(films[name]).frames_at([COUNT]), f"no frame {COUNT}"),
        (lambda: VideoReader(films[name]).frames_at([3, -1]), "starts at frame 0"),
        (lambda: VideoReader(films[name]).clip(COUNT - 3, 4), f"no frame {COUNT}"),
        (lambda: VideoReader(films[name]).clip(0, 0), "at least 1 frame"),
        (lambda: VideoReader(films[name], start=50).read(), "ends before frame 50; it has 40 frames"),
        (lambda: VideoReader(films[name], start=5, stop=41).read(), "ends before frame 40; it has 40 frames"),
        (lambda: VideoReader(films[name], stop=41, fps=10).read(), "ends before frame 40"),
        (lambda: list(clips(films[name], 0)), "from 1"),
    ):
        with pytest.raises(UserError, match=words):
            call()
