"""What holds on every page: the site finds what it holds, comes along as one file, and names itself to others."""

import json
import re
import zipfile
from html import unescape
from io import BytesIO
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import expect

HEAD = re.compile(r'<meta (?:name|property)="([a-z:_]+)" content="([^"]*)">')


@pytest.mark.parametrize(
    ("question", "slug"),
    [
        ("MCVD", "mcvd"),
        ("Flexible Diffusion Modeling", "fdm"),
        ("Songwei Ge", "tats"),
        ("2210.02399", "phenaki"),
        ("projected latent", "pvdm"),
    ],
)
def test_the_search_finds_methods_by_abbreviation_title_author_and_arxiv_id(open_page, address, question, slug):
    page = open_page(f"{address}/about/")
    box = page.locator(".md-search__input")
    box.click()
    box.press_sequentially(question)
    first = page.locator(".md-search-result__item a").first
    first.wait_for()
    page.wait_for_function(
        "slug => document.querySelector('.md-search-result__item a')?.getAttribute('href').includes(slug)",
        arg=f"methods/{slug}/",
    )
    box.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/methods/{slug}/"))


def test_every_page_has_a_card_and_says_what_it_is(site):
    pages = [page for page in sorted(site.rglob("*.html")) if page.name != "404.html"]
    said, weight = {}, 0
    for page in pages:
        found = HEAD.findall(page.read_text("utf-8").partition("</head>")[0])
        head = {name: unescape(content) for name, content in found}
        card = (page.parent / head["og:image"]).resolve()
        assert Image.open(card).size == (1200, 630), page
        weight += card.stat().st_size
        assert head["description"] == head["og:description"] and head["og:title"] and "og:url" not in head, page
        said.setdefault(head["description"], []).append(page.relative_to(site).as_posix())
    assert weight / len(pages) < 25_000
    assert [pages for pages in said.values() if len(pages) > 1] == []


def test_the_whole_site_works_from_the_zip(open_page, site, address, tmp_path):
    page = open_page(f"{address}/")
    page.get_by_role("link", name="The whole site as one zip").click()
    expect(page.locator("[data-kf-zip]")).to_be_in_viewport()
    told = page.locator("[data-kf-zip]").inner_text()
    with page.expect_download() as got:
        page.locator("[data-kf-zip] a").click()
    content = got.value.path().read_bytes()
    assert f"({len(content) / 1e6:.1f} MB)" in told
    with zipfile.ZipFile(BytesIO(content)) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path)
    copy = tmp_path / "kiloframe-site"
    there = {file.relative_to(copy).as_posix() for file in copy.rglob("*") if file.is_file()}
    assert there == {f.relative_to(site).as_posix() for f in site.rglob("*") if f.is_file()} - {"kiloframe-site.zip"}
    disk = open_page((copy / "index.html").as_uri())
    disk.get_by_role("link", name="Browse the methods").click()
    disk.locator("#kf-methods").get_by_role("link", name="FDM", exact=True).click()
    expect(disk.get_by_role("heading", level=1)).to_contain_text("FDM")
    disk.get_by_role("link", name="The executed notebook").first.click()
    expect(disk.locator(".kf-runbox")).to_be_visible()
    disk.get_by_role("link", name="The whole site as one zip").click()
    assert "can be opened from disk" in disk.locator("[data-kf-zip]").inner_text()
    assert disk.locator("[data-kf-zip] a").count() == 0


def test_without_an_address_nothing_pretends_to_have_one(site):
    assert not list(site.glob("sitemap*"))
    front = (site / "index.html").read_text("utf-8")
    assert 'rel="canonical"' not in front and "og:url" not in front
    about = (site / "about" / "index.html").read_text("utf-8")
    assert "sitemap.xml" in about and "kf-report" not in (site / "methods/fdm/index.html").read_text("utf-8")


def test_llms_txt_leads_to_files_that_are_there(site):
    links = re.findall(r"\]\(([^)]*)\)", (site / "llms.txt").read_text("utf-8"))
    assert len(links) > 100 and [link for link in links if not (site / link).is_file()] == []


def test_the_json_page_tells_every_file_there_is(site, open_page, address):
    index = json.loads((site / "api/v1/index.json").read_text("utf-8"))
    listed = {"index.json"}
    for entry in index["endpoints"]:
        listed |= {entry["path"].replace("{slug}", slug) for slug in entry.get("slugs", [""])}
    there = {file.relative_to(site / "api/v1").as_posix() for file in (site / "api/v1").rglob("*.json")}
    assert there == listed
    page = open_page(f"{address}/api/json/")
    paths = set(page.locator("tbody th code").all_inner_texts())
    assert paths == {"/api/v1/index.json"} | {f"/api/v1/{entry['path']}" for entry in index["endpoints"]}


def test_notebook_pages_offer_script_and_executed_notebook(site, open_page, address):
    slugs = [page.parent.name for page in sorted(site.glob("notebooks/*/index.html"))]
    for slug in slugs:
        assert (site / "notebooks" / slug / f"{slug}.ipynb").is_file() and (
            site / f"notebooks/{slug}/{slug}.py"
        ).is_file()
    page = open_page(f"{address}/notebooks/{slugs[0]}/")
    with page.expect_download() as got:
        page.get_by_role("link", name=re.compile(r"^Script")).click()
    assert got.value.suggested_filename == f"{slugs[0]}.py"


def test_no_page_asks_another_host(open_page, address):
    """The fixture counts requests; here the heaviest page types are scrolled to their end, so that lazy media loads."""
    for path in ("", "methods/fdm/", "notebooks/worlds/", "survey/timeline/"):
        page = open_page(f"{address}/{path}")
        asked = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
        page.wait_for_timeout(300)
        assert {urlsplit(url).hostname for url in asked} <= {"127.0.0.1"}
