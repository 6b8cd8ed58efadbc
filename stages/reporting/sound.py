"""Room of reporting: a clip to be heard, and where it has pictures seen, as the studies hand it to the verb listen."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from stages.frame.pcm import from_pcm16

# No version is lowered by more, so that a silent one does not silence the others.
LOWERED_AT_MOST_DB = 20.0


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


def waveform(samples: np.ndarray) -> np.ndarray:
    """float32 samples in [-1, 1) of what a set holds, which may be the integers of 16-bit files."""
    return from_pcm16(samples) if samples.dtype == np.int16 else samples.astype(np.float32)


def before_and_after(row: pd.Series, original: np.ndarray, adversarial: np.ndarray) -> list[Sound]:
    """The clip of a row of an adversarial set, what the attack made of it, and the difference; float waveforms."""
    return [
        Sound("original", original, row.clean_prediction, row.clean_confidence),
        Sound("adversarial", adversarial, row.adversarial_prediction, row.confidence),
        Sound("difference", adversarial - original, is_difference=True),
    ]


def levels_matched_db(waveforms: list[np.ndarray], are_differences: list[bool]) -> list[float]:
    """What each version's level changes by, at most 0 dB, so that all have the energy of the quietest.

    Differences are lowered to that too, but are not among those that it is sought in. Energy is that of all samples, so
    that a silence behind a clip does not count.
    """
    energies_db = [10 * np.log10(max(float(np.sum(np.square(one, dtype=float))), 1e-12)) for one in waveforms]
    quietest_db = min(energy for energy, is_one in zip(energies_db, are_differences) if not is_one)
    return [max(min(quietest_db - energy, 0.0), -LOWERED_AT_MOST_DB) for energy in energies_db]
