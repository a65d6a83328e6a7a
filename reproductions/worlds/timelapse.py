"""`timelapse`: a sky over hills, with clouds that drift in a steady wind, day and night in 240 frames.

Everything is a closed form of (seed, t), and t need not be whole: `moment` draws the sky at any real time, which is
what methods with continuous time train on. The clock, sun, moon and wind are exact laws; the clouds are fractal value
noise over an endless lattice, so the sky never repeats. What the sky looks like at an hour is the same in all videos
(`backdrop`); a seed decides the hour of frame 0, the wind, the clouds, the hills and the stars.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.worlds.base import Clip, World, uniform

__all__ = [
    "DAY_FRAMES",
    "STARS",
    "SUMMIT",
    "Backdrop",
    "Timelapse",
    "Truth",
    "backdrop",
    "hill_colours",
    "night",
    "orbit",
]

DAY_FRAMES = 240
STARS = 20
_OPACITY = 0.92  # of the thickest cloud: even behind it the sun leaves a trace
_HORIZON = 0.86  # where sun and moon rise and set, and where the sky's gradient ends; in frame sides, as all below
_ARC = (0.70, 0.42)  # half axes of the ellipse on which both travel
_SUN, _MOON = 0.062, 0.050  # radii
_HILLS = ((0.74, 0.075, 1.0), (0.82, 0.045, 1.4), (0.91, 0.035, 0.8))  # middle, height and roughness, far to near
SUMMIT = 0.74 - 0.075 * 2
"""No hill reaches higher, in frame sides from the top: the waves of a ridge add up to less than twice its height."""
_WIND = (0.032, 0.064)  # slowest and fastest, per frame
_CELL = (0.26, 0.42)  # of the coarsest octave's lattice: clouds are wider than high
_OCTAVES = 5
_GAIN = 0.52
_MORPH = 150  # frames in which a coarse lattice point goes round once, about
_WEATHER = 700  # frames from overcast to overcast
_SOFT = 0.55  # half the width of a cloud's edge, in standard deviations of the noise
_LATTICE = 1 << 60  # streams from here on belong to the lattice of the clouds
_CHUNK = 1 << 16  # pixels drawn at once: what fits a processor's cache

# The look of a day. Per row: hour; sky at the zenith and at the horizon; clouds in the light and in the shade; the
# nearest hill; the glow round the sun or moon. Morning is rosy and evening orange, so that the colours tell them apart.
_DAY = (
    (0.0, 0x060A22, 0x141C40, 0x4E5E88, 0x141A36, 0x05070D, 0x1C2436),
    (3.5, 0x061428, 0x143044, 0x486F88, 0x12262E, 0x060910, 0x1C2634),
    (5.0, 0x1A2450, 0x80566E, 0x8C6A86, 0x3C3456, 0x10121C, 0x402028),
    (6.0, 0x40588F, 0xF8A090, 0xFFBCAC, 0x80668A, 0x242230, 0x66342A),
    (7.3, 0x4A80C6, 0xFBD8B8, 0xFFE2E2, 0xA8A0C4, 0x2A4234, 0x5C4028),
    (9.5, 0x3680E0, 0xAEDAF5, 0xFFFFFA, 0xAEBACB, 0x2C5A38, 0x38321E),
    (12.0, 0x2272E2, 0x9AD2F8, 0xFFFFFF, 0xB4C2D4, 0x2F6836, 0x2C2A1C),
    (15.0, 0x3074D0, 0xB4D2E8, 0xFFFCF2, 0xB4B6C2, 0x38632F, 0x38301E),
    (16.8, 0x4A72BC, 0xF6CC8C, 0xFFE4B0, 0xB49C94, 0x3A4A28, 0x66441C),
    (18.0, 0x4E4486, 0xFF8436, 0xFFA260, 0x804E68, 0x2A1C20, 0x7A3C10),
    (19.0, 0x281F58, 0xBC4644, 0xBC6068, 0x4A2C4E, 0x14101A, 0x481C14),
    (20.3, 0x100D36, 0x44224E, 0x6C5080, 0x24193A, 0x09080F, 0x201828),
    (22.0, 0x0B0828, 0x221642, 0x60547E, 0x1E1632, 0x06060D, 0x1C2032),
)
_SUN_HIGH, _SUN_LOW, _MOONLIGHT, _STARLIGHT = np.array(
    [(1.0, 0.98, 0.86), (1.0, 0.74, 0.42), (0.95, 0.95, 0.88), (0.86, 0.90, 1.0)], np.float32
)
_HAZE = np.array((0.42, 0.20, 0.0), np.float32)  # the horizon's share in a hill's colour, far to near

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Truth:
    """What is so in every frame; leading axes as the video's (..., t).

    time_of_day: [0, 1), 0 is midnight and 0.5 noon; sun, moon: (..., t, 2), (y, x) of the centre in pixels (a pixel's
    centre lies at a whole number and a half), NaN below the horizon; wind: (..., t, 2), (y, x) in pixels per frame,
    the same throughout a video; clouds: float32 (..., t, h, w) in [0, 1], their density as drawn, also behind the
    hills; cover: [0, 1], its mean over the visible sky; horizon: (..., t, w), how many pixels from the top the
    skyline of the hills lies in each column; stars: (..., t, STARS, 3), y and x in pixels and brightness in (0, 1].
    """

    time_of_day: Floats
    sun: Floats
    moon: Floats
    wind: Floats
    clouds: Pixels
    cover: Floats
    horizon: Floats
    stars: Floats


class Backdrop(NamedTuple):
    """What an hour looks like, each float32 (n, 3, h, w): the clear sky with sun and moon but no stars, and the colours
    that a cloud would have at each pixel, in the light and in the shade."""

    sky: Pixels
    lit: Pixels
    shade: Pixels


class _Scene(NamedTuple):
    """What a seed decides, for s seeds: see `Timelapse._scene`."""

    phase: Floats
    wind: Floats
    horizon: Floats
    stars: Floats
    starlight: Pixels
    hills: Pixels


class Timelapse(World[Truth]):
    """The world. `size`: pixels per side, 16 to 128; `day_frames`: frames from midnight to midnight, at least 2;
    `evolve`: how fast clouds change shape while they drift, from 0 (never: the field only shifts) to 4; 1 is natural.

    Raises UserError for a value out of range.

    Example:
        >>> world = Timelapse()
        >>> clip = world.moment(seeds=[3], times=[[0, 0.5, 1.0]])
        >>> clip.video.shape, bool((clip.video[0, ::2] == world.clip(3, 0, 2).video).all())
        ((1, 3, 3, 16, 16), True)
    """

    name = "timelapse"
    about = "clouds that drift over hills through day and night, with sun, moon and stars; time is continuous"

    def __init__(self, size: int = 16, day_frames: int = DAY_FRAMES, evolve: float = 1.0) -> None:
        super().__init__(size)
        if day_frames < 2:
            raise UserError(f"a day of the timelapse world has at least 2 frames, not {day_frames}")
        if not 0 <= evolve <= 4:
            raise UserError(f"the timelapse world's clouds evolve at a rate from 0 to 4, not {evolve}")
        self.day_frames, self.evolve = day_frames, evolve
        self._lift = max(1, round(size / 20))  # a cloud's shade is seen from so many pixels above

    def moment(self, seeds: Any, times: Any) -> Clip[Truth]:
        """The videos `seeds` (...) at any real times (..., t), counted in frames from 0: whole numbers give `at`.

        Raises UserError for a time before 0 or not finite, and a negative seed.
        """
        when = np.asarray(times, np.float64)
        if not (when >= 0).all() or np.isinf(when).any():
            raise UserError("the timelapse world's times are finite and start at 0; another was asked for")
        seeds = np.asarray(seeds)
        if seeds.dtype.kind == "i" and (seeds < 0).any():
            raise UserError("a world's seeds are whole numbers from 0; a negative one was asked for")
        return self._paint(seeds.astype(np.uint64), when)

    def _render(self, seeds: NDArray[np.uint64], t: NDArray[np.int64]) -> Clip[Truth]:
        return self._paint(seeds, t.astype(np.float64))

    def _paint(self, seeds: NDArray[np.uint64], times: Floats) -> Clip[Truth]:
        lead = (*np.broadcast_shapes(seeds.shape, times.shape[:-1]), times.shape[-1])
        flat_seeds = np.broadcast_to(seeds, lead[:-1]).ravel()
        scene = self._scene(flat_seeds)
        t = np.broadcast_to(times, lead).ravel()
        owner = np.repeat(np.arange(len(flat_seeds)), lead[-1])
        hour = (scene.phase[owner] + t / self.day_frames) % 1
        pixels = (self.size, self.size)
        video, clouds = np.empty((len(t), 3, *pixels), np.float32), np.empty((len(t), *pixels), np.float32)
        cover = np.empty(len(t))
        step = max(1, _CHUNK // self.size**2)
        for first in range(0, len(t), step):
            some = slice(first, first + step)
            of = owner[some]
            clouds[some], dark = self._clouds(flat_seeds[of], t[some], scene.wind[of])
            video[some] = self._compose(hour[some], clouds[some], dark, scene, of)
            open_sky = 1 - scene.hills[of].sum(1)
            cover[some] = (clouds[some] * open_sky).sum((1, 2)) / open_sky.sum((1, 2))
        sun, moon = (self._place(hour + shift).reshape(*lead, 2) for shift in (0.0, 0.5))
        fixed = (
            np.broadcast_to(what[:, None], (len(what), lead[-1], *what.shape[1:])).reshape(*lead, *what.shape[1:])
            for what in (scene.wind * self.size, scene.horizon, scene.stars)
        )
        wind, horizon, stars = fixed
        truth = Truth(
            hour.reshape(lead), sun, moon, wind, clouds.reshape(*lead, *pixels), cover.reshape(lead), horizon, stars,
        )  # fmt: skip
        return Clip(video.reshape(*lead, 3, *pixels), truth)

    def _place(self, hour: Floats) -> Floats:
        """(y, x) of what is highest at hour 0.5, in pixels: (n, 2), NaN below the horizon."""
        y, x = orbit(hour)
        return np.where(y < _HORIZON, (y, x), np.nan).T * self.size

    def _scene(self, seeds: NDArray[np.uint64]) -> _Scene:
        """For seeds (s,): phase of the day (s,), wind (s, 2) in sides per frame, horizon (s, w) and stars (s, n, 3) in
        pixels, the light of all stars (s, h, w), and how much of each pixel each of the three hills fills (s, 3, h, w).
        """
        speed = _WIND[0] + (_WIND[1] - _WIND[0]) * uniform(seeds, 1)
        slant = (uniform(seeds, 2) - 0.5) * 0.6  # radians off the level
        towards = np.where(uniform(seeds, 3) < 0.5, -1, 1)
        wind = np.stack([speed * np.sin(slant), speed * np.cos(slant) * towards], -1)
        one = seeds[:, None]
        number = np.arange(STARS)
        y, x = uniform(one, 100 + number) * (_HORIZON - 0.1), uniform(one, 200 + number)
        place = np.stack([y, x], -1) * self.size
        wide = self.size / 56  # a star's radius in pixels; below a pixel it fades instead of shrinking
        radius = max(1.0, wide)
        place = np.floor(place) + 0.5 if wide < 1 else place  # and is one pixel, not a blur of four
        stars = np.concatenate([place, 0.3 + 0.7 * uniform(one, 300 + number)[..., None] ** 2], -1)
        centre = np.arange(self.size) + 0.5
        rows, columns = (np.maximum(0, 1 - np.abs(centre - stars[..., a, None]) / radius) for a in (0, 1))
        starlight = min(1.0, wide + 0.25) * np.swapaxes(rows * stars[..., 2, None], -1, -2) @ columns
        ridges = np.stack([_ridge(one, 400 + 20 * n, centre / self.size, *_HILLS[n]) for n in range(3)], 1) * self.size
        # A ridge at height r fills pixel i to i + 1 - r, between nothing and all; what is nearer hides what is behind.
        below = np.clip(np.arange(1, self.size + 1)[:, None] - ridges[:, :, None, :], 0, 1)
        below[:, 0] = np.maximum(0, below[:, 0] - below[:, 1:].max(1))
        below[:, 1] = np.maximum(0, below[:, 1] - below[:, 2])
        return _Scene(
            uniform(seeds, 0), wind, ridges.min(1), stars, starlight.astype(np.float32), below.astype(np.float32)
        )

    def _clouds(self, seeds: NDArray[np.uint64], t: Floats, wind: Floats) -> tuple[Pixels, Pixels]:
        """Density and darkness of the clouds, both (n, h, w) in [0, 1], for n frames."""
        turn = uniform(seeds, 6) + self.evolve * t / _WEATHER
        weather = 0.25 - 0.5 * uniform(seeds, 5) + 0.3 * np.sin(2 * np.pi * turn)
        noise = self._noise(seeds, t, wind)
        here, above = noise[:, self._lift :], noise[:, : -self._lift]
        x = np.clip((here - weather[:, None, None].astype(np.float32)) / (2 * _SOFT) + 0.5, 0, 1)
        density = _OPACITY * x * x * (3 - 2 * x)
        return density, np.clip(0.15 + 0.75 * (above - here) + 0.35 * x, 0, 1)

    def _noise(self, seeds: NDArray[np.uint64], t: Floats, wind: Floats) -> Pixels:
        """Fractal value noise of mean 0 and deviation about 1, (n, lift + h, w): rows begin `lift` above the frame.

        sum_o gain^o N(2^o (p - wind t) / cell), N the cubic B-spline over values on the whole numbers.
        """
        total = np.zeros((len(t), self._lift + self.size, self.size), np.float32)
        for octave in range(_OCTAVES):
            cells = [cell * self.size / 2**octave for cell in _CELL]  # in pixels
            strength = _GAIN**octave * min(1.0, cells[0] - 1)  # what a pixel cannot resolve fades out
            if strength <= 0:
                break
            knots, weights = [], []
            for axis, (cell, pixels, first) in enumerate(
                zip(cells, total.shape[1:], (0.5 - self._lift, 0.5), strict=True)
            ):
                start = (first - wind[:, axis] * self.size * t) / cell
                whole = np.floor(start)
                count = int(1 + (pixels - 1) / cell) + 4
                knots.append(whole.astype(np.int64)[:, None] - 1 + np.arange(count))
                at = (start - whole)[:, None] + np.arange(pixels) / cell
                weights.append(_spline((at[:, :, None] - (np.arange(count) - 1)).astype(np.float32)))
            values = self._lattice(seeds, t, octave, *knots)
            total += np.float32(strength * _UNIT) * (weights[0] @ values @ np.swapaxes(weights[1], 1, 2))
        return total

    def _lattice(
        self, seeds: NDArray[np.uint64], t: Floats, octave: int, rows: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> Pixels:
        """The noise at lattice points (n, rows, columns): sin(2 pi (u + r t)), each with its own u and rate r."""
        place = ((columns[:, None, :] & 0xFFFFFFFF) << 24) | (rows[:, :, None] & 0xFFFFFF)
        u = uniform(seeds[:, None, None], _LATTICE + place * 8 + octave)
        other = u * 4096 % 1  # the lower bits of u are a draw of their own
        rate = self.evolve * 1.4**octave / _MORPH * np.where(other < 0.5, -0.5 - other, other)
        turn = (u + rate * t[:, None, None]) % 1
        return np.sin(np.float32(2 * np.pi) * turn.astype(np.float32))

    def _compose(self, hour: Floats, clouds: Pixels, dark: Pixels, scene: _Scene, of: NDArray[np.int64]) -> Pixels:
        """Frames (n, 3, h, w) of the videos `of` (n,): stars before the sky, clouds before them, hills before all."""
        frame, lit, shade = backdrop(hour, self.size)
        glimmer = scene.starlight[of] * night(hour).astype(np.float32)[:, None, None]
        frame += glimmer[:, None] * _STARLIGHT[:, None, None] * (1 - frame)
        colour = lit + dark[:, None] * (shade - lit)
        frame += clouds[:, None] * (colour - frame)
        top = int(SUMMIT * self.size)
        hills, colours = scene.hills[of, :, top:], hill_colours(hour)
        low = frame[:, :, top:]
        low *= 1 - hills.sum(1)[:, None]
        for n in range(len(_HILLS)):
            low += colours[:, n, :, None, None] * hills[:, n, None]
        return np.clip(frame, 0, 1)


def backdrop(hour: Floats, size: int) -> Backdrop:
    """What the times of day (n,), 0 to 1 from midnight, look like in frames of `size` pixels per side."""
    zenith, horizon, lit, shade, _, glow = (colour[:, :, None, None] for colour in _colours(hour))
    centre = ((np.arange(size) + 0.5) / size).astype(np.float32)
    fall = (np.clip(centre / _HORIZON, 0, 1) ** 1.6)[:, None]
    sky = zenith + fall * (horizon - zenith)
    sky = np.broadcast_to(sky, (len(hour), 3, size, size)).copy()
    shine = np.zeros((len(hour), 1, size, size), np.float32)
    for shift, radius, spread in ((0.0, _SUN, 0.22), (0.5, _MOON, 0.15)):
        y, x = (part.astype(np.float32)[:, None] for part in orbit(hour + shift))
        up = np.clip((_HORIZON + 0.12 - y) / 0.24, 0, 1)  # afterglow: it fades while the sun sinks
        rows, columns = np.square(centre - y), np.square(centre - x)
        flare = up * np.exp(-rows / (2 * spread**2))
        around = flare[:, :, None] * np.exp(-columns / (2 * (1.3 * spread) ** 2))[:, None, :]
        shine += around[:, None]
        sky += around[:, None] * glow
        far = np.sqrt(rows[:, :, None] + columns[:, None, :])
        disc = np.clip((radius - far) * size + 0.5, 0, 1)[:, None]
        high = np.clip((_HORIZON - y) / 0.5, 0, 1)
        tint = _SUN_LOW + high * (_SUN_HIGH - _SUN_LOW) if shift == 0 else _MOONLIGHT[None]
        sky += disc * (tint[..., None, None] - sky)
    warmth = shine * glow
    return Backdrop(sky, lit + 0.6 * warmth, shade + 0.3 * warmth)


def hill_colours(hour: Floats) -> Pixels:
    """The three hills at the times of day (n,): (n, 3 hills from far to near, 3 channels); far ones stand in haze."""
    _, horizon, _, _, near, _ = _colours(hour)
    return near[:, None] + _HAZE[:, None] * (horizon - near)[:, None]


def night(hour: Floats) -> Floats:
    """How far the stars are out at the times of day: 0 by day, 1 while the sun is well below the horizon."""
    depth = np.clip((np.cos(2 * np.pi * hour) - 0.15) / 0.45, 0, 1)
    return depth * depth * (3 - 2 * depth)


def orbit(hour: Floats) -> tuple[Floats, Floats]:
    """(y, x) of the sun at the times of day, in sides: it rises on the left at 6 o'clock, highest at 12, sets at 18.

    The moon stands where the sun stands half a day later or earlier.
    """
    angle = 2 * np.pi * (hour - 0.25)
    return _HORIZON - _ARC[0] * np.sin(angle), 0.5 - _ARC[1] * np.cos(angle)


def _colours(hour: Floats) -> NDArray[np.float32]:
    """The six colours of `_DAY` at times of day (n,), by interpolation between its hours: (6, n, 3)."""
    return np.moveaxis(_track()(hour % 1), 1, 0).astype(np.float32)


@lru_cache(maxsize=1)
def _track() -> Any:
    from scipy.interpolate import PchipInterpolator  # smooth, and never beyond the colours given

    hours = np.array([row[0] for row in _DAY]) / 24
    colours = np.array([[[code >> 16, code >> 8 & 255, code & 255] for code in row[1:]] for row in _DAY]) / 255
    around = np.concatenate([hours - 1, hours, hours + 1])
    return PchipInterpolator(around, np.concatenate([colours] * 3))


def _ridge(seeds: NDArray[np.uint64], stream: int, x: Floats, middle: float, height: float, rough: float) -> Floats:
    """A skyline (s, w) in sides from the top: a sum of waves, each shorter and lower than the one before."""
    y = np.full((len(seeds), len(x)), middle)
    for wave in range(5):
        length = rough * (0.7 + 0.6 * uniform(seeds, stream + wave)) * 1.9**wave
        y += height * 0.5**wave * np.sin(2 * np.pi * (length * x + uniform(seeds, stream + 10 + wave)))
    return y


def _spline(x: Pixels) -> Pixels:
    """The cubic B-spline: (2 - |x|)^3 / 6 - 4 (1 - |x|)^3 / 6, each term where it is positive."""
    far = np.abs(x)
    outer, inner = np.maximum(0, 2 - far), np.maximum(0, 1 - far)
    return outer * outer * outer / 6 - inner * inner * inner * np.float32(2 / 3)


# Brings the noise to deviation 1: a sine has variance 1/2, the B-spline keeps 151/315 of it per axis on average
# (the integral of its square), and independent octaves add their variances.
_UNIT = 1 / float(np.sqrt(0.5 * (151 / 315) ** 2 * sum(_GAIN ** (2 * octave) for octave in range(_OCTAVES))))

WORLD = Timelapse
