"""Read the fact files, check them against the schema, and pack them into one snapshot that loads fast.

Only lint, the wheel's build hook and a changed checkout come here; `kiloframe.load()` on an unchanged checkout
reads the snapshot without validating again. Imports yaml and jsonschema, so nothing else may import this module
at its top level.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import yaml

from kiloframe.errors import UserError
from kiloframe.files import write_atomically
from kiloframe.schema import Dataset, Method, Metric
from kiloframe.snapshot import SCHEMA_VERSION, Facts, fingerprint

__all__ = ["KINDS", "Problem", "compile_catalogue", "problems", "read_bibtex", "read_yaml", "write_snapshot"]

Path_ = tuple[str | int, ...]
_T = TypeVar("_T", bound=msgspec.Struct)
KINDS: dict[str, type[msgspec.Struct]] = {"methods": Method, "datasets": Dataset, "metrics": Metric}

try:
    _Loader: Any = yaml.CSafeLoader
except AttributeError:  # PyYAML built without libyaml: slower, same result
    _Loader = yaml.SafeLoader


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
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        lines: dict[Path_, int] = {}
        data = None if node is None else _build(loader, node, (), lines, depth=0)
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


def _build(loader: Any, node: yaml.Node, path: Path_, lines: dict[Path_, int], depth: int) -> Any:
    """Turn a YAML node into plain data, noting lines, refusing repeated keys, anchors' loops and deep nesting."""
    if depth > 40:
        raise YamlError(node.start_mark.line + 1, dotted(path), "nested more than 40 levels deep")
    lines[path] = node.start_mark.line + 1
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
            out[key] = _build(loader, value_node, (*path, key), lines, depth + 1)
            lines[(*path, key)] = line
        return out
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, child, (*path, i), lines, depth + 1) for i, child in enumerate(node.value)]
    return loader.construct_object(node, deep=True)


# --- BibTeX -------------------------------------------------------------------------------------------------------


def read_bibtex(path: Path) -> dict[str, str]:
    """Entries of a BibTeX file by key, each as its own text. Raises UserError for a repeated key or an open brace."""
    text = path.read_text(encoding="utf-8")
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


# --- validation ---------------------------------------------------------------------------------------------------


def json_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a kind of record, generated from kiloframe.schema."""
    (schema,), components = msgspec.json.schema_components([KINDS[kind]], ref_template="#/$defs/{name}")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "$defs": components}


def _schema_errors(kind: str, data: Any) -> Iterator[tuple[Path_, str]]:
    from jsonschema import Draft202012Validator

    for error in Draft202012Validator(json_schema(kind)).iter_errors(data):
        yield from _explain(error)


def _explain(error: Any) -> Iterator[tuple[Path_, str]]:
    """One jsonschema error as (path, sentence) pairs, with what is allowed and the nearest match."""
    path: Path_ = tuple(error.absolute_path)
    rule, allowed = error.validator, error.validator_value
    if rule == "anyOf":  # `X or null`: report why it is not X
        options = [s for s in allowed if s.get("type") != "null"]
        inner = [e for e in error.context if e.schema_path[0] == allowed.index(options[0])] if options else []
        if len(options) == 1 and inner:
            for sub in inner:
                yield from _explain(sub)
            return
        kinds = " or ".join(str(s.get("type") or s.get("$ref", "").rsplit("/", 1)[-1]) for s in allowed)
        yield path, f"{_short(error.instance)} is not allowed; expected {kinds}"
    elif rule == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        for key in error.instance:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                yield (*path, key), f"unknown key {key!r}; {hint}allowed keys: {', '.join(known)}"
    elif rule == "enum":
        near = difflib.get_close_matches(str(error.instance), [str(a) for a in allowed], 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        yield path, f"{_short(error.instance)} is not allowed; {hint}allowed values: {', '.join(map(str, allowed))}"
    elif rule == "required":
        missing = [key for key in allowed if key not in error.instance]
        if missing and error.message.startswith(repr(missing[0])):  # jsonschema reports each missing key once
            yield path, f"missing {'key' if len(missing) == 1 else 'keys'}: {', '.join(missing)}"
    elif rule == "type":
        kinds = " or ".join(allowed) if isinstance(allowed, list) else str(allowed)
        yield path, f"{_short(error.instance)} is not of type {kinds}"
    elif rule == "pattern":
        about = error.schema.get("description", f"text that matches {allowed}")
        yield path, f"{_short(error.instance)} does not fit; expected {about}"
    elif rule in ("minLength", "minItems"):
        yield path, "must not be empty"
    else:
        yield path, error.message


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _line(lines: dict[Path_, int], path: Path_) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class Loaded(NamedTuple):
    """One parsed fact file."""

    file: Path
    data: Any
    lines: dict[Path_, int]


def read_all(catalogue: Path) -> tuple[dict[str, list[Loaded]], list[Problem]]:
    """Parse every fact file; what does not parse is a Problem."""
    found: dict[str, list[Loaded]] = {kind: [] for kind in [*KINDS, "survey"]}
    bad: list[Problem] = []
    for kind in KINDS:
        for file in sorted((catalogue / kind).glob("*.yaml")):
            _read_into(catalogue, file, found[kind], bad)
    _read_into(catalogue, catalogue / "survey.yaml", found["survey"], bad)
    return found, bad


def _read_into(catalogue: Path, file: Path, into: list[Loaded], bad: list[Problem]) -> None:
    try:
        into.append(Loaded(file, *read_yaml(file)))
    except YamlError as error:
        bad.append(Problem(_name(catalogue, file), error.line, error.field, error.message))


def _name(catalogue: Path, file: Path) -> str:
    return f"{catalogue.name}/{file.relative_to(catalogue).as_posix()}"


def problems(catalogue: Path) -> list[Problem]:
    """Everything that keeps the catalogue from loading, over all files: YAML, schema, slugs, references, keys."""
    found, bad = read_all(catalogue)
    return bad + list(_check(catalogue, found))


def _check(catalogue: Path, found: dict[str, list[Loaded]]) -> Iterator[Problem]:
    slugs = {kind: {f.file.stem for f in found[kind]} for kind in KINDS}
    try:
        bib = read_bibtex(catalogue / "references.bib")
    except FileNotFoundError:
        yield Problem(f"{catalogue.name}/references.bib", 1, "", "the file does not exist")
        bib = {}
    except YamlError as error:
        yield Problem(f"{catalogue.name}/references.bib", error.line, error.field, error.message)
        bib = {}
    for kind in KINDS:
        for loaded in found[kind]:
            name = _name(catalogue, loaded.file)
            for path, message in _schema_errors(kind, loaded.data):
                yield Problem(name, _line(loaded.lines, path), dotted(path), message)
            if not isinstance(loaded.data, dict):
                continue
            slug = loaded.data.get("slug")
            if isinstance(slug, str) and slug != loaded.file.stem:
                message = f"the slug {slug!r} must equal the file name {loaded.file.stem!r}"
                yield Problem(name, _line(loaded.lines, ("slug",)), "slug", message)
            yield from _references(name, loaded, kind, slugs)
            yield from _result_keys(name, loaded)
    for loaded in found["survey"]:
        rows = loaded.data.get("cite_key_map", []) if isinstance(loaded.data, dict) else []
        for i, row in enumerate(rows):
            for field, known in (("slug", slugs["methods"]), ("bib", set(bib))):
                value = row.get(field) if isinstance(row, dict) else None
                if value is not None and value not in known:
                    path = ("cite_key_map", i, field)
                    message = _unresolved(str(value), known)
                    yield Problem(_name(catalogue, loaded.file), _line(loaded.lines, path), dotted(path), message)


def _references(name: str, loaded: Loaded, kind: str, slugs: dict[str, set[str]]) -> Iterator[Problem]:
    data = loaded.data
    wanted: list[tuple[Path_, Any, str]] = []
    if kind == "methods":
        for field, target in (("datasets", "datasets"), ("metrics", "metrics"), ("related", "methods")):
            wanted += [((field, i), entry, target) for i, entry in enumerate(_rows(data.get(field)))]
        for i, row in enumerate(_rows(data.get("results"))):
            if isinstance(row, dict):
                wanted += [(("results", i, part), row.get(part), f"{part}s") for part in ("dataset", "metric")]
    elif kind == "datasets":
        wanted += [(("used_by", i), entry, "methods") for i, entry in enumerate(_rows(data.get("used_by")))]
    for path, entry, target in wanted:
        if not isinstance(entry, dict):
            continue
        ref, text = entry.get("ref"), entry.get("text")
        if ref is None and text is None:
            yield Problem(name, _line(loaded.lines, path), dotted(path), "needs a ref (slug) or a text (words)")
        elif isinstance(ref, str) and ref not in slugs[target]:
            where = (*path, "ref")
            yield Problem(name, _line(loaded.lines, where), dotted(where), _unresolved(ref, slugs[target]))


def _rows(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _unresolved(ref: str, known: set[str]) -> str:
    near = difflib.get_close_matches(ref, sorted(known), 3, cutoff=0.5)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    return f"{ref!r} is not in the catalogue{hint}; use text: instead of ref: for what has no record"


def result_key(row: dict[str, Any]) -> tuple[Any, ...]:
    """The key under which a published result must be unique in its method's file."""

    def name(ref: Any) -> Any:
        return (ref.get("ref") or ref.get("text")) if isinstance(ref, dict) else None

    plain = (row.get(k) for k in ("system", "variant", "split", "resolution", "frames", "locator"))
    return (*plain, name(row.get("dataset")), name(row.get("metric")))


def _result_keys(name: str, loaded: Loaded) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for i, row in enumerate(_rows(loaded.data.get("results"))):
        if not isinstance(row, dict):
            continue
        key = repr(result_key(row))
        line = _line(loaded.lines, ("results", i))
        if key in seen:
            message = (
                f"the same result key as in line {seen[key]}; a result is unique by system, variant, "
                "dataset, split, resolution, frames, metric and locator"
            )
            yield Problem(name, line, f"results[{i}]", message)
        seen.setdefault(key, line)


# --- compiling ----------------------------------------------------------------------------------------------------


def compile_catalogue(catalogue: Path) -> Facts:
    """All facts, checked. Raises UserError that names file, line, field and what is allowed, if anything is wrong."""
    found, bad = read_all(catalogue)
    bad += _check(catalogue, found)
    if bad:
        more = f" (and {len(bad) - 1} more; `kiloframe lint` lists them all)" if len(bad) > 1 else ""
        raise UserError(f"{bad[0]}{more}")

    def convert(kind: str, struct: type[_T]) -> dict[str, _T]:
        return {loaded.file.stem: msgspec.convert(loaded.data, struct, strict=True) for loaded in found[kind]}

    return Facts(
        schema_version=SCHEMA_VERSION,
        fingerprint=fingerprint(catalogue),
        methods=convert("methods", Method),
        datasets=convert("datasets", Dataset),
        metrics=convert("metrics", Metric),
        survey=found["survey"][0].data,
        references=read_bibtex(catalogue / "references.bib"),
    )


def write_snapshot(catalogue: Path, target: Path) -> Facts:
    """Compile and write the snapshot atomically; returns the facts. Raises UserError as `compile_catalogue`."""
    facts = compile_catalogue(catalogue)
    write_atomically(target, msgspec.msgpack.encode(facts))
    return facts


def content_hash(facts: Facts) -> str:
    """SHA-256 over the facts, independent of where they were compiled."""
    return hashlib.sha256(
        msgspec.json.encode(msgspec.structs.replace(facts, fingerprint=""), order="sorted")
    ).hexdigest()
