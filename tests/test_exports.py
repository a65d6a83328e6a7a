"""Exports: complete, identical on repetition, safe to open in a spreadsheet."""

import csv
import io
import json
import sqlite3
import sys

import bibtexparser
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiloframe import UserError
from kiloframe.exports import SUFFIXES, csv_text, markdown_text, to_bibtex, to_csv, to_json, to_markdown, write
from kiloframe.tables import TABLES


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_twice_gives_identical_bytes(cat, tmp_path, suffix):
    first, second = tmp_path / f"one{suffix}", tmp_path / "deeper" / f"another name{suffix}"
    write(cat, first)
    write(cat, second)
    assert first.read_bytes() == second.read_bytes()
    assert [file.name for file in tmp_path.glob("*") if file.is_file()] == [first.name]


def test_json_holds_full_records_with_their_provenance(cat, tmp_path):
    write(cat, tmp_path / "all.json")
    records = json.loads((tmp_path / "all.json").read_text())
    assert [record["slug"] for record in records] == list(cat.methods)
    (nuwa,) = json.loads(to_json(cat.methods.where(text="2303.12346")))
    assert nuwa["longest_shown"]["locator"] == "paper Table 1; Fig 4 caption" and nuwa["sources"]
    claims = json.loads(to_json(cat.methods, "claims"))
    assert len(claims) == len(TABLES["claims"].rows(cat)) and claims[0]["locator"]


def test_sqlite_holds_every_table_and_says_what_columns_mean(cat, tmp_path):
    write(cat, tmp_path / "facts.sqlite")
    with sqlite3.connect(tmp_path / "facts.sqlite") as connection:
        for name, table in TABLES.items():
            assert connection.execute(f"select * from {name}").fetchall() == table.rows(cat)
        (doc,) = connection.execute("select doc from columns where table_name = 'results' and column_name = 'seen'")
    connection.close()
    assert doc[0].startswith("primary")


def test_parquet_keeps_types(cat, tmp_path):
    write(cat, tmp_path / "r.parquet", "results")
    frame = pandas.read_parquet(tmp_path / "r.parquet", dtype_backend="numpy_nullable")
    assert frame["frames"].dtype == "Int64" and frame["value"].dtype == "Float64"
    assert len(frame) == len(TABLES["results"].rows(cat))


def test_a_selection_writes_only_its_own_rows(cat, tmp_path):
    some = cat.methods.where(membership="editors", generator="gan")
    write(some, tmp_path / "some.sqlite")
    with sqlite3.connect(tmp_path / "some.sqlite") as connection:
        for table, column in (("methods", "slug"), ("results", "method"), ("claims", "method")):
            assert {slug for (slug,) in connection.execute(f"select {column} from {table}")} <= set(some)
        (kept,) = connection.execute("select count(distinct slug) from facts where kind = 'method'").fetchone()
    connection.close()
    assert kept == len(some) > 0
    assert len(list(csv.DictReader(io.StringIO(to_csv(some))))) == len(some)


def test_csv_reads_back(cat):
    rows = list(csv.DictReader(io.StringIO(to_csv(cat.methods))))
    assert [row["slug"] for row in rows] == list(cat.methods)
    assert rows[list(cat.methods).index("nuwa_xl")]["shown_frames"] == "1024"
    for row in csv.reader(io.StringIO(to_csv(cat.methods, "facts"))):
        assert not any(cell.startswith(("=", "+", "@", "\t", "\r")) for cell in row)


@pytest.mark.parametrize(
    "bad", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1"]
)
def test_formulas_are_disarmed(bad):
    ((cell,),) = list(csv.reader(io.StringIO(csv_text([bad], []), newline="")))
    assert cell == "'" + bad


@pytest.mark.parametrize("number", ["-3.5", "+2", "-1e-5", "12", -3.5, -7, "-.5"])
def test_plain_numbers_stay_numbers(number):
    ((cell,),) = list(csv.reader(io.StringIO(csv_text([number], []))))
    assert cell == str(number) and float(cell) == float(number)


CELLS = st.one_of(
    st.none(), st.integers(), st.floats(allow_nan=False), st.text(st.characters(exclude_categories=["Cs"]))
)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2)))
def test_csv_round_trip(rows):
    back = list(csv.reader(io.StringIO(csv_text(["a", "b"], rows), newline="")))
    assert len(back) == len(rows) + 1
    for given_row, read_row in zip(rows, back[1:], strict=True):
        for value, cell in zip(given_row, read_row, strict=True):
            text = "" if value is None else str(value)
            assert cell in (text, "'" + text)
            assert not cell or cell[0] not in "=@\t\r\n"


def test_markdown_cannot_break_out_of_its_cell():
    text = markdown_text(["a|b"], [["<script>x</script> | y\n`z` [l](javascript:x)"]])
    assert text.count("\n") == 3 and "<" not in text and "\\|" in text and "\\[l\\]" in text


def test_markdown_lists_every_method(cat):
    lines = to_markdown(cat.methods).splitlines()
    assert len(lines) == 2 + 51 and "1500 seconds" in next(line for line in lines if line.startswith("| fdm "))


def test_bibtex_file_parses(cat):
    assert len(bibtexparser.loads(to_bibtex(cat.methods)).entries) == 51


@pytest.mark.parametrize(
    ("name", "table", "said"),
    [
        ("facts.xlsx", None, r"facts\.xlsx ends in \.xlsx; the formats are \.sqlite, \.csv"),
        ("facts", None, "no suffix"),
        ("facts.csv", "claim", r"'claim' is not a table; nearest: claims"),
        ("facts.bib", "claims", r"\.bib takes no table"),
        ("facts.sqlite", "claims", r"\.sqlite takes no table"),
    ],
)
def test_wrong_names_say_what_there_is(cat, tmp_path, name, table, said):
    with pytest.raises(UserError, match=said):
        write(cat, tmp_path / name, table)
    assert not list(tmp_path.iterdir())


def test_missing_pyarrow_says_what_to_type(cat, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install 'kiloframe\[parquet\]'"):
        write(cat, tmp_path / "facts.parquet")
    assert not list(tmp_path.iterdir())


def test_a_folder_is_not_overwritten(cat, tmp_path):
    (tmp_path / "facts.csv").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        write(cat, tmp_path / "facts.csv")
