"""Room of measures: how large a perturbation is."""

import numpy as np


def snr_db(signal: np.ndarray, noise: np.ndarray) -> float:
    """Signal-to-noise ratio, 10 log10 of the powers' ratio; inf without noise, -inf without signal, NaN for neither."""
    signal_power, noise_power = (float(np.square(x, dtype=np.float64).sum()) for x in (signal, noise))
    return _decibels(signal_power, noise_power) * 10


def relative_loudness_db(signal: np.ndarray, noise: np.ndarray) -> float:
    """dB_x(d) = 20 log10 max|d| - 20 log10 max|x| (Carlini and Wagner 2018): negative where the noise is quieter."""
    return -_decibels(float(np.abs(signal).max()), float(np.abs(noise).max())) * 20


def _decibels(above: float, below: float) -> float:
    if above == 0 and below == 0:
        return float("nan")
    if below == 0:
        return float("inf")
    return float("-inf") if above == 0 else float(np.log10(above / below))
