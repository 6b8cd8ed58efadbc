"""Images that attacks made become sounds that are decided on again."""

import numpy as np
import pytest

from stages import score, victim
from stages.frame import clip_table, shards
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


def test_each_model_makes_sound_of_its_own_images_and_hears_it(home):
    """Of the image as it is standardised for that model, one by itself."""
    adversarial = shards.ShardSet(home / "data/emotion/adversarial/cnn4")
    inverted = shards.ShardSet(home / "data/emotion/scores/inverted")
    for row in inverted.table.groupby(["victim", "member", "attack"]).head(1).itertuples():
        folder = home / "models/emotion" / row.victim / row.member
        told = {"sample_rate_hz": 16000, "seeds": [0], "device": "cpu", "model": str(folder), "iterations": 8}
        (sound,) = griffin_lim.treat([adversarial.load(row.source)["log_mel"]], **told)
        kept = inverted.load(row.sound)["audio"].astype("f4") / 32768
        np.testing.assert_allclose(kept, sound, atol=2e-3)
        model, front_end = victim.load(folder, device="cpu"), victim.front_end_of(folder)
        heard = victim.padded_batch([kept], "cpu")
        image = model.module.standardised(front_end(heard["audio"], heard["audio_length"]))
        label, confidence = model.decode(model.logits({"log_mel": image}))
        assert model.names(label) == [row.decision]
        assert confidence.item() == pytest.approx(row.decision_confidence, abs=1e-4)
