"""`kiloframe doctor`: what is installed, what is missing, what to type."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import click

from kiloframe import __version__
from kiloframe.commands import output
from kiloframe.errors import UserError

# Extra -> what it is for; the packages of each are read from our own metadata.
PURPOSES = {
    "": "facts and command",
    "reproductions": "train, generate",
    "notebooks": "run",
    "site": "site",
    "parquet": "export .parquet",
    "cluster": "run --dask, train --dask",
    "test": "make test",
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Package(NamedTuple):
    """A package that an extra needs: the version that is here (None: not installed) and whether it will do."""

    name: str
    wanted: str
    version: str | None
    good: bool


@click.command("doctor", short_help="What is installed, what is missing, what to type.")
def command() -> int:
    """Tell what is installed at which version, what is missing, and what to type next.

    Exit code 0: facts and commands work; 1: something that a command needs is missing or too old. The test extra
    and Chromium are only needed by make test, so their absence is told but is no failure.

    \b
    Examples:
      kiloframe doctor
    """
    todo: list[str] = []
    click.echo(f"kiloframe {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    output.put(f"from {Path(__file__).resolve().parents[2]}, run by {sys.executable}\n")
    good = _facts(todo)
    root = _checkout(todo)
    missing = _extras()
    todo += [f"pip install {_target(root, extra)}" for extra in missing if extra != "test"]
    good = good and root is not None and not set(missing) - {"test"}
    if root is not None:
        good = _weights(root, todo) and good
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    output.put(f"chromium  {browser or 'not found (only the browser tests need it; Debian: apt-get install chromium)'}")
    click.echo("\nNext:")
    for line in todo or _nothing_missing():
        output.put(f"  {line}")
    return 0 if good else 1


def _nothing_missing() -> list[str]:
    return ["kiloframe list", "kiloframe run fdm", "kiloframe site --serve"]


def _target(root: Path | None, extra: str) -> str:
    if root is None:
        return f"'kiloframe[{extra}]'" if extra else "--upgrade kiloframe"
    return f"-c constraints.txt -e '.[{extra}]'" if extra else "-c constraints.txt -e ."


def _facts(todo: list[str]) -> bool:
    import kiloframe

    try:
        cat = kiloframe.load()
        counts = f"{len(cat.methods)} methods, {len(cat.datasets)} data sets, {len(cat.metrics)} metrics"
    except UserError as error:
        output.put(f"facts     broken: {error}")
        todo.append("kiloframe lint")
        return False
    output.put(f"facts     {counts}, from {cat.root or 'the installed package'}")
    return True


def _checkout(todo: list[str]) -> Path | None:
    from kiloframe.execute import checkout

    try:
        root = checkout()
    except UserError:
        click.echo("checkout  no: run, train, generate, status and site need one")
        todo.append("clone the repository and type make install there, for run, train, generate, status and site")
        return None
    output.put(f"checkout  {root}")
    return root


def _weights(root: Path, todo: list[str]) -> bool:
    import reproductions

    names = reproductions.names()
    lacking = [name for name in names if not (root / "weights" / f"{name}.safetensors").is_file()]
    size = sum(file.stat().st_size for file in (root / "weights").glob("*.safetensors")) / 1e6
    told = f"; missing: {', '.join(lacking)}" if lacking else ""
    output.put(f"weights   {len(names) - len(lacking)} of {len(names)} reproductions, {size:.1f} MB{told}")
    todo += [f"kiloframe train {name}" for name in lacking]
    return not lacking


def _extras() -> list[str]:
    """Print every extra's packages; returns the extras that lack something ("" is the core)."""
    incomplete = []
    for extra, purpose in PURPOSES.items():
        packages = requirements(extra)
        bad = [package for package in packages if not package.good]
        if bad:
            incomplete.append(extra)
        state = "incomplete" if bad else "complete"
        output.put(f"\n{f'[{extra}]' if extra else 'core'} {state} (for: {purpose})")
        label = max((len(package.name) for package in packages), default=0) + 2
        for package in packages:
            version = package.version or "not installed"
            told = version if package.good else f"{version}, needs {package.name}{package.wanted}"
            output.put(f"  {package.name.ljust(label)}{told}")
    click.echo()
    return incomplete


def requirements(extra: str) -> list[Package]:
    """The packages that an extra of kiloframe names ("" for the core), with what is here."""
    found = []
    for line in importlib.metadata.requires("kiloframe") or []:
        requirement, _, condition = line.partition(";")
        match = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", condition)
        if (match.group(1) if match else "") != extra:
            continue
        parts = re.match(r"([\w.-]+)\s*(?:\[[^\]]*\])?\s*(.*)", requirement.strip())
        if parts is None:
            continue
        name, wanted = parts.group(1), parts.group(2).strip("() ")
        try:
            version: str | None = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = None
        found.append(Package(name, wanted, version, version is not None and satisfies(version, wanted)))
    return sorted(found)


def satisfies(version: str, wanted: str) -> bool:
    """Whether a version fits a range such as ">=1.4,<2"; only >= and < are known, as our metadata uses no other."""
    for part in filter(None, (part.strip() for part in wanted.split(","))):
        number = _numbers(part.lstrip("<>="))
        if part.startswith(">=") and _numbers(version) < number:
            return False
        if part.startswith("<") and not part.startswith("<=") and _numbers(version) >= number:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    head = re.match(r"\d+(\.\d+)*", version)
    numbers = tuple(int(part) for part in head.group().split(".")) if head else ()
    return numbers + (0,) * (6 - len(numbers))
