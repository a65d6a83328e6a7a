"""The commands that answer questions: list, show, compare, lengths, sql, cite, export, and their help's examples."""

import csv
import io
import json
import math
import re
import shlex
import sqlite3

import click
import pytest

from kiloframe.cli import cli

QUERIES = ("list", "show", "compare", "lengths", "sql", "cite", "export")


@pytest.fixture
def ask(kf):
    """The output of a command that must succeed."""

    def run(*arguments):
        code, out, err = kf(*arguments)
        assert code == 0, err
        return out

    return run


def slugs(out):
    return [record["slug"] for record in json.loads(out)]


# --- examples -----------------------------------------------------------------------------------------------------


def examples(name):
    text = cli.get_command(click.Context(cli), name).help
    return [line.strip() for line in text.splitlines() if re.match(r" *kiloframe \w", line)]


@pytest.mark.parametrize("line", [line for name in QUERIES for line in examples(name)])
def test_every_example_of_the_help_works(ask, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = ask(*shlex.split(line)[1:])
    assert len(out.splitlines()) >= 1
    if "--format json" in line:
        assert json.loads(out), "an example that finds nothing explains nothing"
    if line.startswith("kiloframe list"):
        assert len(out.splitlines()) > 2, "an example that finds nothing explains nothing"
    if line.startswith("kiloframe export"):
        assert (tmp_path / shlex.split(line)[2]).stat().st_size > 0


# --- list ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (["--paradigm", "divide_and_conquer"], {"paradigm": "divide-and-conquer"}),
        (["--paradigm", "both", "--paradigm", "other"], {"paradigm": ["both", "other"]}),
        (["--paradigm", "both,other"], {"paradigm": ["both", "other"]}),
        (["--paradigm", "divide-and-conquer", "--by", "survey"], {"paradigm": "divide-and-conquer", "by": "survey"}),
        (["--generator", "mask_modeling", "--control", "text"], {"generator": "mask-modeling", "control": "text"}),
        (["--dataset", "ucf-101", "--metric", "fvd"], {"dataset": "ucf_101", "metric": "fvd"}),
        (["--membership", "editors", "--code", "full,partial"], {"membership": "editors", "code": ["full", "partial"]}),
        (["--min-frames", "1000"], {"min_frames": 1000}),
        (["--max-frames", "100", "--shown"], {"max_frames": 100, "shown": True}),
        (["--min-seconds", "60", "--max-seconds", "600"], {"min_seconds": 60, "max_seconds": 600}),
        (["--year", "2021-2022", "--year", "2024"], {"year": ["2021-2022", "2024"]}),
        (["--text", "mask", "--text", "transformer"], {"text": "mask transformer"}),
        (["--reproduction"], {"reproduction": True}),
        (["--no-reproduction", "--year", "2022"], {"reproduction": False, "year": 2022}),
        (["--verdict", "held,not_held"], {"verdict": ["held", "not-held"]}),
    ],
)  # fmt: skip
def test_list_filters_as_the_library_does(ask, cat, arguments, where):
    expected = list(cat.methods.where(**where))
    assert slugs(ask("list", *arguments, "--format", "json")) == expected
    assert 0 < len(expected) < len(cat.methods)


def test_json_is_an_array_of_whole_records_alone_on_stdout(kf, cat):
    import msgspec

    code, out, err = kf("list", "--format", "json")
    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads(msgspec.json.encode(list(cat.methods.values())))
    code, out, err = kf("list", "--min-frames", "1e9", "--format", "json")
    assert (code, json.loads(out)) == (0, []) and "no method fits" in err


def test_sort_puts_the_unknown_last(ask, cat):
    def values(sort):
        rows = json.loads(ask("list", "--sort", sort, "--columns", "slug,definition-frames", "--format", "json"))
        assert len(rows) == len(cat.methods)
        return [row["definition_frames"] for row in rows]

    up, down = values("definition-frames"), values("-definition_frames")
    known = [value for value in up if value is not None]
    assert known == sorted(known) and up[: len(known)] == known and len(known) > 5
    assert down[: len(known)] == known[::-1] and set(down[len(known) :]) == {None}


def test_sort_takes_words_in_any_case_and_the_word_unknown_for_unknown(ask, cat):
    names = [row["name"] for row in json.loads(ask("list", "--sort", "name", "--columns", "name", "--format", "json"))]
    assert names == sorted(names, key=str.lower) != sorted(names)
    rows = json.loads(ask("list", "--sort", "-code-status", "--columns", "slug,code_status", "--format", "json"))
    status = [row["code_status"] for row in rows]
    known = [value for value in status if value != "unknown"]
    assert status[: len(known)] == sorted(known, reverse=True) and "unknown" in status
    full = [row["slug"] for row in rows if row["code_status"] == "full"]
    assert full == sorted(full), "what is equal stays in the order of the slugs"


def test_csv_has_all_columns_and_md_the_short_ones(ask, cat):
    from kiloframe.tables import TABLES

    rows = list(csv.DictReader(io.StringIO(ask("list", "--format", "csv"))))
    assert [row["slug"] for row in rows] == list(cat.methods)
    assert list(rows[0]) == [column.name for column in TABLES["methods"].columns]
    md = ask("list", "--columns", "slug,year", "--format", "md").splitlines()
    assert md[0] == "| slug | year |" and len(md) == len(cat.methods) + 2


def test_table_shows_the_reading_and_the_length_that_were_asked_for(ask):
    assert "paradigm_survey" in ask("list", "--by", "survey", "--paradigm", "divide-and-conquer").splitlines()[0]
    assert "generators_survey" in ask("list", "--by", "survey", "--generator", "gan").splitlines()[0]
    assert "shown_seconds" in ask("list", "--shown", "--min-seconds", "60").splitlines()[0]


def test_bibtex_gives_every_method_an_entry(ask, cat):
    import bibtexparser

    parsed = bibtexparser.loads(ask("list", "--membership", "editors", "--format", "bibtex"))
    assert len(parsed.entries) == len(cat.methods.where(membership="editors"))


# --- show ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelt", ["nuwa_xl", "nuwa-xl", "NUWA-XL"])
def test_show_has_the_facts_with_their_places(ask, cat, spelt):
    out = " ".join(ask("show", spelt).split())
    method = cat.methods["nuwa_xl"]
    assert method.title in out and method.long_video_definition.locator in out and method.paradigm.editors.why in out
    for claim in method.claims:
        assert claim.id in out and claim.locator in out
    for text in (*method.pitfalls, *method.open_questions):
        assert " ".join(text.split()) in out


def test_show_prints_every_record_in_every_format(ask, cat):
    for slug in (*cat.methods, *cat.datasets, *cat.metrics):
        text, md = ask("show", slug), ask("show", slug, "--format", "md")
        assert text.splitlines()[0].endswith(f"({slug})") and md.startswith("# ")
        assert json.loads(ask("show", slug, "--format", "json"))["slug"] == slug


def test_show_as_json_is_the_record(ask, cat):
    import msgspec

    assert json.loads(ask("show", "fvd", "--format", "json")) == msgspec.to_builtins(cat.metrics["fvd"])


def test_explain_gives_value_place_and_how_it_was_seen(ask, cat):
    shown = cat.methods["nuwa_xl"].longest_shown
    told = json.loads(ask("show", "nuwa_xl", "--explain", "longest-shown.frames", "--format", "json"))
    assert (told["value"], told["place"], told["seen"]) == (shown.frames, shown.locator, shown.seen)
    text = ask("show", "nuwa_xl", "--explain", "longest_shown.frames")
    assert re.search(rf"value +{shown.frames}\n", text) and shown.locator in text and shown.seen in text


@pytest.mark.parametrize("field", ["paradigm", "results", "results[0]", "datasets", "mechanism", "arxiv", "claims"])
def test_explain_of_any_kind_of_field_names_a_place(ask, field):
    for form in ("text", "md"):
        assert "place" in ask("show", "nuwa_xl", "--explain", field, "--format", form)


# --- compare ------------------------------------------------------------------------------------------------------


def test_compare_marks_what_differs(ask, cat):
    rows = {row["field"]: row for row in json.loads(ask("compare", "nuwa-xl", "fdm", "tats", "--format", "json"))}
    assert rows["paradigm"]["values"] == {s: cat.methods[s].paradigm.editors.value for s in ("nuwa_xl", "fdm", "tats")}
    assert rows["paradigm"]["differs"] is True
    assert rows["membership"]["differs"] is False
    assert rows["long_stated_frames"]["differs"] is False, "unknown differs from nothing"


def test_compare_in_tables(ask):
    lines = ask("compare", "nuwa_xl", "fdm").splitlines()
    assert lines[0].split() == ["field", "nuwa_xl", "fdm"]
    assert any(line.split()[:2] == ["paradigm", "*"] for line in lines)
    assert not any(line.split()[:2] == ["membership", "*"] for line in lines)
    assert "membership" not in ask("compare", "nuwa_xl", "fdm", "--differences")
    assert ask("compare", "nuwa_xl", "fdm", "--format", "md").startswith("| field | differs | nuwa\\_xl | fdm |")
    assert next(csv.reader(io.StringIO(ask("compare", "nuwa_xl", "fdm", "--format", "csv"))))[2:] == ["nuwa_xl", "fdm"]


# --- lengths ------------------------------------------------------------------------------------------------------


def test_lengths_sets_the_surveys_counts_beside_ours(ask, cat):
    from kiloframe.lengths import figure1

    figure = figure1(cat)
    told = json.loads(ask("lengths", "--format", "json"))
    assert told["counts"] == {"survey": figure.survey._asdict(), "ours": figure.ours._asdict()}
    assert told["threshold"] == {"frames": 100, "seconds": 10}
    assert len(told["methods"]) == len(cat.methods)
    out = ask("lengths")
    assert re.search(rf"as a frame count +{figure.survey.by_frames} +{figure.ours.by_frames}\n", out)


def test_lengths_draws_on_a_logarithmic_scale(ask, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    lines = ask("lengths").splitlines()
    bars = {line.split()[0]: line for line in lines if "█" in line}
    ends = {slug: line.rindex("█") for slug, line in bars.items()}
    threshold = bars["tats"].index("│")
    assert ends["vdm"] < threshold < ends["pvdm"] < ends["tats"], "64 < 100 < 128 < 1024 frames"
    assert ends["sora"] < ends["fdm"], "60 s < 1500 s"
    decade = (ends["streamingt2v"] - threshold) / math.log10(1200 / 100)
    assert ends["teco"] - threshold == pytest.approx(math.log10(300 / 100) * decade, abs=1.5)
    assert max(map(len, lines)) <= 120
    assert re.search(r"vidrd +states nothing; longest shown: unknown", "\n".join(lines))


# --- sql, cite, export --------------------------------------------------------------------------------------------


def test_sql_answers_in_four_formats(ask):
    query = "select slug, year, null as none from methods where slug = 'art-v'"
    assert json.loads(ask("sql", query, "--format", "json")) == [{"slug": "art_v", "year": 2023, "none": None}]
    assert ask("sql", query, "--format", "csv") == "slug,year,none\nart_v,2023,\n"
    assert ask("sql", query, "--format", "md").splitlines()[2].startswith("| art\\_v | 2023 |")
    assert ask("sql", query).splitlines()[2].split() == ["art_v", "2023"]


@pytest.mark.parametrize("query", ["drop table methods", "attach 'x.db' as x", "select", "select nope from methods"])
def test_sql_refuses_in_one_sentence(kf, query):
    code, out, err = kf("sql", query)
    assert (code, out) == (2, "") and err.count("\n") == 1


def test_sql_csv_is_guarded_against_formulas(ask):
    assert ask("sql", "select '=1+1' as a, -2 as b", "--format", "csv") == "a,b\n'=1+1,-2\n"


def test_sql_documents_its_tables(ask):
    from kiloframe.tables import TABLES

    text = ask("sql", "--tables")
    rows = json.loads(ask("sql", "--tables", "--format", "json"))
    assert {row["table"] for row in rows} == set(TABLES)
    assert all(row["meaning"] and row["column"] in text for row in rows)


def test_sql_reads_a_query_from_standard_input(ask, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"select 1 as one")))
    assert json.loads(ask("sql", "-", "--format", "json")) == [{"one": 1}]


def test_cite_gives_parsable_entries(ask, cat):
    import bibtexparser

    assert [e["ID"] for e in bibtexparser.loads(ask("cite", "--survey")).entries] == [cat.survey["bib_key"]]
    assert len(bibtexparser.loads(ask("cite", "nuwa-xl", "fdm", "nuwa_xl")).entries) == 2
    everything = bibtexparser.loads(ask("cite", "--all")).entries
    assert len(everything) == len(cat.methods) + 1 == len({e["ID"] for e in everything})


def test_export_goes_by_suffix(kf, ask, tmp_path, cat):
    ask("export", str(tmp_path / "facts.sqlite"))
    with sqlite3.connect(tmp_path / "facts.sqlite") as database:
        assert database.execute("select count(*) from methods").fetchone() == (len(cat.methods),)
    ask("export", str(tmp_path / "claims.csv"), "--table", "claims")
    assert (tmp_path / "claims.csv").read_text().startswith("method,id,says")
    code, _, err = kf("export", str(tmp_path / "facts.xlsx"))
    assert code == 2 and ".sqlite" in err
    code, _, err = kf("export", str(tmp_path / "a.csv"), "--table", "clams")
    assert code == 2 and "nearest: claims" in err
    code, _, err = kf("export", "/proc/nowhere/a.csv")
    assert code == 2 and "cannot be written" in err
