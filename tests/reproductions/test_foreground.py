import numpy as np
import torch

from reproductions.parts.foreground import foreground_weight


def test_the_foreground_is_what_differs_from_the_median_colour():
    video = torch.full((2, 3, 3, 8, 8), 0.3)
    video[1] = 0.6
    video[0, 1, 2, 4, 5] = 0.5  # one channel is enough
    video[1, 0, 0, 0, 0] = 0.65  # too near to count
    weight = foreground_weight(video, 10, 0.08)
    assert weight.shape == (2, 3, 1, 8, 8)
    assert weight[0, 1, 0, 4, 5] == 10 and weight.sum() == weight.numel() + 9


def test_a_ground_that_is_given_holds_for_every_clip_and_for_single_frames():
    ground = np.array([0.1, 0.2, 0.3], np.float32)
    frames = torch.from_numpy(ground)[:, None, None].repeat(2, 1, 4, 4)
    frames[1, 2, 3, 3] += 0.11  # beyond the threshold in one channel
    frames[0, 0, 0, 0] += 0.09  # not beyond it
    weight = foreground_weight(frames, 10, 0.1, ground)
    assert weight.shape == (2, 1, 4, 4) and weight[1, 0, 3, 3] == 10
    assert weight.sum() == weight.numel() + 9
    assert foreground_weight(frames.double(), 10, 0.1, ground).dtype == torch.float64
