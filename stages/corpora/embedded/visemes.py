"""Built-in corpora: how the lips follow the phonemes of a synthetic voice; the movements that a drawn face makes."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from stages.corpora.embedded.voices import SpeechEvent

RATE_HZ = 200
# How long a stop is closed. The library places a voiceless one at its release, a voiced one at the murmur before.
CLOSURE_S = 0.05
MURMUR_S = 0.045
FIRST_VOWEL = 0.55  # of a diphthong's length
# Aperture, width, and how much the teeth show, each from 0 to 1; the lips' width at rest is 0.5.
REST = (0.0, 0.5, 0.0)
VOWELS = {
    "a": (0.85, 0.65, 0.5),
    "A": (1.0, 0.5, 0.3),
    "E": (0.65, 0.65, 0.5),
    "e": (0.55, 0.7, 0.5),
    "i": (0.3, 0.95, 0.7),
    "I": (0.35, 0.75, 0.6),
    "0": (0.85, 0.4, 0.2),
    "O": (0.7, 0.2, 0.1),
    "o": (0.6, 0.15, 0.1),
    "U": (0.4, 0.15, 0.1),
    "u": (0.3, 0.0, 0.0),
    "V": (0.7, 0.5, 0.3),
    "3": (0.45, 0.35, 0.3),
    "@": (0.4, 0.45, 0.3),
}
VOWEL_DOMINANCE = 2.0
# The same three, and how strongly the consonant holds its place against its neighbours.
CONSONANTS = (
    ("pbm", (0.0, 0.5, 0.0), 6.0),
    ("fv", (0.1, 0.5, 1.0), 4.0),
    ("w", (0.15, 0.0, 0.0), 3.0),
    ("sz", (0.15, 0.7, 1.0), 1.5),
    ("SZ", (0.25, 0.1, 0.9), 1.5),
    ("r", (0.3, 0.2, 0.3), 1.0),
    ("j", (0.25, 0.8, 0.5), 1.0),
    ("TD", (0.25, 0.55, 0.7), 1.0),
    ("tdnl", (0.25, 0.55, 0.5), 0.8),
    ("kgNhx", (0.35, 0.5, 0.2), 0.35),
)
STOPS = tuple("pbtdkg")
TARGETS = {symbol: (target, weight) for symbols, target, weight in CONSONANTS for symbol in symbols}


def tracks(events: Sequence[SpeechEvent], times_s: np.ndarray, *, smoothing_s: float) -> np.ndarray:
    """Lip movements (times, 3) of a text spoken with these events: aperture, width and visible teeth, each in [0, 1].

    A target for each phoneme, held for its length, then smoothed by a Gaussian weighted with the phonemes' dominance:
    the lips close for p, b and m however short, and a k takes its neighbours' shape. At rest before and after.

    Args:
        events: of `voices.speak_with_events`.
        times_s: where the tracks are read, on the events' clock; may be negative.
        smoothing_s: standard deviation of the Gaussian.
    """
    from scipy.ndimage import gaussian_filter1d

    start_s = times_s.min() - 0.5
    count = round((times_s.max() + 0.5 - start_s) * RATE_HZ) + 1
    clock_s = start_s + np.arange(count) / RATE_HZ
    held = np.tile(np.asarray([*REST, 1.0]), (count, 1))
    for from_s, to_s, target, dominance in _targets(events):
        held[(clock_s >= from_s) & (clock_s < to_s)] = (*target, dominance)
    weighted = held[:, :3] * held[:, 3:]
    sigma = smoothing_s * RATE_HZ
    smooth = gaussian_filter1d(weighted, sigma, axis=0) / gaussian_filter1d(held[:, 3:], sigma, axis=0)
    return np.stack([np.interp(times_s, clock_s, track) for track in smooth.T], axis=1)


def _targets(events: Sequence[SpeechEvent]) -> list[tuple[float, float, tuple[float, float, float], float]]:
    """(start, end, target, dominance) of each part of a phoneme; where two overlap, the later one holds."""
    phonemes = [event for event in events if event.kind != "word"]
    parts = []
    released_s = 0.0
    for event, following in pairwise(phonemes):
        # After a stop's release the lips have the next sound's shape.
        start_s, end_s = min(event.start_s, released_s or event.start_s), following.start_s
        released_s = 0.0
        vowels = [VOWELS[symbol] for symbol in event.name if symbol in VOWELS]
        consonant = next((symbol for symbol in reversed(event.name) if symbol in TARGETS), None)
        if vowels:
            middle_s = start_s + (FIRST_VOWEL if len(vowels) > 1 else 1.0) * (end_s - start_s)
            parts += [(start_s, middle_s, vowels[0], VOWEL_DOMINANCE), (middle_s, end_s, vowels[-1], VOWEL_DOMINANCE)]
        elif consonant in STOPS:
            released_s = min(event.start_s + MURMUR_S, end_s) if consonant in "bdg" else event.start_s
            parts.append((released_s - CLOSURE_S, released_s, *TARGETS[consonant]))
        elif consonant:  # an affricate looks like its fricative
            parts.append((start_s, end_s, *TARGETS[consonant]))
    return parts
