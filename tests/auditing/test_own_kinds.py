"""A victim of one's own of each kind but sounds: audited whole, by all that stands for its study, at small size."""

import shutil
from pathlib import Path

import pytest
import yaml
from test_guarded import AUDIT, DIRECT

from stages import audit
from stages.auditing import own
from stages.frame.devices import Worker
from stages.studies.audit import tables

OF_IMAGES = {
    "attacks": {
        "image": {
            "signs": {"attack": "signs", "knowledge": ["none"], "access": "none"},
            "bim": {
                "attack": "bim",
                "knowledge": ["unaware", "aware"],
                "access": "gradient",
                "continues": True,
                "parameters": {"steps": 2, "relative_step": 0.5, "random_starts": 1},
            },
            "fmn": {
                "attack": "fmn",
                "knowledge": ["aware"],
                "access": "gradient",
                "smallest": True,
                "parameters": {"steps": 4, "relative_step": 0.5, "resize": 0.2},
            },
            "square": {
                "attack": "square",
                "knowledge": ["aware"],
                "access": "scores",
                "parameters": {"steps": 3, "share": 0.5, "confidence": 0.0},
            },
        }
    },
    "grids": {
        "images": {
            "attacks": ["image.signs", "image.bim"],
            "budgets": [0.05, 0.1],
            "budget_in": "epsilon",
            "unlimited": 5.0,
            "clips_per_label": 2,
            "batch_size": 4,
        }
    },
    "classifiers": {
        "emotion": {
            "cnn4": {
                "victims": ["cnn4/single/test"],
                "network": "cnn4",
                "grid": "images",
                "inputs": "log_mel",
                "trained": {"single": "cnn4/single/test", "vanilla": "cnn4/vanilla/test-0.1"},
            }
        }
    },
    "guarded": {},
}
# As much for few clips, and soon given up.
FEW = {"clips": 2, "calibrated_on": 3}
BRIEFLY = {"direct": {"attack": "over_the_air", "parameters": DIRECT | {"iterations": 2, "checked_every": 2}}}
GUARDED = AUDIT | {
    "attacks": {"joint": AUDIT["attacks"]["joint"] | BRIEFLY},
    "guarded": {
        study: {name: entry | {key: FEW[key] for key in FEW if key in entry} for name, entry in entries.items()}
        for study, entries in AUDIT["guarded"].items()
    },
}
# Of each: the study, its folder, the audit, as which victim, what it takes and is, and what guards it.
KINDS = {
    "emotion": ("emotion", "emotion_home", OF_IMAGES, "cnn4", "log_mel", "cnn4", {"single", "vanilla"}),
    "phrases": (
        *("speech", "speech_home", GUARDED, "heard", "audio", "deepspeech"),
        {"half", "distribution", "none", "cleaned"},
    ),
    "words": (
        *("audiovisual", "faces_home", GUARDED, "first", "words", "lip_reader"),
        {"synchrony", "frame_difference"},
    ),
    "sentences": ("audiovisual", "faces_home", AUDIT, "third", "sentences", "lip_reader", {"synchrony"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_audited_whole_and_told_in_the_audits_tables(kind, request, tmp_path, monkeypatch):
    study, home, section, theirs, inputs, network, guards = KINDS[kind]
    shutil.copytree(request.getfixturevalue(home), tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(f"models/{study}/{theirs}", f"models/{study}/mine")
    values = yaml.safe_load(Path("params.yaml").read_text())
    values[study]["finished"] = {"mine": {"inputs": inputs, "network": network}}
    values["audit"] = section | {"classifiers": section.get("classifiers", {})}
    Path("params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    found = own.patterns("audit", study, inputs)
    made = own.section("audit", study, "mine", found, {})
    folder = tmp_path / "data/audit/own/mine"
    for part, name, task in own.opened("audit", made, "cpu"):
        audit.write(part, task, folder / part / Path(*name.split(".")), Worker())
    told = tables.tables(tables.read(made, folder))
    name, column = ("table_victims", "defence") if kind == "emotion" else ("table_guards", "guard")
    assert set(told[name].victim) == {"mine"} and set(told[name][column]) == guards
    assert (told[name].aware <= told[name].unaware).all()
    assert set(told["table_cards"].study) == {study}
