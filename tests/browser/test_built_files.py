"""The files of the built site: links that resolve, nothing loaded from elsewhere, reasonable weight."""

import gzip
import json
import re
import shutil
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from kiloframe.web import build

LOADED = {"script": "src", "img": "src", "video": "src", "source": "src", "iframe": "src", "link": "href"}


class Reader(HTMLParser):
    """Links, anchors and loaded files of one page."""

    def __init__(self):
        super().__init__()
        self.links, self.anchors, self.loaded, self.described = [], set(), [], False

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors.update(value for value in (given.get("id"), given.get("name")) if value)
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if (
            tag in LOADED
            and given.get(LOADED[tag])
            and given.get("rel") not in ("canonical", "prev", "next", "alternate")
        ):
            self.loaded.append(given[LOADED[tag]])
        self.loaded += [given["poster"]] if given.get("poster") else []
        self.described |= tag == "meta" and given.get("name") == "description"


@pytest.fixture(scope="module")
def pages(site):
    read = {}
    for file in sorted(site.rglob("*.html")):
        if file.name != "404.html":
            read[file] = Reader()
            read[file].feed(file.read_text("utf-8"))
    return read


def test_every_internal_link_and_anchor_resolves(pages, site):
    broken = []
    for file, page in pages.items():
        for href in page.links + page.loaded:
            parts = urlsplit(href)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not target.is_file():
                broken.append(f"{file.relative_to(site)}: {href}")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                broken.append(f"{file.relative_to(site)}: {href} (no such anchor)")
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(pages, site):
    foreign = [(file.name, src) for file, page in pages.items() for src in page.loaded if urlsplit(src).netloc]
    assert foreign == []
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", sheet.read_text("utf-8")), sheet


def test_every_page_says_what_it_is(pages):
    assert [file for file, page in pages.items() if not page.described] == []


def test_there_is_a_page_per_record_and_search_index_for_disk(site, records):
    assert all((site / "methods" / slug / "index.html").is_file() for slug in records)
    script = (site / "search" / "search_index.js").read_text("utf-8")
    served = json.loads((site / "search" / "search_index.json").read_text("utf-8"))
    index = json.loads(script.removeprefix("var __index = ").rstrip().removesuffix(";"))
    assert len(index["docs"]) == len(served["docs"]) > len(records)
    assert not any(entry["location"].partition("#")[0].endswith("/") for entry in index["docs"])


def scripts(site, page):
    """The site's own scripts that a page loads by its markup."""
    return {(page.parent / src).resolve() for src in re.findall(r'<script[^>]* src="([^"]*)"', page.read_text("utf-8"))}


def packed(files):
    """Bytes as a server sends them."""
    return sum(len(gzip.compress(file.read_bytes(), mtime=0)) for file in files)


def test_the_explorers_own_scripts_are_light(site):
    front, explorer = (scripts(site, site / name) for name in ("index.html", "methods/index.html"))
    own = {file for file in explorer - front if not file.name.endswith("-data.js")}
    assert own and packed(own) <= 60_000


def test_pages_are_light_and_media_waits(site):
    for name in ("methods/fdm", "methods/sora", "claims", "datasets", "survey/lengths", "survey/timeline"):
        page = site / name / "index.html"
        assert packed({page} | scripts(site, page)) <= 300_000, name
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        assert not re.search(r"<video[^>]*\sautoplay", text), page
        assert all('preload="' in video for video in re.findall(r"<video[^>]*>", text)), page


def test_the_search_index_holds_what_is_said_and_no_listings(site):
    page = (site / "reference/parts/index.html").read_text("utf-8")
    assert page.count('<details class="mkdocstrings-source">') > 50, "every function shows its source"
    entries = json.loads((site / "search/search_index.json").read_text("utf-8"))["docs"]
    words = "".join(entry["text"] for entry in entries if entry["location"].startswith("reference/parts"))
    assert "attention" in words.lower() and not re.findall(r"self\.\w", words)


def test_building_takes_at_most_a_minute(built):
    assert built[1] <= 60  # processor seconds of one core, whatever else the machine does


@pytest.mark.slow
def test_the_same_facts_give_the_same_bytes(checkout, site, tmp_path, monkeypatch):
    copy = tmp_path / "elsewhere"
    shutil.copytree(checkout, copy, ignore=shutil.ignore_patterns("build", "site", "__pycache__"))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1764000000")
    again = build(copy, progress=False)
    names = [{file.relative_to(folder) for file in folder.rglob("*") if file.is_file()} for folder in (site, again)]
    assert names[0] == names[1]
    assert [name for name in sorted(names[0]) if (site / name).read_bytes() != (again / name).read_bytes()] == []


def test_front_page_is_light(site, pages):
    front = site / "index.html"
    files = {front} | {
        (site / src).resolve() for src in pages[front].loaded if src.endswith((".css", ".js", ".svg", ".png"))
    }
    assert sum(len(gzip.compress(file.read_bytes(), mtime=0)) for file in files) <= 300_000
    assert len(gzip.compress((site / "assets" / "methods.js").read_bytes())) <= 60_000
