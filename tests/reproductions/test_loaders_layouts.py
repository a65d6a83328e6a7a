"""Each data set's layout: what is listed, what is found, what its truth says, and how a malformed list is refused."""

import json
import re

import numpy as np
import pytest
import trees

from kiloframe.errors import UserError
from reproductions import loaders


@pytest.fixture
def tree(tmp_path):
    """`tree("kth")`: that data set in a fresh folder."""

    def make(name, **options):
        getattr(trees, name)(tmp_path, **options)
        return tmp_path

    return make


def counts(report):
    return report.listed, report.found, report.unlisted, len(report.skipped), len(report.unusable)


def change(path, old, new):
    whole = path.read_text(encoding="utf-8")
    assert old in whole
    path.write_text(whole.replace(old, new, 1), encoding="utf-8")


def refused(name, root, told, split=None):
    with pytest.raises(UserError, match=re.escape(told)) as error:
        loaders.open(name, root, split)
    assert "\n" not in str(error.value)


# --- UCF-101 ------------------------------------------------------------------------------------------------------


def test_ucf_101_splits_and_labels(tree):
    root = tree("ucf_101")
    sizes = {split: len(loaders.open("ucf_101", root, split)) for split in loaders.kind("ucf_101").splits}
    assert sizes == dict(zip(sizes, (3, 2, 3, 2, 3, 2, 3, 2, 5), strict=True))
    data = loaders.open("ucf_101", root)
    truth = data.batch([0, 1, 2], [0, 0, 0], 1).truth
    assert truth.label.tolist() == [0, 1, 2]
    assert truth.action.tolist() == ["ApplyEyeMakeup", "Biking", "HandstandPushups"]
    assert truth.group.tolist() == [8, 8, 9] and truth.number.tolist() == [1, 2, 1]
    assert truth.path[2] == "UCF-101/HandstandPushups/v_HandStandPushups_g09_c01.avi"
    assert counts(data.report(check=True)) == (3, 5, 2, 0, 0)


def test_ucf_101_counts_what_is_missing_and_what_is_not_its_own(tree):
    root = tree("ucf_101")
    (root / "UCF-101/Biking/v_Biking_g08_c02.avi").unlink()
    (root / "UCF-101/Biking/holiday.avi").write_bytes(b"")
    data = loaders.open("ucf_101", root)
    assert counts(data.report()) == (3, 5, 3, 1, 0)
    assert data.report().skipped[0].reason == "listed, but not on disk"
    everything = loaders.open("ucf_101", root, "all")
    assert len(everything) == 4 and [s.path for s in everything.report().skipped] == ["UCF-101/Biking/holiday.avi"]


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("classInd.txt", "2 Biking", "2 Biking fast", "classInd.txt, line 2: a line is '<index> <ClassName>'"),
        ("classInd.txt", "2 Biking", "3 Biking", "line 2: the indices run from 1 without gaps"),
        ("classInd.txt", "2 Biking", "2 ApplyEyeMakeup", "line 2: the indices run from 1 without gaps and each class"),
        ("classInd.txt", "2 Biking", "two Biking", "line 2: the index must be a whole number from 0, not 'two'"),
        ("trainlist01.txt", "c02.avi 2", "c02.avi", "trainlist01.txt, line 2: a line is '<ClassName>/v_"),
        ("trainlist01.txt", "c02.avi 2", "c02.avi 1", "line 2: Biking has the index 2, not 1"),
        ("trainlist01.txt", "Biking/v_Biking", "Biking/v_Diving", "line 2: a line is"),
        ("trainlist01.txt", "Biking/v_Biking", "Rowing/v_Rowing", "with a class of classInd.txt, not 'Rowing/v_Rowing"),
        ("trainlist01.txt", "Biking/v_Biking_g08_c02.avi 2", "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1",
         "line 2: ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi is listed twice"),
    ],
)  # fmt: skip
def test_ucf_101_refuses_a_malformed_line(tree, file, old, new, told):
    root = tree("ucf_101")
    change(root / "ucfTrainTestlist" / file, old, new)
    refused("ucf_101", root, told)


# --- KTH ----------------------------------------------------------------------------------------------------------


def test_kth_gives_sequences_of_files_at_25_frames_a_second(tree):
    root = tree("kth")
    data = loaders.open("kth", root)
    assert [(data.truth(i).path.split("/")[1][:18], data.truth(i).first, data.truth(i).last) for i in range(5)] == [
        ("person01_boxing_d1", 1, 10), ("person01_boxing_d1", 13, 30),
        ("person02_walking_d", 1, 12), ("person02_walking_d", 5, 20), ("person02_walking_d", 21, 60),
    ]  # fmt: skip
    truth = data.truth(3)
    assert (truth.label, truth.action, truth.person, truth.scenario, truth.sequence) == (5, "walking", 2, 3, 2)
    # Frames 13 to 30 of the file, counted from 1, are 12 to 29 counted from 0; of them every 2.5th at 10 a second.
    assert trees.numbers(data.clip(1, 0, 8).video) == [12, 14, 17, 19, 22, 24, 27, 29]
    assert data.length(1) == 8 and loaders.open("kth", root, fps=25).length(1) == 18
    report = data.report(check=True)
    assert counts(report) == (6, 3, 1, 1, 1)
    assert report.skipped[0].path == "handclapping/person13_handclapping_d3_uncomp.avi"
    assert report.unusable[0].reason == "the frames 21 to 60 are listed, and the file has 30"


def test_kth_persons_of_each_split(tree):
    root = tree("kth")
    persons = {}
    for split in ("train", "test", "official-val", "official-test", "all"):
        data = loaders.open("kth", root, split)
        persons[split] = sorted({data.truth(i).person for i in range(len(data))})
    assert persons == {"train": [1, 2], "test": [22], "official-val": [1], "official-test": [2, 22], "all": [1, 2, 22]}
    refused("kth", root, "holds nothing that can be used", "official-train")
    trees.text(root / "00sequences.txt", *trees.KTH_LINES[4:])
    refused("kth", root, "does not name the persons of official-val", "official-val")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("frames  1-12", "frames  1-12,", "line 7: a line is 'personPP_<action>_d<1-4>  frames"),
        ("d3     frames", "d5     frames", "line 7: a line is"),
        ("person02_walking", "person26_walking", "with the persons 01 to 25, not 'person26_walking_d3"),
        ("5-20", "20-5", "line 7: frames count from 1 and do not run backwards, not 20-5"),
        ("5-20", "0-20", "line 7: frames count from 1"),
        ("person02_walking_d3", "person01_boxing_d1", "line 7: person01_boxing_d1 is listed twice"),
        ("person22_running_d4     frames  11-30", "Some words", "line 9: a line is"),
        ("person01_boxing_d1", "person1_boxing_d1", "line 6: a line is"),
    ],
)
def test_kth_refuses_a_malformed_line(tree, old, new, told):
    root = tree("kth")
    change(root / "00sequences.txt", old, new)
    refused("kth", root, "00sequences.txt, " + told if told.startswith("line") else told)


# --- SkyTimelapse -------------------------------------------------------------------------------------------------


def test_sky_timelapse_folders_of_frames_with_gaps(tree):
    root = tree("sky_timelapse")
    data = loaders.open("sky_timelapse", root, fps=3)
    assert [(data.truth(i).video, data.truth(i).clip, data.length(i)) for i in range(2)] == [
        ("AbC_1-x", "1", 12), ("AbC_1-x", "2", 6),
    ]  # fmt: skip
    assert trees.numbers(data.clip(1, 0, 6).video) == [0, 1, 2, 3, 4, 5], "by number, not by name: 9, 10, 100"
    assert loaders.open("sky_timelapse", root, "test").truth(0).path == "sky_test/ZZ/1"


def test_sky_timelapse_in_the_rearranged_form(tmp_path):
    for n in range(4):
        trees.picture(tmp_path / "train/one" / f"frame{n:05d}.png", n)
        trees.picture(tmp_path / "val/two" / f"frame{n:05d}.png", n)
    (tmp_path / "train/nothing").mkdir()
    data = loaders.open("sky_timelapse", tmp_path)
    assert (data.truth(0).video, data.truth(0).clip) == ("one", "")
    assert data.report().skipped[0].reason == "the folder holds no frames"
    assert loaders.open("sky_timelapse", tmp_path, "test").truth(0).video == "two"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: trees.picture(folder / "x_3.png", 1, (9, 9)), "the frames have several sizes"),
        (lambda folder: (folder / "x_3.jpg").write_bytes(b"no"), "the frame x_3.jpg is not a picture"),
        (lambda folder: trees.picture(folder / "x.jpg", 1), "the frame x.jpg has no number in its name"),
        (lambda folder: trees.picture(folder / "y_5.jpg", 1), "two frames have the number 5"),
        (lambda folder: trees.cut_short(folder / "AbC_1-x_frames_9.jpg", 0.98), "AbC_1-x_frames_9.jpg is damaged"),
    ],
)
def test_sky_timelapse_passes_over_a_folder_that_cannot_be_used(tree, spoil, told):
    root = tree("sky_timelapse")
    spoil(root / "sky_train/AbC_1-x/1")
    data = loaders.open("sky_timelapse", root)
    assert set(data.draw(np.random.default_rng(0), 6, 3).truth.clip) == {"2"}
    (skip,) = data.report(check=True).unusable
    assert told in skip.reason and skip.path == "sky_train/AbC_1-x/1"


# --- Taichi-HD ----------------------------------------------------------------------------------------------------


def test_taichi_hd_at_the_rates_of_the_metadata(tree):
    root = tree("taichi_hd")
    data = loaders.open("taichi_hd", root)
    assert counts(data.report(check=True)) == (3, 2, 0, 1, 0)
    assert data.report().skipped[0].path == "train/gone#000000#000128"
    truths = data.batch([0, 1], [0, 0], 1).truth
    assert truths.video.tolist() == ["A-b_c"] * 2 and truths.rate.tolist() == [29.97, 50]
    assert trees.numbers(data.clip(0, 0, 7).video) == [0, 3, 6, 9, 12, 15, 18], "not the 10 that the file says"
    assert trees.numbers(data.clip(1, 0, 3).video) == [0, 5, 10], "a folder of frames"


def test_taichi_hd_without_metadata_goes_by_the_files(tree):
    root = tree("taichi_hd")
    (root / "taichi-metadata.csv").unlink()
    data = loaders.open("taichi_hd", root)
    assert trees.numbers(data.clip(0, 0, 3).video) == [0, 1, 2] and data.truth(0).rate == 0
    assert data.length(1) == 12


def test_taichi_hd_passes_over_a_chunk_of_the_wrong_length(tree):
    root = tree("taichi_hd")
    trees.film(root / "train/A-b_c#000100#000120.mp4", 17)
    trees.film(root / "train/stray.mp4", 3)
    report = loaders.open("taichi_hd", root).report(check=True)
    assert [skip.reason for skip in report.unusable] == ["17 frames where the data set says 20"]
    assert report.skipped[0].reason == "not named <video_id>#<start>#<end>"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("partition", "part", "line 1: the header has no column 'partition'"),
        ("A-b_c,100,120", "A-b_c,100,x", "line 2: end must be a whole number from 0, not 'x'"),
        ("A-b_c,100,120", "A-b_c,120,120", "line 2: end must be after start, not 120 to 120"),
        ("29.97", "fast", "line 2: fps must be a number above 0, not 'fast'"),
        ("29.97", "0", "line 2: fps must be a number above 0, not '0'"),
        ("0-0-24-24", "0-0-24", "line 2: bbox must be 'left-top-right-bottom' in whole pixels, not '0-0-24'"),
        ("24,train", "24,dev", "line 2: partition must be train or test, not 'dev'"),
        ("24,train", "24,train,1", "line 2: 9 fields where the header has 8"),
        ("A-b_c,200,212", "A-b_c,100,120", "line 3: the chunk A-b_c#100#120 is listed twice"),
    ],
)
def test_taichi_hd_refuses_a_malformed_row(tree, old, new, told):
    root = tree("taichi_hd")
    change(root / "taichi-metadata.csv", old, new)
    refused("taichi_hd", root, f"taichi-metadata.csv, {told}")


# --- Kinetics-600 -------------------------------------------------------------------------------------------------


def test_kinetics_600_goes_by_its_folders_and_counts_by_its_csv(tree):
    root = tree("kinetics_600")
    data = loaders.open("kinetics_600", root)
    assert [data.truth(i).action for i in range(2)] == ["abseiling", "juggling fire"]
    assert [data.truth(i).label for i in range(2)] == [0, 1]
    assert loaders.open("kinetics_600", root, "val").truth(0).label == 2, "one numbering for all splits"
    assert (data.truth(1).video, data.truth(1).start, data.truth(1).end) == ("-abc_123XYZ", 4, 14)
    assert counts(data.report(check=True)) == (3, 2, 1, 1, 0)
    assert data.report().skipped[0].path == "train/zumba/rotten_000000_000010.mp4"
    change(root / "annotations/train.csv", "juggling fire", "yoga")
    report = loaders.open("kinetics_600", root).report()
    assert report.skipped[0].reason == "in the folder of another class than train.csv says"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("youtube_id", "id", "line 1: the header has no column 'youtube_id'"),
        ("4,14", "4,x", "line 2: time_end must be a whole number from 0, not 'x'"),
        ("4,14", "14,4", "line 2: time_end must be after time_start, not 14 to 4"),
        ("14,train", "14,val", "line 2: the split must be train, not 'val'"),
        ("zumba", "", "line 3: label and youtube_id must not be empty"),
        ("zumba", '"zumba', "this is not csv"),
    ],
)
def test_kinetics_600_refuses_a_malformed_row(tree, old, new, told):
    root = tree("kinetics_600")
    change(root / "annotations/train.csv", old, new)
    refused("kinetics_600", root, told)


# --- WebVid and MSR-VTT -------------------------------------------------------------------------------------------


def test_webvid_10m_captions(tree):
    root = tree("webvid_10m")
    data = loaders.open("webvid_10m", root)
    assert [data.truth(i).caption for i in range(2)] == ["Sky, at dusk", "Ein Bär"]
    assert counts(data.report()) == (4, 3, 0, 2, 0)
    assert {skip.reason for skip in data.report().skipped} == {"no caption", "listed, but not on disk"}
    trees.table(root / "metadata/results_2M_train.csv", ("videoid", "page_dir", "name"))
    refused("webvid_10m", root, "several lists of train (results_10M_train.csv, results_2M_train.csv); keep one there")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("name", "caption", "line 1: the header has no column 'name'; needed are: videoid, page_dir, name"),
        ("3,000051", ",000051", "line 4: videoid and page_dir must not be empty"),
        ("3,000051_000100", "1,000001_000050", "line 4: 000001_000050/1.mp4 is listed twice"),
        ('"Sky, at dusk"', "Sky, at dusk", "line 2: 6 fields where the header has 5"),
    ],
)
def test_webvid_10m_refuses_a_malformed_row(tree, old, new, told):
    root = tree("webvid_10m")
    change(root / "metadata/results_10M_train.csv", old, new)
    refused("webvid_10m", root, f"results_10M_train.csv, {told}")


@pytest.mark.parametrize("frozen_in_time", [False, True])
def test_msr_vtt_captions_in_both_forms(tree, frozen_in_time):
    root = tree("msr_vtt", frozen_in_time=frozen_in_time)
    data = loaders.open("msr_vtt", root)
    truth = data.truth(0)
    assert truth.captions == ("a film of video0", "a clip of video0") and truth.caption == truth.captions[0]
    assert truth.category == (-1 if frozen_in_time else 9) and len(data) == 1
    assert data.batch([0, 0], [0, 1], 2).truth.captions.tolist() == [truth.captions] * 2
    test = loaders.open("msr_vtt", root, "test")
    assert counts(test.report()) == (2, 3, 2, 1, 0) and len(loaders.open("msr_vtt", root, "all")) == 3


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"split": "train"', '"split": "dev"', "video0: the split must be train, validate or test, not 'dev'"),
        ('"category": 9', '"category": 20', "video0: the category must be 0 to 19, not 20"),
        ('"category": 9', '"category": "9"', "video0: the category must be 0 to 19, not '9'"),
        ('"video_id": "video0", "cat', '"cat', "videos[0]: 'video_id' must be a text, not None"),
        ('"video_id": "video1", "cat', '"video_id": "video0", "cat', "video0 is listed twice"),
        ('"caption": "a clip of video0"', '"caption": 3', "sentences[1]: 'caption' must be a text, not 3"),
        ('"sentences"', '"sentence"', "must hold a list 'sentences'"),
        ('{"info"', '["info"', "line 1: this is not JSON"),
    ],
)
def test_msr_vtt_refuses_malformed_json(tree, old, new, told):
    root = tree("msr_vtt")
    change(root / "annotation/train_val_videodatainfo.json", old, new)
    refused("msr_vtt", root, told)


def test_msr_vtt_says_which_annotations_are_missing(tree):
    root = tree("msr_vtt")
    (root / "annotation/test_videodatainfo.json").unlink()
    refused("msr_vtt", root, "no video of test is listed; annotation/test_videodatainfo.json is missing", "test")
    (root / "annotation/train_val_videodatainfo.json").write_text(json.dumps([1]))
    refused("msr_vtt", root, "must hold a JSON object, not a list")
    (root / "annotation/train_val_videodatainfo.json").unlink()
    refused("msr_vtt", root, "neither of the two forms of the captions")


def test_lists_must_be_text(tree):
    root = tree("kth")
    (root / "00sequences.txt").write_bytes(b"\xff\xfe\x00")
    refused("kth", root, "00sequences.txt is not UTF-8 text")
