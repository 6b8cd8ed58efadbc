"""Room of treatments: to a lower sampling rate and back, without all above the lower rate's Nyquist frequency."""

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from stages.frame.errors import UserError
from stages.frame.parameters import Count

if TYPE_CHECKING:
    from torch import Tensor

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
    _check(rate_hz, sample_rate_hz)
    return [there_and_back(waveform, sample_rate_hz, rate_hz) for waveform in waveforms]


def through(*, sample_rate_hz: int, device: str, rate_hz: Count) -> Callable[[dict[str, "Tensor"]], "Tensor"]:
    """The clips by way of `rate_hz`, which is linear.

    Raises:
        UserError: `rate_hz` is not below the clips' own rate, or has so small a divisor in common with it that resampy
            itself has to do it, which no gradient passes.
    """
    _check(rate_hz, sample_rate_hz)
    if not _repeats(sample_rate_hz, rate_hz) or not _repeats(rate_hz, sample_rate_hz):
        raise UserError(
            "params.yaml: the resample treatment's rate_hz, of an attack that goes through it",
            f"a rate that shares a large divisor with {sample_rate_hz} Hz",
            str(rate_hz),
            "choose another rate",
        )
    more = _silence_after(sample_rate_hz, rate_hz)

    def treated(inputs: dict[str, "Tensor"]) -> "Tensor":
        from torch.nn.functional import pad

        from stages.victim import inside

        lengths = inputs["audio_length"]
        low = _convolved(pad(inputs["audio"] * inside(inputs), (0, more)), sample_rate_hz, rate_hz)
        ends = {"audio": low, "audio_length": (lengths + more).double().mul(rate_hz / sample_rate_hz).long()}
        back = _convolved(low * inside(ends), rate_hz, sample_rate_hz)
        return back[:, : inputs["audio"].shape[1]] * inside(inputs)

    return treated


def there_and_back(waveform: np.ndarray, sample_rate_hz: int, rate_hz: int) -> np.ndarray:
    """One clip, resampled to `rate_hz` and back to `sample_rate_hz`, of unchanged length."""
    padded = np.pad(waveform, (0, _silence_after(sample_rate_hz, rate_hz)))
    low = resampled(padded, sample_rate_hz, rate_hz)
    return resampled(low, rate_hz, sample_rate_hz)[: len(waveform)]


def resampled(waveform: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """What `resampy.resample(waveform, from_hz, to_hz)` gives, float32, in a fraction of its time.

    The weights by which samples are summed repeat after `to_hz` / gcd outputs, so that they are a convolution. Equal to
    rounding, or to 2e-4 of full scale for rates at which resampy rounds its step through the filter (44.1 kHz down).
    """
    import resampy
    import torch

    if not _repeats(from_hz, to_hz):
        return resampy.resample(waveform, from_hz, to_hz, filter="kaiser_best")
    return _convolved(torch.from_numpy(waveform)[None], from_hz, to_hz)[0].numpy()


def _check(rate_hz: int, sample_rate_hz: int) -> None:
    if rate_hz >= sample_rate_hz:
        raise UserError(
            "params.yaml: the resample treatment's rate_hz",
            f"less than the clips' {sample_rate_hz} Hz",
            str(rate_hz),
            "lower it",
        )


def _silence_after(sample_rate_hz: int, rate_hz: int) -> int:
    """Each way drops the last fraction of a sample; silence appended beforehand is what gets lost instead of sound."""
    return math.ceil(sample_rate_hz / rate_hz) + 1


def _repeats(from_hz: int, to_hz: int) -> bool:
    """Whether the weights repeat after few enough outputs."""
    return max(from_hz, to_hz) * (from_hz // math.gcd(from_hz, to_hz)) <= MOST_OUTPUTS * from_hz


def _convolved(waveforms: "Tensor", from_hz: int, to_hz: int) -> "Tensor":
    """Waveforms (clips, samples) at `to_hz`, by a convolution."""
    import torch
    from torch.nn.functional import conv1d, pad

    step = from_hz // math.gcd(from_hz, to_hz)
    weights = torch.from_numpy(_weights(from_hz, to_hz)).to(waveforms)
    reach = (weights.shape[1] - step) // 2
    length = int(waveforms.shape[1] * float(to_hz) / float(from_hz))
    made = conv1d(pad(waveforms[:, None], (reach, reach + step)), weights[:, None], stride=step)
    return made.transpose(1, 2).flatten(1)[:, :length]


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
