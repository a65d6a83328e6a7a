"""The hand-written pages: their generated parts filled in from the facts and results, their formulas converted."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from kiloframe.errors import UserError
from kiloframe.web import embed, mathml
from kiloframe.web.figures import contest
from kiloframe.web.notebooks import video_tag

if TYPE_CHECKING:
    from kiloframe.catalogue import Catalogue
    from kiloframe.results import Media, Result

__all__ = ["counts", "fill", "moving_picture", "networks", "world_network", "write_pages"]

_PART = re.compile(r"<!-- kf:([a-z-]+)((?: [^\s>]+)*) -->")
Part = str | Callable[..., str]
"""What stands for a part: its HTML, or what makes it from the words after its name."""
_Results = Mapping[str, "tuple[Result, Path, bool]"]


def write_pages(cat: Catalogue, results: _Results, root: Path, docs: Path, studies: _Results | None = None) -> None:
    """Finish the hand-written pages in `docs`: copies of CONTRIBUTING and CHANGELOG, generated parts, mathematics.

    Raises UserError that names file and line for a part nobody makes or a formula that does not parse.
    """
    written = [file.relative_to(root / "docs") for file in sorted((root / "docs").rglob("*.md"))]
    for source, name, description in (
        ("CONTRIBUTING.md", "contributing.md", "How to add a method, a fact or a reproduction."),
        ("CHANGELOG.md", "changelog.md", "What changed in kiloframe, newest first."),
    ):
        if (root / source).is_file():
            text = _deeper_lists(_outside_links((root / source).read_text("utf-8")))
            (docs / name).write_text(f'---\ndescription: "{description}"\n---\n\n{text}', "utf-8")
    ran = {**results, **(studies or {})}
    fixed: dict[str, Part] = {
        "counts": counts(cat, results), "moving-picture": moving_picture(results, docs), "networks": networks,
        "size": lambda kind: str(len(getattr(cat, kind))), "world-network": lambda: world_network(root),
    }  # fmt: skip
    for file in written:
        where = f"docs/{file.as_posix()}"
        text = (docs / file).read_text("utf-8")
        parts = fixed | embed.parts(ran, page_depth(file))
        (docs / file).write_text(fill(mathml.convert(text, where), parts, where), "utf-8")


def page_depth(file: Path) -> int:
    """How many folders below the site's root a page's index.html lies, for the page's Markdown file in docs/."""
    return len(file.parts) - (file.stem == "index")


def fill(markdown: str, parts: Mapping[str, Part], where: str) -> str:
    """The page with each `<!-- kf:NAME -->` replaced by the part of that name, `<!-- kf:NAME A B -->` by what the
    function of that name makes of the words A and B. Raises UserError that names file and line where it cannot.
    """

    def part(found: re.Match[str]) -> str:
        line = 1 + markdown.count("\n", 0, found.start())
        made = parts.get(found[1])
        words = found[2].split()
        if made is None or (isinstance(made, str) and words):
            asked, known = f"{found[1]}{found[2]}", ", ".join(sorted(parts))
            raise UserError(f"{where}:{line}: nothing makes the part {asked!r}; there are: {known}")
        try:
            return made if isinstance(made, str) else made(*words)
        except (TypeError, UserError) as error:
            raise UserError(f"{where}:{line}: the part {found[1]!r} cannot be made: {error}") from None

    return _PART.sub(part, markdown)


def _outside_links(markdown: str) -> str:
    """Links to files of the checkout, which the site does not hold, as the file's name in code type."""
    return re.sub(r"\[([^\]\n]+)\]\((?![a-z]+:|#)([^)\s]+)\)", lambda link: f"`{link[2]}`", markdown)


def _deeper_lists(markdown: str) -> str:
    """What belongs to a list item indented by four spaces, as Python-Markdown wants it, where three do elsewhere."""
    lines, fenced = [], False
    for line in markdown.splitlines():
        if line.startswith(("```", "~~~")):
            fenced = not fenced
        lines.append(f" {line}" if line.startswith("   ") and not fenced else line)
    return "\n".join(lines) + "\n"


def networks() -> str:
    """The feature networks behind the measures and the files that they need, as tables from the code's own list."""
    from reproductions.measures.networks import markdown

    return markdown()


def world_network(root: Path) -> str:
    """How well the kept world network predicts each world's truth on held-out seeds, as a table, from the report beside
    its weights; a sentence where there is no such report.
    """
    file = root / "weights" / "world_network.json"
    if not file.is_file():
        return "The network was not trained here yet.\n"
    report = json.loads(file.read_text("utf-8"))
    lines = ["| World | What is predicted | Held-out seeds | Commonest answer |", "|---|---|---|---|"]
    for key, found in report["held_out"].items():
        world, _, target = key.partition("_")
        told = "which world it is" if target == "world" else target
        lines.append(f"| {world} | {told} | {found['value']:.3f} | {found['chance']:.3f} |")
    made = f"{report['steps']:,} steps, {report['seconds'] / 60:.0f} minutes on {report['machine']}"
    return "\n".join(lines) + f"\n\nTrained in {made}; make it again with `{report['command']}`.\n"


def counts(cat: Catalogue, results: _Results) -> str:
    """What the catalogue holds, counted now: a list of numbers, each leading to where they can be looked at."""
    methods = cat.methods.values()
    tested = sum(claim.verdict != "not judged" for result, _, _ in results.values() for claim in result.claims)
    numbers = [
        (len(cat.methods), "methods", "methods/"),
        (len(cat.datasets), "data sets", "datasets/"),
        (len(cat.metrics), "metrics", "metrics/"),
        (sum(len(method.results) for method in methods), "published results", "methods/"),
        (sum(len(method.claims) for method in cat.methods.values()), "testable claims", "methods/"),
        (tested, "claims tested here", "reproductions/"),
    ]
    items = "".join(
        f'<li><a href="{target}index.html"><strong>{number}</strong> <span>{name}</span></a></li>'
        for number, name, target in numbers
    )
    return f'<ul class="kf-counts">{items}</ul>'


def moving_picture(results: _Results, docs: Path) -> str:
    """The film of the front page: both paradigms side by side, or where no such film was made the longest there is.

    Film and poster are copied to assets/front; a drawing of frames where nothing has run.
    """
    found = contest.find(results)
    if found is not None:
        result, folder, _ = results[found.contest.slug]
        return contest.picture(found, result, _film(found.media, folder / found.contest.slug, docs))
    shown: list[tuple[int, str, Media]] = [
        (media.frames or 0, slug, media)
        for slug, (result, folder, _) in sorted(results.items())
        for media in result.media
        if media.kind == "video" and media.file.endswith((".mp4", ".webm")) and (folder / slug / media.file).is_file()
    ]
    if not shown:
        return '<img class="kf-hero-still" src="assets/logo.svg" alt="" width="160" height="160">'
    _, slug, media = max(shown, key=lambda item: item[:2])
    tag = _film(media, results[slug][1] / slug, docs)
    words = f"{escape(media.caption)} " + f'<a href="notebooks/{slug}/index.html">See the run</a>'
    return f'<figure class="kf-moving">{tag}<figcaption>{words}</figcaption></figure>'


def _film(media: Media, folder: Path, docs: Path) -> str:
    """The video with its poster, copied from `folder`; it plays by itself where motion is welcome."""
    copied = docs / "assets" / "front"
    copied.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / media.file, copied / media.file)
    poster = None
    if media.poster and (folder / media.poster).is_file():
        shutil.copy(folder / media.poster, copied / media.poster)
        poster = f"assets/front/{media.poster}"
    return video_tag(f"assets/front/{media.file}", poster, media.alt).replace("<video ", "<video data-kf-play ", 1)
