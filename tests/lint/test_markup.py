import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiloframe.lint import markup


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FDM <img src=x onerror=alert(1)>", "an HTML tag ('<img src=')"),
        ("<script>alert(1)</script>", "an HTML tag ('<script>')"),
        ("</script >", "an HTML tag ('</script >')"),
        ("<x-y onclick=go()>", "an event handler ('<x-y onclick=')"),
        ("a <!-- hidden --> b", "an HTML comment ('<!')"),
        ("[FDM](javascript:alert)", "a script address ('javascript:')"),
        ("JavaScript\t:go", "a script address ('JavaScript\\t:')"),
        ("data:text/html;base64,AA", "a script address ('data:text/')"),
        ("[FDM](file:///etc/passwd)", "a link that is not http(s) ('](file:///etc/passwd)')"),
        ("[FDM](/local)", "a link that is not http(s) ('](/local)')"),
        ("[1]: /local", "a link that is not http(s) ('[1]: ')"),
        ("red \x1b[31m", "a control character ('\\x1b')"),
        ("bell\x07", "a control character ('\\x07')"),
        ("evil\u202etxt", "an invisible or direction-changing character ('\\u202e')"),
        ("zero\u200bwidth", "an invisible or direction-changing character ('\\u200b')"),
    ],
)
def test_hostile_texts(text, found):
    assert markup.hostile(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "a < b, c > d, z_<t, p(x_<t | y), i < s. First",
        "<split>/<id>/<frame:06d>.jpg, <bos> <task>",
        "sum [sin, cos]( Omega*(x,y)^T + b )",
        "see [the page](https://example.org/a_(b)) and <https://example.org>",
        "data: images and text",
        "論文 Fréchet é α\nnext line",
    ],
)
def test_plain_texts(text):
    assert markup.hostile(text) is None


@given(
    st.text(st.characters(codec="ascii", categories=["L", "N"]) | st.sampled_from(" <>=.,()\n")).filter(
        lambda t: "<" not in t
    )
)
def test_text_without_angle_brackets_is_never_a_tag(text):
    assert markup.hostile(text) is None


def test_the_record_and_the_field_are_named(problems_of):
    assert problems_of(markup.check, "methods/fdm") == []
    assert problems_of(markup.check, "methods/fdm", ("name: FDM", "name: FDM <b>bold</b>")) == [
        "catalogue/methods/fdm.yaml:3: name: an HTML tag ('<b>') is not allowed; facts are plain text"
    ]
    change = ("citation", "citation")
    assert problems_of(markup.check, "survey", ("title: 'A Survey", "title: '<i>A Survey"))[0].startswith(
        "catalogue/survey.yaml:1: title: an HTML tag ('<i>')"
    ), change


def test_keys_are_looked_at_too(problems_of):
    change = ("definition:\n", "definition:\n  <b>: 1\n")
    assert problems_of(markup.check, "metrics/fvd", change)[0].endswith(
        "an HTML tag ('<b>') is not allowed; facts are plain text"
    )


def test_the_bibliography_too(fact_files):
    facts = fact_files._replace(records=[], survey=None, references={"key": "@misc{key, title = {<script>}}"})
    assert [str(problem) for problem in markup.check(facts)] == [
        "catalogue/references.bib:1: key: an HTML tag ('<script>') is not allowed"
    ]
