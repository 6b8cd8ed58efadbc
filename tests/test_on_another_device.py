"""Verbs on a device that is not there, see `pretended`: no tensor is left on the CPU, and what is made is the same."""

import shutil
from pathlib import Path

import fewer
import pandas as pd
import pretended
import pytest
import torch

from stages import attack, detect, featurise, score, train
from stages.frame import devices

# PyTorch takes the device for one that holds nothing.
pytestmark = pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")

# Of each home what is run there again, by the name of what it writes.
ATTACKED = [
    ("emotion", "emotion", "cnn4"),
    ("faces", "audiovisual", "words"),
    ("faces", "audiovisual", "sentences"),
    ("speech", "speech", "plain"),
    ("speech", "speech", "through"),
    ("transfer", "transfer", "speech_heads"),
    ("transfer", "transfer", "bimodal"),
]
TRAINED = [
    *(("emotion", "emotion", "cnn4", variant) for variant in ("single", "vanilla", "noise")),
    *(("faces", "audiovisual", name) for name in ("first", "third", "synchrony")),
    *(("speech", "speech", name) for name in ("heard", "cleaned", "heard_hardened", "cleaned_hardened")),
    *(("transfer", "transfer", name) for name in ("heads", "bimodal")),
]
DECIDED = [
    ("emotion", featurise, ("emotion", "log_mel"), "data/emotion/log_mel"),
    ("transfer", featurise, ("transfer", "heard"), "data/transfer/heard"),
    ("emotion", score, ("emotion", "inverted"), "data/emotion/scores/inverted"),
    ("speech", score, ("speech", "mixtures"), "data/speech/scores/mixtures"),
    ("faces", detect, ("audiovisual", "words"), "data/audiovisual/detections/words"),
]
# Of all recipes, so that training is a few steps of each kind.
SHORT = {"epochs": 2, "ctc_from_epoch": 1, "iterations": 2, "adversarial_from": 1, "decay_every_iterations": 1}
SHORT |= {"batch_size": 12}


@pytest.fixture
def there(tmp_path, monkeypatch):
    """Goes to a copy of a home; then verbs run on the device."""

    def go(home: Path) -> Path:
        monkeypatch.chdir(shutil.copytree(home, tmp_path / "home", ignore=shutil.ignore_patterns(".scratch")))
        monkeypatch.setenv("KEPT_GB", "0")
        worker = devices.Worker()
        vars(worker)["device"] = pretended.DEVICE
        monkeypatch.setattr(devices, "launch", lambda: worker)
        return home

    return go


@pytest.mark.parametrize(("home", "study", "name"), ATTACKED)
def test_attacks_run_there_on_victims_that_decide_as_here(home, study, name, request, there):
    before = there(request.getfixturevalue(f"{home}_home"))
    fewer.change(study, fewer.FEW, "plans", "attacks", "attacked")
    table = Path(f"data/{study}/adversarial/{name}/clips.csv")
    shutil.rmtree(table.parent)
    with pretended.device():
        attack.main(study, name)
    made, known = (
        pd.read_csv(file).groupby(["clip_id", "victim"]).clean_prediction.first() for file in (table, before / table)
    )
    assert len(made)
    pd.testing.assert_series_equal(made, known.loc[made.index])


@pytest.mark.parametrize(("home", "verb", "names", "made"), DECIDED)
def test_what_is_computed_there_is_what_is_computed_here(home, verb, names, made, request, there):
    there(request.getfixturevalue(f"{home}_home"))
    table = Path(made, "clips.csv")
    if not table.exists():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(devices, "launch", devices.Worker)
            patch.setenv("DEVICE", "cpu")
            verb.main(*names)
    before = pd.read_csv(table)
    shutil.rmtree(made)
    with pretended.device():
        verb.main(*names)
    pd.testing.assert_frame_equal(pd.read_csv(table), before, rtol=1e-3)


@pytest.mark.parametrize("what", TRAINED, ids="-".join)
def test_training_takes_steps_there(what, request, there):
    home, study, *names = what
    there(request.getfixturevalue(f"{home}_home"))
    fewer.change(study, SHORT, "recipes", "victims")
    models = Path("models", study, *names)
    shutil.rmtree(models)
    with pretended.device():
        train.main(study, *names)
    assert list(models.rglob("weights.safetensors"))


def test_a_tensor_left_on_the_cpu_is_found():
    with pretended.device() as device:
        there = torch.ones(3, device=device)
        assert str(there.device) == device and (there + 1).sum().item() == 6 and there.tolist() == [1, 1, 1]
        assert (there * torch.tensor(2)).cpu().tolist() == [2, 2, 2]
        with pytest.raises(RuntimeError, match="tensors on two devices"):
            there + torch.ones(3)
        assert torch.equal(there.cpu(), torch.ones(3))
