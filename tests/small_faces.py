"""A small study of sound and pictures: words and sentences of tones, three lip readers, attacked; and a SyncNet."""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from stages.frame import shards
from stages.frame.devices import Worker

CROP = 18
SPLITS = ["train"] * 12 + ["validation"] * 4 + ["test"] * 6
FRAMES = (16, 18, 17, 19)
TONES_HZ = {"a": 500, "b": 1200, "n": 2500}
SENTENCES = ("ab ba", "ba an", "an ab", "ba nab", "nab an")
TARGETS = ("an ba", "ba an")
EPSILONS = ({"audio": 256, "video": 4}, {"audio": 1024, "video": 8})
UNIT = {"audio": 2**-15, "video": 1.0}
# How the epsilons of each set are told in its table.
TOLD = {"words": ("256/4", "1024/8"), "sentences": ("1024/8",)}
VICTIMS = {"words": ("first", "second"), "sentences": ("third",)}
DETECTORS = ("synchrony", "frame_difference", "quietest_moment")
NETWORK = {
    "side": 16,
    "stem": 4,
    "widths": [8],
    "blocks": [1],
    "video_features": 8,
    "audio_channels": [12, 12, 12, 12, 16],
    "units": 12,
    "layers": 1,
    "steps_per_frame": 2,
    "dropout": 0.1,
}
READER = {"network": "lip_reader", "method": "lip_reading", "recipe": "reading"}
WORDS = READER | {"inputs": "words", "parameters": NETWORK | {"decides": "label"}}
PLAN = {"plan": "judged", "clips_per_label": None, "kept_clips_per_label": None, "unit": UNIT, "batch_size": 8}
TRANSCRIPTION = {"iterations": 12, "relative_step": 0.3, "shrink": 0.8, "checked_every": 4}
FACES = {
    "recipes": {
        "reading": {
            "seed": 1,
            "epochs": 5,
            "batch_size": 4,
            "learning_rate": 0.02,
            "label_smoothing": 0.05,
            "ctc_from_epoch": 3,
            "shifted_frames": 1,
            "noise": {"audio_levels": 64.0, "video_levels": 2.0, "share": 0.5},
            "sounds": {"lowest_snr_db": 10.0, "highest_snr_db": 20.0, "share": 0.5},
            "beam_width": None,
            "grammar": None,
        },
        "synchrony": {
            "seed": 1,
            "epochs": 1,
            "batch_size": 4,
            "learning_rate": 0.005,
            "loss": "multiway",
            "margin": 1.0,
            "noise": None,
        },
    },
    "victims": {
        "first": WORDS,
        "second": WORDS | {"training": {"seed": 2, "epochs": 1}},
        "third": READER
        | {
            "inputs": "sentences",
            "parameters": NETWORK | {"decides": "text"},
            "training": {"epochs": 16, "ctc_from_epoch": 8},
        },
        "synchrony": {
            "inputs": "sentences",
            "network": "syncnet_mouth",
            "parameters": {"side": 16, "width": 0.25, "dimensions": 8},
            "method": "synchronisation",
            "recipe": "synchrony",
        },
    },
    "plans": {
        "words": PLAN | {"epsilons": list(EPSILONS)},
        "sentences": PLAN | {"epsilons": [EPSILONS[1]], "targets": list(TARGETS)},
    },
    "attacks": {
        "fgsm": {"attack": "fgsm", "parameters": {"eta": None}},
        "basic_iterative": {
            "attack": "basic_iterative",
            "parameters": {"step": {"audio": 64, "video": 1}, "counted_on": "video"},
        },
        "partial": {"attack": "targeted_transcription", "parameters": TRANSCRIPTION | {"tolerated_wer": 0.6}},
        "full": {"attack": "targeted_transcription", "parameters": TRANSCRIPTION | {"tolerated_wer": 0.0}},
    },
    "attacked": {
        "words": {
            "victims": list(VICTIMS["words"]),
            "network": "lip_reader",
            "inputs": "words",
            "attacks": ["fgsm", "basic_iterative"],
            "plan": "words",
        },
        "sentences": {
            "victims": list(VICTIMS["sentences"]),
            "network": "lip_reader",
            "inputs": "sentences",
            "attacks": ["partial", "full"],
            "plan": "sentences",
        },
    },
    "detectors": {
        "synchrony": {
            "detector": "lip_sync",
            "model": "synchrony",
            "parameters": {"shifts": 3, "pairs": "padded"},
        },
        "frame_difference": {"detector": "frame_difference"},
        "quietest_moment": {"detector": "quietest_moment"},
    },
    "detected": {
        name: {
            "set": f"adversarial/{name}",
            "clips": name,
            "victims": list(victims),
            "detectors": list(DETECTORS),
            "batch_size": 8,
        }
        for name, victims in VICTIMS.items()
    },
    "listening": list(VICTIMS),
}


def write_faces(folder: Path, name: str) -> None:
    """Words or sentences whose characters are tones, with pictures as bright as the sound is high; in whole numbers."""
    names = "ab" if name == "words" else SENTENCES
    count = len(SPLITS)
    texts = [names[number % len(names)] for number in range(count)]
    table = pd.DataFrame({"clip_id": [f"c{number:02d}" for number in range(count)], "text": texts, "split": SPLITS})
    table = table.assign(key=table.clip_id, label=texts if name == "words" else "", problem="", fold="")
    table = table.assign(speaker=[f"s{number % 3}" for number in range(count)])
    table["duration_s"] = [FRAMES[number % 4] / 25 for number in range(count)]
    table["word_times"] = [
        "; ".join(f"{word} {n * 0.32} {(n + 1) * 0.32}" for n, word in enumerate(text.split())) for text in texts
    ]

    def compute(part):
        made = []
        for row in part.itertuples():
            rng = np.random.default_rng(row.Index)
            frames = round(25 * row.duration_s)
            audio, level = 0.02 * rng.standard_normal(640 * frames), np.zeros(frames)
            for place, word in enumerate(row.text.split()):
                edges = np.linspace(8 * place, 8 * (place + 1), len(word) + 2).round().astype(int)
                for character, first, last in zip(word, edges, edges[1:]):
                    time = np.arange(640 * (last - first)) / 16000
                    audio[640 * first : 640 * last] += 0.1 * np.sin(2 * np.pi * TONES_HZ[character] * time)
                    level[first:last] = TONES_HZ[character] / 50
            video = 90 + level[:, None, None] + rng.integers(-20, 20, (frames, CROP, CROP))
            made.append({"video": video.astype("u1"), "audio": (np.rint(audio * 2**15) / 2**15).astype("f")})
        return part, made

    about = {
        "signal": {"sample_rate_hz": 16000, "frames_per_s": 25, "crop": CROP},
        "bounds": {"audio": [-1.0, 1 - 2**-15], "video": [0.0, 255.0]},
        "quantum": UNIT,
    }
    shards.write_set(
        table,
        folder / "data/audiovisual" / name,
        compute,
        inputs=[],
        settings=name,
        worker=Worker(),
        description="t",
        about=about,
    )


def make(folder: Path) -> None:
    """Runs the verbs, in `folder` as the current one: all models are trained, both sets attacked."""
    from stages import attack, train

    Path("params.yaml").write_text(yaml.safe_dump({"audiovisual": FACES}, sort_keys=False))
    for name in VICTIMS:
        write_faces(folder, name)
    for name in FACES["victims"]:
        train.main("audiovisual", name)
    for name in VICTIMS:
        attack.main("audiovisual", name)


class Faces:
    """What lies in the folders of one set: its clips, and what the attacks made of them."""

    def __init__(self, folder: Path, name: str):
        self.folder, self.name, self.data = folder, name, folder / "data/audiovisual"
        self.clips, self.adversarial = (shards.ShardSet(self.data / part) for part in (name, f"adversarial/{name}"))
        self.rows = self.adversarial.table
        self.attacked = self.rows[self.rows.attack != "none"]

    def made(self, key: str) -> dict[str, np.ndarray]:
        """What the attack made of a clip, in the form of the clips."""
        arrays = self.adversarial.load(key)
        return {"video": arrays["video"], "audio": arrays["audio"].astype("f") / 2**15}

    def delta(self, key: str) -> dict[str, np.ndarray]:
        """What the attack added, in whole numbers of the files' scale."""
        made, clean = self.adversarial.load(key), self.clips.load(key.split("/")[0])
        return {
            "video": made["video"].astype(int) - clean["video"],
            "audio": made["audio"] - np.rint(clean["audio"] * 2**15).astype(int),
        }


def batch(*clips: dict[str, np.ndarray]) -> dict:
    """The clips as a victim takes them."""
    from stages.victim import padded_batch

    return {
        key: value
        for name in ("video", "audio")
        for key, value in padded_batch([clip[name] for clip in clips], "cpu", name).items()
    }
