"""Cameras: how one pose is seen from another, and whether a matrix is a pose.

A pose is camera to world, (..., 4, 4): a rotation, whose columns are the camera's axes right, down and forward, and the
place where the camera stands.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kiloframe.errors import UserError

__all__ = ["camera_vector", "check_poses", "relative"]

_LEVEL = 1e-3  # how far a given pose may be off


def relative(origin: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
    """R = R_x R_a^T, t = t_x - R t_a, of world to camera (R, t): from the axes of camera a to those of camera x.

    origin (a), pose (x): (..., 4, 4). Returns (..., 3, 3) and (..., 3).
    """
    back = pose[..., :3, :3].mT  # R_x. The camera stands at c = -R_x^T t_x, so that t_x - R t_a = R_x (c_a - c_x).
    shift = (back @ (origin[..., :3, 3] - pose[..., :3, 3]).unsqueeze(-1)).squeeze(-1)
    return back @ origin[..., :3, :3], shift


def camera_vector(origin: Tensor, pose: Tensor, intrinsics: Tensor | None = None) -> Tensor:
    """g of camera x seen from camera a, poses (..., 4, 4) twice, with R and t as in `relative`.

    With intrinsics K (3, 3), the same for both: R (9), t (3), K (9), K^-1 (9), together (..., 30). Without, for cameras
    that stand upright: ten times (t right, t forward, turn about the upright axis), (..., 3); the turn is in radians,
    above 0 where x has turned to the left of a. Ten times, so that a step of a walk is about 1.
    """
    R, t = relative(origin, pose)
    if intrinsics is None:
        return 10 * torch.stack([t[..., 0], t[..., 2], torch.atan2(R[..., 0, 2], R[..., 0, 0])], -1)
    lens = torch.cat([intrinsics.flatten(), intrinsics.inverse().flatten()])
    return torch.cat([R.flatten(-2), t, lens.expand(*t.shape[:-1], -1)], -1)


def check_poses(poses: Tensor, frames: int, *, upright: bool) -> None:
    """Raise UserError unless `poses` are (b, t, 4, 4) with t >= frames and each is a pose; upright: with the axis
    down at (0, 0, -1).
    """
    if poses.ndim != 4 or poses.shape[2:] != (4, 4) or poses.shape[1] < frames or not len(poses):
        raise UserError(f"poses must have the shape (b, t, 4, 4) with t >= {frames}, not {tuple(poses.shape)}")
    poses = poses.double().cpu()
    R = poses[..., :3, :3]
    off = (R @ R.mT - torch.eye(3)).abs().amax((-1, -2)) + (torch.linalg.det(R) - 1).abs()
    off = off + (poses[..., 3, :] - torch.tensor([0.0, 0, 0, 1])).abs().amax(-1)
    if not bool((off < _LEVEL).all() and poses.isfinite().all()):  # NaN is wrong too
        raise UserError("poses must be camera to world: a rotation, a position, and the last row (0, 0, 0, 1)")
    if upright and bool(((R[..., 1] + torch.tensor([0.0, 0, 1])).abs() > _LEVEL).any()):
        raise UserError("the camera must stand upright in every pose: its second column is (0, 0, -1, 0)")
