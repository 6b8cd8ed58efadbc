"""Benchmarks: the ten treatments of the sound-event study beside a plain loop: `python -m benchmarks.treatments`."""

import math
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import resampy
import soundfile
from scipy.signal import fftconvolve

from benchmarks import table
from stages.frame.ffmpeg import binary
from stages.treatments import mp3, resample, reverb, white_noise

RATE_HZ = 32000
CLIPS = 100
Clips = list[np.ndarray]


def main() -> None:
    """Prints a row per treatment: seconds of ours and of the plain loop, their ratio, largest difference of outputs."""
    random = np.random.default_rng(0)
    waveforms = [_clip(random, int(random.integers(RATE_HZ, 2 * RATE_HZ + 1))) for _ in range(CLIPS)]
    seeds = list(range(CLIPS))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, ours, plain in _pairs(_hall(random, Path(folder, "hall.wav"))):
            # One clip beforehand, so that neither side pays for imports and compilation.
            ours(waveforms[:1], seeds=seeds[:1])
            plain(waveforms[0], seeds[0])
            ours_s, treated = _timed(lambda run=ours: run(waveforms, seeds=seeds))
            plain_s, expected = _timed(lambda run=plain: [run(clip, seed) for clip, seed in zip(waveforms, seeds)])
            difference = max(np.abs(one - other).max() for one, other in zip(treated, expected))
            rows.append([name, f"{ours_s:.3f}", f"{plain_s:.3f}", f"{plain_s / ours_s:.2f}", f"{difference:.1e}"])
    print(f"{CLIPS} clips of 1 to 2 s at {RATE_HZ} Hz, {binary()}\n")
    print(table(["treatment", "ours, s", "plain, s", "ratio", "largest difference"], rows))


def _pairs(hall: Path) -> list[tuple[str, Callable[..., Clips], Callable[[np.ndarray, int], np.ndarray]]]:
    """Name, our treatment and the plain one of a single clip, each with its parameters."""
    given = {"sample_rate_hz": RATE_HZ, "device": "cpu"}
    return [
        *(
            (f"mp3 {k} kb/s", partial(mp3.treat, bitrate_kbps=k, **given), partial(plain_mp3, k))
            for k in (48, 128, 320)
        ),
        *(
            (f"resample {hz} Hz", partial(resample.treat, rate_hz=hz, **given), partial(plain_resample, hz))
            for hz in (8000, 16000, 20000)
        ),
        *(
            (f"noise {db} dB", partial(white_noise.treat, snr_db=db, **given), partial(plain_noise, db))
            for db in (20, 40, 60)
        ),
        ("reverb", partial(reverb.treat, impulse_response=str(hall), **given), partial(plain_reverb, _at_rate(hall))),
    ]


def plain_mp3(bitrate_kbps: int, waveform: np.ndarray, seed: int) -> np.ndarray:
    """One ffmpeg process to encode the clip, one to decode it."""
    with tempfile.TemporaryDirectory() as folder:
        pcm, coded = Path(folder, "clip.wav"), Path(folder, "clip.mp3")
        soundfile.write(pcm, waveform, RATE_HZ, subtype="PCM_16")
        quiet = [binary(), "-loglevel", "error", "-i"]
        subprocess.run([*quiet, pcm, "-c:a", "libmp3lame", "-b:a", f"{bitrate_kbps}k", coded], check=True)
        decoded = subprocess.run([*quiet, coded, "-f", "f32le", "-"], check=True, capture_output=True).stdout
    return np.frombuffer(decoded, "<f4")[: len(waveform)]


def plain_resample(rate_hz: int, waveform: np.ndarray, seed: int) -> np.ndarray:
    """resampy down and up, with a few zeros appended so that both ways' rounding of lengths loses no sound."""
    low = resampy.resample(np.pad(waveform, (0, math.ceil(RATE_HZ / rate_hz) + 1)), RATE_HZ, rate_hz)
    return resampy.resample(low, rate_hz, RATE_HZ)[: len(waveform)]


def plain_noise(snr_db: float, waveform: np.ndarray, seed: int) -> np.ndarray:
    """Noise of the seed, scaled to the ratio and added."""
    noise = np.random.default_rng(seed).standard_normal(len(waveform))
    gain = np.linalg.norm(waveform.astype(np.float64)) / np.linalg.norm(noise) * 10 ** (-snr_db / 20)
    return waveform + gain * noise


def plain_reverb(response: np.ndarray, waveform: np.ndarray, seed: int) -> np.ndarray:
    """The whole convolution of clip and response, cut afterwards."""
    direct = np.argmax(np.abs(response))
    wet = fftconvolve(waveform, response)[direct : direct + len(waveform)]
    return wet * np.abs(waveform).max() / np.abs(wet).max()


def _at_rate(path: Path) -> np.ndarray:
    response, rate_hz = soundfile.read(path, dtype="float32")
    return resampy.resample(response, rate_hz, RATE_HZ)


def _clip(random: np.random.Generator, samples: int) -> np.ndarray:
    """Three decaying tones and a little noise, with 16-bit values."""
    time_s = np.arange(samples) / RATE_HZ
    tones = sum(0.2 * np.sin(2 * np.pi * hz * time_s) * np.exp(-time_s) for hz in random.uniform(100, 12000, 3))
    return (np.rint((tones + random.normal(0, 0.01, samples)) * 32768).clip(-32768, 32767) / 32768).astype(np.float32)


def _hall(random: np.random.Generator, path: Path) -> Path:
    """A response of the Great Hall's size: 2 s at 96 kHz, 30 ms of delay, 2.5 s to fall by 60 dB."""
    time_s = np.arange(2 * 96000) / 96000
    response = random.normal(0, 0.02, len(time_s)) * 10 ** (-3 * time_s / 2.5) * (time_s > 0.03)
    response[int(0.03 * 96000)] = 0.5
    soundfile.write(path, response, 96000, subtype="PCM_24")
    return path


def _timed(run: Callable[[], Clips]) -> tuple[float, Clips]:
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    main()
