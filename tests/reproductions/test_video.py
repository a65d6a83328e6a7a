import os
import subprocess
import sys

import av
import numpy as np
import pytest

from kiloframe.errors import UserError
from reproductions.video import (
    SUFFIXES,
    VideoWriter,
    contact_sheet,
    contact_sheet_of,
    poster,
    read_video,
    write_image,
    write_video,
)

EXACT = (".gif", ".webp")  # the others compress with loss


@pytest.fixture
def frames():
    """12 frames of 16x16: a white square that moves over blue, and the frame number as grey in a corner."""
    video = np.zeros((12, 3, 16, 16), np.float32)
    video[:, 2] = 0.5
    for i, frame in enumerate(video):
        frame[:, 4:8, i : i + 4] = 1
        frame[:, 12:, 12:] = i / 12
    return video


def as_pixels(frames, scale_up=1):
    return np.moveaxis(np.rint(frames * 255).astype(np.uint8), 1, -1).repeat(scale_up, 1).repeat(scale_up, 2)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_was_written_is_read_back(tmp_path, frames, suffix):
    path = tmp_path / f"a{suffix}"
    write_video(path, frames, fps=5, scale_up=4)
    video = read_video(path)
    assert video.frames.shape == (12, 64, 64, 3) and video.frames.dtype == np.uint8
    assert video.fps == pytest.approx(5, rel=0.01)
    error = np.abs(video.frames.astype(int) - as_pixels(frames, 4))
    assert error.max() == 0 if suffix in EXACT else error.mean() < 6
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_same_frames_give_the_same_bytes_however_they_arrive(tmp_path, frames, suffix):
    write_video(tmp_path / f"a{suffix}", frames, scale_up=2)
    with VideoWriter(tmp_path / f"b{suffix}", scale_up=2) as writer:
        for part in (frames[:1], frames[1:1], frames[1:9], frames[9:]):
            writer.write(part)
    assert writer.count == 12
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
    assert first == second


def test_mp4_is_what_browsers_play(tmp_path, frames):
    write_video(tmp_path / "a.mp4", frames, scale_up=4)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt, stream.profile) == ("h264", "yuv420p", "Main")
        assert stream.frames == 12 and float(stream.duration * stream.time_base) == pytest.approx(1.2)
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "the index must stand in front, so that playing starts at once"


def test_webm_is_vp9(tmp_path, frames):
    write_video(tmp_path / "a.webm", frames)
    with av.open(str(tmp_path / "a.webm")) as container:
        assert container.streams.video[0].codec_context.name == "vp9"


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
def test_an_interrupted_write_leaves_what_was_there(tmp_path, frames, suffix, failure):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"former")
    with pytest.raises(failure), VideoWriter(path) as writer:
        writer.write(frames)
        raise failure
    assert path.read_bytes() == b"former" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_frames_is_an_error_and_leaves_nothing(tmp_path, suffix):
    with pytest.raises(UserError, match="no frames were written"), VideoWriter(tmp_path / f"a{suffix}"):
        pass
    with pytest.raises(UserError, match="no frames were written"):
        write_video(tmp_path / f"a{suffix}", np.zeros((0, 3, 8, 8), np.float32))
    assert not list(tmp_path.iterdir())


BAD = {
    "NaN": (np.full((1, 3, 8, 8), np.nan, np.float32), "NaN"),
    "too high": (np.full((1, 3, 8, 8), 1.5, np.float32), r"\[0, 1\]"),
    "too low": (np.full((1, 3, 8, 8), -0.5, np.float32), r"\[0, 1\]"),
    "infinite": (np.full((1, 3, 8, 8), np.inf, np.float32), r"\[0, 1\]"),
    "one frame": (np.zeros((3, 8, 8), np.float32), r"\(t, 3, h, w\)"),
    "channels last": (np.zeros((1, 8, 8, 3), np.float32), r"\(t, 3, h, w\)"),
    "whole numbers": (np.zeros((1, 3, 8, 8), np.uint8), "float"),
    "odd": (np.zeros((1, 3, 7, 8), np.float32), "even"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_frames_give_a_sentence_and_leave_nothing(tmp_path, name):
    frames, words = BAD[name]
    with pytest.raises(UserError, match=words):
        write_video(tmp_path / "a.mp4", frames)
    assert not list(tmp_path.iterdir())


def test_sizes_must_not_change(tmp_path, frames):
    with pytest.raises(UserError, match=r"frame 12 of .* has 8x8 pixels"), VideoWriter(tmp_path / "a.mp4") as writer:
        writer.write(frames)
        writer.write(frames[..., :8, :8])
    assert not list(tmp_path.iterdir())


def test_odd_sizes_are_fine_where_colour_is_not_halved(tmp_path):
    write_video(tmp_path / "a.gif", np.zeros((2, 3, 7, 9), np.float32))
    assert read_video(tmp_path / "a.gif").frames.shape == (2, 7, 9, 3)


def test_bad_names_and_numbers(tmp_path):
    for name in ("a.avi", "a"):
        with pytest.raises(UserError, match=r"allowed: \.mp4, \.webm, \.gif, \.webp"):
            VideoWriter(tmp_path / name)
    for options in ({"fps": 0}, {"fps": 51}, {"scale_up": 0}):
        with pytest.raises(UserError):
            VideoWriter(tmp_path / "a.mp4", **options)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_video(tmp_path / "file" / "a.mp4", np.zeros((1, 3, 8, 8), np.float32))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_broken_files_give_a_sentence(tmp_path, frames, suffix):
    path = tmp_path / f"a{suffix}"
    with pytest.raises(UserError, match="there is no video"):
        read_video(path)
    path.write_bytes(b"")
    with pytest.raises(UserError, match="cannot be read"):
        read_video(path)
    path.write_bytes(b"not a video at all" * 99)
    with pytest.raises(UserError, match="cannot be read"):
        read_video(path)


def test_a_video_that_is_cut_short_gives_a_sentence(tmp_path, frames):
    path = tmp_path / "a.mp4"
    write_video(path, np.random.default_rng(0).random((30, 3, 64, 64)).astype(np.float32))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=r"cut short|cannot be read"):
        read_video(path)


def test_sound_without_pictures_gives_a_sentence(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(UserError, match="no video, only audio"):
        read_video(path)


def test_a_video_of_no_frames_gives_a_sentence(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = 16
        stream.pix_fmt = "yuv420p"
        container.start_encoding()
    with pytest.raises(UserError, match=r"no frames|no video"):
        read_video(path)


GROWTH = """
import sys
import numpy as np
from reproductions.video import VideoReader, VideoWriter

def peak():  # of this process alone; what getrusage gives is inherited from the one that started it
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024

def there_and_back(path, frames, chunk=50):
    base, n = np.zeros((chunk, 3, 16, 16), np.float32), np.arange(chunk)
    with VideoWriter(path) as writer:
        for start in range(0, frames, chunk):
            base[:] = (((start + n) * 7) % 251 / 250)[:, None, None, None]
            base[n, :, n % 16] = 1
            writer.write(base)
    assert sum(len(chunk) for chunk in VideoReader(path, floats=True)) == frames
    return peak()

few = there_and_back(sys.argv[1], int(sys.argv[2]))
print(there_and_back(sys.argv[1], int(sys.argv[3])) - few)
"""


def growth(path, few, many):
    """MB by which writing and reading `many` frames needs more than `few`."""
    done = subprocess.run([sys.executable, "-c", GROWTH, path, str(few), str(many)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return float(done.stdout.split()[-1])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_memory_stays_flat(tmp_path, suffix):
    assert growth(tmp_path / f"a{suffix}", 500, 4000 if suffix in (".mp4", ".gif") else 2000) < 15


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_memory_grows_by_less_than_50_mb_from_1000_to_36000_frames(tmp_path, suffix):
    assert growth(tmp_path / f"a{suffix}", 1000, 36000) < 50


FULL = """
import resource, sys
import numpy as np
from kiloframe.errors import UserError
from reproductions.video import write_video

resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
noise = np.random.default_rng(0).random((60, 3, 64, 64))
try:
    write_video(sys.argv[1], noise)
except UserError as error:
    print(error)
"""


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_gives_a_sentence_and_leaves_nothing(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True)
    assert done.stdout.strip() == f"{path} cannot be written (File too large); name another place", done.stderr
    assert not list(tmp_path.iterdir())


def test_folders_pipes_and_devices_are_no_places_for_a_video(tmp_path):
    (tmp_path / "folder.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    for name, words in (("folder.mp4", "is a folder; name a file in it"), ("pipe.mp4", "is a pipe or a device")):
        with pytest.raises(UserError, match=words):
            write_video(tmp_path / name, np.zeros((1, 3, 8, 8), np.float32))
    assert (tmp_path / "pipe.mp4").is_fifo()


def test_a_gif_keeps_256_colours_and_a_webp_any(tmp_path):
    frames = np.random.default_rng(0).random((6, 3, 16, 16)).astype(np.float32)
    frames[3] = frames[2]  # a frame that repeats stays a frame
    frames[5, :, :-3] = frames[4, :, :-3]  # and one that changes in part is whole
    for suffix in EXACT:
        write_video(tmp_path / f"a{suffix}", frames, fps=20)
        video = read_video(tmp_path / f"a{suffix}")
        assert (video.frames == as_pixels(frames)).all() and video.fps == 20
    many = np.random.default_rng(0).random((2, 3, 64, 64)).astype(np.float32)
    write_video(tmp_path / "many.gif", many)
    assert np.abs(read_video(tmp_path / "many.gif").frames - as_pixels(many).astype(int)).mean() < 15


@pytest.mark.parametrize("fps", [3, 10, 24, 30, 50])
def test_a_webp_does_not_drift_from_its_rate(tmp_path, fps):
    write_video(tmp_path / "a.webp", np.random.default_rng(0).random((90, 3, 8, 8)), fps=fps)
    assert read_video(tmp_path / "a.webp").fps == pytest.approx(fps, rel=1e-3)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_contact_sheet_of_a_file_shows_frames_that_are_evenly_spaced(tmp_path, frames, suffix):
    film = np.concatenate([frames] * 5)  # 60 frames
    write_video(tmp_path / f"a{suffix}", film, scale_up=4)
    sheet = contact_sheet_of(tmp_path / f"a{suffix}", columns=4, rows=2, width=64)
    at = [0, 8, 17, 25, 34, 42, 51, 59]
    assert sheet.shape == (2 * 78 + 2, 4 * 66 + 2, 3)
    shown = read_video(tmp_path / f"a{suffix}").frames[at]
    for n, image in enumerate(shown):
        y, x = 2 + n // 4 * 78 + 12, 2 + n % 4 * 66
        assert (sheet[y : y + 64, x : x + 64] == image).all()
    assert contact_sheet_of(tmp_path / f"a{suffix}", columns=9, rows=9, width=16, numbers=False).shape[1] == 9 * 18 + 2
    assert contact_sheet_of(tmp_path / f"a{suffix}", columns=1, rows=1, width=200).shape == (192 + 16, 192 + 4, 3)
    with pytest.raises(UserError, match="from 1"):
        contact_sheet_of(tmp_path / f"a{suffix}", columns=0)


def test_contact_sheet_shows_every_nth_frame_in_reading_order(frames):
    sheet = contact_sheet(frames, columns=3, every=2, scale_up=2, numbers=False)
    assert sheet.shape == (2 * 34 + 2, 3 * 34 + 2, 3) and sheet.dtype == np.uint8
    shown = as_pixels(frames, 2)
    assert (sheet[2:34, 2:34] == shown[0]).all() and (sheet[36:68, 70:102] == shown[10]).all()
    assert (contact_sheet(as_pixels(frames), columns=3, every=2, scale_up=2, numbers=False) == sheet).all()


def test_contact_sheet_numbers_its_frames(frames):
    sheet = contact_sheet(frames, columns=4)
    strips = [sheet[2:14, x : x + 64] for x in (2, 68)]
    assert all((strip < 200).any() for strip in strips), "a number is drawn"
    assert (strips[0] != strips[1]).any(), "another number for another frame"
    assert (sheet[14:78, 2:66] == as_pixels(frames, 4)[0]).all(), "below the strip, untouched"


def test_poster_and_picture(tmp_path, frames):
    from PIL import Image

    write_image(tmp_path / "a.png", poster(frames, at=-1, scale_up=3))
    assert (np.array(Image.open(tmp_path / "a.png")) == as_pixels(frames, 3)[-1]).all()
    for call in (lambda: poster(frames, at=12), lambda: contact_sheet(frames, columns=0)):
        with pytest.raises(UserError):
            call()
    with pytest.raises(UserError, match=r"allowed: \.png"):
        write_image(tmp_path / "a.bmp", poster(frames))
    with pytest.raises(UserError, match="at least 1 frame"):
        contact_sheet(frames[:0])


def test_writing_and_reading_import_no_torch(tmp_path):
    code = (
        "import numpy as np, sys; from reproductions.video import *; path = sys.argv[1]; "
        "write_video(path, np.zeros((2, 3, 8, 8))); contact_sheet(read_video(path).frames); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.mp4")], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
