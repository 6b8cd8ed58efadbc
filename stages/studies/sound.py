"""Room of studies: a clip to be heard, and where it has pictures seen, as the studies hand it to the verb listen."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sound:
    """One version of a clip: float waveform (samples,), and what the victim decides on it, "" where it was not asked.

    `video` (frames, height, width) is grey, uint8, at 25 pictures a second.
    """

    name: str
    waveform: np.ndarray
    decision: str = ""
    confidence: float | str = ""
    is_difference: bool = False
    video: np.ndarray | None = None


@dataclass(frozen=True)
class Clip:
    """A clip's versions, the original first; `strength` says in words how strong the attack is."""

    clip_id: str
    label: str
    target: str
    strength: str
    sample_rate_hz: int
    sounds: list[Sound]
