"""The steps of GRU layers against PyTorch's own, on sequences of different lengths."""

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from stages.networks import gru

LENGTHS = torch.tensor([7, 3, 5])
INSIDE = torch.arange(7) < LENGTHS[:, None]


def layers():
    torch.manual_seed(0)
    return torch.nn.GRU(4, 6, 2, batch_first=True, bidirectional=True)


def test_they_give_what_pytorch_gives_and_its_gradients():
    own, values = layers(), torch.randn(3, 7, 4, requires_grad=True)
    packed = pack_padded_sequence(values, LENGTHS, batch_first=True, enforce_sorted=False)
    expected = pad_packed_sequence(own(packed)[0], batch_first=True)[0]
    outputs = gru.both_ways(own, values, INSIDE)
    assert torch.allclose(outputs, expected, atol=1e-6)
    weights = torch.randn_like(outputs)
    by = [values, *own.parameters()]
    ours, theirs = (torch.autograd.grad((one * weights).sum(), by) for one in (outputs, expected))
    for one, other in zip(ours, theirs):
        assert torch.allclose(one, other, atol=1e-5)


def test_padding_and_batch_mates_change_nothing():
    own, values = layers(), torch.randn(3, 7, 4)
    together = gru.both_ways(own, values, INSIDE)
    assert torch.equal(together, gru.both_ways(own, values.masked_fill(~INSIDE[..., None], 1e3), INSIDE))
    for number, length in enumerate(LENGTHS.tolist()):
        alone = gru.both_ways(own, values[number : number + 1, :length], torch.ones(1, length, dtype=torch.bool))
        assert torch.allclose(together[number, :length], alone[0], atol=1e-6)
        assert (together[number, length:] == 0).all()


def test_a_second_derivative_is_refused():
    values = torch.randn(3, 7, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(gru.both_ways(layers(), values, INSIDE).sum(), values, create_graph=True)
    with pytest.raises(RuntimeError):
        gradient.sum().backward()
