"""From a percent script to a notebook that can be run, and from an executed notebook to one fit for keeping.

The script is the only source (notebooks/<slug>.py). Its parameters cell, tagged `parameters`, names every value that
may be set from outside; the type of the default is the type that is accepted.
"""

from __future__ import annotations

import ast
import difflib
import math
import os
import re
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from kiloframe.errors import UserError

__all__ = [
    "MAX_EMBEDDED", "Script", "Value", "clean", "embedded_media", "error_outputs", "media_references",
    "missing_package", "notebook_slugs", "parse_assignments", "parsed", "private_names", "read_script", "script_path",
    "scrub", "with_values",
]  # fmt: skip

Value = bool | int | float | str | None
MAX_EMBEDDED = 8 * 1024
"""Most characters of one picture inside a notebook's output; anything larger belongs in the report's media folder."""

_T = TypeVar("_T")
_MARKER = re.compile(r"^\s*#\s*%%(%*)(\s.*)?$")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_REQUIRED = ("scale", "out")
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


class Script(NamedTuple):
    """A percent script as a notebook: `lines[i]` is the script's 1-based line where the code of cell i starts.

    records, made_by: a file without which only scale smoke can be run, and the command that makes it (header, under
    `kiloframe:`); None where the notebook needs none.
    """

    path: Path
    text: str
    notebook: Any
    lines: list[int]
    defaults: dict[str, Value]
    records: str | None = None
    made_by: str | None = None

    def lacks(self, scale: str, root: Path) -> str | None:
        """A sentence about the records that a run of this scale would miss; None where it can begin."""
        if self.records is None or scale == "smoke" or (root / self.records).is_file():
            return None
        return f"notebooks/{self.path.name} reads records that are not here ({self.records}); type: {self.made_by}"


def missing_package(error: ModuleNotFoundError) -> UserError:
    """The sentence for a missing package of the extra `notebooks`."""
    return UserError(f"the package {error.name!r} is missing; type: pip install 'kiloframe[reproductions,notebooks]'")


def notebook_slugs(root: Path) -> list[str]:
    """The slugs that have a script in notebooks/, sorted."""
    return sorted(file.stem for file in (root / "notebooks").glob("[a-z0-9]*.py"))


def script_path(slug: str, root: Path) -> Path:
    """notebooks/<slug>.py. Raises UserError with the nearest slugs where there is none."""
    name = slug.replace("-", "_")
    slugs = notebook_slugs(root)
    if name in slugs:
        return root / "notebooks" / f"{name}.py"
    near = difflib.get_close_matches(name, slugs, 3)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    there = f"there are: {', '.join(slugs)}" if slugs else "there are none yet"
    raise UserError(f"there is no notebook of {slug!r} (notebooks/{name}.py){hint}; {there}")


def read_script(path: Path) -> Script:
    """The script with its cells, their lines and the defaults of its parameters cell.

    Raises UserError for a file that is not a Python percent script, names another language's kernel, or lacks a
    parameters cell with `scale` and `out`.
    """
    try:
        import jupytext
        import nbformat
    except ModuleNotFoundError as error:
        raise missing_package(error) from None
    shown = f"notebooks/{path.name}"
    try:
        text = path.read_bytes().decode("utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{shown} cannot be read as UTF-8 text ({type(error).__name__})") from None
    if not any(_MARKER.match(line) for line in text.splitlines()):
        raise UserError(f'{shown} is no percent script; start each cell with "# %%" or "# %% [markdown]"')
    try:
        notebook = jupytext.reads(text, fmt="py:percent")
    except Exception as error:  # a damaged YAML header raises whatever the YAML reader raises
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{shown} cannot be read by jupytext ({reason}); look at its header") from None
    kernel = notebook.metadata.get("kernelspec", {})
    name = str(kernel.get("name", "python3"))
    language = str(kernel.get("language") or ("python" if name.startswith("python") else "unknown"))
    if language.lower() != "python":
        raise UserError(f"{shown} names the kernel {name!r} (language {language}); only python is run here")
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells, 1):
        cell["id"] = f"cell-{number:02d}"  # jupytext draws ids at random, which would make every run differ
    nbformat.validate(notebook)
    needs = notebook.metadata.pop("kiloframe", {})
    return Script(
        path, text, notebook, _cell_lines(text, notebook.cells), _defaults(shown, text, notebook.cells),
        needs.get("records"), needs.get("made_by"),
    )  # fmt: skip


def _cell_lines(text: str, cells: list[Any]) -> list[int]:
    """The 1-based line of the script at which each cell's text starts."""
    lines = text.splitlines()
    markers = [number for number, line in enumerate(lines, 1) if _MARKER.match(line)]
    if len(markers) < len(cells):  # code that stands before the first marker is a cell of its own
        markers = [1] * (len(cells) - len(markers)) + markers
    ends = [*markers[1:], len(lines) + 1]
    starts = []
    for cell, marker, end in zip(cells, markers, ends, strict=False):
        first = next(iter(cell.source.splitlines()), "")
        match = (number for number in range(marker, end) if lines[number - 1] == first)
        starts.append(next(match, min(marker + 1, len(lines))))
    return starts


_PARSING = threading.Lock()


def parsed(source: str | bytes) -> ast.Module:
    """ast.parse for several threads: in CPython 3.11 two at once fail now and then (github.com/python/cpython, #106905:
    they share one counter of the depth, and a garbage collection in the middle lets the other one run).
    """
    with _PARSING:
        return ast.parse(source)


def _defaults(shown: str, text: str, cells: list[Any]) -> dict[str, Value]:
    tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        what = "no cell has" if not tagged else f"{len(tagged)} cells have"
        raise UserError(
            f'{shown}: {what} the tag "parameters"; mark the one cell that holds scale, seed, train and out with: '
            '# %% tags=["parameters"]'
        )
    try:
        tree = parsed(tagged[0].source)
    except SyntaxError as error:
        raise UserError(f"{shown}: the parameters cell is not valid Python ({error.msg})") from None
    defaults: dict[str, Value] = {}
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        value = getattr(statement, "value", None)
        for target in targets:
            if not isinstance(target, ast.Name) or value is None:
                continue
            try:
                default = ast.literal_eval(value)
            except ValueError:
                default = ...
            if default is not None and not isinstance(default, bool | int | float | str):
                raise UserError(
                    f"{shown}: the parameter {target.id!r} must have a plain default: a text, a number, True, False or "
                    "None"
                )
            defaults[target.id] = default
    for name in _REQUIRED:
        if not isinstance(defaults.get(name), str):
            raise UserError(f'{shown}: the parameters cell must set {name}, a text, for example: {name} = ""')
    return defaults


# --- values of parameters -----------------------------------------------------------------------------------------


def parse_assignments(pairs: tuple[str, ...] | list[str]) -> dict[str, str]:
    """`("seed=3", "train=true")` as a dict of texts. Raises UserError for a pair without `=` or a name given twice."""
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            raise UserError(f"-p takes name=value, not {pair!r}; for example: -p seed=1")
        if name in values:
            raise UserError(f"-p {name} is given twice; give it once")
        values[name] = value
    return values


def with_values(script: Script, given: Mapping[str, Value], scale: str) -> dict[str, Value]:
    """All parameters of a run but `out`: the script's defaults, the scale, and what was given, each of its type.

    Texts are read by the type of the default, so that `-p seed=3` is a number.
    Raises UserError for an unknown name (with the nearest and all names) or a value of another type.
    """
    shown = f"notebooks/{script.path.name}"
    values = {name: value for name, value in script.defaults.items() if name != "out"}
    values["scale"] = scale
    settable = [name for name in values if name != "scale"]
    for name, value in given.items():
        if name == "scale":
            raise UserError(f"the scale is not given with -p; type: --scale {value}")
        if name == "out":
            raise UserError("the parameter 'out' is set by the run itself; leave it away")
        if name not in settable:
            near = difflib.get_close_matches(name, settable, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ";"
            raise UserError(f"{shown} has no parameter {name!r}{hint} it has: {', '.join(settable)}")
        values[name] = _typed(shown, name, value, script.defaults[name])
    return values


def _typed(shown: str, name: str, value: Value, default: Value) -> Value:
    kind = type(default)
    try:
        if isinstance(value, str):
            return _from_text(value, kind)
        if default is None or type(value) is kind or (kind is float and type(value) is int):
            return float(value) if kind is float and value is not None else value
    except ValueError:
        pass
    raise UserError(
        f"{shown}: the parameter {name!r} must be {_KINDS[kind]}, not {value!r}; its default is {default!r}"
    )


def _from_text(text: str, kind: type) -> Value:
    """The value a text stands for. A default of None takes whatever the text looks like."""
    if kind is str:
        return text
    word = text.strip().lower()
    if kind is bool:
        if word not in _WORDS:
            raise ValueError(text)
        return _WORDS[word]
    if kind is int:
        return int(word)
    if kind is float:
        number = float(word)
        if not math.isfinite(number):
            raise ValueError(text)
        return number
    if word == "none":
        return None
    for other in (int, float):
        try:
            return _from_text(text, other)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(word, text)


# --- the executed notebook ----------------------------------------------------------------------------------------


def error_outputs(notebook: Any) -> list[tuple[int, Any]]:
    """(cell index, output) of every output that is an exception and was not expected by the tag raises-exception."""
    return [
        (index, output)
        for index, cell in enumerate(notebook.cells)
        for output in cell.get("outputs", [])
        if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", [])
    ]


def embedded_media(notebook: Any) -> str | None:
    """A sentence about the first picture, film or sound that is embedded in an output, None where there is none."""
    for number, cell in enumerate(notebook.cells, 1):
        for output in cell.get("outputs", []):
            for kind, data in output.get("data", {}).items():
                text = "".join(data) if isinstance(data, str | list) else ""
                inline = kind.split("/")[0] in ("image", "video", "audio") or kind == "application/pdf"
                if not inline and not kind.startswith("text/"):
                    continue
                size = len(text) if inline else max(map(len, re.findall(r"data:[^\"'\s)>]+", text)), default=0)
                if size > MAX_EMBEDDED:
                    return f"cell {number} embeds {kind} of {size // 1024} kB in its output"
    return None


def media_references(notebook: Any, slug: str) -> set[str]:
    """Paths below `<slug>/` that outputs and text cells name as a source, link or poster."""
    pattern = re.compile(rf"""(?:src|href|poster)=["'](?:\./)?({re.escape(slug)}/[^"'#?]+)|\]\((?:\./)?({re.escape(slug)}/[^)\s]+)\)""")  # fmt: skip  # noqa: E501
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            texts += ["".join(data[kind]) for kind in ("text/html", "text/markdown") if kind in data]
    return {first or second for text in texts for first, second in pattern.findall(text)}


def private_names(script: Script, root: Path, staging: Path, runs: Path) -> list[tuple[re.Pattern[str], str]]:
    """What must not stand in a kept notebook, and what takes its place: this machine's paths, its name, its user.

    A machine or user whose name is a word of the script is left alone: it tells nothing, and the text would suffer.
    """
    places = [(staging, _below(runs, root)), (runs, _below(runs, root)), (root, ".")]
    places += [(Path(sys.prefix), "<python>")] if sys.prefix not in ("/usr", "/usr/local") else []
    home = Path(os.path.expanduser("~"))
    places += [(home, "~")] if len(home.parts) > 1 else []
    rules = [(re.compile(r"(?<![^\s\"'<>])[^\s\"'<>]*ipykernel_\d+[/\\]\d+\.py"), "<cell>")]
    seen: set[str] = set()
    for place, instead in places:
        for text in dict.fromkeys(
            (str(place), os.path.realpath(place), *([_below(place, root)] if place.is_relative_to(root) else []))
        ):
            if text in seen or text in (".", instead):
                continue
            seen.add(text)
            if instead == ".":
                rules.append((re.compile(r"(?<!\w)" + re.escape(text) + r"[/\\]"), ""))
            rules.append((re.compile(r"(?<!\w)" + re.escape(text) + r"(?![\w.-])"), instead))
    host = socket.gethostname()
    for name, instead in ((host, "host"), (host.split(".")[0], "host"), (home.name, "user")):
        if len(name) >= 4 and name not in ("root", "localhost", "home", "user") and name not in script.text:
            rules.append((re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])"), instead))
    return rules


def _below(path: Path, root: Path) -> str:
    """The path relative to the root where it lies below it, its last name elsewhere."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def scrub(value: _T, rules: list[tuple[re.Pattern[str], str]]) -> _T:
    """The same lists, dicts and texts with every rule applied to every text."""
    if isinstance(value, str):
        for pattern, instead in rules:
            value = pattern.sub(instead, value)  # type: ignore[assignment]
        return value
    if isinstance(value, dict):
        for key, item in value.items():
            value[key] = scrub(item, rules)
    elif isinstance(value, list):
        value[:] = [scrub(item, rules) for item in value]
    return value


def clean(notebook: Any, values: Mapping[str, Value], rules: list[tuple[re.Pattern[str], str]]) -> None:
    """Make the executed notebook fit for keeping, in place: no timings, no papermill records, nothing private.

    Outputs stay. The injected cell keeps the parameters of the run, but not `out`, which is a place on this machine.
    """
    language = dict(notebook.metadata.get("language_info", {"name": "python"}))
    language.pop("version", None)
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": language}
    number = 0
    for cell in notebook.cells:
        for key in [key for key in cell.metadata if key in ("papermill", "execution") or key.startswith("lines_to_")]:
            del cell.metadata[key]
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell["id"] = "parameters-of-this-run"
            cell.source = "\n".join(["# The parameters of this run", *(f"{k} = {v!r}" for k, v in values.items())])
        else:
            number += 1
            cell["id"] = f"cell-{number:02d}"
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
        for output in cell.get("outputs", []):
            scrub(output, rules)
            if output.output_type == "error":
                output["traceback"] = [_ANSI.sub("", line) for line in output["traceback"]]
