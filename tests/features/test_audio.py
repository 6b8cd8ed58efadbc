"""Reading audio: known values through resampling, and one message for each way in which a file can be unfit."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stages.features.audio import decode, read_audio
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


@pytest.mark.parametrize(
    ("whole", "data"),
    [
        (0x7FFFF024, 0x7FFFF000),  # sox into a pipe
        (0xFFFFFFFF, 0xFFFFFFFF),  # ffmpeg into a pipe
        (0x7FFFFFFF, 0x7FFFFFFF - 36),
        (0, 0),  # never closed
        (36, 0),  # Python's wave, never closed
        (0, 44_100),
        (44_144, 44_100),  # the size of the file, 8 bytes too many
        (0x7FFFFFFF, 44_100),
    ],
)
def test_sizes_in_a_header_are_often_guesses_and_the_samples_decide(tmp_path, whole, data):
    path = wav(tmp_path / "a.wav", sine(44_100))
    contents = bytearray(path.read_bytes())
    right = read_audio(path, sample_rate_hz=44_100, recorded_at_hz=44_100)
    contents[4:8], contents[40:44] = whole.to_bytes(4, "little"), data.to_bytes(4, "little")
    path.write_bytes(contents)
    assert np.array_equal(read_audio(path, sample_rate_hz=44_100, recorded_at_hz=44_100), right)
    assert len(right) == 22_050
    assert path.read_bytes() == contents


def test_a_wav_without_samples_is_none_that_was_never_closed(tmp_path):
    path = wav(tmp_path / "a.wav", np.zeros(0))
    contents = bytearray(path.read_bytes() + b"LIST" + (4).to_bytes(4, "little") + b"INFO")
    contents[4:8] = (len(contents) - 8).to_bytes(4, "little")
    path.write_bytes(contents)
    refused(path, "at least one sample; found none")


@pytest.mark.parametrize(("rate_hz", "fits"), [(1, False), (999, False), (1000, True), (1_000_001, False)])
def test_a_rate_that_is_none_of_sound(tmp_path, rate_hz, fits):
    path = wav(tmp_path / "a.wav", np.full(100, 0.1), rate_hz)
    if fits:
        assert len(read_audio(path, sample_rate_hz=2000, recorded_at_hz=None)) == 200
    else:
        with pytest.raises(UserError, match=f"a sample rate >= 1000 and <= 1e\\+06 Hz; found {rate_hz} Hz"):
            read_audio(path, sample_rate_hz=32_000, recorded_at_hz=None)


def test_a_clip_that_is_too_long_is_told_before_memory_is_taken(tmp_path):
    path = wav(tmp_path / "a.wav", np.zeros(100), 8000)
    contents = bytearray(path.read_bytes()[:44])
    size = 2 * 8000 * 10 * 3600
    contents[4:8], contents[40:44] = (size + 36).to_bytes(4, "little"), size.to_bytes(4, "little")
    path.write_bytes(contents)
    with path.open("r+b") as file:
        file.truncate(size + 44)  # ten hours that take no room on the disk
    tracemalloc.start()
    with pytest.raises(UserError, match="at most 3600 s, the parameter longest_s; found 36000 s"):
        read_audio(path, sample_rate_hz=8000, recorded_at_hz=None)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    how = {"sample_rate_hz": 44_100, "recorded_at_hz": None, "average_channels": False}
    half = wav(tmp_path / "half.wav", sine(44_100))
    assert decode(half, **how, longest_s=0.5)[1] == {"duration_s": 0.5, "clipped_samples": 0}
    with pytest.raises(UserError, match=r"at most 0\.49 s"):
        decode(half, **how, longest_s=0.49)


@pytest.mark.parametrize(("name", "codec"), [("a.mp3", None), ("a.ogg", None), ("a.ogg", "OPUS")])
def test_what_a_lossy_codec_overshoots_is_clipped_and_counted(tmp_path, name, codec):
    rate_hz = 48_000
    square = np.sign(sine(rate_hz) + 1e-9) * 32767 / 32768
    soundfile.write(tmp_path / name, square, rate_hz, subtype=codec)
    with soundfile.SoundFile(tmp_path / name) as file:
        decoded = file.read(file.frames, dtype="float32")
    assert np.abs(decoded).max() > 1.2
    arrays, counted = decode(tmp_path / name, sample_rate_hz=rate_hz, recorded_at_hz=None, average_channels=False)
    assert np.array_equal(arrays["audio"], decoded.clip(-1, np.float32(32767 / 32768)))
    assert counted["clipped_samples"] == ((decoded <= -1) | (decoded >= 32767 / 32768)).sum() > 1000


def test_a_name_says_nothing_of_the_format(tmp_path):
    path = wav(tmp_path / "a.wav", sine(44_100)).rename(tmp_path / "a.raw")
    assert len(read_audio(path, sample_rate_hz=44_100, recorded_at_hz=None)) == 22_050


def test_formats_in_which_nothing_can_be_skipped(tmp_path):
    path = wav(tmp_path / "a.wav", sine(16_000), 16_000, "GSM610")
    samples = read_audio(path, sample_rate_hz=16_000, recorded_at_hz=None)
    assert np.corrcoef(samples[2:8000], sine(16_000)[:-2])[0, 1] > 0.9


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    wav(tmp_path / "a.wav", sine(44_100))
    monkeypatch.setattr(Path, "open", denied)
    refused(tmp_path / "a.wav", "a readable audio file; found Permission denied")


def flac(path: Path, *, samples: int) -> Path:
    """A FLAC file of 22 050 samples whose header says that there are so many."""
    soundfile.write(path, sine(44_100), 44_100)
    contents = bytearray(path.read_bytes())
    told = int.from_bytes(contents[18:26], "big")
    contents[18:26] = (told >> 36 << 36 | samples).to_bytes(8, "big")
    path.write_bytes(contents)
    return path


def test_a_flac_with_the_right_length_is_read(tmp_path):
    samples = read_audio(flac(tmp_path / "a.flac", samples=22_050), sample_rate_hz=44_100, recorded_at_hz=None)
    assert np.abs(samples - sine(44_100)).max() < 2**-15


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (0, "a header that says how many samples there are; found one that does not"),
        (2**36 - 1, r"at most 3600 s, the parameter longest_s; found 1\.55826e\+06 s"),
        (22_051, "22051 samples, as it says itself; found 22050|psf_fseek"),
        (22_049, "samples with the sum that the header holds; found others"),
        (4096, "samples with the sum that the header holds; found others"),
    ],
)
def test_a_flac_with_another_length_is_told(tmp_path, samples, message):
    refused(flac(tmp_path / "a.flac", samples=samples), message)


def test_several_channels_are_averaged_where_that_is_asked_for(tmp_path):
    left, right = np.full(800, 0.5), np.full(800, -0.25)
    path = wav(tmp_path / "a.wav", np.stack([left, right], 1), 16_000)
    with pytest.raises(UserError, match=r"one channel \(mono\); found 2 channels"):
        read_audio(path, sample_rate_hz=16_000, recorded_at_hz=None)
    samples = read_audio(path, sample_rate_hz=16_000, recorded_at_hz=None, average_channels=True)
    assert np.allclose(samples, 0.125, atol=1e-4)
