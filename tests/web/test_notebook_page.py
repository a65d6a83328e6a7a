"""An executed notebook becomes a page; one that failed, or did not run to its end, is refused."""

import nbformat
import pytest

import kiloframe
from kiloframe.errors import UserError
from kiloframe.results import ClaimResult, Result
from kiloframe.web.notebooks import convert_notebook, safe_html, write_page

new = nbformat.v4
VIDEO = '<video src="fdm/clip.mp4" poster="fdm/clip.png" autoplay></video>'


@pytest.fixture
def write(tmp_path):
    """Writes a notebook of the given cells to fdm.ipynb."""

    def writer(*cells):
        path = tmp_path / "fdm.ipynb"
        nbformat.write(new.new_notebook(cells=list(cells)), path)
        return path

    return writer


def ran(source, *outputs, tags=()):
    return new.new_code_cell(source, outputs=list(outputs), execution_count=1, metadata={"tags": list(tags)})


def test_cells_and_outputs_become_markdown(write, tmp_path):
    path = write(
        new.new_markdown_cell("# Title\n\nNoise $x_t$."),
        ran("seed = 0", tags=["parameters"]),
        ran("print(1)", *(new.new_output("stream", name="stdout", text=f"{number}\n") for number in (1, 2))),
        ran("work()", new.new_output("stream", name="stderr", text="a progress bar")),
        ran("show()", new.new_output("display_data", {"text/html": VIDEO, "text/plain": "<Video>"})),
        ran("figure", new.new_output("execute_result", {"image/svg+xml": "<svg/>"}, execution_count=1)),
        ran("say", new.new_output("display_data", {"text/markdown": "**held** at $0.5$"})),
    )  # fmt: skip
    text = convert_notebook(path, tmp_path, "fdm")
    assert text.startswith("# Title") and "<math" in text and "```python\nprint(1)\n```" in text
    assert "kf-output}\n1\n2\n```" in text and "progress" not in text and "<Video>" not in text
    assert '<video src="fdm/clip.mp4" poster="fdm/clip.png" controls playsinline preload="metadata">' in text
    assert (tmp_path / "fdm" / "cell-6-0.svg").read_text() == "<svg/>" and 'src="fdm/cell-6-0.svg"' in text
    assert "**held** at <math" in text and 'id="cell-3"' in text
    assert '??? note "Parameters, with their defaults"\n\n    ```python\n    seed = 0\n    ```' in text


def test_code_that_holds_fences_stays_in_one_block(write, tmp_path):
    text = convert_notebook(write(ran('x = """\n```\n"""')), tmp_path, "fdm")
    assert "````python\nx" in text


def test_a_failed_cell_is_refused(write, tmp_path):
    error = new.new_output("error", ename="ValueError", evalue="too\nlong", traceback=[])
    with pytest.raises(
        UserError, match=r"cell 1: the run failed \(ValueError: too\), so it is not published"
    ) as caught:
        convert_notebook(write(ran("boom()", error)), tmp_path, "fdm")
    assert "kiloframe run fdm" in str(caught.value)


def test_a_cell_that_never_ran_is_refused(write, tmp_path):
    with pytest.raises(UserError, match="cell 2 was never executed"):
        convert_notebook(write(ran("a"), new.new_code_cell("b")), tmp_path, "fdm")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"cells": 3}', b"\xff\xfe"])
def test_a_damaged_notebook_is_one_sentence(tmp_path, content):
    (tmp_path / "fdm.ipynb").write_bytes(content)
    with pytest.raises(UserError, match=r"is not a notebook .* kiloframe run fdm$") as caught:
        convert_notebook(tmp_path / "fdm.ipynb", tmp_path, "fdm")
    assert "\n" not in str(caught.value)


def test_a_missing_notebook_says_what_to_type(tmp_path):
    with pytest.raises(UserError, match="make it again with: kiloframe run fdm"):
        convert_notebook(tmp_path / "fdm.ipynb", tmp_path, "fdm")


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<style>body{display:none}</style>",
        '<img src="https://example.org/a.png">',
        "<video src=//example.org/a.mp4></video>",
        '<video poster="data:image/png;base64,AA"></video>',
        '<img src=x onerror="alert(1)">',
        '<a href="javascript:alert(1)">x</a>',
        '<iframe src="x"></iframe>',
        "<div style='position:fixed'>x</div>",
    ],
)
def test_html_of_a_notebook_is_made_harmless(html):
    clean = safe_html(html)
    for word in (
        "<script",
        "alert",
        "<style",
        "display",
        "example.org",
        "data:",
        "onerror",
        "javascript:",
        "<iframe",
        "fixed",
    ):
        assert word not in clean


def test_harmless_html_stays():
    table = safe_html(
        '<table class="x"><tr><th scope="row">a</th><td colspan="2">1 &lt; 2</td></tr></table>\n\n<b>x</b>'
    )
    assert 'scope="row"' in table and 'colspan="2"' in table and "1 &lt; 2" in table and "\n\n" not in table
    assert 'loading="lazy"' in safe_html('<img src="fdm/a.svg" alt="A">')


@pytest.mark.parametrize(("frozen", "said"), [(True, "Frozen result"), (False, "Fresh run")])
def test_the_page_says_where_its_numbers_come_from(write, tmp_path, frozen, said):
    folder = write(new.new_markdown_cell("# FDM at work\n\nText."), ran("print(1)")).parent
    (folder / "fdm").mkdir()
    (folder / "fdm" / "clip.mp4").write_bytes(b"video")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "fdm.py").write_text("# script\n")
    claim = ClaimResult(
        id="a-claim", verdict="not held", measure="m", subject="s", baseline_subject="b", value=1.0, baseline=2.0,
        values=[1.0], baseline_values=[2.0], seeds=[0], difference=-1.0, low=None, high=None, rule="r",
        reason="1 < 2 & so on.",
    )  # fmt: skip
    result = Result(
        slug="fdm", title="FDM", scale="toy", seed=3, seeds=[3, 4, 5], measures=[], claims=[claim], seconds=61.7,
        command="kiloframe run fdm -p seed=3", created="2026-11-25T10:00:00+00:00", machine="2 cores",
        versions={"torch": "2.13.0"},
    )  # fmt: skip
    docs = tmp_path / "docs"
    write_page(kiloframe.load(), result, folder, frozen, tmp_path, docs)
    page = (docs / "notebooks" / "fdm" / "index.md").read_text("utf-8")
    for words in (
        said,
        "3, 4, 5",
        "62 s",
        "2026-11-25 10:00:00",
        "2 cores",
        "torch 2.13.0",
        "kiloframe run fdm -p seed=3",
    ):
        assert words in page
    assert "# FDM at work\n" in page and page.index("kf-runbox") < page.index("Text.")
    assert "kf-verdict-not-held" in page and "1 &lt; 2 &amp; so on." in page
    for name in ("fdm.py", "fdm.ipynb", "fdm/clip.mp4"):
        assert (docs / "notebooks" / "fdm" / name).is_file()
