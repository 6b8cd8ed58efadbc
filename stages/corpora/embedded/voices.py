"""Built-in corpora: speech by eSpeak NG, through the library that the package espeakng-loader brings along."""

import ctypes
import itertools
from _ctypes import dlclose
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal, NamedTuple

import numpy as np

from stages.frame.parameters import Range

SYNCHRONOUS_RETRIEVAL = 2
PHONEME_EVENTS = 1
UTF8 = 1
POSITION_OF_CHARACTERS = 1
RATE, VOLUME, PITCH, PITCH_RANGE, WORD_GAP = 1, 2, 3, 4, 7
Percentage = Annotated[int, Range(0, 100)]
EVENT_KINDS = {1: "word", 5: "end", 7: "phoneme"}  # of eSpeak's kinds, the three that tell times


class SpeechEvent(NamedTuple):
    """What begins at this time: a word of the text, a phoneme by eSpeak's mnemonic, or a sentence's end (name "")."""

    kind: Literal["word", "phoneme", "end"]
    start_s: float
    name: str


class _Event(ctypes.Structure):
    """The library's espeak_EVENT; a phoneme's mnemonic is in the last field, eight bytes filled up with zeros."""

    _fields_ = (
        ("kind", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("mnemonic", ctypes.c_char * 8),
    )


def speak(text: str, voice: str, **manner: int) -> tuple[np.ndarray, int]:
    """A text spoken by a voice such as `it+f2`: float64 waveform (samples,) in [-1, 1), and its sampling rate in Hz.

    The manner is that of `_spoken`. Not for several threads at once.

    Raises:
        ValueError: no such voice.
    """
    waveform, rate_hz, _ = _spoken(text, voice, 0, **manner)
    return waveform, rate_hz


def speak_with_events(text: str, voice: str, **manner: int) -> tuple[np.ndarray, int, list[SpeechEvent]]:
    """As `speak`, with its words and phonemes in the order of time, each at a whole millisecond, and sentences' ends.

    Raises:
        ValueError: no such voice.
    """
    return _spoken(text, voice, PHONEME_EVENTS, **manner)


def _spoken(
    text: str,
    voice: str,
    options: int,
    *,
    rate_wpm: int,
    pitch: Percentage,
    pitch_range: Percentage,
    word_gap_10ms: int = 0,
) -> tuple[np.ndarray, int, list[SpeechEvent]]:
    """Pitch and its range are eSpeak's scales, 50 being the voice's own."""
    with _fresh_library(options) as (library, rate_hz, heard, events):
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"eSpeak NG has no voice {voice!r}")
        settings = {RATE: rate_wpm, VOLUME: 100, PITCH: pitch, PITCH_RANGE: pitch_range, WORD_GAP: word_gap_10ms}
        for name, value in settings.items():
            library.espeak_SetParameter(name, int(value), 0)
        encoded = text.encode()
        library.espeak_Synth(encoded, len(encoded) + 1, 0, POSITION_OF_CHARACTERS, 0, UTF8, None, None)
        return np.concatenate(heard).astype(np.float64) / 32768, rate_hz, [_named(event, text) for event in events]


def _named(event: _Event, text: str) -> SpeechEvent:
    kind = EVENT_KINDS[event.kind]
    word = text[event.text_position - 1 :][: event.length]
    name = {"word": word, "end": "", "phoneme": event.mnemonic.decode()}[kind]
    return SpeechEvent(kind, event.audio_position_ms / 1000, name)


@contextmanager
def _fresh_library(options: int) -> Iterator[tuple[ctypes.CDLL, int, list[np.ndarray], list[_Event]]]:
    """The library, its sampling rate, and the two lists that its callback adds pieces of sound and events to.

    Loaded anew for each text (5 ms): the phase of its voices lives on in static variables, and no sound may depend on
    what was said before. Nor on when: eSpeak seeds the noise of breathy voices with the time of day. Nor on who else
    draws from the C library's numbers: Klatt's voices take their noise from its `rand`, which eSpeak never seeds.
    """
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    try:
        rate_hz = library.espeak_Initialize(SYNCHRONOUS_RETRIEVAL, 0, espeakng_loader.get_data_path().encode(), options)
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        ctypes.CDLL(None).srand(1)
        heard: list[np.ndarray] = []
        events: list[_Event] = []

        @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
        def callback(samples, count, happened):
            if samples and count > 0:
                heard.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
            for event in itertools.takewhile(lambda event: event.kind, map(happened.__getitem__, itertools.count())):
                if event.kind in EVENT_KINDS:
                    events.append(_Event.from_buffer_copy(event))  # noqa: PERF401 (the list belongs to the caller)
            return 0

        library.espeak_SetSynthCallback(callback)
        yield library, rate_hz, heard, events
        library.espeak_Terminate()
    finally:
        dlclose(library._handle)
