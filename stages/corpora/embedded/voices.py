"""Built-in corpora: speech by eSpeak NG, through the library that the package espeakng-loader brings along."""

import ctypes
from _ctypes import dlclose
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import numpy as np

from stages.frame.parameters import Range

SYNCHRONOUS_RETRIEVAL = 2
UTF8 = 1
POSITION_OF_CHARACTERS = 1
RATE, VOLUME, PITCH, PITCH_RANGE, WORD_GAP = 1, 2, 3, 4, 7
Percentage = Annotated[int, Range(0, 100)]


def speak(
    text: str, voice: str, *, rate_wpm: int, pitch: Percentage, pitch_range: Percentage, word_gap_10ms: int = 0
) -> tuple[np.ndarray, int]:
    """A text spoken by a voice such as `it+f2`: float64 waveform (samples,) in [-1, 1), and its sampling rate in Hz.

    Pitch and its range are eSpeak's scales, 50 being the voice's own. Not for several threads at once.

    Raises:
        ValueError: no such voice.
    """
    with _fresh_library() as (library, rate_hz, heard):
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"eSpeak NG has no voice {voice!r}")
        settings = {RATE: rate_wpm, VOLUME: 100, PITCH: pitch, PITCH_RANGE: pitch_range, WORD_GAP: word_gap_10ms}
        for name, value in settings.items():
            library.espeak_SetParameter(name, int(value), 0)
        encoded = text.encode()
        library.espeak_Synth(encoded, len(encoded) + 1, 0, POSITION_OF_CHARACTERS, 0, UTF8, None, None)
        return np.concatenate(heard).astype(np.float64) / 32768, rate_hz


@contextmanager
def _fresh_library() -> Iterator[tuple[ctypes.CDLL, int, list[np.ndarray]]]:
    """The library, its sampling rate, and the list that its callback adds pieces of sound to.

    Loaded anew for each text (5 ms): the phase of its voices lives on in static variables, and no sound may depend on
    what was said before. Nor on when: eSpeak seeds the noise of breathy voices with the time of day.
    """
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    try:
        rate_hz = library.espeak_Initialize(SYNCHRONOUS_RETRIEVAL, 0, espeakng_loader.get_data_path().encode(), 0)
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        heard: list[np.ndarray] = []

        @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        def callback(samples, count, events):
            if samples and count > 0:
                heard.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
            return 0

        library.espeak_SetSynthCallback(callback)
        yield library, rate_hz, heard
        library.espeak_Terminate()
    finally:
        dlclose(library._handle)
