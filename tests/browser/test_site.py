"""The built site, driven as a person would."""

import re

import pytest
from playwright.sync_api import expect

PAGES = [
    "", "methods/", "methods/nuwa_xl/", "methods/fdm/", "compare/", "compare/?methods=fdm,nuwa_xl,tats",
    "compare/reproduced-1/", "choose/?min_seconds=60&shown=1", "claims/", "level-field/", "datasets/", "metrics/",
    "survey/", "survey/lengths/", "reproductions/", "reproductions/fdm/", "notebooks/fdm/", "query/", "run/", "about/",
    "reference/kiloframe/",
]  # fmt: skip
PHONE = {"viewport": {"width": 390, "height": 844}}
VISIBLE = "#kf-methods tbody tr:not([hidden])"


def names(page):
    return page.locator(f"{VISIBLE} th").all_inner_texts()


def test_front_page_counts_methods_and_leads_to_them(open_page, address, records):
    page = open_page(f"{address}/")
    assert page.locator(".kf-counts li").first.inner_text().split() == [str(len(records)), "methods"]
    page.get_by_role("link", name="Browse the methods").click()
    expect(page).to_have_url(f"{address}/methods/")
    expect(page.locator(VISIBLE)).to_have_count(len(records))


def test_front_page_picture_moves_unless_less_motion_is_asked_for(open_page, address):
    moving = open_page(f"{address}/")
    moving.wait_for_function("document.querySelector('video[data-kf-play]').currentTime > 0.2")
    still = open_page(f"{address}/", reduced_motion="reduce")
    still.wait_for_timeout(600)
    assert still.evaluate("document.querySelector('video[data-kf-play]').paused")


def test_a_fact_shows_its_source_on_focus_and_hides_it_on_escape(open_page, address):
    page = open_page(f"{address}/methods/nuwa_xl/")
    mark = page.locator(".kf-src").first
    text = mark.locator(".kf-src-text")
    assert not text.is_visible()
    mark.focus()
    assert text.is_visible() and "Source:" in text.inner_text()
    box = text.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 1280
    page.keyboard.press("Escape")
    assert not text.is_visible()
    mark.hover()
    assert text.is_visible()


@pytest.mark.parametrize("question", ["NUWA-XL", "2303.12346"])
@pytest.mark.parametrize("place", ["served", "disk"])
def test_site_search_finds_nuwa_xl(open_page, address, site, question, place):
    page = open_page(f"{address}/query/" if place == "served" else (site / "query" / "index.html").as_uri())
    page.locator(".md-search__input").click()
    page.locator(".md-search__input").press_sequentially(question)
    first = page.locator(".md-search-result__item a").first
    first.wait_for()
    assert "methods/nuwa_xl/" in first.get_attribute("href")
    first.click()
    expect(page).to_have_url(re.compile("methods/nuwa_xl/"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("NUWA-XL")


def test_from_disk_links_lead_to_pages(open_page, site):
    page = open_page((site / "index.html").as_uri())
    page.get_by_role("link", name="Methods", exact=True).first.click()
    expect(page).to_have_url(re.compile("/methods/index.html$"))
    page.get_by_label("Search the methods").fill("fdm")
    page.locator("#kf-methods").get_by_role("link", name="FDM", exact=True).click()
    expect(page).to_have_url(re.compile("/methods/fdm/index.html$"))
    page.get_by_role("link", name="The executed notebook").first.click()
    expect(page.locator(".kf-runbox")).to_be_visible()
    page.get_by_role("link", name="Home", exact=True).first.click()
    expect(page.locator(".kf-hero")).to_be_visible()


def test_notebook_page_says_where_it_comes_from_and_its_video_plays(open_page, address, site):
    page = open_page(f"{address}/notebooks/fdm/")
    box = page.locator(".kf-runbox")
    assert re.search(r"Frozen result|Fresh run", box.inner_text()) and "toy" in box.inner_text()
    assert page.locator(".kf-verdict").count() > 0 and page.locator("math").count() > 0
    video = page.locator(".md-content video").first
    video.scroll_into_view_if_needed()
    assert video.evaluate("v => v.paused && v.controls && Boolean(v.poster)")
    video.evaluate("v => { v.muted = true; return v.play() }")
    page.wait_for_function("document.querySelector('.md-content video').currentTime > 0.3")
    video.evaluate("v => { v.pause(); v.currentTime = v.duration / 2 }")
    page.wait_for_function("(v => !v.seeking && v.currentTime > 0.4)(document.querySelector('.md-content video'))")
    with page.expect_download() as got:
        box.get_by_role("link", name="Executed notebook").click()
    assert got.value.path().read_bytes() == (site / "notebooks" / "fdm" / "fdm.ipynb").read_bytes()


def test_code_page_lists_the_deviations(open_page, address):
    page = open_page(f"{address}/methods/fdm/")
    page.get_by_role("link", name="The code, line by line").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("the code")
    assert page.locator(".kf-wrap tbody tr").count() >= 5
    expect(page.locator(".highlight").last).to_contain_text("class FDM")


def test_colours_follow_the_system_and_can_be_chosen(open_page, address):
    dark = open_page(f"{address}/", color_scheme="dark")
    light = open_page(f"{address}/", color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert dark.evaluate(ground) != light.evaluate(ground)
    light.locator("label[for=__palette_1]:visible, label[for=__palette_2]:visible").first.click()
    light.locator("label[for=__palette_2]:visible").first.click()
    assert light.evaluate(ground) == dark.evaluate(ground)
    light.reload()
    assert light.evaluate(ground) == dark.evaluate(ground)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_scrolls_sideways_on_a_phone(open_page, address, path, scheme):
    page = open_page(f"{address}/{path}", color_scheme=scheme, **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
