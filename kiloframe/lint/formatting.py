"""Rule: fact files have one canonical form, so that a change shows only what was changed.

Keys in the order of kiloframe.schema, block style, two spaces, lines of about 110 characters, quotes only where they
are needed, texts of several lines as literal blocks. Comments survive.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import yaml

from kiloframe.factfiles import KINDS, FactFiles, Loader, Problem
from kiloframe.files import write_atomically

__all__ = ["canonical", "check", "fix"]

_WIDTH = 110


class CannotFormatError(Exception):
    """The canonical form would change the data or lose a comment, so the file is left to a human."""


def check(facts: FactFiles) -> Iterator[Problem]:
    """Files that are not in canonical form, with the first line that differs."""
    for file, text, wanted in _canonical_texts(facts):
        if isinstance(wanted, CannotFormatError):
            yield Problem(facts.name(file), 1, "", str(wanted))
        elif text != wanted:
            pairs = zip([*text.splitlines(), ""], [*wanted.splitlines(), ""], strict=False)
            line = next((i for i, (have, want) in enumerate(pairs, 1) if have != want), 1)
            yield Problem(facts.name(file), line, "", "is not in canonical form; type: kiloframe lint --fix")


def fix(facts: FactFiles) -> tuple[list[str], list[Problem]]:
    """Bring every file that can be into canonical form: the names of those that changed, and what cannot be."""
    changed, left = [], []
    for file, text, wanted in _canonical_texts(facts):
        if isinstance(wanted, CannotFormatError):
            left.append(Problem(facts.name(file), 1, "", str(wanted)))
        elif text != wanted:
            write_atomically(file, wanted)
            changed.append(facts.name(file))
    return changed, left


def _canonical_texts(facts: FactFiles) -> Iterator[tuple[Path, str, str | CannotFormatError]]:
    """Per parsed file: its text and its canonical form. ruamel.yaml is slow, so two processes share the work."""
    jobs = [(loaded.file, loaded.kind) for loaded in [*facts.records, *([facts.survey] if facts.survey else [])]]
    if len(jobs) < 20:
        yield from map(_job, jobs)
        return
    try:
        pool = ProcessPoolExecutor(max_workers=2)
    except (NotImplementedError, OSError):  # a system without semaphores, or that gives none
        yield from map(_job, jobs)
        return
    with pool:
        yield from pool.map(_job, jobs, chunksize=5)


def _job(job: tuple[Path, str]) -> tuple[Path, str, str | CannotFormatError]:
    file, kind = job
    text = file.read_text(encoding="utf-8")
    try:
        return file, text, canonical(text, kind)
    except CannotFormatError as error:
        return file, text, error


def canonical(text: str, kind: str) -> str:
    """The canonical form of a fact file's text. Raises CannotFormatError where data or a comment would not survive."""
    before = yaml.load(text, Loader=Loader)
    comments = _comments(text)
    first = f"# yaml-language-server: $schema=../schema/{kind.removesuffix('s')}.json" if kind in KINDS else None
    own = [comment for comment in comments if comment != first]
    data = _yaml().load(text) if own else yaml.load(text, Loader=Loader)  # the slow reader only for comments
    out = io.StringIO()
    _yaml().dump(_ordered(_plain(data), KINDS.get(kind)), out)
    result = out.getvalue().replace("\r\n", "\n")
    if first and not result.startswith(first):
        result = f"{first}\n{result}"
    stripped = re.sub(r" +$", "", result, flags=re.MULTILINE)  # ruamel leaves the space where it breaks a line
    if yaml.load(stripped, Loader=Loader) == before:
        result = stripped
    elif yaml.load(result, Loader=Loader) != before:
        raise CannotFormatError("cannot be brought into canonical form without changing its data; simplify its quoting")
    expected = comments if first is None or first in comments else [first, *comments]
    if sorted(_comments(result)) != sorted(expected):
        raise CannotFormatError("cannot be brought into canonical form without losing a comment; give it its own line")
    return result


def _yaml() -> Any:
    """ruamel's round-trip reader and writer, set to the canonical style."""
    from ruamel.yaml import YAML
    from ruamel.yaml.representer import RoundTripRepresenter

    class Representer(RoundTripRepresenter):
        """Quotes what PyYAML (YAML 1.1) would not read as text, and writes null as null; no aliases."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    resolver = yaml.SafeLoader("")

    def text(representer: Any, value: str) -> Any:
        tag = resolver.resolve(yaml.ScalarNode, value, (True, False))
        style = "|" if "\n" in value else None if tag == "tag:yaml.org,2002:str" else "'"
        return representer.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Representer.add_representer(str, text)
    Representer.add_representer(type(None), lambda r, _: r.represent_scalar("tag:yaml.org,2002:null", "null"))
    writer = YAML()
    writer.Representer = Representer
    writer.width = _WIDTH
    writer.indent(mapping=2, sequence=4, offset=2)
    return writer


def _plain(value: Any) -> Any:
    """The same data without its author's styles; ruamel's containers stay, for they hold the comments."""
    from ruamel.yaml.scalarstring import LiteralScalarString

    if isinstance(value, dict):
        for key in value:
            value[key] = _plain(value[key])
    elif isinstance(value, list):
        for i, item in enumerate(value):
            value[i] = _plain(item)
    elif isinstance(value, LiteralScalarString) and "\n" in value:
        return value  # may carry the comment that follows it
    elif isinstance(value, bool):
        return value
    else:
        for kind in (str, int, float):
            if isinstance(value, kind):
                return kind(value)
    if hasattr(value, "fa"):
        value.fa.set_block_style()
    return value


def _ordered(value: Any, hint: Any) -> Any:
    """The same data with the keys of records in the order of their fields."""
    structs = [t for t in (hint, *get_args(hint)) if isinstance(t, type) and issubclass(t, msgspec.Struct)]
    if isinstance(value, dict) and structs:
        hints = get_type_hints(structs[0])
        order = [key for key in structs[0].__struct_fields__ if key in value]
        order += [key for key in value if key not in order]
        for key in order if order != list(value) else []:
            if hasattr(value, "move_to_end"):  # ruamel's mapping, which keeps its comments this way
                value.move_to_end(key)
            else:
                value[key] = value.pop(key)
        for key in value:
            value[key] = _ordered(value[key], hints.get(key))
    elif isinstance(value, list):
        items = next((get_args(t)[0] for t in (hint, *get_args(hint)) if get_origin(t) is list), None)
        for i, item in enumerate(value):
            value[i] = _ordered(item, items)
    return value


def _comments(text: str) -> list[str]:
    """The comments of a YAML text: what begins with # outside of its scalars."""
    found, at = [], 0
    comment = re.compile(r"(?:^|(?<=\s))#.*", re.MULTILINE)
    for token in yaml.scan(text, Loader=Loader):
        if isinstance(token, yaml.ScalarToken):
            found += comment.findall(text, at, token.start_mark.index)
            at = token.end_mark.index
            if token.style in ("|", ">"):  # the header of a block may carry one
                found += comment.findall(text[token.start_mark.index : at].split("\n", 1)[0])
    found += comment.findall(text, at)
    return [line.rstrip() for line in found]
