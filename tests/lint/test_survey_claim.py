import pytest

from kiloframe.lint import survey_claim


def test_the_claims_of_the_survey_pass(problems_of):
    assert problems_of(survey_claim.check, "survey") == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("  - id: content-degrades", "  - id: errors-add-up"), "the id 'errors-add-up' stands twice"),
        (("  - id: content-degrades", "  - id: Content degrades"), "is no claim as methods have them"),
        (("    says: 'Divide and conquer: overall", "    said: 'Divide and conquer: overall"), "`said`"),
    ],
)
def test_what_is_no_claim(problems_of, change, sentence):
    (problem,) = problems_of(survey_claim.check, "survey", change)
    assert sentence in problem and problem.startswith("catalogue/survey.yaml:")
