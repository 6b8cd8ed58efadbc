"""A head behind its front end: attacks reach the waveform, and a model folder is opened with what lies beside it."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from stages import encode, sweep, train, victim
from stages.attacks import bim, fgsm
from stages.features import wav2vec as features
from stages.frame import clip_table, shards
from stages.frame.devices import Worker
from stages.frame.errors import UserError
from stages.networks import wav2vec
from stages.networks.encoded import Encoded
from stages.victim import Goal

SHAPE = {"encoder": [[8, 10, 5], [8, 8, 4], [8, 4, 4]], "context": [[8, 3]], "skip": True, "log_compression": False}
HEAD = {"dropout": 0.0, "hidden_units": [8]}
PARAMS = {
    "encodings": {
        "heard": {
            "study": "transfer",
            "model": "wav2vec",
            "feature": "wav2vec",
            "batch_size": 5,
            "parameters": {"longest_s": 0.25},
        }
    },
    "recipes": {
        "transfer": {
            "seed": 1,
            "iterations": 60,
            "batch_size": 8,
            "learning_rate": 0.03,
            "draws": 1,
            "few": None,
            "curve": [],
            "curve_of": [],
            "shuffled_texts_of": [],
        }
    },
    "victims": {
        "heads": {
            "study": "transfer",
            "inputs": "heard",
            "beside": "audio",
            "network": "speech_heads",
            "parameters": HEAD,
            "method": "cross_validation",
            "recipe": "transfer",
            "training": {"models": {"mean": {"head": "mean"}, "mlp": {"head": "mlp"}}},
        }
    },
    "sweeps": {
        "transfer": {
            "epsilons": [0.001, 0.02],
            "attacks": {"fgsm": {"eta": None}, "bim": {"steps": 3, "relative_step": 0.5, "random_start": True}},
            "attacked_clips_per_label": 2,
            "kept_clips_per_label": 1,
            "batch_size": 7,
        }
    },
    "sweep_items": {
        "speech_heads": {
            "study": "transfer",
            "inputs": "audio",
            "beside": "heard",
            "victims": ["heads"],
            "network": "speech_heads",
        }
    },
}


def write_audio(folder, shortest_s=0.15):
    """Tones in noise, low and high, of three sessions of two speakers; one clip can't be read."""
    rng = np.random.default_rng(0)
    rows = [(f"c{n:02d}", ("high", "low")[n % 2], n % 3) for n in range(36)]
    table = pd.DataFrame(rows, columns=["key", "label", "part"])
    table = table.assign(clip_id=table.key, text="", problem="", duration_s=rng.uniform(shortest_s, 0.35, 36).round(3))
    table["fold"], table["split"] = (
        table.part.map("Session{}".format),
        table.part.map(["train", "validation", "test"].__getitem__),
    )
    table["speaker"] = table.fold + (np.arange(36) // 18).astype(str)
    table.loc[7, "problem"] = "c07.wav: expected a readable file"

    def compute(part):
        arrays = []
        for row in part.itertuples():
            time = np.arange(round(row.duration_s * 16000)) / 16000
            pitch_hz = {"low": 700, "high": 1500}[row.label] * rng.uniform(0.9, 1.1)
            wave = 0.1 * np.sin(2 * np.pi * pitch_hz * time) + 0.03 * rng.standard_normal(len(time))
            arrays.append({} if row.problem else {"audio": wave.astype("f")})
        return part.drop(columns="part"), arrays

    about = {"signal": {"sample_rate_hz": 16000}, "bounds": {"audio": [-1.0, 1.0]}}
    what = {"inputs": [], "settings": shortest_s, "worker": Worker(), "description": "t", "about": about}
    shards.write_set(table, folder / "data/transfer/audio", compute, **what)


def write_model(folder):
    from safetensors.torch import save_file

    torch.manual_seed(0)
    folder.mkdir(parents=True)
    save_file(wav2vec.build(**SHAPE).state_dict(), folder / "weights.safetensors")
    config = {"network": "wav2vec", "parameters": SHAPE, "sample_rate_hz": 16000}
    (folder / "config.json").write_text(json.dumps(config))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A folder in which waveforms were encoded, heads trained and attacked."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "params.yaml").write_text(json.dumps(PARAMS))
    write_model(folder / "models/transfer/pretrained/wav2vec")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DEVICE", "cpu")
        write_audio(folder)
        encode.main("heard")
        train.main("heads")
        sweep.main("speech_heads")
    return folder


def test_a_set_carries_its_front_end_and_holds_what_it_makes(done):
    heard, audio = shards.ShardSet(done / "data/transfer/heard"), shards.ShardSet(done / "data/transfer/audio")
    assert heard.about["signal"] == {"features": 8}
    assert heard.about["bounds"] == {"audio": [-1.0, 1.0]}
    front_end = features.load(done / "data/transfer/heard/front_end", "cpu", longest_s=0.25)
    for key in heard.table.key:
        if key == "c07":
            assert heard.load(key) == {} and "readable" in heard.table.set_index("key").problem[key]
            continue
        wave = torch.from_numpy(audio.load(key)["audio"])
        alone, count = front_end(wave[None], torch.tensor([len(wave)]))
        assert heard.load(key)["heard"].shape == (int(count), 8)
        assert np.allclose(heard.load(key)["heard"], alone[0].numpy(), atol=1e-5)


def opened(done):
    return victim.load(done / "models/transfer/speech_heads/heads/mlp-Session0", network="speech_heads", device="cpu")


def test_a_victim_takes_waveforms_and_decides_as_its_head_does_on_their_features(done):
    model, audio = opened(done), shards.ShardSet(done / "data/transfer/audio")
    decided = pd.read_csv(done / "models/transfer/speech_heads/heads/decisions.csv")
    decided = decided[(decided.model == "mlp") & (decided.fold == "Session0")]
    keys = list(decided.clip_id)
    inputs = victim.padded_batch([audio.load(key)["audio"] for key in keys], "cpu")
    label, confidence = model.decode(model.logits(inputs))
    assert [model.labels[index] for index in label.tolist()] == list(decided.decision)
    assert np.allclose(confidence.numpy(), decided.confidence, atol=1e-4)
    assert model.bounds == {"audio": (-1.0, 1.0)}


def test_attacks_go_through_the_front_end_and_leave_the_padding_out_of_it(done):
    model, audio = opened(done), shards.ShardSet(done / "data/transfer/audio")
    table = audio.table[(audio.table.fold == "Session0") & (audio.table.problem == "")].head(4)
    inputs = victim.padded_batch([audio.load(key)["audio"] for key in table.key], "cpu")
    goal = Goal(torch.tensor([model.labels.index(label) for label in table.label]), targeted=False)
    before = model.loss(inputs, goal)
    result = fgsm.attack(model, inputs, goal, bounds=model.bounds, epsilon={"audio": 0.002}, eta=None)
    assert (model.loss(result.adversarial, goal) < before).all()
    delta = result.adversarial["audio"] - inputs["audio"]
    heard = inputs["audio_length"].clamp_max(4000)
    for row, length in zip(delta, heard.tolist()):
        assert row[:length].abs().max() == pytest.approx(0.002, abs=1e-5)
        assert (row[length + 1 :] == 0).all()
    values = {"steps": 3, "relative_step": 0.5, "random_start": False}
    stronger = bim.attack(model, inputs, goal, bounds=model.bounds, epsilon={"audio": 0.002}, **values)
    assert (stronger.success | ~result.success).all()


def test_a_head_that_takes_text_is_attacked_through_its_speech(done):
    own = {"head": "aligned", "dropout": 0.0, "units": 4, "attention_heads": 2, "text_features": 3}
    torch.manual_seed(0)
    head = victim.build("speech_heads", 2, own, where="t", signal={"features": 8})
    model = Encoded(features.load(done / "data/transfer/heard/front_end", "cpu", longest_s=0.25), head)
    assert model.takes == ("audio", "text")
    audio, text = torch.randn(2, 3000, requires_grad=True), torch.randn(2, 4, 3)
    lengths = {"audio_length": torch.tensor([3000, 2000]), "text_length": torch.tensor([4, 2])}
    logits = model({"audio": audio, "text": text} | lengths)
    assert not torch.allclose(logits, model({"audio": audio, "text": -text} | lengths))
    gradient = torch.autograd.grad(logits.sum(), audio)[0]
    assert gradient[1, :1900].abs().sum() > 0
    assert (gradient[1, 2000:] == 0).all()


def test_every_model_is_attacked_on_clips_of_its_own_fold(done):
    rows = clip_table.read(done / "data/transfer/sweeps/speech_heads/clips.csv")
    assert len(rows) == 2 * 3 * 4 * 5  # models, folds, clips of both labels, clean and two attacks at two strengths
    assert (rows.judged_on == rows.fold).all()
    assert "c07" not in set(rows.clip_id)
    attacked = rows[rows.attack != "none"]
    assert (attacked.linf_audio <= attacked.epsilon + 1e-6).all()
    mean = attacked.groupby("epsilon").snr_db_audio.mean()
    assert mean[0.001] > mean[0.02] + 15
    assert np.isposinf(rows.snr_db_audio[rows.attack == "none"]).all()
    sweeps, audio = (shards.ShardSet(done / "data/transfer" / name) for name in ("sweeps/speech_heads", "audio"))
    kept = rows[rows.kept]
    assert set(kept.split) == {"test"} and kept.groupby("label").clip_id.nunique().eq(1).all()
    for row in kept.itertuples():
        delta = sweeps.load(row.key)["audio"] - audio.load(row.clip_id)["audio"]
        assert np.abs(delta).max() == pytest.approx(row.linf_audio, abs=1e-6)


def test_a_clip_shorter_than_the_receptive_field_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE", "cpu")
    (tmp_path / "params.yaml").write_text(json.dumps(PARAMS))
    write_model(tmp_path / "models/transfer/pretrained/wav2vec")
    write_audio(tmp_path, shortest_s=0.001)
    with pytest.raises(UserError, match=r"clip c\d\d: expected at least 105 samples, .*; found \d+; leave it out"):
        encode.main("heard")
