"""What the exact measures of a world do not take: each wrong video is refused in one sentence, none is measured."""

import numpy as np
import pytest

from kiloframe.errors import UserError
from reproductions.measures.exact import exact
from reproductions.worlds import world

WRONG = {
    "NaN": (lambda video: np.where(np.arange(20)[:, None, None, None] == 7, np.nan, video), "NaN or infinity"),
    "bytes": (lambda video: (video * 255).astype(np.uint8), "is uint8"),
    "0 to 255": (lambda video: video * 255, "outside \\[0, 1\\]"),
    "-1 to 1": (lambda video: video * 2 - 1, "outside \\[0, 1\\]"),
    "shorter than its truth": (lambda video: video[:, :5], "the truth|and truth"),
    "no video": (lambda video: video[:0], "empty set|and truth"),
    "no channels": (lambda video: video[0], "videos|video"),
}


@pytest.fixture(scope="module", params=["shapes", "stories", "rooms", "timelapse"])
def clip(request):
    made = world(request.param, 16)
    return made, made.batch([1, 2], [0, 0], 20)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_video_is_refused(clip, wrong):
    made, real = clip
    spoil, sentence = WRONG[wrong]
    with pytest.raises(UserError, match=sentence):
        exact(made, spoil(real.video), real.truth)


@pytest.mark.parametrize("name", ["digits", "shapes", "stories", "rooms", "timelapse"])
def test_one_frame_is_a_video_too(name):
    made = world(name, 16)
    real = made.batch([1, 2], [0, 0], 1)
    assert {values.shape for values in exact(made, real.video, real.truth).values()} == {(2, 1)}
