"""Models that were trained elsewhere: taken in by their weights, and judged by their accuracy on the corpus."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from stages.frame import shards
from stages.frame.devices import Worker
from stages.frame.errors import UserError
from stages.networks.waveform_classifier import WaveformClassifier
from stages.training import finished
from stages.training.task import Task


class Louder(nn.Module):
    """Two labels: whether a clip's mean is below or above a half; zeros behind its end would lower it."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[-1.0], [1.0]]))

    def forward(self, audio):
        return (audio.mean(1, keepdim=True) - 0.5) @ self.weight.T


def build(number_of_labels: int, *, sample_rate_hz: int) -> WaveformClassifier:
    return WaveformClassifier(Louder())


@pytest.fixture
def task(tmp_path, monkeypatch) -> Task:
    """Twenty test clips of two levels and many lengths; the house finds `build` as the network `louder`."""
    table = pd.DataFrame({"key": [f"c{number}" for number in range(20)], "label": ["loud", "soft"] * 10})
    table = table.assign(clip_id=table.key, split="test", verified=True, duration_s=0.1, problem="")

    def compute(rows):
        levels = {"soft": 0.2, "loud": 0.8}
        return rows, [{"audio": np.full(50 + 20 * n, levels[one], "f")} for n, one in enumerate(rows.label)]

    about = {"signal": {"sample_rate_hz": 8000}, "bounds": {"audio": [-1.0, 1.0]}}
    shards.write_set(
        table, tmp_path / "audio", compute, inputs=[], settings=0, worker=Worker(), description="t", about=about
    )
    monkeypatch.setattr(finished.victim, "build", lambda network, count, values, **told: build(count, sample_rate_hz=0))
    clips = shards.ShardSet(tmp_path / "audio")
    config = {"network": "louder", "parameters": {}, "labels": ["loud", "soft"], "decides": "label", **about}
    (tmp_path / "finished").mkdir()
    return Task(clips, clips, ["loud", "soft"], build, config, "cpu", tmp_path, tmp_path / "finished")


def recipe(path, labels=("soft", "loud"), rate_hz=8000) -> finished.Recipe:
    return finished.Recipe(weights=str(path), labels=list(labels), sample_rate_hz=rate_hz)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_it_decides_as_it_did_elsewhere_whatever_names_its_weights_have(task, tmp_path, whole, suffix):
    state = (build(2, sample_rate_hz=0) if whole else Louder()).state_dict()
    path = tmp_path / f"weights{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    outcome = finished.train(task, recipe(path))
    # Clips of a batch differ in length, and none is taken for softer than it is.
    assert (outcome.told, outcome.no_better_than) == ("accuracy 1.000 on 20 test clips", "")
    decided = pd.read_csv(task.finished / "decisions.csv")
    assert (decided.decision == decided.label).all()


def test_labels_in_another_order_are_asked_for(task, tmp_path):
    torch.save(Louder().state_dict(), tmp_path / "w.pt")
    outcome = finished.train(task, recipe(tmp_path / "w.pt", labels=("loud", "soft")))
    assert outcome.told == "accuracy 0.000 on 20 test clips"
    assert outcome.no_better_than.endswith("are the labels in the order of the network's outputs (loud, soft)?")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"labels": ("loud", "quiet")}, "found none 'soft'"),
        ({"labels": ("loud", "loud", "soft")}, "found 'loud' twice"),
        (
            {"rate_hz": 16000},
            r"expected sound at 16000 Hz; found 8000 Hz; set decoding.sample_rate_hz .* to 16000, or .* 8000 Hz",
        ),
    ],
)
def test_what_does_not_fit_the_corpus_is_told(task, tmp_path, given, told):
    torch.save(Louder().state_dict(), tmp_path / "w.pt")
    with pytest.raises(UserError, match=told):
        finished.train(task, recipe(tmp_path / "w.pt", **given))


def test_weights_of_another_network_and_a_pickle_that_is_a_program_are_told(task, tmp_path):
    torch.save({"other": torch.zeros(2, 1)}, tmp_path / "other.pt")
    with pytest.raises(UserError, match=r"expected weights of this network; found .*other"):
        finished.train(task, recipe(tmp_path / "other.pt"))
    torch.save(Louder(), tmp_path / "program.pt")
    with pytest.raises(UserError, match="expected tensors and plain values alone; found an object"):
        finished.train(task, recipe(tmp_path / "program.pt"))
