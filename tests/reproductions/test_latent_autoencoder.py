import pytest
import torch

from reproductions.parts.autoencoder import LatentAutoencoder


@pytest.fixture
def model():
    torch.manual_seed(0)
    return LatentAutoencoder((4, 6, 8), latent=5)


@pytest.fixture
def frames():
    return torch.rand(6, 3, 16, 12, generator=torch.Generator().manual_seed(1))


def test_vectors_have_mean_square_one_and_the_direction_that_the_encoder_says(model, frames):
    z = model.encode(frames)
    assert z.shape == (6, 5, 4, 3) and model.factor == 4
    torch.testing.assert_close(z.square().mean(1), torch.ones(6, 4, 3))
    e = model.encoder(2 * frames - 1)
    torch.testing.assert_close(torch.cosine_similarity(z, e, 1), torch.ones(6, 4, 3))
    assert model.decode(z).shape == frames.shape


def test_leading_axes_change_nothing(model, frames):
    z = model.encode(frames)
    torch.testing.assert_close(model.encode(frames.view(2, 3, 3, 16, 12)), z.view(2, 3, 5, 4, 3))
    torch.testing.assert_close(model.encode(frames[0]), z[0])
    made = model.decode(z)
    torch.testing.assert_close(model.decode(z.view(3, 2, 5, 4, 3)), made.view(3, 2, 3, 16, 12))


def test_the_loss_is_the_weighted_squared_error(model, frames):
    model.decoder[-1].weight.data.zero_()
    model.decoder[-1].bias.data = torch.tensor([1.0, 0.0, -1.0])  # on the scale -1 to 1: 1, 1/2 and 0 on the frames'
    weight = 1 + 9.0 * (frames[:, :1] > 0.5)
    found = model.loss(frames, 0.0, torch.Generator(), weight)
    squares = (frames - torch.tensor([1.0, 0.5, 0.0]).view(3, 1, 1)).square()
    torch.testing.assert_close(found["error"], squares.mean())
    share = weight / weight.sum()
    torch.testing.assert_close(found["loss"], 4 * (share * squares.mean(1, keepdim=True)).sum())


def test_noise_is_added_before_decoding_and_follows_from_the_generator(model, frames):
    """The error of noisy vectors is what decoding them by hand gives."""
    for layer in model.decoder[::2]:
        layer.weight.data *= 3  # untrained, it paints one grey whatever it is given
    weight = torch.ones(6, 1, 16, 12)
    noise = torch.randn(6, 5, 4, 3, generator=torch.Generator().manual_seed(3))
    by_hand = (model.decoder(model.encode(frames) + 0.5 * noise) + 1) / 2
    found = model.loss(frames, 0.5, torch.Generator().manual_seed(3), weight)
    torch.testing.assert_close(found["error"], (by_hand - frames).square().mean())
    assert (model.loss(frames, 0.0, torch.Generator(), weight)["error"] - found["error"]).abs() > 1e-3


def test_it_learns_to_paint_what_it_sees(model, frames):
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    weight, errors = torch.ones(6, 1, 16, 12), []
    for step in range(60):
        found = model.loss(frames, 0.1, torch.Generator().manual_seed(step), weight)
        optimizer.zero_grad()
        found["loss"].backward()
        optimizer.step()
        errors.append(float(found["error"]))
    assert errors[-1] < 0.75 * errors[0]
