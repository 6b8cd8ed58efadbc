"""Room of studies: which clips of the audit can be heard: attacked without and with knowing of a defence."""

from pathlib import Path

import numpy as np
import pandas as pd

from stages.frame.columns import typed
from stages.frame.shards import ShardSet
from stages.reporting.sound import Clip, Sound, waveform

AUDITED = Path("data/audit/classifiers")


def clip(entry: str) -> Clip | None:
    """A clip of `<study>.<entry of audit.classifiers>.<defence>`, as attacks make it, and as it is heard behind that.

    It is that of the kept ones where knowing of the defence gains most; None where there is no such entry, or no sound
    of it was kept. The attacks are those by gradients at the loudest budget; of one with several numbers of steps it is
    the worst for the defence. Original and examples are decided on behind the defence alone.
    """
    study, name, defence = entry.split(".")
    if not (AUDITED / study / name).is_dir():
        return None
    kept, clips = ShardSet(AUDITED / study / name), ShardSet(Path("data", study, "audio"))
    rows = typed(kept.table, ("right", "reached", "times"))
    rows = rows[(rows.defence == defence) & (rows.access == "gradient") & (rows.shard != "")]
    has_sounds = rows.key.map(lambda key: bool(kept.load(key))).astype(bool)
    rows = rows[has_sounds].sort_values(["right", "times"], kind="stable")
    worst = rows.drop_duplicates(["clip_id", "knowledge"]).set_index(["clip_id", "knowledge"])
    right = worst.right.unstack().reindex(columns=["unaware", "aware"]).dropna()
    if right.empty:
        return None
    clip_id = (right.unaware - right.aware).idxmax()
    unaware, aware = (worst.loc[(clip_id, knowledge)] for knowledge in right)
    original = waveform(clips.load(clip_id)["audio"])
    sounds = [Sound("original", original), *_versions(unaware, original, kept), *_versions(aware, original, kept)]
    strength = (
        f"unaware at an SNR of {unaware.reached:.1f} dB, {100 * unaware.right:.0f} % of hearings behind the defence "
    )
    strength += f"right; aware at {aware.reached:.1f} dB, {100 * aware.right:.0f} %"
    return Clip(clip_id, aware.label, "", strength, clips.about["signal"]["sample_rate_hz"], sounds)


def _versions(row: pd.Series, original: np.ndarray, kept: ShardSet) -> list[Sound]:
    """An example, what it adds to the original, and what is heard and decided of it behind the defence."""
    arrays = kept.load(row.key)
    example = waveform(arrays["audio"])
    _, knowledge = row.name
    return [
        Sound(knowledge, example),
        Sound(f"{knowledge}_difference", example - original, is_difference=True),
        Sound(f"{knowledge}_defended", waveform(arrays["heard"]), row.decision),
    ]
