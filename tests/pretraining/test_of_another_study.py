"""A model that another study has trained becomes one of this study's, as it is."""

import json

import pytest

from stages.frame.errors import UserError
from stages.learning.work import Work
from stages.pretraining import of_another_study

CONFIG = {"network": "dense", "parameters": {}, "labels": ["a"], "decides": "label", "attacked_on": "logits"}
CONFIG |= {"signal": {"sample_rate_hz": 16000}, "bounds": {"audio": [-1.0, 1.0]}}


def learned(folder, network):
    (folder / "theirs").mkdir()
    (folder / "theirs/config.json").write_text(json.dumps(CONFIG))
    (folder / "theirs/weights.safetensors").write_bytes(b"weights")
    finished = folder / "finished"
    finished.mkdir()
    work = Work(folder / "theirs", finished, folder, "cpu")
    of_another_study.learn(work, of_another_study.Recipe(network=network))
    return finished


def test_the_folder_is_the_same(tmp_path):
    made = learned(tmp_path, "dense")
    assert {one.name: one.read_bytes() for one in made.iterdir()} == {
        "config.json": json.dumps(CONFIG).encode(),
        "weights.safetensors": b"weights",
    }


def test_another_network_is_told(tmp_path):
    with pytest.raises(UserError, match="expected the network 'wave_u_net'; found 'dense'; correct `network`"):
        learned(tmp_path, "wave_u_net")
