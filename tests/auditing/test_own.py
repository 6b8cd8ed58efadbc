"""A victim of one's own: as which audited one it is attacked, by what, and what is told of what does not fit."""

from pathlib import Path

import pytest
import yaml

from stages.auditing import own
from stages.frame.errors import UserError
from stages.tools import audit_own

SOUNDS = {"treatments": ["none", "low", "both"], "attacks": ["sound.pgd"], "budgets": [20.0], "budget_in": "snr_db"}
TRAINED = {"single": "first/single/test", "vanilla": "first/vanilla/test"}
VALUES = {
    "audit": {
        "attacks": {"sound": {"pgd": {}, "mine": {}}, "image": {"bim": {}}},
        "combinations": {"both": {"how": "by_chance", "treatments": ["none", "low"]}},
        "grids": {"sounds": SOUNDS, "images": {"attacks": ["image.bim"], "budgets": [0.1], "budget_in": "epsilon"}},
        "classifiers": {
            "events": {
                "deep": {"victims": ["deep"], "network": "dense", "grid": "sounds"},
                "flat": {"victims": ["flat"], "network": "dense", "grid": "sounds"},
            },
            "emotion": {
                "first": {"victims": ["first/single/test"], "network": "cnn4", "grid": "images", "trained": TRAINED}
            },
        },
        "guarded": {
            "speech": {
                "detected": {"victim": "heard", "network": "deepspeech", "inputs": "audio", "detectors": ["half"]},
                "treated": {"victim": "heard", "network": "deepspeech", "inputs": "audio", "treatments": ["cleaned"]},
                "other": {"victim": "heard_too", "network": "deepspeech", "inputs": "audio"},
            }
        },
        "detectors": {"half": {"detector": "temporal_dependency"}},
    },
    "events": {
        "victims": {
            "deep": {"inputs": "audio"},
            "flat": {"inputs": "mel"},
            "mine": {"inputs": "audio", "network": "own"},
        },
        "treatments": {
            "none": {"treatment": "none"},
            "low": {"treatment": "resample", "parameters": {"rate_hz": 8000}},
            "hall": {"treatment": "reverb", "parameters": {"impulse_response": "data/hall.wav"}},
        },
    },
    "emotion": {"victims": {"first": {"inputs": "mel"}}, "finished": {"mine": {"inputs": "mel", "network": "own"}}},
    "speech": {
        "victims": {"heard": {"inputs": "audio"}, "heard_too": {"inputs": "audio"}},
        "finished": {"theirs": {"inputs": "audio", "network": "own"}},
        "treatments": {"cleaned": {"treatment": "enhancer", "model": "dnn"}},
        "detectors": {"other": {"detector": "temporal_dependency", "model": "heard_too"}},
    },
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(VALUES, sort_keys=False))
    for name in ("events/mine", "emotion/plain", "speech/theirs"):
        Path("models", name).mkdir(parents=True)
        Path("models", name, "config.json").touch()


def test_it_is_audited_as_the_first_victim_with_its_inputs_by_all_that_the_study_has():
    found = own.patterns("audit", "events", "audio")
    assert list(found["classifiers"]) == ["deep"]
    made = own.section("audit", "events", "mine", found, {})
    assert made["classifiers"]["events"]["mine"] == {"victims": ["mine"], "network": "own", "grid": "sounds"}
    # An own treatment of the study and an own attack of the group are among them.
    assert made["grids"]["sounds"]["treatments"] == ["none", "low", "both", "hall"]
    assert made["grids"]["sounds"]["attacks"] == ["sound.pgd", "sound.mine"]
    assert own.needed("audit", "events", "mine", found, {}) == [
        "data/events/audio",
        "models/events/mine",
        "data/hall.wav",
    ]
    assert "data/hall.wav" not in own.needed("audit", "events", "mine", found, {"hall": "why"})


def test_treatments_that_do_not_fit_its_rate_are_told_alone_and_in_combinations():
    found = own.patterns("audit", "events", "audio")
    assert own.unfit("audit", "events", found, 16000) == {}
    unfit = own.unfit("audit", "events", found, 6000)
    assert unfit.keys() == {"low", "both"} and "found 8000" in unfit["low"]
    made = own.section("audit", "events", "mine", found, unfit)
    assert made["grids"]["sounds"]["treatments"] == ["none", "hall"]
    assert [one["defence"] for one in made["unfit"]] == ["low", "both"]


def test_trainings_are_those_that_it_has():
    found = own.patterns("audit", "emotion", "mel")
    for name in ("mine/single/test", "mine/noise/test"):
        Path("models/emotion", name).mkdir(parents=True)
    made = own.section("audit", "emotion", "mine", found, {})["classifiers"]["emotion"]["mine"]
    assert (made["victims"], made["trained"]) == (["mine/single/test"], {"single": "mine/single/test"})
    Path("models/emotion/mine/config.json").touch()
    # One model that is none of a family has no training to be compared with.
    Path("models/emotion/mine/single/test").rmdir()
    made = own.section("audit", "emotion", "mine", found, {})["classifiers"]["emotion"]["mine"]
    assert (made["victims"], made["trained"]) == (["mine"], {"none": "mine"})


def test_a_recogniser_has_all_guards_of_the_first_one():
    found = own.patterns("audit", "speech", "audio")
    made = own.section("audit", "speech", "theirs", found, {})["guarded"]["speech"]
    assert list(made) == ["detected", "treated"]
    assert {one["victim"] for one in made.values()} == {"theirs"} and made["detected"]["network"] == "own"
    assert own.needed("audit", "speech", "theirs", found, {}) == [
        "data/speech/audio",
        "models/speech/theirs",
        "models/speech/dnn",
    ]


def test_what_does_not_fit_is_told_before_anything_runs():
    with pytest.raises(UserError, match=r"a victim that audit audits \(audio, mel\); found 'video'"):
        own.patterns("audit", "events", "video")
    found = own.patterns("audit", "emotion", "mel")
    with pytest.raises(UserError, match="models called single/test; found none of these"):
        own.section("audit", "emotion", "mine", found, {})
    with pytest.raises(
        UserError, match=r"VICTIM: expected a victim of one study of params.yaml; found 'mine' in events, e"
    ):
        audit_own.main("mine", 1)
    with pytest.raises(UserError, match=r"VICTIM: .*; found 'nobody'; .* name one of deep, flat, mine, first, mine"):
        audit_own.main("nobody", 1)
    with pytest.raises(UserError, match="VICTIM: expected one that decides; found 'heard_too', which the detector oth"):
        audit_own.main("heard_too", 1)
