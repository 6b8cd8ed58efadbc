"""Dropout: which share is dropped, by what the others are scaled, each its own draw, and nothing when it decides."""

import torch
from torch.func import vmap

from stages.networks.dropout import Dropout


def test_in_training_a_share_of_the_values_is_zero_and_the_others_keep_the_mean():
    torch.manual_seed(0)
    values = torch.full((1000, 1000), 3.0, requires_grad=True)
    dropped = Dropout(0.3)(values)
    assert abs((dropped == 0).double().mean().item() - 0.3) < 0.002  # four standard errors of a million draws
    torch.testing.assert_close(dropped[dropped != 0].unique(), torch.tensor([3 / 0.7]))
    (gradient,) = torch.autograd.grad(dropped.sum(), values)
    torch.testing.assert_close(gradient, dropped / 3)


def test_each_of_a_stack_of_networks_drops_others():
    torch.manual_seed(0)
    dropped = vmap(Dropout(0.5), randomness="different")(torch.ones(2, 1000))
    assert 400 < (dropped[0] == dropped[1]).sum() < 600


def test_what_is_dropped_follows_from_the_seed_and_nothing_is_when_it_decides():
    dropout, values = Dropout(0.3), torch.ones(100)
    drawn = [(torch.manual_seed(seed), dropout(values))[1] for seed in (1, 1, 2)]
    assert drawn[0].equal(drawn[1]) and not drawn[0].equal(drawn[2])
    assert dropout.eval()(values).equal(values)
    assert Dropout(0.0)(values).equal(values) and not Dropout(1.0)(values).any()
