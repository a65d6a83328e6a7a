import math

import numpy as np
import pytest
import torch

from kiloframe.errors import UserError
from reproductions.parts.cameras import camera_vector, check_poses, relative
from reproductions.worlds.rooms import EVALUATION_SEEDS, Rooms


def rotation(axis: int, angle: float) -> torch.Tensor:
    i, j = [k for k in range(3) if k != axis]
    R = torch.eye(3, dtype=torch.float64)
    R[i, i] = R[j, j] = math.cos(angle)
    R[i, j], R[j, i] = -math.sin(angle), math.sin(angle)
    return R


def some_pose(n: int) -> torch.Tensor:
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3] = rotation(0, 0.3 * n) @ rotation(1, 1.1 * n) @ rotation(2, -0.7 * n)
    pose[:3, 3] = torch.tensor([1.0, -2.0, 0.5]) * n
    return pose


def upright(x: float, y: float, heading: float) -> torch.Tensor:
    """Pose of a camera at (x, y) that looks along `heading`, from +x towards +y."""
    pose = torch.eye(4, dtype=torch.float64)
    c, s = math.cos(heading), math.sin(heading)
    pose[:3, :3] = torch.tensor([[s, 0, c], [-c, 0, s], [0, -1, 0]])
    pose[:3, 3] = torch.tensor([x, y, 0.75])
    return pose


def test_a_point_is_carried_from_one_camera_to_the_other():
    a, x = some_pose(1), some_pose(2)
    R, t = relative(a, x)
    point = torch.tensor([0.4, -1.3, 2.2], dtype=torch.float64)
    in_a, in_x = (p[:3, :3].T @ (point - p[:3, 3]) for p in (a, x))
    torch.testing.assert_close(R @ in_a + t, in_x)
    whole = torch.linalg.inv(x) @ a
    torch.testing.assert_close(torch.cat([R, t[:, None]], 1), whole[:3])


def test_a_camera_seen_from_itself_stands_still():
    R, t = relative(some_pose(3), some_pose(3))
    torch.testing.assert_close(R, torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(t, torch.zeros(3, dtype=torch.float64))


@pytest.mark.parametrize("heading", [0.0, 1.0, -2.5])
def test_steps_and_turns_are_read_wherever_the_camera_looks(heading):
    forward = np.array([math.cos(heading), math.sin(heading)])
    right = np.array([math.sin(heading), -math.cos(heading)])
    a = upright(5, 6, heading)
    ahead = upright(*(np.array([5, 6]) + 0.2 * forward), heading)
    torch.testing.assert_close(
        camera_vector(a, ahead), torch.tensor([0, -2.0, 0], dtype=torch.float64), atol=1e-6, rtol=0
    )  # what stood at a now lies behind
    aside = upright(*(np.array([5, 6]) + 0.2 * right), heading)
    torch.testing.assert_close(
        camera_vector(a, aside), torch.tensor([-2.0, 0, 0], dtype=torch.float64), atol=1e-6, rtol=0
    )
    left = upright(5, 6, heading + 0.3)
    torch.testing.assert_close(
        camera_vector(a, left), torch.tensor([0, 0, 3.0], dtype=torch.float64), atol=1e-6, rtol=0
    )


def test_batches_are_the_single_ones():
    many = torch.stack([some_pose(n) for n in range(6)]).view(2, 3, 4, 4)
    R, t = relative(many[:, :1], many)
    for b in range(2):
        for n in range(3):
            one = relative(many[b, 0], many[b, n])
            torch.testing.assert_close(R[b, n], one[0])
            torch.testing.assert_close(t[b, n], one[1])


def test_the_small_camera_vector_is_right_ahead_turn_times_ten():
    poses = torch.from_numpy(Rooms(16).poses(3, np.arange(20)))
    a, x = poses[:-1], poses[1:]
    g = camera_vector(a, x)
    forward, right = a[:, :2, 2], a[:, :2, 0]
    turned = torch.atan2(x[:, 1, 2], x[:, 0, 2]) - torch.atan2(forward[:, 1], forward[:, 0])
    torch.testing.assert_close(torch.remainder(g[:, 2] / 10 - turned + 1, 2 * math.pi), torch.ones(19).double())
    moved = x[:, :2, 3] - a[:, :2, 3]
    ahead = (moved * x[:, :2, 2]).sum(1)  # in the axes of x, where a lies behind
    torch.testing.assert_close(g[:, 1], -10 * ahead)
    torch.testing.assert_close(g[:, 0], -10 * (moved * x[:, :2, 0]).sum(1))
    assert (right * forward).sum(1).abs().max() < 1e-9


def test_the_full_camera_vector_is_rotation_translation_and_lens():
    poses = torch.from_numpy(Rooms(16).poses(3, np.arange(2)))
    K = torch.tensor([[10.0, 0, 8], [0, 10, 8], [0, 0, 1]]).double()
    g = camera_vector(poses[0], poses[1], K)
    assert g.shape == (30,)
    whole = torch.linalg.inv(poses[1]) @ poses[0]
    torch.testing.assert_close(g[:9].view(3, 3), whole[:3, :3])
    torch.testing.assert_close(g[9:12], whole[:3, 3])
    torch.testing.assert_close(g[12:21].view(3, 3) @ g[21:].view(3, 3), torch.eye(3).double())


def test_the_poses_of_the_world_pass():
    poses = torch.from_numpy(Rooms(16).poses(EVALUATION_SEEDS + np.arange(3), np.tile(np.arange(20), (3, 1))))
    check_poses(poses, 20, upright=True)
    check_poses(poses.float(), 7, upright=True)
    check_poses(some_pose(2).expand(1, 4, 4, 4), 4, upright=False)


def bad():
    good = upright(1, 2, 0.5).expand(2, 5, 4, 4)
    mirrored, long, moved, nan = good.clone(), good.clone(), good.clone(), good.clone()
    mirrored[0, 1, :3, 0] *= -1
    long[1, 4, :3, :3] *= 1.1
    moved[0, 0, 3, 0] = 0.5
    nan[0, 0, 0, 3] = torch.nan
    return {
        "short": (good[:, :3], r"\(b, t, 4, 4\) with t >= 5"),
        "flat": (good[0], r"\(b, t, 4, 4\)"),
        "3 x 4": (good[..., :3, :], r"\(b, t, 4, 4\)"),
        "none": (good[:0], r"\(b, t, 4, 4\)"),
        "mirrored": (mirrored, "a rotation, a position"),
        "too long": (long, "a rotation, a position"),
        "last row": (moved, "the last row"),
        "NaN": (nan, "a rotation, a position"),
        "tilted": (some_pose(1).expand(2, 5, 4, 4), "upright"),
    }


@pytest.mark.parametrize("name", bad())
def test_what_is_no_pose_is_told(name):
    poses, words = bad()[name]
    with pytest.raises(UserError, match=words):
        check_poses(poses, 5, upright=True)
