"""The pages of the methods: the table of all of them, and one page each."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kiloframe.filters import has_reproduction, used
from kiloframe.lengths import longest
from kiloframe.schema import EditorsGenerator, EditorsParadigm, LongDefinition, LongestShown, Method, ReportedResult
from kiloframe.web import method_page
from kiloframe.web.cells import cell_anchor
from kiloframe.web.explorer import COLUMNS
from kiloframe.web.markdown import Page, number, render
from kiloframe.web.verdicts import Results, counts, interval, judged
from kiloframe.web.words import WORDS

__all__ = ["Disagreement", "called", "disagreements", "printed", "shown", "write"]

_Editors = EditorsParadigm | EditorsGenerator
_PRINTED = re.compile(r"([-+]?\d+(?:\.\d+)?)\s*(\(?(?:±|\+-|\+/-)\s*[\d.]+\)?)?")
_OPTIONAL = ("system", "variant", "frames", "resolution")


class Disagreement(NamedTuple):
    """A field in which the survey's reading of a method differs from the one that filters use."""

    field: str
    survey: str
    survey_locator: str
    ours: str
    ours_locator: str
    by: str
    why: str | None


def disagreements(method: Method) -> list[Disagreement]:
    """Where the survey's reading of paradigm or generator differs from the editors'; both stand, with the reason."""
    out = []
    theirs, ours = method.paradigm.survey, method.paradigm.editors
    if theirs and theirs.value != ours.value:
        out.append(_gap("paradigm", [theirs.value], theirs.locator, [ours.value], ours))
    said, here = method.generator.survey, method.generator.editors
    if said and set(said.value) != set(here.value):
        out.append(_gap("generator", said.value, said.locator, here.value, here))
    return out


def _gap(field: str, theirs: Sequence[str], where: str, ours: Sequence[str], reading: _Editors) -> Disagreement:
    said, here = (", ".join(WORDS[value] for value in values) for values in (theirs, ours))
    return Disagreement(field, said, where, here, reading.locator, reading.by, reading.why)


def called(definition: LongDefinition) -> str:
    """The length that the paper calls long, in words: "1024 frames", "in words, without a number", "not stated"."""
    if definition.value is not None and definition.unit:
        length = f"{number(definition.value)} {definition.unit}"
        return length if definition.stated else f"not stated ({length} noted)"
    if definition.stated is None:
        return "unknown"
    return "stated without a number" if definition.stated else "not stated"


def shown(longest: LongestShown) -> str:
    """The longest video shown, in words: "1024 frames", "60 s", "256 frames, 10 s", "unknown"."""
    parts = []
    if longest.frames is not None:
        parts.append(f"{number(longest.frames)} frames")
    if longest.seconds is not None:
        parts.append(f"{number(longest.seconds)} s")
    return ", ".join(parts) or "unknown"


def converted(method: Method, shown: bool) -> str:
    """The length in its other unit, where the record's own frame rate gives it: "15 000 frames at 10 fps"."""
    length = longest(method, shown)
    if length.converted is None:
        return ""
    value = f"{number(length.frames)} frames" if length.converted == "frames" else f"{number(length.seconds)} s"
    return f"{value} at {number(length.fps)} fps"


def printed(result: ReportedResult) -> tuple[str, str]:
    """A reported value and, where it says more than the number, the words printed in its source.

    Unit and spread stand with the value where they are known; without a number the value is the printed words.
    """
    text = result.text or ""
    if result.value is None:
        return text or "unknown", ""
    value = number(result.value)
    same = _PRINTED.fullmatch(text.removesuffix(result.unit or "").strip())
    if same and math.isclose(float(same[1]), result.value):
        value, text = same[0], ""
    if result.unit:
        value += f" {result.unit}"
    if result.spread is not None and not (same and same[2]):
        value += f" ± {number(result.spread)}"
    left = _PRINTED.sub("", text, count=1).strip(" ()").lower()
    if left in ("", (result.variant or "").lower(), (result.system or "").lower()):
        text = ""  # nothing that does not stand in a column of its own
    if result.spread_kind and "not stated" not in result.spread_kind:
        text = f"{result.spread_kind}; {text}" if text else result.spread_kind
    return value, text


def found_by(method: Method) -> tuple[str, ...]:
    """What people type who look for a method: its name, slug, title, authors and arXiv id."""
    return tuple(filter(None, (method.name, method.slug, method.title, *method.authors, method.arxiv)))


def write(cat: Any, results: Results, bibtex: dict[str, str], out: Path) -> list[Path]:
    """Write methods/index.md and one page per method; `bibtex` maps slugs to citations. Returns the files written."""
    claims = {slug: judged(method, results.get(slug)) for slug, method in cat.methods.items()}
    page = Page(
        "methods",
        "Methods",
        f"All {len(cat.methods)} methods of the catalogue of long video generation in one table: paradigm, generator, "
        "control signals, lengths, data sets, code and verdicts.",
        ("methods-data.js", "interactive.js", "methods-query.js", "methods.js"),
        wide=True,
    )
    tallies = {slug: counts(items) for slug, items in claims.items()}
    files = [
        render(
            cat,
            page,
            "methods.md.j2",
            out,
            results=results,
            counts=tallies,
            words=WORDS,
            called=called,
            shown=shown,
            converted=converted,
            columns=COLUMNS,
            used=used,
            reproduced=has_reproduction,
        )
    ]
    pointing = method_page.named_by(cat.methods)
    for slug, method in cat.methods.items():
        run = results.get(slug)
        files.append(
            render(
                cat,
                Page(f"methods/{slug}", method.name, f"{method.name}: {method.distinguishing}", tags=found_by(method)),
                "method.md.j2",
                out,
                m=method,
                words=WORDS,
                called=called(method.long_video_definition),
                shown=shown(method.longest_shown),
                disagreements=disagreements(method),
                judged=claims[slug],
                counts=tallies[slug],
                interval=interval,
                printed=printed,
                columns=[name for name in _OPTIONAL if any(getattr(r, name) is not None for r in method.results)],
                run=run[0] if run else None,
                frozen=run[2] if run else False,
                bibtex=bibtex[slug],
                anchor=cell_anchor,
                **method_page.context(cat, method, run, list(results), pointing[slug]),
            )
        )
    return files
