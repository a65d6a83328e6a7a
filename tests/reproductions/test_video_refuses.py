"""Numbers that make no sense to the reader, the writer and footage: one sentence each."""

import numpy as np
import pytest

from kiloframe.errors import UserError
from reproductions.footage import RealVideo
from reproductions.video import VideoWriter, write_video
from reproductions.video_reader import VideoReader


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.mp4"
    write_video(path, np.full((20, 3, 16, 16), 0.5, np.float32))
    return path


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"size": 1.5}, "1 to 8192 pixels on each side"),
        ({"size": "a"}, "1 to 8192 pixels on each side"),
        ({"size": (1,)}, "1 to 8192 pixels on each side"),
        ({"size": 0}, "1 to 8192 pixels on each side"),
        ({"size": 100_000}, "1 to 8192 pixels on each side"),
        ({"fps": "a"}, "frames per second, not a"),
        ({"start": 1.5}, "start is a frame from 0"),
        ({"stop": "3"}, "stop one after it"),
    ],
)
def test_the_reader(film, options, sentence):
    with pytest.raises(UserError, match=sentence):
        VideoReader(film, **options)


def test_places_in_a_film_are_whole_numbers(film):
    with VideoReader(film) as reader:
        assert len(reader.frames_at([3, 1])) == 2 and len(reader.frames_at([])) == 0
        with pytest.raises(UserError, match="frames have whole numbers"):
            reader.clip(0.5, 2)


def test_the_writer(tmp_path):
    for fps in (1e-9, 0, -1, 51):
        with pytest.raises(UserError, match=r"0\.01 to 50 frames per second"):
            VideoWriter(tmp_path / "a.webp", fps=fps)
    with pytest.raises(UserError, match="scale_up must be a whole number"):
        VideoWriter(tmp_path / "a.mp4", scale_up=1.5)
    with pytest.raises(UserError, match="at least 1 pixel on each side, not 0x16"):
        write_video(tmp_path / "a.mp4", np.zeros((2, 3, 0, 16), np.float32))
    assert list(tmp_path.iterdir()) == []


def test_footage_as_a_world_refuses_what_worlds_refuse(film):
    video = RealVideo(film, frames=8)
    assert video.batch([1, 2], [0, 1], 2).video.shape == (2, 2, 3, 16, 16)
    for seeds, starts in (([1, 2], [0]), (1, 0)):
        with pytest.raises(UserError, match="a batch has one start per seed"):
            video.batch(seeds, starts, 2)
