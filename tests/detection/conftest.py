"""A small recogniser of speech with random weights, which writes something of any noise."""

import pytest
import torch
from small_speech import RECOGNISER

from stages.frame import weights
from stages.networks import deepspeech

SIGNAL = {"sample_rate_hz": 16000}


@pytest.fixture(scope="module")
def talker(tmp_path_factory):
    """Its folder."""
    torch.manual_seed(4)
    network = deepspeech.build(3, **SIGNAL, **RECOGNISER)
    with torch.no_grad():
        network.decision.weight *= 40
    folder = tmp_path_factory.mktemp("talker")
    config = {"network": "deepspeech", "parameters": RECOGNISER, "signal": SIGNAL, "labels": [" ", "a", "b"]}
    weights.save(folder, network, config | {"decides": "text", "bounds": {"audio": [-1, 1]}})
    return folder
