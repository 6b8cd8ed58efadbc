"""An audit hashes what it reads at most twice, however many defences, guards and models have it in common."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from test_shared_work import hashed

from stages import audit

ROOMS = ("hall", "cell")
TREATMENTS = {one: {"treatment": "reverb", "parameters": {"impulse_response": f"{one}.wav"}} for one in ROOMS}
SMALL = {"snr_db": 10.0, "steps": 1, "relative_step": 0.5}
AUDIT = {
    "attacks": {
        "step": {
            "attack": "pgd_l2",
            "knowledge": ["unaware", "aware"],
            "access": "gradient",
            "parameters": {"steps": 1, "relative_step": 0.4, "confidence": 0.0},
        },
        "descent": {"attack": "pgd_snr", "parameters": SMALL},
    },
    "treatments": TREATMENTS,
    "detectors": {
        f"part_{number}": {
            "detector": "temporal_dependency",
            "model": "heard",
            "parameters": {"part": number / 10, "measure": "words"},
        }
        for number in (3, 5)
    },
    "grids": {
        "sounds": {
            "attacks": ["step"],
            "budgets": [20.0],
            "budget_in": "snr_db",
            "unlimited": -10.0,
            "clips_per_label": 1,
            "batch_size": 1,
            "treatments": list(ROOMS),
        }
    },
    "classifiers": {
        "transfer": {
            "heads": {
                "victims": ["heads/mean-Session0", "heads/mlp-Session0"],
                "network": "speech_heads",
                "grid": "sounds",
                "beside": "heard",
                "front_end": "wav2vec",
            }
        }
    },
    "guarded": {
        "speech": {
            "heard": {
                "victim": "heard",
                "network": "deepspeech",
                "inputs": "audio",
                "unaware": "descent",
                "aware": "descent",
                "clips": 1,
                "batch_size": 1,
                "treatments": [*ROOMS, "cleaned", "cleaned_hardened"],
                "detectors": ["part_3", "part_5"],
            }
        }
    },
}


@pytest.mark.parametrize(
    ("home", "entry"), [("transfer", "classifiers.transfer.heads"), ("speech", "guarded.speech.heard")]
)
def test_inputs_are_hashed_at_most_twice(home, entry, request, tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(request.getfixturevalue(f"{home}_home"), tmp_path / "home"))
    monkeypatch.setenv("KEPT_GB", "0")
    monkeypatch.setenv("DEVICE", "cpu")
    Path("params.yaml").write_text(yaml.safe_dump(yaml.safe_load(Path("params.yaml").read_text()) | {"audit": AUDIT}))
    for number, room in enumerate(ROOMS):
        soundfile.write(f"{room}.wav", np.eye(1, 200, 30 * number)[0], 16000, subtype="FLOAT")
    with hashed() as times:
        audit.main("audit", entry)
    assert {Path(name).parts[0] for name in +times} == {"data", "models", *(f"{room}.wav" for room in ROOMS)}
    assert max(times.values()) <= 2
