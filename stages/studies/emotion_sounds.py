"""Room of studies: which clips of the emotion study can be heard."""

import pandas as pd

from stages.frame import shards
from stages.frame.errors import UserError
from stages.frame.pcm import from_pcm16
from stages.studies.sound import Clip, Sound


def clip(network: str) -> Clip:
    """A test clip before and after FGSM at the largest epsilon, both sent through sound, by one network's model.

    It is the most confident of those that the attack fooled (of all, where none was). The original is the recording.

    Raises:
        UserError: no image of this network was kept.
    """
    inverted = shards.ShardSet("data/emotion/inverted")
    table = inverted.table[inverted.table.network == network]
    attacked = table[(table.attack == "fgsm") & (table.clean_prediction == table.label)]
    if attacked.empty:
        what = {"expected": "a network of sweep_items with kept images", "found": network}
        raise UserError(
            "params.yaml: listening.emotion", **what, do="correct it, or raise sweeps.*.kept_clips_per_label"
        )
    attacked = attacked[attacked.epsilon == attacked.epsilon.max()]
    own = attacked.sort_values(["success", "clean_confidence"], ascending=False).iloc[0]
    clean = table[(table.attack == "none") & (table.clip_id == own.clip_id)].iloc[0]
    clips = shards.ShardSet("data/emotion/audio")
    sounds = [Sound("original", clips.load(own.clip_id)["audio"])]
    sounds += [_sound("clean_image_as_sound", clean, inverted), _sound("adversarial_image_as_sound", own, inverted)]
    strength = f"FGSM at {own.epsilon:g}: {own.clean_prediction} {own.clean_confidence:.2f} to "
    strength += f"{own.adversarial_prediction} {own.confidence:.2f} before it became sound"
    return Clip(own.clip_id, own.label, "", strength, clips.about["signal"]["sample_rate_hz"], sounds)


def _sound(name: str, row: pd.Series, inverted: shards.ShardSet) -> Sound:
    waveform = from_pcm16(inverted.load(row.key)["audio"])
    return Sound(name, waveform, row.inverted_prediction, row.inverted_confidence)
