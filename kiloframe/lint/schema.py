"""Rule: a record holds what kiloframe.schema allows, nothing else, and nothing is missing."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import date
from typing import Any

import msgspec

from kiloframe.factfiles import KINDS, FactFiles, Path_, Problem

__all__ = ["check", "json_schema"]

_TYPES = {
    "string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
    "array": "a list", "object": "a mapping", "null": "null",
}  # fmt: skip


def json_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a kind of record (`methods`, `datasets` or `metrics`)."""
    (schema,), components = msgspec.json.schema_components([KINDS[kind]], ref_template="#/$defs/{name}")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "$defs": components}


def check(facts: FactFiles) -> Iterator[Problem]:
    """Unknown and missing keys, wrong types, values out of their enum with the nearest allowed one."""
    from jsonschema import Draft202012Validator

    for kind in KINDS:
        validator = Draft202012Validator(json_schema(kind))
        for record in facts.of(kind):
            for error in validator.iter_errors(record.data):
                for path, message in _explain(error):
                    yield record.problem(path, message)
    if facts.survey and not isinstance(facts.survey.data, dict):
        yield facts.survey.problem((), "must be a mapping")


def _explain(error: Any) -> Iterator[tuple[Path_, str]]:
    """One jsonschema error as (path, sentence) pairs, with what is allowed and the nearest match."""
    path: Path_ = tuple(error.absolute_path)
    rule, allowed = error.validator, error.validator_value
    if rule == "anyOf":  # `X or null`: report why it is not X
        options = [s for s in allowed if s.get("type") != "null"]
        inner = [e for e in error.context if e.schema_path[0] == allowed.index(options[0])] if options else []
        if len(options) == 1 and inner:
            for sub in inner:
                yield from _explain(sub)
            return
        kinds = [_TYPES.get(s.get("type", ""), s.get("$ref", "").rsplit("/", 1)[-1]) for s in allowed]
        yield path, f"{_short(error.instance)} is not allowed; expected {' or '.join(kinds)}"
    elif rule == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        for key in error.instance:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                yield (*path, key), f"unknown key {key!r}; {hint}allowed keys: {', '.join(known)}"
    elif rule == "enum":
        near = difflib.get_close_matches(str(error.instance), [str(a) for a in allowed], 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        yield path, f"{_short(error.instance)} is not allowed; {hint}allowed values: {', '.join(map(str, allowed))}"
    elif rule == "required":
        missing = [key for key in allowed if key not in error.instance]
        if missing and error.message.startswith(repr(missing[0])):  # jsonschema reports each missing key once
            yield path, f"missing {'key' if len(missing) == 1 else 'keys'}: {', '.join(missing)}"
    elif rule == "type":
        kinds = [_TYPES.get(kind, kind) for kind in (allowed if isinstance(allowed, list) else [allowed])]
        quotes = "; put it in quotes" if kinds == ["text"] and isinstance(error.instance, int | float | date) else ""
        yield path, f"{_short(error.instance)} is not {' or '.join(kinds)}{quotes}"
    elif rule == "pattern":
        about = error.schema.get("description", f"text that matches {allowed}")
        yield path, f"{_short(error.instance)} does not fit; expected {about}"
    elif rule in ("minLength", "minItems"):
        yield path, "must not be empty"
    else:
        yield path, error.message


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
