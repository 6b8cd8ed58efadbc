"""eSpeak NG's voices: a sound depends on nothing but what is asked for, and pitch and rate do what they say."""

import time

import librosa
import numpy as np
import pytest

from stages.corpora.embedded.voices import speak

TEXT = "il treno parte domani"


def said(voice="it", rate_wpm=160, pitch=50, pitch_range=50):
    waveform, rate_hz = speak(TEXT, voice, rate_wpm=rate_wpm, pitch=pitch, pitch_range=pitch_range)
    assert rate_hz == 22050
    return waveform


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
    low, high = (np.nanmedian(librosa.pyin(said(pitch=p), fmin=60, fmax=500, sr=22050)[0]) for p in (20, 80))
    assert high > 1.2 * low


def test_an_unknown_voice_is_refused():
    with pytest.raises(ValueError, match="no voice 'zz'"):
        said("zz")
