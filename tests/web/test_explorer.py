"""What the table of methods knows beside its cells: the values of facets, rows and exports are those of the library."""

import json

import pytest

from kiloframe import filters
from kiloframe.web import explorer
from kiloframe.web.verdicts import judged


@pytest.fixture(scope="module")
def claims(cat):
    from kiloframe.sources import latest_result

    return {slug: judged(method, latest_result(slug)) for slug, method in cat.methods.items()}


@pytest.fixture(scope="module")
def facets(cat, claims):
    return {facet.key: facet for facet in explorer.facets(cat, claims)}


def where(cat, key, value, **more):
    """What the library answers to one value of a facet."""
    given = {"yes": True, "no": False}[value] if key == "reproduction" else value
    return list(cat.methods.where(**{key: given}, **more))


def test_every_option_of_every_facet_means_what_the_library_means(cat, facets):
    slugs = list(cat.methods)
    for key, facet in facets.items():
        assert facet.options and len(facet.values) == len(slugs)
        for value, label in facet.options:
            found = [slug for slug, values in zip(slugs, facet.values, strict=True) if value in values]
            assert found == where(cat, key, value), (key, value)
            assert label
        told = {value for value, _ in facet.options}
        assert {value for values in facet.values for value in values} <= told, key


@pytest.mark.parametrize("key", ["paradigm", "generator"])
def test_the_surveys_reading_is_that_of_the_library(cat, facets, key):
    for value, _ in facets[key].options:
        found = [slug for slug, values in zip(cat.methods, facets[key].survey, strict=True) if value in values]
        assert found == where(cat, key, value, by="survey"), value


def test_rows_and_columns_are_those_of_the_command(cat, claims, kf):
    data = explorer.data(cat, claims, dict.fromkeys(cat.methods, "@misc{x}"))
    code, out, err = kf("list", "--columns", ",".join(data["names"]), "--format", "json")
    assert (code, err) == (0, "")
    assert [dict(zip(data["names"], row, strict=True)) for row in data["rows"]] == json.loads(out)
    sortable = {column["sort"] for column in data["columns"]} | set(data["sorts"])
    assert sortable <= set(data["names"]), "the page can sort only by what it has"


def test_no_two_methods_share_a_built_key(cat):
    """The page joins entries as they are; kiloframe.cite would give the second one a letter."""
    from kiloframe.cite import bibtex, bibtex_for_all

    assert (
        bibtex_for_all(cat.methods.values(), cat)
        == "\n\n".join(dict.fromkeys(bibtex(method, cat).strip() for method in cat.methods.values())) + "\n"
    )


def test_the_text_that_is_searched_is_that_of_the_library(cat, claims, tmp_path):
    data, text = explorer.write(cat, claims, dict.fromkeys(cat.methods, ""), tmp_path)
    searched = json.loads(text.read_text("utf-8").removeprefix("window.kfMethodsText = ").removesuffix(";\n"))
    assert searched == [filters.searched(method) for method in cat.methods.values()]
    assert data.read_text("utf-8").startswith("window.kfMethods = {")


def test_data_in_a_script_cannot_end_it():
    made = explorer.script("x", {"a": "</script><!--"})
    assert "<" not in made and json.loads(made.removeprefix("window.x = ").removesuffix(";\n")) == {
        "a": "</script><!--"
    }
