"""Whether the way down and back keeps what is below the lower Nyquist frequency, in time, and removes the rest."""

import numpy as np
import pytest

from stages.frame.errors import UserError
from stages.treatments.resample import resampled, treat

RATE_HZ = 32000


def tone(frequency_hz: float, samples: int = RATE_HZ) -> np.ndarray:
    """A tone that swells and fades, since a sharp edge has energy at all frequencies."""
    return (0.5 * np.hanning(samples) * np.sin(2 * np.pi * frequency_hz / RATE_HZ * np.arange(samples))).astype("f4")


def level_db(waveform: np.ndarray, reference: np.ndarray) -> float:
    return 10 * np.log10(np.sum(waveform.astype(np.float64) ** 2) / np.sum(reference.astype(np.float64) ** 2))


@pytest.mark.parametrize("rate_hz", [8000, 16000, 20000])
def test_a_tone_below_stays_and_one_above_goes(rate_hz):
    low, high = tone(0.35 * rate_hz), tone(min(0.65 * rate_hz, 15000))
    low_after, high_after = treat([low, high], sample_rate_hz=RATE_HZ, seeds=[0, 0], device="cpu", rate_hz=rate_hz)
    assert level_db(low_after - low, low) < -60  # sample by sample: neither level nor time has changed
    assert level_db(high_after, high) < -60


@pytest.mark.parametrize("samples", [1, 2, 3, 5, 1001, 9999])
def test_the_last_samples_are_sound_and_no_padding(samples):
    steady = np.full(samples, 0.5, np.float32)
    after = treat([steady], sample_rate_hz=RATE_HZ, seeds=[0], device="cpu", rate_hz=8000)[0]
    # The step to silence at the end is smoothed to about half its height at the last sample, never cut to zero.
    assert after[-1] > 0.1


@pytest.mark.parametrize("rate_hz", [32000, 44100])
def test_a_rate_that_removes_nothing_is_refused(rate_hz):
    with pytest.raises(UserError, match="rate_hz"):
        treat([tone(440)], sample_rate_hz=RATE_HZ, seeds=[0], device="cpu", rate_hz=rate_hz)


@pytest.mark.parametrize(
    "rates_hz", [(32000, 8000), (8000, 32000), (32000, 20000), (20000, 32000), (16000, 44100), (32000, 31999)]
)
@pytest.mark.parametrize("samples", [7, 1001])
def test_it_is_what_resampy_gives(rates_hz, samples):
    import resampy

    noise = np.random.default_rng(samples).uniform(-1, 1, samples).astype(np.float32)
    np.testing.assert_allclose(resampled(noise, *rates_hz), resampy.resample(noise, *rates_hz), atol=3e-6)
