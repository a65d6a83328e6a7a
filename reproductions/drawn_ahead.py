"""Clips that other processes draw while the GPU works on the last ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch

from reproductions.contract import Reproduction

__all__ = ["drawn_ahead"]


def _draw(kind: type[Reproduction], config: Any, entropy: list[int], batch: int) -> Any:
    with torch.device("meta"):  # the clips are wanted, not the weights
        model = kind(config)
    return model.clips(np.random.default_rng(entropy), batch)


@contextmanager
def drawn_ahead(kind: type[Reproduction], workers: int) -> Iterator[type[Reproduction]]:
    """The method with clips that other processes draw while the GPU works; they are the same clips, step by step.

    Training draws the clips of step k with a generator seeded by [seed, stage, k], so those of the next steps are
    known before they are asked for.
    """
    if workers < 1:
        yield kind
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        waiting: deque[tuple[list[int], int, Future[Any]]] = deque()

        def clips(self: Reproduction, rng: np.random.Generator, batch: int) -> Any:
            asked = list(rng.bit_generator.seed_seq.entropy)  # type: ignore[attr-defined]
            if not waiting or waiting[0][:2] != (asked, batch):  # another stage, or the first step
                for _, _, late in waiting:
                    late.cancel()
                waiting.clear()
            while len(waiting) <= 2 * workers:
                entropy = [*asked[:-1], asked[-1] + len(waiting)]
                waiting.append((entropy, batch, pool.submit(_draw, kind, self.config, entropy, batch)))
            return waiting.popleft()[2].result()

        yield type(kind.__name__, (kind,), {"clips": clips})
        pool.shutdown(wait=False, cancel_futures=True)
