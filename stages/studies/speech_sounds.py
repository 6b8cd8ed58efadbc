"""Room of studies: which clips of the speech study can be heard."""

from pathlib import Path

import pandas as pd

from stages.frame import clip_table, parameters, shards
from stages.frame.errors import UserError
from stages.frame.pcm import from_pcm16
from stages.studies.sound import Clip, Sound
from stages.studies.speech_attacks import shown


def clip(item: str) -> Clip:
    """A clip under the attack of this name: before and after, what was added, played, and enhanced after that.

    It is the first on which the attack succeeded, of the first item of `injections` that has it; where none fell, the
    first. The enhancers are the hardened ones, and hear the first trial.

    Raises:
        UserError: no item has an attack of this name.
    """
    injections = {name: one for name, one in parameters.section("injections").items() if one["study"] == "speech"}
    holders = [name for name, one in injections.items() if one["enhancer"] is None and item in one["attacks"]]
    if not holders:
        what = {"expected": "attacks of items of injections without an enhancer", "found": item, "do": "correct it"}
        raise UserError("params.yaml: listening.speech", **what)
    injected = shards.ShardSet(f"data/speech/injected/{holders[0]}")
    own = shown(injected.table, item).iloc[0]
    clips = shards.ShardSet("data/speech/audio")
    clean, attacked = clips.load(own.clip_id)["audio"], from_pcm16(injected.load(own.key)["audio"])
    sounds = [
        Sound("original", clean, own.clean_prediction, own.clean_confidence),
        Sound("adversarial", attacked, own.adversarial_prediction, own.confidence),
        Sound("difference", attacked - clean, is_difference=True),
        *_played(f"injected/{holders[0]}", own),
    ]
    # A cell may be empty, and what is a number in others is text then.
    snr_db = float(pd.to_numeric(own.snr_db_audio))
    strength = f"{item} at {snr_db:.1f} dB SNR, {'succeeded' if own.success else 'failed'} on {own.recogniser}"
    return Clip(own.clip_id, own.text, own.target, strength, clips.about["signal"]["sample_rate_hz"], sounds)


def _played(name: str, own: pd.Series) -> list[Sound]:
    """The first trial as it is, and after each hardened enhancer, with what the recogniser hears."""
    sounds = []
    for folder in sorted(path for path in Path("data/speech/assessed").iterdir() if path.is_dir()):
        table = clip_table.read(folder / "clips.csv")
        table = table[(table.set == name) & (table.member == own.key) & (table.version == "played")]
        table = table[table.recogniser == own.recogniser]
        table = table[(table.enhancer == "") | table.enhancer.str.endswith("_hardened")]
        enhanced = shards.ShardSet(f"data/speech/enhanced/{folder.name}")
        for row in table[table.trial == table.trial.min()].itertuples():
            waveform = from_pcm16(enhanced.load(row.key.removesuffix(f"/{row.recogniser}"))["audio"])
            told = f"played_{row.enhancer}" if row.enhancer else "played"
            sounds.append(Sound(told, waveform, row.transcript, row.transcript_confidence))
    return sounds
