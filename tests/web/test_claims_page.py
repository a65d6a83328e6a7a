"""The page of the claims: none is left out, verdicts carry their numbers and lead to the cell that judged them."""

import json
import re
from html import unescape
from pathlib import Path

import pytest

from kiloframe.results import ClaimResult, Curve, Measure, Result, Series
from kiloframe.sources import latest_result
from kiloframe.web import claims, level_field
from kiloframe.web.cells import claim_cells
from kiloframe.web.line_chart import chart, told
from kiloframe.web.verdicts import judged


@pytest.fixture(scope="module")
def found(cat):
    return {slug: judged(method, latest_result(slug)) for slug, method in cat.methods.items()}


@pytest.fixture(scope="module")
def results(cat):
    runs = {slug: latest_result(slug) for slug in cat.methods}
    return {slug: run for slug, run in runs.items() if run}


SHOWN = ["**c-d: not held.** ", "because"]


def field_run(cat, folder=Path("/nowhere")):
    """A level field's run that judged the first of the survey's claims, its numbers made up."""
    first = cat.survey["claims"][0]["id"]
    verdict = ClaimResult(
        id=first, verdict="not held", measure="share", subject="last frames", baseline_subject="first ones", value=0.5,
        baseline=0.25, values=[0.5] * 3, baseline_values=[0.25] * 3, seeds=[0, 1, 2], difference=0.25, low=0.1,
        high=0.4, rule="a rule", reason="0.50 against 0.25", better="higher",
    )  # fmt: skip
    lines = [Series(name="FDM", x=[16.0, 128.0], y=[0.9, 0.5], low=[0.8, 0.4], high=[1.0, 0.6])]
    curves = [
        Curve(id=id, title=id, x_label="frames", y_label="identity", series=lines, caption="c", log_x=True)
        for id in ("length-shapes", "length-distance-shapes", "shapes-drift", "exchange-shapes")
    ]
    measures = [
        Measure(id=f"{kind}-{n}", subject="shapes: FDM", name=kind, value=value, values=[value], low=low, high=high)
        for kind, value, low, high in (("calls", 2.0, None, None), ("seconds", 0.25, 0.2, 0.3))
        for n in (16, 128)
    ]
    measures += [
        Measure(id="training-seconds", subject=name, name="training", value=value, values=[value], note="one GPU")
        for name, value in (("a", 153.7), ("b", 266.2), ("c", 200.0))
    ]
    result = Result(
        slug="level_field", title="Level", scale="toy", seed=0, seeds=[0, 1, 2], claims=[verdict], curves=curves,
        measures=measures, machine="2 cores", created="2026-11-25T10:00:00Z",
    )  # fmt: skip
    return result, folder, True


def test_every_claim_stands_on_the_page_with_its_verdict(cat, found, results, tmp_path):
    (page,) = claims.write(cat, found, results, {}, tmp_path)
    text = unescape(page.read_text("utf-8"))
    known = claims.entries(cat, found, results, None)
    assert len(known) == len(cat.survey["claims"]) + sum(len(m.claims) for m in cat.methods.values())
    anchors = re.findall(r'<article class="kf-claim" id="([^"]*)"', text)
    assert sorted(anchors) == sorted(entry.anchor for entry in known) and len(set(anchors)) == len(anchors)
    words = " ".join(text.split())
    for entry in known:
        head = re.search(rf'id="{entry.anchor}" data-verdict="([\w-]+)"', text)
        assert head[1] == entry.judged.state.key
        said = entry.judged.claim.says
        assert " ".join(said.split())[1:] in words
        if entry.judged.found:
            assert entry.judged.found.reason in words
    tallies = dict(re.findall(r'data-verdict="([\w-]+)"><strong>(\d+)</strong>', text))
    assert sum(map(int, tallies.values())) == len(known)
    assert int(tallies["held"]) == sum(entry.judged.state.key == "held" for entry in known)


def test_a_judged_claim_leads_to_the_cell_that_judged_it(cat, found, results):
    tested = [entry for entry in claims.entries(cat, found, results, None) if entry.judged.found]
    assert len(tested) > 10
    for entry in tested:
        cell = int(re.fullmatch(rf"notebooks/{entry.slug}/#cell-(\d+)", entry.cell)[1])
        assert claim_cells(results[entry.slug][1] / f"{entry.slug}.ipynb")[entry.judged.claim.id] == cell


def test_a_cell_is_found_by_what_it_shows_too(tmp_path):
    notebook = tmp_path / "n.ipynb"
    cells = [
        {"cell_type": "code", "source": 'report.claim("a-b", x)', "outputs": []},
        {"cell_type": "code", "source": ["judge(", "1)"], "outputs": [{"data": {"text/markdown": SHOWN}}]},
        {"cell_type": "code", "source": "", "outputs": [{"data": {"text/markdown": "**e: seen** x"}}]},
    ]
    notebook.write_text(json.dumps({"cells": cells}))
    assert claim_cells(notebook) == {"a-b": 1, "c-d": 2}


def test_the_surveys_claims_take_their_verdicts_from_the_level_field(cat, found, results, tmp_path):
    run = field_run(cat)
    own = claims.survey_claims(cat.survey, run)
    assert [item.state.key for item in own][:2] == ["not-held", "not-run"]
    (page,) = claims.write(cat, found, results, {"level_field": run}, tmp_path)
    text = page.read_text("utf-8")
    assert "0.50 against 0.25" in unescape(text) and "Not run yet.</strong> The" not in text


def test_the_level_field_says_what_to_type_or_shows_what_was_found(cat, tmp_path):
    (page,) = level_field.write(cat, {}, tmp_path)
    text = page.read_text("utf-8")
    assert "make level-field" in text and "<svg" not in text and "Quality against length" not in text
    (page,) = level_field.write(cat, {"level_field": field_run(cat)}, tmp_path)
    text = unescape(page.read_text("utf-8"))
    assert 'id="length-shapes"' in text and 'id="length-distance-shapes"' in text and 'id="shapes-drift"' in text
    assert 'id="cost-calls"' in text and 'id="cost-seconds"' in text and 'id="cost-memory"' not in text
    assert "0.9 (0.8 to 1)" in text and "0.25 (0.2 to 0.3)" in text and "Not run yet.</strong>" not in text
    assert text.count("<article") == len(cat.survey["claims"])
    assert "trained for 154 to 266 seconds (one GPU)" in text and "what more training buys" not in text
    both = {"level_field": field_run(cat), "more_training": field_run(cat)}
    (page,) = level_field.write(cat, both, tmp_path)
    assert 'training/index.html">what more training buys</a>' in page.read_text("utf-8")


def test_a_chart_is_drawn_to_scale_and_told_in_words():
    series = [
        Series(name="a", x=[10.0, 100.0, 1000.0], y=[1.0, 2.0, 3.0], low=[0.5, 1.5, 2.5], high=[1.5, 2.5, 3.5]),
        Series(name="b", x=[10.0, 1000.0], y=[3.0, float("nan")]),
    ]
    curve = Curve(id="i", title="t", x_label="frames", y_label="share", series=series, caption="", log_x=True)
    drawn = chart(curve)
    (x0, y0), (x1, y1), (x2, y2) = drawn.lines[0].dots
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2) and y0 - y1 == pytest.approx(y1 - y2, abs=0.2) and y0 > y2
    assert len(drawn.lines[0].band.split()) == 6 and drawn.lines[1].band == "" and len(drawn.lines[1].dots) == 1
    assert all(0 <= x <= 640 and 0 <= y <= 300 for line in drawn.lines for x, y in line.dots)
    assert [tick.label for tick in drawn.x] == ["10", "100", "1000"]
    assert drawn.rows[1] == ["100", "2 (1.5 to 2.5)", "not measured"]
    assert told(curve).startswith("Chart of share against frames. a from 1 at 10 to 3 at 1000; b from 3 at 10")
    assert chart(curve, log_y=True).y
