"""Room of studies: a clip to be heard, as the studies hand it to the verb listen."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sound:
    """One version of a clip: float waveform (samples,), and what the victim decides on it, "" where it was not asked."""

    name: str
    waveform: np.ndarray
    decision: str = ""
    confidence: float | str = ""
    is_difference: bool = False


@dataclass(frozen=True)
class Clip:
    """A clip's versions, the original first; `strength` says in words how strong the attack is."""

    clip_id: str
    label: str
    target: str
    strength: str
    sounds: list[Sound]
