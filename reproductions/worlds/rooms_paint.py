"""From rays to pixels: the colours of the `rooms` world. Patterns are formulas, filtered to the width of a pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reproductions.worlds.rooms_cast import PILLAR, Rays
from reproductions.worlds.rooms_map import DOORWAY, EYE, FLOORS, HEIGHT, LANDMARKS, SIDE, WALLS, House

__all__ = ["paint"]

F32 = NDArray[np.float32]

_WOOD = np.array((0.50, 0.32, 0.18), np.float32)  # the insides of doorways
_PLASTER = np.array((1.00, 0.91, 0.77), np.float32)  # ceilings
_GOLD = np.array((0.80, 0.62, 0.26), np.float32)  # frames of pictures
_DARK = np.array((0.26, 0.16, 0.10), np.float32)  # frames of doors
_WHITE = np.array((0.96, 0.95, 0.92), np.float32)  # frames of windows
_SKY = np.array((0.62, 0.84, 0.98), np.float32)

_FOG = 0.085  # brightness falls as 1 / (1 + _FOG depth): a lamp that the camera carries
# What hangs on walls, by kind (picture, door, window): left and right edge, bottom, top, width of the frame.
_PLACE = np.array(
    [(0.16, 0.84, 0.62, 1.18, 0.07), (0.16, 0.84, 0.0, 1.15, 0.08), (0.12, 0.88, 0.55, 1.22, 0.07)], np.float32
)
_SPLIT = np.array([0.84, 0.55, 0.78], np.float32)  # the height where the lower field begins
# By texture (wainscot, brick, stripes, tiles, and last a pillar or doorway): strength of the courses, their height,
# strength of the upright joints, their distance, 1 where every other course is shifted, strength and width of stripes,
# strength of the panelling below.
_TEXTURE = np.array(
    [
        (0.00, 0.30, 0.16, 0.50, 0.0, 0.00, 0.25, 0.34),
        (0.24, 0.1875, 0.24, 0.50, 1.0, 0.00, 0.25, 0.00),
        (0.00, 0.30, 0.00, 0.50, 0.0, 0.17, 0.25, 0.20),
        (0.26, 0.50, 0.26, 0.50, 0.0, 0.00, 0.25, 0.00),
        (0.00, 0.30, 0.00, 0.50, 0.0, 0.10, 0.12, 0.00),
    ],
    np.float32,
)
_JOINT = np.float32(0.02)  # half of a joint's width


def paint(house: House, rays: Rays, focal: float, out: F32) -> None:
    """Draw the frames (f, 3, h, w) that the rays (f w n) see, n rays side by side per pixel, into `out`."""
    frames, _, height, width = out.shape
    count = len(rays.depth) // (frames * width)
    down = (np.arange(height, dtype=np.float32) + np.float32(0.5 - height / 2))[None]  # pixels below the horizon
    picture = _ground(house, rays, focal, height)
    walls = _walls(house, rays, focal, down)
    # The share of a pixel that lies on the wall, whose edges are EYE focal / depth pixels from the horizon.
    edge = (EYE * focal / rays.depth + 0.5).astype(np.float32)[:, None]
    share = np.clip(edge - np.abs(down), 0, 1)
    walls -= picture
    walls *= share
    picture += walls
    fine = picture.reshape(3, frames, width, count, height)
    total = fine[..., 0, :].copy()
    for n in range(1, count):
        total += fine[..., n, :]
    total *= np.float32(1 / count)
    np.clip(total, 0, 1, out=total)
    out[...] = total.transpose(1, 0, 3, 2)


def _ground(house: House, rays: Rays, focal: float, height: int) -> F32:
    """Floor and ceiling in all pixels, (3, r, h). Both lie EYE away: a row and its mirror image share (x, y)."""
    half = (height + 1) // 2
    below = np.arange(half, dtype=np.float32) + np.float32(0.5 if height % 2 == 0 else 0)
    depth = np.float32(EYE * focal) / np.maximum(below, np.float32(0.05))  # (half,)
    deep = depth * depth / np.float32(EYE * focal)  # how much of it one pixel covers, along the ray
    wide = depth / np.float32(focal)  # and across
    index = rays.house.astype(np.int32)[:, None] * (SIDE * SIDE)
    signs, beams = [], []
    for start, direction, right, stride in (
        (rays.x, rays.across, rays.right_x, SIDE),
        (rays.y, rays.along, rays.right_y, 1),
    ):
        d = direction.astype(np.float32)[:, None]
        at = d * depth + start.astype(np.float32)[:, None]
        blur = np.abs(d) * deep + np.abs(right).astype(np.float32)[:, None] * wide
        cell = np.floor(at)
        at -= cell
        index = index + np.clip(cell, 0, SIDE - 1).astype(np.int32) * stride
        # Distance from the middle of the cell; tiles are half a cell wide.
        at -= np.float32(0.5)
        np.abs(at, out=at)
        signs.append(np.clip((np.float32(0.25) - at) * (2 / (blur + 4 * blur * blur * blur)), -1, 1))
        beams.append(np.clip((at - np.float32(0.43)) / blur + np.float32(0.5), 0, 1) / (1 + blur * blur * 6))
    # The codes of all cells, then one row of the table for each sample.
    code = house.grid.ravel()[index] + (rays.house * 11).astype(np.int32)[:, None]
    table = _floor_table(house)
    lay_x, lay_y = table[3].take(code), table[4].take(code)
    lay_x *= signs[0]
    lay_x += 1 - np.abs(table[3]).take(code)
    lay_y *= signs[1]
    lay_y += 1 - np.abs(table[4]).take(code)
    shade = (1 / (1 + np.float32(_FOG) * depth)).astype(np.float32)
    pattern = lay_x * lay_y
    pattern *= np.float32(0.24)
    pattern += 1
    pattern *= shade
    beam = np.maximum(beams[0], beams[1])
    beam *= np.float32(-0.34)
    beam += 1
    beam *= table[5].take(code)
    beam *= shade
    out = np.empty((3, len(rays.depth), height), np.float32)
    for c in range(3):
        out[c, :, height - half :] = table[c].take(code) * pattern
        out[c, :, :half] = (beam * _PLASTER[c])[:, ::-1]
    return out


def _floor_table(house: House) -> F32:
    """What lies on the cells of each room, DOORWAY and SOLID: (6, b 11): colour, how much the pattern follows x, how
    much y, brightness of the ceiling."""
    table = np.zeros((6, len(house.grid), 11), np.float32)
    table[:3, :, :9] = np.moveaxis(FLOORS[house.floor], -1, 0)
    table[:3, :, 9:] = (0.8 * _WOOD)[:, None, None]
    table[3, :, :9] = np.where(house.laid == 2, 0.35, 1)
    table[4, :, :9] = np.where(house.laid == 1, 0.35, 1)
    table[5] = 1
    table[5, :, DOORWAY] = 0.42
    return table.reshape(6, -1)


def _walls(house: House, rays: Rays, focal: float, down: F32) -> F32:
    """Walls in all pixels, (3, r, h)."""
    owner = np.minimum(rays.owner, 8)
    pillar, doorway = rays.surface == PILLAR, rays.surface == DOORWAY
    kind = np.where(pillar | doorway, len(_TEXTURE) - 1, house.texture[rays.house, owner])
    course, tall, joint, far, shifted, stripe, pitch, panel = _TEXTURE[kind].T
    u, blur, depth = (a.astype(np.float32) for a in (rays.u, rays.blur, rays.depth))
    size = depth / np.float32(focal)  # of a pixel, upright
    # Along the wall: stripes, and the joints of even and odd courses. One value per ray.
    lum = 1 + stripe * _wave(u / pitch, blur / pitch)
    even = joint * _line(u / far, blur / far, _JOINT / far)
    odd = joint * _line(u / far + np.float32(0.5) * shifted, blur / far, _JOINT / far)
    # Upwards.
    v = np.float32(EYE) - down * size[:, None]
    rise, fine = v / tall[:, None], (size / tall)[:, None]
    seam = course[:, None] * _line(rise, fine, (_JOINT / tall)[:, None])
    odd_course = np.float32(0.5) - np.float32(0.5) * _wave(rise * np.float32(0.5), fine * np.float32(0.5))
    light = np.maximum(seam, even[:, None] + (odd - even)[:, None] * odd_course)
    np.subtract(lum[:, None], light, out=light)
    sharp = np.reciprocal(size)[:, None]
    light -= panel[:, None] * np.clip((np.float32(0.5) - v) * sharp + np.float32(0.5), 0, 1)
    light -= np.float32(0.38) * light * np.clip((np.float32(0.10) - v) * sharp + np.float32(0.5), 0, 1)
    light += np.float32(0.22) * light * np.clip((v - np.float32(HEIGHT - 0.12)) * sharp + np.float32(0.5), 0, 1)
    tint = WALLS[house.wall[rays.house, owner]]
    tint[doorway] = _WOOD
    tint[pillar] = LANDMARKS[house.pillar_colour[rays.house[pillar], owner[pillar]]]
    shade = (rays.light / (1 + _FOG * rays.depth)).astype(np.float32)
    out = tint.T[:, :, None] * light
    hung = np.flatnonzero(rays.decor)
    if len(hung):
        out[:, hung] = _hang(out[:, hung], rays.decor[hung] - 1, u[hung], blur[hung], v[hung], sharp[hung])
    out *= shade[:, None]
    return out


def _hang(wall: F32, code: NDArray[np.int64], u: F32, blur: F32, v: F32, sharp: F32) -> F32:
    """Pictures, doors and windows over walls (3, r, h)."""
    kind, colour = np.divmod(code, len(LANDMARKS))
    left, right, low, high, frame = _PLACE[kind].T
    u = u - np.floor(u)
    fill = LANDMARKS[colour]
    rim = np.stack([_GOLD, _DARK, _WHITE])[kind]
    upper = np.where((kind == 2)[:, None], _SKY, fill)
    lower = np.where((kind == 2)[:, None], fill, fill * np.where(kind == 0, 0.45, 0.86).astype(np.float32)[:, None])

    def box(inset: F32) -> F32:
        along = _within(u, left + inset, right - inset, np.reciprocal(blur))[:, None]
        bottom = np.where(kind == 1, low, low + inset)
        up: F32 = along * _within(v, bottom[:, None], (high - inset)[:, None], sharp)
        return up

    outer, inner = box(np.zeros_like(frame)), box(frame)
    below = np.clip((_SPLIT[kind][:, None] - v) * sharp + np.float32(0.5), 0, 1)
    for c in range(3):
        wall[c] += outer * (rim[:, c, None] - wall[c])
        field = upper[:, c, None] + below * (lower - upper)[:, c, None]
        wall[c] += inner * (field - wall[c])
    return wall


def _within(at: F32, low: F32, high: F32, sharp: F32) -> F32:
    """The share of a pixel, 1 / sharp wide, that lies between low and high."""
    inside: F32 = np.clip(np.minimum(at - low, high - at) * sharp + np.float32(0.5), 0, 1)
    return inside


def _wave(x: F32, blur: F32) -> F32:
    """A square wave of period 1 between -1 and 1, over pixels `blur` wide; it fades where they are too coarse."""
    x = x - np.floor(x)
    wave: F32 = np.clip((np.float32(0.25) - np.abs(x - np.float32(0.5))) * (2 / (blur + 4 * blur * blur * blur)), -1, 1)
    return wave


def _line(x: F32, blur: F32, half: F32) -> F32:
    """Lines around whole numbers, `half` wide to each side, over pixels `blur` wide; they fade as `_wave` does."""
    x = np.abs(x - np.rint(x))
    return np.clip((half - x) / blur + np.float32(0.5), 0, 1) * np.minimum(1, 2 * half / blur)
