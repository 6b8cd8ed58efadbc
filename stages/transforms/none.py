"""Transform: none, the control that shows what 16-bit storage alone does."""

import numpy as np


def transform(waveforms: list[np.ndarray], sample_rate_hz: int, seeds: list[int]) -> list[np.ndarray]:
    """Copies of the clips; for the contract see `stages.transforms`."""
    return [waveform.copy() for waveform in waveforms]
