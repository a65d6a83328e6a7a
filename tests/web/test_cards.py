"""The picture of a page, the zip, llms.txt, the link for reports: each is made from what it is given alone."""

import io
import json
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from hostile import HOSTILE, LONG, RIGHT_TO_LEFT
from PIL import Image, ImageFont
from test_pages import fake_result

from kiloframe.web import cards, hooks, llms, offline, report

# --- cards --------------------------------------------------------------------------------------------------------


def opened(png):
    return Image.open(io.BytesIO(png))


def test_a_card_is_small_and_the_same_each_time():
    words = (
        "One masked clip-diffusion network is applied over the whole span first and then into every gap between frames."
    )
    card = cards.draw("Methods", "NUWA-XL", words)
    assert card == cards.draw("Methods", "NUWA-XL", words)
    assert opened(card).size == (1200, 630) and len(card) < 30_000
    assert card != cards.draw("Methods", "NUWA-XM", words) != cards.draw("Metrics", "NUWA-XL", words)


@pytest.mark.parametrize("title", [HOSTILE, LONG, RIGHT_TO_LEFT, "x", "Fréchet ∆ 1–2"])
def test_whatever_a_card_says_stays_within_its_margins(title):
    drawn = np.asarray(opened(cards.draw(title, title, title)).convert("L"), int)
    ground = drawn[0, 600]
    rows, columns = np.nonzero(np.abs(drawn[:, 16:] - ground) > 8)
    assert columns.min() + 16 >= 70 and columns.max() + 16 < 1165
    assert rows[rows < 530].max() < 520  # the words end above the film and the name of the site


def test_lines_break_at_spaces_and_long_words_anywhere():
    font = ImageFont.load_default(size=30)
    lines = cards.wrapped("one two three four five six seven", font, 200, 9)
    assert " ".join(lines) == "one two three four five six seven" and len(lines) > 1
    assert all(font.getlength(line) <= 200 for line in lines)
    broken = cards.wrapped(LONG, font, 200, 99)
    assert "".join(broken) == LONG and all(font.getlength(line) <= 200 for line in broken)
    cut = cards.wrapped("word " * 40, font, 200, 2)
    assert len(cut) == 2 and cut[1].endswith("…") and font.getlength(cut[1]) <= 200
    assert cards.wrapped("", font, 200, 2) == []


# --- the zip ------------------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path):
    """A site of two pages and a film."""
    folder = tmp_path / "site"
    (folder / "about").mkdir(parents=True)
    (folder / "index.html").write_text("<p>home</p>")
    (folder / "about" / "index.html").write_text("<p data-kf-zip>A <b>copy</b>.</p><p>more</p>")
    (folder / "film.mp4").write_bytes(bytes(1000))
    return folder


def test_the_zip_holds_the_site_and_not_itself(site, tmp_path):
    made = offline.pack(site)
    with zipfile.ZipFile(made) as archive:
        assert archive.namelist() == [f"kiloframe-site/{n}" for n in ("about/index.html", "film.mp4", "index.html")]
        assert archive.getinfo("kiloframe-site/film.mp4").compress_type == zipfile.ZIP_STORED
        archive.extractall(tmp_path / "out")
    assert (
        tmp_path / "out/kiloframe-site/about/index.html"
    ).read_text() == "<p data-kf-zip>A <b>copy</b>.</p><p>more</p>"
    first = made.read_bytes()
    (site / "index.html").touch()
    assert offline.pack(site).read_bytes() == first


def test_the_page_leads_to_the_zip_and_tells_its_size(site):
    made = offline.pack(site)
    offline.link(site, made)
    page = (site / "about" / "index.html").read_text()
    assert 'href="../kiloframe-site.zip"' in page and f"({made.stat().st_size / 1e6:.1f} MB)" in page
    assert "copy" not in page and page.endswith("</p><p>more</p>")
    assert (site / "index.html").read_text() == "<p>home</p>"


# --- llms.txt -----------------------------------------------------------------------------------------------------


def test_llms_txt_lists_every_record_once_and_its_links_resolve(cat, tmp_path):
    (file,) = llms.write(cat, {"fdm": (fake_result(cat, ["held"]), Path(), True)}, tmp_path)
    text = file.read_text("utf-8")
    for kind in ("methods", "datasets", "metrics"):
        assert re.findall(rf"\]\(api/v1/{kind}/(\w+)\.json\)", text) == list(getattr(cat, kind))
    assert f"{cat.methods['fdm'].claims[0].id} held" in text and text.startswith("# kiloframe\n\n> ")
    whole = llms.absolute(text, "https://a.example/kf/")
    assert "](https://a.example/kf/api/v1/methods/fdm.json)" in whole and "](api" not in whole
    assert llms.absolute(whole, "https://b.example") == whole


def test_hostile_text_stays_on_its_line_in_llms_txt(cat, tmp_path):
    method = SimpleNamespace(name=f"a](javascript:x)\n{HOSTILE}", title=HOSTILE, distinguishing="b\n# c")
    none = SimpleNamespace(methods={"m": method}, datasets={}, metrics={}, survey=cat.survey)
    (file,) = llms.write(none, {}, tmp_path)
    (line,) = [line for line in file.read_text("utf-8").splitlines() if "api/v1/methods/m.json" in line]
    assert line.count("](") == 1 and "<" not in line and line.endswith("b # c")


# --- reports ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("repo", ["https://git.example/a/b", "https://git.example/a/b.git", "https://git.example/a/b/"])
def test_a_report_has_file_and_field_filled_in(repo):
    asked = urlsplit(report.address(repo, "methods", "nuwa_xl"))
    assert asked.netloc == "git.example" and asked.path == "/a/b/issues/new"
    given = parse_qs(asked.query)
    assert given["title"] == ["nuwa_xl: "] and "catalogue/methods/nuwa_xl.yaml" in given["body"][0]
    assert "/-/issues/new?issue%5Btitle%5D=" in report.address("https://gitlab.com/a/b", "methods", "fdm")


def test_the_place_for_a_report_is_filled_or_empty():
    place = 'x<span class="kf-report" data-kf-report="metrics/fvd"></span>.'
    assert report.filled(place, None) == report.filled(place, "") == "x."
    assert re.fullmatch(
        r'x: <a href="https://r\.example/issues/new\?[^"<>]*" rel="noopener">.*</a>\.',
        report.filled(place, "https://r.example"),
    )
    strange = '<span class="kf-report" data-kf-report="metrics/&quot;><b>"></span>'
    assert report.filled(strange, "https://r.example") == strange


# --- in the page --------------------------------------------------------------------------------------------------


class Page(SimpleNamespace):
    """As much of mkdocs' page as the hooks look at."""


@pytest.mark.parametrize(
    ("site_url", "src", "url", "image"),
    [
        (None, "methods/fdm/index.md", "methods/fdm/", "../../assets/cards/methods/fdm.png"),
        (None, "index.md", "", "assets/cards/index.png"),
        (None, "about.md", "about/", "../assets/cards/about.png"),
        ("https://a.example/kf/", "about.md", "about/", "https://a.example/kf/assets/cards/about.png"),
    ],
)
def test_a_page_names_its_card(site_url, src, url, image):
    page = Page(file=Page(src_uri=src), url=url, content="", listings=[])
    assert hooks.after_search({}, page, Page(site_url=site_url), None) == {"kf_card": image}


def test_the_search_reads_no_listings_and_the_page_keeps_them():
    listing = '<details class="mkdocstrings-source"><pre>a\nb \\1</pre></details>'
    whole = f"<h2>f</h2>{listing}<h2>g</h2><details><p>text</p></details>{listing.replace('<pre>a', '<pre>c')}"
    page = Page(file=Page(src_uri="about.md"), url="about/", content=whole)
    hooks.before_search({}, page, Page(site_url=None), None)
    assert "<pre>" not in page.content and "<h2>g</h2>" in page.content and "<p>text</p>" in page.content
    hooks.after_search({}, page, Page(site_url=None), None)
    assert page.content == whole


def test_the_cards_of_pages_are_written_beside_them(tmp_path):
    config = Page(site_dir=tmp_path, site_name="kiloframe", site_description="All.", repo_url=None)
    page = Page(
        file=Page(src_uri="methods/fdm/index.md"), ancestors=[Page(title="Methods")], title="FDM", is_homepage=False,
        meta={"description": "FDM: Any order."},
    )  # fmt: skip
    assert hooks.on_post_page('<a href="../x/">x</a>', page, config) == '<a href="../x/index.html">x</a>'
    assert (tmp_path / "assets/cards/methods/fdm.png").read_bytes() == cards.draw("Methods", "FDM", "Any order.")
    home = Page(file=Page(src_uri="index.md"), ancestors=[], title="Home", is_homepage=True, meta={})
    hooks.on_post_page("", home, config)
    assert (tmp_path / "assets/cards/index.png").read_bytes() == cards.draw("", "kiloframe", "All.")


def test_the_zip_comes_last_and_the_sitemap_needs_an_address(tmp_path):
    for address in (None, "https://a.example/"):
        site = tmp_path / str(bool(address))
        (site / "search").mkdir(parents=True)
        (site / "search" / "search_index.json").write_text(
            '{"docs": [{"location": "a/", "tags": ["x"]}, {"location": "a/#b", "tags": ["x"]}]}'
        )
        (site / "sitemap.xml").write_text("<urlset/>")
        (site / "sitemap.xml.gz").write_bytes(b"")
        (site / "llms.txt").write_text("[a](b.json)")
        hooks.on_post_build(Page(site_dir=site, site_url=address))
        assert (site / "sitemap.xml").is_file() == bool(address)
        assert (site / "llms.txt").read_text() == (f"[a]({address}b.json)" if address else "[a](b.json)")
        with zipfile.ZipFile(site / offline.NAME) as archive:
            assert "kiloframe-site/search/search_index.js" in archive.namelist()
            script = archive.read("kiloframe-site/search/search_index.js").decode()
        docs = json.loads(script.removeprefix("var __index = ").rstrip(";\n"))["docs"]
        assert docs == [{"location": "a/index.html", "tags": ["x"]}, {"location": "a/index.html#b"}]
