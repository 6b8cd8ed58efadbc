"""Adam to the last bit as torch's own, and without what torch's own imports."""

import subprocess
import sys

import torch

from stages.learning.adam import Adam


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 3))


def trained(module, optimiser, steps):
    """The weights after steps whose batches and rates are drawn by number; the last layer is left out twice."""
    for number in steps:
        torch.manual_seed(number)
        optimiser.param_groups[0]["lr"] = 0.1 / (1 + number)
        optimiser.zero_grad(set_to_none=True)
        layers = module[:1] if number in (0, 4) else module
        layers(torch.randn(4, 5)).square().sum().backward()
        optimiser.step()
    return [value.detach().clone() for value in module.parameters()]


def test_it_is_torchs_to_the_last_bit_also_where_a_layer_has_no_gradient():
    first, second = network(), network()
    own = trained(first, Adam(first.parameters(), 0.1), range(30))
    torchs = trained(second, torch.optim.Adam(second.parameters(), 0.1), range(30))
    assert all(torch.equal(one, other) for one, other in zip(own, torchs))
    assert not any(torch.equal(one, other) for one, other in zip(own, network().parameters()))


def test_it_goes_on_from_its_state():
    whole, broken = network(), network()
    expected = trained(whole, Adam(whole.parameters(), 0.1), range(12))
    first = Adam(broken.parameters(), 0.1)
    trained(broken, first, range(5))
    second = Adam(broken.parameters(), 0.1)
    second.load_state_dict(first.state_dict())
    assert all(torch.equal(one, other) for one, other in zip(trained(broken, second, range(5, 12)), expected))


def test_a_step_imports_no_compiler():
    code = (
        "import sys, torch; from stages.learning.adam import Adam; module = torch.nn.Linear(2, 2); "
        "made = Adam(module.parameters(), 0.1); module(torch.ones(1, 2)).sum().backward(); made.step(); "
        "made.zero_grad(set_to_none=True); print('torch._dynamo' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
