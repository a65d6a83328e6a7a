"""The pages of the methods: the table of all of them, and one page each."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from kiloframe.schema import Generator, LongDefinition, LongestShown, Method, Paradigm, ReportedResult
from kiloframe.web.markdown import Page, number, render
from kiloframe.web.verdicts import Results, counts, interval, judged

__all__ = ["WORDS", "Disagreement", "called", "disagreements", "printed", "shown", "write"]

WORDS: dict[str, str] = {
    "divide-and-conquer": "divide and conquer",
    "temporal-autoregressive": "temporal autoregressive",
    "both": "both paradigms",
    "other": "neither paradigm",
    "diffusion": "diffusion",
    "spatial-autoregressive": "spatial autoregressive",
    "gan": "GAN",
    "mask-modeling": "mask modeling",
    "camera-pose": "camera pose",
    "optical-flow": "optical flow",
    "survey-text": "survey",
    "editors": "editors",
}
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
    paradigm, generator = method.paradigm, method.generator
    if paradigm.survey and paradigm.survey.value != paradigm.editors.value:
        out.append(
            _gap("paradigm", [paradigm.survey.value], paradigm.survey.locator, [paradigm.editors.value], paradigm)
        )
    if generator.survey and set(generator.survey.value) != set(generator.editors.value):
        out.append(
            _gap("generator", generator.survey.value, generator.survey.locator, generator.editors.value, generator)
        )
    return out


def _gap(
    field: str,
    theirs: list[Paradigm] | list[Generator],
    where: str,
    ours: list[Paradigm] | list[Generator],
    reading: Any,
) -> Disagreement:
    said, here = (", ".join(WORDS[value] for value in values) for values in (theirs, ours))
    return Disagreement(field, said, where, here, reading.editors.locator, reading.editors.by, reading.editors.why)


def called(definition: LongDefinition) -> str:
    """The length that the paper calls long, in words: "1024 frames", "in words, without a number", "not stated"."""
    if definition.value is not None and definition.unit:
        length = f"{number(definition.value)} {definition.unit}"
        return length if definition.stated else f"{length} (not called long in so many words)"
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


def printed(result: ReportedResult) -> str:
    """A reported value as printed in its source, with spread and unit where they are known."""
    text = result.text or number(result.value)
    if result.unit and not text.endswith(result.unit):
        text += f" {result.unit}"
    if result.spread is not None and "±" not in text and "+-" not in text:
        text += f" ± {number(result.spread)}{f' ({result.spread_kind})' if result.spread_kind else ''}"
    return text


def write(cat: Any, results: Results, bibtex: dict[str, str], out: Path) -> list[Path]:
    """Write methods/index.md and one page per method; `bibtex` maps slugs to citations. Returns the files written."""
    claims = {slug: judged(method, results.get(slug)) for slug, method in cat.methods.items()}
    page = Page(
        "methods",
        "Methods",
        f"All {len(cat.methods)} methods of the catalogue of long video generation in one table: paradigm, generator, "
        "control signals, lengths, data sets, code and verdicts.",
    )
    tallies = {slug: counts(items) for slug, items in claims.items()}
    files = [
        render(
            cat, page, "methods.md.j2", out, results=results, counts=tallies, words=WORDS, called=called, shown=shown
        )
    ]
    related_by: dict[str, list[str]] = {slug: [] for slug in cat.methods}
    for slug, method in cat.methods.items():
        for pointer in method.related:
            if pointer.ref in related_by and pointer.ref != slug:
                related_by[pointer.ref].append(slug)
    for slug, method in cat.methods.items():
        run = results.get(slug)
        known = {pointer.ref for pointer in method.related}
        files.append(
            render(
                cat,
                Page(f"methods/{slug}", method.name, f"{method.name}: {method.distinguishing}"),
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
                source_page=f"reproductions/{slug}/" if run else None,
                related_by=[other for other in related_by[slug] if other not in known],
                bibtex=bibtex[slug],
            )
        )
    return files
