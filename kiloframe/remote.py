"""`kiloframe run` and `kiloframe train` on a Dask cluster: what is sent, and where it goes when it is back.

run("tcp://127.0.0.1:8786", ["fdm", "tats"], freeze=True)
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from kiloframe import cluster, execute, notebooks, swap
from kiloframe.cluster import Job
from kiloframe.errors import UserError
from kiloframe.files import write_atomically
from kiloframe.kernel import Interrupted, RunError
from kiloframe.notebooks import Value
from kiloframe.results import read_result, write_result
from kiloframe.sources import RESULTS, RUNS, checkout

__all__ = ["kept_trainings", "run", "train"]


def run(
    address: str,
    slugs: Sequence[str],
    *,
    scale: str = "toy",
    parameters: Mapping[str, Value] | None = None,
    freeze: bool = False,
    timeout: float | None = None,
    root: Path | None = None,
    progress: bool = True,
) -> list[execute.Run]:
    """Execute the notebooks of `slugs` on the cluster at `address`; what comes back lies where `execute.run` puts it.

    Each result is kept, and with `freeze` frozen, as soon as it is there. Notebooks that read records of this machine
    (the level field) are not sent. Raises UserError as `execute.run` and `cluster.spread` do, RunError when some failed
    (the others are kept), Interrupted on Ctrl-C.
    """
    root = checkout() if root is None else root
    execute.check_scale(scale, freeze)
    jobs = []
    for slug in slugs:
        script = notebooks.read_script(notebooks.script_path(slug, root))
        values = notebooks.with_values(script, parameters or {}, scale)  # mistakes are told before anything is sent
        slug = script.path.stem
        if script.records is not None and scale != "smoke":
            print(f"left out: {slug} reads records of this machine; type: kiloframe run {slug}", file=sys.stderr)
            continue
        words = ["run", slug, "--scale", scale, *(["--timeout", f"{timeout:g}"] if timeout else [])]
        for name in parameters or {}:
            words += ["-p", f"{name}={values[name]}"]
        bring = tuple((RUNS / f"{slug}{end}").as_posix() for end in (".json", ".ipynb", "/*"))
        jobs.append(Job(slug, tuple(words), bring, wreck=(_failed(slug),)))
    if not jobs:
        return []
    done: dict[str, execute.Run] = {}

    def collect(job: Job, files: Mapping[str, bytes]) -> None:
        if set(files) == set(job.wreck):
            write_atomically(root / _failed(job.name), files[_failed(job.name)])
        else:
            done[job.name] = _keep_run(job.name, files, root, freeze)

    failed = _spread(address, jobs, root, collect, progress, "the results that were there are kept")
    if failed:
        reasons = "".join(f"\n  {slug}: {failed[slug]}" for slug in sorted(failed))
        raise RunError(f"{len(failed)} of {len(jobs)} notebooks failed (the others are in {root / RUNS}):{reasons}")
    return [done[job.name] for job in jobs]


def _failed(slug: str) -> str:
    return (RUNS / f"{slug}.failed.ipynb").as_posix()


def _keep_run(slug: str, files: Mapping[str, bytes], root: Path, freeze: bool) -> execute.Run:
    runs = root / RUNS
    with swap.locked(runs, slug), swap.staging(runs, slug) as place:
        for name, data in files.items():
            path = place / Path(name).relative_to(RUNS)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        result = read_result(place / f"{slug}.json")
        if freeze:
            result = msgspec.structs.replace(result, command=f"{result.command} --freeze")
            write_result(result, place / f"{slug}.json")
        swap.replace(place, runs, slug)
        (root / _failed(slug)).unlink(missing_ok=True)
        if freeze:
            swap.freeze(runs, root / RESULTS, slug)
    frozen = root / RESULTS / f"{slug}.json" if freeze else None
    return execute.Run(slug, result, runs / f"{slug}.ipynb", frozen)


# --- training -----------------------------------------------------------------------------------------------------


def kept_trainings(root: Path) -> dict[str, tuple[str, ...]]:
    """The kept weights and the words of the command that made each, from the reports beside them."""
    found = {}
    for report in sorted((root / "weights").glob("*.json")):
        try:
            command = json.loads(report.read_bytes())["command"].split()
        except (OSError, ValueError, KeyError, AttributeError):
            raise UserError(f"weights/{report.name} is damaged, so how its weights were made is unknown") from None
        if command[:2] == ["kiloframe", "train"]:  # the world network is trained by a module of its own
            found[report.stem] = tuple(command[1:])
    return found


def train(
    address: str, trainings: Mapping[str, Sequence[str]], *, root: Path | None = None, progress: bool = True
) -> list[str]:
    """Train on the cluster at `address`; returns the names that were trained now.

    trainings: by the name of the weight file, the words of the command (`train`, slug, ...). The weights go into
    weights/, each with its report and as soon as it is there. What this code has trained already is left out, so that
    the same command goes on after Ctrl-C; once all are there, the next call trains them again.
    Raises UserError and Interrupted as `run` does, and RunError when some failed.
    """
    root = checkout() if root is None else root
    memo = root / "build" / "train" / "cluster.json"
    code = execute.combined({name: " ".join(words) for name, words in trainings.items()} | _code(root))
    try:
        kept = json.loads(memo.read_bytes())
        finished = set(kept["done"]) if kept["code"] == code else set()
    except (OSError, ValueError, KeyError, TypeError):
        finished = set()
    finished = set() if finished >= set(trainings) else finished
    jobs = [
        Job(name, tuple(words), (f"weights/{name}.safetensors", f"weights/{name}.json"))
        for name, words in trainings.items() if name not in finished
    ]  # fmt: skip

    def collect(job: Job, files: Mapping[str, bytes]) -> None:
        if set(files) != set(job.bring):
            raise UserError(f"the training of {job.name} sent no weights back")
        for name, data in files.items():
            write_atomically(root / name, data)
        finished.add(job.name)
        write_atomically(memo, json.dumps({"code": code, "done": sorted(finished)}) + "\n")

    failed = _spread(address, jobs, root, collect, progress, "what was trained is kept, and the same command goes on")
    if failed:
        reasons = "".join(f"\n  {name}: {failed[name]}" for name in sorted(failed))
        raise RunError(f"{len(failed)} of {len(jobs)} trainings failed:{reasons}")
    return [job.name for job in jobs]


def _code(root: Path) -> dict[str, str]:
    return {slug: execute.source_parts(slug, {}, root)["method"] for slug in execute.notebook_slugs(root)}


def _spread(
    address: str, jobs: Sequence[Job], root: Path, collect: cluster.Collect, progress: bool, kept: str
) -> dict[str, str]:
    try:
        return cluster.spread(address, jobs, root, collect, progress=progress)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; {kept}") from None
