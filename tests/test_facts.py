"""The facts themselves: all there, none empty. Each test lists every bad record at once."""

import re
from collections import Counter

import yaml

# The sections of the survey that sort methods, and what they say.
GENERATOR_SECTIONS = {"3.3": "diffusion", "3.4": "spatial-autoregressive", "3.5": "gan", "3.6": "mask-modeling"}
# Methods whose generator the survey's text names under no such heading (sec. 3.1 and 4.1).
GENERATOR_IN_TEXT = {"beyond_a_single_clip", "cogvideo", "longvideogan", "nuwa_xl", "mv_diffusion"}
SLIPS = [
    "fvd-key", "inr", "gan-entry", "tklvae-lgcvd", "tklvae-nuwainf", "mcvd-long", "cogvideo-diffusion", "pvdm-mask",
    "is-cite", "clipsim-cite", "kvd-cite", "human-row", "ucf-res", "sky-row", "taichi-row", "bair-row", "blank-cells",
    "definition", "numbering", "fig1-list", "videodirectorgpt", "graves", "bair-entry", "fit-entry", "spelling",
]  # fmt: skip


def test_everything_is_there(cat):
    assert (len(cat.methods), len(cat.datasets), len(cat.metrics)) == (51, 30, 19)


def test_membership(cat):
    members = Counter(method.membership.by for method in cat.methods.values())
    assert members == {"survey-text": 30, "editors": 21}
    assert sum(members.values()) == cat.survey["figure1"]["studies"]
    mapped = {row["slug"] for row in cat.survey["cite_key_map"] if row["slug"]}
    assert mapped == {m.slug for m in cat.methods.values() if m.membership.by == "survey-text"}


def test_no_text_is_empty(cat):
    fields = ("title", "mechanism", "distinguishing", "representation", "architecture")
    empty = [(m.slug, f) for m in cat.methods.values() for f in fields if not getattr(m, f).strip()]
    short = [m.slug for m in cat.methods.values() if len(m.mechanism.split()) < 80]
    lists = [(m.slug, f) for m in cat.methods.values() for f in ("claims", "pitfalls", "sources") if not getattr(m, f)]
    assert (empty, short, lists) == ([], [], [])


def test_every_citation_key_resolves(cat):
    keys = {row["key"] for row in cat.survey["cite_key_map"]}
    cited = {key for section in cat.survey["sections"] for key in section["cites"]}
    topics = {
        key for section in cat.survey["sections"] for names in section.get("topics", {}).values() for key in names
    }
    of_methods = {m.survey.cite_key for m in cat.methods.values() if m.survey}
    assert (cited | topics | of_methods) - keys == set()
    assert {row["bib"] for row in cat.survey["cite_key_map"]} - set(cat.references) == set()


def test_the_surveys_paradigms_are_its_headings(cat):
    slug = {row["key"]: row["slug"] for row in cat.survey["cite_key_map"]}
    cites = {section["number"]: [slug[key] for key in section["cites"]] for section in cat.survey["sections"]}
    wanted = dict.fromkeys(cites["3.1"], "divide-and-conquer")
    wanted |= {name: "temporal-autoregressive" for number in GENERATOR_SECTIONS for name in cites[number]}
    found = {m.slug: m.paradigm.survey.value for m in cat.methods.values() if m.paradigm.survey}
    assert found == wanted


def test_the_surveys_generators_are_its_headings(cat):
    slug = {row["key"]: row["slug"] for row in cat.survey["cite_key_map"]}
    wanted = {}
    for section in cat.survey["sections"]:
        if section["number"] in GENERATOR_SECTIONS:
            for key in section["cites"]:
                wanted.setdefault(slug[key], []).append(GENERATOR_SECTIONS[section["number"]])
    found = {m.slug: m.generator.survey.value for m in cat.methods.values() if m.generator.survey}
    assert {name: value for name, value in found.items() if name in wanted} == wanted
    assert found.keys() - wanted.keys() == GENERATOR_IN_TEXT


def test_disagreements_give_both_readings_and_the_reason(cat):
    silent = []
    for m in cat.methods.values():
        for reading in (m.paradigm, m.generator):
            differs = reading.survey and reading.survey.value != reading.editors.value
            if differs and (not reading.editors.why or reading.editors.by == "survey"):
                silent.append(m.slug)
    assert silent == []
    differ = {
        m.slug
        for m in cat.methods.values()
        if m.paradigm.survey and m.paradigm.survey.value != m.paradigm.editors.value
    }
    assert differ == {"digan", "stylegan_v"}


def test_code_status_is_dated_and_says_what_was_seen(cat):
    vague = [
        m.slug
        for m in cat.methods.values()
        if m.code_status.value != "unknown" and not (m.code_status.note and m.urls.code)
    ]
    assert vague == []
    assert {m.code_status.date for m in cat.methods.values()} == {"2026-11-22"}


def test_tables_of_the_survey(cat):
    rows1 = {d.slug for d in cat.datasets.values() if d.survey_table1}
    rows2 = {m.slug for m in cat.metrics.values() if m.survey_table2}
    assert (
        len(rows1) == 8 and {"ucf_101", "sky_timelapse", "taichi_hd", "bair_robot_pushing", "kth", "msr_vtt"} <= rows1
    )
    assert rows2 == {"fid", "lpips", "psnr", "ssim", "clipsim", "fvd", "kvd", "inception_score"}


def test_the_survey(cat):
    survey = cat.survey
    assert [error["id"] for error in survey["errors"]] == SLIPS
    assert all(
        error[key] for error in survey["errors"] for key in ("where", "printed", "correct", "evidence", "status")
    )
    figure = survey["figure1"]
    assert figure["with_specific_length"] == 29 == figure["by_duration"] + figure["by_frame_count"]
    assert survey["definition_of_long_video"]["frames_threshold"] == 100
    assert len(survey["paradigms"]) == 2 and len(survey["generator_types"]) == 4
    assert len(survey["control_signals"]) == 3 and len(survey["future_directions"]) == 5


def test_baselines_in_words_are_no_hidden_methods(cat):
    names = {re.sub(r"[^a-z0-9]", "", method.name.lower()): slug for slug, method in cat.methods.items()}
    hidden = [
        (m.slug, row.system, names[key])
        for m in cat.methods.values()
        for row in m.results
        if row.system
        and row.system not in cat.methods
        and (key := re.sub(r"[^a-z0-9]", "", row.system.lower())) in names
    ]
    assert hidden == []


def test_results_parse(cat):
    bare = [
        (m.slug, r.text)
        for m in cat.methods.values()
        for r in m.results
        if r.value is None and r.text and re.fullmatch(r"[\d.]+%?", r.text)
    ]
    selfnamed = [m.slug for m in cat.methods.values() for r in m.results if r.system == m.slug]
    lonely = [m.slug for m in cat.methods.values() for r in m.results if (r.spread is None) != (r.spread_kind is None)]
    assert (bare, selfnamed, lonely) == ([], [], [])


def test_survey_file_has_no_stray_keys(root):
    data = yaml.safe_load((root / "catalogue" / "survey.yaml").read_text())
    assert {"title", "arxiv", "figure1", "tables", "sections", "cite_key_map", "errors", "sources"} <= data.keys()
