"""What a method's page computes beside its record, and that it answers every question in order."""

import re
from html import unescape
from pathlib import Path

import msgspec
import pytest
from test_pages import fake_result, text_of, words

from kiloframe.cite import bibtex
from kiloframe.results import Media
from kiloframe.schema import Correction
from kiloframe.web import methods as method_pages
from kiloframe.web.cells import claim_cells
from kiloframe.web.method_page import checked, coded, film, named_by
from kiloframe.web.relations import difference, measured_by, nearest, neighbours, place

ORDER = ["what", "why", "how", "long", "results", "claims", "reproduction", "cite", "related", "sources"]


@pytest.fixture(scope="module")
def built(cat, tmp_path_factory):
    out = tmp_path_factory.mktemp("docs")
    run = fake_result(cat, ["held", "not held", "inconclusive"])
    run = msgspec.structs.replace(
        run,
        created="2026-11-25T10:00:00Z",
        media=[
            Media(file="a.mp4", kind="video", caption="Short.", alt="Short", poster="a.png", frames=8),
            Media(file="b.mp4", kind="video", caption="Long & odd.", alt='"Long"', poster="b.png", frames=128),
            Media(file="c.png", kind="image", caption="Still.", alt="Still"),
        ],
    )
    citations = {slug: bibtex(method, cat) for slug, method in cat.methods.items()}
    method_pages.write(cat, {"fdm": (run, cat.root.parent / "results", True)}, citations, out)
    return out


@pytest.fixture(scope="module")
def methods(cat):
    return dict(cat.methods.items())


@pytest.fixture(scope="module")
def names(cat):
    return {slug: dataset.name for slug, dataset in cat.datasets.items()}


def page_of(built, slug):
    return (built / "methods" / slug / "index.md").read_text("utf-8")


def test_every_page_answers_every_question_in_order(built, methods):
    for slug in methods:
        assert re.findall(r"^## .*\{ #(\w+) \}$", page_of(built, slug), re.M) == ORDER, slug
        jumps = page_of(built, slug).split('class="kf-jump"')[1].split("</nav>")[0]
        assert re.findall(r'<a href="#(\w+)">', jumps) == ORDER[:8]


def test_a_page_without_a_reproduction_says_so_and_names_the_closest_that_runs(built, methods):
    for slug in methods:
        text = text_of(built / "methods" / slug / "index.md")
        assert ("No reproduction yet." in text) == ("kiloframe run " + slug not in text)
        if "No reproduction yet." in text:
            assert (
                f"name the {'test' if len(methods[slug].claims) == 1 else f'{len(methods[slug].claims)} tests'}" in text
            )
    assert "that you can run here is FDM" in text_of(built / "methods/vdm/index.md")


def test_the_run_shows_its_longest_film_still_until_played(built):
    page = page_of(built, "fdm")
    (video,) = re.findall(r"<video[^>]*>", page)
    assert 'src="../../notebooks/fdm/fdm/b.mp4" poster="../../notebooks/fdm/fdm/b.png"' in video
    assert 'preload="none"' in video and "controls" in video and "autoplay" not in video
    assert "&#34;Long&#34;" in video and "Long &#38; odd." in page
    assert film(None) is None


def test_deviations_stand_on_the_page_and_the_code_is_a_click_away(built, root):
    text = text_of(built / "methods/fdm/index.md")
    listed = re.search(r"Deviations.*", (root / "reproductions/methods/fdm.py").read_text("utf-8"))
    assert listed and re.search(r"\d+ deviations", text)
    assert '<a href="../../reproductions/fdm/index.html">The code, line by line</a>' in page_of(built, "fdm")


def test_backticks_become_code_and_nothing_else_does():
    assert str(coded("a `b_c` <d> `e")) == "a <code>b&#95;c</code> &#60;d&#62; &#96;e"


def test_a_claim_leads_to_the_cell_that_judged_it(built, root, cat):
    cells = claim_cells(root / "results" / "fdm.ipynb")
    page = unescape(page_of(built, "fdm"))
    tested = [claim for claim in fake_result(cat, ["held"] * 3).claims if claim.id in cells]
    assert tested
    for claim in tested:
        assert f'href="../../notebooks/fdm/index.html#cell-{cells[claim.id]}"' in page


def test_every_judged_claim_has_a_cell(root):
    from kiloframe.results import read_result

    for file in sorted((root / "results").glob("*.json")):
        assert set(claim_cells(file.with_suffix(".ipynb"))) == {claim.id for claim in read_result(file).claims}
    assert claim_cells(root / "results" / "nothing.ipynb") == {}


def test_source_marks_name_the_field(built, methods):
    text = page_of(built, "nuwa_xl")
    for field in ("long_video_definition", "longest_shown", "training.clip_frames", "datasets", "results"):
        assert f"Field: {field.replace('_', '&#95;')}." in text
    assert unescape(text).count("Field: claims: ") == len(methods["nuwa_xl"].claims) == text.count('class="kf-claim"')


def test_reporting_names_file_and_command(built):
    text = text_of(built / "methods/sora/index.md")
    assert "catalogue/methods/sora.yaml" in text and "type kiloframe lint" in text
    assert 'data-kf-report="methods/sora"' in page_of(built, "sora")


# --- dates --------------------------------------------------------------------------------------------------------


def test_last_verified_is_what_the_facts_say_and_unknown_stays_unknown(cat, built):
    method = cat.methods["fdm"]
    run = (msgspec.structs.replace(fake_result(cat, ["held"]), created="2026-11-25T10:00:00Z"), Path(), True)
    assert [row.date for row in checked(method, None)] == [method.code_status.date, None]
    assert [row.date for row in checked(method, run)] == [method.code_status.date, "2026-11-25", None]
    mended = msgspec.structs.replace(method, history=[Correction(date="2026-12-24", what="x")])
    assert "2026-12-24" in [row.date for row in checked(mended, None)]
    text = text_of(built / "methods/fdm/index.md")
    assert f"Last verified {method.code_status.date}" in text and "day not recorded : all other facts" in text


# --- relations ----------------------------------------------------------------------------------------------------


def test_differences_are_computed_from_both_records(methods, names):
    line = difference(methods["nuwa_xl"], methods["tats"], names)
    assert line.startswith("same: divide and conquer; spatial autoregressive instead of diffusion")
    assert "earlier (2022-04)" in line and "image" in line
    back = difference(methods["tats"], methods["nuwa_xl"], names)
    assert "diffusion instead of spatial autoregressive" in back and "later (2023-03)" in back
    assert "FlintstonesHD" in difference(methods["nuwa_xl"], methods["phenaki"], names)
    assert "shows 960 frames (here 1024)" in difference(methods["nuwa_xl"], methods["phenaki"], names)


def test_both_paradigms_share_each(methods, names):
    assert methods["fdm"].paradigm.editors.value == "both"
    assert difference(methods["fdm"], methods["nuwa_xl"], names).startswith(
        "same: divide and conquer, diffusion; not the"
    )
    assert "also the other paradigm" in difference(methods["nuwa_xl"], methods["fdm"], names)


def test_neither_paradigm_is_not_put_in_place_of_one(methods, names):
    assert methods["sora"].paradigm.editors.value == "other"
    assert "divide and conquer; GAN instead of diffusion" in difference(methods["sora"], methods["longvideogan"], names)
    assert "neither paradigm; diffusion instead of GAN" in difference(methods["longvideogan"], methods["sora"], names)


def test_what_is_unknown_is_not_compared(methods, names):
    silent = next(m for m in methods.values() if m.longest_shown.frames is None and m.longest_shown.seconds is None)
    assert "shows" not in difference(methods["nuwa_xl"], silent, names)


def test_neighbours_are_the_named_then_the_naming_then_the_nearest(methods, names):
    pointing = named_by(methods)
    for slug, method in methods.items():
        found = neighbours(method, methods, pointing[slug], names)
        slugs = [other.slug for other in found]
        named = {pointer.ref for pointer in method.related if pointer.ref}
        assert slug not in slugs and len(slugs) == len(set(slugs)) and named | set(pointing[slug]) <= set(slugs)
        reasons = [other.why for other in found]
        assert reasons == sorted(reasons, key=["named by this record", "names this one", "close by its facts"].index)
        assert all(other.differs and "\n" not in other.differs for other in found)
    assert "nuwa_xl" in pointing["tats"]


def test_the_nearest_share_most_and_never_nothing(methods):
    closest = nearest(methods["lvdm"], methods, list(methods), 5)
    assert "videofusion" in closest and "lvdm" not in closest
    assert nearest(methods["lvdm"], methods, [], 3) == []


def test_the_place_by_length_counts_only_known_lengths(methods):
    first = place(methods["fdm"], methods)
    assert first.rank == 1 and first.unit == "frames" and first.known < len(methods)
    assert place(methods["sora"], methods).unit == "seconds"
    silent = [slug for slug, method in methods.items() if place(method, methods) is None]
    assert all(methods[slug].longest_shown.frames is None for slug in silent)


def test_who_measures_a_method_is_read_from_the_results(methods, built):
    assert measured_by(methods["fdm"], methods) == ["nuwa_xl"]
    assert words("Papers that measure it as something to compare with: NUWA-XL") in text_of(
        built / "methods/fdm/index.md"
    )
