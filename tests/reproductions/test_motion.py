import math

import pytest
import torch

from reproductions.parts.motion import EndlessNoise, LSTMMotion, PlainTime, periods, sinusoids


@pytest.fixture
def noise():
    return EndlessNoise(3, 2, 4, torch.device("cpu"))


@pytest.fixture
def lstm():
    torch.manual_seed(0)
    return LSTMMotion(4, 6, 5)


def at(*times, batch=2):
    return torch.tensor(times, dtype=torch.float64).expand(batch, -1)


def test_periods_are_log_spaced_between_their_ends():
    found = periods(15, 960, 13)
    assert found[0] == pytest.approx(15) and found[-1] == pytest.approx(960)
    torch.testing.assert_close(found[1:] / found[:-1], torch.full((12,), 2**0.5, dtype=torch.float64))
    assert 240 in found.round(decimals=6)


def test_a_wave_is_as_loud_as_the_square_root_of_its_period():
    period = torch.tensor([25.0, 100.0, 400.0])
    found = sinusoids(torch.rand(7, 3), period)
    torch.testing.assert_close(found[:, :3].square() + found[:, 3:].square(), (period / 400).expand(7, 3))


def test_plain_time_is_the_sinusoids_themselves_and_loops():
    code = PlainTime(13, (15, 960))
    t = 7.25
    found = code(at(t, t + 960), None)[0]
    for i, period in enumerate(periods(15, 960, 13).tolist()):
        angle, gain = 2 * math.pi * t / period, math.sqrt(period / 960)
        assert found[0, 0, [i, i + 13]].tolist() == pytest.approx([gain * math.sin(angle), gain * math.cos(angle)])
    every = torch.arange(0, 13, 2)  # these periods divide 960
    both = torch.cat([every, every + 13])
    torch.testing.assert_close(found[:, 1, both], found[:, 0, both], atol=1e-5, rtol=0)
    assert torch.equal(found[0], found[1]), "every video moves alike"


def test_endless_noise_is_the_same_from_wherever_it_is_drawn(noise):
    whole = noise(torch.tensor([0, 0]), 300)
    for first, count in ((0, 1), (63, 2), (100, 150), (299, 1)):
        assert torch.equal(noise(torch.tensor([first] * 2), count), whole[:, first : first + count])
    apart = noise(torch.tensor([5, 200]), 30)
    assert torch.equal(apart[0], whole[0, 5:35]) and torch.equal(apart[1], whole[1, 200:230])
    assert not torch.equal(whole[0], whole[1]) and not torch.equal(whole[:, :64], whole[:, 64:128])
    other = EndlessNoise(4, 2, 4, torch.device("cpu"))(torch.tensor([0, 0]), 300)
    assert not torch.equal(other, whole)


def test_endless_noise_is_normal():
    drawn = EndlessNoise(0, 8, 16, torch.device("cpu"))(torch.zeros(8, dtype=torch.long), 500)
    assert abs(float(drawn.mean())) < 0.02 and float(drawn.std()) == pytest.approx(1, abs=0.02)


def test_the_lstm_is_one_step_per_frame_and_straight_lines_between(lstm, noise):
    z = noise(torch.tensor([0, 0]), 300)
    cell = torch.nn.LSTMCell(4, 6)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in lstm.lstm.state_dict().items()})
    codes, memory = [], None
    with torch.no_grad():
        for n in range(300):
            memory = cell(z[:, n], memory)
            codes.append(lstm.out(memory[0]))
        found = lstm(at(0, 3, 2.25, 270, 298), noise)[0]
    expected = [codes[0], codes[3], 0.75 * codes[2] + 0.25 * codes[3], codes[270], codes[298]]
    torch.testing.assert_close(found, torch.stack(expected, 1))


def test_the_lstm_goes_on_from_where_it_was_left_or_starts_anew(lstm, noise):
    t = at(*[n + 0.5 for n in range(40)])
    with torch.no_grad():
        whole = lstm(t, noise)[0]
        parts, state = [], None
        for part in t.split(7, 1):
            v, state = lstm(part, noise, state)
            parts.append(v)
        torch.testing.assert_close(torch.cat(parts, 1), whole)
        torch.testing.assert_close(lstm(t[:, :3], noise, state)[0], whole[:, :3])
