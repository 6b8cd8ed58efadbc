"""Room of studies: which clips of the audio-visual study can be seen and heard."""

from pathlib import Path

import numpy as np
import pandas as pd

from stages.frame import parameters, shards
from stages.frame.errors import UserError
from stages.frame.pcm import from_pcm16
from stages.studies.sound import Clip, Sound

# By how much the paper's figure, and this page, multiplies what an attack added to a picture.
AMPLIFIED = 64


def clip(item: str) -> Clip:
    """A test clip before and after a sweep's last attack at its largest epsilons, and what was added, pictures x 64.

    It is the most confident of those that were right and that the attack fooled (of all fooled, or of all, where there
    is none).

    Raises:
        UserError: there is no such item, or nothing of it was kept.
    """
    items = parameters.section("sweep_items")
    if item not in items:
        what = {"expected": "names from sweep_items", "found": item}
        raise UserError("params.yaml: listening.audiovisual", **what, do="correct it")
    folder = Path("data", items[item]["study"])
    kept, clips = shards.ShardSet(folder / "sweeps" / item), shards.ShardSet(folder / items[item]["inputs"])
    attacked = kept.table[kept.table.kept & (kept.table.attack != "none") & (kept.table.split == "test")]
    if attacked.empty:
        where = f"params.yaml: sweeps.{items[item]['study']}.kept_clips_per_label"
        raise UserError(where, expected="null or 1 and more", found="no clip was kept", do="raise it")
    largest = max(attacked.epsilon, key=lambda epsilon: [float(one) for one in epsilon.split("/")][::-1])
    attacked = attacked[(attacked.epsilon == largest) & (attacked.attack == attacked.attack.iloc[-1])]
    right = attacked.clean_prediction == attacked.label.where(attacked.label != "", attacked.text)
    attacked = attacked.assign(turned=attacked.success & right)
    own = attacked.sort_values(["turned", "success", "clean_confidence"], ascending=False, kind="stable").iloc[0]
    clean, made = clips.load(own.clip_id), kept.load(own.key)
    audio = from_pcm16(made["audio"]) if made["audio"].dtype == np.int16 else made["audio"]
    video = made["video"].round().astype("u1")
    added = 128 + AMPLIFIED * (made["video"].astype("f4") - clean["video"])
    sounds = [
        Sound("benign", clean["audio"], own.clean_prediction, own.clean_confidence, video=clean["video"]),
        Sound("attacked", audio, own.adversarial_prediction, own.confidence, video=video),
        Sound("added", audio - clean["audio"], is_difference=True, video=added.clip(0, 255).astype("u1")),
    ]
    # A cell is empty where the clip is silent, and what is a number in others is text then.
    loudness = float(pd.to_numeric(own.relative_loudness_db_audio))
    strength = f"{own.attack} at {own.epsilon}, sound {loudness:.1f} dB"
    return Clip(
        own.clip_id, own.label or own.text, own.target, strength, clips.about["signal"]["sample_rate_hz"], sounds
    )
