import pytest

from kiloframe.lint import membership

FDM, TECO = "catalogue/methods/fdm.yaml", "catalogue/methods/teco.yaml"


@pytest.mark.parametrize("name", ["methods/fdm", "methods/teco"])
def test_members_of_both_kinds_pass(problems_of, name):
    assert problems_of(membership.check, name) == []


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        (
            "methods/fdm",
            ("  cite_key: FVD", "  cite_key: FDM"),
            f"{FDM}:27: membership.cite_key: the survey's cite_key_map (survey.yaml) has no key 'FDM' for 'fdm'",
        ),
        (
            "methods/fdm",
            ("  cite_key: FVD\nsurvey:", "survey:"),
            f"{FDM}:25: membership: a member by survey-text needs the survey's cite_key",
        ),
        (
            "methods/fdm",
            ("  cite_key: FVD\n  cited_as", "  cite_key: FVD2\n  cited_as"),
            f"{FDM}:29: survey.cite_key: differs from membership.cite_key, 'FVD'",
        ),
        (
            "methods/fdm",
            ("  by: survey-text\n  cite_key: FVD", "  by: editors\n  rule: baseline\n  why: so"),
            f"{FDM}:26: membership.by: the survey's cite_key_map names this method, so it is a member by survey-text",
        ),
        (
            "methods/teco",
            ("  rule: past-threshold\n", ""),
            f"{TECO}:24: membership: an editors' choice needs the rule that admits it and why",
        ),
        (
            "methods/teco",
            ("  rule: past-threshold\n", "  rule: past-threshold\n  cite_key: TECO\n"),
            f"{TECO}:27: membership.cite_key: only a member by survey-text has a cite_key; "
            "the survey does not cite this method",
        ),
    ],
)
def test_what_does_not_fit_the_survey(problems_of, name, change, sentence):
    assert sentence in problems_of(membership.check, name, change)
    assert len(problems_of(membership.check, name, change)) == 1
