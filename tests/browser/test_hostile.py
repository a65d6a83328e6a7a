"""Records full of text that wants to become markup, rendered whole and opened in a real Chromium: it stays text."""

import re
import shutil
from types import SimpleNamespace
from urllib.parse import quote

import msgspec
import pytest
from hostile import HOSTILE, LONG, RIGHT_TO_LEFT, poisoned
from playwright.sync_api import expect

from kiloframe.web import pages
from kiloframe.web.site import render

KEPT = (
    "methods", "methods/nuwa_xl", "methods/tats", "methods/phenaki", "methods/fdm", "datasets", "datasets/ucf_101",
    "metrics/fvd", "survey/slips", "survey/members", "survey/lengths", "survey/timeline", "survey/tables", "claims",
    "choose", "compare",
)  # fmt: skip
SHOWN = HOSTILE.replace("\u202e", "")


@pytest.fixture(scope="module")
def hostile(cat, root, tmp_path_factory):
    """A small site of hostile records: one poisoned throughout, one with an endless name, one right to left."""
    frame = tmp_path_factory.mktemp("hostile")
    rename = msgspec.structs.replace
    methods, datasets, metrics = dict(cat.methods.items()), dict(cat.datasets.items()), dict(cat.metrics.items())
    methods["nuwa_xl"] = poisoned(methods["nuwa_xl"])
    methods["tats"] = rename(methods["tats"], name=LONG, title=LONG, authors=[LONG], venue=LONG)
    methods["phenaki"] = rename(methods["phenaki"], name=RIGHT_TO_LEFT, title=RIGHT_TO_LEFT)
    datasets["ucf_101"], metrics["fvd"] = poisoned(datasets["ucf_101"]), poisoned(metrics["fvd"])
    survey = dict(cat.survey, errors=[dict(cat.survey["errors"][0], printed=HOSTILE), *cat.survey["errors"][1:]])
    false = SimpleNamespace(
        methods=methods, datasets=datasets, metrics=metrics, survey=survey, references=cat.references, root=cat.root
    )
    docs = frame / "build" / "docs"
    shutil.copytree(root / "docs" / "assets", docs / "assets")
    shutil.copytree(root / "kiloframe" / "web", frame / "kiloframe" / "web")
    pages.write_all(false, {}, docs)
    for page in docs.rglob("*.md"):
        if page.parent.relative_to(docs).as_posix() not in KEPT:
            page.unlink()
    (docs / "index.md").write_text("# Home\n")
    settings = (root / "mkdocs.yml").read_text("utf-8")  # code is not documented here, which takes most of the time
    settings = re.sub(r"  - mkdocstrings:\n(?:    .*\n)+", "", settings).replace("  - autorefs\n", "")
    (frame / "mkdocs.yml").write_text(settings, "utf-8")
    render(frame, frame / "site", strict=False)
    return frame / "site"


@pytest.fixture
def opened(chromium, hostile):
    """Opens a page of the hostile site from disk; nothing may have been called, asked for or complained about."""
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    context.add_init_script("window.kfCalled = []; window.alert = (what) => kfCalled.push(what)")
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)

    def opener(path):
        page.goto((hostile / path.partition("?")[0] / "index.html").as_uri() + path[path.find("?") :] * ("?" in path))
        return page

    yield opener
    page.wait_for_timeout(100)
    assert page.evaluate("kfCalled") == [] and complaints == []
    context.close()


@pytest.mark.parametrize("path", [*KEPT, "compare?methods=nuwa_xl,tats,phenaki", f"methods?text={quote(HOSTILE)}"])
def test_hostile_records_stay_text_and_within_the_screen(opened, path):
    page = opened(path)
    assert page.locator(".md-content :is(img[src=x], [onerror], [onclick], script)").count() == 0
    assert page.locator("a[href^='javascript:' i]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_hostile_names_show_as_they_are(opened):
    page = opened("methods/nuwa_xl")
    assert SHOWN in page.get_by_role("heading", level=1).inner_text()
    assert page.locator(".kf-idea").inner_text() == SHOWN
    assert "‹script›" in page.title()
    assert LONG in opened("methods/tats").get_by_role("heading", level=1).inner_text()
    assert RIGHT_TO_LEFT in opened("methods/phenaki").get_by_role("heading", level=1).inner_text()


def test_hostile_text_is_found_and_listed_as_text(opened):
    page = opened("methods/fdm")
    page.locator("label[for=__search]").first.click()
    page.locator(".md-search__input").press_sequentially("gnp.exe")
    first = page.locator(".md-search-result__item a").first
    first.wait_for()
    expect(page.locator(".md-search-result__list")).to_contain_text("<script>")
    assert page.locator(".md-search-result__list :is(img, script)").count() == 0
