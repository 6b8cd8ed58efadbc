"""Adversarial sets of sound with pictures: whole numbers within epsilon, decided as the table says, the same again."""

import itertools
import json
import shutil

import numpy as np
import pytest
import torch
import yaml
from small_faces import FACES, TARGETS, TOLD, VICTIMS, Faces, batch

from stages import attack, victim
from stages.frame.errors import UserError


@pytest.fixture(scope="module", params=VICTIMS)
def faces(request, faces_home):
    """One of the sets: its clips, and what the attacks made of them."""
    return Faces(faces_home, request.param)


def model(faces, name):
    return victim.load(faces.folder / "models/audiovisual" / name / "model", device="cpu")


def test_each_victim_meets_each_clip_once_an_attack_epsilon_and_target(faces):
    rows = faces.rows
    assert not rows.key.duplicated().any()
    held_out = faces.clips.table[faces.clips.table.split != "train"]
    clips = list(zip(held_out.clip_id, held_out.text))
    attacks = FACES["attacked"][faces.name]["attacks"]
    targets = TARGETS if faces.name == "sentences" else [""]
    runs = [("none", "0.0"), *itertools.product(attacks, TOLD[faces.name])]
    expected = {
        (model, clip, target, *run)
        for model, (clip, text), target, run in itertools.product(VICTIMS[faces.name], clips, targets, runs)
        # No clip is made into what it is.
        if target != text
    }
    assert set(zip(rows.victim, rows.clip_id, rows.target, rows.attack, rows.epsilon)) == expected
    assert len(rows) == len(expected)


def test_perturbations_are_whole_numbers_of_the_files_within_epsilon(faces):
    for row in faces.attacked.itertuples():
        arrays, clean = faces.adversarial.load(row.key), faces.clips.load(row.clip_id)
        assert arrays["video"].dtype == np.uint8 and arrays["audio"].dtype == np.int16
        assert arrays["video"].shape == clean["video"].shape and arrays["audio"].shape == clean["audio"].shape
        delta, epsilon = faces.delta(row.key), dict(zip(("audio", "video"), map(int, row.epsilon.split("/"))))
        for name, most in epsilon.items():
            assert np.abs(delta[name]).max() <= most
        assert row.linf_video == np.abs(delta["video"]).max()
        assert row.linf_audio == np.abs(delta["audio"]).max() / 2**15
        assert row.l2_video == pytest.approx(np.sqrt((delta["video"] ** 2).sum()), rel=1e-5)
        power = [np.square(one, dtype="f8").sum() for one in (clean["audio"], delta["audio"] / 2**15)]
        if power[1]:
            assert row.snr_db == pytest.approx(10 * np.log10(power[0] / power[1]), abs=1e-3)
        if row.attack == "fgsm":
            assert (np.abs(delta["video"][:, 1:-1, 1:-1]) == epsilon["video"]).mean() > 0.9
            assert (np.abs(delta["audio"]) == epsilon["audio"]).mean() > 0.9
    unattacked = faces.rows[faces.rows.attack == "none"]
    assert not unattacked.kept.any() and not any(faces.adversarial.load(key) for key in unattacked.key)
    assert faces.attacked.kept.all()


def test_what_is_kept_is_decided_as_the_table_says(faces):
    """Each clip by itself, not in the batch in which it was attacked."""
    models = {name: model(faces, name) for name in VICTIMS[faces.name]}
    assert {type(one) for one in models.values()} == {victim.Victim if faces.name == "words" else victim.Transcriber}
    for row in faces.attacked.itertuples():
        own, made = models[row.victim], batch(faces.made(row.key))
        with torch.no_grad():
            label, confidence = own.decide(made)
        assert own.names(label) == [row.adversarial_prediction]
        assert confidence.item() == pytest.approx(row.confidence, abs=1e-4)


def test_success_is_what_the_table_shows(faces):
    rows = faces.rows
    reached = (
        rows.adversarial_prediction != rows.label
        if faces.name == "words"
        else rows.adversarial_prediction == rows.target
    )
    assert (rows.success == reached).all()
    clean = rows[rows.attack == "none"]
    assert (clean.clean_prediction == clean.adversarial_prediction).all()
    if faces.name == "words":
        errors = faces.attacked.groupby(["victim", "attack", "epsilon"]).success.mean()
        right = (clean.clean_prediction == clean.label)[clean.victim == "first"].mean()
        assert right >= 0.8 and errors["first"].loc["basic_iterative", "1024/8"] >= 0.5


def test_attacks_lower_the_loss_that_they_are_to_lower(faces):
    """The last of them at its largest epsilons, against the clips as they are."""
    name = VICTIMS[faces.name][0]
    own = model(faces, name)
    rows = faces.attacked[(faces.attacked.victim == name) & (faces.attacked.attack == faces.attacked.attack.iloc[-1])]
    rows = rows[rows.epsilon == TOLD[faces.name][-1]]
    targeted = faces.name == "sentences"
    goal = victim.Goal(own.encode(list(rows.target if targeted else rows.label)), targeted)
    with torch.no_grad():
        before = own.loss(own.logits(batch(*map(faces.clips.load, rows.clip_id))), goal)
        after = own.loss(own.logits(batch(*map(faces.made, rows.key))), goal)
    assert (after < before).float().mean() >= 0.9


def rerun(home, folder, monkeypatch, name, changes):
    """The verb once more in another folder, with other parameters."""
    changed = json.loads(json.dumps(FACES))
    for (section, entry), values in changes.items():
        changed[section][entry] = values if section == "attacked" else changed[section][entry] | values
    shutil.copytree(home / "data/audiovisual" / name, folder / "data/audiovisual" / name)
    (folder / "models").symlink_to(home / "models")
    (folder / "params.yaml").write_text(yaml.safe_dump({"audiovisual": changed}, sort_keys=False))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DEVICE", "cpu")
    attack.main("audiovisual", name)


def test_twice_gives_equal_bytes(faces, tmp_path, monkeypatch):
    rerun(faces.folder, tmp_path, monkeypatch, faces.name, {})
    parts = [folder / "data/audiovisual/adversarial" / faces.name for folder in (faces.folder, tmp_path)]
    before, again = ({file.name: file.read_bytes() for file in part.iterdir()} for part in parts)
    assert again == before


def test_few_are_kept_and_pictures_alone_are_attacked_in_steps_of_a_quarter(faces_home, tmp_path, monkeypatch):
    """In steps of a quarter of a grey level, as at the paper's scale."""
    unit = FACES["plans"]["words"]["unit"] | {"video": 0.25}
    changes = {
        ("plans", "words"): {"kept_clips_per_label": 1, "epsilons": [{"video": 4}], "unit": unit},
        ("attacked", "words"): FACES["attacked"]["words"] | {"victims": ["first"], "attacks": ["basic_iterative"]},
    }
    rerun(faces_home, tmp_path, monkeypatch, "words", changes)
    few = Faces(tmp_path, "words")
    assert (few.rows.linf_audio == 0).all() and (few.attacked.linf_video == 1).all()
    assert len(few.attacked) == 10
    kept = few.attacked[few.attacked.kept]
    assert kept.label.value_counts().to_dict() == {"a": 1, "b": 1} and set(kept.split) == {"test"}
    for row in few.attacked.itertuples():
        assert bool(few.adversarial.load(row.key)) == row.kept
    # What was made of the others was rounded too: a sum of ones.
    assert (few.attacked.l2_video**2).tolist() == pytest.approx((few.attacked.l2_video**2).round().tolist(), abs=1e-3)


def test_a_target_that_cannot_be_spelt_is_one_line(faces_home, tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"the text 'ab be': expected characters of ' abn'; found 'e'"):
        rerun(faces_home, tmp_path, monkeypatch, "sentences", {("plans", "sentences"): {"targets": ["ab be"]}})


def test_a_target_that_is_no_label_is_one_line(faces_home, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="what the clips are to become: expected labels of a, b; found 'c'"):
        rerun(faces_home, tmp_path, monkeypatch, "words", {("plans", "words"): {"targets": ["c"]}})
