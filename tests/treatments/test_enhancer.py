"""Whether a trained enhancer is what treats clips, and lets gradients pass as it does so."""

import numpy as np
import pytest
import torch

from stages import victim
from stages.frame import weights
from stages.frame.errors import UserError
from stages.treatments import enhancer

RATE_HZ = 16000
SIGNAL = {"sample_rate_hz": RATE_HZ}
PARAMETERS = {"layers": 2, "filters": 4, "down_kernel": 15, "up_kernel": 5, "fold": 1}


@pytest.fixture
def model(tmp_path):
    """Saved with random weights: the folder and the network."""
    torch.manual_seed(0)
    module = victim.build("wave_u_net", 0, PARAMETERS, where="test", signal=SIGNAL).eval()
    config = {"network": "wave_u_net", "parameters": PARAMETERS, "signal": SIGNAL, "labels": [], "decides": "text"}
    weights.save(tmp_path, module, config | {"bounds": {"audio": [-1, 1]}, "attacked_on": "logits"})
    return str(tmp_path), module


def test_clips_are_what_the_network_makes_of_them(model):
    folder, module = model
    clips = [np.random.default_rng(n).normal(0, 0.1, n).astype("f4") for n in (800, 1203)]
    treated = enhancer.treat(clips, sample_rate_hz=RATE_HZ, seeds=[0, 0], device="cpu", model=folder)
    for clip, after in zip(clips, treated, strict=True):
        with torch.no_grad():
            (expected,) = module(victim.padded_batch([clip], "cpu")).numpy()
        np.testing.assert_allclose(after, expected[: len(clip)], atol=1e-6)
        assert not np.allclose(after, clip, atol=1e-3)


def test_gradients_pass_as_through_the_network(model):
    folder, module = model
    batch = victim.padded_batch([np.random.default_rng(1).normal(0, 0.1, 500).astype("f4")], "cpu")
    audio = batch["audio"].requires_grad_()
    treated = enhancer.through(sample_rate_hz=RATE_HZ, device="cpu", model=folder)(batch)
    (gradient,) = torch.autograd.grad(treated.square().sum(), audio)
    (expected,) = torch.autograd.grad(module(batch).square().sum(), audio)
    assert expected.abs().sum() > 0
    torch.testing.assert_close(gradient, expected)


def test_a_missing_model_is_told_in_one_line(tmp_path):
    with pytest.raises(UserError, match=r"nobody: .*a trained model"):
        enhancer.treat(
            [np.zeros(9, "f4")], sample_rate_hz=RATE_HZ, seeds=[0], device="cpu", model=str(tmp_path / "nobody")
        )
