import torch

from reproductions.parts.text import CaptionEncoder
from reproductions.worlds.captions import WORDS, encode


def encoder():
    torch.manual_seed(0)
    return CaptionEncoder(len(WORDS), 20, 16)


def test_order_matters_and_padding_does_not():
    net = encoder()
    one, other = encode(["a small red circle moving slowly", "a slowly red circle moving small"], 12)
    assert not torch.allclose(net.pooled(torch.tensor(one)), net.pooled(torch.tensor(other)), atol=1e-3)
    longer = torch.tensor(encode(["a small red circle moving slowly"], 20))
    assert torch.allclose(net.pooled(torch.tensor(one)), net.pooled(longer)[0], atol=1e-6)
    changed = net.word.weight.clone()
    with torch.no_grad():
        net.word.weight[0] += 5
    assert torch.allclose(net.pooled(longer)[0], net.pooled(torch.tensor(one)), atol=1e-6), "no word, no meaning"
    assert not torch.equal(changed, net.word.weight)


def test_no_caption_is_a_vector_of_its_own():
    net = encoder()
    words = torch.tensor(encode(["", "a red circle"], 6))
    x, seen = net(words.unflatten(0, (1, 2)).expand(3, 2, 6))
    assert x.shape == (3, 2, 6, 16) and seen.shape == (3, 2, 6)
    assert seen[0].sum(-1).tolist() == [1, 3] and torch.isfinite(x).all()
    before = net.pooled(words)
    with torch.no_grad():
        net.none[0] += 1
    after = net.pooled(words)
    assert not torch.allclose(before[0], after[0]) and torch.equal(before[1], after[1])
