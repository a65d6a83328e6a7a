"""`kiloframe measure`: numbers of video files, each with its settings, and one sentence for every mistake."""

import json
import math

import numpy as np
import pytest

from reproductions.measures.paired import psnr, ssim
from reproductions.measures.temporal import flickering
from reproductions.video import read_video, write_video
from reproductions.worlds import world


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """real/ and fake/: three lossless films of 70 frames each, more than are read at once; fake ones are noisier."""
    root = tmp_path_factory.mktemp("films of two kinds")
    rng = np.random.default_rng(0)
    for n in range(3):
        clip = world("shapes", 16).clip(n, 0, 70).video
        write_video(root / f"real/{n}.webp", clip)
        noisy = np.clip(clip + rng.normal(0, 0.02 * (n + 1), clip.shape), 0, 1).astype(np.float32)
        write_video(root / f"fake/{n}.gif" if n == 2 else root / f"fake/{n}.webp", noisy)
    return root


def pixels(folder):
    return np.stack([np.moveaxis(read_video(file).frames, -1, 1) for file in sorted(folder.iterdir())])


def measured(kf, *arguments):
    code, out, err = kf("measure", *map(str, arguments), "--format", "json")
    assert code == 0, err
    return {(row["measure"], row["of"]): row for row in json.loads(out)}


def test_folders_read_in_pieces_give_what_whole_videos_give(kf, folders):
    found = measured(kf, folders / "real", folders / "fake", "--measures", "psnr,ssim", "--measures", "flickering")
    real, fake = pixels(folders / "real"), pixels(folders / "fake")
    for name, whole in (("psnr", psnr(real, fake)), ("ssim", ssim(real, fake))):
        row = found[name, "fake against real"]
        assert row["value"] == pytest.approx(whole.value, rel=1e-12) and row["count"] == 3
        assert row["low"] < row["value"] < row["high"]
        assert (
            row["settings"]["frames"] == "70" and row["settings"]["reduction"] == "mean over frames, then over videos"
        )
    assert found["ssim", "fake against real"]["settings"]["covariance"] == "population"
    assert found["flickering", "real"]["value"] == pytest.approx(flickering(real).value, rel=1e-12)
    assert found["flickering", "fake"]["value"] < found["flickering", "real"]["value"]


def test_two_runs_agree_to_the_last_digit(kf, folders):
    arguments = ("measure", str(folders / "real"), str(folders / "fake"), "--format", "json")
    assert kf(*arguments)[1] == kf(*arguments)[1]


def test_a_table_for_people(kf, folders):
    code, out, _ = kf("measure", str(folders / "real/0.webp"), str(folders / "fake/0.webp"))
    assert code == 0 and "PSNR" in out and " dB" in out and "one video has no spread" in out


def test_an_infinite_number_is_null_in_json(kf, folders):
    file = folders / "real/0.webp"
    row = measured(kf, file, file, "--measures", "psnr")["psnr", "fake against real"]
    assert row["value"] is None and any("infinite" in warning for warning in row["warnings"])
    assert measured(kf, file, file, "--measures", "SSIM")["ssim", "fake against real"]["value"] == 1.0


def test_size_and_frames(kf, folders, tmp_path):
    write_video(tmp_path / "big.webp", world("shapes", 32).clip(0, 0, 20).video)
    small = folders / "real/0.webp"
    found = measured(kf, small, tmp_path / "big.webp", "--size", "16", "--frames", "20", "--measures", "mae")
    row = found["mae", "fake against real"]
    assert 0 < row["value"] < 8 and row["settings"]["frames"] == "20", "the same shapes, drawn larger and shrunk"


def test_distances_over_the_world_network(kf, tmp_path):
    for side, first in (("real", 0), ("fake", 500)):
        for n in range(4):
            write_video(tmp_path / side / f"{n}.webp", world("digits", 16).clip(first + n, 0, 16 * 33).video)
    found = measured(kf, tmp_path / "real", tmp_path / "fake", "--measures", "frechet-world,kernel_world")
    row = found["frechet_world", "fake against real"]
    assert row["name"] == "Frechet distance over world-network features" and math.isfinite(row["value"])
    assert row["settings"]["real vectors"] == 132 and row["count"] == 4
    assert row["settings"]["window"] == "16 frames" and row["settings"]["frames"] == "528", "clips of what length"
    assert any("2048" in warning for warning in row["warnings"])
    write_video(tmp_path / "fake/short.webp", world("digits", 16).clip(0, 0, 15).video)
    (row,) = measured(kf, tmp_path / "real", tmp_path / "fake", "--measures", "kernel_world").values()
    assert "left out, with fewer than 16 frames: short.webp" in row["warnings"]
    code, _, err = kf("measure", str(tmp_path / "real/0.webp"), str(tmp_path / "fake"), "--measures", "frechet_world")
    assert code == 2 and "33" in err and "128" in err, "fewer clips than twice the features"


def test_the_list(kf):
    code, out, _ = kf("measure", "--list", "--format", "json")
    names = {row["measure"]: row for row in json.loads(out)}
    assert code == 0 and names["fvd"]["network"] == "i3d" and names["psnr"]["network"] == ""
    assert {"psnr", "ssim", "lpips", "fid", "fvd", "kvd", "is"} <= set(names), "the survey's Table 2"


def mistake(kf, sentence, *arguments):
    code, out, err = kf("measure", *map(str, arguments))
    assert code == 2 and out == "" and len(err.strip().splitlines()) == 1, err
    assert sentence in err


def test_mistakes(kf, folders, tmp_path):
    real, fake = folders / "real", folders / "fake"
    mistake(kf, "measure needs two files or folders", real)
    mistake(kf, f"there is no file or folder {tmp_path / 'none'}", tmp_path / "none", fake)
    mistake(kf, "'pnsr' is not a measure; nearest: psnr", real, fake, "--measures", "pnsr")
    mistake(kf, "has no real file of its name", real / "0.webp", fake)
    (tmp_path / "empty").mkdir()
    mistake(kf, "holds no video files", real, tmp_path / "empty")
    (tmp_path / "broken.mp4").write_bytes(b"not a film")
    mistake(kf, "broken.mp4", real / "0.webp", tmp_path / "broken.mp4")
    write_video(tmp_path / "short.webp", world("shapes", 16).clip(0, 0, 40).video)
    mistake(kf, "compare the first ones with --frames 40", real / "0.webp", tmp_path / "short.webp")
    write_video(tmp_path / "big.webp", world("shapes", 32).clip(0, 0, 70).video)
    mistake(kf, "frames of 16x16 pixels and", real / "0.webp", tmp_path / "big.webp")
    write_video(tmp_path / "two/0.webp", world("shapes", 16).clip(0, 0, 3).video)
    write_video(tmp_path / "two/0.gif", world("shapes", 16).clip(0, 0, 3).video)
    mistake(kf, "have one name", real, tmp_path / "two")
    mistake(kf, "--network takes NAME=FILE", real, fake, "--network", "i3d")
    mistake(kf, "is not a feature network; nearest: i3d", real, fake, "--network", "i3e=x.pt")
    mistake(kf, "no measure asked for needs the network 'i3d'", real, fake, "--network", "i3d=x.pt")
    mistake(kf, "x.pt", real, fake, "--measures", "fvd", "--network", "i3d=x.pt")


def test_values_that_fit_nothing(kf, folders):
    real, fake = folders / "real/0.webp", folders / "fake/0.webp"
    mistake(kf, "--measures names none; allowed: psnr", real, fake, "--measures", " ,")
    mistake(kf, "measure needs two files or folders", real, "")
    mistake(kf, "'--size'", real, fake, "--size", "1000000")
    for measure in ("motion", "warping-error"):
        mistake(kf, "frames of 1x1 have nowhere to go", real, fake, "--size", "1", "--measures", measure)
    mistake(kf, "no real file has the 71 frames", real, fake, "--window", "71", "--measures", "kernel-world")


def test_a_famous_measure_without_its_network_says_what_to_fetch(kf, folders, tmp_path, monkeypatch):
    monkeypatch.setenv("KILOFRAME_NETWORKS", str(tmp_path))
    for measure, file in (("fvd", "i3d_pretrained_400.pt"), ("fid", "pt_inception"), ("lpips", "alexnet")):
        mistake(kf, file, folders / "real", folders / "fake", "--measures", measure)


class Sees:
    """In the place of a network: features that depend on the input in a simple way."""

    name, kind, dimension = "a test's encoder", "frames", 2
    settings = {"weights sha256": "0" * 64}  # noqa: RUF012

    def features(self, given):
        if isinstance(given, list):
            return np.array([[1.0, 0.0] if text == "dark" else [0.0, 1.0] for text in given])
        bright = (given.mean((2, 3, 4)) > 128).ravel()
        return np.stack([~bright, bright], 1).astype(float)


def test_captions_belong_to_their_files(kf, tmp_path, monkeypatch):
    from reproductions.measures import networks

    monkeypatch.setattr(networks, "load", lambda name, file=None: Sees())
    for side, levels in (("real", (0.0, 1.0)), ("fake", (0.0, 0.0))):
        for name, level in zip("ab", levels, strict=True):
            write_video(tmp_path / side / f"{name}.webp", np.full((4, 3, 16, 16), level, np.float32))
    table = tmp_path / "said.csv"
    table.write_text("file,caption\na.mp4,dark\nb.mp4,bright\n")
    asked = (tmp_path / "real", tmp_path / "fake", "--measures", "clipsim", "--captions")
    found = measured(kf, *asked, table)
    assert found["clipsim", "real"]["value"] == 1 and found["clipsim", "fake"]["value"] == 0.5
    assert found["clipsim", "real"]["name"] == "Text similarity of a test's encoder embeddings", "no borrowed name"
    assert found["clipsim", "real"]["network"]["weights sha256"] == "0" * 64
    table.write_text("file,caption\na.mp4,dark\nb.mp4,bright\n", encoding="utf-8-sig")  # as spreadsheets save it
    assert measured(kf, *asked, table)["clipsim", "real"]["value"] == 1
    mistake(kf, "CLIPSIM needs to know what each video should show", *asked[:-1])
    table.write_text("file,caption\na,dark\nb,  \n")
    mistake(kf, "has no caption for b.webp", *asked, table)
    table.write_text("file,caption\na,dark\n")
    mistake(kf, "has no caption for b.webp", *asked, table)
    table.write_text("name,text\na,dark\n")
    mistake(kf, "line 1: the columns must be file and caption", *asked, table)
    mistake(kf, "cannot be read", *asked, tmp_path / "none.csv")
