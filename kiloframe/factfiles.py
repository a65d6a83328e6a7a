"""The fact files as they lie on disk: YAML with line numbers, BibTeX by key, and what is wrong, by file and line.

Lint and compile read through here; neither checks anything that this module already refuses. Imports yaml, so
`kiloframe.load()` never comes here for an unchanged catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml

from kiloframe.errors import UserError
from kiloframe.schema import Dataset, Method, Metric

__all__ = ["KINDS", "FactFiles", "Loaded", "Problem", "YamlError", "dotted", "read_bibtex", "read_facts", "read_yaml"]

Path_ = tuple[str | int, ...]
KINDS: dict[str, type[msgspec.Struct]] = {"methods": Method, "datasets": Dataset, "metrics": Metric}

try:
    Loader: Any = yaml.CSafeLoader
except AttributeError:  # PyYAML built without libyaml: slower, same result
    Loader = yaml.SafeLoader


class Problem(NamedTuple):
    """Something wrong in a fact file: where (file, 1-based line, field) and what is allowed."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        where = f" {self.field}:" if self.field else ""
        return f"{self.file}:{self.line}:{where} {self.message}"


def dotted(path: Path_) -> str:
    """`("results", 3, "value")` as `results[3].value`."""
    out = ""
    for part in path:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else str(part)
    return out


# --- YAML with line numbers ---------------------------------------------------------------------------------------


class YamlError(UserError):
    """A file that is not the YAML we accept; knows its line and field."""

    def __init__(self, line: int, field: str, message: str) -> None:
        super().__init__(message)
        self.line, self.field, self.message = line, field, message


def read_yaml(path: Path) -> tuple[Any, dict[Path_, int]]:
    """Parse one YAML file.

    Returns the data and a map from path (`("results", 3, "value")`) to 1-based line.
    Raises YamlError (a UserError) for a file that is missing, not UTF-8, not YAML, or repeats a key.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise YamlError(1, "", "the file does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise YamlError(1, "", f"the file cannot be read as UTF-8 text ({error.__class__.__name__})") from None
    loader = Loader(text)
    try:
        node = loader.get_single_node()
        lines: dict[Path_, int] = {}
        data = None if node is None else _build(loader, node, (), lines, set())
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlError(line, "", f"not valid YAML: {error.problem or error.context or 'unknown problem'}") from None
    except (yaml.YAMLError, ValueError, OverflowError, AttributeError, TypeError, KeyError, RecursionError) as error:
        # PyYAML lets stray exceptions through for odd scalars and characters.
        message = str(error).splitlines()[0] if str(error) else error.__class__.__name__
        raise YamlError(1, "", f"not valid YAML: {message}") from None
    finally:
        loader.dispose()
    return data, lines


def _build(loader: Any, node: yaml.Node, path: Path_, lines: dict[Path_, int], seen: set[int]) -> Any:
    """Turn a YAML node into plain data, noting lines; refuses repeated keys, aliases and deep nesting."""
    line = node.start_mark.line + 1
    if len(path) > 40:
        raise YamlError(line, dotted(path), "nested more than 40 levels deep")
    if id(node) in seen:  # an alias composes to the very node of its anchor
        raise YamlError(line, dotted(path), "YAML anchors and aliases (&, *) are not allowed; write the value out")
    seen.add(id(node))
    lines[path] = line
    if isinstance(node, yaml.MappingNode):
        out: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise YamlError(line, dotted(path), f"the key {key!r} must be text; put it in quotes")
            if key in out:
                where = dotted((*path, key))
                raise YamlError(line, where, f"the key {key!r} stands twice (first in line {lines[(*path, key)]})")
            out[key] = _build(loader, value_node, (*path, key), lines, seen)
            lines[(*path, key)] = line
        return out
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, child, (*path, i), lines, seen) for i, child in enumerate(node.value)]
    return loader.construct_object(node, deep=True)


# --- BibTeX -------------------------------------------------------------------------------------------------------


def read_bibtex(path: Path) -> dict[str, str]:
    """Entries of a BibTeX file by key, each as its own text. Raises YamlError for a repeated key or an open brace."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise YamlError(1, "", "the file does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise YamlError(1, "", f"the file cannot be read as UTF-8 text ({error.__class__.__name__})") from None
    entries: dict[str, str] = {}
    for match in re.finditer(r"^@(\w+)\s*\{\s*([^,\s]+)\s*,", text, re.MULTILINE):
        key, line = match.group(2), text.count("\n", 0, match.start()) + 1
        depth, end = 0, match.start()
        for end in range(match.start(), len(text)):
            depth += (text[end] == "{") - (text[end] == "}")
            if text[end] == "}" and depth == 0:
                break
        if depth:
            raise YamlError(line, key, f"the entry {key!r} has unbalanced braces")
        if key in entries:
            raise YamlError(line, key, f"the key {key!r} stands twice")
        entries[key] = text[match.start() : end + 1]
    return entries


# --- the catalogue ------------------------------------------------------------------------------------------------


class Loaded(NamedTuple):
    """One parsed fact file: `name` as users know it (catalogue/methods/fdm.yaml), plain data, and lines by path."""

    file: Path
    name: str
    kind: str
    data: Any
    lines: dict[Path_, int]

    def line(self, path: Path_) -> int:
        """The line of `path`, or of what is nearest around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def problem(self, path: Path_, message: str) -> Problem:
        """A problem of this file at `path`."""
        return Problem(self.name, self.line(path), dotted(path), message)

    def rows(self, field: str) -> Iterator[tuple[Path_, dict[str, Any]]]:
        """The mappings in the list `field`, with their paths; nothing where the file has no such list."""
        rows = self.data.get(field) if isinstance(self.data, dict) else None
        for i, row in enumerate(rows if isinstance(rows, list) else []):
            if isinstance(row, dict):
                yield (field, i), row

    def part(self, *path: str) -> Any:
        """The value at `path`, or None where there is none (rules run on records that break the schema, too)."""
        value = self.data
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def walk(self) -> Iterator[tuple[Path_, Any]]:
        """Every value in the file with its path, containers first."""
        yield from _walk((), self.data)


def _walk(path: Path_, value: Any) -> Iterator[tuple[Path_, Any]]:
    yield path, value
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from _walk((*path, key), child)


class FactFiles(NamedTuple):
    """The catalogue as read: the records that parse, the survey, BibTeX by key, and `unread`, what does not parse.

    `slugs` are the names of the files per kind, parsed or not, so that one broken file does not break references.
    """

    root: Path
    records: list[Loaded]
    survey: Loaded | None
    references: dict[str, str]
    slugs: dict[str, set[str]]
    unread: list[Problem]

    def of(self, kind: str) -> list[Loaded]:
        """The records of one kind."""
        return [record for record in self.records if record.kind == kind]

    def name(self, file: Path) -> str:
        """How users know a file: `catalogue/methods/fdm.yaml`."""
        return f"{self.root.name}/{file.relative_to(self.root).as_posix()}"


def read_facts(catalogue: Path) -> FactFiles:
    """Read every fact file of a catalogue folder. Raises UserError where the folder is no catalogue."""
    root = catalogue.resolve()
    if not (root / "methods").is_dir():
        raise UserError(f"{catalogue} is no catalogue: it has no folder methods/; name the folder with the fact files")
    files = {kind: sorted((root / kind).glob("*.yaml")) for kind in KINDS}
    facts = FactFiles(root, [], None, {}, {kind: {file.stem for file in files[kind]} for kind in KINDS}, [])
    survey: list[Loaded] = []
    files["survey"] = [root / "survey.yaml"]
    for kind, file in ((kind, file) for kind, found in files.items() for file in found):
        try:
            loaded = Loaded(file, facts.name(file), kind, *read_yaml(file))
        except YamlError as error:
            facts.unread.append(Problem(facts.name(file), error.line, error.field, error.message))
            continue
        (survey if kind == "survey" else facts.records).append(loaded)
    try:
        facts.references.update(read_bibtex(root / "references.bib"))
    except YamlError as error:
        facts.unread.append(Problem(facts.name(root / "references.bib"), error.line, error.field, error.message))
    return facts._replace(survey=survey[0] if survey else None)
