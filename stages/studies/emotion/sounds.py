"""Room of studies: which clips of the emotion study can be heard."""

from pathlib import Path

import pandas as pd

from stages.frame.columns import typed
from stages.frame.shards import ShardSet
from stages.reporting.sound import Clip, Sound, waveform


def clip(entry: str) -> Clip | None:
    """A test clip of a set of `emotion.attacked` before and after FGSM at the largest epsilon, both sent through sound.

    It is the most confident of those that were right and that the attack fooled (of all that were right, or of all,
    where there is none); None where there is no such set, or no image of it was kept. The original is the recording.
    """
    inverted, clips = (ShardSet(Path("data/emotion", name)) for name in ("scores/inverted", "audio"))
    table = inverted.table[inverted.table.set == f"adversarial/{entry}"]
    table = typed(table, ("epsilon", "clean_confidence", "confidence"), ("success",))
    attacked = table[table.attack == "fgsm"]
    if attacked.empty:
        return None
    right = attacked[attacked.clean_prediction == attacked.label]
    attacked = attacked if right.empty else right
    attacked = attacked[attacked.epsilon == attacked.epsilon.max()]
    own = attacked.sort_values(["success", "clean_confidence"], ascending=False).iloc[0]
    clean = table[(table.attack == "none") & (table.victim == own.victim) & (table.clip_id == own.clip_id)].iloc[0]
    sounds = [Sound("original", clips.load(own.clip_id)["audio"])]
    sounds += [_sound("clean_image_as_sound", clean, inverted), _sound("adversarial_image_as_sound", own, inverted)]
    strength = f"FGSM at {own.epsilon:g}: {own.clean_prediction} {own.clean_confidence:.2f} to "
    strength += f"{own.adversarial_prediction} {own.confidence:.2f} before it became sound"
    return Clip(own.clip_id, own.label, "", strength, clips.about["signal"]["sample_rate_hz"], sounds)


def _sound(name: str, row: pd.Series, inverted: ShardSet) -> Sound:
    return Sound(name, waveform(inverted.load(row.sound)["audio"]), row.decision, row.decision_confidence)
