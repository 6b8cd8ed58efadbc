"""The verb pretrain: where a model goes, and what is wrong with an entry in one line."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.io import wavfile

from stages import pretrain
from stages.frame.errors import UserError

RECIPE = {
    "encoder": [[8, 10, 5], [8, 8, 4]],
    "context": [[8, 3]],
    "skip": True,
    "log_compression": False,
    "seed": 1,
    "updates": 3,
    "batch_size": 2,
    "crop_s": 0.2,
    "learning_rate": 1e-3,
    "warm_up": 1,
    "steps": 2,
    "negatives": 2,
    "held_out_share": 0.3,
}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A folder of noise to learn from; `study(**changed)` changes the entry."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE", "cpu")
    (tmp_path / "sounds").mkdir()
    for number in range(4):
        noise = np.random.default_rng(number).standard_normal(8000)
        wavfile.write(tmp_path / "sounds" / f"{number}.wav", 16000, (3000 * noise).astype(np.int16))

    def write(**changed):
        entry = {"method": "contrastive", "root": "sounds"} | changed
        values = {"pretrained": {"mine": entry}, "pretraining": {"contrastive": RECIPE}}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump({"speech": values}))
        return tmp_path

    return write


def test_a_model_is_written_into_its_study_and_nothing_is_left_behind(study, capsys):
    folder = study()
    pretrain.main("speech", "mine")
    made = folder / "models/speech/pretrained/mine"
    assert {path.name for path in made.iterdir()} == {"weights.safetensors", "config.json", "history.csv"}
    assert not list((folder / ".scratch").iterdir())
    last = pd.read_csv(made / "history.csv").iloc[-1]
    assert capsys.readouterr().out.startswith(f"speech mine: update 3, loss {last.loss:.4g}, ")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"root": "nowhere"},
            "speech.pretrained.mine.root: expected what to learn from; found nothing at nowhere; see",
        ),
        ({"method": "contrastve"}, "speech.pretrained.mine.method: expected a file stages/pretraining"),
        ({"method": "masked_words"}, "speech.pretraining.masked_words: expected a parameter of this name"),
        ({"study": "speech"}, "speech.pretrained.mine.study: expected one of method, root, parameters"),
    ],
)
def test_a_wrong_entry_is_one_line(study, changed, message):
    study(**changed)
    with pytest.raises(UserError, match=message) as caught:
        pretrain.main("speech", "mine")
    assert "\n" not in str(caught.value)


def test_what_an_entry_says_takes_the_place_of_what_its_method_does(study):
    folder = study(parameters={"context": [[8, 3], [8, 3]], "updates": 2})
    pretrain.main("speech", "mine")
    config = json.loads((folder / "models/speech/pretrained/mine/config.json").read_text())
    assert config["parameters"]["context"] == [[8, 3], [8, 3]] and config["parameters"]["encoder"] == RECIPE["encoder"]
