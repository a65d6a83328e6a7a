import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kiloframe.factfiles import read_facts
from kiloframe.lint import formatting

BAD = """# yaml-language-server: $schema=../schema/method.json
# A comment at the top.
name: "FDM"
slug:   'fdm'
urls: {code: null, paper: "https://a.org", project: ~}   # beside a mapping
authors: ["A", 'B']
# above a field
mechanism: "first\\nsecond\\n"
results:
- metric: {ref: fvd}
  value: 267.0  # as printed
  dataset: null
"""
GOOD = """# yaml-language-server: $schema=../schema/method.json
# A comment at the top.
slug: fdm
name: FDM
authors:
  - A
  - B
# above a field
urls:
  paper: https://a.org
  project: null
  code: null # beside a mapping
results:
  - dataset: null
    metric:
      ref: fvd
    value: 267.0 # as printed
mechanism: |
  first
  second
"""


def test_canonical_form_keeps_data_and_comments():
    result = formatting.canonical(BAD, "methods")
    assert yaml.safe_load(result) == yaml.safe_load(BAD) == yaml.safe_load(GOOD)
    assert sorted(formatting._comments(result)) == sorted(formatting._comments(BAD))
    assert list(yaml.safe_load(result)) == ["slug", "name", "authors", "urls", "results", "mechanism"]
    assert formatting.canonical(result, "methods") == result


def test_the_modeline_is_added():
    assert formatting.canonical("slug: kth\n", "datasets") == (
        "# yaml-language-server: $schema=../schema/dataset.json\nslug: kth\n"
    )


SCALARS = st.none() | st.booleans() | st.integers(-999, 9999) | st.floats(-1e6, 1e6) | st.text(max_size=60)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=5), SCALARS | st.lists(SCALARS, max_size=3), max_size=4))
def test_canonical_form_is_stable_and_never_changes_data(data):
    text = yaml.safe_dump(data, allow_unicode=True)
    try:
        once = formatting.canonical(text, "survey")
    except formatting.CannotFormatError:
        return  # refusing is always allowed
    assert yaml.safe_load(once) == data
    assert formatting.canonical(once, "survey") == once


@pytest.mark.parametrize("word", ["yes", "off", "1:30", "2024-03-25", "0x1f", "1_000", "null", "~", "1e3", ".5"])
def test_words_that_yaml_would_read_otherwise_are_quoted(word):
    text = formatting.canonical(yaml.safe_dump({"a": word}), "survey")
    assert yaml.safe_load(text) == {"a": word}


def test_problem_and_repair(catalogue_copy):
    file = catalogue_copy / "methods" / "fdm.yaml"
    before = file.read_text()
    file.write_text(before.replace("name: FDM", 'name: "FDM"').replace("\nvenue:", "\n# where it appeared\nvenue:"))
    facts = read_facts(catalogue_copy)
    facts = facts._replace(records=[r for r in facts.records if r.file.stem == "fdm"], survey=None)
    assert [str(problem) for problem in formatting.check(facts)] == [
        "catalogue/methods/fdm.yaml:3: is not in canonical form; type: kiloframe lint --fix"
    ]
    assert formatting.fix(facts) == (["catalogue/methods/fdm.yaml"], [])
    assert file.read_text() == before.replace("\nvenue:", "\n# where it appeared\nvenue:")
    assert formatting.fix(facts) == ([], [])


def test_a_file_that_would_lose_a_comment_is_left_alone(catalogue_copy, monkeypatch):
    facts = read_facts(catalogue_copy)
    facts = facts._replace(records=facts.records[:1], survey=None)
    before = facts.records[0].file.read_text()
    monkeypatch.setattr(formatting, "_comments", lambda text, seen=[]: seen.append(1) or ["x"] * len(seen))
    changed, left = formatting.fix(facts)
    assert changed == [] and "losing a comment" in left[0].message
    assert facts.records[0].file.read_text() == before


def test_without_semaphores_one_process_does_it_all(root, monkeypatch):
    def none_here(max_workers):
        raise NotImplementedError("no semaphores")

    monkeypatch.setattr(formatting, "ProcessPoolExecutor", none_here)
    monkeypatch.setattr(formatting, "canonical", lambda text, kind: text)
    facts = read_facts(root / "catalogue")
    assert len(facts.records) > 20 and list(formatting.check(facts)) == []
