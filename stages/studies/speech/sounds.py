"""Room of studies: which clips of the speech study can be heard."""

from pathlib import Path
from typing import Any

import pandas as pd

from stages.frame import parameters, shards
from stages.frame.columns import typed
from stages.reporting.sound import Clip, Sound, before_and_after, waveform
from stages.studies.speech.measured import NONE

DATA = Path("data/speech")


def clip(entry: str) -> Clip | None:
    """A clip under the attack of this name: before and after, what was added, played, and enhanced after that.

    It is the first on which the attack succeeded, of the first adversarial set that has it and was not made through an
    enhancer; where none fell, the first; None where no such set has this attack, or no clip was attacked. The enhancers
    are the hardened ones, and hear the first trial.
    """
    given = parameters.section("speech")
    holders = [
        name
        for name, one in given["attacked"].items()
        if not one.get("through") and entry in [attack.rpartition(".")[2] for attack in one["attacks"]]
    ]
    if not holders:
        return None
    adversarial, clips = shards.ShardSet(DATA / "adversarial" / holders[0]), shards.ShardSet(DATA / "audio")
    rows = shown(typed(adversarial.table.assign(through=NONE), ("snr_db",), ("success",)), entry)
    if rows.empty:
        return None
    own = rows.iloc[0]
    clean, made = (waveform(one.load(key)["audio"]) for one, key in ((clips, own.clip_id), (adversarial, own.key)))
    return Clip(
        own.clip_id,
        own.text,
        own.target,
        f"{entry} at {own.snr_db:.1f} dB SNR, {'succeeded' if own.success else 'failed'} on {own.victim}",
        clips.about["signal"]["sample_rate_hz"],
        [*before_and_after(own, clean, made), *_played(f"adversarial/{holders[0]}", own, given)],
    )


def shown(attacked: pd.DataFrame, attack: str) -> pd.DataFrame:
    """The row of the clip to see or hear, as a table: the first on which this attack succeeded, else the first."""
    own = attacked[(attacked.attack == attack) & (attacked.through == NONE)]
    return own.sort_values("success", ascending=False, kind="stable").head(1)


def _played(name: str, own: pd.Series, given: dict[str, Any]) -> list[Sound]:
    """The first trial as it is, and after each hardened enhancer, with what the recogniser that was attacked hears."""
    called = {treatment: f"played_{treatment}" for treatment in _hardened(given)} | {NONE: "played"}
    sounds = []
    for entry in (entry for entry, one in given["scored"].items() if name in one["sets"]):
        scored = shards.ShardSet(DATA / "scores" / entry)
        rows = scored.table[(scored.table.set == name) & (scored.table.source == own.key)]
        rows = rows[(rows.version == "played") & (rows.heard_by == own.victim) & rows.treatment.isin(called)]
        for row in rows[rows.trial == rows.trial.min()].itertuples():
            heard = waveform(scored.load(row.sound)["audio"])
            sounds.append(Sound(called[row.treatment], heard, row.decision, row.decision_confidence))
    return sounds


def _hardened(given: dict[str, Any]) -> list[str]:
    """The treatments by enhancers that were trained further."""
    models = {name: one["model"] for name, one in given["treatments"].items() if "model" in one}
    return [name for name, model in models.items() if given["victims"][model].get("starts_from")]
