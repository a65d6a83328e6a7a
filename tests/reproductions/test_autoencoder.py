from functools import partial

import pytest
import torch
from torch.nn import functional as F

from reproductions.parts.autoencoder import FrameAutoencoder, LatentAutoencoder


@pytest.fixture
def model():
    torch.manual_seed(0)
    return FrameAutoencoder((4, 6, 8), codes=16, code_channels=5)


@pytest.fixture
def frames():
    return torch.rand(6, 3, 16, 12, generator=torch.Generator().manual_seed(1))


def test_every_level_but_the_first_halves_the_side(model, frames):
    tokens = model.encode(frames)
    assert tokens.shape == (6, 4, 3) and tokens.dtype == torch.int64 and model.factor == 4
    assert model.decode(tokens).shape == frames.shape
    assert FrameAutoencoder((4,), 16, 5).encode(frames).shape == (6, 16, 12), "one level halves nothing"


def test_leading_axes_change_nothing(model, frames):
    tokens = model.encode(frames)
    assert torch.equal(model.encode(frames.view(2, 3, 3, 16, 12)), tokens.view(2, 3, 4, 3))
    assert torch.equal(model.encode(frames[0]), tokens[0])
    made = model.decode(tokens)
    torch.testing.assert_close(model.decode(tokens.view(3, 2, 4, 3)), made.view(3, 2, 3, 16, 12))
    torch.testing.assert_close(model.decode(tokens[4]), made[4])


def test_tokens_are_the_codes_of_the_nearest_direction(model, frames):
    z = model.encoder(2 * frames - 1)
    tokens = model.encode(frames)
    for b, i, j in ((0, 0, 0), (3, 2, 1), (5, 3, 2)):
        cosines = [F.cosine_similarity(z[b, :, i, j], code, 0).item() for code in model.quantise.codebook]
        assert cosines[tokens[b, i, j]] == pytest.approx(max(cosines), abs=1e-6)


@pytest.mark.parametrize(
    "kind", [partial(FrameAutoencoder, codes=16, code_channels=5), partial(LatentAutoencoder, latent=5)]
)
def test_frames_lie_between_black_and_white_whatever_the_decoder_says(kind, frames):
    model = kind((4, 6, 8))
    model.decoder[-1].bias.data += torch.tensor([9.0, -9.0, 0.0])
    made = model.decode(model.encode(frames))
    assert (made[:, 0] == 1).all() and (made[:, 1] == 0).all()


def test_the_loss_is_the_squared_error_and_a_tenth_of_the_quantisation(model, frames):
    model.decoder[-1].weight.data.zero_()
    model.decoder[-1].bias.data = torch.tensor([1.0, 0.0, -1.0])  # on the scale -1 to 1: 1, 1/2 and 0 on the frames'
    loss = model.eval().loss(frames, torch.Generator())
    grey = torch.tensor([1.0, 0.5, 0.0]).view(3, 1, 1)
    error = (frames - grey).square().mean()
    z = F.normalize(model.encoder(2 * frames - 1).movedim(1, -1), dim=-1)
    e = F.normalize(model.quantise.codebook[model.encode(frames)], dim=-1)
    quantisation = 1.25 * (z - e).square().sum(-1).mean()
    torch.testing.assert_close(loss["error"], error)
    torch.testing.assert_close(loss["loss"], error + 0.1 * quantisation)
    d = grey - frames
    tint = (d - (d[:, :1] + d[:, 1:2] + d[:, 2:]) / 3).square().mean()
    coloured = model.loss(frames, torch.Generator(), colour=2.0)["loss"]
    torch.testing.assert_close(coloured, error + 2 * tint + 0.1 * quantisation)


def test_the_error_reaches_the_encoder_through_the_codes(model, frames):
    model.loss(frames, torch.Generator())["loss"].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_a_token_depends_on_its_own_patch_alone(model, frames):
    changed = frames.clone()
    changed[:, :, 4:8, 8:12] = 1 - changed[:, :, 4:8, 8:12]
    same = model.encode(changed) == model.encode(frames)
    same[:, 1, 2] = True
    assert same.all()


def test_dead_codes_are_revived_in_training_alone(model, frames):
    model.quantise.usage.zero_()
    before = model.quantise.codebook.clone()
    model.eval().loss(frames, torch.Generator())
    assert torch.equal(model.quantise.codebook, before)
    model.train().loss(frames, torch.Generator())
    assert not torch.equal(model.quantise.codebook, before)


def test_it_learns_a_few_colours_by_heart():
    torch.manual_seed(0)
    model = FrameAutoencoder((8, 16), codes=16, code_channels=5)
    colours = torch.tensor([[1.0, 0.2, 0.2], [0.1, 0.8, 0.3], [0.2, 0.3, 1.0], [0.9, 0.9, 0.1]])
    pictures = colours[..., None, None].expand(4, 3, 4, 4)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    generator = torch.Generator().manual_seed(0)
    for _ in range(150):
        optimizer.zero_grad()
        model.loss(pictures, generator)["loss"].backward()
        optimizer.step()
    error = (model.decode(model.encode(pictures)) - pictures).abs().mean()
    assert error < 0.3 * (pictures - pictures.mean((0, 2, 3), keepdim=True)).abs().mean()
