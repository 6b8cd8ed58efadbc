"""Networks on a device that is not there, see `pretended`: they say what they say here, and take a step of training.

Those that the small studies of `test_on_another_device` train are not among them.
"""

import pretended
import pytest
import test_enhancers
import test_image_networks
import test_networks
import torch

from stages.victim import padded_batch

SOUNDS, IMAGES, ENHANCERS = test_networks.SMALL, test_image_networks.SMALL, test_enhancers.SMALL


def _network(name: str) -> torch.nn.Module:
    if name in IMAGES:
        return test_image_networks.build(name)
    return test_networks.module(name) if name in SOUNDS else test_enhancers.network(*ENHANCERS[name])


def _inputs(name: str, device: str) -> dict[str, torch.Tensor]:
    """Two clips; how long they are stays on the CPU."""
    if name in IMAGES:
        return {"log_mel": test_image_networks.images(2).to(device)}
    return padded_batch(test_networks.waveforms([9000, 12000]), device)


@pytest.mark.parametrize("name", [*SOUNDS, *IMAGES, *ENHANCERS])
def test_there_it_says_the_same_and_takes_a_step(name):
    module = _network(name).eval()
    with torch.no_grad():
        here = module(_inputs(name, "cpu"))
    with pretended.device() as device:
        module, inputs = module.to(device), _inputs(name, device)
        with torch.no_grad():
            torch.testing.assert_close(module(inputs).cpu(), here, rtol=1e-3, atol=1e-4)
        module.train()(inputs).square().mean().backward()
        assert {str(one.grad.device) for one in module.parameters() if one.grad is not None} == {device}
        before = [one.detach().cpu() for one in module.parameters()]
        torch.optim.Adam(module.parameters(), 0.1).step()
        assert any((one.detach().cpu() != old).any() for one, old in zip(module.parameters(), before))
