from kiloframe.factfiles import read_facts
from kiloframe.lint import slug


def test_slug_and_file_name_agree(problems_of):
    assert problems_of(slug.check, "methods/fdm") == []
    assert problems_of(slug.check, "methods/fdm", ("slug: fdm", "slug: fmd")) == [
        "catalogue/methods/fdm.yaml:2: slug: the slug 'fmd' must equal the file name 'fdm'; rename the file or the slug"
    ]


def test_a_file_that_would_be_overlooked_is_named(catalogue_copy):
    (catalogue_copy / "methods" / "mine.yml").write_text("slug: mine\n")
    assert [str(problem) for problem in slug.check(read_facts(catalogue_copy))] == [
        "catalogue/methods/mine.yml:1: would be overlooked; records are named methods/<slug>.yaml"
    ]
