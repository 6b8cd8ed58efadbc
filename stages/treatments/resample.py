"""Room of treatments: to a lower sampling rate and back, without all above the lower rate's Nyquist frequency."""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from stages.frame.errors import UserError
from stages.frame.parameters import Count


def treat(
    waveforms: list[np.ndarray], *, sample_rate_hz: int, seeds: list[int], device: str, rate_hz: Count
) -> list[np.ndarray]:
    """The clips by way of `rate_hz`, by resampy's band-limited interpolation with its `kaiser_best` filter.

    For the contract see `stages.treatments`. The filter (Smith 1984, as resampy has it) is symmetric, hence no delay.

    Raises:
        UserError: `rate_hz` is not below the clips' own rate.
    """
    if rate_hz >= sample_rate_hz:
        raise UserError(
            "params.yaml: the resample treatment's rate_hz",
            f"less than the clips' {sample_rate_hz} Hz",
            str(rate_hz),
            "lower it",
        )
    # resampy computes outside the interpreter lock, so threads share the cores.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(partial(there_and_back, sample_rate_hz=sample_rate_hz, rate_hz=rate_hz), waveforms))


def there_and_back(waveform: np.ndarray, sample_rate_hz: int, rate_hz: int) -> np.ndarray:
    """One clip, resampled to `rate_hz` and back to `sample_rate_hz`, of unchanged length."""
    import resampy

    # Each way drops the last fraction of a sample; silence appended beforehand is what gets lost instead of sound.
    padded = np.pad(waveform, (0, math.ceil(sample_rate_hz / rate_hz) + 1))
    low = resampy.resample(padded, sample_rate_hz, rate_hz, filter="kaiser_best")
    return resampy.resample(low, rate_hz, sample_rate_hz, filter="kaiser_best")[: len(waveform)]
