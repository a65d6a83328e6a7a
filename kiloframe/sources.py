"""What a result was made from, as hashes, and whether the frozen results are still what today's code would make.

The hash of a run covers the method file with everything it imports from reproductions (found by reading the code,
nothing is imported), what the notebook imports from there, the notebook, its parameters, and the method's weights.
A change of a comment counts as a change. Line ends do not count.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from kiloframe.errors import UserError
from kiloframe.notebooks import Value, notebook_slugs, parsed, read_script, script_path
from kiloframe.results import Result, read_result

__all__ = [
    "CODE", "Status", "checkout", "code_files", "combined", "imported", "latest_result", "source_hash", "source_parts",
    "status", "weight_hashes",
]  # fmt: skip

CODE = ("reproductions", "benchmarks", "attacks")
"""Packages of the checkout that notebooks are made of."""
RUNS = Path("build/runs")
RESULTS = Path("results")
_LABELS = {"method": "method code", "notebook": "notebook", "weights": "weights", "parameters": "parameters"}


class Status(NamedTuple):
    """Where a slug's frozen result stands: `reason` is one sentence or phrase, empty when it is fresh."""

    slug: str
    state: Literal["fresh", "stale", "missing", "damaged"]
    reason: str


def checkout() -> Path:
    """The root of the repository that this package runs from. Raises UserError when it was installed as a wheel."""
    root = Path(__file__).resolve().parent.parent
    if all((root / name).exists() for name in ("pyproject.toml", "catalogue", "reproductions")):
        return root
    raise UserError(
        "this needs a checkout of the repository (notebooks, weights), and kiloframe is installed without one; clone "
        "the repository, go there, and type: pip install -e '.[all]'"
    )


# --- hashes -------------------------------------------------------------------------------------------------------


def source_hash(slug: str, parameters: Mapping[str, Value], root: Path | None = None) -> str:
    """The sha256 over all that a run of this slug with these parameters (without `out`) is made from."""
    return combined(source_parts(slug, parameters, root))


def combined(parts: Mapping[str, str]) -> str:
    """One hash for all parts."""
    return _sha256(json.dumps(dict(parts), sort_keys=True).encode())


def source_parts(slug: str, parameters: Mapping[str, Value], root: Path | None = None) -> dict[str, str]:
    """The hashes of `method`, `notebook`, `weights` and `parameters`. Raises UserError when there is no notebook."""
    root = checkout() if root is None else root
    script = script_path(slug, root)
    kept = {name: value for name, value in parameters.items() if name != "out"}
    code = {file.relative_to(root).as_posix(): _sha256(_text(file)) for file in code_files(script.stem, root)}
    return {
        "method": combined(code),
        "notebook": _sha256(_text(script)),
        "weights": combined(weight_hashes(script.stem, root)),
        "parameters": _sha256(json.dumps(kept, sort_keys=True).encode()),
    }


def weight_hashes(slug: str, root: Path) -> dict[str, str]:
    """sha256 of the method's weight files, its variants' included: weights/<slug>.safetensors, <slug>-*.safetensors.

    And of those that belong to a file it imports, as weights/world_network.safetensors does to world_network.py.
    """
    folder = root / "weights"
    names = {slug, *(file.stem for file in code_files(slug, root))}
    files = {folder / f"{name}.safetensors" for name in names} & set(folder.glob("*.safetensors"))
    files |= set(folder.glob(f"{slug}-*.safetensors"))
    return {file.name: _sha256(file.read_bytes()) for file in sorted(files)}


def code_files(slug: str, root: Path) -> list[Path]:
    """Every file of reproductions that the method or its notebook imports, directly or through others, sorted."""
    return imported([root / "notebooks" / f"{slug}.py", root / "reproductions" / "methods" / f"{slug}.py"], root)


def imported(files: Iterable[Path], root: Path) -> list[Path]:
    """The files themselves and all that they import, as far as it lies in `CODE`, sorted."""
    found: set[Path] = set()
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        if file in found or not file.is_file():
            continue
        found.add(file)
        waiting += _imported_files(file, root)
    return sorted(file for file in found if any(file.is_relative_to(root / folder) for folder in CODE))


def _imported_files(file: Path, root: Path) -> Iterable[Path]:
    try:
        tree = parsed(_text(file))
    except SyntaxError:  # a notebook may hold magics, and a broken file fails when it is run: its own text still counts
        tree = parsed(
            "\n".join(line for line in _text(file).decode("utf-8", "replace").split("\n") if _is_import(line))
        )
    package = file.parent.relative_to(root).parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.split(".")[0] in CODE:
                yield from _module_files(name, root)


def _is_import(line: str) -> bool:
    """A whole import statement on one line, at the top level."""
    if not line.startswith(("import ", "from ")):
        return False
    try:
        parsed(line)
    except SyntaxError:
        return False
    return True


def _module_files(name: str, root: Path) -> Iterable[Path]:
    """The module's file and the __init__.py of every package on the way: importing it runs them all."""
    path = root
    for part in name.split("."):
        path = path / part
        yield path / "__init__.py"
    yield path.with_suffix(".py")


def _text(file: Path) -> bytes:
    return file.read_bytes().replace(b"\r\n", b"\n")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# --- the state of what is frozen ----------------------------------------------------------------------------------


def status(root: Path | None = None) -> list[Status]:
    """The state of every slug that has a notebook or a frozen result, sorted by slug.

    fresh: made from today's code, notebook, weights and parameters; stale: the reason says what changed; missing:
    a notebook without a frozen result; damaged: the reason is the sentence that says what is broken.
    """
    root = checkout() if root is None else root
    results = root / RESULTS
    frozen = {file.stem for suffix in ("json", "ipynb") for file in results.glob(f"[a-z0-9]*.{suffix}")}
    return [_status(slug, root, slug in frozen) for slug in sorted(frozen | set(notebook_slugs(root)))]


def _status(slug: str, root: Path, frozen: bool) -> Status:
    if not frozen:
        return Status(slug, "missing", f"nothing is frozen yet; type: {_made_by(slug, root)}")
    try:
        result = _whole(slug, root / RESULTS)
    except UserError as error:
        return Status(slug, "damaged", str(error))
    if slug not in notebook_slugs(root):
        return Status(slug, "stale", f"its notebook, notebooks/{slug}.py, is gone")
    try:
        script = read_script(script_path(slug, root))
    except UserError as error:
        return Status(slug, "stale", f"notebook changed: {error}")
    # Parameters that the notebook has today, with the values of the frozen run: a new or dropped one shows up.
    today = {name: result.parameters.get(name, default) for name, default in script.defaults.items() if name != "out"}
    parts = source_parts(slug, today, root)
    changed = [label for part, label in _LABELS.items() if parts[part] != result.sources.get(part)]
    if not changed and combined(parts) != result.source_hash:
        changed = ["source_hash of the result"]
    return Status(slug, "stale", f"{', '.join(changed)} changed") if changed else Status(slug, "fresh", "")


def _made_by(slug: str, root: Path) -> str:
    """The command that makes and freezes a result: the notebook's own where its records are missing."""
    try:
        script = read_script(script_path(slug, root))
    except UserError:  # running it says what is wrong with the script
        script = None
    if script is not None and script.made_by is not None and script.lacks("toy", root) is not None:
        return script.made_by
    return f"kiloframe run {slug} --freeze"


def _whole(slug: str, folder: Path) -> Result:
    """The result with its notebook and media all in place. Raises UserError that says what is missing or damaged."""
    result = read_result(folder / f"{slug}.json")
    again = f"make it again with: kiloframe run {slug}" + (" --freeze" if folder.name == "results" else "")
    notebook = folder / f"{slug}.ipynb"
    try:
        cells = json.loads(notebook.read_bytes())["cells"]
    except FileNotFoundError:
        raise UserError(f"the notebook {notebook} is missing beside its result; {again}") from None
    except (ValueError, KeyError, TypeError):
        cells = None
    if not isinstance(cells, list):
        raise UserError(f"{notebook} is not a notebook; {again}")
    for item in result.media:
        for name in filter(None, (item.file, item.poster)):
            if not (folder / slug / name).is_file():
                raise UserError(f"the media file {folder / slug / name} is missing; {again}")
    return result


def latest_result(slug: str, root: Path | None = None) -> tuple[Result, Path, bool] | None:
    """What to show of a slug: (result, the folder it lies in, whether it is frozen), None where nothing was run.

    The fresh run in build/runs is taken if it is not of scale smoke and not older than the frozen one. Raises
    UserError for a result that is damaged, or lacks its notebook or media.
    """
    root = checkout() if root is None else root
    slug = slug.replace("-", "_")
    frozen = _whole(slug, root / RESULTS) if _there(slug, root / RESULTS) else None
    # A plain `python notebooks/x.py` writes the record alone, without `created`: that is no run to show.
    if (root / RUNS / f"{slug}.ipynb").is_file() and (root / RUNS / f"{slug}.json").is_file():
        fresh = read_result(root / RUNS / f"{slug}.json")
        if fresh.scale != "smoke" and fresh.created and (frozen is None or fresh.created >= frozen.created):
            return _whole(slug, root / RUNS), root / RUNS, False
    return None if frozen is None else (frozen, root / RESULTS, True)


def _there(slug: str, folder: Path) -> bool:
    return any((folder / f"{slug}.{suffix}").exists() for suffix in ("json", "ipynb"))
