"""A small study of sounds: clips, and the tables of one victim and one adversarial set, made up and not computed."""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from stages.frame import shards
from stages.frame.devices import Worker

EVENTS = {
    "corpora": {"audio": {"reader": "fsdkaggle2018", "root": "data/embedded/sounds"}},
    "victims": {"vgg13": {}},
    "own": {"victims": {}, "finished": {}, "attacked": {}},
    "attacked": {"vgg13-deepfool": {"attacks": ["deepfool"]}},
    "treatments": {"none": {}, "noise_20dB": {}},
    "listening": ["vgg13-deepfool"],
}
SAMPLE_RATE_HZ = 32000


def make() -> None:
    """Writes params.yaml and what the study's report reads below the working directory.

    Of three clips the attack failed on the first; the others fool, and go on to do so under two treatments. A fourth is
    not readable.
    """
    clips = pd.DataFrame({"clip_id": ["c1", "c2", "c3"], "label": "Flute", "split": "test"})
    clips = clips.assign(key=clips.clip_id, file=clips.clip_id + ".wav", problem="", duration_s=0.05)
    known = {"victim": "vgg13", "attack": "deepfool", "target": "", "clean_prediction": "Flute"}
    known |= {"clean_confidence": 0.9, "adversarial_prediction": "Gong", "confidence": 0.5, "snr_db": 40.0}
    known |= {"relative_loudness_db": -30.0, "l2_audio": 0.1, "forwards": 10, "backwards": 5}
    known |= {"found": True, "zero_gradient": False}
    attacked = clips.assign(key=clips.clip_id + "/vgg13", success=[False, True, True], **known)
    heard = [
        row | {"key": f"{row['key']}/{name}", "source": row["key"], "treatment": name, "sound": f"{row['key']}/{name}"}
        for row in attacked.to_dict("records")
        for name in ("none", "noise_20dB")
    ]
    heard = pd.DataFrame(heard).rename(columns={"snr_db": "attacked_at_db"})
    heard = heard.assign(decision="Gong", decision_confidence=0.4, outcome="Adv")
    unreadable = clips.head(1).assign(clip_id="c4", key="c4", file="c4.wav", problem="no audio")
    _write("audio", pd.concat([clips, unreadable]), np.float32(0.25))
    _write("adversarial/vgg13-deepfool", attacked, np.int16(8192 + 3277))
    _write("scores/vgg13-deepfool", heard, np.int16(3277))
    Path("models/events/vgg13").mkdir(parents=True)
    clips.assign(decision="Flute").to_csv("models/events/vgg13/decisions.csv", index=False)
    Path("params.yaml").write_text(yaml.safe_dump({"events": EVENTS}), encoding="utf-8")


def _write(name: str, table: pd.DataFrame, level: np.generic) -> None:
    """A set whose arrays all are a tone of this level."""
    tone = (level * np.cos(np.arange(1600))).astype(level.dtype)

    def compute(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[shards.Arrays]]:
        return rows, [{"audio": tone}] * len(rows)

    about = {"signal": {"sample_rate_hz": SAMPLE_RATE_HZ}}
    shards.write_set(
        table,
        f"data/events/{name}",
        compute,
        inputs=[],
        settings=0,
        worker=Worker(),
        description="t",
        about=about,
    )
