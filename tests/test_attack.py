"""Adversarial sets of images: each model on its clips at its strengths, and what is wrong in an entry."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from small_emotion import EMOTION

from stages import attack
from stages.attacking.entries import Attacked, opened
from stages.frame import clip_table, parameters, shards
from stages.frame.errors import UserError


@pytest.fixture(scope="module")
def rows(emotion_home):
    return clip_table.read(emotion_home / "data/emotion/adversarial/cnn4/clips.csv")


def test_every_model_meets_every_clip_of_its_split_once_an_attack_and_epsilon(rows):
    assert not rows.key.duplicated().any()
    clips = {"validation": 8, "test": 12}
    for (regime, _, _, split), own in rows.groupby(["regime", "purpose", "variant", "split"]):
        strengths = {"single": [0.1, 0.5], "vanilla": [own.training_epsilon.iloc[0]], "noise": []}[regime]
        expected = {("none", 0.0)} | {(attack, epsilon) for attack in ("fgsm", "bim") for epsilon in strengths}
        assert set(zip(own.attack, own.epsilon)) == expected
        assert len(own) == clips[split] * len(expected)
    assert set(zip(rows.purpose, rows.split)) == {("development", "validation"), ("test", "test")}
    assert set(rows.variant[rows.regime == "noise"]) == {"audio", "log_mel"}
    assert set(rows.victim) == {"cnn4/single", "cnn4/vanilla", "cnn4/noise"}


def test_perturbations_keep_to_epsilon_and_bim_is_never_weaker_than_fgsm(rows):
    attacked = rows[rows.attack != "none"]
    assert (attacked.linf_log_mel <= attacked.epsilon + 1e-5).all()
    assert (attacked.linf_log_mel > 0).all()
    keys = ["clip_id", "victim", "purpose", "variant", "epsilon"]
    both = attacked.pivot(index=keys, columns="attack", values="success")
    assert (both.bim | ~both.fgsm.astype(bool)).all()
    assert both.bim.any() and not both.fgsm.all()


def test_predictions_and_success_agree(rows):
    assert (rows.success == (rows.adversarial_prediction != rows.label)).all()
    # Images have no whole numbers to be rounded to.
    assert (rows.found == rows.success)[rows.attack != "none"].all() and not rows.found[rows.attack == "none"].any()
    clean = rows[rows.attack == "none"]
    assert (clean.clean_prediction == clean.adversarial_prediction).all()
    assert (clean.success != (clean.clean_prediction == clean.label)).all()


def test_images_are_kept_of_some_test_clips_of_the_models_trained_on_real_data_alone(emotion_home, rows):
    made = shards.ShardSet(emotion_home / "data/emotion/adversarial/cnn4")
    kept = rows[rows.kept]
    assert set(kept.regime) == {"single"} and set(kept.split) == {"test"}
    assert kept.groupby("label").clip_id.nunique().eq(2).all()
    assert len(kept) == 4 * 5
    clean = kept[kept.attack == "none"].set_index("clip_id").key
    for row in kept[kept.attack == "fgsm"].itertuples():
        delta = made.load(row.key)["log_mel"] - made.load(clean[row.clip_id])["log_mel"]
        assert np.abs(delta).max() == pytest.approx(row.epsilon, abs=1e-4)
    assert not any(made.load(key) for key in rows.key[~rows.kept][:20])


def test_a_set_says_of_its_arrays_what_the_attacked_one_does(emotion_home):
    made, images = (shards.ShardSet(emotion_home / "data/emotion" / one) for one in ("adversarial/cnn4", "log_mel"))
    assert made.about == images.about and made.about["front_end"]["feature"] == "log_mel_image"


def test_the_columns_are_in_the_order_of_what_happened(rows):
    assert list(rows)[-3:] == ["linf_log_mel", "kept", "shard"]
    order = [
        "key",
        "clip_id",
        "label",
        "victim",
        "member",
        "attack",
        "epsilon",
        "target",
        "through",
        "clean_prediction",
    ]
    assert [name for name in rows if name in order] == order
    assert not {"folder", "strength", "attacked_at", "snr_db"} & set(rows)


def test_the_outcome_is_told_in_a_line(emotion_home, rows, tmp_path, monkeypatch, capsys):
    rerun(emotion_home, tmp_path, monkeypatch)
    succeeded, count = rows.success[rows.attack != "none"].sum(), (rows.attack != "none").sum()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"emotion cnn4: {succeeded} of {count} attacks succeed, ") and "backward passes" in line
    again = clip_table.read("data/emotion/adversarial/cnn4/clips.csv")
    assert again.equals(rows)


def rerun(home, folder, monkeypatch, **changes):
    """The verb once more in another folder, the study's section changed."""
    changed = json.loads(json.dumps(EMOTION))
    for name, values in changes.items():
        section, _, entry = name.partition("__")
        changed[section][entry] |= values
    (folder / "data/emotion").mkdir(parents=True)
    for part in ("data/emotion/audio", "data/emotion/log_mel", "models"):
        (folder / part).symlink_to(home / part)
    (folder / "params.yaml").write_text(yaml.safe_dump({"emotion": changed}, sort_keys=False))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DEVICE", "cpu")
    attack.main("emotion", "cnn4")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attacked__cnn4": {"victm": []}}, r"attacked.cnn4.victm: .*did you mean 'victims'"),
        ({"attacked__cnn4": {"attacks": ["fgms"]}}, r"emotion.attacks.fgms: .*did you mean 'fgsm'"),
        ({"attacked__cnn4": {"attacks": ["fgms", "bmi"]}}, r"'fgsm'\??; and params.yaml: emotion.attacks.bmi: .*'bim'"),
        ({"attacked__cnn4": {"plan": "judgd"}}, r"emotion.plans.judgd: .*did you mean 'judged'"),
        ({"plans__judged": {"plan": "correkt"}}, r"plans.py: expected a function 'correkt'; found none"),
        (
            {"plans__judged": {"batch_size": 0}},
            r"emotion.plans.judged.batch_size: expected a whole number >= 1; found 0",
        ),
        ({"plans__judged": {"targts": []}}, r"emotion.plans.judged.targts: .*did you mean 'targets'"),
        (
            {"attacks__fgsm": {"attack": "fgms"}},
            r"emotion.attacks.fgsm.attack: expected a file stages/attacks/<name>.py",
        ),
        ({"attacks__fgsm": {"parameters": {"eta": 0}}}, r"emotion.attacks.fgsm.parameters.eta: expected a number > 0"),
        ({"attacks__fgsm": {"clips": 0}}, r"emotion.attacks.fgsm.clips: expected a whole number >= 1 or null"),
        ({"attacked__cnn4": {"network": "vgg16"}}, r"expected the network 'vgg16'; found 'cnn4'; name this network"),
        ({"attacked__cnn4": {"front_end": "wav2vec"}}, r"expected the front_end 'wav2vec'; found None"),
        ({"attacked__cnn4": {"victims": ["cnn4/none"]}}, r"models/emotion/cnn4/none/members.csv: .*no such file"),
        (
            {"attacked__cnn4": {"through": "through_sound"}},
            r"griffin_lim.py: expected a function 'through'; found none",
        ),
    ],
)
def test_a_wrong_entry_is_one_line(emotion_home, tmp_path, monkeypatch, changes, message):
    with pytest.raises(UserError, match=message):
        rerun(emotion_home, tmp_path, monkeypatch, **changes)
    assert not (tmp_path / "data/emotion/adversarial").exists()


def test_every_entry_of_params_yaml_is_right(monkeypatch):
    values = parameters.read()
    monkeypatch.setattr(parameters, "read", lambda path: values)  # of hundreds of times
    studies = [name for name, section in values.items() if "attacked" in section]
    assert studies
    for study in studies:
        for name in parameters.section(f"{study}.attacked"):
            entry = parameters.entry(Attacked, f"{study}.attacked.{name}")
            victims = parameters.section(f"{study}.victims")
            assert {victims[one.split("/")[0]]["network"] for one in entry.victims} == {entry.network}
            assert attack._plan(study, entry.plan)[0].batch_size > 0
            for dotted in entry.attacks:
                assert opened(study, dotted)


def test_what_came_of_the_attacks_is_told_by_the_means_that_tables_tell():
    """SNR of those that fell, passes of all that could; an attack that changed nothing has no finite SNR."""
    rows = pd.DataFrame({"attack": ["none", "cw", "cw", "cw", "cw"], "success": [False, True, True, False, False]})
    rows = rows.assign(impossible=[False] * 4 + [True], snr_db=["", 20.0, 31.0, 90.0, ""])
    rows = rows.assign(forwards=[1, 10, 20, 30, 500], backwards=[0, 1, 2, 6, 500])
    assert attack._told(rows) == "2 of 3 attacks succeed, mean SNR 25.5 dB, 20 forward and 3 backward passes each"
    passes = "20 forward and 3 backward passes each"
    assert attack._told(rows.assign(snr_db="inf")) == f"2 of 3 attacks succeed, {passes}"
    assert attack._told(rows.assign(success=False).drop(columns="snr_db")) == f"0 of 3 attacks succeed, {passes}"
    assert attack._told(rows.assign(attack="none")) == "nothing is attacked"
