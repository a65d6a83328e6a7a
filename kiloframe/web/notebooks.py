"""Executed notebooks as Markdown pages. One that failed, or did not run to its end, is refused and never published."""

from __future__ import annotations

import base64
import re
import shutil
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiloframe.errors import UserError
from kiloframe.web import mathml
from kiloframe.web.verdicts import state

if TYPE_CHECKING:
    from kiloframe.catalogue import Catalogue
    from kiloframe.results import ClaimResult, Result

__all__ = ["claims_table", "convert_notebook", "run_box", "safe_html", "video_tag", "write_page"]

_TAGS = {
    "a", "b", "br", "caption", "code", "details", "div", "em", "figcaption", "figure", "i", "img", "li", "ol", "p",
    "pre", "small", "source", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th",
    "thead", "tr", "ul", "video",
}  # fmt: skip
_ATTRIBUTES = {
    "*": ["class", "title", "id", "lang", "role", "aria-label", "aria-hidden"],
    "a": ["href"],
    "img": ["src", "alt", "width", "height", "loading"],
    "source": ["src", "type"],
    "td": ["colspan", "rowspan"],
    "th": ["colspan", "rowspan", "scope"],
    "video": ["src", "poster", "width", "height", "controls", "muted", "loop", "playsinline", "preload"],
    "details": ["open"],
}
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ELSEWHERE = re.compile(r"""\s(?:src|poster)\s*=\s*["']?\s*(?:[a-z][a-z0-9+.-]*:|//)[^\s>]*""", re.IGNORECASE)


def write_page(cat: Catalogue, result: Result, folder: Path, frozen: bool, root: Path, docs: Path) -> None:
    """Write notebooks/<slug>/ below `docs`: the page, its media, the executed notebook and the script."""
    slug = result.slug
    source, target = folder / f"{slug}.ipynb", docs / "notebooks" / slug
    target.mkdir(parents=True, exist_ok=True)
    if (folder / slug).is_dir():
        shutil.copytree(folder / slug, target / slug, dirs_exist_ok=True)
    body = convert_notebook(source, target, slug)
    shutil.copy(source, target / f"{slug}.ipynb")
    script = root / "notebooks" / f"{slug}.py"
    if script.is_file():
        shutil.copy(script, target / f"{slug}.py")
    is_method = slug in cat.methods
    name = cat.methods[slug].name if is_method else result.title
    title, rest = _split_title(body, f"{name}: the executed notebook")
    summary = _plain(f"{title}: every number, picture and verdict on this page was computed by the run shown.")
    box = run_box(result, frozen, script.is_file(), is_method)
    label = _quoted(f"{name}, executed" if is_method else name)
    page = f"---\ntitle: {label}\ndescription: {_quoted(summary)}\n---\n\n# {title}\n\n{box}\n\n"
    if result.claims:
        page += claims_table(result) + "\n\n"
    (target / "index.md").write_text(page + rest + "\n", "utf-8")


def convert_notebook(path: Path, target: Path, slug: str) -> str:
    """The executed notebook as Markdown; pictures embedded in it are written below `target`/`slug`.

    Raises UserError for a notebook that is missing, damaged, failed, or not executed to its end.
    """
    import nbformat

    again = f"make it again with: kiloframe run {slug}"
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except FileNotFoundError:
        raise UserError(f"there is no executed notebook at {path}; {again}") from None
    except Exception as error:  # json, unicode and schema errors share no base
        raise UserError(f"{path} is not a notebook ({_first_line(error)}); {again}") from None
    _refuse_failed(notebook, path, again)
    parts = []
    for number, cell in enumerate(notebook.cells, 1):
        where = f"{path.name}, cell {number}, line"
        if "remove-cell" in cell.metadata.get("tags", []):
            continue
        if cell.cell_type == "markdown":
            parts.append(mathml.convert(cell.source, where))
        elif cell.cell_type == "code" and cell.source.strip():
            parts.append(_code(cell, number))
            shown = [
                _output(output, number, index, target / slug, where)
                for index, output in enumerate(_merged(cell.outputs))
            ]
            parts.extend(text for text in shown if text)
    return "\n\n".join(parts)


def _refuse_failed(notebook: Any, path: Path, again: str) -> None:
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            if output.output_type == "error":
                what = f"{output.get('ename')}: {output.get('evalue')}".splitlines()[0]
                raise UserError(f"{path}, cell {number}: the run failed ({what}), so it is not published; {again}")
        if cell.source.strip() and cell.execution_count is None:
            raise UserError(f"{path}, cell {number} was never executed, so the notebook is not published; {again}")


def _code(cell: Any, number: int) -> str:
    """The cell's code, highlighted; folded where its tags ask for it or where it only sets parameters."""
    source = cell.source.strip("\n")
    mark = _fence(source)
    tags = set(cell.metadata.get("tags", []))
    block = f'<span class="kf-cell" id="cell-{number}"></span>\n\n{mark}python\n{source}\n{mark}'
    folds = {
        "injected-parameters": "The parameters of this run",
        "parameters": "Parameters, with their defaults",
        "hide-input": "Show the code",
    }
    label = next((text for tag, text in folds.items() if tag in tags), None)
    if label is None:
        return block
    inner = "\n".join(f"    {line}" if line else "" for line in f"{mark}python\n{source}\n{mark}".splitlines())
    return f'<span class="kf-cell" id="cell-{number}"></span>\n\n??? note "{label}"\n\n{inner}'


def _merged(outputs: list[Any]) -> list[Any]:
    """Outputs with neighbouring printed lines of one stream joined."""
    merged: list[Any] = []
    for output in outputs:
        last = merged[-1] if merged else None
        if (
            output.output_type == "stream"
            and last is not None
            and last.output_type == "stream"
            and last.name == output.name
        ):
            merged[-1] = last | {"text": last.text + output.text}
        else:
            merged.append(output.copy())
    return merged


def _output(output: Any, number: int, index: int, media: Path, where: str) -> str:
    """One output as Markdown: the richest form that needs no script."""
    if output["output_type"] == "stream":
        # Progress bars and warnings go to stderr; the page shows what the notebook prints.
        return _text(output["text"]) if output["name"] == "stdout" else ""
    data = output["data"]
    if "text/markdown" in data:
        return mathml.convert(str(data["text/markdown"]), where)
    if "text/html" in data:
        return f'<div class="kf-output-html">{safe_html(str(data["text/html"]))}</div>'
    for kind, suffix in (("image/svg+xml", "svg"), ("image/png", "png"), ("image/jpeg", "jpg")):
        if kind in data:
            media.mkdir(parents=True, exist_ok=True)
            name = f"cell-{number}-{index}.{suffix}"
            raw = str(data[kind])
            (media / name).write_bytes(raw.encode("utf-8") if suffix == "svg" else base64.b64decode(raw))
            alt = str(output.get("metadata", {}).get("alt", f"Figure made by cell {number}"))
            return f'<p><img src="{media.name}/{name}" alt="{escape(alt)}" loading="lazy"></p>'
    return _text(str(data.get("text/plain", "")))


def _text(text: str) -> str:
    text = _ANSI.sub("", text).rstrip()
    if not text.strip():
        return ""
    mark = _fence(text)
    return f"{mark}{{.text .kf-output}}\n{text}\n{mark}"


def _fence(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    return "`" * (longest + 1)


def safe_html(html: str) -> str:
    """HTML from a notebook with only harmless elements left, nothing from elsewhere, and videos that wait to be played.

    Scripts, styles and handlers are dropped, as is every source with a scheme or host.
    """
    import bleach

    html = re.sub(r"<(script|style)\b.*?</\1\s*>", "", html, flags=re.IGNORECASE | re.DOTALL)
    html = re.sub(r"<(?:img|video|source)\b[^>]*>", lambda tag: _ELSEWHERE.sub("", tag[0]), html, flags=re.IGNORECASE)
    clean = str(bleach.clean(html, tags=_TAGS, attributes=_ATTRIBUTES, protocols={"http", "https"}, strip=True))
    clean = re.sub(r"<video\b[^>]*>", lambda tag: _waiting(tag[0]), clean)
    clean = re.sub(r"<img(?![^>]*\sloading=)", '<img loading="lazy"', clean)
    clean = re.sub(r"<table\b", '<table tabindex="0"', clean)
    # A blank line would end the block in Markdown's eyes.
    return re.sub(r"\n\s*\n", "\n", clean).strip()


def _waiting(tag: str) -> str:
    """A video tag with controls that loads nothing but its size before it is played."""
    tag = re.sub(r'\s(controls|playsinline|preload|autoplay)(="[^"]*")?', "", tag)
    return tag[:-1].rstrip("/ ") + ' controls playsinline preload="metadata">'


def video_tag(src: str, poster: str | None, alt: str) -> str:
    """A video that shows its poster until it is played."""
    still = f' poster="{escape(poster)}"' if poster else ""
    return (
        f'<video src="{escape(src)}"{still} controls loop muted playsinline preload="metadata" '
        f'aria-label="{escape(alt)}">'
        f'<a href="{escape(src)}">{escape(alt)}</a></video>'
    )


def run_box(result: Result, frozen: bool, script: bool, is_method: bool = True) -> str:
    """Where the page's numbers come from: kind of run, scale, seeds, command, machine, versions, date, downloads.

    A method's box leads to its facts and code too; a study has none of its own.
    """
    kind = "Frozen result" if frozen else "Fresh run"
    note = "kept in results/" if frozen else "from build/runs/ on this machine, not frozen"
    seeds = ", ".join(str(seed) for seed in result.seeds or [result.seed])
    versions = ", ".join(f"{name} {version}" for name, version in sorted(result.versions.items()))
    rows = [
        ("Scale", result.scale),
        ("Seeds", seeds),
        ("Took", f"{result.seconds:.0f} s" if result.seconds else ""),
        ("Made", result.created.replace("T", " ").removesuffix("Z").split("+")[0].split(".")[0]),
        ("Machine", result.machine),
        ("Versions", versions),
    ]
    facts = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in rows if value)
    command = f"<p><code>{escape(result.command)}</code></p>" if result.command else ""
    slug = result.slug
    links = []
    if is_method:
        links.append(f'<a href="../../methods/{slug}/index.html">The method and its sources</a>')
        links.append(f'<a href="../../reproductions/{slug}/index.html">The code, with its deviations</a>')
    if script:
        links.append(f'<a href="{slug}.py" download>Script ({slug}.py)</a>')
    links.append(f'<a href="{slug}.ipynb" download>Executed notebook ({slug}.ipynb)</a>')
    state = "kf-runbox-frozen" if frozen else "kf-runbox-fresh"
    return (
        f'<div class="kf-runbox {state}"><p class="kf-runbox-kind"><strong>{kind}</strong> <span>{note}</span></p>'
        f'{command}<dl>{facts}</dl><p class="kf-runbox-links">{" ".join(links)}</p></div>'
    )


def claims_table(result: Result) -> str:
    """The claims the run tested, each with its verdict as icon and word, and the reason with its numbers."""
    rows = "".join(
        f"<tr><td>{verdict_badge(claim)}</td><td><code>{escape(claim.id)}</code></td>"
        f'<td class="kf-long">{escape(claim.reason)}</td></tr>'
        for claim in result.claims
    )
    head = '<tr><th scope="col">Verdict</th><th scope="col">Claim</th><th scope="col">Why</th></tr>'
    return (
        '<div class="kf-wrap" tabindex="0" role="region" aria-label="Claims tested by this run">'
        f"<table><thead>{head}</thead><tbody>{rows}</tbody></table></div>"
    )


def verdict_badge(claim: ClaimResult) -> str:
    """A verdict as icon and word."""
    shown = state(claim)
    icon = f'<span aria-hidden="true">{shown.icon}</span>'
    return f'<span class="kf-verdict kf-verdict-{shown.key}">{icon} {shown.word}</span>'


def _split_title(markdown: str, otherwise: str) -> tuple[str, str]:
    """The first-level heading that opens the Markdown, and the rest."""
    found = re.match(r"\s*#\s+(.+?)\s*#*\s*(?:\n|$)", markdown)
    return (found[1], markdown[found.end() :]) if found else (otherwise, markdown)


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>|[*_`]", "", text)).strip()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
