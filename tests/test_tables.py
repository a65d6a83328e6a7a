"""The tables, data frames and SQL: documented, complete, read-only, bounded."""

import inspect
import re
import time

import pytest

from kiloframe import UserError
from kiloframe.catalogue import Catalogue
from kiloframe.database import MAX_ROWS
from kiloframe.tables import TABLES, table_named

TYPES = {"text": str, "integer": int, "real": (int, float)}


def test_every_cell_has_the_type_of_its_column_and_every_column_a_meaning(cat):
    for table in TABLES.values():
        rows = table.rows(cat)
        assert rows and table.doc and all(column.doc for column in table.columns), table.name
        for row in rows:
            assert len(row) == len(table.columns)
            for value, column in zip(row, table.columns, strict=True):
                assert value is None or isinstance(value, TYPES[column.type]), (table.name, column.name, value)


def test_nothing_of_the_records_is_left_out(cat):
    methods = list(cat.methods.values())
    counts = {name: len(table.rows(cat)) for name, table in TABLES.items()}
    assert (counts["methods"], counts["datasets"], counts["metrics"]) == (51, 30, 19)
    for name, field in (("results", "results"), ("claims", "claims"), ("method_datasets", "datasets"),
                        ("method_metrics", "metrics"), ("related", "related")):  # fmt: skip
        assert counts[name] == sum(len(getattr(m, field)) for m in methods)
    assert counts["survey_errors"] == len(cat.survey["errors"])
    assert (counts["survey_table1"], counts["survey_table2"]) == (8, 8)
    assert counts["survey_mentions"] == 30


def test_facts_carry_place_and_how_it_was_seen(cat):
    _, rows = cat.query(
        "select value, locator, seen from facts where slug = 'nuwa-xl' and field = 'longest_shown.frames'"
    )
    assert rows == [("1024", "paper Table 1; Fig 4 caption", "primary")]
    _, rows = cat.query(
        "select count(*) from facts where kind = 'method' and field like 'results[%].value' and locator is null"
    )
    assert rows == [(0,)]
    _, rows = cat.query("select by, why from facts where slug = 'fdm' and field = 'paradigm.editors.value'")
    assert rows[0][0] == "editor" and rows[0][1].startswith("One network")


def test_the_researchers_question_in_the_docstring_is_answered(cat):
    text = inspect.getdoc(Catalogue.query)
    sql = re.search(r"^    (select .*?)\n\n", text, re.DOTALL | re.MULTILINE)[1]
    columns, rows = cat.query(sql)
    found = {row[0]: dict(zip(columns, row, strict=True)) for row in rows}
    expected = {
        m.slug
        for m in cat.methods.where(generator="diffusion", metric="fvd", dataset="ucf_101").values()
        for r in m.results
        if r.frames and r.frames >= 128 and r.metric.ref == "fvd" and r.dataset and r.dataset.ref == "ucf_101"
    }
    assert found.keys() == expected >= {"pvdm", "vidm"}
    assert found["pvdm"]["locator"] and found["pvdm"]["seen"]


def test_hyphen_underscore_and_case_are_one_in_sql(cat):
    for spelling in ("divide-and-conquer", "divide_and_conquer", "Divide_And-Conquer"):
        _, rows = cat.query(f"select slug from methods where paradigm in ('{spelling}', 'both') order by slug")
        assert [slug for (slug,) in rows] == list(cat.methods.where(paradigm="divide-and-conquer"))
    assert cat.query("select name from methods where slug = 'nuwa-xl'")[1] == [("NUWA-XL",)]


def test_frames_keep_whole_numbers_whole(cat):
    frame = cat.frame("methods")
    assert list(frame.columns) == [column.name for column in TABLES["methods"].columns] and len(frame) == 51
    assert frame["year"].dtype == "Int64"
    frames = cat.sql(
        "select slug, clip_frames, year, shown_fps from methods where slug in ('fdm', 'tats') order by slug"
    )
    assert frames["slug"].tolist() == ["fdm", "tats"] and frames["shown_fps"].isna().tolist() == [False, True]
    results = cat.frame("results")
    assert results["frames"].dtype == "Int64" and results["frames"].isna().any()
    assert cat.sql("select slug from methods where 0").shape == (0, 1)
    with pytest.raises(UserError, match=r"'result' is not a table; nearest: results.*allowed: methods, results"):
        cat.frame("result")
    assert table_named("method-datasets").name == "method_datasets"


@pytest.mark.parametrize(
    "sql",
    [
        "drop table methods",
        "delete from methods",
        "update methods set name = 'x'",
        "insert into methods(slug) values ('x')",
        "with x as (select 1) insert into methods(slug) select 'x'",
        "with x as (select 1) delete from methods",
        "create temp table x (a)",
        "attach 'FILE' as other",
        "vacuum into 'FILE'",
        "pragma query_only = off",
        "select * from pragma_table_info('methods')",
        "begin",
        "select load_extension('x')",
        "reindex",
        "/* select */ drop table methods",
        "select 1; drop table methods",
        "explain drop table methods",
    ],
)
def test_only_reading_is_allowed(cat, sql, tmp_path):
    file = tmp_path / "written.db"
    with pytest.raises(UserError, match=r"write one SELECT$"):
        cat.query(sql.replace("FILE", str(file)))
    assert not file.exists()
    assert cat.query("select count(*) from methods")[1] == [(51,)]


ENDLESS = "with recursive r(x) as (select 1 union all select x + 1 from r)"


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (f"{ENDLESS} select count(*) from r", "ran longer than 0.5 s"),
        ("select count(*) from facts a, facts b, facts c", "ran longer than 0.5 s"),
        (f"{ENDLESS} select printf('%200000d', x) y from r order by y", "ran longer than 0.5 s"),
        (f"{ENDLESS} select x from r", f"larger than {MAX_ROWS} rows"),
        (f"{ENDLESS} select printf('%200000d', x) from r", "larger than 64 MB"),
        ("select randomblob(1000000000)", "a value larger than"),
        ("select zeroblob(2000000000)", "a value larger than"),
        ("select group_concat(value) from facts", "a value larger than"),
    ],
)
def test_runaway_queries_are_stopped(cat, sql, said):
    start = time.monotonic()
    with pytest.raises(UserError) as error:
        cat.query(sql, seconds=0.5 if "0.5 s" in said else 60)
    assert said in str(error.value) and time.monotonic() - start < 60
    assert cat.query("select count(*) from methods")[1] == [(51,)]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("", "the query is empty; write one SELECT, for example: select"),
        ("  -- nothing", "the query is empty"),
        ("selct 1", "begins with 'selct'"),
        ("select * from method", "no table 'method'; nearest: methods, .*tables: methods, results, claims"),
        ("select nme from methods", "no column 'nme'; nearest: name.*columns of methods: slug, name, title"),
        ("select m.nme from methods m", "no column 'nme'; nearest: name"),
        ("select from methods", 'near "from": syntax error'),
        ("select 1; select 2", "more than one statement"),
        ("select 'a\0b'", "null character"),
        ("select '\ud800'", "not right"),
        ("select nofunction(1)", "no such function: nofunction"),
    ],
)
def test_mistakes_are_told_in_one_sentence(cat, sql, said):
    with pytest.raises(UserError, match=said) as error:
        cat.query(sql)
    assert "\n" not in str(error.value)
