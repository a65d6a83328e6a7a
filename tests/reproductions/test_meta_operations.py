"""Operations counted without weights and pixels, against those of a step that is taken."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import reproductions
from reproductions.level_field.trained import flops_of_training
from reproductions.meta_operations import Assuming, training_operations


@pytest.mark.parametrize("slug", reproductions.names())
def test_a_step_without_values_counts_what_a_real_one_does(slug):
    kind = reproductions.method(slug)
    config = kind.Config.smoke()
    counted, real = training_operations(kind, config), flops_of_training(kind(config))
    assert len(counted) == len(real)
    # What differs: attention's way back, and how much of what was assumed is so.
    assert all(0.9 < a / b < 1.1 for a, b in zip(counted, real, strict=True)), (counted, real)


def test_operations_grow_with_the_batch_and_the_frames():
    kind = reproductions.method("fdm")
    config = kind.Config.smoke()
    (one,) = training_operations(kind, config)
    assert training_operations(kind, replace(config, batch=3 * config.batch)) == [3 * one]
    (large,) = training_operations(kind, replace(config, side=128))  # larger than any clip that is drawn for it
    (small,) = training_operations(kind, replace(config, side=64))
    assert 4 < large / small < 16, "four times the pixels: convolutions grow with them, attention with their square"


def test_published_sizes_are_counted_where_the_dossier_has_them():
    kind = reproductions.method("stylegan_v")
    (toy,), (paper,) = (training_operations(kind, getattr(kind.Config, size)()) for size in ("toy", "paper"))
    assert paper > 1000 * toy


def test_questions_are_answered_only_for_tensors_without_values():
    empty, full = torch.empty(3, device="meta"), torch.zeros(3)
    with Assuming():
        assert bool((empty > 0).any()) and float(empty.sum()) == 1.0 and int(empty.argmax()) == 1
        assert not (full > 0).any() and float(full.sum()) == 0.0
        assert torch.bincount(empty.long(), minlength=5).shape == (5,)
        assert np.array_equal(empty.cpu().numpy(), np.zeros(3))
    with pytest.raises(RuntimeError):
        bool((empty > 0).any())
