import json

import pytest
from jsonschema import Draft202012Validator

from kiloframe.factfiles import read_facts
from kiloframe.lint import schema_files

NAMES = ["method.json", "dataset.json", "metric.json"]


@pytest.mark.parametrize("name", NAMES)
def test_the_files_are_valid_schemas_that_help_in_an_editor(root, name):
    schema = json.loads((root / "catalogue" / "schema" / name).read_text())
    Draft202012Validator.check_schema(schema)
    definitions = schema["$defs"].values()
    assert all(entry.get("description") for entry in definitions), "every record says what it is"
    assert all(entry["additionalProperties"] is False for entry in definitions)


def test_the_files_are_fresh(fact_files):
    assert list(schema_files.check(fact_files)) == []


def test_stale_and_missing_files_are_named_and_mended(catalogue_copy):
    folder = catalogue_copy / "schema"
    before = (folder / "method.json").read_bytes()
    (folder / "method.json").write_text("{}")
    (folder / "metric.json").unlink()
    facts = read_facts(catalogue_copy)
    assert [str(problem) for problem in schema_files.check(facts)] == [
        "catalogue/schema/method.json:1: is not what kiloframe/schema.py gives; type: kiloframe lint --fix",
        "catalogue/schema/metric.json:1: the file is missing; type: kiloframe lint --fix",
    ]
    assert schema_files.fix(facts) == ["catalogue/schema/method.json", "catalogue/schema/metric.json"]
    assert (folder / "method.json").read_bytes() == before and list(schema_files.check(facts)) == []
