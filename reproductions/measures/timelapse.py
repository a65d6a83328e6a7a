"""Exact measures for the `timelapse` world: the hour, the wind, clouds, hills and stars, read from the pixels alone.

Every pixel of a real sky lies in a triangle of colours that its hour and place decide: clear sky, cloud in the light,
cloud in the shade. `read_timelapse` looks for the hour whose triangles leave the least over. Where in its triangle a
pixel lies is then how thick the cloud is, and how far apart the clouds of neighbouring frames lie is the wind. All is
read at 16x16 pixels, to which larger frames are averaged.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.measures.check import clips
from reproductions.measures.exact import Quantity
from reproductions.worlds.timelapse import SUMMIT, Timelapse, Truth, backdrop, hill_colours, night, orbit

__all__ = ["LAG", "QUANTITIES", "START", "Reading", "per_frame", "read_timelapse"]

LAG = 3
"""Clouds are compared over so many frames: three times the way for the same error of reading."""
START = 8
"""Without a truth a video is held to its own first frames: so many."""

QUANTITIES = (
    Quantity(
        "clock_error", "clock error", "hours", "lower",
        "Hours (24 to a day) from the time of day that the sky's colours tell to the true one or, without a truth, "
        "to the clock of the video's first 8 frames run on. Never NaN. Guessing gives 6, and so do freeze, repeat, "
        "shuffle and noise over whole days; other clouds, or other hills, cost nothing.",
    ),
    Quantity(
        "clock_rate", "clock at its rate", "share", "higher",
        "1 if the clock went on over the last twentieth of a day by what it should, to within half of that, else 0; "
        "NaN before. It forgives a wrong hour, which the clock error counts. Freeze, shuffle and noise lose nearly "
        "all of it, repeat only the steps across its seams.",
    ),
    Quantity(
        "wind_error", "wind error", "pixels", "lower",
        "Pixels per frame between the drift of the clouds over the last 3 frames and the wind or, without a truth, the "
        "median drift of the video's first 8 frames. NaN in the first 3 frames and where the sky has no edges to go "
        "by. Real clouds also change shape, which costs a tenth of a pixel in 16. Freeze misses the wind's full speed, "
        "shuffle and noise more; repeat only what its seams cost.",
    ),
    Quantity(
        "hills_kept", "hills kept", "share", "higher",
        "Share of columns in which the hills are as high as they must be, to within 0.75 pixels of a 16-pixel frame; "
        "without a truth, as in the median of the first 8 frames. Never NaN; a column in colours of no hill and no sky "
        "is not kept. Another video's hills get two fifths by chance. Noise gets next to nothing, but freeze, repeat "
        "and shuffle keep the hills as real video does.",
    ),
    Quantity(
        "stars_kept", "stars kept", "correlation", "higher",
        "Correlation of the points of light in the clear part of a night sky with where the stars stand; without a "
        "truth, with those of the video's first 8 night frames, from the ninth on. NaN by day and where clouds leave "
        "too little. Other stars are near 0, noise is seldom read as a night at all; freeze, repeat and shuffle keep "
        "the stars. In larger frames a star is a small part of what is read, and real video too lies well below 1: "
        "read it against real video of the same size.",
    ),
    Quantity(
        "cover_error", "cloud cover error", "share", "lower",
        "Difference between the share of the upper sky that clouds fill and the true one; NaN without a truth. Clouds "
        "that have yet to blow into the picture cannot be known, so even a perfect continuation drifts away from it, "
        "as far as freeze or another video: it is there to show skies that clear up or fill for ever.",
    ),
    Quantity(
        "sky_explained", "colours of the sky", "share", "higher",
        "How much of the upper sky has colours that exist at the hour read, 1 for all of it. Needs no truth and is "
        "never NaN. Noise is near 0, or a third where large frames average it to grey; freeze, repeat, shuffle and "
        "blur have real colours, and so they keep it.",
    ),
)  # fmt: skip

_SIDE = 16
_SKY_ROWS = int(SUMMIT * _SIDE)  # above every hill
_HOURS = 240  # templates round the day
_COARSE = 4  # every so many are tried first
_TOLERANCE = 0.06  # a colour off by so much is half foreign
_PRIOR = (3e-3, 0.45)  # weight of the prior on a cloud's darkness, and the darkness of most
_REACH = (2, 5)  # displacements over LAG frames that are tried, in pixels of 16, per axis; the wind's is at most 3.1
_PLAIN = 0.08  # below this standard deviation a cloud field has no edges to go by
_UNKNOWN = 0.5  # from this mean foreignness on, the lower part of a column shows neither hill nor sky
_HEIGHT_TOLERANCE = 0.75
_CHUNK = 64

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Reading:
    """What was read from every frame; leading axes as the video's (..., t), lengths in pixels of a 16-pixel frame.

    hour: [0, 1), the time of day; explained: [0, 1], how much of the upper sky fits that hour; clouds: (..., t, rows,
    16) in [0, 1], their density above the highest hills; drift: (..., t, 2), (y, x) per frame, how the clouds moved
    over the last LAG frames, NaN where there is nothing to go by; hills: (..., t, 16), height of the skyline above
    the lower edge per column, NaN where its colours are neither a hill's nor the sky's; glints: (..., t, rows, 16),
    light of single points above what surrounds them, without the moon.
    """

    hour: Floats
    explained: Floats
    clouds: Floats
    drift: Floats
    hills: Floats
    glints: Floats


class _Triangles(NamedTuple):
    """Of hours (k,) and pixels (p,): the sky's colour, the edges from it to lit cloud and from there to shaded cloud,
    all (k, 3, p), and what solves for the place within: elements aa, ab, bb of an inverse (k, 3, p)."""

    sky: Pixels
    lit: Pixels
    shade: Pixels
    inverse: Pixels


def per_frame(video: Pixels, truth: Truth | None, world: Timelapse) -> dict[str, Floats]:
    """The quantities by id, (b, t), of a video (b, t, 3, h, w); truth: None for a video that continues no real one.

    Raises UserError as `check.clips`, for frames of another size than the world's, and a truth of other frames.
    """
    if video.ndim != 5 or video.shape[2:] != (3, world.size, world.size):
        raise UserError(
            f"the measures of this timelapse world take videos (b, t, 3, {world.size}, {world.size}), not {video.shape}"
        )
    clips(video, "the video", (0, 1))
    if truth is not None and truth.time_of_day.shape != video.shape[:2]:
        raise UserError(f"the truth is of {truth.time_of_day.shape} videos and frames, the video of {video.shape[:2]}")
    return _compare(read_timelapse(video), truth, world)


def _compare(reading: Reading, truth: Truth | None, world: Timelapse) -> dict[str, Floats]:
    scale = world.size / _SIDE
    passed = np.arange(reading.hour.shape[1]) / world.day_frames
    if truth is None:
        hour = _middle((reading.hour - passed)[:, :START]) + passed
        wind = _median(reading.drift[:, :START])
        hills = _median(reading.hills[:, :START])
        cover, stars = np.nan, _own_stars(reading)
    else:
        hour, wind = truth.time_of_day, truth.wind / scale
        hills = _SIDE - truth.horizon @ _averaging(world.size).T.astype(np.float64) / scale
        cover, stars = _reduced(truth.clouds)[..., :_SKY_ROWS, :].mean((-2, -1)), _true_stars(truth.stars / scale)
    return {
        "clock_error": 24 * np.abs(_turn(reading.hour - hour)),
        "clock_rate": _rate(reading.hour, max(1, round(world.day_frames / 20)), world.day_frames),
        "wind_error": scale * np.linalg.norm(reading.drift - wind, axis=-1),
        "hills_kept": (np.abs(reading.hills - hills) <= _HEIGHT_TOLERANCE).mean(-1),
        "stars_kept": _stars_kept(reading, stars),
        "cover_error": np.abs(reading.clouds.mean((-2, -1)) - cover),
        "sky_explained": reading.explained,
    }


def read_timelapse(video: Pixels) -> Reading:
    """Read a video (..., t, 3, n, n), float in [0, 1], n from 16 to 128. Raises UserError for another shape."""
    *lead, channels, height, width = video.shape
    if channels != 3 or height != width or not 16 <= height <= 128 or not lead:
        raise UserError(f"frames of the timelapse world are (..., 3, n, n), n from 16 to 128, not {video.shape}")
    small = _reduced(video.reshape(-1, 3, height, width))
    parts = [_read(small[i : i + _CHUNK]) for i in range(0, len(small), _CHUNK)]
    hour, explained, clouds, hills, glints = (
        np.concatenate(part).astype(np.float64).reshape(*lead, *part[0].shape[1:]) for part in zip(*parts, strict=True)
    )
    return Reading(hour, explained, clouds, _drift(clouds), hills, glints)


def _read(frames: Pixels) -> tuple[Floats, Floats, Pixels, Pixels, Pixels]:
    hour = _hour(frames[:, :, :_SKY_ROWS].reshape(len(frames), 3, -1))
    flat = frames.reshape(len(frames), 3, -1)
    foreign, density = (x.reshape(-1, _SIDE, _SIDE) for x in _fit(flat, _triangles(hour, _SIDE)))
    unlike_hills = _from_hills(flat, hill_colours(hour)).reshape(-1, _SIDE, _SIDE)
    hill = ((foreign + 1e-4) / (foreign + unlike_hills + 2e-4))[:, _SKY_ROWS:]  # half where it cannot tell
    known = np.minimum(foreign, unlike_hills)[:, _SKY_ROWS:].mean(1) < _UNKNOWN
    light = frames[:, :, :_SKY_ROWS].mean(1)
    glints = np.maximum(0, light - _smooth(light)) * _away_from_moon(hour)
    return (
        hour,
        1 - foreign[:, :_SKY_ROWS].mean((1, 2)),
        density[:, :_SKY_ROWS],
        np.where(known, hill.sum(1), np.nan),
        glints,
    )


def _hour(sky: Pixels) -> Floats:
    """The hour that explains the pixels (n, 3, p) best: of 240 by coarse and fine search, then between them."""
    every = np.arange(0, _HOURS, _COARSE)
    some = slice(None, None, 2)  # half of the pixels will do
    coarse = _fit(sky[:, None, :, some], _Triangles(*(part[every, :, some] for part in _templates())))[0].mean(-1)
    best = every[coarse.argmin(1)]
    near = (best[:, None] + np.arange(-_COARSE - 1, _COARSE + 2)) % _HOURS
    fine = _fit(sky[:, None], _Triangles(*(part[near] for part in _templates())))[0].mean(-1)
    lowest = fine[:, 1:-1].argmin(1) + 1
    n = np.arange(len(sky))
    return ((near[n, lowest] + _vertex(*(fine[n, lowest + step] for step in (-1, 0, 1)))) / _HOURS) % 1


def _fit(pixels: Pixels, triangles: _Triangles) -> tuple[Pixels, Pixels]:
    """How foreign the pixels (..., 3, p) are to their triangles, 0 to 1, and the density of cloud there: (..., p) each.

    Least squares for sky + a lit + b shade with 0 <= b <= a <= 1; an error e counts as e^2 / (e^2 + tolerance^2), so
    that the few pixels of stars, or of what a model made up, do not decide.
    """
    rest = pixels - triangles.sky
    along, across = (rest * triangles.lit).sum(-2), (rest * triangles.shade).sum(-2)
    aa, ab, bb = (triangles.inverse[..., n, :] for n in range(3))
    a = np.clip(aa * along + ab * across, 0, 1)
    b = np.clip(ab * along + bb * across, 0, a)
    rest -= a[..., None, :] * triangles.lit
    rest -= b[..., None, :] * triangles.shade
    return _foreign(np.square(rest).sum(-2)), a


def _foreign(squares: Pixels) -> Pixels:
    return squares / (squares + np.float32(_TOLERANCE**2))


def _from_hills(pixels: Pixels, colours: Pixels) -> Pixels:
    """How foreign pixels (n, 3, p) are to hills of the colours (n, 3, 3), or to what lies between two of them."""
    error = np.full((len(pixels), pixels.shape[-1]), np.inf, np.float32)
    for n in range(2):
        first, edge = colours[:, n, :, None], (colours[:, n + 1] - colours[:, n])[..., None]
        share = ((pixels - first) * edge).sum(1, keepdims=True) / np.maximum(
            np.square(edge).sum(1, keepdims=True), 1e-6
        )
        error = np.minimum(error, np.square(pixels - first - share.clip(0, 1) * edge).sum(1))
    return _foreign(error)


@lru_cache(maxsize=1)
def _templates() -> _Triangles:
    return _triangles(np.arange(_HOURS) / _HOURS, _SKY_ROWS)


def _triangles(hours: Floats, rows: int) -> _Triangles:
    sky, lit, shade = (part[:, :, :rows].reshape(len(hours), 3, -1) for part in backdrop(hours, _SIDE))
    lit, shade = lit - sky, shade - lit
    # Where the edges are near parallel, noise would make much of little: a prior w (b - m a)^2 keeps b near m a.
    w, m = _PRIOR
    aa, bb, ab = np.square(lit).sum(1) + w * m * m, np.square(shade).sum(1) + w, (lit * shade).sum(1) - w * m
    return _Triangles(sky, lit, shade, np.stack([bb, -ab, aa], 1) / (aa * bb - ab * ab)[:, None])


def _drift(clouds: Floats) -> Floats:
    """(y, x) per frame by which cloud fields (..., t, rows, columns) moved over the last LAG frames, (..., t, 2).

    The displacement whose overlap has the smallest mean square difference, and between the whole ones the vertex of
    the parabola through it and its neighbours.
    """
    *lead, frames, height, width = clouds.shape
    drift = np.full((*lead, frames, 2), np.nan)
    fields = _smooth(clouds)  # stars do not move with the clouds
    before, after = (x.reshape(-1, height, width) for x in (fields[..., :-LAG, :, :], fields[..., LAG:, :, :]))
    if not len(before):
        return drift
    dy, dx = _REACH
    cost = np.empty((len(before), 2 * dy + 1, 2 * dx + 1))
    for i in range(-dy, dy + 1):
        for j in range(-dx, dx + 1):
            a = before[:, max(0, -i) : height - max(0, i), max(0, -j) : width - max(0, j)]
            b = after[:, max(0, i) : height + min(0, i), max(0, j) : width + min(0, j)]
            cost[:, i + dy, j + dx] = np.square(a - b).mean((1, 2))
    inner = cost[:, 1:-1, 1:-1].reshape(len(cost), -1).argmin(1)
    y, x = inner // (2 * dx - 1) + 1, inner % (2 * dx - 1) + 1
    n = np.arange(len(cost))
    found = np.stack([y - dy + _vertex(cost[n, y - 1, x], cost[n, y, x], cost[n, y + 1, x]),
                      x - dx + _vertex(cost[n, y, x - 1], cost[n, y, x], cost[n, y, x + 1])], -1)  # fmt: skip
    plain = np.minimum(before.std((1, 2)), after.std((1, 2))) < _PLAIN
    found[plain] = np.nan
    drift[..., LAG:, :] = (found / LAG).reshape(*lead, frames - LAG, 2)
    return drift


def _vertex(before: Floats, here: Floats, after: Floats) -> Floats:
    """Where between -1/2 and 1/2 a parabola through three values at -1, 0 and 1 is lowest; 0 where it is flat."""
    bend = before - 2 * here + after
    return np.where(bend > 1e-9, 0.5 * (before - after) / np.maximum(bend, 1e-9), 0).clip(-0.5, 0.5)


def _rate(hour: Floats, lag: int, day_frames: int) -> Floats:
    due = lag / day_frames
    rate = np.full(hour.shape, np.nan)
    rate[:, lag:] = np.abs(_turn(hour[:, lag:] - hour[:, :-lag] - due)) <= due / 2
    return rate


def _stars_kept(reading: Reading, stars: Floats) -> Floats:
    """Correlation of the glints with `stars` (b, t, rows, 16) over the clear part of the night sky, (b, t)."""
    clear = (_smooth(reading.clouds) < 0.5) & (_away_from_moon(reading.hour) > 0)
    weight = clear / np.maximum(clear.sum((-2, -1), keepdims=True), 1)
    a, b = (x - (weight * x).sum((-2, -1), keepdims=True) for x in (reading.glints, stars))
    product, aa, bb = ((weight * x).sum((-2, -1)) for x in (a * b, a * a, b * b))
    enough = (clear.mean((-2, -1)) > 0.25) & (night(reading.hour) > 0.5) & (bb > 1e-6)
    return np.where(enough, product / np.sqrt(np.maximum(aa * bb, 1e-12)), np.nan)


def _true_stars(stars: Floats) -> Floats:
    """Where the stars (b, t, n, 3) stand in the upper sky of 16x16 pixels, each shared by the pixels it touches."""
    centre = np.arange(_SIDE) + 0.5
    rows, columns = (np.maximum(0, 1 - np.abs(centre - stars[:, 0, :, a, None])) for a in (0, 1))
    light: Floats = np.swapaxes(rows[..., :_SKY_ROWS] * stars[:, 0, :, 2, None], 1, 2) @ columns
    return light[:, None]


def _own_stars(reading: Reading) -> Floats:
    """The mean glints of each video's first START night frames, in later frames; NaN until then: (b, t, rows, 16)."""
    dark = night(reading.hour) > 0.5
    count = dark.cumsum(1)
    first = dark & (count <= START)
    mean = (reading.glints * first[..., None, None]).sum(1) / np.maximum(first.sum(1), 1)[:, None, None]
    return np.where((count > START)[..., None, None], mean[:, None], np.nan)


def _away_from_moon(hour: Floats) -> Pixels:
    """1 where the moon cannot shine, else 0: (..., rows, 16)."""
    y, x = orbit(hour + 0.5)
    centre = np.arange(_SIDE) + 0.5
    far = np.hypot(centre[:_SKY_ROWS, None] - y[..., None, None] * _SIDE, centre[None, :] - x[..., None, None] * _SIDE)
    return (far > 2.5).astype(np.float32)


def _smooth(fields: NDArray[np.floating]) -> NDArray[np.floating]:
    """The median of 3x3 pixels, over the last two axes."""
    from scipy.ndimage import median_filter

    smooth: NDArray[np.floating] = median_filter(fields, (1,) * (fields.ndim - 2) + (3, 3), mode="nearest")
    return smooth


def _turn(difference: Floats) -> Floats:
    """A difference of times of day as the shortest way round the clock, in [-1/2, 1/2)."""
    return (difference + 0.5) % 1 - 0.5


def _middle(hours: Floats) -> Floats:
    """Of times of day (b, n) the one that lies nearest to all others, round the clock: (b, 1)."""
    far = np.abs(_turn(hours[:, :, None] - hours[:, None, :])).sum(2)
    return np.take_along_axis(hours, far.argmin(1)[:, None], 1)


def _median(values: Floats) -> Floats:
    """The median over the frames (b, t, n) that say something, (b, 1, n); NaN where none does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all of them NaN: so is the median
        return np.asarray(np.nanmedian(values, 1, keepdims=True))


def _reduced(images: Pixels) -> Pixels:
    """Images (..., n, n) averaged to (..., 16, 16)."""
    average = _averaging(images.shape[-1])
    return (average @ images.astype(np.float32) @ average.T).astype(np.float32)


@lru_cache(maxsize=8)
def _averaging(size: int) -> Pixels:
    """(16, size): the mean over each sixteenth of a side, pixels on a border counted in part."""
    edges = np.linspace(0, size, _SIDE + 1)
    pixel = np.arange(size)
    shared = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return (np.maximum(0, shared) * _SIDE / size).astype(np.float32)
