"""A page for the code of each reproduction: its one idea, its deviations as a table, and the file itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kiloframe.errors import UserError
from kiloframe.web import mathml
from kiloframe.web.notebooks import verdict_badge

if TYPE_CHECKING:
    from kiloframe.catalogue import Catalogue
    from kiloframe.results import Result

__all__ = ["Deviation", "Opening", "opening", "write_pages"]


class Deviation(NamedTuple):
    """One numbered deviation: what the paper does, what we do and why (empty where it is not split by `->`)."""

    number: int
    paper: str
    here: str


class Opening(NamedTuple):
    """What a method file says before its code: first line, the one idea, the deviations."""

    paper: str
    idea: str
    deviations: list[Deviation]


def opening(path: Path) -> Opening:
    """The parts of a method file's docstring. Raises UserError where it has none, or is not Python."""
    try:
        text = ast.get_docstring(ast.parse(path.read_text("utf-8"), str(path))) or ""
    except (SyntaxError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not Python ({error}); mend it") from None
    if not text:
        raise UserError(f"{path} has no docstring; open it with the paper, the one idea and the numbered deviations")
    paragraphs = [_joined(part) for part in re.split(r"\n\s*\n", text)]
    idea = next((part for part in paragraphs[1:] if part.lower().startswith("the one idea")), "")
    idea = re.sub(r"^the one idea[.:]?\s*", "", idea, flags=re.IGNORECASE)
    listed = re.split(r"^Deviations\b.*$", text, maxsplit=1, flags=re.MULTILINE)
    items = (
        re.findall(r"^\s*(\d+)\.\s+(.*?)(?=^\s*\d+\.\s|\Z)", listed[1], re.MULTILINE | re.DOTALL)
        if len(listed) > 1
        else []
    )
    deviations = []
    for number, words in items:
        paper, _, here = _joined(re.split(r"\n\s*\n", words)[0]).partition(" -> ")
        deviations.append(Deviation(int(number), paper, here))
    return Opening(paragraphs[0], idea, deviations)


def _joined(text: str) -> str:
    return " ".join(text.split())


def write_pages(cat: Catalogue, results: Mapping[str, tuple[Result, Path, bool]], root: Path, docs: Path) -> None:
    """Write reproductions/index.md and reproductions/<slug>/index.md below `docs`."""
    import reproductions

    rows = []
    for slug in reproductions.names():
        path = root / "reproductions" / "methods" / f"{slug}.py"
        said = opening(path)
        name = cat.methods[slug].name if slug in cat.methods else slug
        target = docs / "reproductions" / slug
        target.mkdir(parents=True, exist_ok=True)
        (target / "index.md").write_text(_page(name, slug, said, path, root, slug in results), "utf-8")
        rows.append(_card(name, slug, said, results.get(slug)))
    cards = f'<div class="kf-cards">{"".join(rows)}</div>'
    index = docs / "reproductions" / "index.md"
    intro = index.read_text("utf-8") if index.is_file() else "# Reproductions\n\n<!-- kf:reproductions -->\n"
    index.write_text(intro.replace("<!-- kf:reproductions -->", cards), "utf-8")


def _card(name: str, slug: str, said: Opening, found: tuple[Result, Path, bool] | None) -> str:
    """What the list of reproductions says of one: the idea, the verdicts, and where to look."""
    links = [f'<a href="{slug}/index.html">The code</a>', f'<a href="../methods/{slug}/index.html">The facts</a>']
    verdicts = '<span class="kf-unknown">not run yet</span>'
    if found is not None:
        links.insert(0, f'<a href="../notebooks/{slug}/index.html">The executed notebook</a>')
        verdicts = " ".join(verdict_badge(claim) for claim in found[0].claims) or "no claims tested"
    return (
        f'<article class="kf-card"><h2 id="{slug}">{escape(name)}</h2><p>{escape(said.idea)}</p>'
        f'<p class="kf-chips">{verdicts}</p><p class="kf-links">{" ".join(links)}</p></article>'
    )


def _page(name: str, slug: str, said: Opening, path: Path, root: Path, ran: bool) -> str:
    where = path.relative_to(root).as_posix()
    code = path.read_text("utf-8")
    mark = "`" * (max((len(run) for run in re.findall(r"`{3,}", code)), default=2) + 1)
    links = [f'<a href="../../methods/{slug}/index.html">The method and its sources</a>']
    if ran:
        links.insert(0, f'<a href="../../notebooks/{slug}/index.html">The executed notebook</a>')
    rows = "".join(
        f"<tr><td>{item.number}</td><td{'' if item.here else ' colspan=2'}>{escape(item.paper)}</td>"
        + (f"<td>{escape(item.here)}</td>" if item.here else "")
        + "</tr>"
        for item in said.deviations
    )
    head = "".join(f'<th scope="col">{title}</th>' for title in ("No.", "The paper", "Here, and why"))
    table = (
        '<div class="kf-wrap" tabindex="0" role="region" aria-label="Deviations from the paper">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
    description = escape(f"The PyTorch reproduction of {name}: code, the one idea, {len(said.deviations)} deviations.")
    return (
        f'---\ntitle: "{escape(name)}: the code"\ndescription: "{description}"\n---\n\n# {escape(name)}: the code\n\n'
        f'<p class="kf-meta">{escape(said.paper)}</p>\n\n'
        f"{mathml.convert(said.idea, where)}\n\n"
        f'<p class="kf-links">{" ".join(links)}</p>\n\n'
        f"## Deviations from the paper\n\n{table}\n\n## The file\n\n"
        f'{mark}{{.python title="{where}" linenums="1"}}\n{code.rstrip()}\n{mark}\n'
    )
