"""Whatever is typed, and whatever stands in a file: an answer or one sentence, never a traceback."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kiloframe
from attacks.words import OPTIONS, QUESTIONS, VALUES
from attacks.words import SQL as SQL_PIECES
from kiloframe.cli import COMMANDS, invoke
from kiloframe.errors import UserError
from kiloframe.factfiles import read_yaml
from kiloframe.lint import run as lint
from kiloframe.sources import read_result

# Halves of surrogate pairs are for attacks/: capsys, unlike a terminal's error stream, cannot take them.
TAKEN = [value for value in VALUES if not re.search("[\ud800-\udfff]", value)]
WORDS = st.one_of(st.sampled_from(OPTIONS), st.sampled_from(TAKEN), st.text(max_size=12))
LINES = st.tuples(st.sampled_from((*QUESTIONS, *QUESTIONS, "lst", "")), st.lists(WORDS, max_size=5))


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES)
def test_any_question_is_answered_or_refused_in_one_sentence(capsys, line):
    command, words = line
    code = invoke([command, *words])
    out, err = capsys.readouterr()
    assert code in (0, 2), (line, err)
    if code == 2:
        assert out == "" and re.fullmatch(r"kiloframe: [^\n]+\n", err), (line, err)
    else:
        assert "Traceback" not in out + err


def test_the_fuzz_knows_every_command_that_only_answers():
    rest = {"export", "lint", "run", "status", "world", "measure", "train", "generate", "site", "doctor"}
    assert {*QUESTIONS, *rest} == set(COMMANDS), "a new command belongs to one or the other"


SQL = st.lists(st.sampled_from(SQL_PIECES), max_size=14).map(" ".join)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SQL)
def test_any_sql_is_answered_or_refused_and_changes_nothing(cat, query):
    try:
        cat.sql(query)
    except UserError as error:
        assert "\n" not in str(error).strip()
    assert cat.sql("select count(*) from methods").to_numpy().item() == len(cat.methods)


BENDS = (
    ": ", "- ", "\n", "\t", "{", "[", "&a", "*a", "!!python/object:os.system", "|", ">", "null", "1e999", "\x00",
    "\ufeff", "<script>", "'",
)  # fmt: skip


def bent(data, text):
    """The text with a few pieces cut, doubled or replaced."""
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(at, min(len(text), at + 40)))
        put = data.draw(st.one_of(st.just(text[at:end] * 2), st.text(max_size=6), st.sampled_from(BENDS)))
        text = text[:at] + put + text[end:]
    return text


KEPT = ("methods/fdm", "datasets/ucf_101", "metrics/fvd", "survey")


@pytest.fixture
def small_catalogue(catalogue_copy):
    """One record of each kind: what the others would say of a bent one is not asked here, and they take long."""
    for file in catalogue_copy.rglob("*.yaml"):
        name = file.relative_to(catalogue_copy).with_suffix("").as_posix()
        if name.split("/")[0] in ("methods", "datasets", "metrics") and name not in KEPT:
            file.unlink()
    return catalogue_copy


@pytest.mark.parametrize("name", KEPT)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_bent_fact_file_is_reported_or_read(small_catalogue, root, name, data):
    file = small_catalogue / f"{name}.yaml"
    text = bent(data, (root / "catalogue" / f"{name}.yaml").read_text(encoding="utf-8"))
    file.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    try:
        report = lint(small_catalogue)
        assert all("\n" not in str(problem) for problem in report.problems)
    except UserError as error:
        assert str(error)
    try:
        read_yaml(file)
    except UserError as error:
        assert str(error) and "\n" not in str(error)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_bent_result_is_refused_by_name_or_read(tmp_path, root, data):
    whole = (root / "results/fdm.json").read_text(encoding="utf-8")
    file = tmp_path / "fdm.json"
    file.write_text(
        bent(data, whole[: data.draw(st.integers(0, len(whole)))]), encoding="utf-8", errors="surrogatepass"
    )
    try:
        read_result(file)
    except UserError as error:
        assert "fdm.json" in str(error) and "\n" not in str(error)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bent_weights_are_refused_in_one_sentence_or_load(tmp_path, root, data):
    import reproductions

    whole = (root / "weights/fdm-rooms.safetensors").read_bytes()
    kind, at = data.draw(st.sampled_from(["cut", "flip", "insert"])), data.draw(st.integers(0, 6000))
    put = data.draw(st.binary(min_size=1, max_size=9))
    file = tmp_path / "fdm.safetensors"
    file.write_bytes(whole[:at] if kind == "cut" else whole[:at] + put + whole[at + len(put) * (kind == "flip") :])
    try:
        reproductions.method("fdm").load(file)
    except UserError as error:
        assert "kiloframe train fdm" in str(error) and "\n" not in str(error)


@pytest.fixture(scope="module", params=["mp4", "webm", "gif", "webp"])
def film(request, tmp_path_factory):
    from reproductions.video import write_video
    from reproductions.worlds import world

    file = tmp_path_factory.mktemp("film") / f"film.{request.param}"
    write_video(file, world("shapes", 16).clip(0, 0, 12).video)
    return file


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_bent_video_is_refused_in_one_sentence_or_read(film, tmp_path, data):
    from reproductions.video_reader import read_video

    whole = film.read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(at, min(len(whole), at + 64)))
    file = tmp_path / film.name
    file.write_bytes(whole[:at] + data.draw(st.binary(max_size=16)) + whole[end:])
    try:
        frames = read_video(file).frames
        assert frames.dtype == np.uint8 and frames.shape[-1] == 3
    except UserError as error:
        assert film.name in str(error) and "\n" not in str(error)


def test_the_catalogue_is_still_whole(cat):
    assert len(kiloframe.load().methods) == len(cat.methods) == 51
