"""The survey's figures say what the facts and the schedules say, with nothing typed and nothing left out."""

import math
import re
from html import unescape
from itertools import pairwise
from types import SimpleNamespace

import pytest

from kiloframe.lengths import figure1, longest
from kiloframe.results import Measure, Media, Result
from kiloframe.web import survey
from kiloframe.web.datasets import beside_table1
from kiloframe.web.figures import contest, lineage, paradigms
from kiloframe.web.figures.lengths import UNITS, bars, lengths_figure
from kiloframe.web.figures.timeline import LANE, LANES, ROW, timeline
from kiloframe.web.metrics import beside_table2
from kiloframe.web.slips import slips_of


@pytest.fixture(scope="module")
def written(cat, tmp_path_factory):
    out = tmp_path_factory.mktemp("survey")
    survey.write(cat, out)
    return {file.parent.name: file.read_text("utf-8") for file in out.rglob("*.md")}


def text_of(page):
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


# --- Figure 1 -----------------------------------------------------------------------------------------------------


def test_every_method_has_a_row_and_marks_only_where_its_length_is_known(cat):
    chart = lengths_figure(cat)
    assert sorted(row.method.slug for row in chart.rows) == sorted(cat.methods)
    for row in chart.rows:
        stated, shown = longest(row.method), longest(row.method, shown=True)
        for unit, name in enumerate(UNITS):
            for mark, length in ((row.called[unit], stated), (row.shown[unit], shown)):
                assert (mark is not None) == (getattr(length, name) is not None)
                assert mark is None or mark.converted == (length.converted == name)
            assert row.unknown(unit) == (getattr(stated, name) is None and getattr(shown, name) is None)
        assert stated.locator in row.told and shown.locator in row.told
    assert chart.dark == sum(row.unknown(0) and row.unknown(1) for row in chart.rows) > 0


def test_marks_stand_on_a_logarithmic_axis(cat):
    chart = lengths_figure(cat)
    for unit, axis in enumerate(chart.axes):
        ticks = [float(tick.at.rstrip("%")) for tick in axis.ticks]
        steps = [b - a for a, b in pairwise(ticks)]
        assert max(steps) - min(steps) < 0.02 and ticks[0] > 0 and ticks[-1] < 100
        low = float(axis.ticks[0].label.replace("\u202f", ""))
        for row in chart.rows:
            value, mark = getattr(longest(row.method, shown=True), UNITS[unit]), row.shown[unit]
            if mark:
                expected = ticks[0] + steps[0] * (math.log10(value) - math.log10(low))
                assert float(mark.at.rstrip("%")) == pytest.approx(expected, abs=0.05)


def test_the_chart_in_words_counts_what_is_drawn(cat):
    limit = cat.survey["definition_of_long_video"]
    for unit, axis in zip(UNITS, lengths_figure(cat).axes, strict=True):
        lengths = [[longest(m), longest(m, shown=True)] for m in cat.methods.values()]
        known = [max(values) for pair in lengths if (values := [v for one in pair if (v := getattr(one, unit))])]
        over = sum(value > limit[f"{unit}_threshold"] for value in known)
        assert f"of {len(known)} a length in {unit} is known, of {len(cat.methods) - len(known)} it is not" in axis.alt
        assert f"{over} reach past the survey's threshold" in axis.alt


def test_the_bars_hold_the_counts(cat):
    figure = figure1(cat)
    theirs, ours = bars(figure)
    assert [part.number for part in theirs.parts] == [22, 7, 22]
    assert sum(part.number for part in ours.parts) == figure.ours.studies == len(cat.methods)


def test_the_page_of_lengths_links_each_row_to_method_and_source(cat, written):
    page = written["lengths"]
    for slug, method in cat.methods.items():
        row = re.search(rf'<li [^>]*>(?:(?!</li>).)*told-{slug.replace("_", "(?:_|&#95;)")}".*?</li>', page, re.S)[0]
        assert f"methods/{slug}/index.html#long" in unescape(row)
        assert ('class="kf-lengths-source"' in row) == bool(method.urls.paper)
    assert page.index('id="kf-lengths"') < page.index("{ #counts }") < page.index("{ #numbers }")
    assert page.count('role="img" aria-label="Chart of') == 2


# --- Figure 2 -----------------------------------------------------------------------------------------------------


def test_lineage_quotes_the_record_and_runs_forward_in_time(cat):
    links = lineage.built_on(cat)
    pairs = {(link.later, link.earlier) for link in links}
    assert {("mebt", "tats"), ("stylesv", "stylegan_v"), ("mtvg", "lvdm"), ("mv_diffusion", "mcvd")} <= pairs
    for link in links:
        later, earlier = cat.methods[link.later], cat.methods[link.earlier]
        words = link.words.strip("…")
        assert words in " ".join(getattr(later, link.field).split()) and earlier.name.split(" (")[0] in words
        assert earlier.first_public <= later.first_public
    digan = lineage.works_of(cat.methods["digan"])
    assert [work.name for work in digan] == ["INR-GAN", "StyleGAN2-ADA"]


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("VDM", "as in SSM-VDM", False),
        ("VDM", "the U-Net of VDM, larger", True),
        ("FDM", "fdm", False),
        ("Modelscope T2V", "ModelScopeT2V UNet", True),
        ("TATS", "TATS-base", False),
        ("!?", "anything at all", False),
    ],
)
def test_names_are_found_as_words_of_their_own(name, text, found):
    assert bool(lineage._pattern(name).search(text)) == found


def test_the_timeline_is_in_order_and_its_lines_join_the_right_marks(cat):
    line = timeline(cat)
    dates = [row.method.first_public for row in line.rows]
    assert dates == sorted(dates) and len(dates) == len(cat.methods)
    assert [row.year for row in line.rows if row.year] == sorted({date[:4] for date in dates})
    place = {row.method.slug: (row.lane * LANE, i * ROW + ROW // 2) for i, row in enumerate(line.rows)}
    for edge in line.edges:
        numbers = [int(n) for n in re.findall(r"-?\d+", edge.path)]
        assert tuple(numbers[:2]) == place[edge.earlier] and tuple(numbers[-2:]) == place[edge.later]
    assert sum(edge.built for edge in line.edges) == len(lineage.built_on(cat))
    named = {frozenset((slug, p.ref)) for slug, m in cat.methods.items() for p in m.related if p.ref in cat.methods}
    assert {frozenset((edge.earlier, edge.later)) for edge in line.edges if not edge.built} <= named
    for (_, count), paradigm in zip(line.lanes, LANES, strict=True):
        assert count == sum(m.paradigm.editors.value == paradigm for m in cat.methods.values())
        assert str(count) in line.alt


def test_the_timeline_stands_beneath_as_a_table(cat, written):
    table = written["timeline"].split("{ #lineage }")[1]
    assert table.count("<tr>") == 1 + len(cat.methods)
    assert all(link.words in unescape(table) for link in lineage.built_on(cat))


# --- Figure 3 -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [plan.name for plan in paradigms.NAMES])
@pytest.mark.parametrize(("frames", "window"), [(16, 4), (100, 6), (128, 16), (257, 8), (33, 32)])
def test_a_plan_makes_every_frame_once_and_only_from_what_is_made(name, frames, window):
    steps = paradigms.plans(name, frames, window)
    made, depth = [], {}
    for step in steps:
        assert set(step.observed) <= set(made) and len(step.observed) + len(step.latent) <= window
        for frame in step.latent:
            depth[frame] = 1 + max((depth[i] for i in step.observed), default=0)
        made += step.latent
    assert len(made) == len(set(made)) and set(range(frames)) <= set(made)
    assert paradigms.chain(steps) == max(depth.values()) <= len(steps)


def test_the_tree_is_that_of_nuwa_xl(monkeypatch):
    import torch

    from reproductions.methods.nuwa_xl import NuwaXL

    model = NuwaXL(NuwaXL.Config.smoke())
    clip, depth, calls = model.config.clip, model.config.depth, []

    def record(plan, x0c, given, start, stride, key):
        for n in range(x0c.shape[1]):
            first = start + n * stride * (clip - 1)
            seen = range(first, first + stride * (clip - 1) + 1, stride)
            calls.append(tuple(frame for frame, known in zip(seen, given, strict=True) if not known))
        return torch.zeros(x0c.shape)

    monkeypatch.setattr(model, "_call", record)
    frames = (clip - 1) ** depth + 1
    assert sum(part.shape[1] for part in model.stream(frames, schedule="levels")) == frames
    assert calls == [step.latent for step in paradigms.tree(frames, clip)]


def test_stills_draw_every_step(written):
    for plan in paradigms.NAMES:
        still = paradigms.still(plan)
        steps = paradigms.plans(plan.name, still.cost.frames, still.cost.window)
        for path, key in ((still.made, "latent"), (still.observed, "observed")):
            drawn = {
                (frame, int(y))
                for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path)
                for frame in range(int(x), int(x) + int(width))
            }
            assert drawn == {(frame, y) for y, step in enumerate(steps) for frame in getattr(step, key)}
        assert f"in {len(steps)} calls" in still.alt
        assert unescape(written["paradigms"]).count(still.alt) == 1


def test_the_table_of_calls_is_computed(written):
    cells = written["paradigms"].split("{ #calls }")[1]
    spent = paradigms.cost("tree", 128, 16)
    assert spent.calls == len(list(paradigms.tree(128, 16))) == 10 and spent.chain == 2
    assert re.search(rf">{spent.calls} <span[^>]*>\({spent.chain} in a row\)", cells)


# --- Tables and disagreements --------------------------------------------------------------------------------------


def test_table_2_marks_what_differs(cat):
    def verdicts(slug):
        metric = cat.metrics[slug]
        return [cell.verdict for cell in beside_table2(metric, slips_of(cat.survey, 2, slug, metric.name))]

    assert verdicts("clipsim") == ["differs", "in words", "in words", "differs"]
    assert verdicts("ssim") == ["agrees", "in words", "in words", "nothing noted"]
    assert verdicts("kvd")[3] == "remark" and verdicts("fvd")[3] == "differs"
    assert beside_table2(next(m for m in cat.metrics.values() if m.survey_table2 is None), []) == []


def test_the_page_of_disagreements_is_complete(cat, written):
    page = text_of(written["disagreements"])
    for slip in cat.survey["errors"]:
        assert " ".join(slip["printed"].split()) in page and " ".join(slip["correct"].split()) in page
    cells = written["disagreements"].split("{ #cells }")[1].split("{ #text }")[0]
    wrong = 0
    for slug, dataset in cat.datasets.items():
        beside = beside_table1(dataset, slips_of(cat.survey, 1, slug, dataset.name))
        wrong += sum(cell.verdict == "differs" for cell in beside)
    for slug, metric in cat.metrics.items():
        wrong += sum(
            cell.verdict == "differs" for cell in beside_table2(metric, slips_of(cat.survey, 2, slug, metric.name))
        )
    assert cells.count("≠") == wrong > 0
    assert written["tables"].count("kf-beside-differs") == wrong + 2  # and once in each of the two counts above


# --- the front page's film ------------------------------------------------------------------------------------------


def run_of(contest_, folder, values, spread):
    measures = [
        Measure(
            id=f"lost:{name}", subject=name, name="shapes lost", value=v, values=[v], low=v - spread, high=v + spread
        )
        for name, v in values.items()
    ]
    (folder / contest_.slug).mkdir(parents=True, exist_ok=True)
    (folder / contest_.slug / f"{contest_.film}.mp4").touch()
    media = [Media(file=f"{contest_.film}.mp4", kind="video", caption="c", alt="a", frames=112)]
    result = Result(slug=contest_.slug, title="t", scale="toy", seed=0, seeds=[0, 1], measures=measures, media=media)
    return {contest_.slug: (result, folder, True)}


def test_the_film_is_told_by_its_own_numbers(tmp_path):
    tats = contest.CONTESTS[0]
    runs = run_of(tats, tmp_path, {"hierarchical": 0.2, "sliding": 0.25, "fdm": 1.5, "real": 0.0}, 0.1)
    found = contest.find(runs)
    assert (found.steady.subject, found.drifting.subject) == ("hierarchical", "fdm")
    said = contest.caption(found, runs["tats"][0])
    assert "loses 0.20 (0.10 to 0.30)" in said and "loses 1.50 (1.40 to 1.60)" in said and "112 frames" in said
    assert "do not overlap" in said and "not the paradigm alone: TATS, sliding window loses 0.25" in said
    shown = contest.picture(found, runs["tats"][0], "<video></video>")
    assert shown.index("TATS, key frames first") < shown.index("<video>") < shown.index("<b>1.5</b>")


def test_a_film_that_shows_no_difference_says_so(tmp_path):
    tats, nuwa = contest.CONTESTS
    same = run_of(tats, tmp_path, {"hierarchical": 0.2, "sliding": 0.25, "fdm": 0.4}, 0.5)
    said = contest.caption(contest.find(same), same["tats"][0])
    assert "cannot be told apart" in said and "do not overlap" not in said
    clear = run_of(nuwa, tmp_path, {"depth 4": 0.2, "depth 1": 0.5, "fdm": 1.8}, 0.1)
    assert contest.find(same | clear).contest is nuwa  # a later contest that does show one is preferred
    assert contest.find({}) is None
    (tmp_path / "tats" / "side-by-side.mp4").unlink()
    assert contest.find(same) is None


def test_contests_name_what_the_runs_hold(root, cat):
    from kiloframe.results import read_result

    for one in contest.CONTESTS:
        file = root / "results" / f"{one.slug}.json"
        if not file.is_file():
            continue
        result = read_result(file)
        subjects = {m.subject for m in result.measures if m.id.startswith(f"{one.measure}:")}
        assert {side.subject for side in one.sides} <= subjects
        caption = next(m.caption for m in result.media if m.file.startswith(f"{one.film}."))
        places = [caption.index(side.subject) for side in one.sides]
        assert places == sorted(places)  # the columns, from the left
        assert {side.slug for side in one.sides if side.slug} <= set(cat.methods)


def test_an_empty_catalogue_has_a_timeline(cat):
    empty = SimpleNamespace(methods={}, survey=cat.survey)
    assert timeline(empty).alt == "Timeline without methods."
