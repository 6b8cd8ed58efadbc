"""Mixtures of speech and noise: the level is what was asked for, nothing clips, no seam is heard, silence is told."""

import numpy as np
import pytest

from stages.features.mixture import SEAM_SAMPLES, mixed, stretch, without_silent_ends
from stages.frame.errors import UserError


def noise_of(samples: int, level: float, seed: int = 0) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(samples)).clip(-1, 0.999).astype("f4")


def snr_db(noisy: np.ndarray, clean: np.ndarray) -> float:
    clean = clean.astype("f8")
    return 10 * np.log10(np.mean(clean**2) / np.mean((noisy - clean) ** 2))


@pytest.mark.parametrize("level_db", [15, 5, 0, -10])
def test_noise_is_as_loud_as_asked_and_the_very_stretch(level_db):
    speech, noise = noise_of(8000, 0.02), noise_of(20_000, 0.001, seed=1)
    noisy, clean, gain_db = mixed(speech, noise, snr_db=level_db, start=7000)
    assert (noisy.dtype, clean.dtype, gain_db) == ("f4", "f4", 0)
    np.testing.assert_array_equal(clean, speech)
    assert snr_db(noisy, clean) == pytest.approx(level_db, abs=1e-4)
    added, own = noisy - clean, noise[7000:15_000]
    np.testing.assert_allclose(added / added.std(), own / own.std(), atol=1e-4)


def test_both_are_turned_down_alike_where_the_mixture_would_clip():
    speech = noise_of(8000, 0.25)
    noisy, clean, gain_db = mixed(speech, noise_of(8000, 0.1, seed=1), snr_db=-3, start=0)
    assert gain_db < -1
    assert np.abs(noisy).max() == pytest.approx(32767 / 32768, abs=1e-6)
    np.testing.assert_allclose(clean, speech * 10 ** (gain_db / 20), rtol=1e-6, atol=1e-9)
    assert snr_db(noisy, clean) == pytest.approx(-3, abs=1e-4)


def test_a_short_noise_goes_round_without_a_click():
    # A ramp jumps from its end to its beginning; its neighbours are 2e-4 apart.
    ramp = np.linspace(-1, 1, 10_000, dtype="f4")
    around = stretch(ramp, 2000, 30_000)
    np.testing.assert_array_equal(around[: 10_000 - SEAM_SAMPLES - 2000], ramp[2000:-SEAM_SAMPLES])
    assert np.abs(np.diff(around)).max() < 0.03  # a jump of 2 spread over 160 samples
    np.testing.assert_array_equal(around[:5000], around[10_000 - SEAM_SAMPLES :][:5000])
    # Of noise the seam is as loud as the rest.
    rounds = np.stack([stretch(noise_of(1000, 0.1, seed), 500, 1000) for seed in range(2000)])
    loud = rounds.std(0)
    assert loud.min() > 0.092 and loud.max() < 0.108


@pytest.mark.parametrize("samples", [1, 2, 3, 319])
def test_the_shortest_noises(samples):
    around = stretch(noise_of(samples, 0.1), samples - 1, 1000)
    assert around.shape == (1000,)
    assert np.isfinite(around).all() and around.any()


def test_silence_can_not_be_mixed():
    speech, noise = noise_of(1000, 0.1), noise_of(5000, 0.1, seed=1)
    noise[2000:3500] = 0
    with pytest.raises(UserError, match=r"the speech: expected something to hear; found digital silence"):
        mixed(0 * speech, noise, snr_db=0, start=0)
    with pytest.raises(UserError, match=r"the noise from 2100 on: .* found digital silence"):
        mixed(speech, noise, snr_db=0, start=2100)
    with pytest.raises(UserError, match=r"the noise from 0 on: .* found silence \(-1\d\d dB\)"):
        mixed(speech, 1e-5 * noise, snr_db=0, start=0)
    assert snr_db(*mixed(speech, noise, snr_db=0, start=1500)[:2]) == pytest.approx(0, abs=1e-4)


def test_silent_ends_are_cut_off_and_pauses_stay():
    noise = np.zeros(100, "f4")
    noise[[10, 60]] = 0.1, -0.1
    noise[90] = 1e-5
    np.testing.assert_array_equal(without_silent_ends(noise), noise[10:61])
    assert len(without_silent_ends(0 * noise)) == 100
