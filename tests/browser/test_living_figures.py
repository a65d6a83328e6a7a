"""The survey's figures in a browser: what a reader points at, sets and steps through; and the port of the schedules."""

import random
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from kiloframe.web.figures import paradigms
from reproductions.parts.schedules import NAMES, schedule

ROOT = Path(__file__).resolve().parents[2]
PHONE = {"viewport": {"width": 390, "height": 844}}
SHOWN = "#kf-lengths li:visible"


@pytest.fixture
def ported(chromium):
    """What docs/assets/schedules.js answers, on an empty page."""
    page = chromium.new_page()
    page.add_script_tag(path=ROOT / "docs" / "assets" / "schedules.js")
    yield lambda code, argument: page.evaluate(f"({code})", argument)
    page.close()


def test_the_schedules_in_the_browser_are_those_of_the_reproductions(ported):
    draw = random.Random(5)
    cases, expected = [], []
    for _ in range(400):
        window = draw.randint(2, 20)
        frames = draw.randint(1, 140)
        sizes = {"window": window, "new": draw.randint(1, window - 1), "horizon": draw.randint(2 * window, 90)}
        case = (draw.choice(NAMES), frames, draw.choice([0, draw.randint(0, frames)]))
        steps = list(schedule(*case, **sizes))
        cases.append([*case, sizes["window"], sizes["new"], sizes["horizon"]])
        expected.append([[list(step.observed), list(step.latent)] for step in steps])
    code = """cases => cases.map(([name, frames, observed, window, fresh, horizon]) => {
        const steps = kiloframeSchedules.schedule(name, frames, {observed, window, fresh, horizon});
        return steps.map(s => [s.observed, s.latent]);
    })"""
    found = ported(code, cases)
    assert [case for case, mine, theirs in zip(cases, found, expected, strict=True) if mine != theirs] == []


def test_plans_and_their_costs_are_the_same_in_the_browser(ported):
    cases = [
        [plan.name, frames, window]
        for plan in paradigms.NAMES
        for frames in (16, 64, 130, 256)
        for window in (4, 10, 32)
    ]
    code = """cases => cases.map(([name, frames, window]) => {
        const horizon = Math.max(frames, 2 * window);
        const steps = kiloframeSchedules.schedule(name, frames, {window, fresh: window / 2, horizon});
        const { chain, span } = kiloframeSchedules;
        return [steps.map(s => [s.observed, s.latent]), chain(steps), span(steps, frames)];
    })"""
    for case, (steps, chain, span) in zip(cases, ported(code, cases), strict=True):
        mine = paradigms.plans(*case)
        assert steps == [[list(step.observed), list(step.latent)] for step in mine], case
        assert (chain, span) == (paradigms.chain(mine), paradigms.span(mine, case[1])), case


# --- Figure 1 -----------------------------------------------------------------------------------------------------


def test_lengths_are_ordered_filtered_and_told(open_page, address, records):
    page = open_page(f"{address}/survey/lengths/")
    assert page.locator(SHOWN).count() == len(records)
    page.get_by_label("Order by").select_option("name")
    names = page.locator(f"{SHOWN} > a:first-child").all_inner_texts()
    assert names == sorted(names, key=str.lower)
    page.get_by_label("Show", exact=True).select_option("divide-and-conquer")
    fits = sum(r["paradigm"]["editors"]["value"] in ("divide-and-conquer", "both") for r in records.values())
    assert page.locator(SHOWN).count() == fits
    page.get_by_label("only those the survey names").check()
    assert 0 < page.locator(SHOWN).count() < fits
    row = page.locator(SHOWN).filter(has_text="NUWA-XL")
    row.locator("a").first.focus()
    expect(page.locator(".kf-told")).to_contain_text(records["nuwa_xl"]["long_video_definition"]["locator"])
    assert row.locator("a").last.get_attribute("href") == records["nuwa_xl"]["urls"]["paper"]
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/methods/nuwa_xl/(index.html)?#long$"))


def test_a_click_beside_the_name_leads_to_the_method_too(open_page, address):
    page = open_page(f"{address}/survey/lengths/")
    page.locator("#kf-lengths li").filter(has_text="NUWA-XL").locator(".kf-track").first.click(force=True)
    expect(page).to_have_url(re.compile("/methods/nuwa_xl/"))


# --- Figure 2 -----------------------------------------------------------------------------------------------------


def test_the_timeline_shows_what_a_method_is_related_to(open_page, address):
    page = open_page(f"{address}/survey/timeline/")
    assert page.locator(".kf-edge.kf-on").count() == 0
    page.locator("#kf-timeline li[data-slug=stylesv] a").focus()
    on = page.locator(".kf-edge.kf-on")
    assert on.count() > 1 and page.locator(".kf-edge-built.kf-on[data-from=stylegan_v][data-to=stylesv]").count() == 1
    expect(page.locator(".kf-told")).to_contain_text("Built on StyleGAN-V")
    mark = page.locator("#kf-timeline li[data-slug=stylesv] .kf-gen").bounding_box()
    line = page.locator("[data-from=stylegan_v][data-to=stylesv]").first.bounding_box()
    assert abs(line["y"] + line["height"] - (mark["y"] + mark["height"] / 2)) < 6  # the line ends at the mark
    page.get_by_label("draw every related pair").check()
    assert page.locator("#kf-timeline.kf-all").count() == 1


# --- Figure 3 -----------------------------------------------------------------------------------------------------


def numbers(page, panel):
    return page.locator(".kf-player-panel").nth(panel).locator(".kf-player-numbers dd").all_inner_texts()


def slide(page, label, value):
    """As with the keyboard or the pointer: the slider's value changes and it says so."""
    page.get_by_role("slider", name=label).evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }", value
    )


@pytest.mark.parametrize("place", ["served", "disk"])
def test_the_paradigms_are_stepped_and_resized(open_page, address, site, place):
    url = f"{address}/survey/paradigms/" if place == "served" else (site / "survey/paradigms/index.html").as_uri()
    page = open_page(url, reduced_motion="reduce")
    page.wait_for_timeout(800)
    said = page.locator(".kf-player-said").first
    expect(said).to_contain_text("Nothing is made yet")  # less motion: it waits
    assert page.get_by_role("button", name="Step back").is_disabled()
    page.get_by_role("button", name="Step", exact=True).press("Enter")
    expect(said).to_contain_text("Call 1 of 15 makes frames 0 to 15")
    for length, clip in ((128, 16), (256, 8), (64, 32)):
        slide(page, "Length", str(length))
        slide(page, "Clip", str(clip))
        for panel, name in enumerate(("autoregressive", "tree")):
            spent = paradigms.cost(name, length, clip)
            assert numbers(page, panel)[:3] == [str(spent.calls), str(spent.chain), f"{spent.span} frames"]
    page.locator(".kf-player-panel select").first.select_option("hierarchy-2")
    assert numbers(page, 0)[0] == str(paradigms.cost("hierarchy-2", 64, 32).calls)
    page.get_by_role("button", name="To the end").click()
    assert numbers(page, 0)[3] == numbers(page, 1)[3] == "64 of 64"


def test_calls_that_need_not_wait_run_at_once(open_page, address):
    page = open_page(f"{address}/survey/paradigms/", reduced_motion="reduce")
    page.get_by_label("run what need not wait at once").check()
    for _ in range(paradigms.cost("tree", 128, 16).chain):
        page.get_by_role("button", name="Step", exact=True).click()
    assert numbers(page, 1)[3] == "128 of 128" and numbers(page, 0)[3] == "24 of 128"


def test_the_paradigms_play_and_pause(open_page, address):
    page = open_page(f"{address}/survey/paradigms/")
    expect(page.locator(".kf-player-said").first).to_contain_text("Call 2 of", timeout=15000)
    page.get_by_role("button", name="Pause").click()
    before = page.locator(".kf-player-said").first.inner_text()
    page.wait_for_timeout(1500)
    assert page.locator(".kf-player-said").first.inner_text() == before


# --- without JavaScript, and on a phone -----------------------------------------------------------------------------


def test_without_javascript_the_figures_are_complete(open_page, address, records):
    page = open_page(f"{address}/survey/paradigms/", java_script_enabled=False)
    assert not page.locator("#kf-paradigms").is_visible()
    assert page.locator(".kf-still svg:visible").count() == len(paradigms.NAMES)
    assert page.locator("[aria-label^='Calls by schedule'] tbody tr").count() > 15
    page = open_page(f"{address}/survey/lengths/", java_script_enabled=False)
    assert page.locator("#kf-lengths li:visible").count() == len(records)
    page = open_page(f"{address}/survey/timeline/", java_script_enabled=False)
    assert page.locator("#kf-timeline li a:visible").count() == len(records)


@pytest.mark.parametrize("path", ["survey/timeline/", "survey/paradigms/", "survey/tables/", "survey/disagreements/"])
def test_no_figure_scrolls_sideways_on_a_phone(open_page, address, path):
    page = open_page(f"{address}/{path}", **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


# --- front page ---------------------------------------------------------------------------------------------------


def test_the_front_page_says_what_it_is_and_opens_four_doors(open_page, address):
    page = open_page(f"{address}/")
    assert page.locator(".kf-hero-lead").inner_text().startswith("kiloframe holds the 51 methods")
    codes = page.locator(".kf-commands code").all_inner_texts()
    assert "make demo" in codes[0] and "kiloframe list" in codes[-1]
    doors = page.locator(".kf-gates a strong").all_inner_texts()
    assert [door.split()[0] for door in doors] == ["Browse", "Query", "Run", "Teach"]
    for name in ("Who calls what long", "The two paradigms"):
        page.locator(".kf-alive a").filter(has_text=name).click()
        expect(page).to_have_url(re.compile("/survey/"))
        page.go_back()


def test_the_film_has_a_poster_names_and_numbers(open_page, address):
    page = open_page(f"{address}/", reduced_motion="reduce")
    video = page.locator(".kf-moving video")
    assert video.get_attribute("poster") and video.evaluate("v => v.muted && v.controls && v.paused")
    names, values = page.locator(".kf-moving-names > div"), page.locator(".kf-moving-numbers b")
    if names.count():  # checkouts without results show another film
        assert names.count() == values.count() >= 3
        assert "Over" in page.locator(".kf-moving figcaption").inner_text()
