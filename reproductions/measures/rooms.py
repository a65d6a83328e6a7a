"""Exact measures for the `rooms` world: does a video show the right place, return to it, and move as the camera does?

The house of a seed can be drawn from any pose, so every frame has one true picture, and depth and pose say where each
of its points lay one frame earlier. The pixels are compared with that; nothing is learned.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.measures.check import clips
from reproductions.measures.exact import Quantity
from reproductions.worlds.base import World
from reproductions.worlds.rooms import Rooms, Truth
from reproductions.worlds.rooms_map import WALLS

__all__ = ["LEGIBLE", "QUANTITIES", "per_frame", "read_places", "read_walls", "returns", "warped"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

QUANTITIES = (
    Quantity(
        "view",
        "view error",
        "grey levels, 0 to 1",
        "lower",
        "Mean absolute difference between the frame and the true view from the same pose. 0 on real video; freeze, "
        "repeat, shuffle and noise are all worse. It punishes a small shift of a sharp picture more than blur.",
    ),
    Quantity(
        "return",
        "return error",
        "grey levels, 0 to 1",
        "lower",
        "Mean absolute difference between the frame and the video's own frame one loop earlier, where the camera stood "
        "in the same pose; NaN on the first loop. 0 on real video; shuffle and noise are worse. A frozen video scores "
        "0 as well and must not be credited: read it beside `motion`, and beside `view` for a wrong but steady house.",
    ),
    Quantity(
        "place",
        "place error",
        "frames",
        "lower",
        "The frame is compared with all true views along the loop; counted is how many frames the nearest of them lies "
        "from the true place, on the shorter way round. 0 on real video; freeze, repeat, shuffle and noise are worse, "
        "up to a quarter of a loop on average for a video that shows no place or any.",
    ),
    Quantity(
        "steps",
        "lawful steps",
        "share",
        "higher",
        "1 where the place read moves on by exactly one frame from the frame before, and both frames look like a view "
        "of this house, else 0; NaN at the first frame. It forgives being in the wrong place. 1 on real video, near 0 "
        "for freeze, shuffle and noise; a repeated stretch of real video is lawful inside and not exposed by it.",
    ),
    Quantity(
        "walls",
        "wall colours",
        "share",
        "higher",
        "Over the walls that the true view shows, by area: the share whose most frequent colour, whatever its "
        "brightness, is that of their room. NaN where no wall covers a 12th of the frame. Near 1 on real video, by "
        "chance on noise; freeze, repeat and shuffle are worse than real, but keep what is still the same room.",
    ),
    Quantity(
        "warp",
        "warping error",
        "grey levels, 0 to 1",
        "lower",
        "The frame before, carried along by true depth and poses, against the frame: mean absolute difference over the "
        "points that both see; NaN at the first frame. Not 0 on real video, for sampling costs a little; freeze, "
        "shuffle and noise are worse. Smooth pictures have a low one whatever they show, so read it beside `view`.",
    ),
    Quantity(
        "motion",
        "amount of motion",
        "share",
        "higher",
        "Mean absolute difference to the frame before, over that of the true views, or its inverse where that is above "
        "1: 1 as much as true, 0 frozen or flickering without bounds; NaN at the first frame. 1 on real video, 0 for "
        "freeze; shuffle and noise change too much, and so does real video with noise on it.",
    ),
)

LEGIBLE = 0.12
"""A frame shows the house if its root mean squared error to some true view along the loop is at most this."""

_PIECE = 128  # frames looked at together
_LEAST = 12  # a wall counts from the 12th part of a frame
_SAME = 0.03  # relative difference of depth up to which a point is taken for the same


def per_frame(video: F32, truth: Truth, world: World[Any]) -> dict[str, F64]:
    """Every quantity by id, (b, t), for video (b, t, 3, h, w), as `measures.exact` says. Raises UserError as
    `check.clips`, and for another size than the world's, or another number of videos or frames than the truth's.
    """
    if not isinstance(world, Rooms):
        raise UserError(f"these measures are for the rooms world, not {world.name}")
    lead, size = truth.place.shape, world.size
    if video.shape != (*lead, 3, size, size):
        raise UserError(
            f"the video must have the shape {(*lead, 3, size, size)}, as world and truth, not {video.shape}"
        )
    clips(video, "the video", (0, 1))
    found = {quantity.id: np.full(lead, np.nan) for quantity in QUANTITIES}
    for n in range(lead[0]):
        for at in range(0, lead[1], _PIECE):
            start = max(0, at - 1)  # a step needs the frame before
            piece = slice(start, at + _PIECE)
            values = _piece(video[n, piece], truth.pose[n, piece], truth.seed[n, 0], world)
            for name, value in values.items():
                found[name][n, at : at + _PIECE] = value[at - start :]
        place, off = read_places(video[n], truth.seed[n, 0], world)
        away = (place - truth.place[n]) % world.loop
        found["place"][n] = np.minimum(away, world.loop - away)
        known = off <= LEGIBLE
        found["steps"][n, 1:] = (np.diff(place) % world.loop == 1) & known[1:] & known[:-1]
    found["return"] = returns(video, truth.place)
    return found


def _piece(video: F32, pose: F64, seed: np.uint64, world: Rooms) -> dict[str, F64]:
    """What needs the true view, of one video (t, 3, h, w)."""
    real = world.render(pose, seed)
    nothing = np.full(1, np.nan)
    moved, should = (np.abs(np.diff(v, axis=0)).mean((1, 2, 3), dtype=np.float64) for v in (video, real))
    # min(r, 1 / r) for r = moved / should; where nothing should move, only stillness is right
    least, most = np.minimum(moved, should), np.maximum(moved, should)
    motion = np.divide(least, most, out=np.ones_like(most), where=most > 0)
    depth = world.depths(pose, seed)
    carried, seen = warped(video[:-1], depth[:-1], depth[1:], pose[:-1], pose[1:], world.intrinsics)
    off = (np.abs(carried - video[1:]).mean(1, dtype=np.float64) * seen).sum((1, 2))
    count = seen.sum((1, 2))
    warp = np.divide(off, count, out=np.full(len(off), np.nan), where=count > 0)
    surface = world.surfaces(pose, seed)
    return {
        "view": np.abs(video - real).mean((1, 2, 3), dtype=np.float64),
        "walls": _wall_share(video, surface, world.house(seed).wall),
        "warp": np.concatenate([nothing, warp]),
        "motion": np.concatenate([nothing, motion]),
    }


def returns(video: F32, place: NDArray[np.int64]) -> F64:
    """Return error (b, t): |frame - the video's latest earlier frame of the same place|, mean; NaN where there is none.

    place: (b, t), as in `Truth.place`.
    """
    error = np.full(place.shape, np.nan)
    for n, row in enumerate(place):
        latest: dict[int, int] = {}
        for t, here in enumerate(row.tolist()):
            if here in latest:
                error[n, t] = np.abs(video[n, t] - video[n, latest[here]]).mean(dtype=np.float64)
            latest[here] = t
    return error


def read_places(video: F32, seed: Any, world: Rooms) -> tuple[NDArray[np.int64], F64]:
    """Which place of the loop, 0 to loop - 1, each frame (t, 3, h, w) shows: the one whose true view is nearest by
    squared error; and the root of the mean squared error (t,) to that view.
    """
    start = np.arange(world.loop)
    truth = world.poses(seed, start)
    views = world.render(truth, seed).reshape(world.loop, -1)
    frames = video.reshape(len(video), -1)
    # |f - v|^2 = |f|^2 - 2 f . v + |v|^2, and the first term is the same for all v
    best = (frames @ (2 * views.T) - np.square(views).sum(1)).argmax(1)
    off = [np.square(frame - views[k]).mean(dtype=np.float64) for frame, k in zip(frames, best, strict=True)]
    return world.place(seed, start)[best], np.sqrt(off)


def read_walls(video: F32) -> NDArray[np.int64]:
    """For each pixel (t, h, w) of frames (t, 3, h, w): the index into WALLS of the colour with the nearest direction,
    so that light and shade do not matter."""
    towards = WALLS / np.linalg.norm(WALLS, axis=1, keepdims=True)
    found: NDArray[np.int64] = np.einsum("tchw,kc->tkhw", video, towards, optimize=True).argmax(1)
    return found


def _wall_share(video: F32, surface: NDArray[np.int64], wall: NDArray[np.int64]) -> F64:
    frames, rooms = len(video), len(wall)
    kinds = len(WALLS)
    on_wall = surface < rooms
    frame = np.broadcast_to(np.arange(frames)[:, None, None], surface.shape)
    index = (frame * rooms + surface) * kinds + read_walls(video)
    votes = np.bincount(index[on_wall], minlength=frames * rooms * kinds).reshape(frames, rooms, kinds)
    area = votes.sum(-1)
    area = np.where(area * _LEAST >= surface[0].size, area, 0)
    right = (area * (votes.argmax(-1) == wall)).sum(1)
    whole = area.sum(1)
    return np.divide(right, whole, out=np.full(frames, np.nan), where=whole > 0)


def warped(
    before: F32, depth_before: F32, depth: F32, pose_before: F64, pose: F64, intrinsics: F64
) -> tuple[F32, NDArray[np.bool_]]:
    """Frames (t, 3, h, w) carried along to the poses that follow, and where (t, h, w) that shows the same points.

    Pixel p of the later frame shows the point X = T (z K^-1 p), T its pose; it lay at K T_before^-1 X in the frame
    before, which is read there between its four nearest pixels. A point counts if what they see is as far away as it.
    """
    frames, _, height, width = before.shape
    y, x = (np.arange(n) + 0.5 for n in (height, width))
    rays = np.stack([*np.meshgrid(x, y), np.ones((height, width))], -1) @ np.linalg.inv(intrinsics).T
    move = np.linalg.inv(pose_before) @ pose
    # K (R z K^-1 p + s), with the matrices multiplied first: three rows per frame
    turn, shift = (intrinsics @ move[:, :3, :3]).astype(np.float32), (intrinsics @ move[:, :3, 3:]).astype(np.float32)
    pixel = turn @ rays.reshape(-1, 3).T.astype(np.float32) * depth.reshape(frames, 1, height * width) + shift
    z = pixel[:, 2]
    ahead = z > 1e-3
    u, v = (pixel[:, k] / np.where(ahead, z, 1) - np.float32(0.5) for k in (0, 1))
    inside = ahead & (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
    i, j = (np.where(inside, np.floor(a), 0).astype(np.int32).clip(0, n - 2) for a, n in ((v, height), (u, width)))
    dy, dx = np.where(inside, v, 0) - i, np.where(inside, u, 0) - j
    # On a slanted surface it is 1 / z, not z, that is linear between pixels.
    nearness, colours = (1 / depth_before).ravel(), before.reshape(frames, 3, height * width)
    first = (np.arange(frames) * height * width)[:, None]
    channel = (np.arange(3) * height * width)[:, None]
    out = np.zeros((frames, 3, height * width), np.float32)
    inverse = np.zeros((frames, height * width), np.float32)
    for di, dj in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weight = (np.abs(1 - di - dy) * np.abs(1 - dj - dx)).astype(np.float32)
        at = first + (i + di) * width + j + dj
        inverse += weight * nearness.take(at)
        out += weight[:, None] * colours.take((at + 2 * first)[:, None] + channel)
    same = np.abs(inverse * np.where(ahead, z, 1) - 1) < _SAME
    seen = (inside & same).reshape(frames, height, width)
    return out.reshape(before.shape), seen
