"""The files of the built site: links that resolve, nothing loaded from elsewhere, reasonable weight."""

import gzip
import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

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


def test_front_page_is_light(site, pages):
    front = site / "index.html"
    files = {front} | {
        (site / src).resolve() for src in pages[front].loaded if src.endswith((".css", ".js", ".svg", ".png"))
    }
    assert sum(len(gzip.compress(file.read_bytes(), mtime=0)) for file in files) <= 300_000
    assert len(gzip.compress((site / "assets" / "methods.js").read_bytes())) <= 60_000
