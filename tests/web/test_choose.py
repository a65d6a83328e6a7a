"""Which method for my case: the ready cases ask what their commands ask."""

import shlex
from html import unescape

import pytest

from kiloframe.web import choose


@pytest.mark.parametrize("case", choose.CASES, ids=lambda case: case.title)
def test_a_ready_case_its_command_and_the_library_agree(cat, kf, case):
    import json

    code, out, _ = kf(*shlex.split(choose.command(case))[1:], "--format", "json")
    assert code == 0
    assert [record["slug"] for record in json.loads(out)] == choose.answer(cat.methods, case)


def test_ready_cases_answer_something_and_say_what_they_ask(cat):
    assert all(choose.answer(cat.methods, case) for case in choose.CASES)
    assert choose.Case("x", min_frames=1, control="text").query() == "min_frames=1&control=text&shown=1"
    assert choose.Case("x", code=("full", "partial"), reproduction=True).query() == "code=full,partial&reproduction=yes"


def test_the_page_holds_every_fact_that_decides(cat, tmp_path):
    (page,) = choose.write(cat, tmp_path)
    text = unescape(page.read_text("utf-8"))
    assert text.count("<tr data-slug=") == len(cat.methods)
    for method in cat.methods.values():
        assert method.longest_shown.locator in text and method.code_status.date in text
        if method.training.steps_or_compute:
            assert method.training.steps_or_compute in text
