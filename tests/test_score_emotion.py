"""Images that attacks made become sounds that are decided on again."""

import copy

import numpy as np
import pandas as pd
import pytest
import yaml
from small_emotion import EMOTION

from stages import score, victim
from stages.frame import clip_table, shards
from stages.frame.devices import Worker
from stages.studies.emotion import sounds
from stages.treatments import griffin_lim


@pytest.fixture(scope="module")
def home(emotion_home):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(emotion_home)
        patch.setenv("DEVICE", "cpu")
        score.main("emotion", "inverted")
    return emotion_home


def test_kept_images_become_sounds_that_are_decided_on_again(home):
    rows = clip_table.read(home / "data/emotion/adversarial/cnn4/clips.csv")
    inverted = shards.ShardSet(home / "data/emotion/scores/inverted")
    table = inverted.table
    assert sorted(table.source) == sorted(rows.key[rows.kept]) and not table.key.duplicated().any()
    assert set(table.treatment) == {"through_sound"} and set(table.set) == {"adversarial/cnn4"}
    assert (table.heard_by == table.victim).all() and (table.sound == table.key).all()
    assert set(table.decision) <= {"high", "low"}
    sound = inverted.load(table.key[0])["audio"]
    assert sound.dtype == np.int16 and len(sound) == 20 * 256 and np.abs(sound).max() > 300
    assert inverted.about["signal"] == {"sample_rate_hz": 16000}
    clean = table[(table.attack == "none") & (table.clean_prediction == table.label)]
    assert (clean.decision == clean.label).mean() >= 0.5
    right = table.decision == table.label
    assert (table.outcome[right] == "GT").all() and set(table.outcome[~right]) <= {"Adv", "Diff"}


@pytest.fixture
def of_two_models(home, tmp_path, monkeypatch):
    """The same images, once as of one model, once as of another, which standardises them otherwise."""
    (tmp_path / "models").symlink_to(home / "models")
    section = copy.deepcopy(EMOTION)
    section["scored"]["inverted"]["sets"] = ["adversarial/two"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"emotion": section}, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE", "cpu")
    adversarial = shards.ShardSet(home / "data/emotion/adversarial/cnn4")
    kept = adversarial.table[adversarial.table.kept].head(4).drop(columns="shard")
    assert set(kept.member) == {"test"}
    plan = pd.concat([kept.assign(member=member, key=kept.key + member) for member in ("test", "development")])
    images = {key + member: adversarial.load(key) for key in kept.key for member in ("test", "development")}
    shards.write_set(
        plan,
        "data/emotion/adversarial/two",
        lambda rows: (rows, [images[key] for key in rows.key]),
        inputs=[],
        settings=0,
        worker=Worker(),
        description="made up",
        about=adversarial.about,
    )
    score.main("emotion", "inverted")
    return shards.ShardSet("data/emotion/adversarial/two"), shards.ShardSet("data/emotion/scores/inverted")


def test_each_model_makes_sound_of_its_own_images_and_hears_it(home, of_two_models):
    """Of the image as it is standardised for that model, one by itself."""
    adversarial, inverted = of_two_models
    assert sorted(inverted.table.member) == ["development"] * 4 + ["test"] * 4
    for row in inverted.table.itertuples():
        folder = home / "models/emotion" / row.victim / row.member
        told = {"sample_rate_hz": 16000, "seeds": [0], "device": "cpu", "model": str(folder), "iterations": 8}
        (sound,) = griffin_lim.treat([adversarial.load(row.source)["log_mel"]], **told)
        kept = inverted.load(row.sound)["audio"].astype("f4") / 32768
        np.testing.assert_allclose(kept, sound, atol=1e-3)
        model, front_end = victim.load(folder, device="cpu"), victim.front_end_of(folder)
        heard = victim.padded_batch([kept], "cpu")
        image = model.module.standardised(front_end(heard["audio"], heard["audio_length"]))
        label, confidence = model.decode(model.logits({"log_mel": image}))
        assert model.names(label) == [row.decision]
        assert confidence.item() == pytest.approx(row.decision_confidence, abs=1e-4)
    # Or both models' sounds would be alike, and nothing was tried.
    one, other = (
        inverted.load(row.sound)["audio"] for row in inverted.table.sort_values("source").head(2).itertuples()
    )
    assert np.abs(one.astype(int) - other).max() > 100


def test_of_a_set_that_is_not_there_there_is_nothing_to_hear(home, monkeypatch):
    monkeypatch.chdir(home)
    assert sounds.clip("nothing") is None and sounds.clip("cnn4").label in ("high", "low")
