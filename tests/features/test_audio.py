"""Reading audio: known values through resampling, and one message for each way in which a file can be unfit."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from stages.features.audio import read_audio
from stages.frame.errors import UserError


def sine(rate_hz: int, seconds: float = 0.5, pitch_hz: float = 440) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * pitch_hz * np.arange(round(rate_hz * seconds)) / rate_hz)


def wav(path: Path, samples: np.ndarray, rate_hz: int = 44_100, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, samples, rate_hz, subtype=subtype)
    return path


def test_samples_come_as_written(tmp_path):
    steps = np.array([-32768, -1, 0, 1, 16384, 32767], dtype=np.int16)
    samples = read_audio(wav(tmp_path / "a.wav", steps), sample_rate_hz=44_100, recorded_at_hz=None)
    assert samples.dtype == np.float32
    assert (samples == steps / 32768).all()


@pytest.mark.parametrize(("from_hz", "to_hz"), [(44_100, 32_000), (16_000, 32_000), (48_000, 16_000)])
def test_resampling_keeps_amplitude_and_frequency(tmp_path, from_hz, to_hz):
    path = wav(tmp_path / "a.wav", sine(from_hz), from_hz)
    samples = read_audio(path, sample_rate_hz=to_hz, recorded_at_hz=from_hz)
    inner = slice(to_hz // 20, -to_hz // 20)  # away from the ends, where the sine begins and stops
    assert np.abs(samples - sine(to_hz))[inner].max() < 1e-3


def test_resampling_removes_what_the_lower_rate_cannot_carry(tmp_path):
    path = wav(tmp_path / "a.wav", sine(44_100, pitch_hz=12_000))
    samples = read_audio(path, sample_rate_hz=16_000, recorded_at_hz=None)
    assert np.abs(samples[800:-800]).max() < 1e-3


@pytest.mark.parametrize("length", [1, 2, 999, 44_101])
@pytest.mark.parametrize("to_hz", [16_000, 32_000, 48_000])
def test_length_is_rounded(tmp_path, length, to_hz):
    samples = read_audio(wav(tmp_path / "a.wav", np.full(length, 0.1)), sample_rate_hz=to_hz, recorded_at_hz=None)
    assert len(samples) == max(1, round(length * to_hz / 44_100))


def test_overshoot_of_resampling_stays_within_what_files_hold(tmp_path):
    square = np.sign(sine(44_100) + 1e-9) * 32767 / 32768
    samples = read_audio(wav(tmp_path / "a.wav", square), sample_rate_hz=32_000, recorded_at_hz=None)
    assert samples.min() == -1
    assert samples.max() == 32767 / 32768  # the largest that a file of 16 bits can hold


@pytest.mark.parametrize("name", ["a.flac", "a.ogg"])
def test_other_formats(tmp_path, name):
    soundfile.write(tmp_path / name, sine(16_000), 16_000)
    samples = read_audio(tmp_path / name, sample_rate_hz=16_000, recorded_at_hz=16_000)
    assert np.abs(samples - sine(16_000)).max() < 0.05


def refused(path: Path, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_audio(path, sample_rate_hz=32_000, recorded_at_hz=44_100)
    assert str(caught.value).startswith(f"{path}: expected ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("samples", "written", "message"),
    [
        (np.zeros((100, 2)), {}, "one channel \\(mono\\); found 2 channels"),
        (np.zeros(100), {"subtype": "PCM_U8"}, "16 bits a sample or more; found 8 bits"),
        (np.array([0, np.nan]), {"subtype": "FLOAT"}, "finite samples; found NaN or infinity"),
        (np.array([0, -np.inf]), {"subtype": "FLOAT"}, "finite samples; found NaN or infinity"),
        (np.array([0, -1.5]), {"subtype": "FLOAT"}, "samples in \\[-1, 1\\]; found a peak of 1.5"),
        (np.zeros(0), {}, "at least one sample; found none"),
        (np.zeros(100), {"rate_hz": 48_000}, "a sample rate of 44100 Hz; found 48000 Hz"),
    ],
)
def test_unfit_contents(tmp_path, samples, written, message):
    refused(wav(tmp_path / "a.wav", samples, **written), message)


def test_missing(tmp_path):
    refused(tmp_path / "a.wav", "an audio file; found no such file")


def test_empty(tmp_path):
    (tmp_path / "a.wav").touch()
    refused(tmp_path / "a.wav", "an audio file; found an empty file \\(0 bytes\\)")


@pytest.mark.parametrize("contents", [b"not audio at all" * 10, b"RIFF", b"RIFF\x24\x00\x00\x00WAVEfmt "])
def test_unreadable(tmp_path, contents):
    (tmp_path / "a.wav").write_bytes(contents)
    refused(tmp_path / "a.wav", "a readable audio file; found ")


@pytest.mark.parametrize("kept", [44, 45, 10_000, 44_143])
def test_truncated_wav(tmp_path, kept):
    path = wav(tmp_path / "a.wav", sine(44_100))
    path.write_bytes(path.read_bytes()[:kept])
    refused(path, f"44144 bytes, as its header says; found {kept} bytes \\(truncated\\)")


def test_truncated_flac(tmp_path):
    soundfile.write(tmp_path / "a.flac", sine(44_100), 44_100)
    whole = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "a.flac", "a readable audio file; found .*lost sync")


def test_streamed_wav_of_unknown_size_is_read(tmp_path):
    path = wav(tmp_path / "a.wav", sine(44_100))
    contents = bytearray(path.read_bytes())
    contents[4:8] = contents[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(contents)
    assert len(read_audio(path, sample_rate_hz=44_100, recorded_at_hz=44_100)) == 22_050


def test_several_channels_are_averaged_where_that_is_asked_for(tmp_path):
    left, right = np.full(800, 0.5), np.full(800, -0.25)
    path = wav(tmp_path / "a.wav", np.stack([left, right], 1), 16_000)
    with pytest.raises(UserError, match=r"one channel \(mono\); found 2 channels"):
        read_audio(path, sample_rate_hz=16_000, recorded_at_hz=None)
    samples = read_audio(path, sample_rate_hz=16_000, recorded_at_hz=None, average_channels=True)
    assert np.allclose(samples, 0.125, atol=1e-4)
