"""Room of features: reads an audio file as the one waveform that everything after it works on.

A decoder: `prepare` reads a corpus of sounds by it.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from mmap import ACCESS_COPY, mmap
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import soundfile

from stages.frame.errors import UserError
from stages.frame.parameters import Positive
from stages.frame.sound_files import LONGEST_S, RATES_HZ, Told, check_md5, check_whole, unfit

# The columns that `decode` fills in; for a clip that can't be read, these.
COUNTED = {"duration_s": 0.0, "clipped_samples": 0}
CLIPS_PER_SHARD = 64
LARGEST = 1 - 2**-15  # of 16-bit samples
Rate = Annotated[int, RATES_HZ]
# What is decoded from these may overshoot the full scale that was encoded; containers and codecs as libsndfile names
# them.
LOSSY = ("VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III")
TELLING = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "FLAC", "OGG", "MP3")
UNKNOWN_LENGTH = 2**63 - 1


def decode(
    path: Path,
    *,
    sample_rate_hz: Rate,
    recorded_at_hz: Rate | None,
    average_channels: bool,
    longest_s: Positive = LONGEST_S,
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """The array `audio` of one clip, as `read_audio` reads it, and its values of the columns `COUNTED`.

    `clipped_samples` lie at full scale, where whatever overshoots it ends.
    """
    samples = read_audio(
        path,
        sample_rate_hz=sample_rate_hz,
        recorded_at_hz=recorded_at_hz,
        average_channels=average_channels,
        longest_s=longest_s,
    )
    clipped = int(np.count_nonzero((samples == -1) | (samples == np.float32(LARGEST))))
    return {"audio": samples}, {"duration_s": len(samples) / sample_rate_hz, "clipped_samples": clipped}


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
    path: Path,
    *,
    sample_rate_hz: Rate,
    recorded_at_hz: Rate | None,
    average_channels: bool = False,
    longest_s: Positive = LONGEST_S,
) -> np.ndarray:
    """The file's samples, float32 of shape (samples,) in [-1, 1 - 2**-15], at `sample_rate_hz`.

    Resampled where the rates differ by a band-limited interpolation (resampy's `kaiser_best`) to
    round(samples * sample_rate_hz / file's rate) samples; what overshoots full scale on the way, or where a lossy codec
    is decoded, is clipped.

    Args:
        path: a file in any of the formats `TELLING`.
        sample_rate_hz: the rate of the result.
        recorded_at_hz: the rate the file must have; None accepts any in `RATES_HZ`.
        average_channels: whether several channels are averaged to one; else the file must be mono.
        longest_s: how long it may be; nothing of a longer one is decoded.

    Raises:
        UserError: the file is missing, empty, unreadable, damaged or cut short, has a format that can't tell whether it
            is, is not mono where it must be, has 8 bits, another rate than `recorded_at_hz`, no samples or too many, or
            samples that are not finite or, if no lossy codec made them, beyond full scale.
    """
    path = Path(path)
    try:
        with _opened(path) as (file, told):
            _check_header(path, file, recorded_at_hz, average_channels, longest_s)
            samples, rate_hz = _samples(path, file, told), file.samplerate
    except soundfile.LibsndfileError as error:
        raise unfit(path, "a readable audio file", error.error_string) from error
    except OSError as error:
        raise unfit(path, "a readable audio file", error.strerror) from error
    if rate_hz != sample_rate_hz:
        samples = _resampled(samples, rate_hz, sample_rate_hz)
    return np.clip(samples, -1, np.float32(LARGEST))


@contextmanager
def _opened(path: Path) -> Iterator[tuple[soundfile.SoundFile, Told]]:
    """The file, as far as that can be told without decoding it a whole one, and what it tells of its sound."""
    if not path.is_file():
        raise unfit(path, "an audio file", "no such file")
    if path.stat().st_size == 0:
        raise unfit(path, "an audio file", "an empty file (0 bytes)")
    with path.open("rb") as stream, mmap(stream.fileno(), 0, access=ACCESS_COPY) as contents:
        told = check_whole(path, contents)
        # By its number, for of a file named `.raw` soundfile asks what is in it.
        with soundfile.SoundFile(contents if told.filled_in else stream.fileno(), closefd=False) as file:
            yield file, told


def _check_header(
    path: Path, file: soundfile.SoundFile, recorded_at_hz: int | None, average_channels: bool, longest_s: float
) -> None:
    if file.format not in TELLING:
        raise unfit(path, f"a format that tells its length ({', '.join(TELLING)})", file.format)
    if file.channels != 1 and not average_channels:
        raise unfit(path, "one channel (mono)", f"{file.channels} channels")
    if file.subtype in ("PCM_U8", "PCM_S8"):
        raise unfit(path, "16 bits a sample or more", "8 bits")
    if recorded_at_hz is not None and file.samplerate != recorded_at_hz:
        raise unfit(path, f"a sample rate of {recorded_at_hz} Hz", f"{file.samplerate} Hz")
    if not RATES_HZ.holds(file.samplerate):
        raise unfit(path, f"a sample rate {RATES_HZ} Hz", f"{file.samplerate} Hz")
    if file.frames == 0:
        raise unfit(path, "at least one sample", "none")
    if file.frames == UNKNOWN_LENGTH:
        raise unfit(path, "a header that says how many samples there are", "one that does not (a stream)")
    if file.frames > longest_s * file.samplerate:
        found = f"{file.frames / file.samplerate:g} s"
        raise unfit(path, f"at most {longest_s:g} s, the parameter longest_s", found)


def _samples(path: Path, file: soundfile.SoundFile, told: Told) -> np.ndarray:
    """All of the file, float32 of shape (samples,), its channels averaged."""
    # Of frames that nothing counts libsndfile guesses the number.
    guessed = told.uncounted or (file.subtype.startswith("MPEG") and file.format != "MP3")
    least = max(1, told.least_samples, 0 if guessed else file.frames)
    if file.format == "FLAC":
        whole = file.read(file.frames, dtype="int32", always_2d=True)
        check_md5(path, whole, {"PCM_16": 16, "PCM_24": 24}[file.subtype], told.md5)
        samples = (whole.astype(np.float32) * np.float32(2**-31)).mean(axis=1)
    else:
        samples = file.read(file.frames, dtype="float32", always_2d=True).mean(axis=1)
    if len(samples) < least:
        raise unfit(path, f"{least} samples, as it says itself", f"{len(samples)} (truncated or damaged)")
    if not np.isfinite(samples).all():
        raise unfit(path, "finite samples", "NaN or infinity")
    if np.abs(samples).max() > 1 and file.subtype not in LOSSY:
        raise unfit(path, "samples in [-1, 1]", f"a peak of {np.abs(samples).max():.3g}")
    return samples


def _resampled(samples: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    import resampy

    length = max(1, round(len(samples) * to_hz / from_hz))
    # resampy rounds the length down; silence after the end, which it assumes there anyway, makes up the last sample.
    padded = np.pad(samples, (0, from_hz // to_hz + 1))
    return resampy.resample(padded, from_hz, to_hz, filter="kaiser_best")[:length]


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
