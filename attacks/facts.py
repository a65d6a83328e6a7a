"""Facts full of markup, formulas, quotes and commands, written out as HTML, SQL, CSV, BibTeX and to the shell."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import msgspec

import kiloframe
from attacks import words
from attacks.child import Outcome
from attacks.hostile import hostile_text, poisoned
from attacks.tally import Fire
from kiloframe.catalogue import Catalogue
from kiloframe.sources import checkout

__all__ = ["citations", "database", "pages", "shell", "spreadsheet"]

KINDS = ("methods", "datasets", "metrics")
TAGS = {"script", "img", "iframe", "object", "style", "input", "em", "del", "mark", "svg", "form", "base", "meta"}
"""What no text of a fact may become on a page."""
_LINK = re.compile(r"(https?://|#|[a-z0-9_./-]+([#?]|$))[^\s<>\"]*")


def _poisoned(fire: Fire) -> tuple[str, str, Any]:
    """A kind of record, the slug of one, and that record full of hostile text."""
    kind = fire.rng.choice(KINDS)
    records = getattr(kiloframe.load().facts, kind)
    slug = fire.rng.choice(sorted(records))
    text = hostile_text(fire.rng)
    return kind, slug, poisoned(records[slug], " ".join(text.split()) or "x", hostile_text(fire.rng))


def _catalogue(kind: str, slug: str, record: Any) -> Catalogue:
    """The catalogue with this record in the place of its own."""
    facts = kiloframe.load().facts
    return Catalogue(msgspec.structs.replace(facts, **{kind: {**getattr(facts, kind), slug: record}}), None)


class _Tags(HTMLParser):
    """The elements of a page and their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what was found."""
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def _html(text: str) -> _Tags:
    """A page as the site renders it, taken apart."""
    import markdown  # type: ignore[import-untyped]
    import yaml

    class Loader(yaml.SafeLoader):
        """What names Python objects is not needed here."""

    Loader.add_multi_constructor("tag:yaml.org,2002:python/name:", lambda *_: None)
    settings = yaml.load((checkout() / "mkdocs.yml").read_text(encoding="utf-8"), Loader)["markdown_extensions"]
    names = [next(iter(entry)) if isinstance(entry, dict) else entry for entry in settings]
    options = {name: entry[name] for entry in settings if isinstance(entry, dict) for name in entry}
    found = _Tags()
    found.feed(
        markdown.markdown(
            text.split("---\n", 2)[2], extensions=[*names, "pymdownx.snippets"], extension_configs=options
        )
    )
    return found


def pages(fire: Fire) -> Iterator[None]:
    """The page of a hostile record, and the index that shows it among the others."""
    from kiloframe.cite import bibtex
    from kiloframe.web import datasets, methods, metrics

    while True:
        kind, slug, record = _poisoned(fire)
        fire.tally.tried(kind)
        what = f"{kind}/{slug}, seed {fire.tally.seed}, input {fire.tally.inputs}"
        try:
            cat = _catalogue(kind, slug, record)
            false = SimpleNamespace(
                methods=cat.facts.methods, datasets=cat.facts.datasets, metrics=cat.facts.metrics, survey=cat.survey,
                references=cat.references, root=kiloframe.load().root,
            )  # fmt: skip
            if kind == "methods":
                methods.write(false, {}, {s: bibtex(m, cat) for s, m in false.methods.items()}, fire.folder)
            else:
                {"datasets": datasets, "metrics": metrics}[kind].write(false, fire.folder)
            found = [
                _html((fire.folder / name / "index.md").read_text(encoding="utf-8"))
                for name in (kind, f"{kind}/{slug}")
            ]
        except Exception:
            fire.tally.crashed(what)
            yield
            continue
        became = set()
        for page in found:
            became |= page.tags & TAGS
            became |= {f"{name}={value[:80]}" for name, value in page.attributes if name.startswith("on")}
            became |= {
                value[:80] for name, value in page.attributes if name in ("href", "src") and not _LINK.fullmatch(value)
            }
        if became:
            fire.tally.fault("broken", f"{what}: text became {sorted(became)}")
        else:
            fire.tally.answered += 1
        yield


def database(fire: Fire) -> Iterator[None]:
    """The exported database holds every hostile text as it was, and no table more or less."""
    from kiloframe import exports
    from kiloframe.tables import TABLES

    path = fire.folder / "facts.sqlite"
    while True:
        kind, slug, record = _poisoned(fire)
        fire.tally.tried(kind)
        what = f"{kind}/{slug}, seed {fire.tally.seed}, input {fire.tally.inputs}"
        try:
            cat = _catalogue(kind, slug, record)
            exports.write(cat, path)
            with closing(sqlite3.connect(path)) as connection:
                (whole,) = connection.execute("pragma integrity_check").fetchone()
                names = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
                same = all(
                    connection.execute(f'select * from "{name}"').fetchall() == [tuple(row) for row in table.rows(cat)]
                    for name, table in TABLES.items()
                )
        except Exception:
            fire.tally.crashed(what)
            yield
            continue
        if whole != "ok" or names != {*TABLES, "columns"} or not same:
            fire.tally.fault("broken", f"{what}: integrity {whole}, tables {sorted(names)}, same content: {same}")
        else:
            fire.tally.answered += 1
        yield


def spreadsheet(fire: Fire) -> Iterator[None]:
    """Every table as CSV reads back as it was, and no cell begins as a formula does."""
    from kiloframe import exports
    from kiloframe.tables import TABLES

    while True:
        kind, slug, record = _poisoned(fire)
        cat = _catalogue(kind, slug, record)
        name = fire.rng.choice(sorted(TABLES))
        fire.tally.tried(name)
        what = f"{kind}/{slug}, table {name}, seed {fire.tally.seed}, input {fire.tally.inputs}"
        try:
            read = list(csv.reader(io.StringIO(exports.to_csv(cat.methods, name), newline="")))[1:]
            rows = TABLES[name].rows(cat)
        except Exception:
            fire.tally.crashed(what)
            yield
            continue
        pairs = [
            (cell, "" if value is None else str(value))
            for line, row in zip(read, rows, strict=False)
            for cell, value in zip(line, row, strict=False)
        ]
        unequal = [cell for cell, value in pairs if cell not in (value, f"'{value}")]
        formulas = [
            cell
            for cell, _ in pairs
            if re.match(r" *[=+\-@\t\r\n]", cell) and not re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?", cell)
        ]
        if unequal or formulas or len(read) != len(rows) or {len(line) for line in read} - {len(TABLES[name].columns)}:
            fire.tally.fault("broken", f"{what}: unequal {unequal[:2]}, formulas {formulas[:2]}, {len(read)} rows")
        else:
            fire.tally.answered += 1
        yield


def citations(fire: Fire) -> Iterator[None]:
    """Entries between a hostile one and its neighbours stay apart, with keys of their own."""
    import bibtexparser  # type: ignore[import-untyped]

    from kiloframe.cite import bibtex_for_all

    facts = kiloframe.load().facts
    methods, bare = facts.methods, Catalogue(msgspec.structs.replace(facts, references={}, survey={}), None)
    while True:
        slugs = fire.rng.sample(sorted(methods), 3)
        texts = [" ".join(hostile_text(fire.rng).split()) or "x" for _ in range(3)]
        bad = msgspec.structs.replace(methods[slugs[1]], title=texts[0], authors=texts[1:], venue=texts[1])
        fire.tally.tried("entries")
        what = f"{slugs}, seed {fire.tally.seed}, input {fire.tally.inputs}"
        try:
            written = bibtex_for_all([methods[slugs[0]], bad, methods[slugs[2]]], bare)
            entries = bibtexparser.loads(written).entries
        except Exception:
            fire.tally.crashed(what)
            yield
            continue
        if len({entry["ID"] for entry in entries}) != 3 or written.count("{") != written.count("}"):
            fire.tally.fault("broken", f"{what}: {len(entries)} entries of 3 in {written[:600]!r}")
        else:
            fire.tally.answered += 1
        yield


BASH = """
source completion.bash
COMP_WORDS=(kiloframe show "$1"); COMP_CWORD=2; COMPREPLY=()
_kiloframe_completion kiloframe "$1" show
printf '%s' "${#COMPREPLY[@]}"
"""


def shell(fire: Fire) -> Iterator[None]:
    """Odd words before the Tab key; and bash itself, given hostile words to offer, runs none of them."""
    from kiloframe.cli import invoke

    script = io.StringIO()
    with redirect_stdout(script):
        invoke(["completion", "bash"])
    (fire.folder / "completion.bash").write_text(script.getvalue())
    (fire.folder / "kiloframe").write_text("#!/bin/sh\ncat offered\n")
    (fire.folder / "kiloframe").chmod(0o755)
    bash = shutil.which("bash")
    if bash is None:
        fire.tally.note("bash is not here; its part was left out")
    while True:
        if bash is not None and fire.rng.random() < 0.3:
            _in_bash(fire, bash)
            yield
            continue
        typed = " ".join(("kiloframe", *words.line(fire.rng)))
        fire.tally.tried("typed")
        given = {"_KILOFRAME_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(fire.rng.randint(0, 4))}
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="replace") for _ in range(2))
        kept = dict(os.environ)
        try:
            os.environ.update(
                {name: value.replace("\x00", "").encode("utf-8", "replace").decode() for name, value in given.items()}
            )
            with redirect_stdout(out), redirect_stderr(err):
                code = invoke([])
        except BaseException:
            fire.tally.crashed(f"completion of {typed!r}")
        else:
            fire.tally.judge(Outcome(code, "", _text(err), 0.0, 0, False), f"completion of {typed!r}")
        finally:
            os.environ.clear()
            os.environ.update(kept)
        yield


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]


def _in_bash(fire: Fire, bash: str) -> None:
    offered = [" ".join(hostile_text(fire.rng).split()) for _ in range(8)]
    (fire.folder / "offered").write_text("".join(f"plain,{text}\n" for text in offered), encoding="utf-8")
    fire.tally.tried("bash")
    environment = {**os.environ, "PATH": f"{fire.folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [bash, "--norc", "-c", BASH, "bash", fire.rng.choice(offered)], cwd=fire.folder, env=environment,
        capture_output=True, text=True, errors="replace", timeout=60,
    )  # fmt: skip
    if (fire.folder / "ran").exists():
        (fire.folder / "ran").unlink()
        fire.tally.fault("broken", f"bash ran a word that was offered: {offered}")
    elif done.returncode or done.stderr:
        fire.tally.fault("tracebacks", f"bash, offered {offered}: {done.stdout!r} {done.stderr[-300:]!r}")
    else:
        fire.tally.answered += 1
