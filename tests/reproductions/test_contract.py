"""One test class for each reproduction there is: a new file in reproductions/methods is tested by itself."""

import pytest
from contract import MethodContract

import reproductions
from kiloframe.errors import UserError

for slug in reproductions.names():
    name = "Test_" + slug
    globals()[name] = type(name, (MethodContract,), {"slug": slug})


def test_methods_are_found_by_themselves(root):
    assert reproductions.names() == sorted(p.stem for p in (root / "reproductions/methods").glob("[!_]*.py"))
    assert "fdm" in reproductions.names()


def test_every_reproduction_has_a_record(cat):
    for slug in reproductions.names():
        assert cat.methods[slug].slug == slug


def test_slugs_with_hyphens_and_unknown_ones():
    assert reproductions.weights_path("nuwa-xl", "flat").name == "nuwa_xl-flat.safetensors"
    with pytest.raises(UserError, match=r"no reproduction of 'fdn'; nearest: fdm; there are: .*fdm"):
        reproductions.load("fdn")
    with pytest.raises(UserError, match=r"no weights at .*fdm-nonsense"):
        reproductions.load("fdm", "nonsense")
