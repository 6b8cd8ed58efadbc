"""Room of features: mixes speech with noise at a given signal-to-noise ratio."""

import numpy as np

from stages.frame.errors import UserError

# Over 10 ms at 16 kHz a recording's end is faded into its beginning, so that a seam does not click.
SEAM_SAMPLES = 160
# Below one step of 16 bits there is nothing to hear, only what coding and resampling left; it must not be made louder.
SILENT = 2**-15
LOUDEST = 1 - 2**-15


def mixed(speech: np.ndarray, noise: np.ndarray, *, snr_db: float, start: int) -> tuple[np.ndarray, np.ndarray, float]:
    """The speech with noise, the speech alone, each float32 (samples,) in [-1, 1), and the gain of both in dB.

    The noise is made as loud as it takes for 10 log10(P_speech / P_noise) to be `snr_db`, P being the mean power over
    the whole clip. Where the mixture would go beyond full scale, both are turned down alike until it does not.

    Args:
        speech: float32 (samples,) in [-1, 1).
        noise: of any length, see `stretch`.
        snr_db: signal-to-noise ratio.
        start: the sample of the noise that the mixture begins with.

    Raises:
        UserError: the speech, or this stretch of the noise, has an RMS below one step of 16 bits.
    """
    speech = speech.astype(np.float64)
    noise = stretch(noise, start, len(speech)).astype(np.float64)
    loud, noise_loud = (
        _rms(one, name) for one, name in ((speech, "the speech"), (noise, f"the noise from {start} on"))
    )
    noise *= loud / noise_loud * 10 ** (-snr_db / 20)
    noisy = speech + noise
    gain = min(1.0, LOUDEST / np.abs(noisy).max())
    return (gain * noisy).astype(np.float32), (gain * speech).astype(np.float32), float(20 * np.log10(gain))


def stretch(noise: np.ndarray, start: int, samples: int) -> np.ndarray:
    """So many samples of the noise (any length) from `start` on.

    Where that goes beyond its end, the noise is bent to a ring: its last 10 ms (half of it where it is shorter than
    20 ms) are faded into its first at constant power, and the ring goes round as often as it takes.
    """
    if start + samples <= len(noise):
        return noise[start : start + samples]
    seam = min(SEAM_SAMPLES, len(noise) // 2)
    ring = noise[: len(noise) - seam].copy()
    angle = (np.arange(seam) + 0.5) / max(seam, 1) * np.pi / 2
    ring[:seam] = np.sin(angle) * noise[:seam] + np.cos(angle) * noise[len(noise) - seam :]
    return ring[(start + np.arange(samples)) % len(ring)]


def without_silent_ends(noise: np.ndarray) -> np.ndarray:
    """The samples (any length) from the first to the last that reach one step of 16 bits; all of them if none does.

    Published clips of short sounds are often filled up to an even length with digital silence.
    """
    heard = np.flatnonzero(np.abs(noise) >= SILENT)
    return noise[heard[0] : heard[-1] + 1] if len(heard) else noise


def _rms(waveform: np.ndarray, name: str) -> float:
    rms = np.sqrt(np.mean(waveform**2))
    if rms < SILENT:
        found = f"silence ({20 * np.log10(rms):.0f} dB)" if rms else "digital silence"
        raise UserError(name, "something to hear", found, "leave the clip out of the corpus")
    return rms
