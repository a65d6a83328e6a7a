import pytest

from kiloframe.lint import arxiv_date

WHERE = "catalogue/methods/fdm.yaml:13: arxiv: "


@pytest.mark.parametrize("date", ["2022-05", "2022-04"])
def test_an_id_of_the_same_month_or_the_next_fits(problems_of, date):
    assert problems_of(arxiv_date.check, "methods/fdm", ("first_public: 2022-05", f"first_public: {date}")) == []


@pytest.mark.parametrize("date", ["2022-06", "2022-03", "2021-05"])
def test_another_month_does_not(problems_of, date):
    assert problems_of(arxiv_date.check, "methods/fdm", ("first_public: 2022-05", f"first_public: {date}")) == [
        f"{WHERE}'2205.11495' is an id of 2022-05, but first_public is {date}; the id must be of the same month or the "
        "next, so one of the two is wrong"
    ]


def test_an_id_without_a_month_is_none(problems_of):
    assert problems_of(arxiv_date.check, "methods/fdm", ("2205.11495'", "2213.11495'")) == [
        f"{WHERE}'2213.11495' is no arXiv id: its third and fourth digits are the month"
    ]
