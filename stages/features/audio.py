"""Room of features: reads an audio file as the one waveform that everything after it works on.

A decoder: `prepare` reads a corpus of sounds by it.
"""

import os
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from stages.frame.errors import UserError
from stages.frame.parameters import Count

# The columns that `decode` fills in; for a clip that can't be read, these.
COUNTED = {"duration_s": 0.0}
CLIPS_PER_SHARD = 64
LARGEST = 1 - 2**-15  # of 16-bit samples
STREAMED = 0xFFFFFFFF  # the size in the header of a WAV file whose writer could not know it


def decode(
    path: Path, *, sample_rate_hz: Count, recorded_at_hz: Count | None, average_channels: bool
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """The array `audio` of one clip, as `read_audio` reads it, and its value of the column `COUNTED`."""
    samples = read_audio(
        path, sample_rate_hz=sample_rate_hz, recorded_at_hz=recorded_at_hz, average_channels=average_channels
    )
    return {"audio": samples}, {"duration_s": len(samples) / sample_rate_hz}


def about(*, sample_rate_hz: int, **_: object) -> dict[str, Any]:
    """What a set says of its waveforms: as files they have 16 bits."""
    return {
        "signal": {"sample_rate_hz": sample_rate_hz},
        "bounds": {"audio": [-1.0, LARGEST]},
        "quantum": {"audio": 2**-15},
    }


def pool() -> Executor:
    """Who decodes many clips: threads, as decoding and resampling leave the interpreter lock."""
    return ThreadPoolExecutor(os.cpu_count())


def read_audio(
    path: Path, *, sample_rate_hz: Count, recorded_at_hz: Count | None, average_channels: bool = False
) -> np.ndarray:
    """The file's samples, float32 of shape (samples,) in [-1, 1 - 2**-15], at `sample_rate_hz`.

    Resampled where the rates differ by a band-limited interpolation (resampy's `kaiser_best`) to
    round(samples * sample_rate_hz / file's rate) samples; what overshoots full scale on the way is clipped.

    Args:
        path: a file in any format that libsndfile reads.
        sample_rate_hz: the rate of the result.
        recorded_at_hz: the rate the file must have; None accepts any.
        average_channels: whether several channels are averaged to one; else the file must be mono.

    Raises:
        UserError: the file is missing, empty, unreadable or cut short, is not mono where it must be, has 8 bits,
            another rate than `recorded_at_hz`, no samples, or samples that are not finite or beyond full scale.
    """
    path = Path(path)
    if not path.is_file():
        raise _unfit(path, "an audio file", "no such file")
    if path.stat().st_size == 0:
        raise _unfit(path, "an audio file", "an empty file (0 bytes)")
    try:
        with soundfile.SoundFile(path) as file:
            _check_header(path, file, recorded_at_hz, average_channels)
            samples, rate_hz = file.read(dtype="float32", always_2d=True).mean(axis=1), file.samplerate
    except soundfile.LibsndfileError as error:
        raise _unfit(path, "a readable audio file", error.error_string) from error
    if not np.isfinite(samples).all():
        raise _unfit(path, "finite samples", "NaN or infinity")
    if np.abs(samples).max() > 1:
        raise _unfit(path, "samples in [-1, 1]", f"a peak of {np.abs(samples).max():.3g}")
    if rate_hz != sample_rate_hz:
        samples = _resampled(samples, rate_hz, sample_rate_hz)
    return np.clip(samples, -1, np.float32(LARGEST))


def _check_header(path: Path, file: soundfile.SoundFile, recorded_at_hz: int | None, average_channels: bool) -> None:
    _check_whole(path)
    if file.channels != 1 and not average_channels:
        raise _unfit(path, "one channel (mono)", f"{file.channels} channels")
    if file.subtype in ("PCM_U8", "PCM_S8"):
        raise _unfit(path, "16 bits a sample or more", "8 bits")
    if recorded_at_hz is not None and file.samplerate != recorded_at_hz:
        raise _unfit(path, f"a sample rate of {recorded_at_hz} Hz", f"{file.samplerate} Hz")
    if file.frames == 0:
        raise _unfit(path, "at least one sample", "none")


def _check_whole(path: Path) -> None:
    """libsndfile reads a WAV file that was cut short without a word, so its RIFF header is compared with its size."""
    with path.open("rb") as file:
        head = file.read(8)
    promised, found = int.from_bytes(head[4:], "little"), path.stat().st_size - 8
    if head[:4] == b"RIFF" and promised != STREAMED and found < promised:
        raise _unfit(path, f"{promised + 8} bytes, as its header says", f"{found + 8} bytes (truncated)")


def _resampled(samples: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    import resampy

    length = max(1, round(len(samples) * to_hz / from_hz))
    # resampy rounds the length down; silence after the end, which it assumes there anyway, makes up the last sample.
    padded = np.pad(samples, (0, from_hz // to_hz + 1))
    return resampy.resample(padded, from_hz, to_hz, filter="kaiser_best")[:length]


def _unfit(path: Path, expected: str, found: str) -> UserError:
    return UserError(path, expected, found, "replace the file or take it out of the corpus's list")


def check_long_enough(clips: list[str], lengths: list[int], shortest: int) -> None:
    """Passes clips of which each has as many samples as a front end needs to see at all.

    Raises:
        UserError: one has not.
    """
    for clip, length in zip(clips, lengths):
        if length < shortest:
            raise UserError(
                f"clip {clip}",
                f"at least {shortest} samples, what the front end needs for one frame",
                f"{length}",
                "leave it out of the corpus",
            )
