"""eSpeak NG's voices: a sound depends on nothing but what is asked for, and pitch and rate do what they say."""

import ctypes
import time

import numpy as np
import pytest

from stages.corpora.embedded import emotional_dialogs, emotional_speech, noises, spoken_sentences, talking_faces
from stages.corpora.embedded.voices import speak

TEXT = "il treno parte domani"


def said(voice="it", rate_wpm=160, pitch=50, pitch_range=50):
    waveform, rate_hz = speak(TEXT, voice, rate_wpm=rate_wpm, pitch=pitch, pitch_range=pitch_range)
    assert rate_hz == 22050
    return waveform


def pitch_hz(waveform):
    """The median, over frames of 50 ms that are loud, of where the autocorrelation from 60 to 400 Hz is largest."""
    frames = [frame for frame in waveform[: len(waveform) // 1102 * 1102].reshape(-1, 1102) if frame.std() > 0.05]
    shortest, longest = 22050 // 400, 22050 // 60
    lags = [shortest + np.correlate(f, f, "full")[len(f) - 1 :][shortest:longest].argmax() for f in frames]
    return 22050 / np.median(lags)


def test_what_was_said_before_changes_nothing():
    first = said("it+f2")
    said("it+m3", rate_wpm=220)
    assert np.array_equal(said("it+f2"), first)
    assert 0.1 < np.abs(first).max() <= 1


@pytest.mark.parametrize("voice", ["it+f2", "it+klatt", "it+whisper"])
def test_the_time_of_day_changes_nothing(voice):
    first = said(voice)
    time.sleep(1.1)  # eSpeak's own seed is the time in whole seconds
    assert np.array_equal(said(voice), first)


def test_faster_is_shorter_and_higher_is_higher():
    assert len(said(rate_wpm=240)) < 0.8 * len(said(rate_wpm=140))
    low, high = (pitch_hz(said(pitch=value)) for value in (20, 80))
    assert 60 < low < high / 1.2 < 300


def test_an_unknown_voice_is_refused():
    with pytest.raises(ValueError, match="no voice 'zz'"):
        said("zz")


def voices_in_use():
    """Of all built-in corpora, each in one of the languages that it speaks there."""
    people = {f"en+{voice}" for voice in (talking_faces.WOMEN | talking_faces.MEN).values()}
    for language, voices in {
        "en": [*emotional_dialogs.VOICES.values(), emotional_dialogs.OTHER_VOICES],
        "en-us": spoken_sentences.VOICES.values(),
        "it": emotional_speech.VARIANTS.values(),
    }.items():
        people |= {f"{language}+{voice}" for own in voices for voice in own}
    return sorted(people | set(noises.VOICES))


def test_no_voice_depends_on_what_was_said_or_drawn_before():
    c_library = ctypes.CDLL(None)
    in_use = voices_in_use()
    first = {voice: said(voice) for voice in in_use}
    for number, voice in enumerate(reversed(in_use)):
        c_library.srand(number)
        for _ in range(number % 7):
            c_library.rand()
        assert np.array_equal(said(voice), first[voice]), voice
    assert "en+Reed" in first  # a voice by Klatt's synthesiser, whose noise comes from rand
