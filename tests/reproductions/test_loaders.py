"""What holds for every data set: one way to open it, clips as a world gives them, a count of what was left out."""

import re
import shutil

import numpy as np
import pytest
import trees

from kiloframe.errors import UserError
from reproductions import loaders
from reproductions.loaders import base

LONG = {"kth": 4, "sky_timelapse": 6, "taichi_hd": 3, "kinetics_600": 8, "bair_robot_pushing": 20}
VIDEO_FILES = {
    "ucf_101": "UCF-101/Biking/v_Biking_g08_c02.avi",
    "kth": "boxing/person01_boxing_d1_uncomp.avi",
    "taichi_hd": "train/A-b_c#000100#000120.mp4",
    "kinetics_600": "train/abseiling/_0000000000_000004_000014.mp4",
    "webvid_10m": "videos/000051_000100/3.mp4",
    "msr_vtt": "videos/all/video1.mp4",
}
SPLIT = {"msr_vtt": "all"}
LAST = {"kth": 3}  # the sequence after it is longer than its file


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    made = {}
    for name in loaders.names():
        made[name] = tmp_path_factory.mktemp("data sets") / name
        made[name].mkdir()
        getattr(trees, name)(made[name])
    return made


@pytest.fixture
def copy(roots, tmp_path):
    """A copy of a data set to break."""
    return lambda name: shutil.copytree(roots[name], tmp_path / name)


def opened(name, root, **options):
    return loaders.kind(name)(root, SPLIT.get(name), **options)


def test_there_is_a_loader_for_each_data_set_of_table_1(cat):
    listed = {slug for slug, record in cat.datasets.items() if record.survey_table1 is not None}
    assert set(loaders.names()) == listed and len(listed) == 8
    for name in loaders.names():
        assert (
            loaders.kind(name).slug == name
            and f"`{name}`" in loaders.__doc__
            and f"/datasets/{name}/" in loaders.__doc__
        )


@pytest.mark.parametrize("name", loaders.names())
def test_clips_are_as_a_world_gives_them(roots, name):
    data = opened(name, roots[name], size=20)
    n = LONG.get(name, 8)
    whole = data.clip(0, 0, n)
    assert whole.video.shape == (n, 3, 20, 20) and whole.video.dtype == np.float32
    assert whole.video.min() >= 0 and whole.video.max() <= 1
    later = data.clip(0, n // 2, n - n // 2)
    assert (whole.video[n // 2 :] == later.video).all(), "the same whichever way it is cut"
    last = LAST.get(name, len(data) - 1)
    batch = data.batch([0, last], [0, 1], 2)
    assert batch.video.shape == (2, 2, 3, 20, 20) and (batch.video[0] == whole.video[:2]).all()
    for field, value in vars(batch.truth).items():
        assert len(value) == 2, field
    assert batch.truth.path[0] == whole.truth.path and (roots[name] / whole.truth.path).exists()


@pytest.mark.parametrize("name", loaders.names())
def test_drawn_clips_follow_from_the_generator_and_the_files_alone(roots, name):
    fresh, used = opened(name, roots[name]), opened(name, roots[name])
    used.report(check=True)
    first = fresh.draw(np.random.default_rng(3), 5, 2)
    again = used.clips(np.random.default_rng(3), 5, 2)
    assert (first.video == again).all() and again.shape == (5, 2, 3, 16, 16) and again.dtype == np.float32
    other = used.draw(np.random.default_rng(4), 5, 2)
    assert other.truth.path.tolist() != first.truth.path.tolist() or not (other.video == first.video).all()


@pytest.mark.parametrize("name", loaders.names())
def test_a_folder_in_another_layout_is_told_what_is_expected(tmp_path, name):
    for folder, missing in ((tmp_path / "nowhere", "there is no such folder"), (tmp_path, "is missing")):
        with pytest.raises(UserError) as told:
            loaders.open(name, folder)
        message = str(told.value)
        assert missing in message and str(folder) in message and "\n" not in message
        assert all(line in message for line in loaders.kind(name).layout)


@pytest.mark.parametrize("name", loaders.names())
def test_bad_requests_give_a_sentence(roots, name):
    data = opened(name, roots[name])
    length = data.length(0)
    for start, frames in ((0, length + 1), (length, 1), (-1, 2)):
        with pytest.raises(UserError, match=rf"item 0 of .* has {length} frames.*; frames {start} to {start + frames}"):
            data.clip(0, start, frames)
    with pytest.raises(UserError, match="at least 1 frame, not 0"):
        data.clip(0, 0, 0)
    for index in (-1, len(data)):
        with pytest.raises(UserError, match=f"has the items 0 to {len(data) - 1}, not {index}"):
            data.clip(index, 0, 1)
    with pytest.raises(UserError, match=r"is long enough: a clip of 999 frames .* the longest has \d+"):
        data.clips(np.random.default_rng(0), 1, 999)
    with pytest.raises(UserError, match=f"'trian' is not a split of {name}; nearest: train"):
        loaders.open(name, roots[name], "trian")
    with pytest.raises(UserError, match="8 to 1024 pixels, not 4"):
        loaders.open(name, roots[name], size=4)
    with pytest.raises(UserError, match="frames per second, not 0"):
        loaders.open(name, roots[name], fps=0)


def test_an_unknown_data_set_gives_a_sentence(tmp_path):
    with pytest.raises(UserError, match=r"'ucf' is not a data set with a loader; nearest: ucf_101; allowed: bair"):
        loaders.open("ucf", tmp_path)
    assert loaders.kind("UCF-101").slug == "ucf_101"


BREAK = {
    "damaged": (lambda path: path.write_bytes(b"\0nonsense" * 50), "cannot be read as a video"),
    "empty": (lambda path: path.write_bytes(b""), "cannot be read as a video"),
    "cut short": (trees.cut_short, "the file"),
    "no frames": (lambda path: trees.film(path, frames=0), "(cannot be read|holds no frames|holds no video)"),
    "sound only": (trees.sound, "holds no video, only audio"),
}


@pytest.mark.parametrize("kind", BREAK)
@pytest.mark.parametrize("name", VIDEO_FILES)
def test_a_file_that_cannot_be_used_is_passed_over_and_counted(copy, name, kind):
    root = copy(name)
    spoil, reason = BREAK[kind]
    path = root / VIDEO_FILES[name]
    spoil(path)
    data = opened(name, root)
    drawn = data.draw(np.random.default_rng(0), 6, 2)
    assert VIDEO_FILES[name] not in drawn.truth.path.tolist()
    report = data.report(check=True)
    told = [skip for skip in report.unusable if skip.path == VIDEO_FILES[name]]
    assert told and all(re.search(reason, skip.reason) for skip in told), told
    assert VIDEO_FILES[name] in str(report) and str(root) not in str(report)
    index = next(i for i in range(len(data)) if data.truth(i).path == VIDEO_FILES[name])
    with pytest.raises(UserError, match=f"{path.name} cannot be used: "):
        data.clip(index, 0, 1)


def test_damage_in_the_middle_that_only_decoding_shows(roots, copy, monkeypatch):
    """The head of the file promises frames that the rest does not hold. Short items are found out as a whole; of long
    ones, which are not kept in memory, only the damaged parts are passed over."""
    root = copy("webvid_10m")
    path = root / VIDEO_FILES["webvid_10m"]
    data = loaders.open("webvid_10m", root)
    assert data.length(1) == 10
    read = base.VideoFrames.read

    def damaged(self, indices):
        if self._reader.path == path and indices.max() > 20:
            raise UserError(f"{path} cannot be read as a video (damaged)")
        return read(self, indices)

    monkeypatch.setattr(base.VideoFrames, "read", damaged)
    assert set(data.draw(np.random.default_rng(0), 8, 2).truth.video) == {"1"}
    assert [skip.reason for skip in data.report().unusable] == ["the file cannot be read as a video (damaged)"]
    monkeypatch.setattr(base, "CACHE_BYTES", 0)
    data = loaders.open("webvid_10m", root)
    drawn = data.draw(np.random.default_rng(0), 30, 2)
    seen = [start for id_, (start, _) in zip(drawn.truth.video, trees.numbers(drawn.video), strict=True) if id_ == "3"]
    assert seen and max(seen) <= 18 and len(data.report().unusable) == 1
    again = data.draw(np.random.default_rng(0), 30, 2)
    assert (again.video == drawn.video).all(), "what is known by now changes nothing"


def test_nothing_left_is_an_error_not_a_hang(copy):
    root = copy("kinetics_600")
    for path in root.glob("train/*/*.mp4"):
        path.write_bytes(b"nonsense")
    data = loaders.open("kinetics_600", root)
    with pytest.raises(UserError, match=r"nothing in .* can be used; .*; +2 x the file cannot be read as a video"):
        data.clips(np.random.default_rng(0), 1, 1)


def test_a_split_of_which_nothing_is_there(copy):
    root = copy("kinetics_600")
    for path in root.glob("val/*/*.mp4"):
        path.unlink()
    with pytest.raises(UserError, match=r"holds nothing that can be used; Kinetics-600, split val: 0 listed, 0 found"):
        loaders.open("kinetics_600", root, "val")


def test_the_frame_rate_is_changed_by_the_files_clock(roots):
    assert trees.numbers(loaders.open("ucf_101", roots["ucf_101"], fps=10).clip(0, 0, 6).video) == [0, 2, 5, 7, 10, 12]
    assert trees.numbers(loaders.open("ucf_101", roots["ucf_101"], fps=50).clip(0, 0, 4).video) == [0, 0, 1, 1]
    assert trees.numbers(loaders.open("webvid_10m", roots["webvid_10m"], fps=10).clip(0, 0, 4).video) == [0, 3, 6, 9]
    lengths = {fps: loaders.open("ucf_101", roots["ucf_101"], fps=fps).length(0) for fps in (5, 10, 25, 50)}
    assert lengths == {5: 6, 10: 12, 25: 30, 50: 60}


def test_memory_is_bounded_and_changes_nothing(roots, monkeypatch):
    whole = [loaders.open("ucf_101", roots["ucf_101"], "all").clip(i, 2, 5).video for i in range(5)]
    for cap in (0, 20_000, 8 * 12 * 16 * 16 * 3):
        monkeypatch.setattr(base, "CACHE_BYTES", cap)
        data = loaders.open("ucf_101", roots["ucf_101"], "all")
        for _ in range(2):
            for index, video in enumerate(whole):
                assert (data.clip(index, 2, 5).video == video).all()
        assert sum(kept.nbytes for kept in data._cache.values()) <= cap
