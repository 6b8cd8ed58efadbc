"""Built-in corpora: a synthetic impulse response of a great hall, for defences that send sound through a room."""

import io
from pathlib import Path

import numpy as np
import soundfile

from stages.frame.parameters import NonNegativeInt

RATE_HZ = 96_000
LENGTH_S = 2.0
DIRECT_SOUND_S = 0.03
DIRECT_TO_REVERBERANT_DB = -1.2
DIRECT_WINDOW_S = 0.0025
# Time to decay by 60 dB at each frequency (Hz), chosen so that the octaves' T30 come out as measured in the Great Hall
# of Queen Mary, University of London, from 500 Hz to 8 kHz; an octave's late decay is that of its slowest part.
DECAY_S = {62.5: 2.6, 500: 2.6, 1_000: 2.5, 2_000: 2.4, 4_000: 1.9, 8_000: 1.14, 16_000: 0.7, 48_000: 0.3}
BANDS_PER_OCTAVE = 6


def write_great_hall(path: Path, *, seed: NonNegativeInt) -> None:
    """Writes the response as WAV, 2.0 s, mono, 24 bit at 96 kHz: the real measurement's format, length and decay.

    A direct impulse after 30 ms, then noise that decays exponentially, faster at high frequencies (`DECAY_S`), at a
    direct-to-reverberant energy ratio of -1.2 dB (direct: the impulse and the 2.5 ms after it).
    """
    rng = np.random.default_rng(seed)
    reverberant = _decaying_noise(rng, round((LENGTH_S - DIRECT_SOUND_S) * RATE_HZ))
    # What falls into the window of the direct sound counts as direct.
    window = round(DIRECT_WINDOW_S * RATE_HZ)
    reverberant[:window] = 0
    reverberant /= np.sqrt(np.sum(reverberant**2))
    response = np.zeros(round(LENGTH_S * RATE_HZ))
    response[-len(reverberant) :] = reverberant
    response[-len(reverberant)] = 10 ** (DIRECT_TO_REVERBERANT_DB / 20)
    wav = io.BytesIO()
    soundfile.write(wav, 0.9 * response / np.abs(response).max(), RATE_HZ, subtype="PCM_24", format="WAV")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(wav.getvalue())


def _decaying_noise(rng: np.random.Generator, length: int) -> np.ndarray:
    """White noise that decays from time 0 on, each sixth of an octave at its own rate."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    frequency_hz = np.fft.rfftfreq(length, 1 / RATE_HZ)
    time_s = np.arange(length) / RATE_HZ
    lowest_hz = min(DECAY_S)
    band = np.floor(BANDS_PER_OCTAVE * np.log2(np.maximum(frequency_hz, lowest_hz) / lowest_hz)).astype(int)
    noise = np.zeros(length)
    for number in range(band.max() + 1):
        centre_hz = lowest_hz * 2 ** ((number + 0.5) / BANDS_PER_OCTAVE)
        decay_s = np.interp(np.log(centre_hz), np.log(list(DECAY_S)), list(DECAY_S.values()))
        noise += np.fft.irfft(spectrum * (band == number), length) * 10 ** (-3 * time_s / decay_s)
    return noise
