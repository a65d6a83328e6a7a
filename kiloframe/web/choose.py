"""Which method for my case: the facts that the answer goes by, and ready cases with their answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

from kiloframe import filters, schema
from kiloframe.lengths import longest
from kiloframe.schema import Method
from kiloframe.web.markdown import Page, render
from kiloframe.web.methods import converted, shown
from kiloframe.web.words import WORDS

__all__ = ["CASES", "Case", "answer", "command", "write"]


class Case(NamedTuple):
    """A question as people ask it: the filters of `kiloframe list` that it stands for."""

    title: str
    min_frames: int | None = None
    min_seconds: int | None = None
    control: str | None = None
    code: tuple[str, ...] = ()
    reproduction: bool = False

    def query(self) -> str:
        """The case in the address of this page, and of the table of methods."""
        asked = {name: value for name, value in self._asdict().items() if value and name != "title"}
        words = {"code": ",".join(self.code), "reproduction": "yes"}
        said = "&".join(f"{name}={words.get(name, value)}" for name, value in asked.items())
        return f"{said}&shown=1" if self.min_frames or self.min_seconds else said


CASES = (
    Case("Over 1,000 frames, steered by text", min_frames=1001, control="text"),
    Case("A minute or more", min_seconds=60),
    Case("500 frames or more, with complete code from its authors", min_frames=500, code=("full",)),
    Case("Walk along a camera path, with some code", control="camera-pose", code=("full", "partial")),
    Case("Go on from an image, on a laptop without a GPU", control="image", reproduction=True),
    Case("Anything that runs on a laptop without a GPU", reproduction=True),
)


def answer(methods: Mapping[str, Method], case: Case) -> list[str]:
    """The slugs of the methods for which every fact that the case asks about is known and fits."""
    tests = [
        filters.length("frames", case.min_frames, None, True),
        filters.length("seconds", case.min_seconds, None, True),
        filters.control(case.control),
        filters.code(list(case.code) or None),
        filters.reproduction(case.reproduction or None),
    ]
    wanted = [test for test in tests if test is not None]
    return [slug for slug, method in methods.items() if all(test(method) for test in wanted)]


def command(case: Case) -> str:
    """The command that gives the same answer."""
    parts = ["kiloframe list"]
    parts += [f"--control {case.control}"] if case.control else []
    parts += [f"--code {','.join(case.code)}"] if case.code else []
    parts += ["--reproduction"] if case.reproduction else []
    parts += [f"--min-frames {case.min_frames}"] if case.min_frames else []
    parts += [f"--min-seconds {case.min_seconds}"] if case.min_seconds else []
    return " ".join(parts + (["--shown"] if case.min_frames or case.min_seconds else []))


def write(cat: Any, out: Path) -> list[Path]:
    """Write choose/index.md; returns the files written."""
    page = Page(
        "choose", "Which method for my case",
        "A short list of methods of long video generation for a length, a control signal, your hardware and the code "
        "you want, with the reasons from sourced facts.",
        ("interactive.js", "choose.js"), True,
    )  # fmt: skip
    controls = [
        (value, WORDS.get(value, value))
        for value in get_args(schema.Control)
        if value != "none" and any(value in method.control_signals for method in cat.methods.values())
    ]
    return [
        render(
            cat, page, "choose.md.j2", out, words=WORDS, shown=shown, converted=converted, longest=longest,
            cases=[(case, command(case), answer(cat.methods, case)) for case in CASES], controls=controls,
            reproduced=filters.has_reproduction,
        )
    ]  # fmt: skip
