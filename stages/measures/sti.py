"""Room of measures: the speech transmission index of a degraded waveform, from it and the clean one."""

import numpy as np

OCTAVES_HZ = np.array([125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0])
OCTAVE_WEIGHTS = np.array([0.129, 0.143, 0.114, 0.114, 0.186, 0.171, 0.143])
MODULATIONS_HZ = np.array([0.63, 0.8, 1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0, 10.0, 12.5])
HALF_OCTAVE = np.sqrt(2)
ENVELOPE_RATE_HZ = 50  # the highest modulation band ends at 17.7 Hz
MODULATION_STEP_HZ = 0.05
PADDING_S = 0.1
FADE_S = 0.02
LIMIT_DB = 15.0
SHORTEST_S = 0.3
LEFT_OUT = 1e-7


def sti(clean: np.ndarray, degraded: np.ndarray, sample_rate_hz: int) -> float:
    """Speech transmission index in [0, 1], of two waveforms (samples,) that are aligned: 10 ms cost up to .02.

    The steps of IEC 60268-16, with the modulation transfer functions by regression of the degraded intensity envelopes
    on the clean ones (`transfer`), apparent signal-to-noise ratios limited to +-15 dB, a plain mean over modulation
    frequencies, and the octaves weighted as in Payton and Braida (1999), without IEC's terms for adjacent octaves or
    its masking and hearing thresholds. 1 for a clip and itself at any length and gain; 0 where the degraded clip is
    silent.

    Octaves whose centre lies above half the sampling rate are left out; one that reaches beyond it ends there (at
    16 kHz the uppermost is 5.66 to 8 kHz). So are octaves that lie 70 dB below the clean clip's strongest, which a
    file of 16 bits does not resolve, and modulation frequencies with less than one period in the clip. The weights of
    the others are scaled to a sum of one.

    Short clips in heavy noise come out too high, as it follows any envelope a little by chance: at -12 dB by .01 in
    5 s, .03 in 2 s and .08 in .5 s; from -6 dB on there is no such bias.

    It does not tell whether the degraded clip is the same speech at all. Factors are magnitudes, and any speech's
    envelope follows another's a little by chance: two speakers with different sentences have an index of .5 to .8 in
    .5 s, .4 to .5 in 3 s and .25 to .3 in 10 s, and .2 in 20 s.

    NaN for clips shorter than .3 s, and where the clean clip is silent.

    Raises:
        ValueError: the two differ in length.
    """
    if clean.shape != degraded.shape:
        raise ValueError(f"{clean.shape} samples against {degraded.shape}")
    if len(clean) < SHORTEST_S * sample_rate_hz or not clean.any():
        return float("nan")
    if not degraded.any():
        return 0.0
    factors, heard = transfer(*_envelopes(np.stack([clean, degraded]), sample_rate_hz))
    factors = factors.clip(1e-9, 1 - 1e-9)
    apparent_snr_db = (10 * np.log10(factors / (1 - factors))).clip(-LIMIT_DB, LIMIT_DB)
    octaves = (apparent_snr_db.mean(axis=1) + LIMIT_DB) / (2 * LIMIT_DB)
    return float(np.average(octaves, weights=OCTAVE_WEIGHTS[: len(heard)] * heard))


def transfer(clean: np.ndarray, degraded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Modulation transfer factors (octaves, modulation frequencies) >= 0, and which octaves the clean clip has.

    Both are intensity envelopes (octaves, frames) at `ENVELOPE_RATE_HZ`. The factor is the magnitude of the complex
    slope by which the degraded envelope follows the clean one, over an octave about each modulation frequency, where
    both are divided by their mean: |Sxy| / Sxx * mean(x) / mean(y) (envelope regression: Ludvigsen et al. 1990;
    Goldsworthy and Greenberg 2004; by modulation frequency: Drullman et al. 1994, Payton and Shrestha 2008). So
    stationary noise gives 1 / (1 + 10^(-SNR / 10)), and reverberation its modulation transfer function; compression
    gives less than 1, expansion more.
    """
    from scipy import fft

    frames = clean.shape[-1]
    means = clean.mean(axis=-1), degraded.mean(axis=-1)
    size = fft.next_fast_len(max(2 * frames, round(ENVELOPE_RATE_HZ / MODULATION_STEP_HZ)), real=True)
    x, y = (fft.rfft(env - mean[:, None], size) for env, mean in zip((clean, degraded), means))
    frequencies_hz = fft.rfftfreq(size, 1 / ENVELOPE_RATE_HZ)
    centres_hz = MODULATIONS_HZ[ENVELOPE_RATE_HZ / frames <= MODULATIONS_HZ, None]
    within = (frequencies_hz >= centres_hz / HALF_OCTAVE) & (frequencies_hz < centres_hz * HALF_OCTAVE)
    slopes = np.abs((x.conj() * y) @ within.T) / (np.square(np.abs(x)) @ within.T)
    gains = np.divide(means[0], means[1], out=np.zeros(len(slopes)), where=means[1] > 0)
    return slopes * gains[:, None], means[0] > LEFT_OUT * means[0].max()


def _envelopes(waveforms: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Intensity envelopes (waveforms, octaves, frames) at `ENVELOPE_RATE_HZ` of waveforms (waveforms, samples).

    Octave and low-pass filters are rectangles in frequency, so both ends are faded: a step there would sound in every
    octave, and be all that an octave without speech has. Each octave is shifted down to 0 Hz, where its analytic
    signal needs few samples: the squared magnitude has no ripple at twice the carrier.
    """
    from scipy import fft

    duration_s = waveforms.shape[-1] / sample_rate_hz
    window, fading = np.ones(waveforms.shape[-1]), int(FADE_S * sample_rate_hz)
    window[:fading] = np.hanning(2 * fading)[:fading]
    window[-fading:] = window[fading - 1 :: -1]
    # Room for the filters to ring out, rather than round into the clip's start.
    frames = fft.next_fast_len(int(np.ceil((duration_s + PADDING_S) * ENVELOPE_RATE_HZ)), real=True)
    spectra = fft.rfft(waveforms * window, frames * sample_rate_hz // ENVELOPE_RATE_HZ)
    resolution_hz = ENVELOPE_RATE_HZ / frames
    envelopes = []
    nyquist_hz = sample_rate_hz / 2
    for centre_hz in OCTAVES_HZ[nyquist_hz >= OCTAVES_HZ]:
        lowest, end = (int(np.ceil(centre_hz * edge / resolution_hz)) for edge in (1 / HALF_OCTAVE, HALF_OCTAVE))
        octave = spectra[:, lowest:end]
        analytic = fft.ifft(octave, fft.next_fast_len(2 * octave.shape[1]))
        modulations = fft.rfft(np.square(np.abs(analytic)))[:, : frames // 2 + 1]
        envelopes.append(fft.irfft(modulations, frames) * analytic.shape[1])  # so that octaves have the same unit
    return np.stack(envelopes, axis=1)[..., : round(duration_s * ENVELOPE_RATE_HZ)]
