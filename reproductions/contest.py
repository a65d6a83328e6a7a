"""Generated video beside real video and the trivial competitors: the same seeds, frames and measures for all of them.

    contest = Contest(report, "shapes", seeds=[0, 1, 2], videos=4, frames=128)
    contest.add("tats", {s: model.generate(128, seed=s, batch=4) for s in contest.seeds})
    contest.table(caption="...")                  # every exact measure of the world, one row each, recorded
    contest.drift("identity", title="...", alt="...")    # its course along the video, with intervals over the seeds
    contest.distances(caption="...")              # kernel distance of clips over the world network's features
    contest.values("tats", "identity")            # one value per seed, as Report.claim takes them

Real video comes first and freeze, repeat, shuffle and noise last, without being asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions import worlds
from reproductions.measures import baselines, world_network
from reproductions.measures.distances import kernel
from reproductions.measures.estimate import Estimate
from reproductions.measures.exact import Quantity, exact, quantities
from reproductions.measures.networks.base import FeatureNetwork
from reproductions.measures.statistics import interval, mean
from reproductions.report import Report
from reproductions.worlds.base import EVALUATION_SEEDS, World

__all__ = ["BASELINES", "CLIP", "ClipDistance", "Contest", "clip_features", "film_seeds", "reference_clips", "trivial"]

BASELINES = ("freeze", "repeat", "shuffle", "noise")
DISTANCE = "Kernel distance over standardised world-network features"
CLIP = 16
"""Frames of a clip that the world network sees."""
_APART = 1000  # evaluation seeds between two sampling seeds
_REFERENCE = 256  # real clips that a distance is taken from

Videos = Mapping[int, NDArray[np.float32]]


def film_seeds(seed: int, videos: int) -> NDArray[np.int64]:
    """The world's seeds of the real films of a sampling seed, (videos,); no method was trained on them."""
    return EVALUATION_SEEDS + _APART * seed + np.arange(videos)


def trivial(name: str, real: NDArray[np.float32], context: int, seed: int) -> NDArray[np.float32]:
    """What a trivial competitor makes of real videos (videos, frames, 3, h, w), the first `context` frames of them."""
    made: NDArray[np.float32] = {
        "freeze": lambda: baselines.freeze(real[:, :context], real.shape[1]),
        "repeat": lambda: baselines.repeat(real[:, :context], real.shape[1]),
        "shuffle": lambda: baselines.shuffle(real, seed),
        "noise": lambda: baselines.noise(real[:, :context], real.shape[1], seed),
    }[name]()
    return made


def reference_clips(world: World[Any], count: int, until: int) -> NDArray[np.float32]:
    """Real clips that distances are taken from, (count, 16, 3, h, w), begun before frame `until`; none is in a film."""
    starts = np.random.default_rng(0).integers(until, size=count)
    return world.batch(2 * EVALUATION_SEEDS + np.arange(count), starts, CLIP).video


def clip_features(network: FeatureNetwork, videos: NDArray[np.float32]) -> NDArray[np.float64]:
    """World-network features of the 16-frame clips of videos (..., frames, 3, h, w), end to end: (..., clips, 64)."""
    clips = videos.shape[-4] // CLIP
    found: NDArray[np.float64] = network.features(
        videos[..., : clips * CLIP, :, :, :].reshape(-1, CLIP, *videos.shape[-3:])
    )
    return found.reshape(*videos.shape[:-4], clips, -1)


class ClipDistance:
    """Kernel distance of clips from real ones, whose features (n, 64) are the reference. Every feature is taken less
    its mean and over its deviation there: raw ones are so unequal that the distance of tens of clips is mostly noise.
    """

    def __init__(self, reference: NDArray[np.float64]) -> None:
        spread = reference.std(0)
        self._mean, self._spread = reference.mean(0), np.where(spread > 0, spread, 1)
        self._reference = self.standard(reference)

    def standard(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Features (..., 64), standardised."""
        found: NDArray[np.float64] = (features - self._mean) / self._spread
        return found

    def __call__(self, features: NDArray[np.float64], resamples: int = 200) -> Estimate:
        """Of standardised features (videos, clips, 64): unbiased, so that it may be below 0, with a bootstrap interval
        over the videos.
        """
        return kernel(self._reference, features, f"standardised {world_network.NETWORK.name}", resamples=resamples)


class Contest:
    """The contenders of a notebook: per name and sampling seed the videos (videos, frames, 3, side, side) in [0, 1].

    world: a world or its name; videos: per seed; context: how many real frames freeze, repeat and noise begin with.
    against: what the exact measures compare with. "itself": each video's own first frames, for methods that begin
    with nothing; "world": the truth of the real films, for methods that continue `films(seed)` or walk their path; or,
    per seed, what the world's reader takes in place of a truth, for example one caption per video.
    All are measured in the same way, real video too. Raises UserError for a world or length that does not exist.
    """

    def __init__(
        self, report: Report, world: str | World[Any], *, seeds: Sequence[int], videos: int, frames: int,
        side: int = 16, context: int = 8, against: str | Mapping[int, Any] = "itself",
    ) -> None:  # fmt: skip
        if against not in ("itself", "world") and isinstance(against, str):
            raise UserError(f"against is 'itself', 'world' or one truth per seed, not {against!r}")
        self.report, self.seeds, self.videos, self.frames, self.context = report, list(seeds), videos, frames, context
        self.world = worlds.world(world, side) if isinstance(world, str) else world
        self.quantities: tuple[Quantity, ...] = quantities(self.world.name)
        clips = {s: self.world.batch(self.film_seeds(s), np.zeros(videos, int), frames) for s in self.seeds}
        self.truth: dict[int, Any] = {s: clip.truth for s, clip in clips.items()}
        if against == "itself":
            self._against: Mapping[int, Any] = dict.fromkeys(self.seeds)
        else:
            self._against = self.truth if isinstance(against, str) else against
        self._films: dict[str, Videos] = {}
        self._exact: dict[tuple[str, int], dict[str, NDArray[np.float64]]] = {}
        self._features: dict[str, NDArray[np.float64]] = {}
        self.add("real", {s: clip.video for s, clip in clips.items()})
        self._trivial = self._baselines()

    def film_seeds(self, seed: int) -> NDArray[np.int64]:
        """The world's seeds of the real films of a sampling seed, (videos,); none was trained on."""
        return film_seeds(seed, self.videos)

    def films(self, name: str = "real") -> Videos:
        """The videos of a contender per sampling seed. Raises UserError for a name that was not added."""
        found = self._films.get(name) or self._trivial.get(name)
        if found is None:
            raise UserError(f"there is no contender {name!r}; there are: {', '.join(self.names)}")
        return found

    @property
    def names(self) -> list[str]:
        """All contenders, in order: real, those that were added, the baselines."""
        return [*self._films, *self._trivial]

    def add(self, name: str, videos: Mapping[int, Any]) -> None:
        """Enter a contender: per seed an array or tensor (videos, frames, 3, side, side) in [0, 1].

        Raises UserError for missing seeds or another shape.
        """
        made = {s: np.asarray(videos[s], np.float32) for s in self.seeds if s in videos}
        shape = (self.videos, self.frames, 3, self.world.size, self.world.size)
        wrong = [f"seed {s}: {made[s].shape if s in made else 'missing'}" for s in self.seeds if s not in made or made[s].shape != shape]  # noqa: E501  # fmt: skip
        if wrong:
            raise UserError(f"the videos of {name!r} must be {shape} for each seed; {'; '.join(wrong)}")
        self._films[name] = made
        self._features.pop(name, None)
        self._exact = {key: value for key, value in self._exact.items() if key[0] != name}

    def _baselines(self) -> dict[str, Videos]:
        real = self._films["real"]
        return {name: {s: trivial(name, v, self.context, s) for s, v in real.items()} for name in BASELINES}

    # --- exact measures -------------------------------------------------------------------------------------------

    def course(self, name: str, id: str, seed: int) -> NDArray[np.float64]:
        """An exact measure of every frame of a contender's videos of one seed: (videos, frames), NaN where silent.

        Raises UserError for a measure that the world does not have.
        """
        self._quantity(id)
        if (name, seed) not in self._exact:
            self._exact[name, seed] = exact(self.world, self.films(name)[seed], self._against[seed])
        return self._exact[name, seed][id]

    def values(self, name: str, id: str, frames: slice = slice(None)) -> list[float]:
        """One value per seed: the mean of an exact measure over the videos and the given frames.

        NaN where it said nothing in any frame of a seed.
        """
        return [mean(self.course(name, id, s)[:, frames]) for s in self.seeds]

    def table(self, ids: Sequence[str] | None = None, *, caption: str, names: Sequence[str] | None = None) -> None:
        """Record and show exact measures, one row per contender: means over the seeds. ids: default all that speak."""
        chosen = [self._quantity(id) for id in (ids if ids is not None else [q.id for q in self.quantities])]
        names = names or self.names
        found = {(n, q.id): self.values(n, q.id) for n in names for q in chosen}
        chosen = [q for q in chosen if any(np.isfinite(found[n, q.id]).all() for n in names)]
        for n in names:
            for q in chosen:
                if np.isfinite(found[n, q.id]).all():
                    self.report.measure(f"{q.id}:{n}", n, q.name, found[n, q.id], unit=q.unit, better=q.better)
        rows = [[n, *(_cell(found[n, q.id]) for q in chosen)] for n in names]
        arrows = {"higher": "↑", "lower": "↓"}
        self.report.table(["", *(f"{q.name} {arrows[q.better]}" for q in chosen)], rows, caption)

    def drift(
        self, id: str, *, title: str, alt: str, names: Sequence[str] | None = None, block: int = 8, caption: str = ""
    ) -> dict[str, tuple[NDArray[np.float64], ...]]:
        """Record and show the course of an exact measure: means over blocks of frames, intervals over the seeds.

        Returns per name (x, y) or, from three seeds on, (x, y, low, high).
        """
        q = self._quantity(id)
        lines = {n: self._line(n, id, block) for n in names or self.names}
        band = f" Bands: 95 % t intervals over {len(self.seeds)} seeds." if len(self.seeds) > 2 else ""
        text = caption or f"{q.name}, in blocks of {block} frames ({q.unit}; {q.better} is better)."
        self.report.curve(f"{id}-drift", title, "frame", q.name, lines, caption=text + band, alt=alt)
        return lines

    def _line(self, name: str, id: str, block: int) -> tuple[NDArray[np.float64], ...]:
        whole = self.frames // block * block
        blocks = [self.course(name, id, s)[:, :whole].reshape(self.videos, -1, block) for s in self.seeds]
        per_seed = np.array([[mean(one[:, n]) for n in range(whole // block)] for one in blocks])
        speaks = np.isfinite(per_seed).all(0)
        return self._band((np.arange(whole // block) * block + (block - 1) / 2)[speaks], per_seed[:, speaks])

    def _band(self, x: NDArray[np.float64], per_seed: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        if len(per_seed) < 3:  # an interval over two seeds spans everything
            return x, per_seed.mean(0)
        bounds = np.array([interval(column) for column in per_seed.T]).reshape(-1, 2)
        return x, per_seed.mean(0), bounds[:, 0], bounds[:, 1]

    # --- distances of clips ---------------------------------------------------------------------------------------

    @cached_property
    def _network(self) -> FeatureNetwork:
        return world_network.load()

    @cached_property
    def _distance(self) -> ClipDistance:
        return ClipDistance(self._network.features(reference_clips(self.world, _REFERENCE, self.frames)))

    def features(self, name: str) -> NDArray[np.float64]:
        """Standardised world-network features of a contender's clips of 16 frames: (seeds, videos, clips, 64)."""
        if name not in self._features:
            if self.frames < CLIP:
                raise UserError(f"a distance of clips needs videos of at least {CLIP} frames, not {self.frames}")
            stacked = np.stack([self.films(name)[s] for s in self.seeds])
            self._features[name] = self._distance.standard(clip_features(self._network, stacked))
        return self._features[name]

    def distance(self, name: str, clips: slice = slice(None)) -> Estimate:
        """Of a contender's 16-frame clips, those of the given numbers along the video, from other real clips of the
        world: unbiased, so that it may be below 0, with a bootstrap interval over all videos of all seeds.
        """
        mine = self.features(name)[:, :, clips]
        return self._distance(mine.reshape(-1, *mine.shape[2:]))

    def distance_values(self, name: str, clips: slice = slice(None)) -> list[float]:
        """The same, one value per seed. Few videos per seed scatter widely: what is in them weighs more than how."""
        return [self._distance(one, 0).value for one in self.features(name)[:, :, clips]]

    @property
    def _late(self) -> slice:
        return slice(self.frames // (2 * CLIP), None)

    def distances(self, *, caption: str, names: Sequence[str] | None = None) -> None:
        """Record and show how far each contender's clips are from real ones, in either half of the video."""
        rows = []
        for n in names or self.names:
            early, late = self.distance(n, slice(max(1, self.frames // (2 * CLIP)))), self.distance(n, self._late)
            self.report.estimate(f"clip-distance-early:{n}", n, early, name=f"{DISTANCE}, first half")
            self.report.estimate(f"clip-distance:{n}", n, late, name=f"{DISTANCE}, second half")
            rows.append([n, *(f"{e.value:.3g} ({e.low:.3g} to {e.high:.3g})" for e in (early, late))])
        text = f"{DISTANCE}, 16-frame clips, with 95 % bootstrap intervals over the videos. {caption}"
        self.report.table(["", "first half ↓", "second half ↓"], rows, text)

    def distance_drift(
        self, *, title: str, alt: str, names: Sequence[str] | None = None, caption: str = ""
    ) -> dict[str, tuple[NDArray[np.float64], ...]]:
        """Record and show the distance of clips along the video, with intervals. Returns per name (x, y, low, high)."""
        lines = {}
        for n in names or self.names:
            found = [self.distance(n, slice(c, c + 1)) for c in range(self.frames // CLIP)]
            ends = [[e.value, e.low, e.high] for e in found]
            lines[n] = (np.arange(len(found)) * CLIP + (CLIP - 1) / 2, *np.array(ends, np.float64).T)
        text = (caption or "Lower is better.") + " Bands: 95 % bootstrap intervals over the videos."
        self.report.curve("clip-distance-drift", title, "frame", DISTANCE, lines, caption=text, alt=alt)
        return lines

    # --- who beats whom -------------------------------------------------------------------------------------------

    def beaten(self, name: str, ids: Sequence[str]) -> dict[str, list[str]]:
        """Per measure (an exact one's id, or "clip-distance", that of the second half): the baselines that the
        contender clearly beats, that is, whose 95 % interval lies wholly on the worse side of its own.
        """
        return {id: [b for b in BASELINES if self._clearly(name, b, id)] for id in ids}

    def _clearly(self, name: str, other: str, id: str) -> bool:
        if id == "clip-distance":
            a, b = self.distance(name, self._late), self.distance(other, self._late)
            return a.high is not None and b.low is not None and a.high < b.low
        sign = 1 if self._quantity(id).better == "higher" else -1
        mine, theirs = (interval(np.multiply(sign, self.values(n, id))) for n in (name, other))
        return mine is not None and theirs is not None and mine[0] > theirs[1]

    def _quantity(self, id: str) -> Quantity:
        for quantity in self.quantities:
            if quantity.id == id:
                return quantity
        raise UserError(f"{self.world.name} has no measure {id!r}; it has: {', '.join(q.id for q in self.quantities)}")


def _cell(values: Sequence[float]) -> str:
    """Mean and half the width of the 95 % interval over the seeds."""
    if not np.isfinite(values).all():
        return "–"
    bounds = interval(values)
    spread = f" ± {(bounds[1] - bounds[0]) / 2:.2g}" if bounds and len(values) > 2 else ""
    return f"{np.mean(values):.3g}{spread}"
