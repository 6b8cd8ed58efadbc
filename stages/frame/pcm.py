"""Ground floor: waveforms as 16-bit files hold them."""

import numpy as np


def to_pcm16(waveform: np.ndarray) -> np.ndarray:
    """int16 samples of a waveform in [-1, 1), rounded to the nearest and clipped to the range."""
    return np.clip(np.rint(waveform * 32768.0), -32768, 32767).astype(np.int16)


def from_pcm16(samples: np.ndarray) -> np.ndarray:
    """float32 waveform in [-1, 1) of int16 samples."""
    return samples.astype(np.float32) / np.float32(32768)
