"""What every reproduction must hold to. `test_contract.py` makes one class of this for each method there is."""

import dataclasses
import gc
import math

import numpy as np
import pytest
import torch

import reproductions
from kiloframe.errors import UserError
from reproductions.contract import Batch, Condition


class MethodContract:
    """Inherit and set `slug`. `causal`: options of stream() with which a longer video starts with the shorter one."""

    slug: str
    causal: dict | None = {}  # noqa: RUF012

    @pytest.fixture
    def model(self):
        torch.manual_seed(0)
        kind = reproductions.method(self.slug)
        return kind(kind.Config.smoke())

    @staticmethod
    def stages(model):
        return [part for group in model.stage_groups() for part in group]

    def test_has_its_names(self, model):
        assert model.slug == self.slug and model.world
        assert set(model.uses) <= {f.name for f in dataclasses.fields(Condition)}
        with pytest.raises(dataclasses.FrozenInstanceError):
            model.config.steps = 1

    def test_every_preset_builds_and_is_counted(self, model):
        for preset in ("smoke", "toy", "gpu", "paper"):
            assert model.count(getattr(model.Config, preset)()) > 0
        assert model.count(model.config) == sum(p.numel() for p in model.parameters())

    def test_clips_follow_from_the_generator(self, model):
        first, again, other = (Batch.of(model.clips(np.random.default_rng(seed), 2)).video for seed in (0, 0, 1))
        assert torch.equal(first, again) and not torch.equal(first, other)
        assert first.ndim == 5 and first.shape[0] == 2 and first.dtype == torch.float32
        assert first.min() >= 0 and first.max() <= 1

    def test_losses_are_finite_and_follow_from_the_step(self, model):
        clip = model.clips(np.random.default_rng(0), 2)
        for stage in self.stages(model):
            first, again = stage.loss(clip, 3)["loss"], stage.loss(clip, 3)["loss"]
            assert first.ndim == 0 and math.isfinite(first.detach()) and torch.equal(first, again)
            assert not torch.equal(stage.loss(clip, 4)["loss"], first)

    def test_gradient_reaches_every_parameter(self, model):
        """After a few steps, that is: parts that start at zero hold up the gradient of what lies behind them."""
        reached = set()
        for stage in self.stages(model):
            parameters = [p for module in stage.modules for p in module.parameters()]
            optimizer = torch.optim.Adam(parameters, 1e-2)
            for step in range(6):
                optimizer.zero_grad(set_to_none=True)
                stage.loss(model.clips(np.random.default_rng(step), 4), step)["loss"].backward()
                optimizer.step()
                reached |= {p for p in parameters if p.grad is not None and p.grad.abs().sum() > 0}
        assert not [name for name, p in model.named_parameters() if p not in reached]

    def test_same_seed_same_frames_other_seed_others(self, model):
        first, again, other = (model.generate(12, seed=seed, batch=2) for seed in (5, 5, 6))
        assert first.shape[:2] == (2, 12) and first.dtype == torch.float32
        assert first.min() >= 0 and first.max() <= 1 and torch.isfinite(first).all()
        assert torch.equal(first, again) and not torch.equal(first, other)
        assert not torch.equal(first[0], first[1]), "the videos of a batch differ"

    def test_the_global_random_state_is_neither_used_nor_touched(self, model):
        videos = []
        for seed in (1, 2):
            torch.manual_seed(seed)
            np.random.seed(seed)
            before = torch.get_rng_state(), np.random.get_state()[1].copy()
            videos.append(model.generate(12))
            for stage in self.stages(model):
                stage.loss(model.clips(np.random.default_rng(0), 2), 0)
            assert torch.equal(torch.get_rng_state(), before[0])
            assert (np.random.get_state()[1] == before[1]).all()
        assert torch.equal(*videos)

    @pytest.mark.parametrize("frames", [1, 2, 7, 8, 9, 33])
    def test_the_stream_is_the_video_at_any_length(self, model, frames):
        chunks = list(model.stream(frames, seed=1))
        assert all(chunk.shape[1] > 0 and chunk.ndim == 5 and chunk.device.type == "cpu" for chunk in chunks)
        video = model.generate(frames, seed=1)
        assert video.shape[1] == frames and torch.equal(torch.cat(chunks, 1), video)

    def test_a_longer_video_starts_with_the_shorter_one(self, model):
        if self.causal is None:
            return
        whole = model.generate(31, seed=2, **self.causal)
        for frames in (1, 5, 8, 11, 22):
            assert torch.equal(model.generate(frames, seed=2, **self.causal), whole[:, :frames]), frames

    def test_the_stream_lets_go_of_its_frames(self, model):
        """The tensors that live after many frames are as large as those after few."""
        if self.causal is None:
            return
        made, held = 0, []
        for chunk in model.stream(160, **self.causal):
            made += chunk.shape[1]
            if made >= 40:
                tensors = (kept for kept in gc.get_objects() if type(kept) is torch.Tensor)
                held.append(sum(kept.numel() for kept in tensors))
        assert made == 160 and max(held) <= 1.1 * held[0]

    def test_save_and_load_agree(self, model, tmp_path):
        path = tmp_path / "w.safetensors"
        model.half().float()  # what is kept is fp16
        model.save(path)
        loaded = type(model).load(path)
        assert loaded.config == model.config and not loaded.training
        assert torch.equal(loaded.generate(9, seed=3), model.eval().generate(9, seed=3))
        assert list(tmp_path.iterdir()) == [path], "no temporary file stays behind"

    def test_bad_weight_files_give_a_sentence(self, model, tmp_path):
        from safetensors import safe_open
        from safetensors.torch import load_file, save_file

        kind, path = type(model), tmp_path / "w.safetensors"
        again = f"kiloframe train {self.slug}"
        with pytest.raises(UserError, match=f"no weights at .*{again}"):
            kind.load(path)
        model.save(path)
        whole = path.read_bytes()
        state = {name: value.clone() for name, value in load_file(path).items()}  # the file itself is overwritten
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
        for damaged in (whole[: len(whole) // 2], whole[:4], b"", b"\xff" * 64):
            path.write_bytes(damaged)
            with pytest.raises(UserError, match=f"damaged .*{again}"):
                kind.load(path)
        save_file(state, path, {**metadata, "slug": "another"})
        with pytest.raises(UserError, match="weights of 'another', not of"):
            kind.load(path)
        save_file(state, path)
        with pytest.raises(UserError, match="weights of None"):
            kind.load(path)
        name = next(iter(state))
        for wrong in (
            {**state, name: torch.zeros(1, 1)},
            {k: v for k, v in state.items() if k != name},
            {**state, "extra": torch.zeros(1)},
        ):
            save_file(wrong, path, metadata)
            with pytest.raises(UserError, match=f"does not fit this version .*{again}"):
                kind.load(path)
        for config in ("{", '{"nonsense": 1}', "[]"):
            save_file(state, path, {**metadata, "config": config})
            with pytest.raises(UserError, match="does not fit this version"):
                kind.load(path)

    def test_bad_requests_give_a_sentence_before_anything_is_computed(self, model):
        for frames in (0, -3):
            with pytest.raises(UserError, match="at least 1 frame"):
                model.stream(frames)
            with pytest.raises(UserError, match="a batch has at least 1 video"):
                model.stream(4, batch=frames)
        examples = {"captions": ("a",), "label": torch.zeros(1), "actions": torch.zeros(1, 1)}
        for field, value in examples.items():
            if field not in model.uses:
                with pytest.raises(UserError, match=f"cannot use {field}"):
                    model.stream(4, Condition(**{field: value}))

    def test_a_context_that_does_not_fit_gives_a_sentence(self, model):
        if "context" not in model.uses:
            return
        side, most = model.config.side, 8
        good = torch.full((2, most, 3, side, side), 0.5)
        assert next(model.stream(most, Condition(context=good))).shape[0] == 2
        for wrong in (
            good[0], good[:, :, :1], good[..., 1:], good[:, :0], good[:0], good.repeat(1, 2, 1, 1, 1)[:, : most + 1],
        ):  # fmt: skip
            with pytest.raises(
                UserError, match=rf"context must have the shape \(b, t, 3, {side}, {side}\) with \d <= t <= 8"
            ):
                model.stream(most, Condition(context=wrong))
        for value in (-0.1, 1.1, float("nan"), float("inf")):
            with pytest.raises(UserError, match=r"values must lie in \[0, 1\]"):
                model.stream(most, Condition(context=good.clone().index_fill_(1, torch.tensor([3]), value)))

    def test_toy_weights_load_and_make_a_long_video(self):
        model = reproductions.load(self.slug)
        path = reproductions.weights_path(self.slug)
        assert path.stat().st_size <= 4 * 2**20 and path.with_suffix(".json").is_file()
        assert model.config == model.Config.toy()
        shape = next(model.stream(101)).shape
        assert shape[0] == 1 and shape[2] == 3
