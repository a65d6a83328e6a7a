"""Odd words, odd queries and damaged files: each is answered or refused in one sentence."""

from __future__ import annotations

import io
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

from attacks import words
from attacks.child import Outcome, run
from attacks.tally import Fire
from attacks.works import TINY
from kiloframe.errors import UserError
from kiloframe.sources import checkout

__all__ = ["command_line", "encodings", "fact_files", "results", "sql", "video", "weights"]

CATALOGUE = ("methods/fdm", "datasets/ucf_101", "metrics/fvd", "survey")
"""One record of each kind: enough to be a catalogue, and quickly read."""


def _asked(fire: Fire, what: str, ask: Callable[[], Any], names: str = "") -> Any:
    """Ask in this process; count an answer, a sentence, or whatever else comes. Returns the answer or None."""
    try:
        answer = ask()
    except UserError as error:
        fire.tally.refuses(error, what, names)
    except Exception:
        fire.tally.crashed(what)
    else:
        fire.tally.answered += 1
        return answer
    return None


def command_line(fire: Fire) -> Iterator[None]:
    """Words that nobody types, in the commands that only answer."""
    from kiloframe.cli import invoke

    while True:
        line = words.line(fire.rng)
        fire.tally.tried(line[0] if line and line[0] in words.QUESTIONS else "no command")
        out, err = io.StringIO(), io.StringIO()
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = invoke(line)
        except BaseException:
            fire.tally.crashed(f"kiloframe {line}")
        else:
            ended = fire.tally.judge(Outcome(code, out.getvalue(), err.getvalue(), 0.0, 0, False), f"kiloframe {line}")
            if not ended and (out.getvalue() or code != 2):
                fire.tally.fault("tracebacks", f"kiloframe {line}: code {code} after {out.getvalue()[:200]!r}")
        yield


def sql(fire: Fire) -> Iterator[None]:
    """Queries of random words; the tables are the same afterwards."""
    import kiloframe

    cat = kiloframe.load()
    count = "select count(*), (select count(*) from claims), (select group_concat(slug) from methods) from methods"
    before = cat.query(count)
    while True:
        query = words.query(fire.rng)
        fire.tally.tried(query.split(" ")[0] if query.split(" ")[0] in words.SQL else "text")
        _asked(fire, f"sql {query!r}", partial(cat.query, query, seconds=2))
        if cat.query(count) != before:
            fire.tally.fault("broken", f"sql {query!r} changed the tables")
        yield


def fact_files(fire: Fire) -> Iterator[None]:
    """Fact files with pieces cut, doubled or replaced, through the reader and the lint, which may also mend them."""
    from kiloframe.factfiles import read_yaml
    from kiloframe.lint import run as lint

    source, folder = checkout() / "catalogue", fire.folder / "catalogue"
    shutil.copytree(source, folder)
    for file in folder.rglob("*.yaml"):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name.split("/")[0] in ("methods", "datasets", "metrics") and name not in CATALOGUE:
            file.unlink()
    while True:
        name = fire.rng.choice(CATALOGUE)
        file, whole = folder / f"{name}.yaml", (source / f"{name}.yaml").read_bytes()
        bent = words.bent(fire.rng, whole)
        file.write_bytes(bent)
        fire.tally.tried(name)
        fire.tally.faults += 1
        what = f"{name} with {words.difference(whole, bent)}"
        _asked(fire, f"read {what}", partial(read_yaml, file))
        if fire.rng.random() < 0.1:  # the lint reads all files, and so takes longer
            report = _asked(fire, f"lint {what}", lambda: lint(folder))
            for problem in report.problems if report is not None else ():
                if "\n" in str(problem):
                    fire.tally.fault("tracebacks", f"lint {what}: more than one line: {problem}")
        file.write_bytes(whole)
        yield


def results(fire: Fire) -> Iterator[None]:
    """Frozen results with pieces cut, doubled or replaced."""
    from kiloframe.sources import read_result

    files = sorted((checkout() / "results").glob("*.json"))
    while True:
        file = fire.rng.choice(files)
        whole, target = file.read_bytes(), fire.folder / file.name
        bent = words.bent(fire.rng, whole[: fire.rng.randrange(len(whole))] if fire.rng.random() < 0.3 else whole)
        target.write_bytes(bent)
        fire.tally.tried(file.stem)
        fire.tally.faults += 1
        what = f"{file.name} with {words.difference(whole, bent)}"
        _asked(fire, what, partial(read_result, target), names=file.name)
        yield


def weights(fire: Fire) -> Iterator[None]:
    """Weight files cut short or with bytes changed: safetensors alone, and a pickle in its place is never opened."""
    import reproductions

    whole = (checkout() / "weights" / "fdm-rooms.safetensors").read_bytes()
    target, spell = fire.folder / "fdm.safetensors", fire.folder / "ran"
    kind = reproductions.method("fdm")
    while True:
        if fire.rng.random() < 0.1:
            part, bent = "a pickle", words.pickle_that_touches(spell, fire.rng)
        else:
            part = "damage"
            head = whole[: fire.rng.randrange(6000)] if fire.rng.random() < 0.3 else whole
            bent = words.flipped(fire.rng, head, 6000)
        target.write_bytes(bent)
        fire.tally.tried(part)
        fire.tally.faults += 1
        what = f"weights with {words.difference(whole, bent)}"
        _asked(fire, what, lambda: kind.load(target), names="kiloframe train fdm")
        if spell.exists():
            fire.tally.fault("broken", f"{what}: code in a weight file ran")
            spell.unlink()
        yield


def video(fire: Fire) -> Iterator[None]:
    """Films of every kind with bytes cut, put in or changed."""
    import av.logging

    from reproductions.video import SUFFIXES, write_video
    from reproductions.video_reader import read_video
    from reproductions.worlds import world

    av.logging.set_level(av.logging.PANIC)
    clip = world("shapes", 16).clip(0, 0, 12).video
    films = {}
    for suffix in SUFFIXES:
        write_video(fire.folder / f"film{suffix}", clip)
        films[suffix] = (fire.folder / f"film{suffix}").read_bytes()
    while True:
        suffix = fire.rng.choice(SUFFIXES)
        whole, target = films[suffix], fire.folder / f"bent{fire.rng.choice((suffix, suffix, '.mp4', '.webp'))}"
        bent = words.flipped(fire.rng, whole[: fire.rng.randrange(len(whole))] if fire.rng.random() < 0.3 else whole)
        target.write_bytes(bent)
        fire.tally.tried(suffix)
        fire.tally.faults += 1
        what = f"{target.name}, a {suffix} with {words.difference(whole, bent)}"
        _asked(fire, what, partial(read_video, target), names=target.name)
        yield


def encodings(fire: Fire) -> Iterator[None]:
    """Bytes that are no UTF-8 where text belongs: fact files, results, notebooks, captions, words, names of files."""
    root, rng = fire.folder, fire.rng
    (root / "catalogue").mkdir()
    for name in CATALOGUE:
        (root / "catalogue" / name).parent.mkdir(parents=True, exist_ok=True)
    while True:
        part, line, ready = _not_utf8(rng, root)
        fire.tally.tried(part)
        fire.tally.faults += 1
        fire.tally.judge(run(line, root, prepare=ready), f"{part}: kiloframe {line}", news=line[0] == "lint")
        yield


def _not_utf8(rng: random.Random, root: Path) -> tuple[str, list[str], Callable[[], None] | None]:
    """What is attacked, the words of the command, and what the child does first."""
    odd = words.not_utf8(rng)
    name = os.fsdecode(odd.replace(b"/", b"").replace(b"\x00", b"")[:40]) or "x"
    part = rng.choice(("facts", "notebook", "words", "file name", "captions", "film", "environment", "read names"))
    if part == "facts":
        for file in CATALOGUE:
            data = (checkout() / "catalogue" / f"{file}.yaml").read_bytes()
            at = rng.randrange(len(data))
            (root / "catalogue" / f"{file}.yaml").write_bytes(data[:at] + odd + data[at:])
        shutil.copy(checkout() / "catalogue" / "references.bib", root / "catalogue")
        return part, ["lint", *rng.choice(([], ["--fix"])), "catalogue"], None
    if part == "notebook":
        (root / "notebooks").mkdir(exist_ok=True)
        (root / "notebooks" / "tiny.py").write_bytes(TINY.encode() + b"\n# %%\n# " + odd + b"\n")

        def here() -> None:
            from kiloframe import execute

            setattr(execute, "checkout", lambda: root)  # noqa: B010

        return part, ["run", "tiny"], here
    if part == "words":
        return part, [*rng.choice((["show"], ["list", "--text"], ["sql"], ["cite"], ["world"])), name], None
    if part == "file name":
        line = rng.choice((["export", f"{name}.csv"], ["world", "shapes", "--frames", "3", "-o", f"{name}.gif"]))
        return part, line, None
    if part == "environment":
        return part, ["list", "--format", "csv"], lambda: os.environb.update({b"LANG": odd[:20].replace(b"\x00", b"x")})
    for folder in ("real", "fake"):
        (root / folder).mkdir(exist_ok=True)
        (root / folder / "a.mp4").write_bytes(odd)
    if part == "captions":
        (root / "captions.csv").write_bytes(b"file,caption\na.mp4," + odd + b"\n")
        return part, ["measure", "real", "fake", "--measures", "clipsim", "--captions", "captions.csv"], None
    if part == "read names":
        return part, ["measure", name, f"{name}/fake"], None
    return part, ["measure", "real", "fake"], None
