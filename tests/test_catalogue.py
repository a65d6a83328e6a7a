"""Loading, look-ups, filters, lengths and explanations."""

import itertools
import json
import os
import shutil
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kiloframe
from kiloframe import UserError, snapshot
from kiloframe.lengths import figure1, longest


def in_fresh_python(folder, code):
    """Run code with the package of `folder` and return what it printed."""
    env = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd="/", env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


COUNT = "import kiloframe; cat = kiloframe.load(); print(len(cat.methods), cat.root, kiloframe.__file__)"


@pytest.fixture
def checkout(tmp_path, root):
    """A checkout of its own, in a folder whose name has spaces, with a snapshot."""
    folder = tmp_path / "my check out"
    shutil.copytree(root / "kiloframe", folder / "kiloframe", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(root / "catalogue", folder / "catalogue")
    assert in_fresh_python(folder, COUNT) == f"51 {folder}/catalogue {folder}/kiloframe/__init__.py"
    return folder


# --- loading ------------------------------------------------------------------------------------------------------


def test_everything_is_there(cat, root):
    assert (len(cat.methods), len(cat.datasets), len(cat.metrics)) == (51, 30, 19)
    assert cat.root == root / "catalogue"
    assert cat.survey["arxiv"] == "2403.16407" and "yin2023nuwaxl" in cat.references
    assert "51 methods" in repr(cat)


def test_a_changed_file_and_a_damaged_snapshot_are_compiled_anew(checkout):
    kept = checkout / "build" / "facts.msgpack"
    whole = kept.read_bytes()
    for damaged in (
        b"",
        whole[:1000],
        whole[:-1],
        whole[:-9] + b"xxxxxxxxx",
        b"kiloframe-facts 1",
        whole.split(b"\n")[0],
    ):
        kept.write_bytes(damaged)
        assert snapshot.read_snapshot(kept) is None
    assert in_fresh_python(checkout, COUNT).startswith("51 ")
    assert kept.read_bytes() == whole
    fact_file = checkout / "catalogue" / "methods" / "fdm.yaml"
    fact_file.write_text(fact_file.read_text().replace("name: FDM", "name: FDM anew"))
    assert in_fresh_python(checkout, "import kiloframe; print(kiloframe.load().methods['fdm'].name)") == "FDM anew"
    fact_file.unlink()
    (checkout / "catalogue" / "survey.yaml").unlink()
    assert "damaged" in in_fresh_python(
        checkout, "import kiloframe\ntry: kiloframe.load()\nexcept kiloframe.UserError as e: print(e)"
    )


def test_a_snapshot_that_does_not_decode_is_compiled_anew(checkout):
    import zlib

    kept = checkout / "build" / "facts.msgpack"
    header = kept.read_bytes().split(b"\n")[0].split(b" ", 3)
    data = b"\x81\xa1a\x01"  # whole msgpack, but not our facts
    kept.write_bytes(b" ".join([*header[:2], b"%08x" % zlib.crc32(data), header[3]]) + b"\n" + data)
    assert snapshot.read_snapshot(kept) is not None
    assert in_fresh_python(checkout, COUNT).startswith("51 ")


def test_a_checkout_without_a_writable_build_folder_works(checkout):
    shutil.rmtree(checkout / "build")
    (checkout / "build").write_text("a file where the folder would be")
    assert in_fresh_python(checkout, COUNT).startswith("51 ")


def test_an_installed_package_reads_its_own_facts_beside_an_unrelated_catalogue(checkout, tmp_path):
    site = tmp_path / "site-packages"
    shutil.move(checkout / "kiloframe", site / "kiloframe")
    shutil.move(checkout / "build" / "facts.msgpack", site / "kiloframe" / "facts.msgpack")
    (site / "catalogue").mkdir()
    (site / "catalogue" / "__init__.py").write_text("")
    assert in_fresh_python(site, COUNT).startswith("51 None ")
    (site / "kiloframe" / "facts.msgpack").write_bytes(b"broken")
    said = in_fresh_python(site, "import kiloframe\ntry: kiloframe.load()\nexcept kiloframe.UserError as e: print(e)")
    assert "pip install --force-reinstall" in said


def test_a_folder_elsewhere_and_what_is_none(catalogue_copy, tmp_path, cat):
    other = kiloframe.load(catalogue_copy)
    assert other.root == catalogue_copy and other.facts.methods == cat.facts.methods
    with pytest.raises(UserError, match=r"not a catalogue folder: it needs survey\.yaml"):
        kiloframe.load(tmp_path)


def test_bad_facts_name_file_line_and_field(catalogue_copy):
    file = catalogue_copy / "methods" / "fdm.yaml"
    lines = file.read_text().splitlines()
    at = lines.index("first_public: 2022-05")
    lines[at] = "first_public: yesterday"
    file.write_text("\n".join(lines))
    with pytest.raises(UserError, match=rf"^catalogue/methods/fdm\.yaml:{at + 1}: first_public: .*YYYY-MM"):
        kiloframe.load(catalogue_copy)


# --- look-ups -----------------------------------------------------------------------------------------------------


def test_one_record_by_any_spelling(cat):
    for spelling in ("nuwa_xl", "nuwa-xl", "NUWA-XL", " Nuwa XL "):
        assert cat.methods[spelling].slug == "nuwa_xl" and spelling in cat.methods
    assert cat.datasets["UCF-101"].slug == "ucf_101" and cat.metrics["b-fvd"].slug == "b_fvd"
    assert "nuwa" not in cat.methods and cat.methods.get("nuwa") is None and 3 not in cat.methods
    assert list(cat.methods) == sorted(cat.methods) == [m.slug for m in cat.methods.values()]


def test_unknown_slugs_suggest(cat):
    with pytest.raises(UserError, match=r"'nuwa' is not a method .*nearest: nuwa_.*allowed: art_v, "):
        cat.methods["nuwa"]
    with pytest.raises(UserError, match=r"'ucf101' is not a data set .*nearest: ucf_101"):
        cat.datasets["ucf101"]


# --- filters ------------------------------------------------------------------------------------------------------


def test_paradigm_and_generator_in_both_readings(cat):
    divide = cat.methods.where(paradigm="divide_and_conquer")
    assert divide.keys() == {
        m.slug for m in cat.methods.values() if m.paradigm.editors.value in ("divide-and-conquer", "both")
    }
    assert "fdm" in divide and "fdm" in cat.methods.where(paradigm="Temporal-Autoregressive")
    both = cat.methods.where(paradigm="both")
    assert {m.paradigm.editors.value for m in both.values()} == {"both"}
    survey = cat.methods.where(paradigm="divide-and-conquer", by="survey")
    assert survey.keys() == {"nuwa_xl", "tats", "longvideogan", "cogvideo", "beyond_a_single_clip"}
    assert all(m.generator.survey for m in cat.methods.where(generator="gan", by="survey").values())


def test_each_filter_keeps_what_it_says(cat):
    keep = cat.methods.where
    assert keep(dataset="UCF-101").keys() >= {"tats", "pvdm", "digan"} and "fdm" not in keep(dataset="ucf_101")
    assert "nuwa_xl" in keep(metric="b-fvd")
    assert (
        keep(control=["camera-pose", "layout"]).keys()
        == keep(control="camera_pose").keys() | keep(control="layout").keys()
    )
    assert len(keep(membership="survey-text")) == 30 and len(keep(membership="editors")) == 21
    assert {m.first_public[:4] for m in keep(year="2021-2022").values()} == {"2021", "2022"}
    assert keep(year=2023) == keep(year="2023") and len(keep(year=[2022, 2023])) == len(keep(year="2022-2023"))
    assert "ramvid" in keep(text="hoppe") and keep(text="2303.12346").keys() == {"nuwa_xl"}
    assert keep(text="MASK coarse_to-fine").keys() >= {"nuwa_xl"} and not keep(text="zebra unicorn")
    assert (
        keep(reproduction=True).keys() >= {"fdm"} and len(keep(reproduction=True)) + len(keep(reproduction=False)) == 51
    )
    assert keep(verdict="not_run").keys() | keep(verdict=["held", "not held", "inconclusive"]).keys() == set(
        cat.methods
    )
    assert "fdm" in keep(verdict="held") and "sora" not in keep(verdict="held")
    assert keep(code=["full", "partial"]).keys() == {
        m.slug for m in cat.methods.values() if m.code_status.value in ("full", "partial")
    }


def test_lengths_convert_only_with_the_records_own_rate(cat):
    fdm, nuwa, gaia = (cat.methods[slug] for slug in ("fdm", "nuwa_xl", "gaia_1"))
    assert longest(fdm)[1:7] == ("seconds", 1500, 15000, 1500, 10, "frames")
    assert longest(fdm, shown=True)[1:7] == ("seconds", 3600, 36000, 3600, 10, "frames")
    assert longest(nuwa)[1:7] == ("frames", 1024, 1024, None, None, None)
    assert longest(nuwa, shown=True).locator == "paper Table 1; Fig 4 caption"
    assert longest(gaia)[1:5] == (None, None, None, None)
    assert "fdm" in cat.methods.where(min_frames=15000, max_frames=15000)
    assert "fdm" not in cat.methods.where(min_frames=15001) and "fdm" in cat.methods.where(min_frames=15001, shown=True)
    assert "nuwa_xl" not in cat.methods.where(min_seconds=0, shown=True)


def test_a_number_beside_no_definition_is_no_definition(cat):
    assert cat.methods["longvideogan"].long_video_definition.stated is False
    assert longest(cat.methods["longvideogan"])[1:5] == (None, None, None, None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"paradigm": "divide"},
            "nearest: divide-and-conquer; allowed: divide-and-conquer, temporal-autoregressive, both",
        ),
        ({"generator": ["gan", "gna"]}, "'gna' is not a generator; nearest: gan; allowed: diffusion"),
        ({"dataset": "ucf"}, "'ucf' is not a data set; nearest: ucf_101; allowed: acid, "),
        ({"metric": 3}, "'3' is not a metric; allowed: "),
        ({"by": "me"}, "allowed: editors, survey"),
        ({"min_frames": "many"}, "min_frames is 'many'; it takes a number from 0 up"),
        ({"max_seconds": float("nan")}, "max_seconds is nan"),
        ({"min_seconds": True}, "min_seconds is True"),
        ({"year": "22"}, "such as 2023 or a span such as 2022-2023"),
        ({"year": "2023-2021"}, "2021-2023"),
        ({"text": 3}, "it takes words"),
        ({"reproduction": "yes"}, "it takes True or False"),
        ({"shown": 1}, "shown is 1"),
        ({"verdict": "hold"}, "'hold' is not a verdict; nearest: held, not-held; allowed: held, not-held, "),
    ],
)
def test_bad_filters_say_what_is_allowed(cat, given, said):
    with pytest.raises(UserError) as error:
        cat.methods.where(**given)
    assert said in str(error.value) and "\n" not in str(error.value)


CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "paradigm": st.sampled_from(["divide-and-conquer", "temporal_autoregressive", "both", "other"]),
        "generator": st.lists(st.sampled_from(["diffusion", "gan", "mask_modeling"]), min_size=1),
        "dataset": st.sampled_from(["ucf_101", "sky-timelapse", "taichi_hd"]),
        "min_frames": st.integers(0, 2000),
        "max_seconds": st.floats(0, 4000),
        "year": st.integers(2021, 2024),
        "text": st.sampled_from(["diffusion", "temporal attention", "frame"]),
        "code": st.sampled_from(["unknown", "partial", "full"]),
    },
)


@given(a=CONDITIONS, b=CONDITIONS)
def test_conditions_compose(cat, a, b):
    chained = cat.methods.where(**a).where(**b)
    assert chained == cat.methods.where(**b).where(**a)
    if not a.keys() & b.keys():
        assert chained == cat.methods.where(**a, **b)
    assert chained.keys() <= cat.methods.where(**a).keys()


# --- Figure 1 and explanations --------------------------------------------------------------------------------------


def test_figure1_counts_ours_beside_the_surveys(cat):
    found = figure1(cat)
    assert found.survey == (51, 29, 7, 22, 22)
    stated = [d for m in cat.methods.values() if (d := m.long_video_definition).stated and d.value is not None]
    assert found.ours.with_length == len(stated) == found.ours.by_duration + found.ours.by_frames
    assert found.ours.by_duration == sum(d.unit == "seconds" for d in stated)
    assert found.ours.without_length == 51 - len(stated) == found.calls_long + found.does_not + found.unknown
    assert [unit for unit, _ in itertools.groupby(row.unit for row in found.rows)] == ["frames", "seconds", None]
    assert len(found.rows) == 51
    assert all(row.locator and row.seen for row in found.rows)


def test_explanations_name_place_and_person(cat):
    frames = cat.explain("nuwa-xl", "longest-shown.frames")
    assert frames[:5] == ("nuwa_xl", "longest_shown.frames", 1024, "paper Table 1; Fig 4 caption", "primary")
    assert cat.explain("nuwa_xl", "results[3].value").locator == cat.methods["nuwa_xl"].results[3].locator
    claim = cat.explain("nuwa_xl", "claims.parallel_depth")
    assert claim.field == "claims.parallel-depth" and claim.value["says"].startswith("filling all gaps")
    paradigm = cat.explain("fdm", "paradigm")
    assert (paradigm.value, paradigm.by) == ("both", "editor") and "the survey puts it under no heading" in paradigm.why
    assert "sec. 3.1" in cat.explain("nuwa_xl", "paradigm.survey").locator
    assert "arxiv.org/abs/2303.12346" in cat.explain("nuwa_xl", "title").locator
    assert cat.explain("nuwa_xl", "code_status").locator == "looked at on 2026-11-22"
    assert cat.explain("ucf-101", "facts.fps").seen == "secondary"
    assert cat.explain("fdm", "datasets.gqn-mazes").value["role"] == "both"


def test_every_field_of_every_record_can_be_explained(cat):
    for records in (cat.methods, cat.datasets, cat.metrics):
        for slug, record in records.items():
            for field in record.__struct_fields__:
                found = cat.explain(slug, field) if field != "attribution_note" else None
                assert found is None or (found.locator and json.dumps(found.value) is not None)


@pytest.mark.parametrize(
    ("slug", "field", "said"),
    [
        ("nuwa_xl", "longest", "nearest: longest_shown, .*allowed: slug, name, title"),
        ("nuwa_xl", "longest_shown.frame", "nuwa_xl, longest_shown has no field 'frame'; nearest: frames"),
        ("nuwa_xl", "results[99]", "nearest|has no"),
        ("nuwa_xl", "title.x", "single value; ask for title"),
        ("nuwa_xl", "", "allowed: slug"),
        ("nuwa", "title", "'nuwa' is not in the catalogue; nearest: nuwa"),
    ],
)
def test_unknown_fields_suggest(cat, slug, field, said):
    with pytest.raises(UserError, match=said):
        cat.explain(slug, field)
