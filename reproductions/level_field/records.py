"""Reading what the field left: values per seed, distances, slopes and costs, for the notebook to draw."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.contest import CLIP, ClipDistance
from reproductions.level_field.field import SETTINGS, default_folder, is_done, tasks
from reproductions.level_field.plan import Contender, contenders, entrants, key_of, settings_of, trivial
from reproductions.measures.estimate import Estimate
from reproductions.measures.statistics import mean

__all__ = ["AGAIN", "Records"]

AGAIN = "type: make level-field (it takes up what is there, and may be stopped and started as you like)"
_PARTS = 8  # of a video, for the slope of a distance


class Records:
    """The records of one whole field.

    settings; contenders: the trained ones, then the trivial videos, world by world; outdated: how many records were
    made with other code than today's. One value per sampling seed everywhere, the mean over trainings.
    Raises UserError where there are no records, or not all of them.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = default_folder() if folder is None else folder
        try:
            self.settings = settings_of((self.folder / SETTINGS).read_text("utf-8"))
        except FileNotFoundError:
            raise UserError(f"the level field has not been run here (no {self.folder / SETTINGS}); {AGAIN}") from None
        except (ValueError, TypeError) as error:
            raise UserError(f"{self.folder / SETTINGS} cannot be read ({error}); {AGAIN}") from None
        every = tasks(self.settings)
        self._ids = [task.id for task in every]
        missing = [id for id in self._ids if not (self.folder / f"{id}.json").is_file()]
        if missing:
            raise UserError(f"{len(missing)} of the level field's {len(every)} tasks are not done yet; {AGAIN}")
        self.outdated = sum(not is_done(task, self.folder) for task in every)
        self.entrants = entrants(self.settings)
        self.contenders = [c for e in self.entrants for c in contenders(e)] + trivial(self.settings)
        self._load = cache(self._arrays)

    def of(self, world: str, *, usual: bool = True) -> list[Contender]:
        """The contenders of a world; usual: without those whose training was changed for an experiment."""
        return [c for c in self.contenders if c.world == world and not (usual and c.entrant and c.entrant.changes)]

    def find(self, name: str, world: str) -> Contender:
        """A contender by name. Raises UserError for an unknown one."""
        for contender in self.of(world, usual=False):
            if contender.name == name:
                return contender
        raise UserError(f"there is no {name!r} in {world}; there are: {', '.join(c.name for c in self.of(world))}")

    # --- quality --------------------------------------------------------------------------------------------------

    def course(self, contender: Contender, frames: int, id: str) -> NDArray[np.float64]:
        """An exact measure of every frame: (seeds, trainings, videos, frames), NaN where it says nothing."""
        return np.array([[self._load(contender.id, frames, s, r)[f"exact/{id}"] for r in self._rs(contender)] for s in self.settings.seeds], np.float64)  # noqa: E501  # fmt: skip

    def values(self, contender: Contender, frames: int, id: str, span: slice | None = None) -> list[float]:
        """One mean per seed over videos and frames; span: default all frames behind the first `context`."""
        span = slice(self.settings.context, None) if span is None else span
        return [mean(one[..., span]) for one in self.course(contender, frames, id)]

    def slopes(self, contender: Contender, frames: int, id: str) -> list[float]:
        """Per seed the slope of the line of least squares through an exact measure, per 100 frames."""
        found = []
        for one in self.course(contender, frames, id)[..., self.settings.context :]:
            blocks = [mean(one[..., at : at + CLIP]) for at in range(0, one.shape[-1] - CLIP + 1, CLIP)]
            found.append(_slope(np.array(blocks), CLIP))
        return found

    def features(self, contender: Contender, frames: int) -> NDArray[np.float64]:
        """World-network features, each less its mean and over its deviation in the reference: (seeds, trainings,
        videos, clips, 64).
        """
        rows = [[self._load(contender.id, frames, s, r)["features"] for r in self._rs(contender)] for s in self.settings.seeds]  # noqa: E501  # fmt: skip
        return self._distance(contender.world).standard(np.array(rows, np.float64))

    def distance(self, contender: Contender, frames: int, clips: slice) -> Estimate:
        """Kernel distance of those clips from real ones, with a bootstrap interval over all videos."""
        mine = self.features(contender, frames)[..., clips, :]
        return self._distance(contender.world)(mine.reshape(-1, *mine.shape[-2:]))

    def distances(self, contender: Contender, frames: int, clips: slice) -> list[float]:
        """The same, one value per seed."""
        mine = self.features(contender, frames)[..., clips, :]
        distance = self._distance(contender.world)
        return [distance(one.reshape(-1, *one.shape[-2:]), 0).value for one in mine]

    def end(self, frames: int) -> slice:
        """The clips of the last eighth of a video, at least one."""
        clips = frames // CLIP
        return slice(clips - max(1, clips // 8), clips)

    def distance_slopes(self, contender: Contender, frames: int) -> list[float]:
        """Per seed the slope of the distance along the video, per 100 frames; NaN below 2 clips."""
        clips = frames // CLIP
        each = max(1, clips // _PARTS)
        parts = [self.distances(contender, frames, slice(at, at + each)) for at in range(0, clips - each + 1, each)]
        return [_slope(np.array(line), each * CLIP) for line in np.array(parts).T]

    def strip(self, contender: Contender, frames: int) -> NDArray[np.float32]:
        """Frames of the first video, evenly spaced, for looking at: (n, 3, h, w) in [0, 1]."""
        kept = self._load(contender.id, frames, self.settings.seeds[0], self._rs(contender)[0])["strip"]
        frames_kept: NDArray[np.float32] = kept.astype(np.float32) / np.float32(255)
        return frames_kept

    # --- training, cost, exchanged frames -------------------------------------------------------------------------

    def training(self, contender: Contender) -> list[dict[str, Any]]:
        """The records of its trainings."""
        assert contender.entrant is not None
        return [self._record(f"train/{contender.entrant.id}-r{r}") for r in self.settings.trainings]

    def trained_at_once(self) -> int:
        """The most trainings that ran at the same time, by the records' clocks."""
        spans = []
        for id in (id for id in self._ids if id.startswith("train/")):
            record = json.loads((self.folder / f"{id}.json").read_bytes())
            ended = datetime.datetime.fromisoformat(record["created"]).timestamp()
            spans.append((ended - record["took"], ended))
        return max(sum(a <= began < b for a, b in spans) for began, _ in spans)

    def cost(self, contender: Contender, frames: int) -> dict[str, Any]:
        """What a video of that length costs, of the first training: as `cost.run` gives it."""
        return self._record(f"cost/{contender.id}-{frames}-r{self.settings.trainings[0]}")

    def exchanged(self, contender: Contender) -> list[float] | None:
        """Per seed, how many frames' worth of the main measure the others lose when one is exchanged; None if it was
        not tried.
        """
        from reproductions.level_field import exchange

        if not exchange.can(contender):
            return None
        return self._per_seed(lambda s, r: self._record(f"exchange/{contender.id}-s{s}-r{r}")["lost"])

    def exchange_courses(self, contender: Contender) -> tuple[dict[str, NDArray[np.float64]], int]:
        """Means per frame over all videos (`whole`, `touched`: the main measure; `changed`), and which frame it was."""
        names = [f"exchange/{contender.id}-s{s}-r{r}" for s in self.settings.seeds for r in self.settings.trainings]
        found = [dict(np.load(self.folder / f"{name}.npz")) for name in names]
        courses = {k: np.concatenate([one[k] for one in found]).astype(np.float64) for k in found[0]}
        with np.errstate(invalid="ignore"):
            return {k: np.nanmean(v, 0) for k, v in courses.items()}, int(self._record(names[0])["exchanged"])

    def hashes(self) -> str:
        """One short hash over the inputs of all records."""
        every = {id: json.loads((self.folder / f"{id}.json").read_bytes())["inputs"] for id in self._ids}
        return key_of(every)[:12]

    # --- within ---------------------------------------------------------------------------------------------------

    def _rs(self, contender: Contender) -> tuple[int, ...]:
        return self.settings.trainings if contender.entrant else self.settings.trainings[:1]

    def _per_seed(self, value: Callable[[int, int], float]) -> list[float]:
        return [float(np.mean([value(s, r) for r in self.settings.trainings])) for s in self.settings.seeds]

    def _record(self, id: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / f"{id}.json").read_bytes())["found"]
        return found

    def _arrays(self, id: str, frames: int, seed: int, training: int) -> dict[str, NDArray[Any]]:
        return dict(np.load(self.folder / "measure" / f"{id}-{frames}-s{seed}-r{training}.npz"))

    @cache  # noqa: B019 (one object per notebook)
    def _distance(self, world: str) -> ClipDistance:
        return ClipDistance(np.load(self.folder / "reference" / f"{world}.npz")["features"].astype(np.float64))


def _slope(values: NDArray[np.float64], step: int) -> float:
    there = np.isfinite(values)
    if there.sum() < 2:
        return float("nan")
    return float(np.polyfit(np.arange(len(values))[there] * step / 100, values[there], 1)[0])
