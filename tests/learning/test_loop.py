"""The loop of all training: rounds, and steps down a loss."""

import io

import pytest
import torch
from tqdm import tqdm

from stages.learning import loop


def test_rounds_share_out_all_iterations():
    assert loop.rounds_of(7, 3) == [range(0, 3), range(3, 6), range(6, 7)]
    assert loop.rounds_of(6, 3) == [range(0, 3), range(3, 6)]
    assert loop.rounds_of(2, 3) == [range(0, 2)]


def descent(rate=1.0):
    module = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.ones_(module.weight)
    bar = tqdm(total=9, file=io.StringIO())
    return loop.Descent(module, torch.optim.SGD(module.parameters(), rate), bar)


def test_a_step_goes_down_the_gradient_at_its_rate_and_counts():
    made = descent()
    inputs = torch.tensor([[3.0, 4.0]], requires_grad=True)
    for number in (1, 2):
        loss = made.step(made.module(inputs).sum(), 0.1)
        assert not loss.requires_grad
        assert torch.allclose(made.module.weight, 1 - number * 0.1 * inputs.detach())
    assert made.bar.n == 2
    # Only the weights get gradients: what a method has made of its inputs is its own.
    assert inputs.grad is None


def test_a_large_gradient_is_cut_to_its_norm():
    made = descent()
    made.step(made.module(torch.tensor([[3.0, 4.0]])).sum(), 1.0, largest_gradient=0.5)
    assert torch.allclose(1 - made.module.weight, torch.tensor([[0.3, 0.4]]), atol=1e-5)
    assert (1 - made.module.weight).norm().item() == pytest.approx(0.5, abs=1e-5)
