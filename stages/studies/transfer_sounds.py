"""Room of studies: which clips of the transfer study can be heard."""

import math

from stages.frame import shards
from stages.frame.errors import UserError
from stages.studies.sound import Clip, Sound


def clip(model: str) -> Clip:
    """A clip before and after PGD at the largest epsilon on one model, and the difference.

    It is the most confident of those that the attack fooled (of all, where none was).

    Raises:
        UserError: no clip of this model was kept.
    """
    kept = shards.ShardSet("data/transfer/sweeps/speech_heads")
    table = kept.table[kept.table.kept & (kept.table.variant == model)]
    attacked = table[(table.attack == "bim") & (table.clean_prediction == table.label)]
    if attacked.empty:
        what = {"expected": "a model of sweep_items with kept clips", "found": model}
        raise UserError(
            "params.yaml: listening.transfer", **what, do="correct it, or raise sweeps.transfer.kept_clips_per_label"
        )
    attacked = attacked[attacked.epsilon == attacked.epsilon.max()]
    own = attacked.sort_values(["success", "clean_confidence"], ascending=False).iloc[0]
    clips = shards.ShardSet("data/transfer/audio")
    clean = clips.load(own.clip_id)["audio"]
    adversarial = kept.load(own.key)["audio"]
    snr = "no noise at all" if math.isinf(own.snr_db_audio) else f"{own.snr_db_audio:.1f} dB SNR"
    return Clip(
        own.clip_id,
        own.label,
        "",
        f"PGD at {own.epsilon:g} on the model {model}, {snr}",
        clips.about["signal"]["sample_rate_hz"],
        [
            Sound("original", clean, own.clean_prediction, own.clean_confidence),
            Sound("adversarial", adversarial, own.adversarial_prediction, own.confidence),
            Sound("difference", adversarial - clean, is_difference=True),
        ],
    )
