import pytest

from kiloframe import lint
from kiloframe.errors import UserError


def test_the_catalogue_is_clean(root):
    report = lint.run(root / "catalogue")
    assert report.problems == [], lint.format_problems(report)
    assert report.files == 101 and report.fixed == []
    assert lint.format_problems(report) == "101 fact files, no problems"


def _break(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_all_bad_records_are_listed_in_one_run_and_fix_mends_the_form_only(catalogue_copy):
    methods = catalogue_copy / "methods"
    _break(methods / "fdm.yaml", "    value: both", "    value: bothh")
    _break(methods / "teco.yaml", "ref: dmlab_teco", "ref: dmlab")
    _break(methods / "tats.yaml", "slug: tats", "slug: tats\nslug: tats")
    _break(methods / "vdm.yaml", "name: ", "name:   ")
    _break(catalogue_copy / "datasets" / "kth.yaml", "year: ", "jahr: ")
    (methods / "sora.yaml").write_text("a: [1\n")
    (methods / "pvdm.yaml").write_bytes(b"\xff\xfe")
    (catalogue_copy / "schema" / "metric.json").unlink()
    report = lint.run(catalogue_copy)
    text = lint.format_problems(report)
    assert {problem.file for problem in report.problems} == {
        *(f"catalogue/methods/{slug}.yaml" for slug in ("fdm", "teco", "tats", "vdm", "sora", "pvdm")),
        "catalogue/datasets/kth.yaml",
        "catalogue/schema/metric.json",
    }
    for line in (
        "catalogue/methods/tats.yaml:3: slug: the key 'slug' stands twice (first in line 2)",
        "catalogue/methods/pvdm.yaml:1: the file cannot be read as UTF-8 text (UnicodeDecodeError)",
        "catalogue/methods/vdm.yaml:3: is not in canonical form; type: kiloframe lint --fix",
        "catalogue/datasets/kth.yaml:2: missing key: year",
    ):
        assert line in text.splitlines()
    assert "catalogue/methods/sora.yaml:2: not valid YAML: " in text
    assert text.endswith("in 8 files")

    mended = lint.run(catalogue_copy, fix=True)
    assert mended.fixed[-2:] == ["catalogue/methods/vdm.yaml", "catalogue/schema/metric.json"]
    assert {problem.file for problem in mended.problems} == {
        *(f"catalogue/methods/{slug}.yaml" for slug in ("fdm", "teco", "tats", "sora", "pvdm")),
        "catalogue/datasets/kth.yaml",
    }


def test_a_folder_that_is_no_catalogue(tmp_path):
    with pytest.raises(UserError, match="is no catalogue: it has no folder methods/; name the folder"):
        lint.run(tmp_path)
