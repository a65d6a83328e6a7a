import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiloframe.errors import UserError
from reproductions.parts.schedules import NAMES, calls, schedule, walk

# K = 4, g = 2, N = 8: worked out by hand from the rules, (O, L) per call. 12 frames are two problems of 8.
START = {
    "autoregressive": [((), (0, 1, 2, 3))],
    "long-range": [((), (0, 1, 2, 3))],
    "hierarchy-2": [((), (0, 2, 5, 7)), ((0, 2), (1,)), ((2, 5), (3, 4)), ((4, 5, 7), (6,))],
    "mixed": [((), (0, 2, 5, 7)), ((0, 2), (1,)), ((2, 5), (3, 4)), ((4, 5, 7), (6,))],
}
FIRST = {  # frames 4 to 7, given 0 to 3
    "autoregressive": [((2, 3), (4, 5)), ((4, 5), (6, 7))],
    # one of the latest, and frame 3, the latest of the original prefix; where these are one frame, the one before
    "long-range": [((2, 3), (4, 5)), ((3, 5), (6, 7))],
    # the key frames 5 and 7 from both ends of the prefix; then the gaps, each with a neighbour on either side
    "hierarchy-2": [((0, 3), (5, 7)), ((2, 3, 5), (4,)), ((4, 5, 7), (6,))],
    # as before, but the last gap sees frame 3 of the prefix in place of its second neighbour
    "mixed": [((0, 3), (5, 7)), ((2, 3, 5), (4,)), ((3, 5, 7), (6,))],
}
SECOND = {  # frames 8 to 11; the prefix is now 4 to 7
    "autoregressive": [((6, 7), (8, 9)), ((8, 9), (10, 11))],
    "long-range": [((6, 7), (8, 9)), ((7, 9), (10, 11))],
    "hierarchy-2": [((4, 7), (9, 11)), ((6, 7, 9), (8,)), ((8, 9, 11), (10,))],
    "mixed": [((4, 7), (9, 11)), ((6, 7, 9), (8,)), ((7, 9, 11), (10,))],
}


def pairs(*arguments, **sizes):
    return [(step.observed, step.latent) for step in schedule(*arguments, **sizes)]


@pytest.mark.parametrize("name", NAMES)
def test_with_a_prefix_exactly(name):
    assert pairs(name, 12, 4, window=4, new=2, horizon=8) == FIRST[name] + SECOND[name]


@pytest.mark.parametrize("name", NAMES)
def test_from_nothing_exactly(name):
    middle = FIRST[name] if name in ("autoregressive", "long-range") else []
    assert pairs(name, 12, window=4, new=2, horizon=8) == START[name] + middle + SECOND[name]


def test_a_gap_of_hierarchy_2_sees_the_finished_frames_within_it_and_both_sides():
    assert pairs("hierarchy-2", 16, 4, window=8, new=4, horizon=16) == [
        ((0, 1, 2, 3), (6, 9, 12, 15)),
        ((2, 3, 6, 9), (4, 5, 7, 8)),  # 6 lies between; of the other three slots one goes after, two before
        ((8, 9, 12, 15), (10, 11, 13, 14)),
    ]
    last = pairs("mixed", 16, 4, window=8, new=4, horizon=16)[-1]
    assert last == ((3, 9, 12, 15), (10, 11, 13, 14)), "mixed trades a neighbour for the original prefix"


def test_long_range_never_lets_go_of_the_prefix_within_a_problem():
    steps = pairs("long-range", 64, 8, window=8, new=4, horizon=64)
    assert all({6, 7} <= set(observed) for observed, _ in steps)
    assert steps[-1] == ((6, 7, 58, 59), (60, 61, 62, 63))
    assert not any({6, 7} & set(observed) for observed, _ in pairs("autoregressive", 64, 8)[3:])


def test_too_few_slots_for_neighbours_make_the_call_smaller_and_its_view_larger():
    assert pairs("hierarchy-2", 11, 4, window=5, new=3, horizon=16) == [
        ((0, 3), (5, 7, 10)),
        ((3, 5, 7), (4, 6)),  # with 8 as a third, 5 and 7 between them would take the places of both neighbours
        ((6, 7, 10), (8, 9)),
    ]


def test_number_of_calls():
    assert [calls(name, 64, 8) for name in NAMES] == [14] * 4, "56 frames, 4 a call: comparisons are fair"
    assert [calls(name, 128) for name in NAMES] == [31] * 4
    assert calls("autoregressive", 8) == 1 and calls("autoregressive", 9) == 2 and calls("mixed", 4, 4) == 0


@st.composite
def problems(draw):
    window = draw(st.integers(2, 9))
    new = draw(st.integers(1, window - 1))
    horizon = draw(st.integers(2 * window, 40))
    frames = draw(st.integers(1, 150))
    observed = draw(st.integers(0, min(frames, 30)))
    return draw(st.sampled_from(NAMES)), frames, observed, {"window": window, "new": new, "horizon": horizon}


@settings(max_examples=150, deadline=None)
@given(problems())
def test_laws_that_every_schedule_obeys(problem):
    name, frames, observed, sizes = problem
    done = set(range(observed))
    forgotten = 0
    for step in schedule(name, frames, observed, **sizes):
        assert step.latent and list(step.latent) == sorted(set(step.latent))
        assert list(step.observed) == sorted(set(step.observed))
        assert not done & set(step.latent), "no frame is made twice"
        assert set(step.observed) <= done, "only finished frames are observed"
        assert not step.observed or step.observed[0] >= forgotten, "`keep` was honest"
        both = [*step.observed, *step.latent]
        assert len(both) <= sizes["window"], "|O| + |L| <= K"
        assert max(both) - min(both) < sizes["horizon"], "no call spans more than was seen in training"
        assert step.observed or not done, "only the very first call is made from nothing"
        done |= set(step.latent)
        forgotten = max(forgotten, step.keep)
    assert done == set(range(frames)), "every frame is made"


@settings(max_examples=100, deadline=None)
@given(problems())
def test_a_walk_shows_every_frame_once_in_order_and_forgets_it(problem):
    name, frames, observed, sizes = problem
    shown, held, most = [], set(range(observed)), 0
    for ready, forget, step in walk(schedule(name, frames, observed, **sizes), frames, observed):
        if step is not None:
            assert set(step.observed) <= held, "what a step observes has not been forgotten"
            held |= set(step.latent)
            most = max(most, len(held))
        assert set(ready) <= held
        shown += ready
        assert set(forget) <= held and set(forget) <= set(shown), "forgotten once, and only after it was shown"
        held -= set(forget)
    assert shown == list(range(frames))
    bound = sizes["window"] + sizes["new"] if name == "autoregressive" else 2 * sizes["horizon"]
    assert most <= max(observed + sizes["new"], bound), "memory does not grow with the number of frames"


@pytest.mark.parametrize("name", NAMES)
def test_a_schedule_of_a_million_frames_starts_at_once_and_streams_in_bounded_memory(name):
    held, most = set(), 0
    for ready, forget, step in itertools.islice(walk(schedule(name, 10**6), 10**6, 0), 2000):
        held |= set(step.latent) if step else set()
        held -= set(forget)
        most = max(most, len(held))
        assert ready == sorted(ready)
    assert most <= (8 if name == "autoregressive" else 64)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("auto-regressive", 8),
            "did you mean 'autoregressive'.*allowed: autoregressive, long-range, hierarchy-2, mixed",
        ),
        (("", 8), "there is no schedule ''; allowed"),
        (("mixed", 0), "at least 1 frame, not 0"),
        (("mixed", 8, 9), "0 to 8 frames, not 9"),
        (("mixed", 8, -1), "0 to 8 frames, not -1"),
    ],
)
def test_errors_come_at_once(arguments, words):
    with pytest.raises(UserError, match=words):
        schedule(*arguments)


@pytest.mark.parametrize("sizes", [{"new": 0}, {"new": 8}, {"horizon": 15}])
def test_impossible_sizes(sizes):
    with pytest.raises(UserError, match=r"call must make|horizon must be"):
        schedule("mixed", 8, **sizes)
