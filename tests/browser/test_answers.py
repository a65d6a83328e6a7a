"""Compare, choose, claims and the level field, as a person uses them."""

import json
import re

import pytest
from playwright.sync_api import expect

from kiloframe.lengths import longest
from kiloframe.web.compare import FIELDS, families

COLUMNS = ".kf-compare thead th a"


def marked(page):
    """The titles of the rows that are marked as differing."""
    return page.eval_on_selector_all(
        ".kf-compare tr:has(.kf-mark) > th", "heads => heads.map((head) => head.firstChild.textContent.trim())"
    )


# --- compare ----------------------------------------------------------------------------------------------------------


def test_the_comparison_marks_what_the_command_marks(open_page, address, kf):
    page = open_page(f"{address}/compare/?methods=fdm,NUWA-XL,tats")
    expect(page.locator(COLUMNS)).to_have_text(["FDM", "NUWA-XL", "TATS"])
    code, out, _ = kf("compare", "fdm", "nuwa_xl", "tats", "--format", "json")
    differs = {row["field"]: row["differs"] for row in json.loads(out)}
    expected = [field.title for field in FIELDS if any(differs[name] for name in field.of)]
    assert code == 0 and marked(page) == expected and len(expected) < len(FIELDS)
    assert page.locator(".kf-same code").inner_text() == "kiloframe compare fdm nuwa_xl tats"
    page.get_by_label("Only what differs").check()
    assert page.locator(".kf-compare tbody tr").count() == len(expected)
    assert page.locator(".kf-same code").inner_text().endswith("--differences")
    expect(page).to_have_url(re.compile(r"methods=fdm,nuwa_xl,tats&differences=1$"))
    again = open_page(page.url)
    assert again.locator(".kf-compare tbody tr").count() == len(expected)


def test_methods_are_added_and_removed_and_values_show_their_sources(open_page, address, cat):
    page = open_page(f"{address}/compare/")
    for slug in ("phenaki", "sora"):
        page.get_by_label("Add a method").select_option(slug)
    expect(page).to_have_url(f"{address}/compare/?methods=phenaki,sora")
    mark = page.locator(".kf-compare tr:has(th:text('Longest shown')) .kf-src").first
    mark.focus()
    expect(mark.locator(".kf-src-text")).to_contain_text(cat.methods["phenaki"].longest_shown.locator)
    page.get_by_role("button", name="Remove Phenaki").click()
    expect(page.locator(COLUMNS)).to_have_text(["Sora"])
    page.locator(COLUMNS).click()
    expect(page).to_have_url(f"{address}/methods/sora/")


def test_six_are_the_most_and_what_is_no_method_is_ignored(open_page, address):
    page = open_page(f"{address}/compare/?methods=fdm,nobody,%3Cb%3E,tats,nuwa_xl,phenaki,pvdm,stylegan_v,digan")
    assert page.locator(COLUMNS).count() == 6
    expect(page.get_by_label("Add a method")).to_be_disabled()


def test_without_javascript_there_are_ready_comparisons_and_the_command(open_page, address, cat):
    page = open_page(f"{address}/compare/", java_script_enabled=False)
    assert "kiloframe compare fdm nuwa_xl" in page.locator("pre").first.inner_text()
    family = families(cat.methods)[0]
    page.get_by_role("link", name=family.title, exact=True).click()
    expect(page.locator(COLUMNS)).to_have_count(len(family.methods))
    assert marked(page)


def test_the_comparison_works_from_disk(open_page, site):
    page = open_page(f"{(site / 'compare' / 'index.html').as_uri()}?methods=fdm,tats")
    expect(page.locator(COLUMNS)).to_have_text(["FDM", "TATS"])
    page.locator(COLUMNS).first.click()
    expect(page).to_have_url(re.compile("/methods/fdm/index.html$"))


# --- choose -----------------------------------------------------------------------------------------------------------


def listed(page, key):
    """The slugs in one list of the answer, all of them."""
    if page.locator(f"#kf-{key}").count() == 0:
        return []
    more = page.locator(f"#kf-{key} ~ button").first
    cards = f"#kf-{key} ~ .kf-fits"
    if page.locator(f"#kf-{key} + p + .kf-fits + button").count():
        more = page.locator(f"#kf-{key} + p + .kf-fits + button")
        more.click()
    return page.locator(cards).first.locator(".kf-fit").evaluate_all("all => all.map((one) => one.dataset.slug)")


def test_the_short_list_is_what_the_facts_say(open_page, address, cat, kf):
    page = open_page(f"{address}/choose/")
    assert page.locator(".kf-fit").count() == 0
    page.get_by_label("At least this long").fill("300")
    page.get_by_label("Steered by").select_option("text")
    page.get_by_label("Code of the authors").select_option("full,partial")
    expect(page).to_have_url(re.compile(r"control=text&code=full,partial&min_frames=300&shown=1$"))
    fit = cat.methods.where(control="text", code=["full", "partial"], min_frames=300, shown=True)
    assert sorted(listed(page, "fit")) == sorted(fit)

    def frames(method):
        return longest(method, shown=True).frames

    may = {
        m.slug
        for m in cat.methods.values()
        if "text" in m.control_signals
        and m.slug not in fit
        and m.code_status.value in ("full", "partial", "unknown")
        and (frames(m) is None or frames(m) >= 300)
    }
    assert set(listed(page, "may")) == may and may
    command = page.locator(".kf-same code").inner_text()
    code, out, _ = kf(*command.split()[1:], "--format", "json")
    assert code == 0 and [record["slug"] for record in json.loads(out)] == list(fit)
    total = f"{len(fit)} fit, {len(may)} may fit, {len(cat.methods) - len(fit) - len(may)} do not."
    expect(page.locator("#kf-choose .kf-count")).to_have_text(total)
    again = open_page(page.url)
    assert sorted(listed(again, "fit")) == sorted(fit)


def test_reasons_quote_the_facts_with_their_sources_and_own_up_to_the_unknown(open_page, address, cat):
    page = open_page(f"{address}/choose/?min_seconds=60&shown=1")
    card = page.locator("[data-slug=sora].kf-fit")
    expect(card.locator(".kf-reason-yes")).to_contain_text("Shows up to 60 s")
    assert cat.methods["sora"].longest_shown.locator in card.locator(".kf-src-text").first.text_content()
    listed(page, "may")
    unknown = page.locator("[data-slug=nuwa_xl].kf-fit .kf-reason-unknown")
    expect(unknown).to_contain_text("Its length in seconds is not known: no frame rate is.")
    expect(page.locator("#kf-choose .kf-note")).to_contain_text("show less than 60 seconds")
    page.get_by_role("link", name="those that fit in the table of methods").click()
    expect(page).to_have_url(f"{address}/methods/?min_seconds=60&shown=1")
    page.locator(".kf-explorer").wait_for()
    expect(page.locator("#kf-methods tbody tr:not([hidden])")).to_have_count(
        len(cat.methods.where(min_seconds=60, shown=True))
    )


def test_a_laptop_asks_for_a_reproduction_and_ready_cases_are_answered(open_page, address, cat):
    page = open_page(f"{address}/choose/")
    page.get_by_label("It must run on").select_option("laptop")
    assert sorted(listed(page, "fit")) == sorted(cat.methods.where(reproduction=True))
    page.get_by_role("link", name="A minute or more").click()
    expect(page).to_have_url(f"{address}/choose/?min_seconds=60&shown=1")
    expect(page.get_by_label("Unit of the length")).to_have_value("seconds")
    assert sorted(listed(page, "fit")) == sorted(cat.methods.where(min_seconds=60, shown=True))


def test_without_javascript_ready_cases_name_methods_and_commands(open_page, address):
    page = open_page(f"{address}/choose/", java_script_enabled=False)
    case = page.locator(".kf-cases li").first
    assert "kiloframe list --control text --min-frames 1001 --shown" in case.inner_text()
    assert case.get_by_role("link", name="NUWA-XL").is_visible()
    assert page.locator("#kf-choose-facts tbody tr").count() == 51


# --- claims -----------------------------------------------------------------------------------------------------------

SHOWN = ".kf-claimlist .kf-claim:not([hidden])"


@pytest.fixture(scope="module")
def verdicts(site):
    """(slug, claim id, verdict) of every claim that a run on the site judged."""
    files = sorted((site / "api" / "v1" / "results").glob("*.json"))
    runs = [json.loads(file.read_text("utf-8"))["record"] for file in files]
    return [(run["slug"], claim["id"], claim["verdict"]) for run in runs for claim in run.get("claims", [])]


def test_claims_are_filtered_by_verdict_method_and_paradigm(open_page, address, records, verdicts):
    page = open_page(f"{address}/claims/")
    everything = page.locator(SHOWN).count()
    assert everything > sum(len(record["claims"]) for record in records.values())
    page.get_by_role("button", name=re.compile(r"\bheld$")).first.click()
    expect(page).to_have_url(f"{address}/claims/?verdict=held")
    held = [slug for slug, _, verdict in verdicts if verdict == "held"]
    assert page.locator(SHOWN).count() == len(held) > 0
    page.get_by_label("Method").select_option(held[0])
    assert page.locator(SHOWN).count() == held.count(held[0])
    again = open_page(page.url)
    assert again.locator(SHOWN).count() == held.count(held[0])
    again.get_by_role("button", name="Clear all").click()
    again.get_by_label("Paradigm").select_option("divide-and-conquer")
    expected = [r for r in records.values() if r["paradigm"]["editors"]["value"] in ("divide-and-conquer", "both")]
    assert again.locator(SHOWN).count() == sum(len(record["claims"]) for record in expected)
    again.get_by_label("Search the claims").fill("no such claim")
    expect(again.get_by_role("status").filter(has_text="None of")).to_be_visible()


def test_a_claim_leads_to_the_cell_that_produced_it(open_page, address, verdicts):
    slug, id, verdict = next(entry for entry in verdicts if entry[0] == "fdm")
    page = open_page(f"{address}/claims/#claim-{slug}-{id}")
    claim = page.locator(f"[id='claim-{slug}-{id}']")
    expect(claim).to_be_in_viewport()
    expect(claim.locator(".kf-verdict")).to_contain_text(verdict)
    claim.get_by_text("Numbers, rule and test").click()
    expect(claim.get_by_role("cell").first).to_be_visible()
    link = claim.get_by_role("link", name="The cell of the notebook")
    if link.count() == 0:  # a checkout without results shows a made-up run, whose notebook judges nothing
        return
    link.click()
    expect(page).to_have_url(re.compile(rf"/notebooks/{slug}/#cell-\d+$"))
    page.wait_for_load_state()
    cell = page.url.partition("#")[2]
    expect(page.locator(f"p:has(> [id='{cell}']) + .highlight")).to_contain_text(id)


def test_without_javascript_every_claim_is_there(open_page, address):
    page = open_page(f"{address}/claims/", java_script_enabled=False)
    assert page.locator(SHOWN).count() > 150 and page.locator(".kf-explorer").count() == 0


# --- the level field --------------------------------------------------------------------------------------------------


def test_the_level_field_shows_a_result_or_says_what_to_type(open_page, address, site):
    page = open_page(f"{address}/level-field/")
    if (site / "api" / "v1" / "results" / "level_field.json").is_file():
        assert page.locator(".kf-lines svg[role=img]").count() > 3
    else:
        expect(page.locator(".kf-empty")).to_contain_text("make level-field")
    assert page.locator(".kf-claim").count() == 5
