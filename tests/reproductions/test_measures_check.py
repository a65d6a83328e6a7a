"""What the measures refuse, and what they may be called."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from kiloframe.errors import UserError
from reproductions.measures import check
from reproductions.measures.names import INCEPTION, named, samples_advised
from reproductions.measures.networks.table import NETWORKS


def video(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (video(4, 4, 16, 16), "1 or 3 channels"),
        (video(2, 4, 16, 16, 3), "1 or 3 channels"),
        (video(16, 16), "1 or 3 channels"),
        (video(0, 4, 3, 16, 16), "empty set"),
        (video(2, 0, 3, 16, 16), "no frames"),
        (video(2, 4, 3, 0, 16), "no pixels"),
        (video(4, 3, 16, 16) + np.nan, "NaN"),
        (video(4, 3, 16, 16) + np.inf, "NaN or infinity"),
        (video(4, 3, 16, 16) - 1, r"outside \[0, 1\]"),
        (video(4, 3, 16, 16) + 200, r"outside \[0, 1\]"),
        (video(4, 3, 16, 16, dtype=np.int64), "int64"),
        (video(4, 3, 16, 16, dtype=bool), "bool"),
        ([["a"]], "numbers"),
        ([[1.0], [2.0, 3.0]], "one array"),
        (torch.zeros(4, 3, 16, 16, requires_grad=True), "detach"),
    ],
)
def test_what_is_no_video_is_refused_in_words(given, words):
    with pytest.raises(UserError, match=words):
        check.clips(given)


def test_videos_come_as_they_are_with_their_range():
    one = check.clips(video(4, 3, 16, 16))
    assert one.pixels.shape == (1, 4, 3, 16, 16) and one.pixels.dtype == np.float32 and one.span == 1
    assert check.clips(video(2, 4, 1, 8, 8, dtype=np.uint8)).span == 255
    assert check.clips(torch.zeros(4, 3, 16, 16)).pixels.shape == (1, 4, 3, 16, 16)
    assert check.clips(video(4, 3, 16, 16) - 1, range=(-1, 1)).span == 2
    check.clips(video(4, 3, 16, 16) + np.float32(1 + 5e-5))  # rounding beyond the end
    for limits in ((1, 0), (0, np.inf)):
        with pytest.raises(UserError, match="low < high"):
            check.clips(video(4, 3, 16, 16), range=limits)
    with pytest.raises(UserError, match="uint8"):
        check.clips(video(4, 3, 16, 16, dtype=np.uint8), range=(0, 1))


@pytest.mark.parametrize(
    ("fake", "words"),
    [
        (video(2, 5, 3, 16, 16), "frames per video"),
        (video(1, 4, 3, 16, 16), "2 videos and the fake one 1"),
        (video(2, 4, 1, 16, 16), "channels"),
        (video(2, 4, 3, 12, 16), "rows"),
        (video(2, 4, 3, 16, 12), "columns"),
        (video(2, 4, 3, 16, 16, dtype=np.uint8), "float32 and the fake one uint8"),
        (video(2, 4, 3, 16, 16) + 255, "the fake video has values"),
        (video(2, 4, 3, 16, 16) + np.nan, "the fake video holds NaN"),
    ],
)
def test_a_pair_differs_in_nothing_but_its_content(fake, words):
    with pytest.raises(UserError, match=words):
        check.pair(video(2, 4, 3, 16, 16), fake)


def test_features_numbers_and_probabilities():
    with pytest.raises(UserError, match=r"\(n, d\)"):
        check.embeddings(np.ones(3), "x", "n d")
    with pytest.raises(UserError, match="empty set"):
        check.embeddings(np.ones((0, 3)), "x", "n d")
    with pytest.raises(UserError, match="NaN"):
        check.embeddings([[1, np.nan]], "x", "n d")
    assert check.per_frame([1, 2, np.nan]).shape == (1, 3)
    for bad, words in (([np.nan], "NaN throughout"), ([np.inf, 1], "infinity"), (np.ones((1, 2, 3)), "videos, frames")):
        with pytest.raises(UserError, match=words):
            check.per_frame(bad)
    for bad in ([[0.5, 0.6]], [[-0.1, 1.1]]):
        with pytest.raises(UserError, match="softmax"):
            check.probabilities(bad)
    with pytest.raises(UserError, match="set of 1"):
        check.enough_clips(1, 1, "x")
    with pytest.raises(UserError, match=r"\(128\)"):
        check.enough_clips(127, 64, "x")
    check.enough_clips(128, 64, "x")


def test_a_stand_in_never_borrows_the_name():
    famous = {"FID", "FVD", "KVD", "KID", "IS", "LPIPS", "CLIPSIM"}
    for kind in ("frechet", "kernel", "inception", "perceptual", "text", "frames", "subject"):
        for network in ("world-network", "efficientnet_lite0", "i3d port", "I3D", "dino"):
            name = named(kind, network)
            assert not famous & set(name.replace(",", " ").replace("-", " ").split()), name
    assert named("frechet", "world-network") == "Frechet distance over world-network features"
    assert named("frechet", "i3d", 400) == "FVD" and named("kernel", "i3d", 400) == "KVD"
    assert named("frechet", INCEPTION, 2048) == "FID"
    assert named("frechet", "clip") == "Frechet distance over clip features"


def test_names_refuse_disguises():
    with pytest.raises(UserError, match="2048 numbers from inception, not 64"):
        named("frechet", INCEPTION, 64)
    for network in ("FVD", "lpips", "Is"):
        with pytest.raises(UserError, match="name of a measure"):
            named("frechet", network)
    with pytest.raises(UserError, match="need the name"):
        named("frechet", " ")
    with pytest.raises(UserError, match="kernel"):
        named("kernal", "x")


def test_names_agree_with_the_table_of_networks():
    for network in NETWORKS.values():
        if network.kind == "text":
            continue
        kinds = ("frechet", "kernel", "inception", "perceptual", "text", "frames")
        possible = {named(kind, network.name, network.dimension) for kind in kinds}
        assert set(network.measures) <= possible, network.name


def test_sample_counts_are_the_dossiers():
    assert samples_advised("frechet") == samples_advised("kernel") == 2048
    assert samples_advised("text") == 2990 and samples_advised("frames") is None


def test_the_measures_bring_neither_torch_nor_scipy_nor_scikit_image():
    names = ("blocks", "distances", "flow", "paired", "perceptual", "scores", "temporal", "windows")
    code = (
        "import sys; "
        + "; ".join(f"import reproductions.measures.{name}" for name in names)
        + "; print({'torch', 'scipy', 'skimage'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stdout + done.stderr
