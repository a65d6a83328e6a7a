import pytest

from kiloframe.lint import schema

FDM = "catalogue/methods/fdm.yaml"


@pytest.mark.parametrize("name", ["methods/fdm", "datasets/kth", "metrics/fvd"])
def test_a_good_record_passes(problems_of, name):
    assert problems_of(schema.check, name) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            ("    value: both", "    value: bothh"),
            f"{FDM}:41: paradigm.editors.value: 'bothh' is not allowed; did you mean 'both'? "
            "allowed values: both, divide-and-conquer, other, temporal-autoregressive",
        ),
        (("confidence: high\n", ""), f"{FDM}:2: missing key: confidence"),
        (("arxiv: '2205.11495'", "arxiv: 2205"), f"{FDM}:13: arxiv: 2205 is not text; put it in quotes"),
        (
            ("arxiv: '2205.11495'", "arxiv: 2205.11495v2"),
            f"{FDM}:13: arxiv: '2205.11495v2' does not fit; expected new-style arXiv id, for example 2205.11495",
        ),
        (
            ("  stated: true", "  stated: 'yes'"),
            f"{FDM}:57: long_video_definition.stated: 'yes' is not true or false",
        ),
        (("name: FDM", "name: ''"), f"{FDM}:3: name: must not be empty"),
    ],
)
def test_a_broken_field_is_one_sentence_with_what_is_allowed(problems_of, change, sentence):
    assert problems_of(schema.check, "methods/fdm", change) == [sentence]


def test_an_unknown_key_names_the_nearest(problems_of):
    missing, unknown = problems_of(schema.check, "methods/fdm", ("code_license:", "code_licence:"))
    assert missing == f"{FDM}:2: missing key: code_license"
    assert unknown.startswith(
        f"{FDM}:19: code_licence: unknown key 'code_licence'; did you mean 'code_license'? allowed keys: slug, name, "
    )
