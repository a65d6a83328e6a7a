import pytest

from kiloframe.compile import compile_catalogue, content_hash, write_snapshot
from kiloframe.errors import UserError
from kiloframe.factfiles import YamlError, read_bibtex, read_yaml


def _break(file, old, new):
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.fixture(scope="module")
def facts(root):
    return compile_catalogue(root / "catalogue")


def test_all_facts_are_compiled(facts):
    assert (len(facts.methods), len(facts.datasets), len(facts.metrics)) == (51, 30, 19)
    assert facts.survey["figure1"]["studies"] == 51 and "harvey2022fdm" in facts.references


def test_the_same_facts_have_the_same_hash_wherever_they_lie(facts, catalogue_copy, tmp_path):
    copy = write_snapshot(catalogue_copy, tmp_path / "facts.msgpack")
    assert content_hash(copy) == content_hash(facts)
    _break(catalogue_copy / "methods" / "fdm.yaml", "name: FDM", "name: FDM!")
    assert content_hash(compile_catalogue(catalogue_copy)) != content_hash(facts)


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        (
            "methods/fdm.yaml",
            "confidence: high",
            "confidence: hihg",
            "catalogue/methods/fdm.yaml:{line}: confidence: 'hihg' is not allowed; did you mean 'high'? "
            "allowed values: high, low, medium",
        ),
        (
            "methods/fdm.yaml",
            "ref: minerl_navigate",
            "ref: minerl_navigates",
            "catalogue/methods/fdm.yaml:{line}: datasets[1].ref: 'minerl_navigates' is not in the catalogue; "
            "nearest: minerl_navigate, minecraft_teco; use text: instead of ref: for what has no record",
        ),
        (
            "methods/fdm.yaml",
            "name: FDM",
            "name: FDM\nname: FDM",
            "catalogue/methods/fdm.yaml:4: name: the key 'name' stands twice (first in line 3)",
        ),
        (
            "metrics/fvd.yaml",
            "slug: fvd",
            "slug: [",
            "catalogue/metrics/fvd.yaml:4: not valid YAML: did not find expected ',' or ']'",
        ),
        (
            "references.bib",
            "{harvey2022fdm,",
            "{ho2020ddpm,",
            "catalogue/references.bib:{line}: ho2020ddpm: the key 'ho2020ddpm' stands twice",
        ),
    ],
)
def test_a_broken_file_is_one_sentence_and_nothing_is_written(catalogue_copy, tmp_path, file, old, new, sentence):
    path = catalogue_copy / file
    _break(path, old, new)
    target = tmp_path / "facts.msgpack"
    with pytest.raises(UserError) as caught:
        write_snapshot(catalogue_copy, target)
    lines = path.read_text(encoding="utf-8").splitlines()
    if file == "references.bib":
        number = [i for i, text in enumerate(lines, 1) if "{ho2020ddpm," in text][-1]
    else:
        number = next((i for i, text in enumerate(lines, 1) if new in text), 0)
    assert str(caught.value).startswith(sentence.format(line=number))
    assert "\n" not in str(caught.value) and not target.exists()


def test_one_of_many_mistakes_is_shown_and_the_rest_counted(catalogue_copy):
    for slug in ("fdm", "teco", "tats"):
        _break(catalogue_copy / "methods" / f"{slug}.yaml", "\nvenue: ", "\nvenu: ")
    with pytest.raises(UserError, match=r"\(and 5 more; `kiloframe lint` lists them all\)$"):
        compile_catalogue(catalogue_copy)


def test_a_reference_to_a_broken_file_is_not_called_dangling(catalogue_copy):
    (catalogue_copy / "methods" / "vdm.yaml").write_text("a: [")  # fdm and others refer to it
    with pytest.raises(UserError, match=r"^catalogue/methods/vdm.yaml:2: not valid YAML: [^()]*$"):
        compile_catalogue(catalogue_copy)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (b"a: 1\nb: 2\na: 3\n", 3, "the key 'a' stands twice (first in line 1)"),
        (b"a:\n  b: 1\n  b: 1\n", 3, "the key 'b' stands twice (first in line 2)"),
        (b"a: &x [1]\nb: *x\n", 1, "YAML anchors and aliases (&, *) are not allowed; write the value out"),
        (b"1: a\n", 1, "the key 1 must be text; put it in quotes"),
        (b"[" * 60 + b"]" * 60, 1, "nested more than 40 levels deep"),
        (b"a: '\n", 2, "not valid YAML: found unexpected end of stream"),
        (b"\xff", 1, "the file cannot be read as UTF-8 text (UnicodeDecodeError)"),
        (b"a: !!python/object:os.system x\n", 1, "not valid YAML: "),
        (b"a: 2024-13-45\n", 1, "not valid YAML: month must be in 1..12"),
        (b"--- 1\n--- 2\n", 2, "not valid YAML: but found another document"),
    ],
)
def test_yaml_that_is_refused(tmp_path, text, line, message):
    file = tmp_path / "a.yaml"
    file.write_bytes(text)
    with pytest.raises(YamlError) as caught:
        read_yaml(file)
    assert caught.value.message.startswith(message) and caught.value.line == line


def test_aliases_that_would_explode_are_refused_at_once(tmp_path):
    rows = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60)]
    (tmp_path / "bomb.yaml").write_text("\n".join(rows))
    with pytest.raises(YamlError, match="aliases"):
        read_yaml(tmp_path / "bomb.yaml")


def test_lines_by_path(tmp_path):
    (tmp_path / "a.yaml").write_text("a: 1\nb:\n  - c: x\n    d: >\n      y\n  - e\n")
    data, lines = read_yaml(tmp_path / "a.yaml")
    assert data == {"a": 1, "b": [{"c": "x", "d": "y\n"}, "e"]}
    assert lines[("a",)] == 1 and lines[("b", 0, "d")] == 4 and lines[("b", 1)] == 6


def test_bibtex(tmp_path):
    file = tmp_path / "references.bib"
    file.write_text("% comment\n@misc{a, title = {{A} b}}\n@article{b,\n  title = {B}\n}\n")
    assert read_bibtex(file) == {"a": "@misc{a, title = {{A} b}}", "b": "@article{b,\n  title = {B}\n}"}
    file.write_text("@misc{a, title = {A}\n")
    with pytest.raises(YamlError, match="the entry 'a' has unbalanced braces"):
        read_bibtex(file)
    with pytest.raises(YamlError, match="the file does not exist"):
        read_bibtex(tmp_path / "none.bib")
