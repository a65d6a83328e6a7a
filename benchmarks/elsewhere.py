"""Rows beside the networks: questions to the catalogue, the worlds, the site, and the notebooks."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.row import OURS, Built, Contender, Row
from kiloframe.errors import UserError
from kiloframe.sources import checkout

__all__ = ["ROWS"]

SIDE, FRAMES = 64, 128
BAR = 300.0
"""Seconds that all notebooks may take at scale smoke."""


@cache
def _folder() -> Path:
    """Where files of this process lie until it ends."""
    held = tempfile.TemporaryDirectory(prefix="bench-")
    atexit.register(held.cleanup)
    return Path(held.name)


def _command(name: str) -> str:
    """A console command of this environment."""
    return str(Path(sys.executable).with_name(name))


def _started(*command: str) -> None:
    """Run a command to its end, its output thrown away. Raises UserError with its last words where it fails."""
    done = subprocess.run(
        command, cwd=checkout(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {"MPLBACKEND": "Agg"},
    )  # fmt: skip
    if done.returncode in (-2, 130):
        raise KeyboardInterrupt
    if done.returncode:
        last = (done.stdout.strip().splitlines() or ["without a word"])[-1]
        raise UserError(f"{Path(command[0]).name} {' '.join(command[1:4])} failed: {last}")


def _process(*command: str) -> Callable[[], Built]:
    return lambda: Built(lambda: _started(*command), command=command)


def _python(code: str) -> Callable[[], Built]:
    return _process(sys.executable, "-c", code)


def _exported(suffix: str, code: str) -> Callable[[], Built]:
    """Python code that reads the facts, exported as {file}."""

    def build() -> Built:
        file = _folder() / f"methods.{suffix}"
        _started(_command("kiloframe"), "export", str(file))
        return _python(code.format(file=str(file)))()

    return build


# --- worlds -------------------------------------------------------------------------------------------------------


def _world(name: str) -> Built:
    from reproductions import worlds

    world = worlds.world(name, SIDE)
    return Built(lambda: world.clip(0, 0, FRAMES).video)


def _decoded(name: str) -> Built:
    """The same film from a file, as a loader of training clips reads it: PyAV, to floats in [0, 1]."""
    import av

    from reproductions.video import write_video

    path = _folder() / f"{name}.mp4"
    write_video(path, _world(name).run())

    def run() -> Any:
        with av.open(str(path)) as file:
            frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        return np.stack(frames).transpose(0, 3, 1, 2).astype(np.float32) / 255

    return Built(run)


def _world_row(name: str) -> Row:
    return Row(
        f"world-{name}", f"The world {name}", "clip", f"{FRAMES} frames, {SIDE} x {SIDE}",
        (
            Contender(OURS, lambda: _world(name), label="rendered"),
            Contender("PyAV", lambda: _decoded(name), "av", "the same film decoded from an .mp4 file"),
        ),
        threads=(1,),
    )  # fmt: skip


# --- the site and the notebooks -------------------------------------------------------------------------------------

_MKDOCS = """\
site_name: the same pages
docs_dir: {docs}
site_dir: {site}
theme: {{name: material, font: false}}
plugins: [search]
markdown_extensions: [admonition, attr_list, md_in_html, tables, pymdownx.superfences, pymdownx.details]
"""


def _plain_site() -> Built:
    """mkdocs-material alone over the pages that kiloframe has written."""
    config = _folder() / "mkdocs.yml"
    config.write_text(_MKDOCS.format(docs=checkout() / "build" / "docs", site=_folder() / "site"))
    return Built(lambda: _started(_command("mkdocs"), "build", "--quiet", "--config-file", str(config)))


_SUITE = """\
from pathlib import Path
from kiloframe.execute import run
run(None, scale="smoke", runs=Path({runs!r}), progress=False)
"""


def _suite() -> Built:
    """What `kiloframe run --all --again --scale smoke` does, into another folder, so that toy runs stay."""
    return Built(lambda: _started(sys.executable, "-c", _SUITE.format(runs=str(_folder() / "runs"))))


def _papermill() -> Built:
    """The same notebooks, one after the other, by jupytext and papermill."""
    notebooks: Sequence[Path] = sorted((checkout() / "notebooks").glob("*.py"))

    def run() -> None:
        out = _folder() / "papermill"
        out.mkdir(exist_ok=True)
        for script in notebooks:
            notebook = out / f"{script.stem}.ipynb"
            _started(_command("jupytext"), "--to", "ipynb", "--output", str(notebook), str(script))
            _started(
                _command("papermill"), str(notebook), str(notebook), "-p", "scale", "smoke", "-p", "out", str(out),
                "--no-progress-bar",
            )  # fmt: skip

    return Built(run)


_PANDAS = "import pandas; print(pandas.read_csv({file!r}).to_string())"
_JSON = "import json; json.load(open({file!r}))"
_YAML = """
import pathlib, yaml
for path in pathlib.Path("catalogue").rglob("*.yaml"):
    yaml.load(path.read_bytes(), yaml.CSafeLoader)
"""
ROWS = (
    Row(
        "query", "A cold question to the catalogue", "command", "a table of all methods, from a new process",
        (
            Contender(OURS, _process(_command("kiloframe"), "list"), label="kiloframe list"),
            Contender("pandas", _exported("csv", _PANDAS), "pandas", "read_csv of the same table"),
        ),
        threads=(1,), outside=True,
    ),
    Row(
        "load", "Loading the catalogue", "command", "all facts, in a new process",
        (
            Contender(OURS, _python("import kiloframe; kiloframe.load()"), label="kiloframe.load()"),
            Contender("json", _exported("json", _JSON), label="json.load of the methods alone"),
            Contender("PyYAML", _python(_YAML), "PyYAML", "CSafeLoader, file by file"),
        ),
        threads=(1,), outside=True,
    ),
    *(_world_row(name) for name in ("digits", "shapes", "stories", "rooms", "timelapse")),
    Row(
        "site", "Building the site", "command", "every page",
        (
            Contender(OURS, _process(_command("kiloframe"), "site"), label="kiloframe site: writing and rendering"),
            Contender("mkdocs-material", _plain_site, "mkdocs-material", "rendering the same pages as plain Markdown"),
        ),
        repeats=3, threads=(1,), outside=True, lengthy=True,
    ),
    Row(
        "notebooks", "The notebook suite at scale smoke", "command", "every notebook, one at a time",
        (
            Contender(OURS, _suite, label="kiloframe run --all --again --scale smoke"),
            Contender("papermill", _papermill, "papermill", "jupytext and papermill, notebook by notebook"),
        ),
        repeats=1, threads=(1,), outside=True, lengthy=True, bar=BAR,
    ),
)  # fmt: skip
