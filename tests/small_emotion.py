"""A small study of images of sound: two labels of tones, a network in three variants, two attacks."""

from pathlib import Path

import numpy as np
import pandas as pd
import tones
import yaml

IMAGES = {"window_length": 256, "hop_length": 256, "mels": 16, "lowest_hz": 20.0, "frames": 20, "fit": "tile"}
VARIANTS = ("single", "vanilla", "noise")
EMOTION = {
    "features": {
        "log_mel": {"feature": "log_mel_image", "longer_clips": "error", "batch_size": 8, "parameters": IMAGES}
    },
    "recipes": {
        "adversarial": {
            "seed": 1,
            "iterations": 30,
            "batch_size": 8,
            "learning_rate": 0.01,
            "decay": 0.9,
            "decay_every_iterations": 10,
            "standardise": "per_bin",
            "adversarial_from": 10,
            "epsilons": [0.1, 0.5],
            "eta": None,
            "alpha": 0.5,
            "beta": 0.4,
            "gamma": 0.4,
            "compared": "logits",
            "noise_snr_db": 20.0,
            "noise_deviation": 0.1,
        }
    },
    "victims": {
        "cnn4": {
            "inputs": "log_mel",
            "beside": "audio",
            "network": "cnn4",
            "parameters": {"width": 0.0625, "layers": 2},
            "method": "adversarial",
            "recipe": "adversarial",
        }
    },
    "variants": {name: {"regime": name} for name in VARIANTS},
    "plans": {
        "judged": {
            "plan": "judged",
            "clips_per_label": None,
            "kept_clips_per_label": 2,
            "epsilons": [0.1, 0.5],
            "batch_size": 128,
        }
    },
    "attacks": {
        "fgsm": {"attack": "fgsm", "parameters": {"eta": None}},
        "bim": {"attack": "bim", "parameters": {"steps": 3, "relative_step": 0.5, "random_starts": 1}},
    },
    "attacked": {
        "cnn4": {
            "victims": [f"cnn4/{name}" for name in VARIANTS],
            "network": "cnn4",
            "inputs": "log_mel",
            "attacks": ["fgsm", "bim"],
            "plan": "judged",
        }
    },
    "treatments": {"through_sound": {"treatment": "griffin_lim", "parameters": {"iterations": 8}}},
    "scored": {"inverted": {"sets": ["adversarial/cnn4"], "treatments": ["through_sound"], "batch_size": 256}},
}


def write_audio(folder: Path, longest_s: float = 0.3) -> None:
    """A set of tones in noise, low and high, close enough that attacks have something to do."""
    rng = np.random.default_rng(0)
    splits = ["train"] * 24 + ["validation"] * 8 + ["test"] * 12
    rows = [(f"c{n:02d}", ("high", "low")[n % 2], split, f"s{split}") for n, split in enumerate(splits)]
    table = pd.DataFrame(rows, columns=["key", "label", "split", "speaker"]).assign(problem="", text="", fold="")
    table = table.assign(clip_id=table.key, duration_s=rng.uniform(0.15, longest_s, len(table)).round(3))

    pitches_hz = {"low": 900, "high": 1300}
    tones.write(table, folder / "data/emotion/audio", rng, pitches_hz=pitches_hz, spread=0.15, noise=0.05)


def make(folder: Path) -> None:
    """Runs the verbs, in `folder` as the current one: images, three variants of the network, and the attacks."""
    from stages import attack, featurise, train

    Path("params.yaml").write_text(yaml.safe_dump({"emotion": EMOTION}, sort_keys=False))
    write_audio(folder)
    featurise.main("emotion", "log_mel")
    for variant in VARIANTS:
        train.main("emotion", "cnn4", variant)
    attack.main("emotion", "cnn4")
