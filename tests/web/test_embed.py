"""Pieces of a run inside a hand-written page."""

from pathlib import Path

import pytest

from kiloframe.errors import UserError
from kiloframe.results import Measure, Media, Result
from kiloframe.web import embed
from kiloframe.web.front import fill, page_depth

RESULT = Result(
    slug="worlds", title="The worlds", scale="toy", seed=0, seeds=[0, 1], created="2026-11-25T12:00:00Z",
    machine="a machine", command="kiloframe run worlds",
    measures=[
        Measure(id="speed", subject="rooms", name="speed", value=2345.6, values=[2345.6], unit="frames/s"),
        Measure(id="error", subject="rooms", name="error", value=0.125, values=[0.1, 0.15], low=-0.2,
                high=0.4, interval="95 % t interval over 2 seeds"),
    ],
    media=[
        Media(file="rooms.mp4", kind="video", caption="A <b>walk</b>.", alt="A walk", poster="rooms.png"),
        Media(file="map.svg", kind="image", caption="The map.", alt="A map"),
    ],
)  # fmt: skip


def page(text, depth=1):
    return fill(text, embed.parts({"worlds": (RESULT, Path("results"), True)}, depth), "docs/worlds.md")


def test_media_are_shown_where_the_notebook_page_keeps_them():
    film = page("<!-- kf:media worlds rooms -->", depth=2)
    assert (
        'src="../../notebooks/worlds/worlds/rooms.mp4"' in film
        and 'poster="../../notebooks/worlds/worlds/rooms.png"' in film
    )
    assert "A &lt;b&gt;walk&lt;/b&gt;." in film and "controls" in film and "autoplay" not in film
    assert '<img src="../notebooks/worlds/worlds/map.svg" alt="A map"' in page("<!-- kf:media worlds map -->")


def test_numbers_come_with_unit_and_interval():
    assert page("<!-- kf:number worlds rooms speed -->") == "2,346 frames/s"
    assert page("<!-- kf:number worlds rooms error -->") == "0.125 (-0.2 to 0.4, 95 % t interval over 2 seeds)"


def test_the_run_is_named():
    line = page("<!-- kf:made worlds -->")
    assert (
        "2026-11-25" in line
        and "<code>kiloframe run worlds</code>" in line
        and "../notebooks/worlds/index.html" in line
    )


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ("media worlds room", r"'room' is not a picture or film of the run worlds; nearest: rooms; allowed: map"),
        ("number worlds rooms sped", r"'rooms sped' is not a measure of the run worlds; .*rooms speed"),
        ("media worlds", r"the part 'media' cannot be made"),
        ("film worlds rooms", r"nothing makes the part 'film worlds rooms'; there are: made, media, number"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_names_file_and_line(part, sentence):
    with pytest.raises(UserError, match=r"docs/worlds\.md:3: .*" + sentence):
        page(f"one\n\n<!-- kf:{part} -->")


def test_what_was_not_run_says_so():
    for part in ("media rooms map", "number rooms a b", "made rooms"):
        assert "not run yet; type <code>kiloframe run rooms</code>" in page(f"<!-- kf:{part} -->")


def test_the_exact_measures_of_a_world_come_from_its_code():
    from reproductions.measures.exact import quantities

    table = page("<!-- kf:quantities stories -->")
    assert all(f">{q.name}</th>" in table for q in quantities("stories")) and table.count("<tr>") == 13
    rooms = page("<!-- kf:quantities rooms -->")
    assert "<code>motion</code>" in rooms and "`" not in rooms
    with pytest.raises(UserError, match=r"docs/worlds\.md:1: .*'storys' is not a world; nearest: stories"):
        page("<!-- kf:quantities storys -->")


def test_how_deep_a_page_lies():
    assert [page_depth(Path(name)) for name in ("index.md", "worlds.md", "a/index.md", "a/b.md")] == [0, 1, 1, 2]
