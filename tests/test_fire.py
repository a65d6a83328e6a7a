"""A short campaign of every attack: an answer or one sentence, files whole, and the same as in peace after a kill."""

import pytest
from attacked import attacked, clean

from attacks.campaign import ATTACKS

pytestmark = pytest.mark.notebook

ODD = {
    "command-line": 60, "sql": 300, "facts": 4, "results": 40, "weights": 20, "video": 20, "encoding": 3, "pages": 3,
    "database": 3, "spreadsheet": 4, "citations": 20, "shell": 10,
}  # fmt: skip
KILLED = {"killed-export": 6, "killed-generate": 2, "killed-world": 2, "killed-train": 1, "killed-run": 1}
PLACES = {"full-disk": 5, "no-place": 5, "no-home": 3, "twice": 2, "offline": 2}


@pytest.fixture(scope="module")
def records(root, tmp_path_factory):
    """All attacks in one process, which imports what they share once."""
    return attacked(root, tmp_path_factory.mktemp("fire"), {**ODD, **KILLED, **PLACES}, wrong=None)


def test_every_attack_has_a_share():
    assert {*ODD, *KILLED, *PLACES} == set(ATTACKS)


@pytest.mark.parametrize("kind", ODD)
def test_odd_input_is_answered_or_refused_in_one_sentence(records, kind):
    record = records[kind]
    assert clean(record), record["examples"]
    assert record["answered"] + record["refused"] >= record["inputs"] == ODD[kind]


@pytest.mark.parametrize("kind", KILLED)
def test_a_killed_command_is_taken_up_again_and_leaves_what_it_leaves_in_peace(records, kind):
    record = records[kind]
    assert clean(record), record["examples"]
    assert record["inputs"] == KILLED[kind]
    assert record["stopped"] > 0, "a kill that never hits guards nothing"


@pytest.mark.parametrize("kind", PLACES)
def test_a_place_that_cannot_be_used_is_told(records, kind):
    record = records[kind]
    assert clean(record), record["examples"]
    assert record["inputs"] == PLACES[kind] and record["faults"] > 0
