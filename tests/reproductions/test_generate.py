import os
import signal

import pytest
import torch

import reproductions
from kiloframe.errors import UserError
from reproductions.contract import generate_to_file
from reproductions.methods.fdm import FDM, Config
from reproductions.video import read_video


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """An untrained small model in the place of the toy weights: the way of the frames is tested, not their looks."""
    torch.manual_seed(0)
    model = FDM(Config.smoke())
    monkeypatch.setattr(reproductions, "load", lambda slug, variant=None: model)


def make(path, frames=9, **options):
    return generate_to_file("fdm", frames, path, progress=False, **options)


def test_same_seed_same_file_other_seed_another(tmp_path):
    names = [make(tmp_path / f"{n}.mp4", seed=seed).name for n, seed in enumerate((1, 1, 2))]
    first, again, other = ((tmp_path / name).read_bytes() for name in names)
    assert first == again != other


@pytest.mark.parametrize("frames", [1, 2, 9, 40])
def test_has_the_frames_that_were_asked_for(tmp_path, frames):
    video = read_video(make(tmp_path / "a.webp", frames))
    assert video.frames.shape == (frames, 128, 128, 3)


def test_a_thousand_frames(tmp_path, monkeypatch):
    """With the network left out, for the time it takes."""
    monkeypatch.setattr(FDM, "_call", lambda self, step, *_: {i: torch.zeros(1, 3, 16, 16) for i in step.latent})
    assert len(read_video(make(tmp_path / "a.mp4", 1000)).frames) == 1000


def test_schedules_differ(tmp_path):
    a, b = (make(tmp_path / f"{s}.gif", 16, schedule=s).read_bytes() for s in ("autoregressive", "hierarchy-2"))
    assert a != b


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_half_way_it_leaves_nothing(tmp_path, monkeypatch, number):
    calls = []
    call = FDM._call

    def patched(self, *arguments):
        calls.append(1)
        if len(calls) == 4:
            os.kill(os.getpid(), number)
        return call(self, *arguments)

    monkeypatch.setattr(FDM, "_call", patched)
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "a.mp4", 40)
    assert len(calls) == 4 and not list(tmp_path.iterdir()) and signal.getsignal(number) == before


def test_progress_counts_frames(tmp_path, capsys):
    generate_to_file("fdm", 9, tmp_path / "a.mp4")
    assert "9/9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"frames": 0}, "--frames must be at least 1"),
        ({"prompts": ("a seven",)}, "fdm takes no prompt; leave --prompt away"),
        ({"schedule": "hierarchy"}, "there is no schedule 'hierarchy'; did you mean 'hierarchy-2'"),
    ],
)
def test_mistakes_leave_nothing(tmp_path, options, words):
    with pytest.raises(UserError, match=words):
        make(tmp_path / "a.mp4", **options)
    with pytest.raises(UserError, match=r"allowed: \.mp4"):
        make(tmp_path / "a.txt")
    assert not list(tmp_path.iterdir())
