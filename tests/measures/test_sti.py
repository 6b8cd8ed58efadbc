"""The speech transmission index against the closed forms of noise and reverberation, and at all lengths."""

import math

import numpy as np
import pytest
from scipy.signal import fftconvolve, resample_poly

from stages.corpora.embedded.voices import speak
from stages.measures.sti import MODULATIONS_HZ, OCTAVES_HZ, sti

RATE_HZ = 16000
EDGES_HZ = [(centre / math.sqrt(2), min(centre * math.sqrt(2), RATE_HZ / 2)) for centre in OCTAVES_HZ]


def modulated_noise(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise whose level changes as that of speech, mostly below 16 Hz."""
    rng = np.random.default_rng(seed)
    samples = int(seconds * RATE_HZ)
    levels = np.fft.rfft(rng.standard_normal(samples))
    frequencies_hz = np.fft.rfftfreq(samples, 1 / RATE_HZ)
    levels = np.fft.irfft(levels * (frequencies_hz < 16) / np.sqrt(0.5 + frequencies_hz / 4), samples)
    return rng.standard_normal(samples) * np.exp(levels / levels.std()) * 0.05


def speech(seconds: float) -> np.ndarray:
    text = "open the door and water the plants in the garden before the rain begins again " * 6
    spoken, _ = speak(text, "en+f2", rate_wpm=160, pitch=50, pitch_range=50)
    return resample_poly(spoken, 320, 441)[RATE_HZ // 10 :][: int(seconds * RATE_HZ)]


def stationary_noise(like: np.ndarray, snr_db: float, seed: int = 0) -> np.ndarray:
    """Noise so many dB below a clip in each octave."""
    frequencies_hz = np.fft.rfftfreq(len(like), 1 / RATE_HZ)
    wanted = np.abs(np.fft.rfft(like)) ** 2
    noise = np.fft.rfft(np.random.default_rng(seed).standard_normal(len(like)))
    for low, high in EDGES_HZ:
        octave = (frequencies_hz >= low) & (frequencies_hz <= high)
        noise[octave] *= np.sqrt(wanted[octave].sum() / (np.abs(noise[octave]) ** 2).sum())
    return np.fft.irfft(noise, len(like)) * 10 ** (-snr_db / 20)


def room(reverberation_s: float, seed: int) -> np.ndarray:
    times_s = np.arange(int(1.5 * reverberation_s * RATE_HZ)) / RATE_HZ
    return np.random.default_rng(seed).standard_normal(len(times_s)) * np.exp(-6.9 * times_s / reverberation_s)


CARRIERS = pytest.mark.parametrize("carrier", [modulated_noise, speech])


@CARRIERS
@pytest.mark.parametrize("snr_db", [-12, -6, 0, 6, 12])
def test_stationary_noise_gives_its_signal_to_noise_ratio(carrier, snr_db):
    """With m = 1 / (1 + 10^(-SNR / 10)) the apparent ratio is the true one."""
    clean = carrier(6)
    assert sti(clean, clean + stationary_noise(clean, snr_db), RATE_HZ) == pytest.approx((snr_db + 15) / 30, abs=0.03)


@CARRIERS
@pytest.mark.parametrize("reverberation_s", [0.4, 1, 2])
def test_exponential_reverberation_gives_its_modulation_transfer(carrier, reverberation_s):
    """m(F) = 1 / sqrt(1 + (2 pi F T / 13.8)^2); the mean of six rooms, as each one's decay is a draw of noise."""
    factors = 1 / np.sqrt(1 + (2 * np.pi * MODULATIONS_HZ * reverberation_s / 13.8) ** 2)
    expected = np.mean((10 * np.log10(factors / (1 - factors)).clip(-1.5, 1.5) + 15) / 30)
    clean = carrier(15)
    found = [sti(clean, fftconvolve(clean, room(reverberation_s, seed))[: len(clean)], RATE_HZ) for seed in range(6)]
    assert np.mean(found) == pytest.approx(expected, abs=0.03)


@CARRIERS
@pytest.mark.parametrize("seconds", [0.3, 0.5, 2, 6.5])
def test_a_clip_and_itself_give_one_at_any_length_gain_and_sign(carrier, seconds):
    clean = carrier(seconds)
    assert sti(clean, clean, RATE_HZ) == 1
    assert sti(clean, -0.01 * clean, RATE_HZ) == 1


def test_more_noise_never_gives_more():
    clean = speech(2)
    noise = np.random.default_rng(0).standard_normal(len(clean)) * clean.std()
    found = [sti(clean, clean + noise * 10 ** (-snr_db / 20), RATE_HZ) for snr_db in range(-20, 41, 5)]
    assert found == sorted(found) and found[0] < 0.25 < 0.95 < found[-1]
    # Noise alone tells nothing of the clip.
    assert sti(clean, noise, RATE_HZ) < 0.2


@pytest.mark.parametrize(("seconds", "low", "high"), [(1, 0.4, 0.7), (3, 0.35, 0.6)])
def test_other_speech_is_not_told_from_this(seconds, low, high):
    """What the docstring warns of: any speech's envelope follows another's by chance."""
    clean = speech(20)
    halves = clean[: seconds * RATE_HZ], clean[9 * RATE_HZ :][: seconds * RATE_HZ]
    assert low < sti(*halves, RATE_HZ) < high


def test_short_clips_give_about_what_long_ones_do():
    for seconds, tolerance in ((0.5, 0.06), (1, 0.04), (2, 0.03)):
        clips = [modulated_noise(seconds, seed) for seed in range(10)]
        found = [sti(clip, clip + stationary_noise(clip, 3, seed), RATE_HZ) for seed, clip in enumerate(clips)]
        assert np.abs(np.array(found) - 0.6).max() < tolerance


def test_clipping_costs_and_a_small_delay_does_not():
    clean = speech(3)
    hard, soft = (
        sti(clean, clean.clip(-limit, limit), RATE_HZ) for limit in np.abs(clean).max() * np.array([0.02, 0.5])
    )
    assert 0.2 < hard < soft - 0.2 < 0.8
    assert sti(clean[160:], clean[:-160], RATE_HZ) > 0.99


def test_one_octave_in_noise_costs_its_weight():
    clean = modulated_noise(4)
    frequencies_hz = np.fft.rfftfreq(len(clean), 1 / RATE_HZ)
    noise = np.fft.rfft(stationary_noise(clean, -30))
    noise[(frequencies_hz < 1500) | (frequencies_hz >= 2700)] = 0
    assert sti(clean, clean + np.fft.irfft(noise, len(clean)), RATE_HZ) == pytest.approx(1 - 0.186, abs=0.03)


def test_an_octave_that_the_clean_clip_lacks_does_not_count():
    clean = modulated_noise(4)
    frequencies_hz = np.fft.rfftfreq(len(clean), 1 / RATE_HZ)
    noise = np.fft.rfft(stationary_noise(clean, 0))
    noise[frequencies_hz < 5800] = 0
    narrow = np.fft.irfft(np.fft.rfft(clean) * (frequencies_hz < 5500), len(clean))
    assert sti(narrow, narrow + np.fft.irfft(noise, len(clean)), RATE_HZ) == pytest.approx(1, abs=1e-3)
    # One that the degraded clip lacks does.
    assert sti(clean, narrow, RATE_HZ) < 0.95


@pytest.mark.parametrize("rate_hz", [8000, 11025, 22050, 48000])
def test_other_sampling_rates_give_the_same(rate_hz):
    clean = modulated_noise(4)
    degraded = clean + stationary_noise(clean, 3)
    step = math.gcd(rate_hz, RATE_HZ)
    resampled = (resample_poly(x, rate_hz // step, RATE_HZ // step) for x in (clean, degraded))
    assert sti(*resampled, rate_hz) == pytest.approx(sti(clean, degraded, RATE_HZ), abs=0.03)


def test_what_has_no_index():
    clean = speech(2)
    assert math.isnan(sti(np.zeros_like(clean), clean, RATE_HZ))
    assert math.isnan(sti(clean[:4799], clean[:4799], RATE_HZ))
    assert sti(clean, np.zeros_like(clean), RATE_HZ) == 0
    with pytest.raises(ValueError, match="samples against"):
        sti(clean, clean[1:], RATE_HZ)
