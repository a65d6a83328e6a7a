"""The site, built once from a copy of the checkout and served; a Chromium that drives it."""

import json
import resource
import shutil
import threading
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

from kiloframe.results import ClaimResult, Measure, Media, Result, write_result
from kiloframe.web import build
from kiloframe.web.server import server

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("catalogue", "docs", "kiloframe", "notebooks", "reproductions", "results")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


def sample_run(folder):
    """A run of fdm with the shape of a real one, for checkouts whose results/ holds none."""
    from reproductions.video import write_video

    media = folder / "fdm"
    media.mkdir(parents=True)
    frames = np.zeros((40, 3, 16, 16), np.float32)
    for t in range(40):
        x = int(6 + 5 * np.sin(t / 4))
        frames[t, :, 5:10, x : x + 4] = [[[0.9]], [[0.5]], [[0.2]]]
    write_video(media / "clip.mp4", frames, fps=10, scale_up=12)
    Image.fromarray((frames[0].transpose(1, 2, 0) * 255).astype(np.uint8)).resize((192, 192), 0).save(
        media / "clip.png"
    )
    (media / "plan.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 30"><path d="M5 5h80v20z"/></svg>'
    )
    claim = ClaimResult(
        id="long-range-beats-autoregressive", verdict="held", measure="error", subject="long-range",
        baseline_subject="autoregressive", value=0.1, baseline=0.2, values=[0.1] * 3, baseline_values=[0.2] * 3,
        seeds=[0, 1, 2], difference=-0.1, low=-0.12, high=-0.08, rule="the interval excludes 0",
        reason="0.10 against 0.20 over 3 seeds.", better="lower",
    )  # fmt: skip
    result = Result(
        slug="fdm", title="FDM", scale="toy", seed=0, seeds=[0, 1, 2], claims=[claim], seconds=61.2,
        measures=[Measure(id="e", subject="long-range", name="error", value=0.1, values=[0.1] * 3)],
        media=[Media(file="clip.mp4", kind="video", caption="A square.", alt="Square", poster="clip.png", frames=40)],
        command="kiloframe run fdm", created="2026-11-25T10:00:00Z", machine="2 cores", versions={"torch": "2.13.0"},
    )  # fmt: skip
    write_result(result, folder / "fdm.json")
    new = nbformat.v4
    video = (
        '<figure><video src="fdm/clip.mp4" poster="fdm/clip.png"></video><figcaption>A square.</figcaption></figure>'
    )
    text = "# Flexible diffusion\n\nNoise is $x_t = (1-t)x_0 + t\\epsilon$.\n\n$$\\frac{1}{\\max(t, 0.2)^2}$$"
    shown, printed = (
        new.new_output("display_data", {"text/html": video}),
        new.new_output("stream", name="stdout", text="2"),
    )
    cells = [
        new.new_markdown_cell(text),
        new.new_code_cell("seed = 0", execution_count=1, metadata={"tags": ["parameters"]}),
        new.new_code_cell("show(clip)", execution_count=2, outputs=[shown]),
        new.new_code_cell("print(1 + 1)", execution_count=3, outputs=[printed]),
        new.new_markdown_cell("## The plan\n\n![Which frames are made when](fdm/plan.svg)"),
    ]  # fmt: skip
    notebook = new.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    nbformat.write(notebook, folder / "fdm.ipynb")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """A copy of what the site is made from, in a folder whose path has a space."""
    copy = tmp_path_factory.mktemp("a checkout")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    for file in [*ROOT.glob("*.md"), ROOT / "mkdocs.yml", ROOT / "pyproject.toml"]:
        shutil.copy(file, copy / file.name)
    if not (copy / "results" / "fdm.json").is_file():
        sample_run(copy / "results")
    return copy


def processor_seconds():
    """What this process and those it waited for have used so far."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in used)


@pytest.fixture(scope="session")
def built(checkout):
    """The folder of the built site, and the processor seconds that building it took."""
    before = processor_seconds()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1764000000")
        folder = build(checkout, progress=False)
    return folder, processor_seconds() - before


@pytest.fixture(scope="session")
def site(built):
    """The folder of the built site."""
    return built[0]


@pytest.fixture(scope="session")
def address(site):
    """The address the site is served at, without a slash at its end."""
    with server(site, 0) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


@pytest.fixture(scope="session")
def chromium():
    """A running Chromium; the tests fail where there is none."""
    path = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail(
            "the browser tests need Chromium; install it (Debian, Ubuntu: sudo apt-get install chromium; "
            "macOS: brew install --cask chromium)",
            pytrace=False,
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Opens pages as a person would; at the end, no page may have asked another host or complained on the console."""
    contexts, foreign, complaints = [], [], []

    def opener(url, **options):
        context = chromium.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        contexts.append(context)
        page = context.new_page()

        def asked(request):
            parts = urlsplit(request.url)
            if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
                foreign.append(request.url)

        page.on("request", asked)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield opener
    for context in contexts:
        context.close()
    assert foreign == []
    assert complaints == []


@pytest.fixture(scope="session")
def records(site):
    """Every method's record, from the site's own JSON."""
    return json.loads((site / "api" / "v1" / "methods.json").read_text("utf-8"))["records"]
