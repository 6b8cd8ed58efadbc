"""Room of studies: what an attack of the audio-visual study did to a clip, as figures and listening show it."""

import numpy as np

from stages.reporting.sound import waveform

# By how much the paper's Figure 2, and this study, multiplies what an attack added to a picture.
AMPLIFIED = 64


def strength(epsilon: str) -> list[float]:
    """By which epsilons, as sound/video, are ordered: the video's first, as in the paper's tables."""
    return [float(one) for one in epsilon.split("/")][::-1]


def as_seen(made: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A clip of a set: `audio` (samples,) float, `video` (frames, height, width) in grey levels."""
    return {"audio": waveform(made["audio"]), "video": made["video"]}


def added(clean: dict[str, np.ndarray], attacked: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the attack added to `audio`, and to `video` x `AMPLIFIED` about a grey of 128, float, of any size."""
    return {
        "audio": attacked["audio"] - clean["audio"],
        "video": 128 + AMPLIFIED * (attacked["video"].astype("f4") - clean["video"]),
    }
