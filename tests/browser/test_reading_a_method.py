"""A method's page, read, heard, printed and walked through as a person would."""

import re

import pytest
from playwright.sync_api import expect

PHONE = {"viewport": {"width": 390, "height": 844}}


def test_a_claim_leads_to_the_cell_that_judged_it(open_page, address):
    page = open_page(f"{address}/methods/fdm/")
    claim = page.locator(".kf-claim").filter(has=page.locator(".kf-verdict-held")).first
    id = claim.get_attribute("id").removeprefix("claim-")
    assert re.search(r"held\b", claim.locator(".kf-verdict").inner_text()) and claim.locator("td.kf-num").count() >= 6
    claim.get_by_role("link", name="The cell of the notebook").click()
    expect(page).to_have_url(re.compile(r"/notebooks/fdm/#cell-\d+$"))
    cell = page.locator(page.evaluate("location.hash")).locator("xpath=following::code[1]")
    expect(cell).to_be_in_viewport()
    assert id in cell.inner_text()


def test_the_film_waits_and_plays(open_page, address):
    page = open_page(f"{address}/methods/fdm/", reduced_motion="reduce")
    film = page.locator(".kf-media video")
    film.scroll_into_view_if_needed()
    assert film.evaluate("v => v.paused && v.controls && Boolean(v.poster) && v.readyState === 0")
    film.focus()
    page.keyboard.press("Space")
    page.wait_for_function("document.querySelector('.kf-media video').currentTime > 0.3")


def test_the_citation_can_be_copied(open_page, address):
    page = open_page(f"{address}/methods/nuwa_xl/", permissions=["clipboard-read", "clipboard-write"])
    block = page.locator("#cite ~ .highlight").first
    block.hover()
    block.locator(".md-clipboard, .md-code__button").first.click()
    page.wait_for_function("navigator.clipboard.readText().then((text) => text.startsWith('@'))")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == block.locator("code").inner_text().strip() and "2303.12346" in copied


def test_the_text_of_a_source_can_be_pointed_at_and_names_the_field(open_page, address):
    page = open_page(f"{address}/methods/nuwa_xl/")
    mark = page.locator("#long ~ div .kf-src").first
    text = mark.locator(".kf-src-text")
    mark.hover()
    expect(text).to_be_visible()
    assert "Field: long_video_definition" in text.inner_text()
    box, at = text.bounding_box(), mark.bounding_box()
    steps = 12  # slowly from the mark into its text, which must not vanish on the way
    for n in range(steps + 1):
        x = at["x"] + at["width"] / 2
        y = at["y"] + at["height"] / 2 + (box["y"] + box["height"] / 2 - at["y"] - at["height"] / 2) * n / steps
        page.mouse.move(x, y)
        assert text.is_visible(), n
    page.mouse.move(5, 5)
    expect(text).not_to_be_visible()


def test_touching_a_mark_shows_its_source_within_the_screen(open_page, address):
    page = open_page(f"{address}/methods/nuwa_xl/", has_touch=True, **PHONE)
    mark = page.locator("#results ~ .kf-wrap .kf-src").first
    mark.scroll_into_view_if_needed()
    mark.tap()
    text = mark.locator(".kf-src-text")
    expect(text).to_be_visible()
    box = text.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and "Source:" in text.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_paper_sources_stand_beside_values_in_dark_ink(open_page, address, scheme):
    page = open_page(f"{address}/methods/fdm/", color_scheme=scheme)
    page.locator(".kf-deviations summary").click()
    assert not page.locator(".kf-deviations td").first.is_visible()
    page.emulate_media(media="print", color_scheme=scheme)
    expect(page.locator("#long ~ div .kf-src-text").first).to_be_visible()
    expect(page.locator(".kf-deviations td").first).to_be_visible()
    for hidden in (".md-header", ".md-tabs", ".md-sidebar--primary", ".kf-jump", ".kf-src-mark", ".md-footer"):
        assert not page.locator(hidden).first.is_visible(), hidden
    ink = page.evaluate("getComputedStyle(document.querySelector('.kf-idea')).color")
    assert max(map(int, re.findall(r"\d+", ink)[:3])) < 90
    assert page.evaluate(
        "document.querySelector('.kf-wrap').scrollWidth <= document.querySelector('.md-content').clientWidth"
    )
    assert page.pdf(format="A4")[:4] == b"%PDF"


def test_the_page_reads_in_full_without_javascript(open_page, address, records):
    page = open_page(f"{address}/methods/sora/", java_script_enabled=False)
    for id in ("what", "why", "how", "long", "results", "claims", "reproduction", "cite", "related", "sources"):
        assert page.locator(f"#{id}").is_visible()
    assert "No reproduction yet." in page.locator(".kf-empty").inner_text()
    assert page.locator(".kf-claim").count() == len(records["sora"]["claims"])
    mark = page.locator(".kf-src").first
    mark.focus()
    assert mark.locator(".kf-src-text").is_visible()


def test_the_page_can_be_walked_with_the_keyboard_and_focus_is_seen(open_page, address):
    page = open_page(f"{address}/methods/fdm/", **PHONE)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className").startswith("md-skip")
    page.keyboard.press("Enter")
    seen, unseen = set(), []
    for _ in range(60):
        page.keyboard.press("Tab")
        tag, kind, outline = page.evaluate(
            "(at => [at.tagName, at.className, getComputedStyle(at).outlineStyle])(document.activeElement)"
        )
        seen |= {tag, *kind.split()}
        if outline == "none":
            unseen.append((tag, kind))
    assert {"A", "kf-src", "kf-wrap"} <= seen and unseen == []


def test_jumps_and_neighbours_lead_on(open_page, address):
    page = open_page(f"{address}/methods/nuwa_xl/", **PHONE)
    page.locator(".kf-jump").get_by_role("link", name="Cite it").click()
    expect(page.locator("#cite")).to_be_in_viewport()
    line = page.locator(".kf-related li").filter(has_text="TATS").first
    assert "same: divide and conquer" in line.inner_text()
    line.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("TATS")
