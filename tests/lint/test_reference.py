import pytest

from kiloframe.lint import reference

FDM = "catalogue/methods/fdm.yaml"
ELSE = "; use text: instead of ref: for what has no record"


@pytest.mark.parametrize("name", ["methods/fdm", "datasets/kth", "metrics/fvd", "survey"])
def test_references_that_resolve_pass(problems_of, name):
    assert problems_of(reference.check, name) == []


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        (
            "methods/fdm",
            ("ref: gqn_mazes", "ref: gqn_maze"),
            f"{FDM}:97: datasets[0].ref: 'gqn_maze' is not in the catalogue; nearest: gqn_mazes{ELSE}",
        ),
        (
            "methods/fdm",
            ("ref: vdm", "ref: stylegan_w"),
            f"{FDM}:482: related[0].ref: 'stylegan_w' is not in the catalogue; "
            f"nearest: stylegan_v, styleinv, stylesv{ELSE}",
        ),
        (
            "methods/fdm",
            ("  - ref: vdm", "  - ref: null"),
            f"{FDM}:482: related[0]: needs a ref (slug) or a text (words)",
        ),
        (
            "survey",
            ("slug: nuwa_xl", "slug: nuwa_xxl"),
            "catalogue/survey.yaml:273: cite_key_map[0].slug: 'nuwa_xxl' is not in the catalogue; nearest: nuwa_xl",
        ),
        (
            "survey",
            ("bib: yin2023nuwaxl", "bib: zzz"),
            "catalogue/survey.yaml:274: cite_key_map[0].bib: 'zzz' is not in the catalogue",
        ),
    ],
)
def test_a_dangling_reference_names_the_nearest(problems_of, name, change, sentence):
    assert problems_of(reference.check, name, change) == [sentence]
