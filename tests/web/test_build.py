"""Building: whole or not at all, one sentence per fault; and serving what was built."""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kiloframe.errors import UserError
from kiloframe.web import check_port, serve
from kiloframe.web.front import fill
from kiloframe.web.hooks import from_disk, navigation
from kiloframe.web.reference import modules
from kiloframe.web.server import server
from kiloframe.web.site import build, render, summary, swapped
from kiloframe.web.sources import opening

ROOT = Path(__file__).resolve().parents[2]


# --- whole or not at all ------------------------------------------------------------------------------------------


def test_a_folder_is_swapped_only_when_whole(tmp_path):
    place = tmp_path / "site"
    for text in ("first", "second"):
        with swapped(place) as new:
            (new / "index.html").write_text(text)
            assert not place.exists() or (place / "index.html").read_text() == "first"
        assert (place / "index.html").read_text() == text
    with pytest.raises(RuntimeError), swapped(place) as new:
        (new / "index.html").write_text("broken")
        raise RuntimeError
    assert (place / "index.html").read_text() == "second"
    assert list((tmp_path / "build").iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "build").write_text("a file in the way")
    with pytest.raises(UserError, match="cannot be written"), swapped(tmp_path / "site"):
        pass


def test_importing_the_package_is_cheap():
    heavy = ["mkdocs", "torch", "pandas", "nbformat", "jinja2"]
    code = f"import sys, kiloframe.web; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


# --- mkdocs -------------------------------------------------------------------------------------------------------


@pytest.fixture
def frame(tmp_path):
    """A folder that mkdocs can render with our settings: one page."""
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    shutil.copytree(ROOT / "kiloframe" / "web", tmp_path / "kiloframe" / "web")
    docs = tmp_path / "build" / "docs"
    shutil.copytree(ROOT / "docs" / "assets", docs / "assets")
    (docs / "index.md").write_text("# Home\n\n[here](index.md)\n")
    return tmp_path


def test_a_broken_link_is_refused_with_the_page_that_holds_it(frame, tmp_path):
    (frame / "build" / "docs" / "index.md").write_text("# Home\n\n[there](nowhere.md)\n")
    with pytest.raises(
        UserError, match=r"mkdocs refused the site: .*index\.md.*nowhere\.md.*kiloframe site$"
    ) as caught:
        render(frame, tmp_path / "out", strict=True)
    assert "\n" not in str(caught.value)


def test_the_summary_prefers_our_own_sentence():
    log = "INFO - x\nTraceback (most recent call last):\nkiloframe.errors.UserError: "
    assert summary(log + "a.py:3: the formula 'x_' does not parse") == "a.py:3: the formula 'x_' does not parse"
    two = "WARNING -  Doc file 'a.md' contains a link.\nWARNING -  other\nAborted with 2 warnings in strict mode!"
    assert "'a.md' contains a link (and 1 more)" in summary(two)
    assert "ImportError: x" in summary("Traceback\nImportError: x\n") and "nothing" in summary("")


def test_without_a_checkout_there_is_no_site(tmp_path):
    with pytest.raises(UserError):
        build(tmp_path, progress=False)


@pytest.mark.parametrize("address", [None, "https://a.example/kf/"])
def test_an_address_makes_addresses_whole_and_a_sitemap(frame, tmp_path, address):
    settings = (frame / "mkdocs.yml").read_text("utf-8")
    docs = frame / "build" / "docs"
    (docs / "index.md").write_text('# Home\n\n<p><span class="kf-report" data-kf-report="methods/fdm"></span></p>\n')
    if address:
        settings = settings.replace("# site_url: https://example.org/kiloframe/", f"site_url: {address}")
        settings = settings.replace("# repo_url: https://example.org", "repo_url: https://b.example")
    (frame / "mkdocs.yml").write_text(settings, "utf-8")
    site = tmp_path / "out"
    render(frame, site, strict=False)
    front = (site / "index.html").read_text("utf-8")
    head = front.partition("</head>")[0]
    assert f'property="og:image" content="{address or ""}assets/cards/index.png"' in head
    assert (
        ('property="og:url"' in head)
        == ('rel="canonical"' in head)
        == (site / "sitemap.xml").is_file()
        == bool(address)
    )
    assert ('href="https://b.example/' in front and "/issues/new?title=fdm" in front) == bool(address)
    assert "kf-report" not in front and (site / "kiloframe-site.zip").is_file()


# --- pages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("../a/", "../a/index.html"),
        (".", "./index.html"),
        ("../..", "../../index.html"),
        ("a/#x", "a/index.html#x"),
        ("a/?q=1", "a/index.html?q=1"),
        ("a/b.html", "a/b.html"),
        ("api/v1/m.json", "api/v1/m.json"),
        ("#x", "#x"),
        ("https://example.org/", "https://example.org/"),
        ("/", "/"),
    ],
)
def test_links_to_folders_name_their_page(written, shown):
    assert from_disk(f'<a class="x" href="{written}">y</a>') == f'<a class="x" href="{shown}">y</a>'


def test_the_navigation_is_made_from_the_pages(tmp_path):
    for name in ("index.md", "query.md", "methods/index.md", "methods/b/index.md", "methods/a/index.md", "about.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert navigation(tmp_path) == [
        {"Home": "index.md"},
        {"Methods": ["methods/index.md", "methods/a/index.md", "methods/b/index.md"]},
        {"Guide": "query.md"},
        {"About": "about.md"},
    ]
    studies = ("notebooks/worlds/index.md", "notebooks/zoo/index.md")  # there are no such methods
    for name in ("worlds/index.md", "notebooks/a/index.md", *studies):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert {"Reproductions": ["notebooks/zoo/index.md", "notebooks/a/index.md"]} in navigation(tmp_path)
    assert {"Worlds and measures": ["worlds/index.md", "notebooks/worlds/index.md"]} in navigation(tmp_path)


def test_an_unknown_generated_part_names_file_and_line():
    assert fill("a <!-- kf:counts --> b", {"counts": "3"}, "docs/x.md") == "a 3 b"
    with pytest.raises(UserError, match=r"docs/x\.md:2: nothing makes the part 'cuonts'; there are: counts"):
        fill("a\n<!-- kf:cuonts -->", {"counts": "3"}, "docs/x.md")


def test_every_public_module_of_a_folder_is_documented():
    assert "reproductions.methods.fdm" in modules(ROOT, "reproductions.methods.*")
    assert modules(ROOT, "kiloframe.schema") == ["kiloframe.schema"] and modules(ROOT, "kiloframe.nothing") == []


def test_the_opening_of_a_method_file_is_read():
    said = opening(ROOT / "reproductions" / "methods" / "fdm.py")
    assert "arXiv 2205.11495" in said.paper and said.idea.startswith("A network")
    assert [item.number for item in said.deviations] == list(range(1, len(said.deviations) + 1))
    assert len(said.deviations) >= 5 and all(item.paper and item.here for item in said.deviations)


@pytest.mark.parametrize(("text", "fault"), [("x = 1\n", "no docstring"), ("def (", "not Python")])
def test_a_method_file_without_an_opening_is_refused(tmp_path, text, fault):
    (tmp_path / "m.py").write_text(text)
    with pytest.raises(UserError, match=fault):
        opening(tmp_path / "m.py")


# --- serving ------------------------------------------------------------------------------------------------------


@pytest.fixture
def served(tmp_path):
    """The port of a server for a folder with one page and ten bytes of video."""
    (tmp_path / "index.html").write_text("<p>home")
    (tmp_path / "v.mp4").write_bytes(b"0123456789")
    with server(tmp_path, 0) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running.server_address[1]
        running.shutdown()


@pytest.mark.parametrize(
    ("asked", "status", "body", "told"),
    [
        ("bytes=2-5", 206, b"2345", "bytes 2-5/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=4-99", 206, b"456789", "bytes 4-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("lines=1-2", 200, b"0123456789", None),
        (None, 200, b"0123456789", None),
    ],
)
def test_videos_can_be_sought(served, asked, status, body, told):
    connection = http.client.HTTPConnection("127.0.0.1", served, timeout=10)
    connection.request("GET", "/v.mp4", headers={"Range": asked} if asked else {})
    answer = connection.getresponse()
    assert (answer.status, answer.read(), answer.getheader("Content-Range")) == (status, body, told)
    assert answer.getheader("Content-Type") == "video/mp4" or status == 416
    connection.close()


def test_a_taken_port_is_a_clear_error(capsys, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert check_port(port) == 2
        assert capsys.readouterr().err == f"port {port} is taken; type: make demo PORT={port + 1}\n"
        (tmp_path / "index.html").touch()
        with pytest.raises(UserError, match=f"port {port} is taken"):
            serve(tmp_path, port)
    assert check_port(port) == 0


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_number_that_is_no_port_is_refused(port, capsys):
    assert check_port(port) == 2 and "not a port" in capsys.readouterr().err


def test_serving_needs_a_site(tmp_path):
    with pytest.raises(UserError, match=r"there is no site in .*; type: kiloframe site"):
        serve(tmp_path, 8000)


def test_ctrl_c_ends_the_server_cleanly(tmp_path):
    (tmp_path / "index.html").touch()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = f"from kiloframe.web import serve; serve({os.fspath(tmp_path)!r}, {port})"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert f"http://127.0.0.1:{port}/" in process.stdout.readline()
    process.send_signal(2)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "") and "Stopped" in out
