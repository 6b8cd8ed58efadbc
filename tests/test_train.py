"""The verb train: where models go, what their config.json says, variants, victims trained further, and its errors."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
import yaml
from small_emotion import EMOTION, VARIANTS, write_audio
from small_speech import SPEECH

from stages import featurise, train, victim
from stages.frame import code
from stages.frame.errors import UserError, told_in_one_line
from stages.training import task, texts


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A folder whose images every label, split and strength has; `there(**changed)` changes the victim's entry."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE", "cpu")
    write_audio(tmp_path)

    def write(**changed):
        entry = EMOTION["victims"]["cnn4"] | changed
        values = EMOTION | {"victims": {"cnn4": entry}}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump({"emotion": values}, sort_keys=False))
        return tmp_path

    write()
    featurise.main("emotion", "log_mel")
    return write


def config(folder):
    return json.loads((folder / "config.json").read_text())


def test_variants_of_a_victim_are_folders_of_its_own_and_lay_their_values_over_the_recipe(emotion_home):
    folders = {path.name for path in (emotion_home / "models/emotion/cnn4").iterdir()}
    assert folders == set(VARIANTS)
    for variant, members in (("single", {"test"}), ("vanilla", {"test-0.1", "test-0.5"}), ("noise", {"test-audio"})):
        assert {path.name for path in (emotion_home / "models/emotion/cnn4" / variant).iterdir()} >= members


def test_config_says_what_attacks_and_scores_need_to_know(emotion_home, speech_home):
    images = config(emotion_home / "models/emotion/cnn4/single/test")
    assert images["network"] == "cnn4" and images["parameters"] == EMOTION["victims"]["cnn4"]["parameters"]
    assert images["labels"] == ["high", "low"] and images["decides"] == "label"
    assert images["attacked_on"] == "logits" and images["signal"] == {"mels": 16}
    assert images["front_end"]["feature"] == "log_mel_image"
    heard = config(speech_home / "models/speech/heard")
    assert heard["decides"] == "text" and heard["quantum"] == {"audio": 2**-15}
    assert heard["bounds"] == {"audio": [-1.0, 1 - 2**-15]} and heard["signal"] == {"sample_rate_hz": 16000}


def test_without_a_variant_the_victims_own_training_holds_and_with_one_the_variants(there, capsys):
    folder = there(training={"regime": "single", "iterations": 5}, attacked_on="probabilities")
    train.main("emotion", "cnn4")
    assert {path.name for path in (folder / "models/emotion/cnn4").iterdir()} >= {"development", "test", "members.csv"}
    assert config(folder / "models/emotion/cnn4/test")["attacked_on"] == "probabilities"
    assert victim.load(folder / "models/emotion/cnn4/test", device="cpu").attacked_on == "probabilities"
    history = np.genfromtxt(folder / "models/emotion/cnn4/test/history.csv", delimiter=",", names=True)
    assert history["iteration"] == 5
    train.main("emotion", "cnn4", "vanilla")
    assert (folder / "models/emotion/cnn4/vanilla/test-0.5/weights.safetensors").is_file()
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("cnn4: UAR 0.") and second.startswith("cnn4/vanilla: UAR 0.")


def test_a_hardened_model_has_the_network_of_the_one_it_starts_from_and_other_weights(speech_home):
    for start, hardened in (("heard", "heard_hardened"), ("cleaned", "cleaned_hardened")):
        folders = [speech_home / "models/speech" / name for name in (start, hardened)]
        configs = [config(folder) for folder in folders]
        assert configs[0] == configs[1]
        one, other = (victim.load(folder, device="cpu").module.state_dict() for folder in folders)
        assert any(not torch.equal(one[name], other[name]) for name in one)
        # One epoch from trained weights leaves them near; from others they would be as far apart as weights are large.
        moved = sum((one[name] - other[name]).square().sum() for name in one)
        assert moved < 0.5 * sum(one[name].square().sum() for name in one)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"starts_from": "nobody"}, "models/speech/nobody: expected a trained model; found no config.json"),
        ({"against": "nobody"}, "models/speech/nobody: expected a file or folder; found nothing there"),
        ({"network": "wave_u_net"}, "models/speech/heard: expected the network 'wave_u_net'; found deepspeech"),
        ({"parameters": {"fold": 1}}, "heard_hardened.parameters: expected none, as those of `starts_from` hold"),
        ({"method": "classification"}, "classification.py: expected a function 'harden'; found none"),
        ({"recipe": "recogniser"}, "adversarial: expected alpha and snr_db, to harden a recogniser; found null"),
        ({"training": {"speed": 2.0}}, r"recipes.recogniser_hardening with .*training.speed: expected a number >= 0"),
    ],
)
def test_what_a_victim_cannot_be_trained_further_by_is_one_line(speech_home, tmp_path, monkeypatch, changed, message):
    for name in ("data", "models", "rooms"):
        (tmp_path / name).symlink_to(speech_home / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE", "cpu")
    entry = SPEECH["victims"]["heard_hardened"] | changed
    recipes = SPEECH["recipes"] | ({"recogniser_hardening": CLASSES} if changed.get("method") else {})
    values = SPEECH | {"victims": SPEECH["victims"] | {"heard_hardened": entry}, "recipes": recipes}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"speech": values}))
    with pytest.raises(UserError, match=message) as caught:
        train.main("speech", "heard_hardened")
    assert "\n" not in str(caught.value)


CLASSES = {
    "seed": 1,
    "epochs": 1,
    "batch_size": 4,
    "learning_rate": 0.1,
    "decay": 0.9,
    "decay_every_epochs": 1,
    "mixup_alpha": 0.0,
    "masked_above": 1.0,
    "averaged_epochs": 1,
}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("emotion", "cnn5"),
            "emotion.victims.cnn5: expected a parameter of this name; found none; did you mean 'cnn4'",
        ),
        (("emotion", "cnn4", "sngle"), "emotion.variants.sngle: .* did you mean 'single'"),
        (("emotion", "cnn4"), "emotion.recipes.adversarial.regime: expected a value; found none"),
    ],
)
def test_a_wrong_name_is_one_line(there, arguments, message):
    there()
    with pytest.raises(SystemExit) as caught, told_in_one_line():
        train.main(*arguments)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=message):
        train.main(*arguments)


def test_an_entry_with_a_word_too_many_is_one_line(there):
    there(starts_form="cnn4")
    with pytest.raises(UserError, match=r"emotion.victims.cnn4.starts_form: .*did you mean 'starts_from'"):
        train.main("emotion", "cnn4", "single")


def test_what_is_no_better_than_chance_is_told():
    assert task.by_share("accuracy", 0.9, chance=0.5, clips=40).no_better_than == ""
    # Two standard errors are 0.158 of 40 clips, 0.05 of 400.
    assert task.by_share("accuracy", 0.62, chance=0.5, clips=40).no_better_than == "chance (0.500)"
    assert task.by_share("accuracy", 0.62, chance=0.5, clips=400).no_better_than == ""
    assert task.by_share("accuracy", 0.4, chance=0.5, clips=400) == task.Outcome(
        "accuracy 0.400 on 400 test clips", "chance (0.500)"
    )
    assert texts.by_texts(["a b", "c d"], ["a b", "c"]) == task.Outcome("word error rate 0.250 on 2 test clips")
    assert "saying nothing" in texts.by_texts(["a b", "c d"], ["", ""]).no_better_than


def test_the_verb_warns_of_a_victim_at_chance(there, capsys):
    lame = EMOTION["recipes"]["adversarial"] | {"iterations": 1, "learning_rate": 1e-9}
    folder = there()
    values = yaml.safe_load((folder / "params.yaml").read_text())
    values["emotion"]["recipes"]["adversarial"] = lame
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    train.main("emotion", "cnn4", "single")
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("cnn4/single: UAR ") and line.endswith("; warning: no better than chance (0.500)")


def test_training_needs_no_sklearn_and_no_plots():
    """Start-up costs seconds in each of many processes."""
    code = (
        "import sys; import stages.train, stages.training.task, stages.training.adversarial, "
        "stages.training.classification, stages.training.lip_reading, stages.training.enhancement, "
        "stages.training.speech_recognition, stages.training.cross_validation, stages.training.synchronisation; "
        "print([name for name in ('sklearn', 'matplotlib', 'scipy', 'resampy', 'transformers') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_half_done_work_is_known_by_the_networks_code_too(there, monkeypatch):
    there()
    seen = set()

    def scratch_folder(*_, **__):
        seen.update(code.needed(code.loaded()))
        raise KeyboardInterrupt

    for name in ("stages.networks.cnn4", "stages.training.adversarial"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(task, "scratch_folder", scratch_folder)
    with pytest.raises(KeyboardInterrupt):
        train.main("emotion", "cnn4", "single")
    files = {"networks/cnn4.py", "networks/image_classifier.py", "training/adversarial.py"}
    assert {str(file) for file in seen} >= {f"stages/{file}" for file in files}
