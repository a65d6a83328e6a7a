"""Cameras: how one pose is seen from another, and whether a matrix is a pose.

A pose is camera to world, (..., 4, 4): a rotation, whose columns are the camera's axes right, down and forward, and the
place where the camera stands.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kiloframe.errors import UserError

__all__ = ["check_poses", "plane_motion", "relative"]

_LEVEL = 1e-3  # how far a given pose may be off


def relative(origin: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
    """R = R_x R_a^T, t = t_x - R t_a, of world to camera (R, t): from the axes of camera a to those of camera x.

    origin (a), pose (x): (..., 4, 4). Returns (..., 3, 3) and (..., 3).
    """
    back = pose[..., :3, :3].mT  # R_x. The camera stands at c = -R_x^T t_x, so that t_x - R t_a = R_x (c_a - c_x).
    shift = (back @ (origin[..., :3, 3] - pose[..., :3, 3]).unsqueeze(-1)).squeeze(-1)
    return back @ origin[..., :3, :3], shift


def plane_motion(rotation: Tensor, shift: Tensor) -> Tensor:
    """Of `relative` between upright cameras, the three numbers that are left, (..., 3): t right, t forward, and the
    turn about the upright axis in radians, above 0 where camera x has turned to the left of a.
    """
    return torch.stack([shift[..., 0], shift[..., 2], torch.atan2(rotation[..., 0, 2], rotation[..., 0, 0])], -1)


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
