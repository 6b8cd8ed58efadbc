"""Built-in corpora: what makes a plain voice sound tense, breathy or trembling; waveforms in and out, (samples,)."""

import numpy as np
from scipy.signal import lfilter


def trimmed(waveform: np.ndarray) -> np.ndarray:
    """Without the silence before and after."""
    loud = np.flatnonzero(np.abs(waveform) > 0.01 * np.abs(waveform).max())
    return waveform[loud[0] : loud[-1] + 1]


def trembling(waveform: np.ndarray, depth: float, rng: np.random.Generator, rate_hz: int) -> np.ndarray:
    """The pitch wavers at 5 to 8 Hz, by 5 % at a depth of 1, and the loudness with it."""
    time_s = np.arange(len(waveform)) / rate_hz
    pulse = 2 * np.pi * rng.uniform(5, 8)
    phase = rng.uniform(0, 2 * np.pi)
    delay_s = 0.05 * depth / pulse * np.sin(pulse * time_s + phase)
    wavering = np.interp(time_s + delay_s, time_s, waveform)
    return wavering * (1 + 0.3 * depth * np.sin(pulse * time_s + phase))


def treble(waveform: np.ndarray, gain_db: float, rate_hz: int) -> np.ndarray:
    """A shelf: frequencies well above 1 kHz raised by the gain."""
    decay = np.exp(-2 * np.pi * 1000 / rate_hz)
    low = lfilter([1 - decay], [1, -decay], waveform)
    return low + (waveform - low) * 10 ** (gain_db / 20)


def breath(waveform: np.ndarray, share: float, rng: np.random.Generator, rate_hz: int) -> np.ndarray:
    """Noise above 2 kHz that follows the voice's envelope; its level is a share of the voice's."""
    decay = np.exp(-1 / (0.02 * rate_hz))
    envelope = np.sqrt(np.maximum(lfilter([1 - decay], [1, -decay], waveform**2), 0))
    noise = lfilter([1, -0.9], [1], rng.standard_normal(len(waveform)))
    return share * envelope * noise / noise.std()


def room_noise(count: int, rng: np.random.Generator) -> np.ndarray:
    """Low noise of a room (count,), of power 1."""
    noise = rng.standard_normal(count)
    noise = lfilter([1], [1, -0.99], noise) + 0.2 * rng.standard_normal(count)
    return noise / noise.std()
