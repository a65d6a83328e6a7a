"""Pages from records: one jinja2 environment that escapes everything, links between pages, and the source marker.

How a page is made, so that no text of a fact file can become markup:
- Headings are Markdown and fixed words (the name of a record goes through `heading`); everything else is a block of
  HTML, which Markdown leaves alone.
- Whatever a template prints goes through `escape`: HTML's special characters and all characters that Markdown and its
  extensions give a meaning become numeric entities, which a browser shows as the characters they were.
- Links are relative and name `index.html`, so that they work served and from disk, with or without
  `use_directory_urls`: every page is a folder with an index (`methods/nuwa_xl/index.md`, shown as /methods/nuwa_xl/).
- Addresses taken from facts become links only with http or https.

Classes used by these pages, for the style sheet (tables have no class of their own, so Material styles them):
  kf-lead          first block of a record page: one-sentence idea, bibliographic line, chips
  kf-by kf-meta    authors line; small muted line of metadata
  kf-chips kf-chip row of small labels; kf-chip is a span or a link
  kf-facts         <dl> of name and value pairs (dt, dd; each pair in a div)
  kf-unknown       the word "unknown", "not stated", "none"; muted
  kf-src           marker after a sourced value: focusable span with kf-src-mark (a glyph) and kf-src-text (a tooltip on
                   hover and focus, inline in print); kf-src-primary, kf-src-secondary, kf-src-memory
  kf-note          boxed remark; kf-differs: the same where survey and sources disagree (also on a table cell or row)
  kf-mechanism     mechanism text: div.kf-block of p.kf-line (indent in `--kf-indent`, in characters); kf-item, -formula
  kf-long          table cell with a sentence or more (give it width)
  kf-wrap          scrolling box around a wide table (focusable)
  kf-num           cell with a number; kf-quiet: smaller, muted text
  kf-claims        list of article.kf-claim; kf-claim-numbers, kf-claim-test inside
  kf-verdict       icon and word: kf-verdict-held, -not-held, -inconclusive, -not-judged, -not-run
  kf-related       list of related methods, one line each
  kf-empty         box "No reproduction yet"; kf-run: box that leads to the executed reproduction
  kf-figure        figure with an inline SVG (inside: kf-axis, kf-grid, kf-span, kf-stated, kf-shown, kf-threshold)
  kf-split         two blocks side by side on wide screens; kf-print: what the survey prints
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import jinja2
from markupsafe import Markup

from kiloframe.files import write_atomically

__all__ = [
    "Line", "Page", "escape", "fragment", "heading", "lines", "number", "plain", "record_link", "render", "safe_url",
    "sentence",
]  # fmt: skip

_TEMPLATES = Path(__file__).with_name("templates")
# Letters, digits, spaces and these signs mean nothing to HTML, Markdown or an extension, wherever they stand.
_HARMLESS = re.compile(r"[^\w \n.,;?/%@()'+=\u0080-\U0010ffff-]|_")
# Invisible characters that turn the direction of all that follows; right-to-left letters do without them.
_DIRECTION = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_LONG_LINE = 92  # a source line at least this long was wrapped by its editor, so the next one may continue it
_COLUMNS = re.compile(r"\S {2,}\S")
_RELATIONS = {"=", ":=", "+=", "~", "<-", "->", "||"}
_MARK = re.compile(r"(-|\*|\d+[.)]|\([a-z0-9]{1,3}\)|[A-Z]\.)\s")


def escape(value: object) -> Markup:
    """`value` as text that shows exactly as it is, in an HTML block, in an attribute and in a Markdown line alike."""
    if hasattr(value, "__html__"):
        return Markup(value.__html__())
    if value is None:
        raise ValueError("None reached a page; say 'unknown' or leave the field out")
    text = _DIRECTION.sub("", str(value))
    return Markup(_HARMLESS.sub(lambda match: f"&#{ord(match[0])};", text))


def heading(text: str) -> Markup:
    """`text` on one line, for a Markdown heading."""
    return escape(" ".join(text.split()))


def plain(text: str) -> str:
    """`text` for a page's title and description, which themes print unescaped: no brackets, quotes or entities."""
    swap = str.maketrans({"<": "‹", ">": "›", '"': "”", "&": "+", "\\": "/", "{": "(", "}": ")"})
    return " ".join(_DIRECTION.sub("", text).translate(swap).split())


def safe_url(url: str | None) -> str | None:
    """`url` when it is http or https with a host, else None."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    ok = parts.scheme in ("http", "https") and parts.netloc and not re.search(r"[\s<>\"'`\\]", url or "")
    return url if ok else None


def number(value: float | int | str | None) -> str:
    """A number as people write it: thousands set apart from five digits on; text stays as it is, None is unknown."""
    if value is None:
        return "unknown"
    if isinstance(value, str):
        return value
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.6g}"
    return f"{int(value):,}".replace(",", "\u202f") if abs(value) >= 10_000 else str(int(value))


def sentence(text: str) -> str:
    """`text` with a capital at its start where it starts with a plain word; symbols and names stay as they are."""
    return text[:1].upper() + text[1:] if re.match(r"[a-z][a-z'-]*[ ,]", text) and text[1:2] != " " else text


class Line(NamedTuple):
    """One line to show: its text, its indent in characters, and whether it reads as a formula or a list item."""

    text: str
    indent: int
    kind: str


def lines(text: str) -> list[list[Line]]:
    """Plain text with line structure as blocks of lines: wrapped prose is joined, formulas and indents are kept."""
    blocks: list[list[Line]] = [[]]
    length = 0  # of the source line before this one
    for raw in text.expandtabs(2).rstrip().split("\n"):
        words = raw.strip()
        indent = len(raw) - len(raw.lstrip())
        if not words:
            if blocks[-1]:
                blocks.append([])
            continue
        last = blocks[-1][-1] if blocks[-1] else None
        deeper = last is not None and last.kind == "kf-item" and indent > last.indent
        kind = "kf-item" if _MARK.match(words) else "kf-formula" if _formula(words, indent) else ""
        if kind == "kf-formula" and deeper and last and last.text.endswith((";", ",")):
            kind = ""  # an item that goes on
        joins = last and not kind and indent >= last.indent
        if last and last.kind == "kf-formula":  # in a column of definitions, a line far to the right goes on with it
            joins = joins and bool(_COLUMNS.search(last.text)) and indent > last.indent + 6
        else:
            joins = joins and length >= _LONG_LINE
        if last and joins:
            blocks[-1][-1] = last._replace(text=f"{last.text} {words}")
        else:
            blocks[-1].append(Line(words, indent, kind))
        length = len(raw)
    return [block for block in blocks if block]


def _formula(words: str, indent: int) -> bool:
    """Whether a line reads as a formula or a column of definitions, not as prose; only its look depends on it."""
    if _COLUMNS.search(words):
        return True
    head = words.split()[:4]
    prose = any(len(token) > 1 and token.endswith(":") for token in head[:-1])
    return indent > 0 and not prose and any(token in _RELATIONS for token in head)


class Page(NamedTuple):
    """A page to write: its folder below the docs root (`methods/nuwa_xl`), title and description.

    `scripts` names the scripts in assets/ that this page loads beyond those of every page; a `wide` page has no column
    beside its text; `tags` are words by which the search finds this page before all others that hold them.
    """

    folder: str
    title: str
    description: str
    scripts: tuple[str, ...] = ()
    wide: bool = False
    tags: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The Markdown file below the docs root."""
        return posixpath.join(self.folder, "index.md")

    def to(self, target: str) -> str:
        """The relative address of `target`: a page's folder ("survey/slips/#inr") or a file ("api/v1/index.json")."""
        path, hash_, fragment = target.partition("#")
        if not path or path.endswith("/"):
            path += "index.html"
        return posixpath.relpath(path, self.folder or ".") + hash_ + fragment


def record_link(page: Page, kind: str, records: Mapping[str, Any], slug: str, words: str | None = None) -> Markup:
    """A link to a record's page with its name, or `words`; the bare text where there is no such record."""
    if slug not in records:
        return escape(words or slug)
    return Markup('<a href="{}">{}</a>').format(page.to(f"{kind}/{slug}/"), escape(words or records[slug].name))


@cache
def _environment() -> jinja2.Environment:
    """The environment of all templates: strict about names, escaping what it prints."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=escape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for filter_ in (lines, number, heading, safe_url, sentence):
        environment.filters[filter_.__name__] = filter_
    return environment


def fragment(cat: Any, page: Page, template: str, **context: Any) -> str:
    """`template` (in templates/) filled in, as a part of `page`.

    The template sees `cat`, `page`, `to` (relative links) and what is given in `context`.
    """

    def ref(kind: str, pointer: Any) -> Markup:
        records = {"methods": cat.methods, "datasets": cat.datasets, "metrics": cat.metrics}[kind]
        if pointer.ref is None:
            return escape(pointer.text or "unknown")
        return record_link(page, kind, records, pointer.ref)

    def rest(kind: str, pointer: Any) -> str:
        """The source's own words after the linked name, without repeating the name."""
        text = pointer.text or ""
        records = {"methods": cat.methods, "datasets": cat.datasets, "metrics": cat.metrics}[kind]
        name = records[pointer.ref].name if pointer.ref in records else ""
        if text.lower().startswith(name.lower()):
            return text[len(name) :]
        return f": {text}" if text else ""

    filled = _environment().get_template(template)
    return filled.render(cat=cat, page=page, to=page.to, ref=ref, rest=rest, **context)


def render(cat: Any, page: Page, template: str, out: Path, **context: Any) -> Path:
    """Fill `template` (in templates/) and write it at the page's place below `out`; returns the file written.

    The template sees what `fragment` gives it.
    """
    body = fragment(cat, page, template, **context)
    front = f"---\ntitle: {_quoted(page.title)}\ndescription: {_quoted(page.description)}\n"
    if page.tags:
        front += "tags:\n" + "".join(f"  - {_quoted(tag)}\n" for tag in page.tags)
    if page.scripts:
        front += "scripts:\n" + "".join(f"  - assets/{name}\n" for name in page.scripts)
    if page.wide:
        front += "hide:\n  - navigation\n  - toc\n"
    front += "---\n\n"
    path = out / page.file
    write_atomically(path, front + body)
    return path


def _quoted(text: str) -> str:
    """`text` as a double-quoted YAML scalar on one line, made harmless for themes."""
    return f'"{plain(text)}"'
