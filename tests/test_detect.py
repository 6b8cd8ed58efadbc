"""Detectors on clips with sound and pictures: each version once, scores of each clip by itself, honest controls."""

import copy
import itertools
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from small_faces import DETECTORS, FACES, TOLD, UNIT, VICTIMS, Faces, batch

from stages import attack, detect, victim
from stages.detection import controls, lip_sync
from stages.detection.entries import Detector
from stages.frame import clip_table, parameters
from stages.frame.errors import UserError


@pytest.fixture(scope="module")
def detected_home(faces_home):
    """The folder of both sets, with what the detectors say of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(faces_home)
        patch.setenv("DEVICE", "cpu")
        for name in VICTIMS:
            detect.main("audiovisual", name)
    return faces_home


@pytest.fixture(scope="module", params=VICTIMS)
def study(request, detected_home):
    """One of the sets: its clips, what the attacks made of them, and what the detectors say of that."""
    return Detected(detected_home, request.param)


class Detected(Faces):
    """A set with `detected`, what the detectors say of it."""

    def __init__(self, folder, name):
        super().__init__(folder, name)
        self.detected = clip_table.read(self.data / f"detections/{name}/clips.csv")


def test_detectors_see_each_version_once_and_validation_clips_have_no_controls(study):
    detected = study.detected
    assert not detected.key.duplicated().any()
    benign = detected[detected.version == "benign"]
    held_out = study.clips.table[study.clips.table.split != "train"].clip_id
    assert sorted(zip(benign.victim, benign.clip_id)) == sorted(itertools.product(VICTIMS[study.name], held_out))
    assert set(detected.key[detected.version == "adversarial"]) == {f"{key}/adversarial" for key in study.attacked.key}
    test = study.attacked.key[study.attacked.split == "test"]
    for version in ("noise", "transplant"):
        assert set(detected.key[detected.version == version]) == {f"{key}/{version}" for key in test}
        assert set(detected.split[detected.version == version]) == {"test"}


def test_each_victim_decides_on_its_own_clips_as_in_the_adversarial_set(study):
    detected = study.detected
    adversarial = detected[detected.version == "adversarial"]
    assert (adversarial.decision == adversarial.adversarial_prediction).all()
    clean = adversarial.drop_duplicates(["victim", "clip_id"])
    benign = detected.loc[detected.version == "benign", ["victim", "clip_id", "decision", "decision_confidence"]]
    benign = benign.merge(
        clean[["victim", "clip_id", "clean_prediction", "clean_confidence"]], on=["victim", "clip_id"]
    )
    assert len(benign) == len(clean)
    assert (benign.decision == benign.clean_prediction).all()
    if study.name == "words":
        assert np.abs(adversarial.decision_confidence - adversarial.confidence.astype(float)).max() < 1e-4
        assert np.abs(benign.decision_confidence - benign.clean_confidence.astype(float)).max() < 1e-4
    controls = detected[detected.version.isin(["noise", "transplant"])]
    assert controls.decision_confidence.between(0, 1).all() and (controls.decision != "").any()
    assert detected[list(DETECTORS)].notna().all(axis=None)


def test_scores_are_those_of_each_clip_by_itself(study):
    network = victim.load(study.folder / "models/audiovisual/synchrony", device="cpu").module
    chosen = study.detected[study.detected.version.isin(["benign", "adversarial"])]
    for row in chosen[chosen.index % 5 == 0].itertuples():
        clip = study.clips.load(row.clip_id) if row.version == "benign" else study.made(row.source)
        video, audio = clip["video"].astype(float), clip["audio"].astype(float)
        assert row.video_values == video.size
        assert row.frame_difference == pytest.approx(-np.abs(np.diff(video, axis=0)).mean(), rel=1e-4)
        loudness = np.sqrt(np.square(audio[: len(audio) // 400 * 400].reshape(-1, 400)).mean(1))
        assert row.quietest_moment == pytest.approx(-loudness.min(), rel=1e-4)
        with torch.no_grad():
            found = lip_sync.of_clips(network, batch(clip), shifts=3, pairs="padded")
        assert row.synchrony == pytest.approx(found.confidence.item(), abs=1e-4)
        assert row.synchrony_offset == found.offset.item()
        assert row.synchrony_distance == pytest.approx(found.distance.item(), abs=1e-4)


def test_controls_are_as_loud_as_the_attack_and_not_the_attack(study):
    plan = detect._plan(study.rows, study.clips.table)
    # Of one attack on clips of different lengths.
    plan = plan[
        (plan.split == "test") & (plan.epsilon == TOLD[study.name][-1]) & (plan.victim == VICTIMS[study.name][0])
    ]
    plan = plan[(plan.attack == plan.attack.iloc[-1]) & (plan.target == plan.target.iloc[-1])]
    assert plan.clip_id.map(study.clips.table.set_index("clip_id").duration_s).nunique() > 1
    assert set(plan.lender) == set(plan.key) and (plan.lender != plan.key).all()
    versions, again = (list(detect._versions(plan, study.clips, study.adversarial, "cpu")) for _ in range(2))
    assert [table.version.iloc[0] for table, _ in versions] == ["adversarial", "noise", "transplant"]
    for (table, inputs), (_, repeated) in zip(versions, again):
        assert all(torch.equal(value, repeated[name]) for name, value in inputs.items())
        for number, row in enumerate(table.itertuples()):
            clean, own, lent = study.clips.load(row.clip_id), study.delta(row.source), study.delta(row.lender)
            for name, unit in UNIT.items():
                length, shared = len(clean[name]), min(len(clean[name]), len(lent[name]))
                added = (inputs[name][number, :length].numpy() - clean[name]) / unit
                assert inputs[name][number, length:].count_nonzero() == 0
                if row.version == "adversarial":
                    assert np.array_equal(added, own[name])
                elif row.version == "noise":
                    assert np.array_equal(np.sort(np.abs(added), axis=None), np.sort(np.abs(own[name]), axis=None))
                    # Neither with its signs nor where it was loud.
                    for one, other in ((added, own[name]), (np.abs(added), np.abs(own[name]))):
                        centred = [values - values.mean() for values in (one.ravel(), other.ravel())]
                        assert abs(np.dot(*centred)) <= 0.2 * np.dot(centred[1], centred[1])
                else:
                    assert np.array_equal(added[:shared], lent[name][:shared]) and not added[shared:].any()


def test_controls_keep_to_the_range_of_the_files(study):
    clean = {"video": np.full((2, 4, 4), 250, "u1"), "audio": np.full(1280, 0.99, "f")}
    delta = {"video": np.full((2, 4, 4), 9, "f"), "audio": np.full(1280, 0.02, "f")}
    made = controls.disturbed(clean, delta)
    assert made["video"].max() == 255 and made["audio"].max() == np.float32(1 - 2**-15)
    assert controls.disturbed(clean, {name: -200 * one for name, one in delta.items()})["video"].min() == 0


def test_twice_gives_equal_bytes(study, tmp_path, monkeypatch):
    (tmp_path / "data/audiovisual").mkdir(parents=True)
    for part in ("models", "params.yaml", f"data/audiovisual/{study.name}", "data/audiovisual/adversarial"):
        (tmp_path / part).symlink_to(study.folder / part)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE", "cpu")
    detect.main("audiovisual", study.name)
    first, again = (folder / f"data/audiovisual/detections/{study.name}" for folder in (study.folder, tmp_path))
    before = {file.name: file.read_bytes() for file in first.iterdir()}
    assert {file.name: file.read_bytes() for file in again.iterdir()} == before


def test_only_what_is_kept_is_detected(faces_home, tmp_path, monkeypatch, capsys):
    """Pictures alone are attacked, in steps of a quarter of a grey level, as at the paper's scale."""
    changed = copy.deepcopy(FACES)
    changed["plans"]["words"] |= {"kept_clips_per_label": 1, "epsilons": [{"video": 4}]}
    changed["plans"]["words"]["unit"] = UNIT | {"video": 0.25}
    changed["attacked"]["words"] |= {"attacks": ["basic_iterative"], "victims": ["first"]}
    changed["detected"]["words"]["victims"] = ["first"]
    for part in ("data/audiovisual/words", "models"):
        shutil.copytree(faces_home / part, tmp_path / part)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"audiovisual": changed}, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE", "cpu")
    attack.main("audiovisual", "words")
    few = Faces(tmp_path, "words")
    capsys.readouterr()
    detect.main("audiovisual", "words")
    told = capsys.readouterr().out
    detected = clip_table.read("data/audiovisual/detections/words/clips.csv")
    attacked = detected[detected.version == "adversarial"]
    assert attacked.label.value_counts().to_dict() == {"a": 1, "b": 1} and set(attacked.split) == {"test"}
    for row in attacked.itertuples():
        assert row.l2_video**2 == pytest.approx(np.abs(few.delta(row.source)["video"]).sum())
    means = [
        detected.synchrony[(detected.version == version) & (detected.split == "test")].mean()
        for version in ("adversarial", "benign")
    ]
    assert "synchrony {:.3g} and {:.3g}".format(*means) in told and told.count("\n") == 1
    assert told.startswith("audiovisual words: mean scores of attacked ")


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ("detected.words", {"victms": []}, r"detected.words.victms: .*did you mean 'victims'"),
        ("detected.words", {"detectors": ["nobody"]}, r"audiovisual.detectors.nobody: expected a parameter"),
        ("detectors.synchrony", {"detector": "lip_sink"}, r"synchrony.detector: expected a file .*lip_sync"),
        ("detectors.synchrony", {"parameters": {"shifts": 3}}, r"synchrony.parameters.pairs: expected a value"),
        (
            "detectors.synchrony",
            {"model": "nobody"},
            r"models/audiovisual/nobody: expected a trained model; found no config.json",
        ),
        (
            "detected.words",
            {"victims": ["nobody"]},
            r"detected.words.victims: expected victims of adversarial/words, .*; found nobody; correct the name",
        ),
    ],
)
def test_a_wrong_entry_or_a_missing_model_is_told_in_one_line(
    faces_home, tmp_path, monkeypatch, section, changes, message
):
    changed = copy.deepcopy(FACES)
    part, name = section.split(".")
    changed[part][name] |= changes
    for link in ("data", "models"):
        (tmp_path / link).symlink_to(faces_home / link)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"audiovisual": changed}, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEVICE", "cpu")
    with pytest.raises(UserError, match=message):
        detect.main("audiovisual", "words")


def test_clips_without_a_score_are_counted_and_said():
    rows = [("benign", 1.0, 2.0), ("benign", 3.0, ""), ("adversarial", 0.5, "")]
    table = pd.DataFrame(rows, columns=["version", "loud", "still"]).assign(split="test")
    told = "mean scores of attacked and of benign clips: loud 0.5 and 2, still nan and 2; 2 clips without still"
    assert detect._told(table, ["loud", "still"]) == told
    nothing = detect._told(table[table.version == "none"], ["loud"])
    assert nothing == "mean scores of attacked and of benign clips: loud nan and nan"


def test_a_victim_whose_decisions_are_no_numbers_is_told(study):
    row = study.rows.iloc[0]
    inputs = batch(study.clips.load(row.clip_id))
    broken = victim.load(study.folder / "models/audiovisual" / row.victim / row.get("member", ""), device="cpu")
    for parameter in broken.module.parameters():
        parameter.data.fill_(torch.nan)
    rows = pd.DataFrame({"victim": ["broken"], "lender": ""})
    with pytest.raises(UserError, match="broken: expected finite numbers as the confidence of decisions"):
        detect._scored(rows, inputs, broken, {})


def test_a_detector_that_is_called_as_a_column_is_told(study):
    row = study.rows.iloc[0]
    given = victim.load(study.folder / "models/audiovisual" / row.victim / row.get("member", ""), device="cpu")
    rows = pd.DataFrame({"victim": ["any"], "lender": "", "duration_s": 1.0})
    inputs, told = batch(study.clips.load(row.clip_id)), {"score": torch.zeros(1), "s": torch.zeros(1)}
    for names, taken in ((["victim"], "victim"), (["duration"], "duration_s"), (["a", "a_s"], "a_s")):
        with pytest.raises(UserError, match=f"a detector '{names[-1]}': expected columns of its own; found {taken}"):
            detect._scored(rows, inputs, given, {name: lambda _: told for name in names})


def test_every_entry_of_params_yaml_is_right():
    for study, section in parameters.read().items():
        for name in section.get("detected", {}):
            entry = parameters.entry(detect.Detected, f"{study}.detected.{name}")
            for detector in entry.detectors:
                parameters.entry(Detector, f"{study}.detectors.{detector}")
