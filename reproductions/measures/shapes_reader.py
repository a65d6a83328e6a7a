"""What the frames of a `shapes` video show, read from the pixels alone: which shapes, how large and where.

Each pixel is given to the colour of the palette it is a shade of; what one colour covers is compared with every kind
and size at every place on a grid of 2/3 pixel, and the best four are moved to the place where they fit best. Pixels
of other colours say nothing about what lies behind them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.worlds.shapes import BACKGROUND, KINDS, PALETTE, RADII, SIZES, UNIT, coverage

__all__ = ["CLEAR", "VISIBLE", "Reading", "read_shapes"]

VISIBLE = 0.8
"""From this match on (see `Reading.match`) a shape counts as seen."""
CLEAR = 0.65
"""From this share in sight on (see `Reading.sight`) what was read of a shape is relied upon."""

_IN_SIGHT = 0.45  # below this share in sight nothing counts as present
_CONCEIVABLE = 0.25  # below this share in sight nothing is thought of
_STRENGTH = 0.5  # a shape that covers what it covers to less than this is a shadow, not a shape
_DARK = 0.12  # a pixel this near to the background is background
_SHADE = 0.15, 0.25  # how far a pixel may lie from the shades of a colour: at least, and relative to its brightness
_TIE = 0.02  # matches nearer than this are equally good
_MUCH, _WELL = 0.4, 0.9  # share of its colour and match from which on a piece is a shape
_PIECE = 0.2  # pixels covered to this extent hold a piece together
_MASS = 4.0  # pixels of one colour, at 16x16, below which it is not looked at
_CHUNK = 256
_CANDIDATES = 4
_MOVES = 2
_NUDGE = 0.25
_SPACING = 0.65  # of the places that are looked at first, in pixels at 16x16


Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Reading:
    """What was read, per frame and colour of the palette: (..., t, colours).

    present: bool, a shape of this colour is in sight; match: [0, 1], cosine similarity between what the colour covers
    and the best shape, over the pixels that no other colour covers (1 is perfect); sight: [0, 1], the share of the
    shape that is not covered; kind: index into KINDS; large: bool; position: (..., t, colours, 2), (y, x) of the
    centre in pixels; twin: bool, there is a second shape of this colour. Where `present` is false the others mean
    nothing.
    """

    present: NDArray[np.bool_]
    match: NDArray[np.float64]
    sight: NDArray[np.float64]
    kind: NDArray[np.int64]
    large: NDArray[np.bool_]
    position: NDArray[np.float64]
    twin: NDArray[np.bool_]


class _Masks(NamedTuple):
    """What one colour covers, and what no other colour hides: (m, 256) each, in [0, 1]."""

    cover: Floats
    free: Floats


class _Best(NamedTuple):
    match: NDArray[np.float64]
    sight: NDArray[np.float64]
    kind: NDArray[np.int64]
    large: NDArray[np.bool_]
    position: NDArray[np.float64]


def read_shapes(video: NDArray[np.float32]) -> Reading:
    """Read a video (..., t, 3, h, w), float in [0, 1], h = w from 16 to 128: whatever shapes are there.

    Frames are reduced to 16x16 pixels first. A shape is present when its match is at least VISIBLE and at least 0.45
    of it in sight. Raises UserError for frames of another shape.
    """
    *lead, channels, height, width = video.shape
    if channels != 3 or height != width or not 16 <= height <= 128 or not lead:
        raise UserError(
            f"frames of the shapes world are (..., 3, n, n) with n from 16 to 128, not {tuple(video.shape)}"
        )
    shrink = _shrink(height)
    frames = video.reshape(-1, 3, height, width).astype(np.float32, copy=False)
    chunks = (frames[i : i + _CHUNK] for i in range(0, len(frames), _CHUNK))
    parts = [_read((shrink @ chunk @ shrink.T).astype(np.float32, copy=False)) for chunk in chunks]
    joined = (
        np.concatenate([getattr(part, field.name) for part in parts]).reshape(
            *lead, len(PALETTE), *getattr(parts[0], field.name).shape[2:]
        )
        for field in fields(Reading)
    )
    present, match, sight, kind, large, position, twin = joined
    return Reading(present, match, sight, kind, large, position * (height / UNIT), twin)


@lru_cache(maxsize=8)
def _shrink(size: int) -> Floats:
    """(16, size): averages over the part of a row that each of 16 pixels takes up."""
    edge = np.arange(UNIT + 1) * size / UNIT
    overlap = np.minimum(edge[1:, None], np.arange(1, size + 1)) - np.maximum(edge[:-1, None], np.arange(size))
    averages: Floats = (overlap.clip(0) * UNIT / size).astype(np.float32)
    return averages


def _read(frames: Floats) -> Reading:
    n, colours = len(frames), len(PALETTE)
    cover, free = _separate(frames)
    shape = (n, colours)
    kind, large, position = np.zeros(shape, np.int64), np.zeros(shape, bool), np.zeros((*shape, 2))
    match, sight, twin = np.zeros(shape), np.zeros(shape), np.zeros(shape, bool)
    frame, colour = np.nonzero(cover.sum(2) >= _MASS)
    for at in range(0, len(frame), _CHUNK):
        f, c = frame[at : at + _CHUNK], colour[at : at + _CHUNK]
        masks = _Masks(cover[f, c], free[f, c])
        best = _fit_pieces(masks)
        match[f, c], sight[f, c], kind[f, c], large[f, c], position[f, c] = best
        twin[f, c] = (best.match >= VISIBLE) & _another(masks, best)
    return Reading(match >= VISIBLE, match, sight, kind, large, position, twin)


def _separate(frames: Floats) -> tuple[Floats, Floats]:
    """What each colour covers, and what the others leave free, (n, colours, 256) each."""
    light = (frames - BACKGROUND[:, None, None]).reshape(len(frames), 3, -1)
    full = PALETTE - BACKGROUND
    share = np.einsum("kc,ncp->nkp", full / np.square(full).sum(1, keepdims=True), light).clip(0)
    bright = np.square(light).sum(1)
    # |light - share full|^2 = |light|^2 - share^2 |full|^2, share being the projection
    off = bright[:, None] - np.square(share) * np.square(full).sum(1)[:, None]
    nearest = off.argmin(1)
    rest = np.sqrt(np.take_along_axis(off, nearest[:, None], 1)[:, 0].clip(0))
    lit = bright > _DARK**2
    pure = lit & (rest <= np.maximum(_SHADE[0], _SHADE[1] * np.sqrt(bright)))
    cover = np.where((nearest[:, None] == np.arange(len(PALETTE))[:, None]) & pure[:, None], share.clip(0, 1.2), 0)
    # A mixture of two colours may be anyone's edge: nobody is judged by it.
    all_cover = np.where(pure, cover.sum(1), np.where(lit, 1, 0))[:, None]
    free = 1 - (all_cover - cover).clip(0, 1)
    return cover.astype(np.float32), free.astype(np.float32)


def _fit_pieces(masks: _Masks) -> _Best:
    """As `_fit`, and where nothing matches all that a colour covers, the best for its largest connected piece."""
    from scipy.ndimage import label

    best = _fit(masks)
    rows = np.flatnonzero(best.match < VISIBLE)
    if len(rows):
        within = np.zeros((3, 3, 3), bool)
        within[1] = True  # neighbours in the same frame only
        image = masks.cover[rows].reshape(-1, UNIT, UNIT)
        pieces, count = label(image > _PIECE, within)
        size = np.bincount(pieces.ravel(), image.ravel(), count + 1)
        size[0] = 0
        size = size[pieces].reshape(len(rows), -1)
        largest = _spread(((size > 0) & (size == size.max(1, keepdims=True))).reshape(image.shape))
        piece = masks.cover[rows] * largest
        again = _fit(_Masks(piece, masks.free[rows]))
        # Among specks of noise some look like something: a piece has to hold much of the colour and to match well.
        sound = (piece.sum(1) >= _MUCH * masks.cover[rows].sum(1)) & (again.match >= _WELL)
        for old, new in zip(best, again, strict=True):
            old[rows[sound]] = new[sound]
    return best


def _spread(image: NDArray[Any]) -> NDArray[np.bool_]:
    """What is not 0, and the pixels around it: (n, 16, 16) to (n, 256)."""
    from scipy.ndimage import maximum_filter

    wider: NDArray[np.bool_] = (maximum_filter(image, (1, 3, 3)) > 0).reshape(len(image), -1)
    return wider


def _fit(masks: _Masks) -> _Best:
    """The kind, size and place that match each mask best."""
    stamps, starts, places = _stamps()
    squares = np.square(stamps)
    covered, bare = masks.cover @ stamps.T, masks.free @ squares.T
    score = np.where(bare >= _CONCEIVABLE * squares.sum(1), covered / np.sqrt(np.maximum(bare, 1e-6)), -1)
    # The best place of each kind and size, then the best few of these, moved to where they fit
    peaks = np.stack([score[:, a:b].argmax(1) + a for a, b in pairwise(starts)], 1)
    heights = np.take_along_axis(score, peaks, 1)
    group = np.argsort(-heights, axis=1)[:, :_CANDIDATES]
    place = places[np.take_along_axis(peaks, group, 1)]
    kind, large = group // len(SIZES), group % len(SIZES) == 1
    place, match, seen = _move(masks, kind, large, place)
    # What else would match as well makes a shape no clearer than that other shape is.
    allowed = np.where(seen >= _IN_SIGHT, match, 0)
    seen = np.where(match >= allowed.max(1, keepdims=True) - _TIE, seen, 1).min(1)
    pick = allowed.argmax(1)[:, None]
    best, kind, large = (np.take_along_axis(v, pick, 1) for v in (allowed, kind, large))
    place, _, _ = _move(masks, kind, large, np.take_along_axis(place, pick[..., None], 1))
    return _Best(best[:, 0], seen, kind[:, 0], large[:, 0], place[:, 0])


def _move(
    masks: _Masks, kind: NDArray[np.int64], large: NDArray[np.bool_], place: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Gauss-Newton on sum free (cover - s shape(place))^2: the places, the matches there and the shares in sight."""
    cover, free = masks.cover[:, None], masks.free[:, None]
    radius = RADII[large.astype(np.int64)][..., None]
    for _ in range(_MOVES):
        here = coverage(kind, large, place, UNIT).reshape(*kind.shape, -1)
        slope = [
            (coverage(kind, large, place + step, UNIT).reshape(here.shape) - here) / _NUDGE
            for step in (np.array((_NUDGE, 0)), np.array((0, _NUDGE)))
        ]
        strength = (cover * here).sum(-1) / np.maximum((free * here * here).sum(-1), 1e-3)
        miss = (cover - strength[..., None] * here) * free
        y, x = (g * strength[..., None] for g in slope)
        a, b, c = (free * y * y).sum(-1) + 1e-3, (free * y * x).sum(-1), (free * x * x).sum(-1) + 1e-3
        e, f = (miss * y).sum(-1), (miss * x).sum(-1)
        shift = np.stack([c * e - b * f, a * f - b * e], -1) / (a * c - b * b)[..., None]
        place = np.clip(place + shift.clip(-0.5, 0.5), radius - 1, UNIT + 1 - radius)
    here = coverage(kind, large, place, UNIT).reshape(*kind.shape, -1)
    covered, bare = (cover * here).sum(-1), (free * here * here).sum(-1)
    sight = (free * here).sum(-1) / np.maximum(here.sum(-1), 1e-6)
    match = covered / np.sqrt(np.maximum(bare, 1e-6)) / np.maximum(np.linalg.norm(cover, axis=-1), 1e-6)
    match = np.where((sight >= _CONCEIVABLE) & (covered >= _STRENGTH * bare), match, 0)
    return place, match.astype(np.float64).clip(0, 1), sight.astype(np.float64)


def _another(masks: _Masks, best: _Best) -> NDArray[np.bool_]:
    """Is there a second shape of the same colour, away from the best one?"""
    here = coverage(best.kind, best.large, best.position, UNIT)
    beyond = ~_spread(here)
    left = masks.cover * beyond
    found = np.zeros(len(here), bool)
    rows = np.flatnonzero(left.sum(1) >= 2 * _MASS)
    if len(rows):
        found[rows] = _fit(_Masks(left[rows], (masks.free * beyond)[rows])).match >= VISIBLE
    return found


@lru_cache(maxsize=1)
def _stamps() -> tuple[Floats, list[int], NDArray[np.float64]]:
    """Every kind and size on a grid: stamps (n, 256), where each kind and size begins, and their places (n, 2)."""
    stamps, places, starts = [], [], [0]
    for kind in range(len(KINDS)):
        for large in range(len(SIZES)):
            room = UNIT - 2 * RADII[large]
            line = RADII[large] + np.linspace(0, room, 1 + round(room / _SPACING))
            at = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
            drawn = coverage(np.full(len(at), kind), np.full(len(at), large == 1), at, UNIT)
            stamps.append(drawn.reshape(len(at), -1))
            places.append(at)
            starts.append(starts[-1] + len(at))
    return np.concatenate(stamps), starts, np.concatenate(places)
