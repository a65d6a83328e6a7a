"""mkdocs hooks: the navigation from what was written, links that work from disk, search without a server, a picture per
page for links elsewhere, and the whole site as one zip.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mkdocs.plugins import CombinedEvent, event_priority
from mkdocs.utils import get_relative_url

from kiloframe.web import cards, llms, offline, report

__all__ = [
    "after_search", "before_search", "from_disk", "navigation", "on_config", "on_page_context", "on_page_markdown",
    "on_post_build", "on_post_page",
]  # fmt: skip

_LINK = re.compile(r'(<a\b[^>]*?\shref=")([^"#?:]*)((?:[#?][^"]*)?")')
_SOURCE = re.compile(r'<details class="mkdocstrings-source">.*?</details>', re.DOTALL)
_LISTING = '<div class="kf-listing"></div>'
# What a search should find first: methods, then the other facts; code last.
_BOOST = {"methods": 4.0, "datasets": 2.0, "metrics": 2.0, "survey": 2.0, "reference": 0.4, "reproductions": 0.5}

# Studies of what methods are judged by; all others are about the methods.
_YARDSTICKS = ("worlds", "what_the_metrics_see")


def _pages(docs: Path, folder: str) -> list[Any]:
    """Index page first, then the pages of a folder by name, as mkdocs wants them."""
    files = sorted(docs.glob(f"{folder}/*.md")) + sorted(docs.glob(f"{folder}/*/index.md"))
    names = [file.relative_to(docs).as_posix() for file in files]
    return sorted(names, key=lambda name: (name != f"{folder}/index.md", name))


def navigation(docs: Path) -> list[Any]:
    """The navigation, made from the Markdown files in build/docs."""
    first = [
        name for name in ("query.md", "api/json/index.md", "run.md", "scale.md", "teach.md") if (docs / name).is_file()
    ]
    last = [name for name in ("contributing.md", "changelog.md", "about.md") if (docs / name).is_file()]
    notebooks = _pages(docs, "notebooks")
    studies = [page for page in notebooks if not (docs / "methods" / page.split("/")[1]).is_dir()]
    methods = [page for page in notebooks if page not in studies]
    yardsticks = [page for page in studies if page.split("/")[1] in _YARDSTICKS]
    compared = [page for page in studies if page not in yardsticks]
    code = _pages(docs, "reproductions")
    judged = [f"{name}.md" for name in ("worlds/index", "measures", "feature-networks", "real-video")]
    judged = [name for name in judged if (docs / name).is_file()]
    answers = [page for name in ("choose", "compare") for page in _pages(docs, name)[:1]]
    found = [page for name in ("claims", "level-field") for page in _pages(docs, name)[:1]]
    survey = _pages(docs, "survey") or [name for name in ("survey.md",) if (docs / name).is_file()]
    nav: list[Any] = [{"Home": "index.md"}]
    for title, pages in (
        ("Methods", _pages(docs, "methods")[:1] + answers + _pages(docs, "methods")[1:]),
        ("Data sets", _pages(docs, "datasets")),
        ("Metrics", _pages(docs, "metrics")),
        ("The survey", survey),
        ("Reproductions", code[:1] + found + compared + methods + code[1:]),
        ("Worlds and measures", judged + yardsticks),
        ("Guide", first),
        ("API", _pages(docs, "reference")),
        ("About", last),
    ):
        if len(pages) == 1:
            nav.append({title: pages[0]})
        elif pages:
            nav.append({title: pages})
    return nav


def from_disk(html: str) -> str:
    """The page with links to folders spelt out to their index.html, so that they work without a server."""

    def spell(link: re.Match[str]) -> str:
        before, path, after = link.groups()
        if path.startswith("/") or not path:
            return link[0]
        if path.split("/")[-1] in (".", ".."):
            path += "/"
        return f"{before}{path}index.html{after}" if path.endswith("/") else link[0]

    return _LINK.sub(spell, html)


def on_config(config: Any) -> Any:
    """Fill in the navigation from the files at hand; nothing about it stands in mkdocs.yml."""
    config.nav = navigation(Path(config.docs_dir))
    return config


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Weigh pages for the search by the folder they stand in."""
    boost = _BOOST.get(page.file.src_uri.split("/")[0].removesuffix(".md"))
    if "navigation" in page.meta.get("hide", ()):  # a wide page lists every record: no answer to the name of one
        boost = 0.5
    if boost is not None and "search" not in page.meta:
        page.meta["search"] = {"boost": boost}
    return markdown


def _card(src: str) -> str:
    """The address of a page's card below the site's root: "assets/cards/methods/nuwa_xl.png"."""
    return f"assets/cards/{src.removesuffix('.md').removesuffix('/index')}.png"


@event_priority(100)
def before_search(context: Any, page: Any, config: Any, nav: Any) -> Any:
    """Take the listings of source code out of a page while the search plugin reads it.

    A name is looked for in headings, signatures and docstrings. The listings would be half of all that the plugin reads
    and a fifth of the index that every reader loads.
    """
    page.listings = _SOURCE.findall(page.content)
    page.content = _SOURCE.sub(_LISTING, page.content)
    return context


@event_priority(-100)
def after_search(context: Any, page: Any, config: Any, nav: Any) -> Any:
    """Put the listings back, and add the page's picture for the head of theme/main.html, with the site's whole address
    where it has one.
    """
    listings = iter(page.listings)
    page.content = re.sub(re.escape(_LISTING), lambda _: next(listings), page.content)
    card = _card(page.file.src_uri)
    root = config.site_url.rstrip("/") if config.site_url else None
    context["kf_card"] = f"{root}/{card}" if root else get_relative_url(card, page.url)
    return context


on_page_context = CombinedEvent(before_search, after_search)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Every page's links, as they are written to site/; and its picture beside them."""
    section = " › ".join(part.title for part in reversed(page.ancestors))
    picture = Path(config.site_dir) / _card(page.file.src_uri)
    picture.parent.mkdir(parents=True, exist_ok=True)
    said = page.meta.get("description") or config.site_description
    title = str(config.site_name if page.is_homepage else page.title or config.site_name)
    # Records describe themselves as "NAME: what sets it apart"; the name stands above it already.
    picture.write_bytes(cards.draw(section, title, said.removeprefix(f"{title}: ")))
    return from_disk(report.filled(output, config.repo_url))


@event_priority(-100)
def on_post_build(config: Any) -> None:
    """After the search plugin: the same index as a script, for pages opened from disk, which may not fetch. At the
    very end the zip, which holds everything else.
    """
    site = Path(config.site_dir)
    index = site / "search" / "search_index.json"
    content = json.loads(index.read_text("utf-8"))
    for entry in content["docs"]:
        if "#" in entry["location"]:  # a page is found by its tags, not each of its sections once more
            entry.pop("tags", None)
    index.write_text(json.dumps(content, separators=(",", ":")), "utf-8")
    for entry in content["docs"]:
        path, mark, anchor = entry["location"].partition("#")
        entry["location"] = (path + "index.html" if path.endswith("/") or not path else path) + mark + anchor
    text = json.dumps(content, separators=(",", ":"))
    index.with_suffix(".js").write_text(f"var __index = {text};\n", "utf-8")
    if not config.site_url:  # a sitemap without whole addresses lists nothing
        for name in ("sitemap.xml", "sitemap.xml.gz"):
            (site / name).unlink(missing_ok=True)
    elif (site / "llms.txt").is_file():
        (site / "llms.txt").write_text(llms.absolute((site / "llms.txt").read_text("utf-8"), config.site_url), "utf-8")
    offline.link(site, offline.pack(site))
