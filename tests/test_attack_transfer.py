"""A head behind its front end: attacks reach the waveform, and a model folder is opened with what lies beside it."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from small_transfer import TRANSFER

from stages import attack, victim
from stages.attacking.problem import Setting
from stages.attacks import bim, fgsm
from stages.features import wav2vec as features
from stages.frame import clip_table, shards
from stages.frame.errors import UserError
from stages.victim import Encoded, Goal


def opened(home):
    return victim.load(home / "models/transfer/heads/mlp-Session0", device="cpu")


def test_a_victim_takes_waveforms_and_decides_as_its_head_does_on_their_features(transfer_home):
    model, audio = opened(transfer_home), shards.ShardSet(transfer_home / "data/transfer/audio")
    decided = pd.read_csv(transfer_home / "models/transfer/heads/decisions.csv")
    decided = decided[(decided.model == "mlp") & (decided.fold == "Session0")]
    keys = list(decided.clip_id)
    inputs = victim.padded_batch([audio.load(key)["audio"] for key in keys], "cpu")
    label, confidence = model.decode(model.logits(inputs))
    assert [model.labels[index] for index in label.tolist()] == list(decided.decision)
    assert np.allclose(confidence.numpy(), decided.confidence, atol=1e-4)
    assert model.bounds == {"audio": (-1.0, 1 - 2**-15)}


def test_attacks_go_through_the_front_end_and_leave_the_padding_out_of_it(transfer_home):
    model, audio = opened(transfer_home), shards.ShardSet(transfer_home / "data/transfer/audio")
    table = audio.table[(audio.table.fold == "Session0") & (audio.table.problem == "")].head(4)
    inputs = victim.padded_batch([audio.load(key)["audio"] for key in table.key], "cpu")
    goal = Goal(torch.tensor([model.labels.index(label) for label in table.label]), targeted=False)
    setting = Setting(bounds=model.bounds, epsilon={"audio": 0.002})
    before = model.loss(model.logits(inputs), goal)
    result = fgsm.attack(model, inputs, goal, setting=setting, eta=None)
    assert (model.loss(model.logits(result.adversarial), goal) < before).all()
    delta = result.adversarial["audio"] - inputs["audio"]
    heard = inputs["audio_length"].clamp_max(4000)
    for row, length in zip(delta, heard.tolist()):
        assert row[:length].abs().max() == pytest.approx(0.002, abs=1e-5)
        assert (row[length + 1 :] == 0).all()
    values = {"steps": 3, "relative_step": 0.5, "random_starts": 0}
    stronger = bim.attack(model, inputs, goal, setting=setting, **values)
    assert (stronger.success | ~result.success).all()


def test_a_head_that_takes_text_is_attacked_through_its_speech(transfer_home):
    own = {"head": "aligned", "dropout": 0.0, "units": 4, "attention_heads": 2, "text_features": 3}
    torch.manual_seed(0)
    head = victim.build("speech_heads", 2, own, where="t", signal={"features": 8})
    model = Encoded(features.load(transfer_home / "data/transfer/heard/front_end", "cpu", longest_s=0.25), head)
    assert model.takes == ("audio", "text")
    audio, text = torch.randn(2, 3000, requires_grad=True), torch.randn(2, 4, 3)
    lengths = {"audio_length": torch.tensor([3000, 2000]), "text_length": torch.tensor([4, 2])}
    logits = model({"audio": audio, "text": text} | lengths)
    assert not torch.allclose(logits, model({"audio": audio, "text": -text} | lengths))
    gradient = torch.autograd.grad(logits.sum(), audio)[0]
    assert gradient[1, :1900].abs().sum() > 0
    assert (gradient[1, 2000:] == 0).all()


def test_every_model_is_attacked_on_clips_of_its_own_fold(transfer_home):
    rows = clip_table.read(transfer_home / "data/transfer/adversarial/speech_heads/clips.csv")
    assert len(rows) == 2 * 3 * 4 * 5  # models, folds, clips of both labels, clean and two attacks at two strengths
    assert (rows.judged_on == rows.fold).all()
    assert "c07" not in set(rows.clip_id)
    attacked = rows[rows.attack != "none"]
    # What the file holds is up to half a step of 16 bits further.
    assert (attacked.linf_audio <= attacked.epsilon + 2**-16 + 1e-6).all()
    mean = attacked.groupby("epsilon").snr_db.mean()
    assert mean[0.001] > mean[0.02] + 15
    assert np.isposinf(rows.snr_db[rows.attack == "none"]).all()
    made, audio = (
        shards.ShardSet(transfer_home / "data/transfer" / name) for name in ("adversarial/speech_heads", "audio")
    )
    kept = rows[rows.kept]
    assert set(kept.split) == {"test"} and kept.groupby("label").clip_id.nunique().eq(1).all()
    assert set(kept.attack) == {"fgsm", "bim"}
    for row in kept.itertuples():
        file, clean = made.load(row.key)["audio"], np.rint(audio.load(row.clip_id)["audio"] * 2**15)
        assert file.dtype == np.int16
        assert np.abs(file - clean).max() / 2**15 == pytest.approx(row.linf_audio, abs=1e-6)


def test_a_front_end_that_the_entry_does_not_name_is_one_line(transfer_home, tmp_path, monkeypatch):
    changed = json.loads(json.dumps(TRANSFER))
    del changed["attacked"]["speech_heads"]["front_end"]
    (tmp_path / "data/transfer").mkdir(parents=True)
    for part in ("data/transfer/audio", "data/transfer/heard", "models"):
        (tmp_path / part).symlink_to(transfer_home / part)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"transfer": changed}))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"heads/mean-Session0: expected the front_end None; found 'wav2vec'"):
        attack.main("transfer", "speech_heads")
