"""Room of features: sound played in rooms, by impulse responses and noise, batched and differentiable."""

import functools
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stages.features.audio import read_audio
from stages.frame.clip_table import stable_hash
from stages.frame.errors import UserError
from stages.frame.folders import SOUNDS, files_below, say_not_taken
from stages.frame.parameters import Count, Positive
from stages.frame.sound_files import LONGEST_RESPONSE_S

HELD_OUT_EVERY = 3
# The band-pass of 513 taps reaches 16 ms at 16 kHz; it falls from 1 to 1/500 within 100 Hz.
REACH = 256


def read_responses(
    folder: str | Path, *, sample_rate_hz: Count, held_out: bool, longest_s: Positive = LONGEST_RESPONSE_S
) -> Tensor:
    """The impulse responses of a folder and those below it, float32 (rooms, taps), zero after each one's end.

    A response begins with the direct sound, its largest absolute value: the way of the sound to the microphone is left
    out. Each has an energy of 1. Every third file in the order of a hash of its name is held out.

    Args:
        folder: with sound files of one channel and any sampling rate; what else looks like a recording is counted on
            stderr.
        sample_rate_hz: the rate of the result.
        held_out: whether to read the files that are held out, or all others.
        longest_s: how long a response may be.

    Raises:
        UserError: no such folder, fewer than two files, one that can't be read (see `read_audio`) or is silent.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(folder, "impulse responses", "no such folder", "correct the path")
    files = files_below(folder, SOUNDS)
    say_not_taken(folder, files)
    names = [path.relative_to(folder).as_posix() for path in files]
    if len(names) < 2:
        raise UserError(
            folder,
            "at least two impulse responses, one of them to hold out",
            f"{len(names)} sound files",
            "add some",
        )
    names.sort(key=stable_hash)
    chosen = [name for place, name in enumerate(names) if (place % HELD_OUT_EVERY == 0) == held_out]
    responses = [torch.from_numpy(_response(folder / name, sample_rate_hz, longest_s)) for name in chosen]
    return torch.nn.utils.rnn.pad_sequence(responses, batch_first=True)


def _response(path: Path, sample_rate_hz: int, longest_s: float) -> np.ndarray:
    """From the direct sound on, of energy 1."""
    samples = read_audio(path, sample_rate_hz=sample_rate_hz, recorded_at_hz=None, longest_s=longest_s)
    if not samples.any():
        raise UserError(path, "an impulse response", "nothing but silence", "remove the file")
    response = samples[np.argmax(np.abs(samples)) :].astype(np.float64)
    return (response / np.linalg.norm(response)).astype(np.float32)


def played(waveform: Tensor, lengths: Tensor, responses: Tensor, noise: Tensor, noise_snr_db: float | None) -> Tensor:
    """Clips as heard in rooms (clips, samples), each of its own length; differentiable.

    A clip is convolved with its response and cut to its own length; white noise is added at `noise_snr_db` below the
    mean power of what is heard then (Yakura & Sakuma 2019, Eq. 4). What lies after a clip's end has no influence, and
    is zero in the result. No level is set: a response of energy 1 keeps that of white noise.

    Args:
        waveform: (clips, samples).
        lengths: (clips,) in samples.
        responses: (clips, taps), or (1, taps) for all clips alike.
        noise: of unit variance, (clips, samples), or (1, samples) for all alike.
        noise_snr_db: None adds no noise.
    """
    samples = waveform.shape[1]
    responses = responses[:, :samples]
    lengths = lengths.to(waveform.device)
    inside = torch.arange(samples, device=waveform.device) < lengths[:, None]
    size = _fast_length(samples + responses.shape[1] - 1)
    spectrum = torch.fft.rfft(waveform * inside, size) * torch.fft.rfft(responses, size)
    wet = torch.fft.irfft(spectrum, size)[:, :samples] * inside
    if noise_snr_db is None:
        return wet
    power = wet.square().sum(1) / lengths
    # A square root has no slope at zero.
    level = torch.where(power > 0, power, 1).sqrt() * (power > 0) * 10 ** (-noise_snr_db / 20)
    return wet + level[:, None] * noise * inside


def band_passed(waveform: Tensor, low_hz: float, high_hz: float, sample_rate_hz: int) -> Tensor:
    """What of waveforms (clips, samples) lies between two frequencies, without delay; differentiable.

    Yakura & Sakuma (2019) set the clip's Fourier coefficients outside 1 to 4 kHz to zero. That sounds before and after
    whatever it filters, and otherwise for another length of the padding; so that ideal filter's response is cut to
    `REACH` samples on either side by a Hamming window here, and what is silent for longer stays so.
    """
    samples = waveform.shape[1]
    size = _fast_length(samples + 2 * REACH)
    gains = _gains(low_hz / sample_rate_hz, high_hz / sample_rate_hz, size).to(waveform)
    return torch.fft.irfft(torch.fft.rfft(waveform, size) * gains, size)[:, :samples]


@functools.lru_cache(maxsize=8)
def _gains(low: float, high: float, size: int) -> Tensor:
    """The band-pass's gain (size / 2 + 1,) at each frequency, float64; `low` and `high` in cycles per sample."""
    n = np.arange(-REACH, REACH + 1)
    taps = (2 * high * np.sinc(2 * high * n) - 2 * low * np.sinc(2 * low * n)) * np.hamming(len(n))
    around_zero = np.zeros(size)
    around_zero[n] = taps
    return torch.from_numpy(np.fft.rfft(around_zero).real)


@functools.cache
def _fast_length(shortest: int) -> int:
    from scipy.fft import next_fast_len

    return next_fast_len(shortest, real=True)
