"""Sound and pictures as files hold them: nearest whole number, within the range, and back."""

import numpy as np
import pytest

from stages.frame import pcm
from stages.frame.errors import UserError

QUANTUM = {"audio": 2**-15, "video": 1.0}


def test_what_has_a_quantum_becomes_whole_numbers_and_comes_back():
    arrays = {
        "audio": np.array([-1.0, 1.0, 0.4 * 2**-15, 0.6 * 2**-15], "f4"),
        "video": np.array([[-3.0, 254.6], [300.0, 7.4]], "f4"),
        "log_mel": np.array([0.123], "f4"),
    }
    held = pcm.to_file(arrays, QUANTUM)
    assert held["audio"].dtype == np.int16 and held["audio"].tolist() == [-32768, 32767, 0, 1]
    assert held["video"].dtype == np.uint8 and held["video"].tolist() == [[0, 255], [255, 7]]
    assert held["log_mel"] is arrays["log_mel"]
    again = pcm.from_file(held, QUANTUM)
    assert again["audio"].dtype == again["video"].dtype == np.float32
    assert again["audio"].tolist() == [-1.0, 1 - 2**-15, 0.0, 2**-15] and again["video"].tolist() == [
        [0, 255],
        [255, 7],
    ]
    assert again["log_mel"] is arrays["log_mel"]
    assert all(np.array_equal(held[name], pcm.to_file(again, QUANTUM)[name]) for name in held)


def test_floats_of_a_set_of_clips_are_no_whole_numbers():
    clip = {"audio": np.array([0.25], "f4"), "video": np.array([3], "u1")}
    assert pcm.from_file(clip, QUANTUM)["audio"].tolist() == [0.25]
    assert pcm.from_file(clip, QUANTUM)["video"].dtype == np.float32


def test_waveforms_are_the_same_by_either_name():
    waveform = np.linspace(-1, 1, 7, dtype="f4")
    assert np.array_equal(pcm.to_pcm16(waveform), pcm.to_file({"audio": waveform}, QUANTUM)["audio"])
    samples = pcm.to_pcm16(waveform)
    assert np.array_equal(pcm.from_pcm16(samples), pcm.from_file({"audio": samples}, QUANTUM)["audio"])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_becomes_no_number_of_a_file(value):
    waveform = np.array([0.5, value], "f4")
    with pytest.raises(UserError, match=r"expected finite numbers .*; found 1 that are not"):
        pcm.to_pcm16(waveform)
    with pytest.raises(UserError, match="expected finite numbers"):
        pcm.to_file({"audio": waveform}, QUANTUM)
    assert np.isnan(pcm.to_file({"log_mel": np.array([np.nan])}, QUANTUM)["log_mel"][0])
