"""BAIR robot pushing: records, frames, actions, and what becomes of damaged ones. No TensorFlow anywhere."""

import numpy as np
import pytest
import trees

from kiloframe.errors import UserError
from reproductions import loaders


@pytest.fixture
def root(tmp_path):
    trees.bair_robot_pushing(tmp_path)
    return tmp_path


def test_bair_frames_actions_and_cameras(root):
    data = loaders.open("bair_robot_pushing", root, size=32, fps=7)
    assert len(data) == 3 and data.length(0) == 30 and data.report(check=True).unusable == ()
    clip = data.clip(1, 4, 5)
    assert trees.numbers(clip.video) == [5, 6, 7, 8, 9], "the second record starts one later"
    assert clip.truth.action.tolist() == [[t, 0.5, -1.0, 2.0] for t in range(5, 10)] and clip.truth.record == 1
    assert clip.truth.position[:, 1].tolist() == pytest.approx([0.4, 0.5, 0.6, 0.7, 0.8])
    assert data.batch([0, 2], [0, 3], 4).truth.action.shape == (2, 4, 4)
    main = loaders.kind("bair_robot_pushing")(root, camera="image_main")
    assert np.unique(np.rint(main.clip(0, 0, 30).video * 255)).tolist() == [3]
    with pytest.raises(UserError, match="'image_aux' is not a camera of BAIR robot pushing; nearest: image_aux1"):
        loaders.kind("bair_robot_pushing")(root, camera="image_aux")


def test_bair_values_in_the_file_are_the_values_in_the_clip(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, 64, 64, 3), dtype=np.uint8)
    features = trees.trajectory() | {f"{t}/image_aux1/encoded": images[t].tobytes() for t in range(30)}
    (tmp_path / "softmotion30_44k/train").mkdir(parents=True)
    (tmp_path / "softmotion30_44k/train/a.tfrecords").write_bytes(trees.record(features))
    video = loaders.open("bair_robot_pushing", tmp_path, size=64).clip(0, 0, 30).video
    assert (np.rint(video * 255).astype(np.uint8) == images.transpose(0, 3, 1, 2)).all()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (trees.record(trees.trajectory(29)), "29 frames where the data set says 30"),
        (trees.record(trees.trajectory(side=32)), "an image of the record has 3072 bytes, not the 12288 of raw RGB"),
        (trees.record({"a": [1.0]}), "the record has no frames of image_aux1"),
        (trees.record({k: v for k, v in trees.trajectory().items() if not k.startswith("3/")}), "do not run from 0"),
        (trees.record(trees.trajectory())[:5000] + b"\1" + trees.record(trees.trajectory())[5001:], "is damaged"),
    ],
)
def test_bair_passes_over_a_bad_record(root, data, told):
    path = root / "softmotion30_44k/train/traj_256_to_511.tfrecords"
    path.write_bytes(data + path.read_bytes())
    opened = loaders.open("bair_robot_pushing", root)
    assert len(opened) == 4 and opened.draw(np.random.default_rng(0), 9, 2).video.shape == (9, 2, 3, 16, 16)
    (skip,) = opened.report(check=True).unusable
    assert told in skip.reason


def test_bair_uses_the_whole_records_of_a_file_that_is_cut_short(root):
    trees.cut_short(root / "softmotion30_44k/train/traj_0_to_255.tfrecords", 0.9)
    (root / "softmotion30_44k/train/traj_9_to_9.tfrecords").write_bytes(b"")
    data = loaders.open("bair_robot_pushing", root)
    assert len(data) == 2 and trees.numbers(data.clip(0, 0, 2).video) == [0, 1]
    assert [skip.reason for skip in data.report().skipped] == [
        "the file is cut short; its whole records are used", "the file holds no records",
    ]  # fmt: skip
