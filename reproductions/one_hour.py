"""Length is a matter of patience: one-hour videos into a file, and the memory that every method takes as videos grow.

python -m reproductions.one_hour

Each video is made by a process of its own, so that its peak memory (VmHWM) is its own, and leaves one record in
build/one_hour/; the hours also leave the file, and excerpts of it for notebooks/one_hour.py. The same command goes on
with what is not done.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import reproductions
from kiloframe.apart import apart, peak_kilobytes
from kiloframe.files import replacing, write_atomically
from kiloframe.sources import checkout
from kiloframe.stopping import status_of
from reproductions.level_field.measured import condition_of, field_world
from reproductions.video import VideoWriter
from reproductions.worlds.base import EVALUATION_SEEDS

__all__ = ["HOUR", "HOURS", "LENGTHS", "SEGMENT", "Excerpts", "default_folder", "main", "make"]

HOUR = 36_000
"""Frames of an hour at 10 a second."""
HOURS = ("stylegan_v", "pvdm")
"""Who makes an hour: one that can paint any moment by itself, and one that goes on from clip to clip."""
SHORT = 1_000
"""Frames whose peak memory an hour's is held against."""
LENGTHS = (128, 4_096)
"""Frames whose peak memory is compared for every method."""
SEGMENT = 128
"""Frames of an excerpt that is kept for measuring; one is taken from every `EVERY`."""
EVERY = 1_000
STRIDE = 120
"""Every so many frames one is kept for the hour in half a minute."""


def default_folder() -> Path:
    """build/one_hour of the checkout."""
    return checkout() / "build" / "one_hour"


class Excerpts:
    """What is kept of a stream of so many frames: the first `SEGMENT` of every `EVERY`, and one of every `STRIDE`.

    The room for them is taken at the beginning, so that what is kept does not look like memory that grows.
    """

    def __init__(self, frames: int) -> None:
        self.frames, self.count = frames, 0
        self._segments: NDArray[np.uint8] | None = None
        self._fast: NDArray[np.uint8] | None = None

    def add(self, frames: NDArray[np.float32]) -> None:
        """The next frames, (t, 3, h, w) in [0, 1]."""
        pixels = np.round(frames * 255).astype(np.uint8)
        if self._segments is None or self._fast is None:
            whole = self.frames // EVERY + (self.frames % EVERY >= SEGMENT)
            self._segments = np.full((whole, SEGMENT, *pixels.shape[1:]), 255, np.uint8)
            self._fast = np.full((-(-self.frames // STRIDE), *pixels.shape[1:]), 255, np.uint8)
        for n, image in enumerate(pixels, self.count):
            if n % EVERY < SEGMENT and n // EVERY < len(self._segments):
                self._segments[n // EVERY, n % EVERY] = image
            if n % STRIDE == 0:
                self._fast[n // STRIDE] = image
        self.count += len(pixels)

    def arrays(self) -> dict[str, NDArray[np.uint8]]:
        """segments (n, SEGMENT, 3, h, w), the last one only if it is whole; fast (m, 3, h, w)."""
        assert self._segments is not None and self._fast is not None and self.count == self.frames
        return {"segments": self._segments, "fast": self._fast}


def make(slug: str, frames: int, out: Path | None, kept: Path | None, seed: int = 0) -> dict[str, Any]:
    """Make one video in this process: into `out` if given, with excerpts into `kept` if given; what it took."""
    model = reproductions.load(slug)
    world, excerpts = field_world(model.world), Excerpts(frames)
    clip = world.batch(np.array([EVALUATION_SEEDS]), np.zeros(1, int), frames) if world.name == "rooms" else None
    condition = condition_of(type(model), clip, world.name, context=8)
    before, began = peak_kilobytes(), time.perf_counter()
    film = VideoWriter(out, fps=10, scale_up=8) if out is not None else nullcontext()
    count = 0
    with torch.inference_mode(), film as writer:
        for chunk in model.stream(frames, condition, seed=seed):
            count += chunk.shape[1]
            if writer is not None:
                writer.write(chunk[0].numpy())
            if kept is not None:
                excerpts.add(chunk[0].numpy())
    if count != frames:
        raise RuntimeError(f"{slug} made {count} frames of {frames}")
    seconds, after = time.perf_counter() - began, peak_kilobytes()
    if kept is not None:
        with replacing(kept) as path:
            np.savez_compressed(path, allow_pickle=False, **excerpts.arrays())
    return {
        "slug": slug, "world": model.world, "frames": frames, "seed": seed, "seconds": seconds,
        "peak_kilobytes": after, "grown_kilobytes": after - before, "into_a_file": out is not None,
        "megabytes": None if out is None else out.stat().st_size / 2**20, "threads": torch.get_num_threads(),
        "machine": platform.machine(), "torch": torch.__version__,
    }  # fmt: skip


def _plan(slugs: list[str]) -> list[tuple[str, int, bool]]:
    """What is to be made: method, frames, and whether it goes into a file."""
    hours = [(slug, frames, True) for slug in HOURS if slug in slugs for frames in (SHORT, HOUR)]
    return hours + [(slug, frames, False) for slug in slugs for frames in LENGTHS]


def main(arguments: list[str] | None = None) -> int:
    """Make what is not made yet; returns the exit status: 0 done, 2 a mistake in the arguments, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python -m reproductions.one_hour", description=__doc__)
    parser.add_argument("--only", action="append", metavar="METHOD", help="this method alone; repeatable")
    parser.add_argument("--folder", type=Path, default=default_folder(), metavar="FOLDER")
    parser.add_argument("--make", nargs=3, metavar=("METHOD", "FRAMES", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)

    def work() -> None:
        if given.make is not None:
            slug, frames, name = given.make
            file = given.folder / f"{name}.mp4" if name.endswith("file") else None
            print(json.dumps(make(slug, int(frames), file, given.folder / f"{name}.npz" if file else None)))
            return
        slugs = given.only or reproductions.names()
        for slug in slugs:
            reproductions.method(slug)
        given.folder.mkdir(parents=True, exist_ok=True)
        for slug, frames, into_a_file in _plan(slugs):
            name = f"{slug}-{frames}{'-file' if into_a_file else ''}"
            if (given.folder / f"{name}.json").is_file():
                continue
            arguments = ["--folder", str(given.folder.resolve()), "--make", slug, str(frames), name]
            record = apart("reproductions.one_hour", arguments, f"making {name}")
            write_atomically(given.folder / f"{name}.json", json.dumps({"name": name, **record}, indent=1) + "\n")
            print(f"{name}: {record['seconds']:.0f} s, at most {record['peak_kilobytes'] / 1024:.0f} MB", flush=True)

    return status_of(work, "one hour", "the same command goes on with what is not done")


if __name__ == "__main__":
    sys.exit(main())
