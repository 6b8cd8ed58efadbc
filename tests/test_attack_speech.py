"""Phrases put into what a recogniser hears: 16-bit files, judged as files, alone and through an enhancer."""

import json

import numpy as np
import pytest
import torch
import yaml
from small_speech import SPEECH, spoken_clip

from stages import attack, victim
from stages.attacking import treated
from stages.frame import shards
from stages.frame.errors import UserError


def model(home, name):
    return victim.load(home / "models/speech" / name, device="cpu")


def test_every_attack_clip_and_phrase_has_a_row_and_a_16_bit_file(speech_home):
    made = shards.ShardSet(speech_home / "data/speech/adversarial/plain")
    counts = made.table.groupby(["attack", "target"]).size().to_dict()
    each = {"loud": 1, "noise": 2, "spoken": 1}
    assert counts == {(attack, target): count for attack, count in each.items() for target in ("an ba", "ba")}
    assert set(made.table.split) == {"test"} and set(made.table.victim) == {"heard"}
    assert (made.table.through == "").all() and made.table.kept.all()
    assert not made.table[made.table.attack == "noise"].success.any()
    audio = shards.ShardSet(speech_home / "data/speech/audio")
    assert made.about == audio.about
    for row in made.table.itertuples():
        file, clean = made.load(row.key)["audio"], audio.load(row.clip_id)["audio"]
        assert file.dtype == np.int16
        assert file.shape == clean.shape
        assert row.snr_db >= {"loud": 0.0, "noise": 9.9, "spoken": -20.0}[row.attack] - 0.01
    recogniser = model(speech_home, "heard")
    row = made.table.iloc[0]
    batch = victim.padded_batch([made.load(row.key)["audio"].astype("f4") / 32768], "cpu")
    label, _ = recogniser.decode(recogniser.logits(batch))
    assert recogniser.names(label) == [row.adversarial_prediction]
    assert (made.table.success == (made.table.adversarial_prediction == made.table.target)).all()


def test_an_attack_through_an_enhancer_is_judged_through_it(speech_home):
    made = shards.ShardSet(speech_home / "data/speech/adversarial/through")
    assert set(made.table.through) == {"cleaned_hardened"} and set(made.table.victim) == {"heard"}
    recogniser, enhancer = (model(speech_home, name) for name in ("heard", "cleaned_hardened"))
    for row in made.table.itertuples():
        batch = victim.padded_batch([made.load(row.key)["audio"].astype("f4") / 32768], "cpu")
        logits = recogniser.module(batch | {"audio": enhancer.module(batch)})
        assert recogniser.names(recogniser.decode(logits)[0]) == [row.adversarial_prediction]


def test_gradients_pass_an_enhancer(speech_home):
    recogniser, enhancer = (model(speech_home, name) for name in ("heard", "cleaned"))
    whole = treated.behind(enhancer.module, recogniser)
    assert type(whole) is victim.Transcriber and whole.labels == recogniser.labels
    assert whole.bounds == recogniser.bounds and whole.module.takes == ("audio",)
    batch = victim.padded_batch([spoken_clip("ab", np.random.default_rng(0))], "cpu")
    audio = batch["audio"].requires_grad_()
    whole.logits(batch)[..., 0].sum().backward()
    assert audio.grad.abs().sum() > 0
    (behind,) = torch.autograd.grad(recogniser.module(batch)[..., 0].sum(), audio)
    assert not torch.allclose(audio.grad, behind)


def test_one_at_a_time_nothing_of_a_clip_depends_on_what_else_is_attacked(speech_home, tmp_path, monkeypatch):
    monkeypatch.setenv("DEVICE", "cpu")
    rows = {}
    for clips in (1, 2):
        home = tmp_path / str(clips)
        (home / "data/speech").mkdir(parents=True)
        for part in ("data/speech/audio", "models", "rooms", "phrases"):
            (home / part).symlink_to(speech_home / part)
        changed = SPEECH | {"plans": {"phrases": SPEECH["plans"]["phrases"] | {"batch_size": 1, "clips": clips}}}
        (home / "params.yaml").write_text(yaml.safe_dump({"speech": changed}, sort_keys=False))
        monkeypatch.chdir(home)
        attack.main("speech", "through")
        made = shards.ShardSet(home / "data/speech/adversarial/through")
        told = made.table.drop(columns="shard").astype(str).itertuples(index=False)
        rows[clips] = {row.key: (row, made.load(row.key)["audio"].tobytes()) for row in told}
    assert len(rows[2]) == 2 * len(rows[1]) > 0
    assert rows[1] == {key: rows[2][key] for key in rows[1]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"impulse_responses": "nowhere"}, "nowhere: expected a file or folder; found nothing there"),
        ({"longest_s": 0.001}, r"at most 0\.001 s, the parameter longest_s"),
        ({"spoken_phrases": "nowhere"}, "nowhere: expected a file or folder; found nothing there"),
        (None, "expected rooms to be known; found none; .*section `playback`"),
    ],
)
def test_what_is_played_and_is_not_there_is_one_line(speech_home, tmp_path, monkeypatch, changes, message):
    changed = json.loads(json.dumps(SPEECH))
    if changes is None:
        del changed["playback"]
    else:
        changed["playback"] |= changes
    (tmp_path / "data/speech").mkdir(parents=True)
    for part in ("data/speech/audio", "models", "rooms", "phrases"):
        (tmp_path / part).symlink_to(speech_home / part)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"speech": changed}, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE", "cpu")
    with pytest.raises(UserError, match=message):
        attack.main("speech", "plain")
