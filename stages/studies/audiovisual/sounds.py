"""Room of studies: which clips of the audio-visual study can be seen and heard."""

from pathlib import Path

import numpy as np
import pandas as pd

from stages.frame import parameters, shards
from stages.frame.columns import typed
from stages.reporting.sound import Clip, Sound
from stages.studies.audiovisual.shown import added, as_seen, strength

DATA = Path("data/audiovisual")


def clip(entry: str) -> Clip | None:
    """A test clip before and after an adversarial set's last attack at its largest epsilons, and what was added.

    The latter in pictures x 64. The clip is the most confident of those that were right and that the attack fooled (of
    all fooled, or of all, where there is none); None where there is no such entry, or nothing of it was kept.
    """
    entries = parameters.section("audiovisual.attacked")
    if entry not in entries:
        return None
    kept, clips = shards.ShardSet(DATA / "adversarial" / entry), shards.ShardSet(DATA / entries[entry]["inputs"])
    rows = typed(kept.table, ("relative_loudness_db", "clean_confidence", "confidence"), ("success", "kept"))
    attacked = rows[rows.kept & (rows.attack != "none") & (rows.split == "test")]
    if attacked.empty:
        return None
    own = _most_confident(attacked)
    return Clip(
        own.clip_id,
        own.label or own.text,
        own.target,
        f"{own.attack} at {own.epsilon}, sound {own.relative_loudness_db:.1f} dB",
        clips.about["signal"]["sample_rate_hz"],
        _sounds(own, clips.load(own.clip_id), as_seen(kept.load(own.key))),
    )


def _most_confident(attacked: pd.DataFrame) -> pd.Series:
    """The row of the last attack at its largest epsilons that is shown."""
    # Epsilons of a single input look like numbers.
    attacked = attacked.assign(epsilon=attacked.epsilon.astype(str))
    largest = max(attacked.epsilon, key=strength)
    own = attacked[(attacked.epsilon == largest) & (attacked.attack == attacked.attack.iloc[-1])]
    right = own.clean_prediction == own.label.where(own.label != "", own.text)
    own = own.assign(turned=own.success & right)
    return own.sort_values(["turned", "success", "clean_confidence"], ascending=False, kind="stable").iloc[0]


def _sounds(own: pd.Series, clean: dict[str, np.ndarray], attacked: dict[str, np.ndarray]) -> list[Sound]:
    more, video = added(clean, attacked), _grey(attacked["video"])
    return [
        Sound("benign", clean["audio"], own.clean_prediction, own.clean_confidence, video=clean["video"]),
        Sound("attacked", attacked["audio"], own.adversarial_prediction, own.confidence, video=video),
        Sound("added", more["audio"], is_difference=True, video=_grey(more["video"])),
    ]


def _grey(video: np.ndarray) -> np.ndarray:
    return video.round().clip(0, 255).astype("u1")
