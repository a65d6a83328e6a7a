"""No barriers that axe can find: every type of page, in both colour schemes, at two widths, in a real Chromium."""

from pathlib import Path

import axe_playwright_python
import pytest

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text("utf-8")
PAGES = [
    "", "404.html", "methods/", "methods/fdm/", "methods/sora/", "compare/?methods=fdm,nuwa_xl,tats", "choose/",
    "claims/", "level-field/", "datasets/", "datasets/ucf_101/", "metrics/fvd/", "survey/", "survey/lengths/",
    "survey/timeline/", "survey/paradigms/", "survey/tables/", "survey/disagreements/", "reproductions/",
    "reproductions/fdm/", "notebooks/fdm/", "query/", "api/json/", "reference/kiloframe/",
]  # fmt: skip
# One kind of row, code block or card is like the next: enough of them stay to be looked at.
TRIM = """() => {
    const keep = (items, many) => [...items].slice(many).forEach((item) => item.remove());
    for (const rows of document.querySelectorAll("tbody")) keep(rows.rows, 12);
    keep(document.querySelectorAll(".highlight"), 4);
    keep(document.querySelectorAll(".highlight span[id^='__span-']"), 60);
    for (const list of document.querySelectorAll(".md-nav__list")) keep(list.children, 12);
    for (const list of document.querySelectorAll(".kf-claimlist, .kf-claims")) keep(list.children, 8);
}"""
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
ALL = {"runOnly": {"type": "tag", "values": LEVELS}, "resultTypes": ["violations"]}
COLOURS = {
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
    "resultTypes": ["violations"],
}
FIND = """async (options) => (await axe.run(document, options)).violations
    .filter(({impact}) => impact === "serious" || impact === "critical")
    .flatMap(({id, nodes}) => nodes.map((node) => `${id}: ${node.target.join(" ")} ${node.failureSummary}`))"""


@pytest.fixture(scope="module")
def looked_at(chromium, address):
    """A page that is opened once per test and then shown in other colours and widths."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("path", PAGES)
def test_no_page_type_has_barriers(looked_at, address, path):
    page = looked_at
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{address}/{path}")
    page.evaluate(TRIM)
    page.evaluate(AXE)
    found = {}
    for width, scheme, rules in (
        (1280, "light", ALL),
        (1280, "dark", COLOURS),
        (390, "dark", ALL),
        (390, "light", COLOURS),
    ):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        shown = {"light": "default", "dark": "slate"}[scheme]
        page.wait_for_function("scheme => document.body.dataset.mdColorScheme === scheme", arg=shown)
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        found[width, scheme] = page.evaluate(FIND, rules)
    assert found == {shown: [] for shown in found}


def test_axe_finds_what_is_there(looked_at, address):
    """The test above would notice: a page with a barrier of each kind is not passed."""
    looked_at.goto(f"{address}/about/")
    looked_at.evaluate("""() => {
        document.querySelector(".md-content h2").insertAdjacentHTML("afterend",
            '<p style="color: #bbb; background: #fff">pale</p><img src="../assets/logo.svg"><button></button>')
    }""")
    looked_at.evaluate(AXE)
    text = "\n".join(looked_at.evaluate(FIND, ALL))
    assert all(rule in text for rule in ("color-contrast", "image-alt", "button-name"))
