"""What is played of attacked clips and of mixtures, and what is heard of it after each enhancer, of tones."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from small_speech import RATE_HZ, SPEECH

from stages import score, victim
from stages.features.playback import read_responses
from stages.frame import clip_table, shards, weights
from stages.networks.dnsmos import POLYNOMIALS
from stages.pretraining import onnx_model


@pytest.fixture(scope="module")
def home(speech_home):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(speech_home)
        patch.setenv("DEVICE", "cpu")
        for entry in ("mixtures", "attacked"):
            score.main("speech", entry)
    return speech_home


@pytest.fixture(scope="module")
def mixtures(home):
    return shards.ShardSet(home / "data/speech/scores/mixtures")


@pytest.fixture(scope="module")
def attacked(home):
    return shards.ShardSet(home / "data/speech/scores/attacked")


def test_mixtures_come_clean_and_noisy_and_after_each_enhancer(home, mixtures):
    rows = mixtures.table[mixtures.table.heard_by == "heard"]
    assert rows.groupby(["version", "treatment"]).size().to_dict() == {
        (version, treatment): 3
        for version in ("clean", "noisy")
        for treatment in ("none", "cleaned", "cleaned_hardened")
    }
    assert set(rows.split) == {"test"}
    noisy = shards.ShardSet(home / "data/speech/noisy")
    enhancer = victim.load(home / "models/speech/cleaned", device="cpu")
    for row in rows[rows.treatment == "none"].itertuples():
        file = noisy.load(row.source)["clean" if row.version == "clean" else "audio"]
        heard = mixtures.load(row.sound)["audio"]
        assert heard.dtype == np.int16
        np.testing.assert_allclose(heard / 32768, file, atol=2**-15)
        same = (rows.source == row.source) & (rows.version == row.version) & (rows.treatment == "cleaned")
        batch = victim.padded_batch([heard.astype("f4") / 32768], "cpu")
        cleaned = mixtures.load(rows.sound[same].item())["audio"]
        np.testing.assert_allclose(cleaned / 32768, enhancer.module(batch)[0], atol=1e-4)


def test_attacked_clips_are_played_in_rooms_that_were_held_out(home, attacked):
    table = attacked.table
    assert set(table.attack) == {"loud"}
    table = table[(table.treatment == "none") & (table.heard_by == "heard")]
    assert table.groupby(["version", "trial"]).size().to_dict() == {("file", 0): 4, ("played", 1): 4, ("played", 2): 4}
    held_out, others = (read_responses(home / "rooms", sample_rate_hz=RATE_HZ, held_out=one) for one in (True, False))
    files = {(row.set, row.source): attacked.load(row.sound)["audio"] for row in table[table.trial == 0].itertuples()}
    rooms = {}
    for row in table[table.version == "played"].itertuples():
        file = files[row.set, row.source].astype("f8")
        heard = attacked.load(row.sound)["audio"].astype("f8")

        def left(responses, file=file, heard=heard):
            """Power of what each room does not explain, relative to what is heard."""
            explained = [np.convolve(file, room.double().numpy())[: len(file)] for room in responses]
            return [np.square(heard - one).sum() / np.square(heard).sum() for one in explained]

        # The noise of the place is 30 dB below.
        assert min(left(held_out)) == pytest.approx(1e-3, rel=0.3)
        assert min(left(others)) > 0.004
        rooms.setdefault((row.set, row.source), set()).add(int(np.argmin(left(held_out))))
    # Each trial in another room.
    assert {len(one) for one in rooms.values()} == {2}


def test_a_set_that_the_call_names_is_scored_whole_and_heard_by_its_victim_too(home, tmp_path, monkeypatch):
    changed = copy.deepcopy(SPEECH)
    changed["scored"]["attacked"]["heard_by"] = ["heard"]
    (tmp_path / "data/speech").mkdir(parents=True)
    for part in ("data/speech/audio", "data/speech/adversarial", "models", "rooms"):
        (tmp_path / part).symlink_to(home / part)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"speech": changed}, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE", "cpu")
    score.main("speech", "attacked", "hardened")
    table = clip_table.read("data/speech/scores/hardened/clips.csv")
    assert set(table.attack) == {"loud", "noise", "spoken"}
    assert set(table.heard_by) == {"heard", "heard_hardened"}


def test_all_clips_are_heard_by_every_recogniser_whoever_was_attacked(home, mixtures, attacked):
    assert mixtures.table.groupby("heard_by").size().to_dict() == {"heard": 18, "heard_hardened": 18}
    table = attacked.table
    assert table.groupby(["set", "victim", "heard_by"]).size().to_dict() == {
        (f"adversarial/{entry}", victim_name, heard): 12
        for entry, victim_name in (("plain", "heard"), ("hardened", "heard_hardened"))
        for heard in ("heard", "heard_hardened")
    }
    assert (table.outcome == "").all()
    files = table[(table.version == "file") & (table.treatment == "none")]
    made = shards.ShardSet(home / "data/speech/adversarial/plain").table.set_index("key")
    for row in files[(files.victim == "heard") & (files.heard_by == "heard")].itertuples():
        assert row.decision == made.adversarial_prediction[row.source]
        assert row.decision_confidence == pytest.approx(made.confidence[row.source], abs=1e-4)


def test_every_decision_is_on_the_sound_that_is_kept(home, mixtures, attacked):
    """Each by itself, and the same sound for all that hear it."""
    models = {name: victim.load(home / "models/speech" / name, device="cpu") for name in ("heard", "heard_hardened")}
    for one in (mixtures, attacked):
        assert (one.table.groupby("sound").heard_by.agg(sorted).map(tuple) == ("heard", "heard_hardened")).all()
        for row in one.table.iloc[::7].itertuples():
            batch = victim.padded_batch([one.load(row.sound)["audio"].astype("f4") / 32768], "cpu")
            label, _ = models[row.heard_by].decode(models[row.heard_by].logits(batch))
            assert models[row.heard_by].names(label) == [row.decision]


def test_quality_is_of_files_and_mixtures_beside_the_clean_speech(home, mixtures, attacked):
    noisy = mixtures.table[(mixtures.table.version == "noisy") & (mixtures.table.treatment == "none")]
    np.testing.assert_allclose(pd.to_numeric(noisy.snr_db), pd.to_numeric(noisy.mixed_at_db), atol=0.02)
    assert (mixtures.table.snr_db[mixtures.table.version == "clean"] == "").all()
    table = attacked.table
    assert (table.stoi[table.version == "played"] == "").all() and (table.stoi[table.version == "file"] != "").all()
    files = table[(table.version == "file") & (table.treatment == "none")]
    np.testing.assert_allclose(pd.to_numeric(files.snr_db), pd.to_numeric(files.attacked_at_db), atol=0.02)
    audio = shards.ShardSet(home / "data/speech/audio")
    for row in table[(table.version == "file") & (table.treatment == "cleaned")].itertuples():
        clean, heard = audio.load(row.clip_id)["audio"], attacked.load(row.sound)["audio"] / 32768
        assert float(row.snr_db) == pytest.approx(
            10 * np.log10(np.square(clean).sum() / np.square(heard - clean).sum()), abs=0.02
        )


def test_opinions_are_of_what_was_heard(home, monkeypatch):
    """Of a DNSMOS whose network squares the highest sample, which is the same in every window of a repeated clip."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("DEVICE", "cpu")
    nodes = [
        {"operator": "ReduceMax", "inputs": ["x"], "outputs": ["highest"], "attributes": {"axes": [1]}},
        {"operator": "Pow", "inputs": ["highest", "two"], "outputs": ["y"], "attributes": {}},
    ]
    parameters = {"graph": {"given": "x", "result": "y", "nodes": nodes, "constants": {"two": [[], "float32"]}}}
    network = victim.build("dnsmos", 0, parameters, where="t", signal={"sample_rate_hz": RATE_HZ})
    network.graph.load_state_dict({"constant_0": torch.tensor(2.0)})
    (home / "models/speech/told").mkdir()
    weights.save(
        home / "models/speech/told", network, onnx_model.CONFIG | {"network": "dnsmos", "parameters": parameters}
    )
    values = yaml.safe_load((home / "params.yaml").read_text())
    scored = values["speech"]["scored"]
    scored["asked"] = scored["mixtures"] | {"opinion_of": "told", "quality": False}
    (home / "params.yaml").write_text(yaml.safe_dump(values))
    score.main("speech", "asked")
    asked = shards.ShardSet(home / "data/speech/scores/asked")
    assert set(asked.table.version) == {"clean", "noisy"}
    for row in asked.table.itertuples():
        heard = asked.load(row.sound)["audio"] / 32768
        told = [row.opinion_speech, row.opinion_background, row.opinion_overall]
        wanted = [np.polyval(one[::-1], heard.max() ** 2) for one in POLYNOMIALS]
        np.testing.assert_allclose(np.array(told, float), wanted, atol=1e-5)
