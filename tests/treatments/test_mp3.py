"""Whether clips come back from MP3 in time, of the same length, and as coarse as the bit rate says."""

import subprocess

import numpy as np
import pytest
from scipy.signal import correlate

from stages.frame import ffmpeg
from stages.frame.errors import UserError
from stages.treatments.mp3 import BIT_RATES_KBPS, treat

LENGTHS = [1000, 16000, 31999, 48001]


def tones(samples: int, rate_hz: int) -> np.ndarray:
    """Four tones below 3 kHz with 16-bit values; their sum repeats too slowly for a wrong lag to look right."""
    time_s = np.arange(samples) / rate_hz
    total = sum(0.1 * np.sin(2 * np.pi * frequency_hz * time_s) for frequency_hz in (440, 997, 1531, 2711))
    return (np.rint(total * 32768) / 32768).astype(np.float32)


def snr_db(clean: np.ndarray, coded: np.ndarray) -> float:
    clean, coded = clean.astype(np.float64), coded.astype(np.float64)
    return 10 * np.log10(np.sum(clean**2) / np.sum((coded - clean) ** 2))


def lag(clean: np.ndarray, coded: np.ndarray) -> int:
    return int(np.argmax(correlate(coded, clean))) - (len(clean) - 1)


def test_320_kbps_is_faithful_and_in_time():
    clean = [tones(samples, 32000) for samples in LENGTHS]
    coded = treat(clean, sample_rate_hz=32000, seeds=[0] * 4, device="cpu", bitrate_kbps=320)
    for before, after in zip(clean, coded, strict=True):
        assert snr_db(before, after) > 30
        assert lag(before, after) == 0


@pytest.mark.parametrize(("rate_hz", "bitrate_kbps"), [(16000, 48), (22050, 64), (32000, 48), (44100, 128)])
def test_other_rates_are_in_time_too(rate_hz, bitrate_kbps):
    clean = [tones(samples, rate_hz) for samples in LENGTHS]
    coded = treat(clean, sample_rate_hz=rate_hz, seeds=[0] * 4, device="cpu", bitrate_kbps=bitrate_kbps)
    assert [lag(before, after) for before, after in zip(clean, coded, strict=True)] == [0, 0, 0, 0]


@pytest.mark.parametrize(("rate_hz", "bitrate_kbps"), [(16000, 24), (32000, 48), (32000, 320)])
def test_a_clip_is_what_ffmpeg_codes_and_decodes(rate_hz, bitrate_kbps, tmp_path):
    clip, coded, decoded = tones(31999, rate_hz), tmp_path / "a.mp3", tmp_path / "a.f32"
    (tmp_path / "a.pcm").write_bytes((clip * 32768).astype("<i2").tobytes())
    before = ["-f", "s16le", "-ar", str(rate_hz), "-ac", "1", "-i", tmp_path / "a.pcm", "-b:a", f"{bitrate_kbps}k"]
    for told in ([*before, coded], ["-i", coded, "-f", "f32le", decoded]):
        subprocess.run([ffmpeg.binary(), "-loglevel", "error", *told], check=True)
    (made,) = treat([clip], sample_rate_hz=rate_hz, seeds=[0], device="cpu", bitrate_kbps=bitrate_kbps)
    assert np.abs(made - np.fromfile(decoded, "<f4")[: len(clip)]).max() < 5e-6


def test_the_lower_the_bit_rate_the_greater_the_loss():
    clip = np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32)
    ratios = [
        snr_db(clip, treat([clip], sample_rate_hz=32000, seeds=[0], device="cpu", bitrate_kbps=bitrate)[0])
        for bitrate in (48, 128, 320)
    ]
    assert ratios[0] + 1 < ratios[1]
    assert ratios[1] + 1 < ratios[2]


def test_low_bit_rates_lose_the_high_frequencies():
    clip = np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32)
    coded = treat([clip], sample_rate_hz=32000, seeds=[0], device="cpu", bitrate_kbps=48)[0]
    band = slice(14000, 15900)  # of a one-second clip's spectrum: Hz
    before, after = (np.sum(np.abs(np.fft.rfft(sound)[band]) ** 2) for sound in (clip, coded))
    assert after < before / 1000


@pytest.mark.parametrize(("rate_hz", "bitrate_kbps"), [(32000, 100), (16000, 320), (32000, 8), (31000, 128)])
def test_rates_that_mp3_has_not_are_refused(rate_hz, bitrate_kbps):
    with pytest.raises(UserError, match="bitrate_kbps"):
        treat([tones(1000, 32000)], sample_rate_hz=rate_hz, seeds=[0], device="cpu", bitrate_kbps=bitrate_kbps)


def test_all_rates_of_the_table_are_codable():
    for rate_hz, bitrates_kbps in BIT_RATES_KBPS.items():
        for bitrate_kbps in (bitrates_kbps[0], bitrates_kbps[-1]):
            clip = tones(2000, rate_hz)
            coded = treat([clip], sample_rate_hz=rate_hz, seeds=[0], device="cpu", bitrate_kbps=bitrate_kbps)[0]
            assert snr_db(clip, coded) > 6


def test_a_failing_ffmpeg_is_told_in_one_line(monkeypatch, tmp_path):
    broken = tmp_path / "ffmpeg"
    broken.write_text(
        "#!/bin/sh\ncase \"$*\" in\n*-encoders*) echo libmp3lame;;\n*) echo 'no room' >&2; exit 1;;\nesac\n"
    )
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    ffmpeg.binary.cache_clear()
    try:
        with pytest.raises(UserError, match="no room") as told:
            treat([tones(1000, 32000)], sample_rate_hz=32000, seeds=[0], device="cpu", bitrate_kbps=128)
        assert "\n" not in str(told.value)
    finally:
        ffmpeg.binary.cache_clear()
