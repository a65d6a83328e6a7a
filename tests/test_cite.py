"""Citations: they parse, keep names and titles, and have one key each."""

import bibtexparser
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiloframe.cite import bibtex, bibtex_for_all, bibtex_key, latex


def parsed(text):
    (entry,) = bibtexparser.loads(text).entries
    return entry


def test_every_method_has_one_entry_that_parses(cat):
    keys = set()
    for method in cat.methods.values():
        entry = parsed(bibtex(method, cat))
        assert entry["ID"] == bibtex_key(method, cat) and entry["title"] and entry["year"].isdigit()
        assert entry["author"].count(" and ") >= (len(method.authors) > 1)
        keys.add(entry["ID"])
    assert len(keys) == 51


def test_the_entry_of_references_bib_is_preferred(cat):
    rows = [row for row in cat.survey["cite_key_map"] if row["slug"]]
    assert len(rows) == 30
    for row in rows:
        assert bibtex(cat.methods[row["slug"]], cat) == cat.references[row["bib"]].strip()


def test_without_references_the_record_is_enough(cat):
    class Bare:
        survey, references = {}, {}

    entry = parsed(bibtex(cat.methods["nuwa_xl"], Bare()))
    assert entry["ENTRYTYPE"] == "inproceedings" and entry["booktitle"] == "ACL 2023" and entry["year"] == "2023"
    assert entry["eprint"] == "2303.12346" and entry["archiveprefix"] == "arXiv"
    assert entry["author"].split(" and ") == list(cat.methods["nuwa_xl"].authors)
    pages = parsed(bibtex(cat.methods["styleinv"], Bare()))
    assert pages["pages"] == "22851--22861" and pages["booktitle"] == "ICCV 2023"
    assert 'H{\\"o}ppe' in bibtex(cat.methods["ramvid"], Bare()) and "@article" in bibtex(cat.methods["ramvid"], Bare())
    assert parsed(bibtex(cat.methods["lvdm"], Bare()))["ENTRYTYPE"] == "misc"
    renamed = parsed(bibtex(cat.methods["mtvg"], Bare()))
    assert "MTVG" in renamed["title"] and "booktitle" not in renamed and "MEVG" in renamed["note"]


def test_default_is_the_checkouts_own_references(cat):
    assert bibtex(cat.methods["nuwa_xl"]) == bibtex(cat.methods["nuwa_xl"], cat)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("Höppe", 'H{\\"o}ppe'),
        ("José", "Jos{\\'e}"),
        ("João", "Jo{\\~a}o"),
        ("Dvořák", "Dvo{\\v{r}}{\\'a}k"),
        ("Martí", "Mart{\\'{\\i}}"),
        ("Łukasz", "{\\L}ukasz"),
        ("Çelik", "{\\c{C}}elik"),
        (
            "a_b & 5% #1 $x^2~{y}",
            "a\\_b \\& 5\\% \\#1 \\$x\\textasciicircum{}2\\textasciitilde{}\\textbraceleft{}y\\textbraceright{}",
        ),
        ("李", "李"),
    ],
)
def test_latex(text, escaped):
    assert latex(text) == escaped


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_hostile_titles_and_names_still_parse(cat, text):
    class Bare:
        survey, references = {}, {}

    method = msgspec.structs.replace(cat.methods["fdm"], title=text, authors=[text, "A, B", "Smith and Sons"])
    assert parsed(bibtex(method, Bare()))["ID"].endswith("2022fdm")


def test_keys_are_never_given_twice(cat):
    fdm = cat.methods["vdm"]
    twin = msgspec.structs.replace(fdm, slug="v_dm", arxiv=None, title="Another")
    other = msgspec.structs.replace(twin, slug="vd_m", title="A third")
    entries = bibtexparser.loads(bibtex_for_all([fdm, twin, other], cat)).entries
    assert len(entries) == 3 and len({entry["ID"] for entry in entries}) == 3
    assert len(bibtexparser.loads(bibtex_for_all([fdm, fdm], cat)).entries) <= 2
