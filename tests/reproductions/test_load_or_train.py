"""The model of a notebook: kept weights, or fresh ones."""

import pytest
import torch

import reproductions
from kiloframe.errors import UserError
from reproductions import training


@pytest.fixture
def asked(monkeypatch):
    calls = []
    monkeypatch.setattr(training, "train", lambda slug, **options: calls.append((slug, options)))
    return calls


def test_what_is_kept_is_loaded_at_every_scale(asked):
    for scale in ("smoke", "toy"):
        model = reproductions.load_or_train("fdm", scale, variant="shapes")
        assert model.config.world == "shapes" and not model.training
    assert not asked


def test_fresh_toy_weights_replace_the_kept_ones(asked):
    model = reproductions.load_or_train("tats", "toy", fresh=True, variant="zero-padding")
    assert asked == [("tats", {"variant": "zero-padding", "progress": False})], "no `out`: they go to weights/"
    assert model.config.padding == "zeros"


def test_fresh_weights_of_another_scale_leave_the_kept_ones_alone():
    kept = reproductions.weights_path("fdm").read_bytes()
    model = reproductions.load_or_train("fdm", "smoke", fresh=True)
    assert model.config == model.Config.smoke()
    assert reproductions.weights_path("fdm").read_bytes() == kept
    again = reproductions.load_or_train("fdm", "smoke", fresh=True)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))


def test_mistakes_give_a_sentence():
    with pytest.raises(UserError, match=r"no reproduction of 'tts'.*tats"):
        reproductions.load_or_train("tts", "toy")
    with pytest.raises(UserError, match="no preset 'huge'; allowed: smoke, toy, gpu"):
        reproductions.load_or_train("fdm", "huge", fresh=True)
    with pytest.raises(UserError, match="fdm has no variant 'flat'"):
        reproductions.load_or_train("fdm", "smoke", fresh=True, variant="flat")
