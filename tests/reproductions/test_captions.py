"""Captions as numbers: what is encoded comes back, unknown words are refused, and no number ever changes."""

import hashlib
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiloframe.errors import UserError
from reproductions.worlds import shapes, stories
from reproductions.worlds.captions import PAD, WORDS, decode, encode


def every_story_sentence():
    axes = (stories.CHARACTERS, stories.COLOURS, stories.PLACES, stories.ACTIONS, (False, True))
    return [stories.Prompt(*words).caption for words in product(*axes)]


def every_shape():
    return [
        shapes.Described(kind, colour, large, quick)
        for kind, colour, large, quick in product(
            range(len(shapes.KINDS)), range(len(shapes.COLOURS)), (False, True), (False, True)
        )
    ]


def test_every_sentence_of_stories_comes_back():
    sentences = every_story_sentence()
    numbers = encode(sentences)
    assert decode(numbers) == sentences
    # "the orange cat walks in the forest" and a full stop; two more words at night
    assert set((numbers != PAD).sum(1)) == {8, 10}


def test_every_phrase_of_shapes_comes_back_and_so_do_pairs_and_triples():
    described = every_shape()
    sentences = [shapes.describe([shape]) for shape in described]
    for a, b, c in zip(described, described[31:] + described[:31], described[77:] + described[:77], strict=True):
        sentences += [shapes.describe([a, b]), shapes.describe([a, b, c])]
    assert len(set(sentences)) == 3 * len(described)
    assert decode(encode(sentences)) == sentences


@given(st.lists(st.lists(st.sampled_from(WORDS[3:]), min_size=1, max_size=12), min_size=1, max_size=4))
def test_any_words_come_back_at_any_width(rows):
    captions = [" ".join(row) for row in rows]
    numbers = encode(captions, 20)
    assert numbers.shape == (len(rows), 20) and numbers.dtype == np.int64
    assert decode(numbers) == captions
    assert (encode(captions) == numbers[:, : max(map(len, rows))]).all()


def test_the_numbers_of_words_never_change():
    """Weights are trained on these numbers. A new word goes to the end; then this test still holds."""
    known = WORDS[:48]
    assert hashlib.sha256("\n".join(known).encode()).hexdigest() == HASH
    assert len(set(WORDS)) == len(WORDS) and WORDS[PAD] == "" and all(word == word.lower() for word in WORDS)
    assert encode(["the orange cat walks in the forest."]).tolist() == [[4, 17, 30, 35, 6, 4, 42, 1]]


HASH = "d247042600e3dc88098ceb51d03ad1207f90fb9bc5b4b8ae40d0275d22975e7f"


def test_a_short_caption_is_filled_up_and_capitals_and_spaces_do_not_matter():
    numbers = encode(["the cat", "  The  CAT waits ."])
    assert numbers.tolist() == [[4, 30, PAD, PAD], [4, 30, 39, 1]]
    assert decode(numbers) == ["the cat", "the cat waits."]
    assert decode(encode(["a cat, a fish and a bird."])) == ["a cat, a fish and a bird."]
    assert encode([]).shape == (0, 0) and encode([""], 3).tolist() == [[PAD] * 3] and decode(encode([""], 3)) == [""]


def test_an_unknown_word_is_named_with_its_caption_and_the_nearest_words():
    with pytest.raises(UserError) as caught:
        encode(["the cat waits.", "the orange robbot waits."])
    text = str(caught.value)
    assert "the word 'robbot' of the caption 'the orange robbot waits.' is unknown; nearest: robot" in text
    assert text.endswith(f"known: {', '.join(WORDS[1:])}")
    with pytest.raises(UserError, match=r"'zzz'.*is unknown; known: ") as caught:
        encode(["zzz"])
    assert "nearest" not in str(caught.value)


def test_a_caption_that_is_too_long_is_refused_by_name():
    with pytest.raises(UserError, match="may have 4 words here; one has 5: 'a cat and a bird'"):
        encode(["a cat", "a cat and a bird"], 4)
    assert encode(["a cat and a bird"], 5).shape == (1, 5)


@pytest.mark.parametrize("number", [-1, len(WORDS)])
def test_a_number_without_a_word_is_refused(number):
    with pytest.raises(UserError, match=f"numbers from 0 to {len(WORDS) - 1}, not"):
        decode(np.array([[number]]))
