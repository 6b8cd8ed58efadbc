"""Room of studies: which clips of the sound-event study can be heard."""

from pathlib import Path

from stages.frame.columns import typed
from stages.frame.shards import ShardSet
from stages.reporting.sound import Clip, Sound, before_and_after, waveform


def clip(entry: str) -> Clip | None:
    """The first clip of a set of `events.attacked` that fooled (where none did, the first), and after each treatment.

    None where there is no such set, or no clip of it was attacked.
    """
    # Were the entries themselves asked, this stage would depend on what every attack is told.
    if not Path("data/events/scores", entry).is_dir():
        return None
    clips, adversarial, treated = (ShardSet(Path("data/events", name)) for name in ("audio", *_sets(entry)))
    rows = typed(adversarial.table, ("snr_db",), ("success",))
    if rows.empty:
        return None
    own = rows.sort_values(["success", "key"], ascending=[False, True]).iloc[0]
    original, attacked = (waveform(one["audio"]) for one in (clips.load(own.clip_id), adversarial.load(own.key)))
    after = [
        Sound(row.treatment, waveform(treated.load(row.sound)["audio"]), row.decision, row.decision_confidence)
        for row in treated.table[treated.table.source == own.key].itertuples()
    ]
    sounds = [*before_and_after(own, original, attacked), *after]
    rate_hz = clips.about["signal"]["sample_rate_hz"]
    return Clip(own.clip_id, own.label, own.target, f"SNR {own.snr_db:.1f} dB", rate_hz, sounds)


def _sets(entry: str) -> tuple[str, str]:
    return f"adversarial/{entry}", f"scores/{entry}"
