"""A small study of learned features: tones, a front end of random weights, heads of sound and of sound and text, which
are attacked through it.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import tones
import yaml

from stages.frame import shards
from stages.frame.devices import Worker

SHAPE = {"encoder": [[8, 10, 5], [8, 8, 4], [8, 4, 4]], "context": [[8, 3]], "skip": True, "log_compression": False}
HEAD = {"dropout": 0.0, "hidden_units": [8]}
ATTACKED = {"network": "speech_heads", "inputs": "audio", "front_end": "wav2vec", "plan": "judged"}
TRANSFER = {
    "features": {
        "heard": {"feature": "wav2vec", "model": "wav2vec", "batch_size": 5, "parameters": {"longest_s": 0.25}}
    },
    "recipes": {
        "cross_validation": {
            "seed": 1,
            "iterations": 60,
            "batch_size": 8,
            "learning_rate": 0.03,
            "draws": 1,
            "few": None,
            "curve": [],
            "curve_of": [],
            "shuffled_texts_of": [],
        }
    },
    "victims": {
        "heads": {
            "inputs": "heard",
            "beside": "audio",
            "network": "speech_heads",
            "parameters": HEAD,
            "method": "cross_validation",
            "recipe": "cross_validation",
            "training": {"models": {"mean": {"head": "mean"}, "mlp": {"head": "mlp"}}},
        },
        "bimodal": {
            "inputs": "heard",
            "beside": "texts",
            "network": "speech_heads",
            "parameters": {"head": "aligned", "dropout": 0.1, "units": 4, "attention_heads": 2},
            "method": "cross_validation",
            "recipe": "cross_validation",
            "training": {"iterations": 10, "models": {"both": {"modalities": "both"}, "text": {"modalities": "text"}}},
        },
    },
    "plans": {
        "judged": {
            "plan": "judged",
            "clips_per_label": 2,
            "kept_clips_per_label": 1,
            "epsilons": [0.001, 0.02],
            "batch_size": 7,
        }
    },
    "attacks": {
        "fgsm": {"attack": "fgsm", "parameters": {"eta": None}},
        "bim": {"attack": "bim", "parameters": {"steps": 3, "relative_step": 0.5, "random_starts": 1}},
    },
    "attacked": {
        "speech_heads": ATTACKED | {"victims": ["heads"], "beside": "heard", "attacks": ["fgsm", "bim"]},
        "bimodal": ATTACKED | {"victims": ["bimodal"], "beside": "texts", "attacks": ["fgsm"]},
    },
}


def write_audio(folder: Path, shortest_s: float = 0.15) -> None:
    """Tones in noise, low and high, of three sessions of two speakers; one clip can't be read."""
    rng = np.random.default_rng(0)
    rows = [(f"c{n:02d}", ("high", "low")[n % 2], n % 3) for n in range(36)]
    table = pd.DataFrame(rows, columns=["key", "label", "part"])
    table = table.assign(clip_id=table.key, text="", problem="", duration_s=rng.uniform(shortest_s, 0.35, 36).round(3))
    table["fold"], table["split"] = (
        table.part.map("Session{}".format),
        table.part.map(["train", "validation", "test"].__getitem__),
    )
    table["speaker"] = table.fold + (np.arange(36) // 18).astype(str)
    table.loc[7, "problem"] = "c07.wav: expected a readable file"

    pitches_hz = {"low": 700, "high": 1500}
    place = folder / "data/transfer/audio"
    tones.write(table.drop(columns="part"), place, rng, pitches_hz=pitches_hz, spread=0.1, noise=0.03)


def _write_texts(folder: Path) -> None:
    """Pieces of the clips' texts, of three features of which one tells the label."""

    def compute(part):
        arrays = []
        for row in part.itertuples():
            pieces = np.random.default_rng(row.Index).standard_normal((3 + row.Index % 3, 3))
            pieces[:, 1] += 2 * (row.label == "high")
            arrays.append({} if row.problem else {"text": pieces.astype("f")})
        return part, arrays

    given = {"inputs": [], "settings": "texts", "worker": Worker(), "description": "t"}
    about = {"signal": {"features": 3}, "bounds": {"text": None}}
    table = shards.ShardSet(folder / "data/transfer/audio").table.drop(columns="shard")
    shards.write_set(table, folder / "data/transfer/texts", compute, about=about, **given)


def write_model(folder: Path) -> None:
    """A wav2vec of random weights, as pretraining would leave it."""
    import torch
    from safetensors.torch import save_file

    from stages.networks import wav2vec

    torch.manual_seed(0)
    folder.mkdir(parents=True)
    save_file(wav2vec.build(**SHAPE).state_dict(), folder / "weights.safetensors")
    config = {"network": "wav2vec", "parameters": SHAPE, "sample_rate_hz": 16000}
    (folder / "config.json").write_text(json.dumps(config))


def make(folder: Path) -> None:
    """Runs the verbs, in `folder` as the current one: features, heads, and the attacks on them."""
    from stages import attack, featurise, train

    Path("params.yaml").write_text(yaml.safe_dump({"transfer": TRANSFER}, sort_keys=False))
    write_model(folder / "models/transfer/pretrained/wav2vec")
    write_audio(folder)
    _write_texts(folder)
    featurise.main("transfer", "heard")
    for name in TRANSFER["victims"]:
        train.main("transfer", name)
    for name in TRANSFER["attacked"]:
        attack.main("transfer", name)
