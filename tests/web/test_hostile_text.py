"""No text of a fact file becomes markup: neither HTML, nor Markdown, nor a directive of an extension or theme."""

import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import markdown
import pytest
import yaml
from hostile import HOSTILE, poisoned

from kiloframe.web import pages
from kiloframe.web.markdown import escape, lines, number, plain, safe_url, sentence


class Tags(HTMLParser):
    """Collects the elements, their attributes and the text of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_data(self, data):
        self.text.append(data)


def rendered(text, root):
    """The HTML of one page by the extensions that mkdocs.yml names."""
    settings = yaml.safe_load((root / "mkdocs.yml").read_text(encoding="utf-8"))["markdown_extensions"]
    names = [next(iter(entry)) if isinstance(entry, dict) else entry for entry in settings]
    options = {name: entry[name] for entry in settings if isinstance(entry, dict) for name in entry}
    body = text.split("---\n", 2)[2]
    return markdown.markdown(body, extensions=[*names, "pymdownx.snippets"], extension_configs=options)


def parsed(html):
    tags = Tags()
    tags.feed(html)
    return tags


@pytest.fixture(scope="module")
def hostile(cat, tmp_path_factory):
    """The folder of all pages, where one method, one data set and one metric are hostile throughout."""
    methods, datasets, metrics = dict(cat.methods.items()), dict(cat.datasets.items()), dict(cat.metrics.items())
    methods["nuwa_xl"] = poisoned(methods["nuwa_xl"])
    datasets["ucf_101"] = poisoned(datasets["ucf_101"])
    metrics["fvd"] = poisoned(metrics["fvd"])
    survey = dict(cat.survey, errors=[dict(cat.survey["errors"][0], printed=HOSTILE), *cat.survey["errors"][1:]])
    false = SimpleNamespace(
        methods=methods, datasets=datasets, metrics=metrics, survey=survey, references=cat.references, root=cat.root
    )
    out = tmp_path_factory.mktemp("hostile")
    written = pages.write_all(false, {}, out)
    return out, written


HOSTILE_PAGES = [
    "methods/nuwa_xl", "methods", "datasets/ucf_101", "datasets", "metrics/fvd", "metrics", "survey/slips",
    "survey/members", "survey/tables", "survey/lengths", "survey/timeline",
    "survey/disagreements", "methods/fdm", "choose", "claims", "compare",
    "compare/reproduced-1", "level-field",
]  # fmt: skip


@pytest.mark.parametrize("folder", HOSTILE_PAGES)
def test_hostile_text_stays_text(hostile, root, folder):
    text = (hostile[0] / folder / "index.md").read_text(encoding="utf-8")
    tags = parsed(rendered(text, root))
    assert not {"script", "img", "iframe", "object", "style", "input", "em", "del", "mark"} & set(tags.tags)
    assert not [a for a in tags.attributes if a[1].startswith("on")]
    links = [value for _, name, value in tags.attributes if name in ("href", "src")]
    assert not [link for link in links if not re.fullmatch(r"(https?://|#|[a-z0-9_./-]+([#?]|$))[^\s<>\"]*", link)]


def test_hostile_text_stays_text_in_the_data_of_scripts(hostile):
    def kept(name):
        text = (hostile[0] / "assets" / f"{name}.js").read_text(encoding="utf-8")
        assert "<" not in text
        assert name == "methods-text" or "\u202e" not in text  # that text is searched, never shown
        return json.loads(text.partition(" = ")[2].removesuffix(";\n"))

    shown = []
    for html, _ in kept("compare-data")["methods"]["nuwa_xl"]["cells"]:  # the one script whose data is HTML
        tags = parsed(html)
        assert set(tags.tags) <= {"a", "span"}
        assert not [value for _, name, value in tags.attributes if name.startswith("on") or "script" in (value or "")]
        shown.append("".join(tags.text))
    assert sum(HOSTILE.replace("\u202e", "") in text for text in shown) > 5
    assert len(kept("methods-data")["rows"]) == len(kept("methods-text"))


def test_hostile_text_shows_in_full(hostile, root):
    html = rendered((hostile[0] / "methods/nuwa_xl/index.md").read_text(encoding="utf-8"), root)
    shown = "".join(parsed(html).text)
    assert shown.count(HOSTILE.replace("\u202e", "")) > 20 and "\u202e" not in shown
    for line in ("```python", '--8<-- "README.md"', "# heading", "::: kiloframe.load", "x_t = a < b"):
        assert line in shown
    assert "<pre><code># Python" not in html and "import os" in shown


def test_front_matter_holds_no_markup(hostile):
    for path in hostile[1].paths:
        if path.suffix == ".md":
            front = yaml.safe_load(path.read_text(encoding="utf-8").split("---\n", 2)[1])
            assert not set('<>"&{}') & set(front["title"] + front["description"]), path


def test_hostile_text_survives_in_json(hostile):
    record = json.loads((hostile[0] / "api/v1/methods/nuwa_xl.json").read_text(encoding="utf-8"))["record"]
    assert record["distinguishing"] == HOSTILE


def test_mathematics_shows_exactly(root):
    mathematics = "d2 = |m1 - m2|^2 + x_t * y_t < z_{t-1} & *a* [b](c) <i> 2*3*4 ~x~ ^y^ \\alpha `q`"
    for wrapped in (f"<p>{escape(mathematics)}</p>", f"# {escape(mathematics)}", f"{escape(mathematics)}"):
        assert mathematics in "".join(parsed(rendered("---\n---\n" + wrapped, root)).text)


def test_none_never_reaches_a_page():
    with pytest.raises(ValueError, match="unknown"):
        escape(None)


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "data:text/html,x", "//evil.example", "https:///x", 'https://a/"onclick', "ftp://a/b", None,
     "https://a b/", "http://[broken", " https://a.example", "vbscript:x", "HTTPS"],
)  # fmt: skip
def test_only_web_addresses_become_links(url):
    assert safe_url(url) is None


def test_web_addresses_pass():
    assert safe_url("https://arxiv.org/abs/2303.12346#x") == "https://arxiv.org/abs/2303.12346#x"


def test_lines_join_wrapped_prose_and_keep_formulas():
    long = "word " * 20 + "end"
    text = (
        f"{long}\ngoes on here\n  y = a x + b\nshort\nnext\n\n"
        f"- item {long}\n  continues\n  x    aligned column\n         more of it\n"
    )
    blocks = lines(text)
    kinds = [[line.kind for line in block] for block in blocks]
    assert kinds == [["", "kf-formula", "", ""], ["kf-item", "kf-formula"]]
    assert blocks[0][0].text.endswith("end goes on here") and blocks[0][1] == ("y = a x + b", 2, "kf-formula")
    assert blocks[1][0].text.endswith("end continues") and blocks[1][1].text.endswith("column more of it")


def test_no_word_of_a_mechanism_is_lost(cat):
    for method in cat.methods.values():
        shown = " ".join(line.text for block in lines(method.mechanism) for line in block)
        assert shown.split() == method.mechanism.split(), method.slug


def test_numbers_and_sentences():
    assert [number(x) for x in (None, 3, 3.0, 0.25, 12345, 9999, "about 5")] == [
        "unknown", "3", "3", "0.25", "12\u202f345", "9999", "about 5",
    ]  # fmt: skip
    assert sentence("a model of time") == "a model of time" and sentence("time is long") == "Time is long"
    assert sentence("x_t is noisy") == "x_t is noisy"
    assert plain('a <b> & "c"') == "a ‹b› + ”c”"
