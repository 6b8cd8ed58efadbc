"""Room of treatments: none, the control that shows what 16-bit storage alone does."""

import numpy as np


def treat(waveforms: list[np.ndarray], *, sample_rate_hz: int, seeds: list[int], device: str) -> list[np.ndarray]:
    """Copies of the clips; for the contract see `stages.treatments`."""
    return [waveform.copy() for waveform in waveforms]
