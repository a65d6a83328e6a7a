"""What is done to the frames of a file on reading, and files that cannot be read."""

import os
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from films import film, hum, numbered, numbers
from hypothesis import given, settings
from hypothesis import strategies as st

from kiloframe.errors import UserError
from reproductions.video import VideoReader, fit, read_video, write_image, write_video

RED, GREEN, BLUE, GREY = (220, 20, 20), (20, 200, 20), (30, 30, 220), (128, 128, 128)


def quarters(_, size):
    """A picture of four colours, red at the top left, then clockwise green, grey, blue."""
    h, w = size
    image = np.zeros((h, w, 3), np.uint8)
    image[: h // 2, : w // 2], image[: h // 2, w // 2 :] = RED, GREEN
    image[h // 2 :, w // 2 :], image[h // 2 :, : w // 2] = GREY, BLUE
    return image


def seen(path):
    """Size of the first frame, and its colours in the middle of each quarter, clockwise from the top left."""
    image = read_video(path).frames[0].astype(int)
    h, w = image.shape[:2]
    rows, columns = (h // 4, h // 4, 3 * h // 4, 3 * h // 4), (w // 4, 3 * w // 4, 3 * w // 4, w // 4)
    return (h, w), image[list(rows), list(columns)]


FORMATS = {
    "8 bits, 4:4:4": ("a.mp4", "libx264", "yuv444p", (32, 32)),
    "full range": ("a.mp4", "libx264", "yuvj420p", (32, 32)),
    "10 bits": ("a.mp4", "libx264", "yuv420p10le", (32, 32)),
    "12 bits": ("a.mkv", "ffv1", "yuv422p12le", (32, 32)),
    "odd sizes": ("a.mp4", "libx264", "yuv444p", (31, 33)),
    "odd sizes, halved colour": ("a.mkv", "ffv1", "yuv420p", (31, 33)),
    "RGB": ("a.mov", "png", "rgb24", (31, 33)),
    "palette": ("a.gif", "gif", "rgb8", (31, 33)),
}


@pytest.mark.parametrize("name", FORMATS)
def test_colours_survive_every_pixel_format(tmp_path, name):
    file, codec, pixels, size = FORMATS[name]
    path = film(tmp_path / file, 2, codec, pixels, size=size, draw=quarters, options={"crf": "1"})
    shape, colours = seen(path)
    assert shape == size
    assert np.abs(colours - [RED, GREEN, GREY, BLUE]).max() <= (70 if name == "palette" else 4)


def test_the_colour_space_that_a_file_names_is_used(tmp_path):
    """BT.709, as high definition has it: read as BT.601, green would be off by more than 20."""
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.height, stream.width, stream.pix_fmt = 32, 32, "yuv444p"
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1
        frame = av.VideoFrame.from_ndarray(quarters(0, (32, 32)), format="rgb24")
        out.mux([*stream.encode(frame.reformat(format="yuv444p", dst_colorspace="ITU709")), *stream.encode(None)])
    assert np.abs(seen(path)[1] - [RED, GREEN, GREY, BLUE]).max() <= 3


@pytest.mark.parametrize("pixels", ["gray", "gray16le"])
def test_grey_becomes_rgb(tmp_path, pixels):
    path = film(tmp_path / "a.mkv", 9, "ffv1", pixels)
    frames = read_video(path).frames
    assert numbers(frames) == list(range(9)) and (frames[..., :1] == frames).all()


@pytest.mark.parametrize("file, codec, pixels", [("a.mov", "qtrle", "argb"), ("a.webp", "libwebp_anim", "bgra")])
def test_transparent_parts_lie_over_black(tmp_path, file, codec, pixels):
    image = np.dstack([quarters(0, (32, 32)), np.full((32, 32), 255, np.uint8)])
    image[:16, :16, 3], image[:16, 16:, 3] = 128, 0
    with av.open(str(tmp_path / file), "w") as out:
        stream = out.add_stream(codec, rate=25, options={"lossless": "1"})
        stream.height, stream.width, stream.pix_fmt = 32, 32, pixels
        frame = av.VideoFrame.from_ndarray(image, format="rgba").reformat(format=pixels)
        out.mux([*stream.encode(frame), *stream.encode(None)])
    assert np.abs(seen(tmp_path / file)[1] - [(110, 10, 10), (0, 0, 0), GREY, BLUE]).max() <= 1


TURNS = {
    0: [RED, GREEN, GREY, BLUE],
    90: [GREEN, GREY, BLUE, RED],  # anticlockwise: what was at the top right comes to the top left
    180: [GREY, BLUE, RED, GREEN],
    -90: [BLUE, RED, GREEN, GREY],
}


@pytest.mark.parametrize("degrees", TURNS)
def test_a_turned_film_is_set_upright(tmp_path, degrees):
    def turn(stream):
        stream.set_display_rotation(degrees)

    path = film(tmp_path / "a.mp4", 3, pixels="yuv444p", size=(32, 48), prepare=turn, draw=quarters)
    shape, colours = seen(path)
    assert shape == ((32, 48) if degrees % 180 == 0 else (48, 32)) == VideoReader(path).size
    assert np.abs(colours - TURNS[degrees]).max() < 8
    assert (VideoReader(path).frames_at([2]) == read_video(path).frames[2:]).all()


@pytest.mark.parametrize("degrees, mirrored", [(45, False), (0, True), (90, True)])
def test_other_turns_are_refused(tmp_path, degrees, mirrored):
    path = film(tmp_path / "a.mp4", 3, prepare=lambda stream: stream.set_display_rotation(degrees, hflip=mirrored))
    with pytest.raises(UserError, match="only quarter turns are read"):
        VideoReader(path)


@pytest.mark.parametrize("degrees, size", [(0, (36, 59)), (90, (44, 27))])
def test_pixels_that_are_not_square_are_made_square(tmp_path, degrees, size):
    """36x44 pixels, a third wider than high; turned by 90 degrees they are a third higher than wide."""

    def wide(stream):
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        stream.set_display_rotation(degrees)

    path = film(tmp_path / "a.mp4", 3, pixels="yuv444p", size=(36, 44), prepare=wide, draw=quarters)
    shape, colours = seen(path)
    assert shape == VideoReader(path).size == size
    assert np.abs(colours - TURNS[degrees]).max() < 8
    half = VideoReader(path, size=16, crop=None).read()[0].astype(int)
    assert np.abs(half[[2, 2, 13, 13], [2, 13, 13, 2]] - TURNS[degrees]).max() < 8


# Another size


def covering(image, size, tall, wide):
    """By brute force: the mean colour of each new pixel's area, which covers pixels in part; sides in fractions."""
    height, width = image.shape[:2]
    out = np.zeros((*size, 3))
    for i, j in np.ndindex(*size):
        total = Fraction(0)
        for y, x in np.ndindex(height, width):
            top, left = (height - tall) / 2 + i * tall / size[0], (width - wide) / 2 + j * wide / size[1]
            high = min(y + 1, top + tall / size[0]) - max(y, top)
            broad = min(x + 1, left + wide / size[1]) - max(x, left)
            if high > 0 and broad > 0:
                total += high * broad
                out[i, j] += float(high * broad) * image[y, x]
        out[i, j] /= float(total)
    return out


@settings(max_examples=25, deadline=None)
@given(st.tuples(st.integers(3, 9), st.integers(3, 9)), st.tuples(st.integers(1, 3), st.integers(1, 3)), st.booleans())
def test_shrinking_averages_areas(shape, size, cropped):
    image = np.random.default_rng(sum(shape)).integers(0, 256, (*shape, 3)).astype(np.uint8)
    tall, wide = Fraction(shape[0]), Fraction(shape[1])
    if cropped:
        ratio = Fraction(size[1], size[0])
        tall, wide = min(tall, wide / ratio), min(wide, tall * ratio)
        if tall < size[0] or wide < size[1]:
            return  # it would grow
    got = fit(image, size, "centre" if cropped else None)
    assert np.abs(got - covering(image, size, tall, wide)).max() <= 0.5 + 1e-3


def test_sizes_that_stay_and_pixels_that_halve():
    image = np.random.default_rng(0).integers(0, 256, (8, 12, 3)).astype(np.uint8)
    assert (fit(image, (8, 12)) == image).all()
    assert (fit(image, (8, 8)) == image[:, 2:10]).all(), "only cut"
    assert (fit(image, (4, 6)) == np.rint(image.reshape(4, 2, 6, 2, 3).mean((1, 3)))).all()


def test_enlarging_is_bilinear():
    ramp = np.repeat((np.arange(8) * 20).astype(np.uint8)[None, :, None], 3, 2).repeat(4, 0)
    wide = fit(ramp, (4, 32), None)[0, :, 0].astype(float)
    assert np.abs(wide[2:-2] - (np.arange(32) / 4 - 0.375)[2:-2] * 20).max() <= 0.5, "a ramp stays a ramp"
    assert (wide[:2] == 0).all() and (wide[-2:] == 140).all(), "the border goes on"
    assert (fit(np.full((3, 5, 3), 77, np.uint8), (40, 31)) == 77).all()


def test_the_middle_is_cut_or_the_whole_is_squeezed(tmp_path):
    path = film(tmp_path / "a.mkv", 12, "ffv1", size=(24, 64), draw=lambda n, size: quarters(n, size))
    cut = VideoReader(path, size=12).read()[0]
    assert np.abs(cut - fit(read_video(path).frames[0][:, 20:44], (12, 12)).astype(int)).max() == 0
    assert VideoReader(path, size=(6, 8)).read().shape == (12, 6, 8, 3)
    assert numbers(VideoReader(film(tmp_path / "b.mkv", 12, "ffv1", size=(24, 64)), size=12, crop=None).read()) == list(
        range(12)
    )


# Files that cannot be read

SUFFIXES = {".mp4": {}, ".mkv": {}, ".webm": {"codec": "libvpx-vp9"}, ".avi": {"codec": "mpeg4"}, ".mov": {}}


def noise(n, size):
    return np.random.default_rng(n).integers(0, 256, (*size, 3)).astype(np.uint8)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".gif", ".webp"])
def test_a_file_cut_short_gives_a_sentence_and_no_other_error(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    if suffix in SUFFIXES:
        film(path, 60, **SUFFIXES[suffix], draw=noise)
    else:
        write_video(path, np.random.default_rng(0).random((60, 3, 32, 32)), fps=25)
    whole = path.read_bytes()
    for share in (0.03, 0.3, 0.6, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(UserError, match=r"cut short|damaged|holds no frames"):
            VideoReader(path, size=16).read()
        with pytest.raises(UserError):
            VideoReader(path).frames_at([59])


def test_a_faststart_file_cut_short_gives_what_is_there_frame_by_frame(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, np.random.default_rng(0).random((60, 3, 32, 32)), fps=25)
    want = read_video(path).frames
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert (VideoReader(path).clip(3, 4) == want[3:7]).all()
    with pytest.raises(UserError, match=r"cut short|damaged"):
        VideoReader(path).count()


@pytest.mark.parametrize("declared", [3, 400])
def test_a_count_that_the_header_states_wrongly_is_not_believed(tmp_path, declared):
    path = film(tmp_path / "a.avi", 40, "mpeg4")
    data = path.read_bytes()
    total, length = data.index(b"avih") + 8 + 16, data.index(b"strh") + 8 + 32
    for place in (total, length):
        assert data[place : place + 4] == struct.pack("<I", 40)
        data = data[:place] + struct.pack("<I", declared) + data[place + 4 :]
    path.write_bytes(data)
    reader = VideoReader(path)
    assert reader.frames is None and reader.count() == reader.frames == 40
    assert numbers(read_video(path).frames) == list(range(40))


def test_sizes_that_change_on_the_way_give_a_sentence(tmp_path):
    first, second = film(tmp_path / "a.ts", 10), film(tmp_path / "b.ts", 10, size=(48, 64))
    path = tmp_path / "c.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    for options in ({}, {"size": 16}, {"fps": 10}):
        with pytest.raises(UserError, match=r"frame 10 of .*c.ts has 48x64 pixels, those before it have 32x32"):
            VideoReader(path, **options).read()
    assert numbers(VideoReader(path, stop=10).read()) == list(range(10))


def test_no_file_no_video_no_frames(tmp_path):
    cases = {"missing.mp4": "there is no video at", "folder.mp4": "is a folder", "pipe.mp4": "pipe or a device"}
    (tmp_path / "folder.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    for name, codec in (("sound.mp4", "aac"), ("sound.mkv", "aac")):
        with av.open(str(tmp_path / name), "w") as out:
            out.mux(hum(out.add_stream(codec, rate=8000)))
        cases[name] = "no video, only audio"
    with av.open(str(tmp_path / "none.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        out.start_encoding()
    cases["none.mp4"] = "holds no"
    (tmp_path / "empty.webm").write_bytes(b"")
    (tmp_path / "text.avi").write_text("not a video " * 99)
    (tmp_path / "cut.gif").write_bytes(b"GIF89a")
    cases |= {"empty.webm": "cannot be read", "text.avi": "cannot be read", "cut.gif": "cut short"}
    for name, words in cases.items():
        with pytest.raises(UserError, match=words) as caught:
            VideoReader(tmp_path / name).read()
        assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".gif", ".webp"])
def test_bytes_that_were_changed_give_frames_or_a_sentence(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    if suffix in SUFFIXES:
        film(path, 12, **SUFFIXES[suffix], draw=noise)
    else:
        write_video(path, np.random.default_rng(0).random((12, 3, 32, 32)), fps=25)
    whole, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(12):
        data = bytearray(whole)
        for place in rng.integers(16, rng.choice([64, 600, len(data)]), 6):
            data[place] = rng.integers(256)
        path.write_bytes(data)
        try:
            VideoReader(path, size=16, fps=10).read()
        except UserError:
            refused += 1
    assert refused > 0


def test_a_title_that_is_not_unicode_does_not_matter(tmp_path):
    path = film(tmp_path / "a.mp4", 12)
    path.write_bytes(path.read_bytes().replace(b"Lavf", b"L\xe4vf"))
    assert numbers(read_video(path).frames) == list(range(12))


def test_the_cover_of_a_piece_of_music_is_no_film(tmp_path):
    write_image(tmp_path / "cover.png", numbered(5))
    with av.open(str(tmp_path / "a.mp4"), "w") as out, av.open(str(tmp_path / "cover.png")) as cover:
        sound = out.add_stream("aac", rate=8000)
        picture = out.add_stream_from_template(cover.streams.video[0])
        picture.disposition = av.stream.Disposition.attached_pic
        out.start_encoding()
        for packet in cover.demux():
            if packet.size:
                packet.stream = picture
                out.mux(packet)
        out.mux(hum(sound))
    with av.open(str(tmp_path / "a.mp4")) as made:
        assert made.streams.video[0].disposition & av.stream.Disposition.attached_pic
    with pytest.raises(UserError, match="no video, only audio"):
        VideoReader(tmp_path / "a.mp4")


def test_a_real_film_that_a_package_ships():
    import skimage

    path = Path(skimage.__file__).parent / "data/no_time_for_that_tiny.gif"
    reader = VideoReader(path, size=(14, 7), fps=10)
    frames = reader.read()
    assert len(frames) == reader.frames == 17 and frames.shape[1:] == (14, 7, 3)
    assert np.abs(np.diff(frames.astype(int), axis=0)).mean((1, 2, 3)).min() > 0, "something moves in every frame"
