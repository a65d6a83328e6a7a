"""CLIP's towers and its tokenizer."""

import gzip

import numpy as np
import pytest
import torch
from PIL import Image
from random_networks import meta, network, randomised
from torch import nn

from kiloframe.errors import UserError
from reproductions.measures.networks import NETWORKS
from reproductions.measures.networks.bpe import END, START, VOCABULARY, Tokenizer
from reproductions.measures.networks.clip import DEVIATION, MEAN, Attention, CLIPImage, CLIPText, cut_square


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_torchs_own(causal):
    own = randomised(Attention(128, causal))
    theirs = nn.MultiheadAttention(128, 2, batch_first=True)
    theirs.load_state_dict(own.state_dict())  # the names are the same, too
    x = torch.randn(3, 9, 128)
    mask = nn.Transformer.generate_square_subsequent_mask(9) if causal else None
    torch.testing.assert_close(own(x), theirs(x, x, x, need_weights=False, attn_mask=mask)[0])


def test_clip_pictures_are_cut_as_its_own_transform_cuts_them():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 91, 3), np.uint8))
    wide = image.resize((int(224 * 91 / 60), 224), Image.Resampling.BICUBIC)
    left = round((wide.width - 224) / 2)
    np.testing.assert_array_equal(cut_square(image, 224), np.asarray(wide)[:, left : left + 224])
    tall = image.transpose(Image.Transpose.TRANSPOSE)
    whole = np.asarray(tall.resize((224, wide.width), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(cut_square(tall, 224), whole[left : left + 224])
    grey = CLIPImage.prepare(meta(CLIPImage), torch.full((2, 3, 40, 30), 0.5))
    assert grey.shape == (2, 3, 224, 224)
    torch.testing.assert_close(grey[1, :, 3, 4], (128 / 255 - torch.tensor(MEAN)) / torch.tensor(DEVIATION))


RANKS = (
    "0:i+n 4:a+r 7:in+g</w> 10:s+t 11:o+r 17:i+t 19:t+o</w> 24:a+t</w> 26:e+d</w> 32:e+l 34:a+c 36:a+m 43:t+i 45:n+e "
    "47:r+a 52:s+i 58:d+i 62:o+o 67:l+e</w> 70:i+r 71:g+h 90:a+g 118:gh+t</w> 119:ar+e</w> 127:d+o 129:w+or 131:k+e "
    "136:t+a 139:h+e 147:e+x 149:p+e 164:o+p 175:a+m</w> 182:t+ing</w> 185:n+i 189:f+i 190:a+f 197:g+r 200:p+l "
    "218:l+d</w> 226:oo+d</w> 258:f+ir 260:c+a 270:g+ra 298:r+e</w> 314:el+l 365:ac+k 385:i+ght</w> 404:c+k 407:h+el "
    "418:ni+ght</w> 454:t+w 459:t+t 490:wor+ld</w> 492:c+am 518:pe+op 519:it+t 525:m+p 535:peop+le</w> 540:x+t</w> "
    "577:i+g 619:ne+xt</w> 725:tw+o</w> 731:k+ed</w> 798:t+in 851:st+a 942:ir+e</w> 1101:w+o 1107:p+le</w> 1145:l+l "
    "1192:w+ood</w> 1257:fir+e</w> 1355:w+oo 1417:do+g</w> 1495:ra+m</w> 1856:c+at</w> 1935:ag+ram</w> 2000:ell+o</w> "
    "2200:i+gh 2342:cam+p 2470:l+o</w> 2635:it+ting</w> 2794:h+ello</w> 2959:c+af 3009:am+p 3654:Ã+©</w> "
    "4407:s+itting</w> 4703:n+g</w> 4709:wor+l 5186:ack+ed</w> 6339:di+ag 6385:ne+x 6839:di+a 6875:s+it 7289:h+t</w> "
    "7898:h+ell 8043:o+g</w> 9207:o+d</w> 9663:st+ac 10620:w+o</w> 11974:i+a 14792:caf+Ã©</w> 15542:e+o 16168:p+f "
    "17529:r+l 22185:di+agram</w> 24211:st+ack 24478:st+acked</w> 25151:op+le</w> 26148:ag+ra 32018:camp+fire</w>"
)
"""Rank and pair of every merge of CLIP's vocabulary that the sentences below could meet; the others are filled up."""


@pytest.fixture(scope="module")
def merges():
    known = {int(rank): tuple(pair.split("+", 1)) for rank, pair in (item.split(":") for item in RANKS.split())}
    return [known.get(i, ("\u2603", str(i))) for i in range(VOCABULARY - 514)]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [  # as public tests of other implementations of this tokenizer state them
        ("Hello  World!", [3306, 1002, 256]),
        ("a diagram", [320, 22697]),
        ("a dog", [320, 1929]),
        ("a cat", [320, 2368]),
        ("caf\u00e9", [15304]),
        ("cafe\u0301", [15304]),
        (
            "Two people are sitting next to a wood - stacked campfire at night",
            [1237, 1047, 631, 4919, 1131, 531, 320, 1704, 268, 24990, 32530, 536, 930],
        ),
        ("", []),
    ],
)
def test_known_token_numbers(merges, text, numbers):
    tokenizer = Tokenizer(merges)
    assert tokenizer.encode(text) == numbers
    row = tokenizer.tokens([text])[0]
    assert row.tolist() == [START, *numbers, END] + [0] * (75 - len(numbers))


def test_words_are_cut_at_endings_digits_and_signs(merges):
    tokenizer = Tokenizer(merges)
    letter = {c: tokenizer.encode(c)[0] for c in "as7!'"}
    assert tokenizer.encode("a's") == [letter["a"], *tokenizer.encode("'s")]
    assert tokenizer.encode("77") == [letter["7"], letter["7"]]
    assert tokenizer.encode("a&amp;amp;a") == tokenizer.encode("a&a")
    assert tokenizer.encode("a\u2019s") == tokenizer.encode("a's")
    assert tokenizer.encode("<|endoftext|>") == [END]
    with pytest.raises(UserError, match=r"at most 75 tokens for CLIP, .* has 76"):
        tokenizer.tokens(["7" * 76])


def test_a_vocabulary_file_is_read_and_a_short_one_refused(tmp_path, merges):
    weights, path = NETWORKS["clip_text"].also[0], tmp_path / "bpe.txt.gz"
    lines = ["#version", *(" ".join(pair) for pair in merges), "left over"]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    assert Tokenizer.load(path, weights).encode("a diagram") == [320, 22697]
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="damaged or cut short"):
        Tokenizer.load(path, weights)
    path.write_bytes(gzip.compress(b"#version\na b\n"))
    with pytest.raises(UserError, match="holds 1 merges, not 48894"):
        Tokenizer.load(path, weights)


def test_a_caption_is_read_up_to_its_end_mark_and_forwards_only(merges):
    module = randomised(CLIPText(Tokenizer(merges), 64, 2))
    tokens = module.prepare(["a dog", "a cat"])
    with torch.no_grad():
        found = module(tokens)
        after = tokens.clone()
        after[:, 4:] = 17  # behind the end mark
        torch.testing.assert_close(module(after), found)
        swapped = tokens[:, [0, 2, 1, *range(3, 77)]]
        assert not torch.allclose(module(swapped), found)  # a bag of words would not notice
    assert network("clip_text", module).features(["a dog", "a cat"]).shape == (2, 512)


def test_the_image_tower_sees_every_patch_and_their_places():
    module = randomised(CLIPImage(64, 2, side=64))
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        found = module(x)
        assert not torch.allclose(module(x.roll(32, -1)), found)  # patches change places
        for i, j in ((0, 0), (0, 32), (32, 0), (32, 32)):
            other = x.clone()
            other[..., i : i + 32, j : j + 32] += 1
            assert not torch.allclose(module(other), found)
