"""A small study of speech of tones: a recogniser and an enhancer, both hardened, attacked alone and together."""

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import yaml

from stages.frame import shards
from stages.frame.devices import Worker

RATE_HZ = 16_000
TONES_HZ = {"a": 500, "b": 1200, "n": 2500}
SENTENCES = ("ab ba", "ba an", "an ab", "ba nab", "nab an")
SPLITS = ["train"] * 10 + ["validation"] * 3 + ["test"] * 4
TARGETS = ["an ba", "ba"]
RECOGNISER = {
    "coefficients": 13,
    "window_s": 0.025,
    "hop_s": 0.02,
    "context": 1,
    "hidden_units": [16, 16, 16],
    "lstm_units": 12,
    "last_units": 16,
    "dropout": 0.0,
}
RECIPE = {
    "seed": 1,
    "epochs": 12,
    "batch_size": 4,
    "learning_rate": 0.01,
    "shortest_first_epochs": 0,
    "speed": 0.05,
    "noise_snr_db": None,
    "adversarial": None,
    "beam_width": None,
    "n_gram": None,
}
ENHANCEMENT = {
    "seed": 1,
    "iterations": 4,
    "iterations_per_round": 2,
    "batch_size": 4,
    "learning_rate": 0.001,
    "crop_s": 0.5,
    "adversarial": None,
}
EQUATION_6 = {"alpha": 0.34, "snr_db": [10.0, 20.0]}
PLAYED = {"checked_every": 2, "band_hz": None, "noise_snr_db": 30.0, "checked_rooms": 2, "needed": 0.5}
LOUD = {"snr_db": 0.0, "iterations": 4, "relative_step": 0.3, "shrink": None, "rooms_per_step": 1} | PLAYED
ATTACKED = {"network": "deepspeech", "attacks": ["all.loud", "all.noise", "all.spoken"], "plan": "phrases"}
SPEECH = {
    "mixtures": {"noisy": {"levels_db": [10.0, 0.0], "mixtures_per_clip": {"train": 1, "validation": 1, "test": 1}}},
    "playback": {"impulse_responses": "rooms", "noise_snr_db": 30.0, "spoken_phrases": "phrases"},
    "recipes": {
        "recogniser": RECIPE,
        "recogniser_hardening": RECIPE | {"epochs": 1, "adversarial": EQUATION_6},
        "enhancement": ENHANCEMENT,
        "enhancement_hardening": ENHANCEMENT
        | {"adversarial": EQUATION_6 | {"gradient_of": "recogniser", "inputs": "both"}},
    },
    "victims": {
        "heard": {
            "inputs": "audio",
            "network": "deepspeech",
            "parameters": RECOGNISER,
            "method": "speech_recognition",
            "recipe": "recogniser",
        },
        "cleaned": {
            "inputs": "noisy",
            "network": "wave_u_net",
            "parameters": {"layers": 2, "filters": 4, "down_kernel": 15, "up_kernel": 5, "fold": 1},
            "method": "enhancement",
            "recipe": "enhancement",
        },
        "heard_hardened": {
            "inputs": "audio",
            "network": "deepspeech",
            "starts_from": "heard",
            "against": "heard",
            "method": "speech_recognition",
            "recipe": "recogniser_hardening",
        },
        "cleaned_hardened": {
            "inputs": "noisy",
            "network": "wave_u_net",
            "starts_from": "cleaned",
            "against": "heard",
            "method": "enhancement",
            "recipe": "enhancement_hardening",
        },
    },
    "plans": {"phrases": {"plan": "phrases", "targets": TARGETS, "batch_size": 3}},
    "attacks": {
        "all": {
            "loud": {"attack": "over_the_air", "clips": 2, "parameters": LOUD},
            "noise": {"attack": "noise", "parameters": {"snr_db": 10.0, "band_hz": None}},
            "spoken": {
                "attack": "spoken",
                "clips": 2,
                "parameters": {"snr_db": -20.0, "quietest_db": 20.0, "step_db": 10.0},
            },
        }
    },
    "attacked": {
        "plain": ATTACKED | {"victims": ["heard"]},
        "hardened": ATTACKED | {"victims": ["heard_hardened"]},
        "through": ATTACKED | {"victims": ["heard"], "through": "cleaned_hardened"},
    },
    "treatments": {
        "none": {"treatment": "none"},
        "cleaned": {"treatment": "enhancer", "model": "cleaned"},
        "cleaned_hardened": {"treatment": "enhancer", "model": "cleaned_hardened"},
    },
    "scored": {
        "mixtures": {
            "sets": ["noisy"],
            "mixtures": 3,
            "treatments": ["none", "cleaned", "cleaned_hardened"],
            "heard_by": ["heard", "heard_hardened"],
            "quality": True,
            "plays": 0,
            "batch_size": 4,
        },
        "attacked": {
            "sets": ["adversarial/plain", "adversarial/hardened"],
            "attacks": ["loud"],
            "treatments": ["none", "cleaned"],
            "heard_by": ["heard", "heard_hardened"],
            "quality": True,
            "plays": 2,
            "batch_size": 4,
        },
    },
}


def spoken_clip(text: str, rng: np.random.Generator) -> np.ndarray:
    """A tone for each letter, silence for each space."""
    parts = [_tone(TONES_HZ.get(letter, 0), 0.12 + 0.04 * rng.random()) for letter in text]
    return (np.concatenate(parts) + 1e-3 * rng.standard_normal(sum(map(len, parts)))).astype("f4")


def make(folder: Path) -> None:
    """Runs the verbs, in `folder` as the current one: mixtures, all models, and the attacks on the recognisers."""
    from stages import attack, mix, train

    Path("params.yaml").write_text(yaml.safe_dump({"speech": SPEECH}, sort_keys=False))
    _write_audio(folder / "data/speech/audio")
    (folder / "rooms").mkdir()
    for number in range(6):
        response = np.zeros(400)
        response[[0, 30 + 40 * number]] = 1, 0.3
        soundfile.write(folder / "rooms" / f"{number}.wav", response, RATE_HZ, subtype="FLOAT")
    (folder / "phrases").mkdir()
    for target in TARGETS:
        phrase = spoken_clip(target, np.random.default_rng(7))
        soundfile.write(folder / "phrases" / f"{target.replace(' ', '-')}.wav", phrase, RATE_HZ, subtype="PCM_16")
    mix.main("speech", "noisy")
    for name in SPEECH["victims"]:
        train.main("speech", name)
    for name in SPEECH["attacked"]:
        attack.main("speech", name)


def _tone(hz: float, seconds: float) -> np.ndarray:
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return 0.2 * np.sin(2 * np.pi * hz * times) * np.hanning(len(times))


def _write_audio(folder: Path) -> None:
    rows, arrays = [], {}
    for number, split in enumerate(SPLITS):
        rng = np.random.default_rng(number)
        text = SENTENCES[number % len(SENTENCES)]
        rows.append({"key": f"clip-{number}", "text": text, "speaker": f"{split}-{number % 2}", "split": split})
        arrays[f"clip-{number}"] = spoken_clip(text, rng)
    for kind, split in (("hiss", "train"), ("wind", "test")):
        rng = np.random.default_rng(99)
        rows.append({"key": kind, "text": "", "speaker": kind, "split": split})
        arrays[kind] = (0.1 * rng.standard_normal(2 * RATE_HZ)).astype("f4")
    table = pd.DataFrame(rows)
    seconds = [len(arrays[key]) / RATE_HZ for key in table.key]
    table = table.assign(clip_id=table.key, label="", duration_s=seconds, problem="", fold="")
    shards.write_set(
        table,
        folder,
        lambda rows: (rows, [{"audio": arrays[key]} for key in rows.key]),
        inputs=[],
        settings=[],
        worker=Worker(),
        description="made up",
        about={
            "signal": {"sample_rate_hz": RATE_HZ},
            "bounds": {"audio": [-1.0, 1 - 2**-15]},
            "quantum": {"audio": 2**-15},
        },
    )
