"""Streaming: what is kept per video while frames arrive, so that memory does not grow with the length of a video."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kiloframe.errors import UserError
from reproductions.measures.check import Clips
from reproductions.measures.estimate import Description, Estimate, mean_estimate

__all__ = ["PerVideo", "span_of"]


def span_of(frames: Sequence[int]) -> str | None:
    """How many frames the videos have, in words: "16", or "16 to 1024"; None for none."""
    if not len(frames):
        return None
    least, most = min(frames), max(frames)
    return str(least) if least == most else f"{least} to {most}"


class PerVideo(ABC):
    """An accumulator of a measure that is a number per video: sums and weights per video, nothing else.

    `update` (of the measure) takes whole videos or, with `ids`, pieces of them: clips under one id are one video.
    `merge` joins what two accumulators saw, in any order. `compute` gives the estimate so far.
    """

    def __init__(self) -> None:
        self._named: dict[Hashable, NDArray[np.float64]] = {}  # id -> (sum, weight, frames)
        self._unnamed: list[NDArray[np.float64]] = []
        self._ends: tuple[float, float] | None = None  # the range of the pixels that came in, where pixels did

    @abstractmethod
    def _settings(self) -> tuple[Any, ...]:
        """What two accumulators must have in common to be merged."""

    @abstractmethod
    def _describe(self) -> Description:
        """The measure's name and settings, as far as what came in has settled them."""

    def _per_video(self, sums: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[Any, Any]:
        """Sums and weights over videos from those within videos: by default the mean of each, all of equal weight."""
        return sums / weights, np.ones_like(weights)

    def _notes(self, values: NDArray[np.float64]) -> tuple[str, ...]:
        """Warnings about the values per video."""
        return ()

    def _saw(self, clip: Clips) -> None:
        """Remember the range of what came in; refuse uint8 after float or the other way round."""
        ends = (clip.low, clip.high)
        if self._ends not in (None, ends):
            raise UserError(f"earlier videos had values in {self._ends}, these in {ends}; keep to one range")
        self._ends = ends

    def _add(self, sums: Any, weights: Any, frames: int, ids: Sequence[Hashable] | None) -> None:
        totals = np.stack(np.broadcast_arrays(np.asarray(sums, np.float64), weights, float(frames)), -1)
        if ids is None:
            self._unnamed += list(totals)
            return
        if len(ids) != len(totals):
            raise UserError(f"{len(ids)} ids were given for {len(totals)} videos; one is needed for each")
        for name, total in zip(ids, totals, strict=True):
            self._named[name] = self._named.get(name, 0.0) + total

    def merge(self, other: Self) -> Self:
        """A new accumulator of all that either saw; videos under one id are one. Neither is changed.

        Raises UserError for one of another measure, or with other settings.
        """
        if type(other) is not type(self):
            raise UserError(f"{type(self).__name__} cannot be merged with {type(other).__name__}")
        mine, theirs = self._settings(), other._settings()
        if mine != theirs:
            raise UserError(f"accumulators with different settings cannot be merged: {mine} and {theirs}")
        if self._ends and other._ends and self._ends != other._ends:
            raise UserError(f"videos with values in {self._ends} and in {other._ends} cannot be merged")
        made = copy(self)
        made._ends = self._ends or other._ends
        made._unnamed = self._unnamed + other._unnamed
        made._named = dict(self._named)
        for name, total in other._named.items():
            made._named[name] = made._named.get(name, 0.0) + total
        return made

    def __len__(self) -> int:
        """How many videos were seen so far."""
        return len(self._unnamed) + len(self._named)

    def compute(self, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0) -> Estimate:
        """The estimate over all videos so far, with its bootstrap interval over videos (none for resamples = 0).

        Raises UserError before the first video.
        """
        if not len(self):
            raise UserError(f"{type(self).__name__} has seen no video yet; update it first")
        totals = np.stack([*self._unnamed, *self._named.values()])
        sums, weights = self._per_video(totals[:, 0], totals[:, 1])
        frames = span_of([int(n) for n in totals[:, 2]])
        return mean_estimate(
            sums, weights, self._describe(), frames,
            confidence=confidence, resamples=resamples, seed=seed, warnings=self._notes(sums),
        )  # fmt: skip
