"""Built-in corpora: physical models of eight kinds of sound, and of the room in which they were recorded.

Every model takes a random generator and a length in samples at `RATE_HZ`, draws its own pitch, decay and colour, and
returns float64 of that length with an arbitrary scale. Ranges of kindred sounds overlap on purpose: a mellow violin, a
bright flute and a breathy clarinet, a loose snare drum and a bass drum, are hard to tell apart.
"""

from collections.abc import Sequence

import numpy as np
from scipy.signal import butter, lfilter

RATE_HZ = 44_100
# Ratios of a free bar's transverse modes and of a circular membrane's (Fletcher & Rossing, The Physics of Musical
# Instruments, chapters 2 and 3).
BAR_MODES = (1.0, 2.756, 5.404, 8.933, 13.34)
MEMBRANE_MODES = (1.0, 1.594, 2.136, 2.296, 2.653, 2.918, 3.156, 3.501)


def plucked_string(rng: np.random.Generator, length: int) -> np.ndarray:
    """A string and its body by Karplus & Strong's plucked-string algorithm (Computer Music Journal 7(2), 1983)."""
    pitch_hz = _log_uniform(rng, 110, 880)
    period = RATE_HZ / pitch_hz - 0.5  # the averaging filter in the loop delays by up to half a sample
    whole = int(period)
    pluck = _low_passed(rng.standard_normal(whole + 1), _log_uniform(rng, 2_000, 12_000))
    loss = 0.001 ** (1 / (pitch_hz * _log_uniform(rng, 0.4, 3.0)))  # -60 dB after that many seconds
    brightness = rng.uniform(0.5, 0.85)
    loop = np.zeros(whole + 2)
    loop[0], loop[whole], loop[whole + 1] = 1, -loss * brightness, -loss * (1 - brightness)
    excitation = np.zeros(length)
    excitation[: whole + 1] = pluck[:length]
    string = lfilter([1], loop, excitation)
    return string + 0.5 * _resonance(string, rng.uniform(90, 250), 60)


def struck_bar(rng: np.random.Generator, length: int) -> np.ndarray:
    """A metal bar: inharmonic modes, the higher the shorter, and the click of the beater."""
    pitch_hz = _log_uniform(rng, 500, 2_500)
    hardness = rng.uniform(0.3, 1.2)
    ring = _modes(rng, length, pitch_hz, BAR_MODES, decay_s=_log_uniform(rng, 0.15, 1.2), tilt=1.5 - hardness)
    return ring + 0.3 * hardness * _burst(rng, length, decay_s=0.003, low_hz=2_000, high_hz=16_000)


def bass_drum(rng: np.random.Generator, length: int) -> np.ndarray:
    """A large membrane whose pitch falls as its tension relaxes, and the thud of the beater."""
    skin = _membrane(rng, length, _log_uniform(rng, 45, 120), decay_s=_log_uniform(rng, 0.08, 0.4), glide=0.8)
    return skin + rng.uniform(0, 0.4) * _burst(rng, length, decay_s=0.02, low_hz=100, high_hz=4_000)


def snare_drum(rng: np.random.Generator, length: int) -> np.ndarray:
    """A small membrane and the rattle of the wires under it, sometimes loose."""
    skin = _membrane(rng, length, _log_uniform(rng, 100, 280), decay_s=_log_uniform(rng, 0.05, 0.2), glide=0.2)
    low_hz, high_hz = _log_uniform(rng, 300, 1_500), _log_uniform(rng, 5_000, 12_000)
    wires = _burst(rng, length, decay_s=_log_uniform(rng, 0.03, 0.2), low_hz=low_hz, high_hz=high_hz)
    return skin + _log_uniform(rng, 0.35, 2.0) * wires


def hi_hat(rng: np.random.Generator, length: int) -> np.ndarray:
    """Two cymbals, closed to half open: high noise over a crowd of metallic modes, with the stick's low thump."""
    low_hz = _log_uniform(rng, 4_000, 9_000)
    noise = _burst(rng, length, decay_s=_log_uniform(rng, 0.03, 0.4), low_hz=low_hz, high_hz=18_000)
    ratios = rng.uniform(1, 5, 12)
    metal = _modes(rng, length, rng.uniform(2_000, 4_000), ratios, decay_s=_log_uniform(rng, 0.05, 0.3), tilt=0)
    thump = _membrane(rng, length, _log_uniform(rng, 150, 300), decay_s=0.05, glide=0)
    return noise + rng.uniform(0, 0.6) * metal + rng.uniform(0, 0.35) * thump


def clarinet(rng: np.random.Generator, length: int) -> np.ndarray:
    """A reed on a closed tube: odd harmonics; even ones grow with pitch as in the real instrument."""
    pitch_hz = _log_uniform(rng, 150, 600)
    number = np.arange(1, 25)
    even = rng.uniform(0.01, 0.06) + 0.1 * rng.uniform() * pitch_hz / 600
    strengths = np.where(number % 2 == 1, 1, even) * number ** -rng.uniform(0.7, 1.6)
    tone = _blown(rng, length, pitch_hz, strengths, vibrato_depth=rng.uniform(0, 0.004))
    return tone + _log_uniform(rng, 0.005, 0.05) * _breath(rng, length, pitch_hz)


def flute(rng: np.random.Generator, length: int) -> np.ndarray:
    """An air jet on an open tube: few harmonics, vibrato, and much breath."""
    pitch_hz = _log_uniform(rng, 300, 1_800)
    strengths = np.arange(1, 13) ** -rng.uniform(1.8, 2.8) * rng.uniform(0.3, 1, 12)
    tone = _blown(rng, length, pitch_hz, strengths, vibrato_depth=rng.uniform(0, 0.015))
    return tone + _log_uniform(rng, 0.05, 0.35) * _breath(rng, length, pitch_hz)


def bowed_string(rng: np.random.Generator, length: int) -> np.ndarray:
    """Helmholtz's sawtooth motion under a bow, through three resonances of the body, with vibrato and bow noise."""
    pitch_hz = _log_uniform(rng, 196, 1_000)
    strengths = np.arange(1, 31) ** -rng.uniform(0.5, 1.1)
    string = _blown(rng, length, pitch_hz, strengths, vibrato_depth=rng.uniform(0.006, 0.02))
    string = string + _log_uniform(rng, 0.01, 0.1) * _breath(rng, length, pitch_hz)
    body = sum(_resonance(string, centre_hz * rng.uniform(0.9, 1.1), 120) for centre_hz in (280, 460, 1_000, 2_500))
    return 0.5 * string + rng.uniform(0.3, 1.0) * body


def recorded(rng: np.random.Generator, dry: np.ndarray) -> np.ndarray:
    """The sound as a microphone somewhere in a room takes it up: duller the farther, with a few early reflections."""
    distance = rng.uniform()
    sound = _low_passed(dry, 18_000 * (4_000 / 18_000) ** distance)
    heard = sound.copy()
    for delay in rng.integers(round(0.004 * RATE_HZ), round(0.06 * RATE_HZ), rng.integers(2, 7)):
        if delay < len(sound):
            heard[delay:] += distance * rng.uniform(0.1, 0.5) * sound[:-delay]
    return heard


def background(rng: np.random.Generator, length: int) -> np.ndarray:
    """Noise of unit variance whose power falls with frequency as f^-a, a between 0 (white) and 2 (brown)."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    spectrum *= np.maximum(np.arange(len(spectrum)), 20 * length / RATE_HZ) ** -rng.uniform(0, 1)
    noise = np.fft.irfft(spectrum, length)
    return noise / noise.std()


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return low * (high / low) ** rng.uniform()


def _low_passed(signal: np.ndarray, cutoff_hz: float) -> np.ndarray:
    return lfilter(*butter(1, cutoff_hz, fs=RATE_HZ), signal)


def _resonance(signal: np.ndarray, centre_hz: float, width_hz: float) -> np.ndarray:
    """`signal` through a two-pole resonance of unit gain at its centre."""
    return lfilter(*butter(1, [centre_hz - width_hz / 2, centre_hz + width_hz / 2], "bandpass", fs=RATE_HZ), signal)


def _modes(
    rng: np.random.Generator, length: int, pitch_hz: float, ratios: Sequence[float], *, decay_s: float, tilt: float
) -> np.ndarray:
    """Damped sinusoids at `ratios` of the pitch: amplitude ratio^-tilt, and decay (to 1/e) decay_s / ratio^0.7."""
    time_s = np.arange(length) / RATE_HZ
    sound = np.zeros(length)
    for ratio in ratios:
        if pitch_hz * ratio < RATE_HZ / 2:
            amplitude = rng.uniform(0.5, 1) * ratio**-tilt
            swing = np.sin(2 * np.pi * (pitch_hz * ratio * time_s + rng.uniform()))
            sound += amplitude * swing * np.exp(-time_s * ratio**0.7 / decay_s)
    return sound


def _membrane(rng: np.random.Generator, length: int, pitch_hz: float, *, decay_s: float, glide: float) -> np.ndarray:
    """A struck skin whose pitch starts (1 + glide) times as high and settles within some 30 ms."""
    time_s = np.arange(length) / RATE_HZ
    cycles = pitch_hz * (time_s + glide * 0.03 * (1 - np.exp(-time_s / 0.03)))
    return sum(
        rng.uniform(0.3, 1) * ratio**-1.5 * np.sin(2 * np.pi * ratio * cycles) * np.exp(-time_s * ratio / decay_s)
        for ratio in MEMBRANE_MODES
    )


def _burst(rng: np.random.Generator, length: int, *, decay_s: float, low_hz: float, high_hz: float) -> np.ndarray:
    """Noise between two frequencies that decays to 1/e in `decay_s`."""
    noise = lfilter(*butter(2, [low_hz, high_hz], "bandpass", fs=RATE_HZ), rng.standard_normal(length))
    return noise * np.exp(-np.arange(length) / (RATE_HZ * decay_s))


def _blown(
    rng: np.random.Generator, length: int, pitch_hz: float, strengths: np.ndarray, *, vibrato_depth: float
) -> np.ndarray:
    """A sustained tone with the given strengths of harmonics; the upper ones speak later than the lower ones."""
    time_s = np.arange(length) / RATE_HZ
    rate_hz, phase = rng.uniform(4, 7), rng.uniform(0, 2 * np.pi)
    vibrato = vibrato_depth * pitch_hz / rate_hz * np.sin(2 * np.pi * rate_hz * time_s + phase)
    angle = 2 * np.pi * pitch_hz * time_s + vibrato
    heard = min(len(strengths), int(20_000 / pitch_hz))
    envelope = _held(rng, length)
    # cos((k+1)a) = 2 cos(a) cos(ka) - cos((k-1)a) spares one cosine a harmonic.
    twice_cosine, before, now = 2 * np.cos(angle), np.ones(length), np.cos(angle)
    sound = np.zeros(length)
    for number in range(heard):
        sound += strengths[number] * envelope ** (1 + 0.15 * number) * now
        before, now = now, twice_cosine * now - before
    return sound


def _breath(rng: np.random.Generator, length: int, pitch_hz: float) -> np.ndarray:
    """Noise of unit variance around and above the pitch, as a jet or a bow makes it."""
    noise = lfilter(*butter(1, [pitch_hz, 12_000], "bandpass", fs=RATE_HZ), rng.standard_normal(length))
    return _held(rng, length) * noise / noise.std()


def _held(rng: np.random.Generator, length: int) -> np.ndarray:
    """An envelope in [0, 1]: an attack of 10 to 120 ms, a slow swell, a release of 50 to 250 ms."""
    time_s = np.arange(length) / RATE_HZ
    attack_s, release_s = _log_uniform(rng, 0.01, 0.12), rng.uniform(0.05, 0.25)
    rise = np.clip(time_s / attack_s, 0, 1)
    fall = np.clip((time_s[-1] - time_s) / release_s, 0, 1)
    return rise * fall * (1 - rng.uniform(0, 0.4) * time_s / time_s[-1])
