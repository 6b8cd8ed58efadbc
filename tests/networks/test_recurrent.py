"""The recurrent layer against PyTorch's own, on sequences of different lengths."""

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from stages.networks import pooling
from stages.networks.recurrent import Bidirectional

LENGTHS = torch.tensor([7, 3, 5])
NAMES = {"input_weight": "weight_ih", "input_bias": "bias_ih", "hidden_weight": "weight_hh", "hidden_bias": "bias_hh"}


def pair(cell):
    """A layer and PyTorch's with the same weights."""
    torch.manual_seed(0)
    own = Bidirectional(cell, 4, 6)
    peer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](4, 6, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for name in NAMES:
            for ours, theirs in zip(getattr(own, name), directions(peer, name)):
                theirs.copy_(ours)
    return own, peer


def directions(peer, name):
    """PyTorch's two parameters, forward and backward, that are one of ours."""
    return [getattr(peer, f"{NAMES[name]}_l0{suffix}") for suffix in ("", "_reverse")]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_it_gives_what_pytorch_gives_and_its_gradients(cell):
    own, peer = pair(cell)
    values = torch.randn(3, 7, 4, requires_grad=True)
    outputs = own(values, pooling.inside(values, LENGTHS))
    packed = pack_padded_sequence(values, LENGTHS, batch_first=True, enforce_sorted=False)
    expected = pad_packed_sequence(peer(packed)[0], batch_first=True)[0]
    assert torch.allclose(outputs, expected, atol=1e-6)
    weights = torch.randn_like(outputs)
    ours, theirs = (
        torch.autograd.grad((one * weights).sum(), values, retain_graph=True)[0] for one in (outputs, expected)
    )
    assert torch.allclose(ours, theirs, atol=1e-6)
    for one in (outputs, expected):
        (one * weights).sum().backward()
    for name in NAMES:
        theirs = torch.stack([parameter.grad for parameter in directions(peer, name)])
        assert torch.allclose(getattr(own, name).grad, theirs, atol=1e-5), name


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_padding_and_batch_mates_change_nothing(cell):
    own, _ = pair(cell)
    values = torch.randn(3, 7, 4)
    together = own(values, pooling.inside(values, LENGTHS))
    spoilt = values.masked_fill(~pooling.inside(values, LENGTHS)[..., None], 1e3)
    assert torch.allclose(together, own(spoilt, pooling.inside(values, LENGTHS)), atol=1e-6)
    for number, length in enumerate(LENGTHS.tolist()):
        alone = own(values[number : number + 1, :length], torch.ones(1, length, dtype=torch.bool))
        assert torch.allclose(together[number, :length], alone[0], atol=1e-6)
        assert (together[number, length:] == 0).all()
