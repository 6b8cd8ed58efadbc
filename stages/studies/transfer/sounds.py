"""Room of studies: which clips of the transfer study can be heard."""

import math
from pathlib import Path

import pandas as pd

from stages.frame import parameters
from stages.frame.shards import ShardSet
from stages.reporting.sound import Clip, before_and_after, waveform
from stages.studies.transfer.tables import with_numbers


def clip(model: str) -> Clip | None:
    """A clip before and after PGD at the largest epsilon on one model, and the difference.

    It is the most confident of those that were right and that the attack fooled (of all that were right, or of all,
    where there is none), of the first set of `transfer.attacked` that has any; None where no clip of it was kept.
    """
    for name in parameters.section("transfer.attacked"):
        kept = ShardSet(Path("data/transfer/adversarial", name))
        attacked = _attacked(kept.table, model)
        if len(attacked):
            return _clip(attacked.iloc[0], kept, model)
    return None


def _attacked(table: pd.DataFrame, model: str) -> pd.DataFrame:
    """The kept rows of a model under PGD at the largest epsilon, best first: of clips that were right, if any were."""
    rows = with_numbers(table)
    attacked = rows[rows.kept & (rows.variant == model) & (rows.attack == "bim")]
    right = attacked[attacked.clean_prediction == attacked.label]
    attacked = attacked if right.empty else right
    attacked = attacked[attacked.epsilon == attacked.epsilon.max()]
    return attacked.sort_values(["success", "clean_confidence"], ascending=False)


def _clip(own: pd.Series, kept: ShardSet, model: str) -> Clip:
    clips = ShardSet("data/transfer/audio")
    original, adversarial = (waveform(one["audio"]) for one in (clips.load(own.clip_id), kept.load(own.key)))
    snr = "no noise at all" if math.isinf(own.snr_db) else f"{own.snr_db:.1f} dB SNR"
    return Clip(
        own.clip_id,
        own.label,
        "",
        f"PGD at {own.epsilon:g} on the model {model}, {snr}",
        clips.about["signal"]["sample_rate_hz"],
        before_and_after(own, original, adversarial),
    )
