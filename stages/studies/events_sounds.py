"""Room of studies: which clips of the sound-event study can be heard."""

from pathlib import Path

from stages.frame import clip_table, parameters, shards
from stages.frame.errors import UserError
from stages.frame.pcm import from_pcm16
from stages.studies.sound import Clip, Sound


def clip(item: str) -> Clip:
    """The first clip that the item of `attack_items` fooled (the first attacked one where none was), after every transform.

    Raises:
        UserError: there is no such item.
    """
    if item not in parameters.section("attack_items"):
        raise UserError(
            "params.yaml: listening.events", expected="names from attack_items", found=item, do="correct it"
        )
    adversarial = shards.ShardSet(Path("data/events/adversarial", item))
    own = adversarial.table.sort_values(["success", "key"], ascending=[False, True]).iloc[0]
    scores = clip_table.read(Path("data/events/scores", item, "clips.csv"))
    treated = shards.ShardSet(Path("data/events/treated", item))
    clips = shards.ShardSet("data/events/audio")
    original = clips.load(own.clip_id)["audio"]
    attacked = adversarial.load(own.key)["audio"]
    sounds = [
        Sound("original", original, own.clean_prediction, own.clean_confidence),
        Sound("adversarial", attacked, own.adversarial_prediction, own.confidence),
        Sound("difference", attacked - original, is_difference=True),
    ] + [
        Sound(
            row["transform"], from_pcm16(treated.load(row["key"])["audio"]), row["decision"], row["decision_confidence"]
        )
        for row in scores[scores.source == own.key].to_dict("records")
    ]
    rate_hz = clips.about["signal"]["sample_rate_hz"]
    return Clip(own.clip_id, own.label, own.target, f"SNR {own.snr_db:.1f} dB", rate_hz, sounds)
