"""Whether the noise has the asked level, and comes from the seed alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.treatments.white_noise import noise, treat

TONE = (0.3 * np.sin(2 * np.pi * 440 / 32000 * np.arange(20000))).astype(np.float32)


def measured_snr_db(clean: np.ndarray, noisy: np.ndarray) -> float:
    clean, noisy = clean.astype(np.float64), noisy.astype(np.float64)
    return 10 * np.log10(np.mean(clean**2) / np.mean((noisy - clean) ** 2))


@pytest.mark.parametrize("snr_db", [20, 40, 60])
def test_the_ratio_is_exact(snr_db):
    noisy = treat([TONE], sample_rate_hz=32000, seeds=[3], device="cpu", snr_db=snr_db)[0]
    assert measured_snr_db(TONE, noisy) == pytest.approx(snr_db, abs=0.01)


@settings(deadline=None)
@given(length=st.integers(2, 4000), level=st.floats(1e-3, 1), snr_db=st.floats(-20, 60), seed=st.integers(0, 2**63 - 1))
def test_the_ratio_is_exact_at_any_length_and_level(length, level, snr_db, seed):
    clip = (level * np.cos(np.arange(length))).astype(np.float32)
    noisy = treat([clip], sample_rate_hz=32000, seeds=[seed], device="cpu", snr_db=snr_db)[0]
    assert measured_snr_db(clip, noisy) == pytest.approx(snr_db, abs=0.01)


def test_the_seed_decides():
    first, again, other = treat([TONE] * 3, sample_rate_hz=32000, seeds=[7, 7, 8], device="cpu", snr_db=20)
    np.testing.assert_array_equal(first, again)
    assert abs(np.corrcoef(first - TONE, other - TONE)[0, 1]) < 0.05


def test_the_noise_is_white_and_gaussian():
    samples = noise(5, 2**17)
    power = (np.abs(np.fft.rfft(samples)[1:]) ** 2).reshape(16, -1).mean(1)  # 16 bands of equal width
    assert power.max() / power.min() < 1.2
    assert np.mean(samples**4) == pytest.approx(3, abs=0.1)  # a Gaussian's fourth moment
