"""Whether a room's response is read, aligned and scaled rightly."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import correlate

from stages.frame.errors import UserError
from stages.frame.treatment import Treatment
from stages.treatments.reverb import read_response, treat

RATE_HZ = 32000
CLIP = np.random.default_rng(1).normal(0, 0.2, 8000).clip(-1, 0.99).astype(np.float32)
GREAT_HALL = Path(__file__).parents[3] / "shared/corpora/impulse_responses/GreatHall_Omni_x06y06.wav"


def written(path: Path, response: np.ndarray, rate_hz: int = RATE_HZ) -> str:
    soundfile.write(path, response, rate_hz, subtype="FLOAT")
    return str(path)


def reverberated(clip: np.ndarray, impulse_response: str) -> np.ndarray:
    return treat([clip], sample_rate_hz=RATE_HZ, seeds=[0], device="cpu", impulse_response=impulse_response)[0]


@pytest.mark.parametrize("delay", [0, 1, 700])
@pytest.mark.parametrize("height", [1.0, -0.25])
def test_a_pulse_gives_the_clip_back_whatever_its_delay_and_height(tmp_path, delay, height):
    response = np.zeros(1000)
    response[delay] = height
    after = reverberated(CLIP, written(tmp_path / "pulse.wav", response))
    np.testing.assert_allclose(after, np.sign(height) * CLIP, atol=1e-6)


def test_an_echo_comes_late_and_its_tail_is_cut(tmp_path):
    response = np.zeros(5000)
    response[100], response[100 + 3000] = 0.8, 0.4
    clip = CLIP.copy()
    clip[0] = 0.999
    after = reverberated(clip, written(tmp_path / "echo.wav", response))
    expected = clip + 0.5 * np.pad(clip, (3000, 0))[: len(clip)]
    np.testing.assert_allclose(after, expected * np.abs(clip).max() / np.abs(expected).max(), atol=1e-6)


def test_a_pulse_of_another_rate_is_band_limited_but_in_time(tmp_path):
    response = np.zeros(9600)
    response[300] = 1  # a whole number of samples at 32 kHz too
    low = np.sin(2 * np.pi * 1000 / RATE_HZ * np.arange(8000)) * np.hanning(8000)
    after = reverberated(low.astype(np.float32), written(tmp_path / "pulse96.wav", response, 96000))
    np.testing.assert_allclose(after, low, atol=2e-3)


def test_the_peak_is_the_clips_own(tmp_path):
    response = np.random.default_rng(2).normal(0, 0.2, 2000) * np.exp(-np.arange(2000) / 300)
    after = reverberated(CLIP, written(tmp_path / "room.wav", response))
    assert np.abs(after).max() == pytest.approx(np.abs(CLIP).max(), rel=1e-6)


@pytest.mark.parametrize(
    ("response", "found"),
    [
        (np.ones((100, 2)), "2 channels"),
        (np.zeros(0), "none"),
        (np.full(100, 1.5), "a peak of 1.5"),
        (np.zeros(100), "nothing but silence"),
    ],
)
def test_useless_responses_are_named(tmp_path, response, found):
    with pytest.raises(UserError, match=found):
        reverberated(CLIP, written(tmp_path / "bad.wav", response))


def test_a_response_longer_than_one_may_be_is_not_read(tmp_path):
    path = written(tmp_path / "long.wav", np.eye(1, 31_000)[0], 1000)
    with pytest.raises(UserError, match=r"long\.wav: expected at most 30 s, the parameter longest_s; found 31 s"):
        reverberated(CLIP, path)
    given = {"sample_rate_hz": RATE_HZ, "seeds": [0], "device": "cpu", "impulse_response": path}
    assert len(treat([CLIP], **given, longest_s=31.0)[0]) == len(CLIP)


def test_a_missing_file_and_one_that_is_no_sound_are_named(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        reverberated(CLIP, str(tmp_path / "nowhere.wav"))
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(UserError, match=r"text\.wav"):
        reverberated(CLIP, str(tmp_path / "text.wav"))


def test_a_file_that_was_cut_short_is_named(tmp_path):
    whole = Path(written(tmp_path / "whole.wav", np.exp(-np.arange(1000) / 100)))
    (tmp_path / "cut.wav").write_bytes(whole.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"cut\.wav: .*truncated"):
        reverberated(CLIP, str(tmp_path / "cut.wav"))


def test_the_great_hall_reverberates_without_delay():
    if not GREAT_HALL.is_file():
        pytest.skip("the Great Hall's impulse response is not on this machine")
    assert len(read_response(GREAT_HALL, RATE_HZ, 3.0)) == 2 * RATE_HZ
    clip = np.concatenate([CLIP, np.zeros(24000, np.float32)])
    after = reverberated(clip, str(GREAT_HALL))
    lag = np.argmax(np.abs(correlate(after, clip))) - (len(clip) - 1)
    assert abs(lag) <= 2  # its direct sound swings up and down within two samples; unaligned the lag were 950
    # The hall sounds on after the clip has stopped, and ever less.
    energies = [np.sum(part.astype(np.float64) ** 2) for part in np.split(after[8000:], 3)]
    assert 0 < energies[2] < energies[1] < energies[0]


def test_a_response_that_is_missing_or_cut_short_is_told_in_one_line(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.wav: expected an audio file; found no such file"):
        reverberated(CLIP, str(tmp_path / "nowhere.wav"))
    path = tmp_path / "short.w64"
    soundfile.write(path, np.eye(1, 1000)[0], RATE_HZ, format="W64")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="2104 bytes, as its header says; found 2004 bytes"):
        reverberated(CLIP, str(path))


def test_a_treatment_names_the_files_that_it_reads():
    for name in ("impulse_response", "impulse_responses"):
        assert Treatment(treatment="any", parameters={name: "data/room", "gain": 1}).files == ["data/room"]
