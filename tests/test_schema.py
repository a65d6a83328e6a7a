import inspect

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator

from kiloframe import schema
from kiloframe.factfiles import KINDS
from kiloframe.lint import formatting, run
from kiloframe.lint.schema import json_schema

RECORDS = [
    value
    for value in vars(schema).values()
    if inspect.isclass(value) and issubclass(value, schema.Record) and value is not schema.Record
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_record_is_strict_frozen_and_explained(record):
    assert record.__struct_config__.forbid_unknown_fields and record.__struct_config__.frozen
    assert record.__doc__ and "\n\n" not in record.__doc__[:1]
    with pytest.raises(msgspec.ValidationError, match=r"unknown field|missing required field"):
        msgspec.convert({"zebra": 1}, record)


@pytest.mark.parametrize("kind", KINDS)
def test_the_json_schema_agrees_with_what_loads(kind, fact_files):
    validator = Draft202012Validator(json_schema(kind))
    record = fact_files.of(kind)[0].data
    assert validator.is_valid(record) and msgspec.convert(record, KINDS[kind], strict=True).slug == record["slug"]
    for key in record:
        short = {k: v for k, v in record.items() if k != key}
        optional = key in ("history", "attribution_note")
        assert validator.is_valid(short) == optional, key
        if not optional:
            with pytest.raises(msgspec.ValidationError):
                msgspec.convert(short, KINDS[kind], strict=True)
        if key != "definition":  # free-form
            assert not validator.is_valid({**record, key: {"zebra": 1}}), key


def test_the_template_passes_the_schema_and_explains_every_key(root):
    text = (root / "catalogue" / "TEMPLATE.yaml").read_text()
    data = yaml.safe_load(text)
    assert list(Draft202012Validator(json_schema("methods")).iter_errors(data)) == []
    assert [*data, "history"] == list(schema.Method.__struct_fields__)
    assert "`history`" in text
    assert formatting.canonical(text, "methods") == text
    for enum in (schema.Paradigm, schema.Generator, schema.Control, schema.CodeState, schema.Rule, schema.Role):
        assert all(value in text for value in enum.__args__), enum


def test_a_copy_of_the_template_says_only_what_must_be_changed(root, catalogue_copy):
    text = (root / "catalogue" / "TEMPLATE.yaml").read_text()
    (catalogue_copy / "methods" / "x.yaml").write_text(text)
    problems = run(catalogue_copy).problems
    assert {problem.file for problem in problems} == {"catalogue/methods/x.yaml"}
    asked = {problem.field for problem in problems if problem.message.startswith("still to be filled in")}
    rest = {problem.field: problem.message for problem in problems if problem.field not in asked}
    assert len(asked) == text.count("'FILL IN") + 1  # the mechanism is a block
    assert rest == {
        "slug": "the slug 'my_method' must equal the file name 'x'; rename the file or the slug",
        "first_public": "'2000-01' is the template's date; write the real one",
        "code_status.date": "'2000-01-01' is the template's date; write the real one",
        "arxiv": "'0000.00000' is no arXiv id: its third and fourth digits are the month",
    }
