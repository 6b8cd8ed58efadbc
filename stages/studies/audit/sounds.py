"""Room of studies: which clips of the audit can be heard: attacked without and with knowing of a defence."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.frame import parameters
from stages.frame.columns import typed
from stages.frame.shards import Arrays, ShardSet
from stages.reporting.sound import Clip, Sound, waveform
from stages.treatments import griffin_lim

SECTIONS = ("classifiers", "guarded")
# Of images as sound.
ITERATIONS = 32


def clip(entry: str) -> Clip | None:
    """A clip of `<study>.<entry of audit.classifiers or audit.guarded>.<defence or detector>`, as attacks make it.

    It is that of the kept ones where knowing of the defence gains most; None where there is no such entry, or nothing
    of it was kept. The attacks are those by gradients at the loudest budget; of one with several numbers of steps it is
    the worst for the defence. Original and examples are decided on behind the defence alone. Where images are attacked
    they are made sound; the original is the recording.
    """
    study, name, defence = entry.split(".")
    section = next((one for one in SECTIONS if Path("data/audit", one, study, name).is_dir()), None)
    if section is None:
        return None
    kept, given = (
        ShardSet(Path("data/audit", section, study, name)),
        parameters.section(f"audit.{section}.{study}.{name}"),
    )
    worst = _worst(kept, defence)
    right = worst.right.unstack().reindex(columns=["unaware", "aware"]).dropna()
    if right.empty:
        return None
    clip_id = (right.unaware - right.aware).idxmax()
    images = study == "emotion"
    clips = ShardSet(Path("data", study, "audio" if images else given.get("inputs", "audio")))
    original, sounds, told = clips.load(clip_id), [], []
    for knowledge in right:
        row, arrays = worst.loc[(clip_id, knowledge)], kept.load(worst.loc[(clip_id, knowledge)].key)
        sounds += [_inverted(row, arrays, given)] if images else _versions(row, arrays, original)
        told.append(f"{knowledge} {_strength(row)}")
    first = Sound("original", waveform(original["audio"]), video=original.get("video"))
    label, target = row.label or row.text, row.target if "target" in row else ""
    return Clip(clip_id, label, target, "; ".join(told), clips.about["signal"]["sample_rate_hz"], [first, *sounds])


def _worst(kept: ShardSet, defence: str) -> pd.DataFrame:
    """Of the clips and kinds of knowledge of which arrays are kept (index) the row that is worst for the defence."""
    rows = typed(kept.table, ("right", "reached", "times"))
    guard = rows.detector.where(rows.detector != "", rows.defence) if "detector" in rows else rows.defence
    rows = rows[(guard == defence) & (rows.access == "gradient") & (rows.shard != "")]
    has_sounds = rows.key.map(lambda key: bool(kept.load(key))).astype(bool)
    rows = rows[has_sounds].sort_values(["right", "times"], kind="stable")
    return rows.drop_duplicates(["clip_id", "knowledge"]).set_index(["clip_id", "knowledge"])


def _strength(row: pd.Series) -> str:
    """How large an example is and what is left of it, in words."""
    if "detector" in row:
        return f"at an SNR of {row.reached:.1f} dB {'comes to nothing' if row.right else 'arrives'}"
    if row.budget_in == "snr_db":
        return f"at an SNR of {row.reached:.1f} dB, {100 * row.right:.0f} % of hearings behind the defence right"
    return f"at an epsilon of {row.reached:.2f}, {100 * row.right:.0f} % right"


def _versions(row: pd.Series, arrays: Arrays, original: Arrays) -> list[Sound]:
    """An example, what it adds to the original, and what is heard and decided of it behind a treatment."""
    example, (_, knowledge) = waveform(arrays["audio"]), row.name
    video = arrays.get("video")
    decision = "" if "heard" in arrays else row.decision
    added = example - waveform(original["audio"])[: len(example)]
    made = [
        Sound(knowledge, example, decision, video=video),
        Sound(f"{knowledge}_difference", added, is_difference=True),
    ]
    return (
        [*made, Sound(f"{knowledge}_defended", waveform(arrays["heard"]), row.decision)] if "heard" in arrays else made
    )


def _inverted(row: pd.Series, arrays: Arrays, given: dict[str, Any]) -> Sound:
    """An attacked image as sound, by the front end of the bare victim, and what is decided of the image."""
    (image,) = arrays.values()
    told = {"sample_rate_hz": 0, "seeds": [0], "device": "cpu", "iterations": ITERATIONS}
    (sound,) = griffin_lim.treat([image], model=str(Path("models/emotion", given["victims"][0])), **told)
    return Sound(f"{row.name[1]}_image_as_sound", np.asarray(sound), row.decision)
