import pytest

from kiloframe.lint import result_value

FDM = "methods/fdm"


def test_the_number_is_the_printed_one(problems_of):
    assert problems_of(result_value.check, FDM) == []
    assert problems_of(result_value.check, FDM, ("value: 53.1", "value: 35.1")) == [
        "catalogue/methods/fdm.yaml:135: results[0].value: 35.1 does not occur in the printed text "
        "'53.1 +- 1.1 (hierarchy-2)'"
    ]
    assert problems_of(result_value.check, FDM, ("spread: 1.1", "spread: 1.2")) == [
        "catalogue/methods/fdm.yaml:147: results[0].spread: 1.2 does not occur in the printed text "
        "'53.1 +- 1.1 (hierarchy-2)'"
    ]


@pytest.mark.parametrize(
    ("value", "text"), [("44683", "44,683 MB"), ("0.5", ".5"), ("639.9", "639.90"), ("-3.5", "-3.5")]
)
def test_spellings_of_one_number(problems_of, value, text):
    changes = (("value: 53.1", f"value: {value}"), ("text: 53.1 +- 1.1 (hierarchy-2)", f"text: '{text} +- 1.1'"))
    assert problems_of(result_value.check, FDM, *changes) == []
