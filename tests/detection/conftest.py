"""A small recogniser of speech with random weights, which writes something of any noise."""

import pytest
import torch

from stages.frame import weights
from stages.networks import deepspeech

SIGNAL = {"sample_rate_hz": 16000}
PARAMETERS = {
    "coefficients": 13,
    "window_s": 0.025,
    "hop_s": 0.02,
    "context": 1,
    "hidden_units": [16, 16, 16],
    "lstm_units": 12,
    "last_units": 16,
    "dropout": 0.0,
}


@pytest.fixture(scope="module")
def talker(tmp_path_factory):
    """Its folder."""
    torch.manual_seed(4)
    network = deepspeech.build(3, **SIGNAL, **PARAMETERS)
    with torch.no_grad():
        network.decision.weight *= 40
    folder = tmp_path_factory.mktemp("talker")
    config = {"network": "deepspeech", "parameters": PARAMETERS, "signal": SIGNAL, "labels": [" ", "a", "b"]}
    weights.save(folder, network, config | {"decides": "text", "bounds": {"audio": [-1, 1]}})
    return folder
