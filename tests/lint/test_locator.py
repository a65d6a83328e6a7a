import pytest

from kiloframe.lint import locator

PLACE = ("locator: paper abstract; paper sec 1", "locator: {}")
WHERE = "catalogue/methods/fdm.yaml:63: long_video_definition.locator: "
HINT = "name the place, for example: paper sec 4.1, Table 2"


@pytest.mark.parametrize("name", ["methods/fdm", "datasets/lhq", "metrics/fvd"])
def test_values_with_their_places_pass(problems_of, name):
    assert problems_of(locator.check, name) == []


@pytest.mark.parametrize("place", ["unknown", "N/A", "-", "", "?", "TODO", "same", "from memory"])
def test_words_that_name_no_place_are_refused(problems_of, place):
    change = (PLACE[0], f"locator: '{place}'")
    assert problems_of(locator.check, "methods/fdm", change) == [f"{WHERE}{place!r} names no place; {HINT}"]


def test_a_missing_place_is_refused(problems_of):
    change = (PLACE[0], "locator: null")
    assert problems_of(locator.check, "methods/fdm", change) == [
        f"{WHERE}a value stands here without its place; {HINT}"
    ]


def test_a_place_needs_how_it_was_seen(problems_of):
    old = "rebuttal_plots.ipynb (folder names); fps is CARLA's\n  seen: primary"
    assert problems_of(locator.check, "methods/fdm", (old, old.replace("primary", "null"))) == [
        "catalogue/methods/fdm.yaml:84: training.seen: does not say how it was seen: primary, secondary or memory"
    ]


def test_unknown_values_need_no_place(problems_of):
    assert problems_of(locator.check, "methods/transframer") == []  # nothing is known of its training
