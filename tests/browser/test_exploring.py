"""The table of methods as a person uses it: asks, shares, exports, and asks the same on the command line."""

import gzip
import json
import re
import shlex

import pytest
from playwright.sync_api import expect

VISIBLE = "#kf-methods tbody tr:not([hidden])"
# Addresses that together use every kind of filter, order and choice of columns.
QUESTIONS = [
    "paradigm=divide-and-conquer&generator=diffusion",
    "paradigm=divide-and-conquer,other&generator=gan,diffusion&by=survey",
    "min_frames=1000&shown=1&sort=-shown_frames",
    "min_seconds=4&max_seconds=600&sort=definition_seconds",
    "text=temporal+attention&sort=name",
    "text=H%C3%B6ppe+coarse-to-fine",
    "text=it's+%22quoted%22",
    "dataset=ucf_101&metric=fvd&year=2022-2023&code=full,partial&columns=name,datasets,authors,clip_frames",
    "reproduction=yes&verdict=held,not-held&sort=-year",
    "reproduction=no&control=text,image&membership=editors&sort=-code_status",
]


def names(page):
    return page.locator(f"{VISIBLE} th a").all_inner_texts()


def slugs(page):
    return page.eval_on_selector_all(VISIBLE, "rows => rows.map((row) => row.dataset.slug)")


def open_menu(page, key):
    page.locator(f"[data-facet={key}] summary").click()


def searched(page):
    """Wait until the page searches what the command searches."""
    page.wait_for_function("!new URLSearchParams(location.search).get('text') || window.kfMethodsText")


def downloaded(page, name):
    if not page.locator("[data-facet=export]").evaluate("menu => menu.open"):
        open_menu(page, "export")
    with page.expect_download() as got:
        page.get_by_role("button", name=f"Download {name}").click()
    return got.value.path().read_text("utf-8")


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_command_and_the_line_of_python_give_the_rows_of_the_page(open_page, address, kf, question):
    page = open_page(f"{address}/methods/?{question}")
    searched(page)
    shown = slugs(page)
    command, line = page.locator(".kf-same code").all_inner_texts()
    assert command.startswith("kiloframe list --")
    ask = shlex.split(command)[1:]

    def answer(*more):
        code, out, _ = kf(*ask, *more)
        assert code == 0
        return out

    assert [record["slug"] for record in json.loads(answer("--format", "json"))] == shown
    space = {}
    exec(line, space)
    assert sorted(space["methods"]) == sorted(shown)
    if not shown:
        return
    csv = downloaded(page, "CSV")
    columns = [] if "--columns" in ask else ["--columns", csv.partition("\n")[0]]
    assert csv.rstrip("\n") == answer(*columns, "--format", "csv").rstrip("\n")
    assert json.loads(downloaded(page, "JSON")) == json.loads(answer(*columns, "--format", "json"))
    assert downloaded(page, "BibTeX").rstrip("\n") == answer("--format", "bibtex").rstrip("\n")


def test_search_finds_by_name_title_author_and_arxiv_id(open_page, address):
    page = open_page(f"{address}/methods/")
    box = page.get_by_label("Search the methods")
    box.focus()
    page.wait_for_function("window.kfMethodsText")
    for question in ("nuwa xl", "NUWA-XL", "diffusion over diffusion", "Shengming Yin", "2303.12346"):
        box.fill(question)
        assert "NUWA-XL" in names(page), question
    assert names(page) == ["NUWA-XL"]
    assert page.get_by_role("status").filter(has_text="1 of").count() == 1
    expect(page).to_have_url(re.compile("text=2303.12346"))
    box.fill("zebra unicorn")
    assert page.get_by_role("status").filter(has_text="None of").count() == 1
    page.locator(".kf-resultrow .kf-reset").click()
    assert page.locator(VISIBLE).count() > 50


def test_counts_are_live_and_the_address_can_be_shared(open_page, address, cat):
    page = open_page(f"{address}/methods/")
    open_menu(page, "paradigm")
    page.get_by_label(re.compile("^divide and conquer")).check()
    assert slugs(page) == list(cat.methods.where(paradigm="divide-and-conquer"))
    open_menu(page, "dataset")
    told = dict(
        page.eval_on_selector_all(
            "[data-facet=dataset] label",
            "all => all.map((l) => [l.querySelector('input').value, l.lastChild.textContent])",
        )
    )
    for slug in ("ucf_101", "sky_timelapse", "msr_vtt"):
        assert int(told[slug]) == len(cat.methods.where(paradigm="divide-and-conquer", dataset=slug)), slug
    page.locator("[data-facet=dataset] input[value=ucf_101]").check()
    open_menu(page, "length")
    page.get_by_label("Longest video shown").check()
    page.get_by_label("frames, at least").fill("100")
    expected = list(cat.methods.where(paradigm="divide-and-conquer", dataset="ucf_101", min_frames=100, shown=True))
    assert slugs(page) == expected
    expect(page).to_have_url(re.compile(r"paradigm=divide-and-conquer&dataset=ucf_101&min_frames=100&shown=1$"))
    again = open_page(page.url)
    assert slugs(again) == expected
    again.get_by_role("button", name=re.compile("Remove the filter Data set")).click()
    assert slugs(again) == list(cat.methods.where(paradigm="divide-and-conquer", min_frames=100, shown=True))
    assert "dataset" not in again.url


def test_a_length_that_is_unknown_never_fits_and_is_counted(open_page, address, cat):
    page = open_page(f"{address}/methods/?min_frames=0&shown=1")
    fit = cat.methods.where(min_frames=0, shown=True)
    assert slugs(page) == list(fit) and "gaia_1" not in fit
    open_menu(page, "length")
    assert (
        f"Left out because unknown: {len(cat.methods) - len(fit)}." in page.locator("[data-facet=length]").inner_text()
    )


def test_headings_sort_both_ways_and_back(open_page, address):
    page = open_page(f"{address}/methods/")
    before = slugs(page)
    head = page.locator("th[data-key=shown]")
    orders = []
    for direction in ("ascending", "descending"):
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == direction
        orders.append(slugs(page))
    assert orders[0] != orders[1] and "sort=-shown_frames" in page.url
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") is None and "sort=" not in page.url and slugs(page) == before


def test_columns_can_be_chosen_and_stay_in_the_address(open_page, address):
    page = open_page(f"{address}/methods/")
    open_menu(page, "columns")
    page.get_by_role("checkbox", name="Venue").check()
    page.get_by_role("checkbox", name="Year").uncheck()
    heads = "#kf-methods thead th:visible"
    assert "Venue" in page.locator(heads).all_inner_texts() and "Year" not in page.locator(heads).all_inner_texts()
    again = open_page(page.url)
    assert again.locator(heads).all_inner_texts() == page.locator(heads).all_inner_texts()
    open_menu(again, "columns")
    again.get_by_role("button", name="The usual columns").click()
    assert "Year" in again.locator(heads).all_inner_texts() and "columns" not in again.url


def test_rows_that_are_ticked_lead_to_the_comparison(open_page, address):
    page = open_page(f"{address}/methods/?paradigm=divide-and-conquer")
    page.get_by_label("Compare NUWA-XL").check()
    expect(page.get_by_role("region", name="Methods to compare")).to_contain_text("tick one more")
    page.get_by_label("Compare FDM").check()
    expect(page).to_have_url(re.compile("picked=fdm,nuwa_xl"))
    page.get_by_role("region", name="Methods to compare").get_by_role("link", name="Compare").click()
    expect(page).to_have_url(f"{address}/compare/?methods=fdm,nuwa_xl")
    expect(page.locator(".kf-compare thead th a")).to_have_text(["FDM", "NUWA-XL"])
    page.go_back()
    expect(page.get_by_label("Compare FDM")).to_be_checked()


def test_what_is_copied_is_what_is_shown(open_page, address):
    page = open_page(f"{address}/methods/?year=2021", permissions=["clipboard-read", "clipboard-write"])
    read = "navigator.clipboard.readText()"
    page.get_by_role("button", name="Copy the command").click()
    page.wait_for_function(f"{read}.then((text) => text === 'kiloframe list --year 2021')")
    open_menu(page, "export")
    page.get_by_role("button", name="Copy BibTeX").click()
    page.wait_for_function(f"{read}.then((text) => text.startsWith('@'))")
    assert page.evaluate(read).count("\n@") + 1 == page.locator(VISIBLE).count()
    expect(page.locator(".kf-voice")).to_contain_text("methods as BibTeX")


def test_the_table_works_with_the_keyboard(open_page, address):
    page = open_page(f"{address}/methods/")
    page.locator("[data-facet=code] summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("group", name="Code", exact=True)).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page).to_have_url(re.compile("[?]code="))
    page.keyboard.press("Escape")
    expect(page.get_by_role("group", name="Code", exact=True)).not_to_be_visible()
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.locator("th[data-key=year] button").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("&sort=year"))


def test_from_disk_it_searches_filters_and_compares(open_page, site, cat):
    page = open_page(f"{(site / 'methods' / 'index.html').as_uri()}?generator=gan")
    assert slugs(page) == list(cat.methods.where(generator="gan"))
    page.get_by_label("Search the methods").fill("neural representation")
    page.wait_for_function("window.kfMethodsText")
    expect(page.locator(VISIBLE)).to_have_count(len(cat.methods.where(generator="gan", text="neural representation")))
    page.get_by_label("Search the methods").fill("")
    for tick in page.locator(f"{VISIBLE} .kf-tick").all()[:2]:
        tick.check()
    page.get_by_role("region", name="Methods to compare").get_by_role("link", name="Compare").click()
    expect(page).to_have_url(re.compile(r"^file:.*/compare/index\.html\?methods=\w+,\w+$"))
    expect(page.locator(".kf-compare thead th a")).to_have_count(2)


def test_without_javascript_the_table_is_complete(open_page, address, records):
    page = open_page(f"{address}/methods/", java_script_enabled=False)
    rows = page.locator("#kf-methods tbody tr")
    assert rows.count() == len(records) == 51
    assert rows.first.is_visible() and page.locator(".kf-explorer").count() == 0
    heads = page.locator("#kf-methods thead th")
    assert heads.count() > 20 and all(head.is_visible() for head in heads.all())
    page.locator("#kf-methods").get_by_role("link", name="NUWA-XL", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("NUWA-XL")


def test_on_a_phone_the_filters_unfold(open_page, address):
    page = open_page(f"{address}/methods/", viewport={"width": 390, "height": 844})
    menu = page.locator("[data-facet=year] summary")
    assert not menu.is_visible()
    page.get_by_role("button", name="Filters and columns").click()
    menu.click()
    page.get_by_label(re.compile("^2021")).check()
    expect(page).to_have_url(re.compile("year=2021"))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_its_own_scripts_are_light(site):
    own = ("interactive.js", "methods-query.js", "methods.js")
    assert sum(len(gzip.compress((site / "assets" / name).read_bytes(), mtime=0)) for name in own) <= 20_000
    loaded = re.findall(r'<script src="[^"]*assets/([\w-]+\.js)"', (site / "methods" / "index.html").read_text("utf-8"))
    assert set(own) <= set(loaded) and "methods.js" not in (site / "index.html").read_text("utf-8")
