"""The pages say what the facts say, show the source of each value, and lead to each other."""

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kiloframe.lengths import figure1
from kiloframe.results import ClaimResult, Result
from kiloframe.schema import Ref, ReportedResult
from kiloframe.web import pages
from kiloframe.web.datasets import beside_table1
from kiloframe.web.methods import called, disagreements, printed, shown
from kiloframe.web.slips import same_quantity, slips_of
from kiloframe.web.survey import reasons, sections
from kiloframe.web.verdicts import counts, judged


def fake_result(cat, verdicts):
    """A run of fdm with these verdicts on its first claims, its numbers made up."""
    claims = [
        ClaimResult(
            id=claim.id, verdict=verdict, measure="share recalled", subject="hierarchy-2",
            baseline_subject="autoregressive", value=0.75, baseline=0.25, values=[0.7, 0.75, 0.8],
            baseline_values=[0.2, 0.25, 0.3],
            seeds=[0, 1, 2],
            difference=0.5, low=0.4, high=0.6, rule="the interval lies above 0",
            reason="0.75 against 0.25", better="higher",
        )
        for claim, verdict in zip(cat.methods["fdm"].claims, verdicts, strict=False)
    ]  # fmt: skip
    return Result(slug="fdm", title="FDM", scale="toy", seed=0, seeds=[0, 1, 2], claims=claims, machine="2 cores")


@pytest.fixture(scope="module")
def built(cat, tmp_path_factory):
    out = tmp_path_factory.mktemp("docs")
    run = (fake_result(cat, ["held", "not held", "inconclusive"]), Path("results/fdm"), True)
    return out, pages.write_all(cat, {"fdm": run}, out)


def text_of(path):
    """The page as a reader sees it, tags removed."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", path.read_text(encoding="utf-8"))).split())


def words(text):
    return " ".join(text.split())


def test_every_record_has_its_page(built, cat):
    out, written = built
    for kind in ("methods", "datasets", "metrics"):
        for slug in getattr(cat, kind):
            assert (out / kind / slug / "index.md").is_file()
    assert all(path.is_file() for path in written.paths)
    assert [len(paths) for paths in written.nav.values()][:3] == [
        1 + len(cat.methods), 1 + len(cat.datasets), 1 + len(cat.metrics),
    ]  # fmt: skip
    assert all(paths[0].count("/") <= 2 and paths[0].endswith("index.md") for paths in written.nav.values())


def test_a_method_page_leaves_nothing_out(built, cat):
    for slug, m in cat.methods.items():
        page = text_of(built[0] / "methods" / slug / "index.md").lower()
        said = [m.title, m.distinguishing, m.representation, m.architecture, m.paradigm.editors.why]
        said += [m.long_video_definition.words, m.longest_shown.words, *m.pitfalls, *m.open_questions]
        said += [
            text for claim in m.claims for text in (claim.says, claim.toy_test, claim.number, claim.locator) if text
        ]
        said += [result.setting for result in m.results] + [result.locator for result in m.results]
        said += [use.locator for use in [*m.datasets, *m.metrics]] + [source.what for source in m.sources]
        said += [m.long_video_definition.locator, m.longest_shown.locator, *m.authors]
        missing = [text for text in said if words(text).lower() not in page]
        assert not missing, (slug, missing)


def test_data_set_and_metric_pages_leave_nothing_out(built, cat):
    for slug, d in cat.datasets.items():
        page = text_of(built[0] / "datasets" / slug / "index.md")
        said = [
            *d.pitfalls,
            *d.open_questions,
            *d.file_layout.tree,
            *d.file_layout.archives,
            d.typical_use,
            d.full_name,
        ]
        said += [protocol.metric for protocol in d.common_protocol] + [source.what for source in d.sources]
        assert not [text for text in said if words(text) not in page], slug
    for slug, metric in cat.metrics.items():
        page = text_of(built[0] / "metrics" / slug / "index.md")
        said = [*metric.known_biases, *metric.pitfalls, *[vector.case for vector in metric.test_vectors]]
        said += [str(value) for value in metric.definition.values() if isinstance(value, str)]
        assert not [text for text in said if words(text) not in page], slug


def test_a_value_carries_its_source_without_script(built, cat):
    page = (built[0] / "methods/nuwa_xl/index.md").read_text(encoding="utf-8")
    mark = re.search(
        r"<strong>1024 frames</strong> (<span class=\"kf-src kf-src-primary\" tabindex=\"0\".*?</span></span>)", page
    )
    assert mark and cat.methods["nuwa_xl"].long_video_definition.locator in unescape(mark[1])


def test_unknown_is_written_as_unknown(built):
    index = (built[0] / "methods/index.md").read_text(encoding="utf-8")
    row = re.search(r'<tr data-slug="sora".*?</tr>', index, re.S)[0]
    assert '<td><span class="kf-unknown">unknown</span></td>' in row and '<td class="kf-num">60 s</td>' in row


def test_the_table_of_methods_has_all_rows_and_columns(built, cat):
    index = (built[0] / "methods/index.md").read_text(encoding="utf-8")
    rows = re.findall(r"<tr data-slug=.*?</tr>", index, re.S)
    assert len(rows) == len(cat.methods)
    assert {row.count("<td") + row.count("<th") for row in rows} == {index.count('<th scope="col"')}


def test_verdicts_stand_with_their_numbers(built, cat):
    page = text_of(built[0] / "methods/fdm/index.md")
    for word in ("✔ held", "✘ not held", "≈ inconclusive", "0.75 against 0.25", "0.7, 0.75, 0.8", "0.4 to 0.6"):
        assert word in page
    assert "Frozen result, scale toy" in page
    tally = counts(judged(cat.methods["fdm"], (fake_result(cat, ["held"]), Path(), True)))
    assert [(state.word, count) for state, count in tally] == [
        ("held", 1),
        ("not run yet", len(cat.methods["fdm"].claims) - 1),
    ]


def test_both_readings_stand_where_they_differ(built, cat):
    gaps = {slug: disagreements(method) for slug, method in cat.methods.items()}
    assert any(gaps.values())
    overview = text_of(built[0] / "survey/disagreements/index.md")
    for slug, found in gaps.items():
        page = text_of(built[0] / "methods" / slug / "index.md")
        assert ("The survey and its sources disagree" in page) == bool(found)
        for gap in found:
            assert gap.survey_locator in page and cat.methods[slug].name in overview


def test_every_link_between_pages_leads_somewhere(built):
    out, written = built
    outside = ("notebooks/", "reproductions/", "about/", "contributing/")  # written elsewhere

    class Links(HTMLParser):
        def __init__(self):
            super().__init__()
            self.links, self.ids = [], set()

        def handle_starttag(self, tag, attrs):
            found = dict(attrs)
            self.ids |= {found["id"]} if "id" in found else set()
            self.links += [found["href"]] if tag == "a" else []

    read = {}
    for path in written.paths:
        if path.suffix == ".md":
            text = path.read_text(encoding="utf-8")
            read[path] = Links()
            read[path].feed(text)
            read[path].ids |= set(re.findall(r"^#+ .*\{ #([\w-]+) \}$", text, re.M))
    for path, page in read.items():
        for link in page.links:
            if re.match("https?://", link):
                continue
            target, _, fragment = link.partition("#")
            target = target.partition("?")[0]
            file = (path.parent / target).resolve() if target else path
            if file.relative_to(out.resolve()).as_posix().startswith(outside):
                continue
            file = file.with_suffix(".md") if file.suffix == ".html" else file
            assert file.is_file(), (path, link)
            assert not fragment or fragment in read[file].ids, (path, link)


def test_writing_twice_gives_the_same_bytes(built, cat, tmp_path):
    run = (fake_result(cat, ["held", "not held", "inconclusive"]), Path("results/fdm"), True)
    again = pages.write_all(cat, {"fdm": run}, tmp_path)
    for path in again.paths:
        assert path.read_bytes() == (built[0] / path.relative_to(tmp_path)).read_bytes()


def test_table_1_marks_what_differs(cat):
    def verdicts(slug):
        dataset = cat.datasets[slug]
        return [cell.verdict for cell in beside_table1(dataset, slips_of(cat.survey, 1, slug, dataset.name))]

    assert verdicts("ucf_101") == ["agrees", "left blank", "differs"]
    assert verdicts("bair_robot_pushing")[0] == "differs" and verdicts("acid") == []
    assert [slip["id"] for slip in slips_of(cat.survey, 2, "inception_score", "IS (video, C3D)")] == ["is-cite"]
    assert [slip["id"] for slip in slips_of(cat.survey, 2, "fvd", "FVD")] == ["fvd-key"]


def test_quantities_are_compared_as_numbers():
    assert same_quantity("10 million", "10.0M clips") and same_quantity("256x256", "256x256 after conversion")
    assert not same_quantity("256x256", "320x240") and not same_quantity("many", "many")


def test_the_survey_counts_stand_beside_ours(built, cat):
    figure = figure1(cat)
    page = text_of(built[0] / "survey/lengths/index.md")
    assert f"all {figure.survey.studies} {figure.ours.studies}" in page
    assert f"of these in frames {figure.survey.by_frames} {figure.ours.by_frames}" in page
    assert all(words(reason) in page for reason in reasons(cat, figure))


def test_slips_members_and_sections_are_complete(built, cat):
    slips = text_of(built[0] / "survey/slips/index.md")
    assert all(words(slip["correct"]) in slips for slip in cat.survey["errors"])
    members = text_of(built[0] / "survey/members/index.md")
    assert all(words(m.membership.why) in members for m in cat.methods.values() if m.membership.by == "editors")
    for section, entry in zip(sections(cat.survey), cat.survey["sections"], strict=True):
        assert {key for _, cites in section.topics for key, _, _ in cites} >= set(entry["cites"])


def result(**fields):
    plain = {"dataset": None, "metric": Ref(ref="fvd"), "value": None, "text": None, "setting": "s"}
    return ReportedResult(**(plain | {"locator": "l", "seen": "primary"} | fields))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"value": 99, "text": "99.0"}, ("99.0", "")),
        ({"value": 55.0, "text": "55.0 (+-1.0)", "spread": 1.0}, ("55.0 (+-1.0)", "")),
        ({"value": 1773.4, "text": "1431.0 / 1773.4"}, ("1773.4", "1431.0 / 1773.4")),
        ({"value": 49.53, "text": "49.53%", "unit": "%"}, ("49.53 %", "")),
        ({"value": 64.5, "text": "64.5 (long-range)", "variant": "long-range", "spread": 1.9}, ("64.5 ± 1.9", "")),
        ({"text": "more than 80%"}, ("more than 80%", "")),
        ({}, ("unknown", "")),
    ],
)
def test_reported_values(fields, expected):
    assert printed(result(**fields)) == expected


def test_lengths_in_words(cat):
    assert called(cat.methods["nuwa_xl"].long_video_definition) == "1024 frames"
    assert called(cat.methods["longvideogan"].long_video_definition).startswith("not stated (")
    assert shown(cat.methods["sora"].longest_shown) == "60 s"
