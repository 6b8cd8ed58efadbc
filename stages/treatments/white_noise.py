"""Room of treatments: Gaussian white noise at a set signal-to-noise ratio."""

from typing import Annotated

import numpy as np

from stages.frame.parameters import Range


def treat(
    waveforms: list[np.ndarray],
    *,
    sample_rate_hz: int,
    seeds: list[int],
    device: str,
    snr_db: Annotated[float, Range(-100, 100)],
) -> list[np.ndarray]:
    """The clips plus noise, each from its own seed; for the contract see `stages.treatments`."""
    return [at_snr(waveform, noise(seed, len(waveform)), snr_db) for waveform, seed in zip(waveforms, seeds)]


def noise(seed: int, length: int) -> np.ndarray:
    """`length` float64 samples of Gaussian white noise, of mean power exactly 1."""
    samples = np.random.default_rng(seed).standard_normal(length)
    return samples / np.sqrt(np.mean(samples**2))


def at_snr(waveform: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """`waveform` plus unit-power `noise` scaled to `snr_db` below the waveform's mean power; silence stays silent."""
    power = np.mean(waveform.astype(np.float64) ** 2)
    return (waveform + noise * np.sqrt(power * 10 ** (-snr_db / 10))).astype(np.float32)
