"""Execute notebooks: script to notebook (jupytext), notebook to result (papermill), results kept whole or not at all.

    from kiloframe.execute import run
    run(["fdm"], scale="toy", parameters={"seed": 1})

A run works in a staging folder; only when the notebook ended well and wrote a whole result do its files take the place
of the former run in build/runs/, and with `freeze` in results/. Whatever fails leaves the former results untouched.
"""

from __future__ import annotations

import datetime
import difflib
import importlib.metadata
import logging
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

import kiloframe
from kiloframe import notebooks, swap
from kiloframe.errors import UserError
from kiloframe.files import write_atomically
from kiloframe.kernel import Interrupted, Kernels, RunError, execute
from kiloframe.notebooks import Script, Value, notebook_slugs, parse_assignments
from kiloframe.progress import Progress, former_times, keep_times
from kiloframe.results import SCALES, Result, read_result, write_result
from kiloframe.sources import (
    RESULTS,
    RUNS,
    Status,
    checkout,
    combined,
    latest_result,
    source_hash,
    source_parts,
    status,
    weight_hashes,
)

__all__ = [
    "TIMEOUTS", "Interrupted", "Run", "RunError", "Status", "check_scale", "checkout", "due", "latest_result",
    "notebook_slugs", "parse_assignments", "run", "source_hash", "status",
]  # fmt: skip

TIMEOUTS = {"smoke": 120, "toy": 600, "gpu": 3600}
"""Seconds that one cell may take, by scale, unless the caller says otherwise."""


class Run(NamedTuple):
    """What one run left: the result, the executed notebook, and where it was frozen (None where it was not)."""

    slug: str
    result: Result
    notebook: Path
    frozen: Path | None


class _Job(NamedTuple):
    """One notebook to execute, checked before anything starts."""

    slug: str
    script: Script
    values: dict[str, Value]
    command: str


class _Place(NamedTuple):
    """Where a run works: repository root, runs and results folders, seconds per cell, threads per kernel."""

    root: Path
    runs: Path
    results: Path
    freeze: bool
    timeout: float
    threads: int | None
    progress: bool


def run(
    slugs: Sequence[str] | None = None,
    *,
    scale: str = "toy",
    parameters: Mapping[str, Value] | None = None,
    jobs: int = 1,
    freeze: bool = False,
    runs: Path = RUNS,
    results: Path = RESULTS,
    root: Path | None = None,
    timeout: float | None = None,
    leave_out: bool = False,
    progress: bool = True,
) -> list[Run]:
    """Execute notebooks/<slug>.py for every slug (None: all that have a notebook and what it reads), `jobs` at once.

    `parameters` are those of the notebook's parameters cell; texts are read by the type of the default. Relative
    `runs` and `results` lie below `root` (default: the checkout). `timeout`: seconds per cell (default TIMEOUTS).
    `leave_out`: notebooks whose records are not here are left out and told on stderr, as they are with None.

    Returns one Run per slug, in order. Raises UserError before anything starts for a wrong slug, scale or parameter;
    RunError when a notebook failed (with several, the others still run, and the error sums up); Interrupted on Ctrl-C.
    """
    root = checkout() if root is None else Path(root).resolve()
    check_scale(scale, freeze)
    if jobs < 1:
        raise UserError(f"--jobs must be at least 1, not {jobs}")
    if timeout is not None and not timeout > 0:
        raise UserError(f"the time of a cell must be more than 0 seconds, not {timeout:g}")
    scripts = _scripts(slugs, scale, root, leave_out)
    if not scripts and leave_out:
        return []
    if not scripts:
        raise UserError("there is no notebook to run; put one into notebooks/, or name one")
    work = [_job(slug, script, scale, parameters or {}, freeze) for slug, script in scripts.items()]
    _imports()
    jobs = min(jobs, len(work))
    place = _Place(
        root, root / runs, root / results, freeze, timeout or TIMEOUTS[scale],
        max(1, _cores() // jobs) if jobs > 1 else None, progress,
    )  # fmt: skip
    kernels = Kernels()
    try:
        return [_run_one(work[0], place, kernels)] if len(work) == 1 else _run_many(work, place, kernels, jobs)
    except KeyboardInterrupt:
        kernels.stop()
        raise Interrupted("interrupted; the former results are untouched") from None


def check_scale(scale: str, freeze: bool) -> None:
    """Raises UserError for a scale that does not exist, and for one that is not frozen."""
    if scale not in SCALES:
        near = difflib.get_close_matches(scale, SCALES, 1)
        hint = f"; nearest: {near[0]}" if near else ""
        raise UserError(f"there is no scale {scale!r}{hint}; it is one of: {', '.join(SCALES)}")
    if freeze and scale == "smoke":
        raise UserError("a smoke run is not frozen; choose --scale toy or --scale gpu, or leave --freeze away")


def due(
    scale: str = "toy", parameters: Mapping[str, Value] | None = None, freeze: bool = False, root: Path | None = None
) -> tuple[list[str], list[str]]:
    """The slugs of all notebooks: those whose result would be another one now, or is not there; and those left out.

    A result counts that was frozen, or without `freeze` one of the last run too, if it was made from today's code,
    notebook and weights with these parameters. Raises UserError for a wrong parameter.
    """
    root = checkout() if root is None else root
    folders = [root / RESULTS] if freeze else [root / RUNS, root / RESULTS]
    stale: list[str] = []
    fresh: list[str] = []
    for slug in notebook_slugs(root):
        values = notebooks.with_values(
            notebooks.read_script(notebooks.script_path(slug, root)), parameters or {}, scale
        )  # fmt: skip
        now = source_hash(slug, values, root)
        (fresh if any(_made_from(folder / f"{slug}.json") == now for folder in folders) else stale).append(slug)
    return stale, fresh


def _made_from(path: Path) -> str | None:
    """The source hash of a whole result with its notebook; None where there is none."""
    try:
        return read_result(path).source_hash if path.with_suffix(".ipynb").is_file() else None
    except UserError:
        return None


def _scripts(
    slugs: Sequence[str] | None, scale: str, root: Path, leave_out: bool
) -> dict[str, notebooks.Script]:  # fmt: skip
    """The scripts to execute, by slug, each read once. One that reads records which are not here is refused when it is
    named; where all are asked for, it is left out and told on stderr.
    """
    found = {}
    for slug in notebook_slugs(root) if slugs is None else dict.fromkeys(slug.replace("-", "_") for slug in slugs):
        script = notebooks.read_script(notebooks.script_path(slug, root))
        lacks = script.lacks(scale, root)
        if lacks is None:
            found[slug] = script
        elif slugs is None or leave_out:
            print(f"left out: {lacks}", file=sys.stderr, flush=True)
        else:
            raise UserError(lacks)
    return found


def _job(slug: str, script: notebooks.Script, scale: str, given: Mapping[str, Value], freeze: bool) -> _Job:
    values = notebooks.with_values(script, given, scale)
    words = ["kiloframe", "run", slug, "--scale", scale]
    for name in given:
        value = values[name]
        words += ["-p", f"{name}={str(value).lower() if isinstance(value, bool) else value}"]
    return _Job(slug, script, values, shlex.join([*words, *(["--freeze"] if freeze else [])]))


def _imports() -> None:
    """Import what executing needs once, in one thread, with its logging silenced. Raises UserError if it is missing."""
    try:
        import ipykernel  # noqa: F401
        import papermill  # noqa: F401
        import tqdm  # noqa: F401
    except ModuleNotFoundError as error:
        raise notebooks.missing_package(error) from None
    logging.getLogger("papermill").setLevel(logging.CRITICAL + 1)


def _run_many(work: list[_Job], place: _Place, kernels: Kernels, jobs: int) -> list[Run]:
    """All jobs, `jobs` at once; kernels are processes of their own, so threads are enough to look after them."""
    done: dict[str, Run] = {}
    failed: dict[str, UserError] = {}
    quiet = place if jobs == 1 else place._replace(progress=False)
    began = time.monotonic()
    with ThreadPoolExecutor(jobs, thread_name_prefix="kiloframe-run") as pool:
        futures = {pool.submit(_run_one, job, quiet, kernels): job.slug for job in work}
        try:
            for future in as_completed(futures):
                slug = futures[future]
                try:
                    done[slug] = future.result()
                    line = f"{slug}: done in {done[slug].result.seconds:.0f} s"
                except UserError as error:
                    failed[slug] = error
                    line = f"{slug}: failed"
                if place.progress:
                    count = f"{len(done) + len(failed)} of {len(work)}"
                    print(f"[{count}, {time.monotonic() - began:.0f} s] {line}", file=sys.stderr, flush=True)
        except BaseException:
            kernels.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    if failed:
        reasons = "".join(f"\n  {slug}: {failed[slug]}" for slug in sorted(failed))
        raise RunError(f"{len(failed)} of {len(work)} notebooks failed (the others are in {place.runs}):{reasons}")
    return [done[job.slug] for job in work]


def _run_one(job: _Job, place: _Place, kernels: Kernels) -> Run:
    slug, runs = job.slug, place.runs
    failed = runs / f"{slug}.failed.ipynb"
    with swap.locked(runs, slug), swap.staging(runs, slug) as staging:
        parts = source_parts(slug, job.values, place.root)
        weights = weight_hashes(slug, place.root)
        began, created = time.monotonic(), datetime.datetime.now(datetime.UTC)
        rules = notebooks.private_names(job.script, place.root, staging, runs)
        path = staging / f"{slug}.ipynb"
        scale = str(job.values["scale"])
        cells = len(job.script.notebook.cells) + 1  # papermill adds the parameters of the run
        bar = Progress(slug, cells, former_times(runs, slug, scale, cells), shown=place.progress)
        try:
            execute(
                job.script, job.values, staging, root=place.root, kernels=kernels, timeout=place.timeout,
                threads=place.threads, bar=bar,
            )  # fmt: skip
            notebook = _read_notebook(path)
            notebooks.clean(notebook, job.values, rules)
            result = _checked(job, notebook, staging)
        except UserError as error:
            _keep_failed(path, failed, job, rules)
            kept = f"; the notebook as far as it came: {_shown(failed, place.root)}" if failed.exists() else ""
            raise type(error)(f"{notebooks.scrub(str(error), rules)}; the former results are untouched{kept}") from None
        finally:
            bar.close()
        filled = msgspec.structs.replace(
            result, command=job.command, created=created.strftime("%Y-%m-%dT%H:%M:%SZ"), machine=_machine(),
            seconds=round(time.monotonic() - began, 1), versions=_versions(), parameters=job.values,
            source_hash=combined(parts), sources=parts, weights=weights,
        )  # fmt: skip
        result = msgspec.convert(notebooks.scrub(msgspec.to_builtins(filled), rules), Result)
        write_result(result, staging / f"{slug}.json")
        _write_notebook(notebook, path)
        swap.replace(staging, runs, slug)
        failed.unlink(missing_ok=True)
        keep_times(runs, slug, scale, bar.times)
        if place.freeze:
            swap.freeze(runs, place.results, slug)
        frozen = place.results / f"{slug}.json" if place.freeze else None
        return Run(slug, result, runs / f"{slug}.ipynb", frozen)


def _checked(job: _Job, notebook: Any, staging: Path) -> Result:
    """The result that the notebook wrote, if all of it is there. Raises RunError that says what is not."""
    shown = f"notebooks/{job.script.path.name}"
    for _, output in notebooks.error_outputs(notebook):  # papermill takes exit(0) for a good end
        raise RunError(f"{shown} left early ({output.ename}), so its result is not whole; let it run to its last cell")
    embedded = notebooks.embedded_media(notebook)
    if embedded is not None:
        raise RunError(f"{shown}: {embedded}; show figures and films through the report (reproductions/report.py)")
    path = staging / f"{job.slug}.json"
    if not path.is_file():
        raise RunError(f"{shown} wrote no {path.name} into the folder `out`; end it with report.save()")
    try:
        result = read_result(path)
    except UserError as error:
        reason = str(error).split("; make it again")[0]
        raise RunError(f"{shown} wrote a {path.name} that is no result: {reason}") from None
    for name, found, wanted in (("slug", result.slug, job.slug), ("scale", result.scale, job.values["scale"])):
        if found != wanted:
            raise RunError(f"{shown} wrote a result with the {name} {found!r}, but it was run with {wanted!r}")
    media = {f"{job.slug}/{name}" for item in result.media for name in (item.file, item.poster) if name is not None}
    for name in sorted(media | notebooks.media_references(notebook, job.slug)):
        file = staging / name
        if not file.is_file() or not file.resolve().is_relative_to((staging / job.slug).resolve()):
            raise RunError(f"{shown} shows {name}, but wrote no such file into the folder `out`")
    return result


def _read_notebook(path: Path) -> Any:
    import nbformat

    return nbformat.read(path, as_version=4)


def _write_notebook(notebook: Any, path: Path) -> None:
    import nbformat

    text = nbformat.writes(notebook, version=4)
    write_atomically(path, text if text.endswith("\n") else text + "\n")


def _keep_failed(path: Path, failed: Path, job: _Job, rules: list[tuple[re.Pattern[str], str]]) -> None:
    """Keep the notebook as far as it came, for looking into; a notebook that was never written leaves nothing."""
    failed.unlink(missing_ok=True)
    if path.is_file():
        try:
            notebook = _read_notebook(path)
        except ValueError:  # cut off while papermill wrote it
            return
        notebooks.clean(notebook, job.values, rules)
        _write_notebook(notebook, failed)


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


# --- where it ran -------------------------------------------------------------------------------------------------


def _cores() -> int:
    """The CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _machine() -> str:
    """`x86_64, 2 cores, 8 GB RAM, NVIDIA H100`: nothing that names the machine itself."""
    parts = [platform.machine(), f"{_cores()} cores"]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        parts.append(f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GB RAM")
    return ", ".join([*parts, *_gpus()])


def _gpus() -> list[str]:
    """Names of the NVIDIA devices, asked of their driver: this package never imports torch."""
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return sorted({line.strip() for line in answer.splitlines() if line.strip()})


def _versions() -> dict[str, str]:
    """Versions of python, kiloframe, and of torch and numpy where they are installed."""
    versions = {"python": platform.python_version(), "kiloframe": kiloframe.__version__}
    for name in ("torch", "numpy"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
