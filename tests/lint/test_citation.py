from kiloframe.lint import citation

NOWHERE = [
    ("arxiv: '2210.02396'", "arxiv: null"),
    ("paper: https", "paper: null # https"),
    ("project: https", "project: null # https"),
    ("code: https", "code: null # https"),
]


def test_a_method_that_can_be_found_passes(problems_of):
    assert problems_of(citation.check, "methods/teco") == []
    assert problems_of(citation.check, "methods/teco", *NOWHERE[1:]) == []  # the arXiv id is enough


def test_a_method_without_any_address_is_named(problems_of):
    assert problems_of(citation.check, "methods/teco", *NOWHERE) == [
        "catalogue/methods/teco.yaml:12: arxiv: the method cannot be cited: give at least one of arxiv, doi, "
        "urls.paper, urls.project, urls.code"
    ]


def test_an_entry_in_the_bibliography_is_enough(problems_of):
    assert problems_of(citation.check, "methods/renc_gan") == []  # has no address at all


def test_authors_are_people(problems_of):
    assert problems_of(citation.check, "methods/teco", ("  - Wilson Yan", "  - et al.")) == [
        "catalogue/methods/teco.yaml:6: authors[0]: 'et al.' cannot be cited; write the authors' names in full"
    ]
