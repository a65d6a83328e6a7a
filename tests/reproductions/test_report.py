"""The report: verdicts by their rules, files as they must be, results that can be read back, errors in a sentence."""

import subprocess
import sys

import numpy as np
import pytest

from kiloframe.errors import UserError
from kiloframe.results import read_result
from reproductions.report import Report, figure, grid, judge_difference, judge_equality
from reproductions.video import read_video


@pytest.fixture
def report(tmp_path):
    return Report("fdm", scale="toy", seed=0, seeds=[0, 1, 2], out=tmp_path)


CLAIM = {"measure": "share", "subject": "hierarchy-2", "baseline_subject": "autoregressive"}


def line():
    drawn, axes = figure()
    axes[0].plot([0, 1, 2], [3, 1, 2])
    axes[0].set_title("a title")
    return drawn


@pytest.mark.parametrize(
    ("paired", "higher", "verdict"),
    [
        ([0.5, 0.6, 0.7], True, "held"),
        ([-0.5, -0.6, -0.7], True, "not held"),
        ([-0.5, -0.6, -0.7], False, "held"),
        ([0.5, 0.6, 0.7], False, "not held"),
        ([0.5, -0.6, 0.7], True, "inconclusive"),
        ([0, 0, 0], True, "inconclusive"),
        ([0.5], True, "inconclusive"),
    ],
)
def test_the_verdict_on_a_difference(paired, higher, verdict):
    assert judge_difference(paired, higher=higher)[0] == verdict


@pytest.mark.parametrize(
    ("values", "baseline", "verdict"),
    [
        ([0.80, 0.81, 0.79], [0.81, 0.80, 0.79], "held"),
        ([0.9, 0.8, 0.85], [0.2, 0.1, 0.15], "not held"),
        ([0.9, 0.1, 0.5], [0.2, 0.8, 0.4], "inconclusive"),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], "inconclusive"),  # both fail: a tie that shows nothing
        ([0.5], [0.5], "inconclusive"),
    ],
)
def test_the_verdict_on_equality(values, baseline, verdict):
    assert judge_equality(values, baseline, 0.1, chance=0.02)[0] == verdict


def test_a_difference_just_inside_the_margin_at_5_percent_on_each_side():
    # sd of the differences 0.01, n = 3: the one-sided 5 % half width is 2.919986 * 0.01 / sqrt(3) = 0.016859
    differences = np.array([-0.01, 0, 0.01]) + 0.05
    assert judge_equality(0.5 + differences, [0.5] * 3, 0.0669)[0] == "held"
    assert judge_equality(0.5 + differences, [0.5] * 3, 0.0668)[0] == "inconclusive"


def test_claims_are_judged_recorded_and_must_be_in_the_fact_file(report):
    values = {"values": [0.9, 0.8, 0.85], "baseline_values": [0.1, 0.2, 0.1]}
    found = report.claim("hierarchy-beats-autoreg-on-memory", **CLAIM, **values, says="higher")
    assert found.verdict == "held"
    assert found.difference == pytest.approx(0.85 - 0.4 / 3)
    assert found.low < found.difference < found.high
    assert read_result(report.save()).claims == [found]
    with pytest.raises(UserError, match=r"no claim 'hierarchy-wins'.*scheme-is-data-dependent"):
        report.claim("hierarchy-wins", **CLAIM, **values, says="higher")
    with pytest.raises(UserError, match="one value per seed"):
        report.claim("hierarchy-flicker", **CLAIM, values=[1.0], baseline_values=[1.0], says="higher")
    with pytest.raises(UserError, match="margin"):
        report.claim("hierarchy-flicker", **CLAIM, **values, says="equal")


def test_nothing_is_judged_at_smoke(tmp_path):
    report = Report("fdm", scale="smoke", seed=0, seeds=[0, 1], out=tmp_path)
    found = report.claim("hierarchy-flicker", **CLAIM, values=[0.9, 0.9], baseline_values=[0.1, 0.1], says="higher")
    assert found.verdict == "not judged"
    assert "0.900" in found.reason


def test_measures_have_t_intervals(report):
    several, one = report.measure("a", "real", "share", [1, 2, 3]), report.measure("b", "real", "share", 0.5)
    assert (several.value, several.values) == (2, [1, 2, 3])
    assert several.high - 2 == pytest.approx(4.302653 / np.sqrt(3), rel=1e-5)
    assert (one.value, one.low, one.interval) == (0.5, None, None)


def test_media_are_files_named_by_relative_path(report, tmp_path, capsys):
    frames = np.random.default_rng(0).uniform(size=(12, 3, 16, 16)).astype(np.float32)
    report.video(frames, "film", caption="a film", alt="noise", scale_up=4)
    report.image((frames[0].transpose(1, 2, 0) * 255).astype(np.uint8), "still", caption="a still", alt="noise")
    report.image(line(), "plot", caption="a plot", alt="a line")
    report.curve("course", "Course", "frame", "share", {"real": ([0, 1], [1, 1], [0, 0], [1, 1])}, "flat", "a line")
    result = read_result(report.save())
    assert [(m.kind, m.file, m.poster) for m in result.media] == [
        ("video", "film.mp4", "film.png"), ("image", "still.png", None), ("image", "plot.svg", None),
    ]  # fmt: skip
    assert (result.media[0].frames, result.media[0].fps) == (12, 10)
    assert read_video(tmp_path / "fdm" / "film.mp4").frames.shape == (12, 64, 64, 3)
    assert "a title</text>" in (tmp_path / "fdm" / "plot.svg").read_text()  # text stays text
    assert result.curves[0].series[0].low == [0, 0]
    assert (tmp_path / "fdm" / "course.svg").exists()
    assert "film.mp4] a film" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"already has a file plot\.svg"):
        report.image(line(), "plot", caption="again", alt="a line")


def test_the_same_figure_is_the_same_file(tmp_path):
    files = []
    for folder in ("a", "b"):
        report = Report("fdm", scale="toy", seed=0, seeds=[0], out=tmp_path / folder)
        report.image(line(), "plot", caption="a plot", alt="a line")
        files.append((tmp_path / folder / "fdm" / "plot.svg").read_bytes())
    assert files[0] == files[1]


def test_a_new_report_leaves_nothing_of_the_old_one(report, tmp_path):
    report.image(line(), "old", caption="a plot", alt="a line")
    report.save()
    again = Report("fdm", scale="toy", seed=0, seeds=[0], out=tmp_path)
    assert not (tmp_path / "fdm.json").exists()
    again.image(line(), "new", caption="a plot", alt="a line")
    again.save()
    assert [file.name for file in (tmp_path / "fdm").iterdir()] == ["new.svg"]


def test_tables_round_numbers_and_show_markdown(report, capsys):
    report.table(["", "share"], [["real", 0.987], ["noise", 0.0]], caption="what is what")
    assert "| real | 0.99 |\n| noise | 0.00 |\n\n*what is what*" in capsys.readouterr().out


def test_bad_slug_and_scale(tmp_path):
    with pytest.raises(UserError, match="huge"):
        Report("fdm", scale="huge", seed=0, seeds=[0], out=tmp_path)
    with pytest.raises(UserError, match="fmd"):
        Report("fmd", scale="toy", seed=0, seeds=[0], out=tmp_path)


def test_a_grid_puts_videos_row_by_row():
    videos = np.stack([np.full((2, 3, 4, 4), n / 10, np.float32) for n in range(3)])
    whole = grid(videos, columns=2, gap=1)
    assert whole.shape == (2, 3, 12, 12)
    assert whole[0, 0, 2, 2] == np.float32(0.0) and whole[0, 0, 2, 8] == np.float32(0.1)
    assert whole[0, 0, 8, 2] == np.float32(0.2) and whole[0, 0, 8, 8] == 0.5 and whole[0, 0, 0, 0] == 0.5


def test_the_report_needs_no_torch():
    code = "import sys, reproductions.report, reproductions.measures.digits; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_links_are_relative_to_where_the_notebook_will_lie(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr("reproductions.report._show", lambda rich, plain, kind="markdown": shown.append(rich))
    monkeypatch.setattr("kiloframe.sources.checkout", lambda: tmp_path)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    for out in (tmp_path / "elsewhere", ""):
        report = Report("fdm", scale="toy", seed=0, seeds=[0], out=out)
        report.image(line(), "plot", caption="a plot", alt="a line")
        report.video(np.zeros((2, 3, 16, 16), np.float32), "film", caption="a <film>", alt="nothing")
    assert "](fdm/plot.svg)" in shown[0] and 'src="fdm/film.mp4"' in shown[1] and "a &lt;film&gt;" in shown[1]
    assert "](../build/runs/fdm/plot.svg)" in shown[2] and 'poster="../build/runs/fdm/film.png"' in shown[3]


def test_a_study_is_no_method_and_brings_its_title(tmp_path):
    report = Report("worlds", scale="toy", seed=0, seeds=[0], out=tmp_path, title="The worlds")
    report.measure("speed", "rooms", "speed", [1.0])
    assert read_result(report.save()).title == "The worlds"
    with pytest.raises(UserError, match="fdm is a method, whose title stands in its record"):
        Report("fdm", scale="toy", seed=0, seeds=[0], out=tmp_path, title="Mine")
    with pytest.raises(UserError, match="has no claim"):
        report.claim("x", measure="", subject="", baseline_subject="", values=[1], baseline_values=[1], says="higher")


def test_a_study_tests_what_the_survey_claims(tmp_path):
    report = Report("a_study", scale="toy", seed=0, seeds=[0, 1, 2], out=tmp_path, title="A study")
    told = {"measure": "share", "subject": "late", "baseline_subject": "early", "says": "lower"}
    found = report.claim("errors-add-up", values=[0.1, 0.2, 0.15], baseline_values=[0.9, 0.95, 0.9], **told)
    assert found.verdict == "held"
    with pytest.raises(UserError, match="a_study has no claim 'nope'; the survey has: errors-add-up, content-degrades"):
        report.claim("nope", values=[1, 2, 3], baseline_values=[1, 2, 3], **told)
    assert [claim.id for claim in read_result(report.save()).claims] == ["errors-add-up"]


def test_a_curve_may_have_a_logarithmic_axis(tmp_path):
    report = Report("fdm", scale="toy", seed=0, seeds=[0], out=tmp_path)
    told = {
        "title": "t",
        "x_label": "x",
        "y_label": "y",
        "series": {"a": ([1, 10], [0, 1])},
        "caption": "c",
        "alt": "a",
    }
    report.curve("plain", **told)
    report.curve("log", **told, log_x=True)
    assert [curve.log_x for curve in read_result(report.save()).curves] == [False, True]
    svgs = [(tmp_path / "fdm" / f"{name}.svg").read_text() for name in ("plain", "log")]
    assert svgs[0] != svgs[1]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_no_result_can_hold_are_refused_at_once(report, value):
    with pytest.raises(UserError, match="the measure a has values that are not finite"):
        report.measure("a", "real", "share", [1.0, value])
    with pytest.raises(UserError, match="the claim hierarchy-flicker has values that are not finite"):
        report.claim("hierarchy-flicker", **CLAIM, values=[0.5, value, 0.5], baseline_values=[0.1] * 3, says="higher")
