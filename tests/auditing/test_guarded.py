"""Victims with a detector beside them or a treatment before them: what their attackers know, and what it is worth."""

import shutil

import pandas as pd
import pytest
import yaml

from stages import audit
from stages.auditing import guarded
from stages.frame.columns import typed
from stages.frame.errors import UserError
from stages.frame.shards import ShardSet

EPSILON = {"audio": 1024, "video": 8}
DIRECT = {"snr_db": 0.0, "iterations": 8, "relative_step": 0.3, "shrink": None, "checked_every": 4, "band_hz": None}
DIRECT = DIRECT | {"noise_snr_db": None, "rooms_per_step": 0, "checked_rooms": 1, "needed": 0.5}
AUDIT = {
    "attacks": {
        "joint": {
            "iterative": {
                "attack": "basic_iterative",
                "epsilon": EPSILON,
                "parameters": {"step": {"audio": 64, "video": 1}, "counted_on": "video"},
            },
            "signed": {
                "attack": "bim",
                "epsilon": EPSILON,
                "parameters": {"steps": 20, "relative_step": 0.1, "random_starts": 0},
            },
            "direct": {"attack": "over_the_air", "parameters": DIRECT},
            "read": {
                "attack": "targeted_transcription",
                "epsilon": EPSILON,
                "parameters": {
                    "iterations": 8,
                    "relative_step": 0.3,
                    "shrink": 0.8,
                    "checked_every": 4,
                    "tolerated_wer": 0.0,
                },
            },
            "descent": {"attack": "pgd_snr", "parameters": {"snr_db": 0.0, "steps": 3, "relative_step": 0.5}},
        }
    },
    "detectors": {
        "half": {"detector": "temporal_dependency", "model": "heard", "parameters": {"part": 0.5, "measure": "words"}},
        "distribution": {
            "detector": "output_distribution",
            "model": "heard",
            "parameters": {"clips": "data/speech/audio"},
        },
    },
    "guarded": {
        "audiovisual": {
            "words": {
                "victim": "first/model",
                "network": "lip_reader",
                "inputs": "words",
                "unaware": "joint.iterative",
                "aware": "joint.signed",
                "clips": 4,
                "batch_size": 4,
                "calibrated_on": 8,
                "detectors": ["synchrony", "frame_difference"],
                "unit": {"audio": 2**-15, "video": 1.0},
            },
            "sentences": {
                "victim": "third/model",
                "network": "lip_reader",
                "inputs": "sentences",
                "unaware": "joint.read",
                "aware": "joint.read",
                "clips": 2,
                "batch_size": 2,
                "calibrated_on": 3,
                "detectors": ["synchrony"],
                "targets": ["an ba", "ba an"],
                "unit": {"audio": 2**-15, "video": 1.0},
            },
        },
        "speech": {
            "heard": {
                "victim": "heard",
                "network": "deepspeech",
                "inputs": "audio",
                "unaware": "joint.direct",
                "aware": "joint.direct",
                "clips": 4,
                "batch_size": 1,
                "calibrated_on": 3,
                "detectors": ["half", "distribution"],
                "treatments": ["none", "cleaned"],
                "targets": ["an ba", "ba"],
            },
            "unsaid": {
                "victim": "heard",
                "network": "deepspeech",
                "inputs": "audio",
                "unaware": "joint.descent",
                "aware": "joint.descent",
                "clips": 3,
                "batch_size": 1,
                "treatments": ["cleaned"],
            },
        },
    },
}
KNOWN = ["benign", "none", "transplant", "unaware", "aware"]


def audited(home, folder, entry):
    """The table of an entry, made in a copy of a small study."""
    shutil.copytree(home, folder, dirs_exist_ok=True)
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"audit": AUDIT}, sort_keys=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DEVICE", "cpu")
        audit.main("audit", f"guarded.{entry}")
    written = ShardSet(folder / f"data/audit/guarded/{entry.replace('.', '/')}")
    table = written.table.assign(arrays=[written.load(key) for key in written.table.key])
    return typed(table, ("right", "score", "threshold", "reached", "times", "backwards"), ("met", "refused"))


@pytest.fixture(scope="module")
def words(faces_home, tmp_path_factory):
    return audited(faces_home, tmp_path_factory.mktemp("words"), "audiovisual.words")


@pytest.fixture(scope="module")
def speech(speech_home, tmp_path_factory):
    return audited(speech_home, tmp_path_factory.mktemp("heard"), "speech.heard")


@pytest.fixture(scope="module")
def unsaid(speech_home, tmp_path_factory):
    return audited(speech_home, tmp_path_factory.mktemp("unsaid"), "speech.unsaid")


def by_clip(table, knowledge):
    """The rows of each clip and guard, of the longest attack of a kind."""
    own = table[table.knowledge == knowledge].sort_values("times")
    return own.drop_duplicates(["clip_id", "defence", "detector"], keep="last").set_index(
        ["clip_id", "defence", "detector"]
    )


@pytest.mark.parametrize("name", ["words", "speech"])
def test_every_guard_has_every_clip_by_all_that_attackers_know(name, request):
    table = request.getfixturevalue(name)
    assert not table.key.duplicated().any()
    counts = table[table.times == 1].groupby(["defence", "detector", "knowledge"]).clip_id.nunique().unstack()
    assert list(counts.columns) == sorted(KNOWN) and (counts == table.clip_id.nunique()).all(axis=None)
    assert len(counts) == {"words": 2, "speech": 4}[name]
    assert (table.refused == (table.score < table.threshold)).all()
    benign = table.knowledge == "benign"
    assert (table.right[benign] == (~table.met & ~table.refused)[benign]).all()
    assert (table.right[~benign] == (~table.met | table.refused)[~benign]).all()
    assert table.score.notna().eq(table.detector != "").all()


@pytest.mark.parametrize("name", ["words", "speech"])
def test_knowing_more_is_never_worth_less_and_what_fails_is_tried_longer(name, request):
    table = request.getfixturevalue(name)
    unaware, aware = (by_clip(table, knowledge) for knowledge in ("unaware", "aware"))
    assert (aware.right <= unaware.right.reindex(aware.index)).all()
    again = table[table.times == 2]
    assert (again.knowledge == "aware").all() and (len(again) > 0 or name == "words")
    once = table[(table.times == 1) & (table.knowledge == "aware")]
    if name == "speech":
        steps = DIRECT["iterations"]
        assert (once.backwards == steps).all() and (again.backwards == 2 * steps).all()
    assert set(once.key[once.right == 1]) <= {f"{key[:-1]}1" for key in again.key}


def test_without_a_phrase_anything_but_what_is_said_is_wanted_whatever_is_heard_of_a_clip(unsaid):
    assert unsaid.clip_id.nunique() == 3 and (unsaid.target == "").all() and (unsaid.text != "").all()
    assert (unsaid.met == (unsaid.decision != unsaid.text)).all()
    assert (unsaid.right == ~unsaid.met).all()
    attacked = unsaid[unsaid.knowledge.isin(["unaware", "aware"])]
    assert (attacked.reached.abs() < 0.1).all() and (attacked.backwards == 3 * attacked.times).all()


def test_a_detector_of_flicker_is_passed_by_who_knows_of_it_alone(words):
    own = words[words.detector == "frame_difference"].groupby("knowledge").agg({"refused": "mean", "right": "mean"})
    assert own.refused["unaware"] >= 0.5 and own.right["aware"] < own.right["unaware"]
    assert own.refused["none"] >= 0.5  # so what it tells is no attack


def test_controls_are_as_loud_as_the_attack(words):
    unaware, shuffled = (by_clip(words, knowledge).reached for knowledge in ("unaware", "none"))
    pd.testing.assert_series_equal(shuffled.reindex(unaware.index), unaware, atol=0.3, check_names=False)


@pytest.mark.parametrize("name", ["words", "speech"])
def test_what_attackers_make_of_one_clip_is_kept_and_what_is_heard_behind_a_treatment(name, request):
    table = request.getfixturevalue(name)
    kept = table[table.arrays.map(bool)]
    assert kept.clip_id.nunique() == 1 and set(kept.knowledge) == {"unaware", "aware"}
    guards = (table.defence + table.detector).nunique()
    assert len(kept[kept.times == 1]) == 2 * guards
    for row in kept.itertuples():
        expected = {"audio"} | ({"video"} if name == "words" else set()) | ({"heard"} if not row.detector else set())
        assert row.arrays.keys() == expected and row.arrays["audio"].dtype == "i2"
        if row.defence == "none" and not row.detector:
            assert (row.arrays["heard"] == row.arrays["audio"]).all()


def test_a_placebo_gives_the_rows_of_who_does_not_know_of_it(speech):
    none = speech[(speech.defence == "none") & (speech.detector == "") & (speech.times == 1)]
    unaware, aware = (none[none.knowledge == one].set_index("clip_id") for one in ("unaware", "aware"))
    assert (unaware.decision == aware.decision.reindex(unaware.index)).all()
    assert (unaware.reached == aware.reached.reindex(unaware.index)).all()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"network": "dense"}, "expected the network 'dense'; found 'lip_reader'"),
        ({"detectors": ["flicker"]}, "detectors.flicker"),
        ({"unaware": "joint.iterativ"}, "did you mean 'iterative'"),
        ({"aware": "joint.iterative"}, "an attack that goes on from a `start`; found 'basic_iterative'"),
        ({"detectors": ["synchrony"], "treatments": ["synchrony"]}, "guards of different names"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_runs(faces_home, tmp_path, monkeypatch, changes, told):
    with pytest.raises(UserError, match=told):
        opened(faces_home, tmp_path, monkeypatch, changes)


def opened(home, folder, monkeypatch, changes):
    """The changed entry of words, in a folder that has what the home has."""
    values = yaml.safe_load((home / "params.yaml").read_text())
    changed = AUDIT["guarded"]["audiovisual"]["words"] | changes
    values["audit"] = AUDIT | {"guarded": {"audiovisual": {"words": changed}}}
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    for name in ("data", "models"):
        (folder / name).symlink_to(home / name)
    monkeypatch.chdir(folder)
    return guarded.opened("audit", "audiovisual.words", "cpu")


def test_of_clips_that_are_looked_at_and_not_attacked_none_is_held(faces_home, tmp_path, monkeypatch):
    task = opened(faces_home, tmp_path, monkeypatch, {})
    guarded._attacked.cache_clear()
    plan = guarded.planned(task)
    guarded._guard(task, "frame_difference")
    assert plan.clip_id.nunique() > 1 and guarded._attacked.cache_info().currsize == 0
