"""Formulas in Markdown become MathML; what is not a formula stays; what does not parse is an error with its place."""

from xml.etree import ElementTree

import markdown
import pytest

from kiloframe.errors import UserError
from kiloframe.web.docstrings import spaced_lists
from kiloframe.web.mathml import convert, formula


def test_inline_and_display_formulas_become_mathml():
    text = convert("Noise $x_t$ here.\n\n$$\n\\frac{a}{b}\n$$\n", "page.md")
    assert "$" not in text and text.count("<math") == 2
    assert 'display="inline"' in text and 'display="block"' in text and "<mfrac>" in text


def test_a_formula_that_begins_a_line_stays_in_its_paragraph():
    html = markdown.markdown(convert("the speed\n$p$ and phase $q$ of\n$d$.", "page.md"), extensions=["md_in_html"])
    assert html.count("<p>") == 1 and html.count("<math") == 3


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $6.",
        "`$x$` and ``a $y$ b``",
        "```sh\necho $HOME $PATH\n```\n",
        "~~~~\n$x$\n~~~~\n",
        "> ```sh\n> echo $A $B\n> ```\n",
        r"an escaped \$x\$ stays",
        "<!-- $x$ -->",
        "no dollar",
    ],
)
def test_what_is_no_formula_stays(text):
    assert convert(text, "page.md") == text


@pytest.mark.parametrize(
    "tex", [r"\frac{1}", r"x^{2", r"\nosuchcommand x", "x_", r"\left( x", "x^a^b", r"\sqrt{", r"a } b"]
)
def test_a_formula_that_does_not_parse_names_file_and_line(tex):
    with pytest.raises(UserError, match=r"^docs/a\.md:3: the formula .* does not parse") as caught:
        convert(f"one\n\nthree ${tex}$ end\n", "docs/a.md")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "tex", [r"a \in \{1, 2\}", r"\mathbb{E}_q\left[\lVert x\rVert^2\right]", r"\hat{x}_\theta(x_t, t)"]
)
def test_usual_formulas_parse_and_are_well_formed(tex):
    assert ElementTree.fromstring(formula(tex, True, "here")).tag.endswith("math")


def test_markdown_finds_nothing_to_emphasise_in_a_formula():
    made = formula(r"a * b * \text{a_b_c}", False, "here")
    shown = "".join(ElementTree.fromstring(made).itertext())
    raw = made.replace("</", "").replace("<", "")
    assert "*" in shown and "_" in shown and "*" not in raw and "_" not in raw


def test_lists_in_docstrings_get_the_empty_line_markdown_wants():
    assert (
        spaced_lists("Deviations:\n 1. one\n    more\n 2. two\nend") == "Deviations:\n\n1. one\n    more\n2. two\nend"
    )
