"""Methods side by side: the command and the pages mark the same rows; ready comparisons cover the families."""

import json
import re
from html import unescape

import pytest

from kiloframe.comparison import compare as rows_of
from kiloframe.comparison import differ
from kiloframe.web import compare
from kiloframe.web.verdicts import judged


@pytest.fixture(scope="module")
def claims(cat):
    from kiloframe.sources import latest_result

    return {slug: judged(method, latest_result(slug)) for slug, method in cat.methods.items()}


@pytest.fixture(scope="module")
def written(cat, claims, tmp_path_factory):
    out = tmp_path_factory.mktemp("docs")
    return out, compare.write(cat, claims, out)


def test_unknown_differs_from_nothing():
    assert not differ([None, "a", [], ""]) and not differ(["a", "a"]) and not differ([1])
    assert differ(["a", None, "b"]) and differ([["a"], ["a", "b"]])


def test_families_have_two_to_six_methods_of_one_kind_and_leave_no_pair_out(cat):
    found = compare.families(cat.methods)
    assert len({family.slug for family in found}) == len(found) > 10
    covered = set()
    for family in found:
        assert 2 <= len(family.methods) <= compare.MOST
        dates = [cat.methods[slug].first_public for slug in family.methods]
        assert dates == sorted(dates)
        if not family.slug.startswith("reproduced"):
            one = [(m.paradigm.editors.value, m.generator.editors.value) for m in map(cat.methods.get, family.methods)]
            assert len({paradigm for paradigm, _ in one}) == 1 and set.intersection(*(set(made) for _, made in one))
            covered |= {(one[0][0], made) for _, generators in one for made in generators}
    for method in cat.methods.values():
        for made in method.generator.editors.value:
            key = (method.paradigm.editors.value, made)
            alike = [
                m
                for m in cat.methods.values()
                if m.paradigm.editors.value == key[0] and made in m.generator.editors.value
            ]
            assert key in covered or len(alike) == 1
    reproduced = [slug for family in found if family.slug.startswith("reproduced") for slug in family.methods]
    assert sorted(reproduced) == list(cat.methods.where(reproduction=True))


def test_pages_mark_the_rows_that_the_command_marks(cat, written):
    family = next(family for family in compare.families(cat.methods) if len(family.methods) > 2)
    marked = {row.field: row.differs for row in rows_of([cat.methods[slug] for slug in family.methods])}
    page = (written[0] / "compare" / family.slug / "index.md").read_text("utf-8")
    for field in compare.FIELDS:
        row = re.search(rf'<tr([^>]*)><th scope="row">{field.title}( <span class="kf-mark">)?', page)
        expected = any(marked[name] for name in field.of)
        assert (bool(row[2]), "kf-row-differs" in row[1]) == (expected, expected), field.key
    command = "kiloframe compare " + " ".join(family.methods)
    assert command in unescape(page)


def test_the_data_of_the_page_holds_every_method_with_sources(cat, written):
    text = (written[0] / "assets" / "compare-data.js").read_text("utf-8")
    data = json.loads(text.removeprefix("window.kfCompare = ").removesuffix(";\n"))
    assert list(data["methods"]) == list(cat.methods) and data["most"] == compare.MOST
    at = [key for key, _ in data["fields"]].index("shown")
    html, keys = data["methods"]["nuwa_xl"]["cells"][at]
    assert "1024 frames" in html and unescape(html).count(cat.methods["nuwa_xl"].longest_shown.locator) == 1
    assert keys == ["1024", "", ""]
    for known in data["methods"].values():
        assert [len(cell[1]) for cell in known["cells"]] == [len(field.of) for field in compare.FIELDS]


def test_links_of_a_family_lead_one_folder_further_up(written):
    for path in written[1][1:-1]:
        text = path.read_text("utf-8")
        links = re.findall(r'href="([^"#?]*)', text)
        assert (
            len(links) > 10
            and text.count("href=") == len(links)
            and all(link.startswith(("../../", "../index.html", "https://")) for link in links)
        ), path
