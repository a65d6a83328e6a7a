"""The page of the measures: its examples run, its formulas parse, what it links to is there."""

import importlib
import re
import subprocess
import sys

import pytest

from kiloframe.web import mathml


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs" / "measures.md").read_text("utf-8")


def test_examples_run(page, tmp_path):
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(examples) >= 2
    for code in examples:
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout and not done.stderr, done.stderr


def test_every_formula_becomes_mathml(page):
    made = mathml.convert(page, "docs/measures.md")
    assert made.count("<math") >= 20 and "$" not in re.sub(r"```.*?```", "", made, flags=re.DOTALL)


def test_code_facts_and_sections_that_it_links_to_exist(page, root):
    for name in set(re.findall(r"#(reproductions\.[\w.]+)\)", page)):
        module, _, last = name.rpartition(".")
        if not (root / f"{name.replace('.', '/')}.py").is_file():
            assert last in importlib.import_module(module).__all__, name
    for name in set(re.findall(r"\]\(metrics/(\w+)/index\.md", page)):
        assert (root / "catalogue" / "metrics" / f"{name}.yaml").is_file(), name
    titles = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    anchors = {re.sub(r"[^\w-]+", "-", title.lower()).strip("-") for title in titles}
    assert set(re.findall(r"\]\(#([\w-]+)\)", page)) <= anchors


def test_every_measure_says_what_not_to_conclude(page):
    parts = re.split(r"^### ", page.split("## Against the true frame")[1], flags=re.MULTILINE)[1:]
    assert len(parts) >= 14
    for part in parts:
        assert "conclude" in part or "weakness" in part, part[:30]
        assert "Code: [" in part, part[:30]
