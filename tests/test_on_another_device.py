"""Verbs on a device that is not there, see `pretended`: no tensor is left on the CPU, and what is made is the same."""

import shutil
from pathlib import Path

import pandas as pd
import pretended
import pytest
import torch

from stages import attack
from stages.frame import devices

# The attacks of each home: images, waveforms before a learned front end, texts by CTC. The lip readers are missing:
# their recurrent layers exchange dimensions in place, which the tensors of `pretended` don't follow.
ATTACKED = {
    "emotion": ("emotion", ["cnn4"]),
    "speech": ("speech", ["plain", "through"]),
    "transfer": ("transfer", ["speech_heads"]),
}


@pytest.mark.parametrize("home", ATTACKED)
def test_attacks_run_there_on_victims_that_decide_as_here(home, request, tmp_path, monkeypatch):
    before = request.getfixturevalue(f"{home}_home")
    after = shutil.copytree(before, tmp_path / "home", ignore=shutil.ignore_patterns(".scratch"))
    monkeypatch.chdir(after)
    monkeypatch.setenv("KEPT_GB", "0")
    with pretended.device() as device:
        there = devices.Worker()
        vars(there)["device"] = device
        monkeypatch.setattr(devices, "launch", lambda: there)
        study, names = ATTACKED[home]
        for name in names:
            table = Path(f"data/{study}/adversarial/{name}/clips.csv")
            shutil.rmtree(table.parent)
            attack.main(study, name)
            columns = ["key", "clean_prediction", "target"]
            pd.testing.assert_frame_equal(pd.read_csv(table)[columns], pd.read_csv(before / table)[columns])


def test_a_tensor_left_on_the_cpu_is_found():
    with pretended.device() as device:
        there = torch.ones(3, device=device)
        assert str(there.device) == device and (there + 1).sum().item() == 6 and there.tolist() == [1, 1, 1]
        assert (there * torch.tensor(2)).cpu().tolist() == [2, 2, 2]
        with pytest.raises(RuntimeError, match="tensors on two devices"):
            there + torch.ones(3)
        assert torch.equal(there.cpu(), torch.ones(3))
