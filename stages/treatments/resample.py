"""Room of treatments: to a lower sampling rate and back, without all above the lower rate's Nyquist frequency."""

import functools
import math

import numpy as np

from stages.frame.errors import UserError
from stages.frame.parameters import Count

# Outputs after which the weights repeat; of rates that share hardly any divisor there would be gigabytes of them.
MOST_OUTPUTS = 1000


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
    return [there_and_back(waveform, sample_rate_hz, rate_hz) for waveform in waveforms]


def there_and_back(waveform: np.ndarray, sample_rate_hz: int, rate_hz: int) -> np.ndarray:
    """One clip, resampled to `rate_hz` and back to `sample_rate_hz`, of unchanged length."""
    # Each way drops the last fraction of a sample; silence appended beforehand is what gets lost instead of sound.
    padded = np.pad(waveform, (0, math.ceil(sample_rate_hz / rate_hz) + 1))
    low = resampled(padded, sample_rate_hz, rate_hz)
    return resampled(low, rate_hz, sample_rate_hz)[: len(waveform)]


def resampled(waveform: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """What `resampy.resample(waveform, from_hz, to_hz)` gives, float32, in a fraction of its time.

    The weights by which samples are summed repeat after `to_hz` / gcd outputs, so that they are a convolution. Equal to
    rounding, or to 2e-4 of full scale for rates at which resampy rounds its step through the filter (44.1 kHz down).
    """
    import resampy
    import torch
    from torch.nn.functional import conv1d, pad

    step = from_hz // math.gcd(from_hz, to_hz)
    if max(from_hz, to_hz) * step > MOST_OUTPUTS * from_hz:
        return resampy.resample(waveform, from_hz, to_hz, filter="kaiser_best")
    weights = torch.from_numpy(_weights(from_hz, to_hz))
    reach = (weights.shape[1] - step) // 2
    length = int(len(waveform) * float(to_hz) / float(from_hz))
    made = conv1d(pad(torch.from_numpy(waveform)[None, None], (reach, reach + step)), weights[:, None], stride=step)
    return made[0].T.reshape(-1)[:length].numpy()


@functools.cache
def _weights(from_hz: int, to_hz: int) -> np.ndarray:
    """The weights (outputs, reach + step + reach) of the samples around `step` ones, for each output among these."""
    from resampy.filters import get_filter

    half_window, per_sample, _ = get_filter("kaiser_best")
    divisor, scale = math.gcd(from_hz, to_hz), min(1.0, to_hz / from_hz)
    outputs, step = to_hz // divisor, from_hz // divisor
    reach = math.ceil((len(half_window) - 1) / (per_sample * scale)) + 1
    samples = np.arange(-reach, step + reach)
    distance = np.abs(np.arange(outputs)[:, None] * step / outputs - samples) * scale * per_sample
    # Linear between the entries of the table, and nothing beyond its end.
    weights = np.interp(distance, np.arange(len(half_window)), half_window, right=0.0)
    return (scale * weights).astype(np.float32)
