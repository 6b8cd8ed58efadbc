"""Room of treatments: the sound of a room, by convolution with its measured impulse response."""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.features.audio import read_audio
from stages.frame.errors import UserError
from stages.frame.parameters import Positive
from stages.frame.sound_files import LONGEST_RESPONSE_S

if TYPE_CHECKING:
    from torch import Tensor


def treat(
    waveforms: list[np.ndarray],
    *,
    sample_rate_hz: int,
    seeds: list[int],
    device: str,
    impulse_response: str,
    longest_s: Positive = LONGEST_RESPONSE_S,
) -> list[np.ndarray]:
    """The clips as heard in the room of the mono wav file `impulse_response` (any rate), reverberant tails cut off.

    The response may be `longest_s` long.

    For the contract see `stages.treatments`. Like the Audio Degradation Toolbox (Mauch & Ewert, ISMIR 2013) this
    normalises the output's peak; not to a constant, however, but to the peak that the clip had before, so that the
    network hears a change of room and none of level. Unlike the toolbox it takes the sound's way to the microphone
    out: the response's largest peak, the direct sound, becomes time zero.

    Raises:
        UserError: the file can't be read (see `read_audio`), or is silent.
    """
    response = read_response(Path(impulse_response).resolve(), sample_rate_hz, longest_s)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(functools.partial(in_room, response=response), waveforms))


def through(
    *, sample_rate_hz: int, device: str, impulse_response: str, longest_s: Positive = LONGEST_RESPONSE_S
) -> Callable[[dict[str, "Tensor"]], "Tensor"]:
    """The clips as heard in the room; gradients know of the peak's level too.

    Raises:
        UserError: the file can't be read (see `read_audio`), or is silent.
    """
    response = read_response(Path(impulse_response).resolve(), sample_rate_hz, longest_s)
    direct = int(np.argmax(np.abs(response)))

    def treated(inputs: dict[str, "Tensor"]) -> "Tensor":
        import torch
        from scipy.fft import next_fast_len

        from stages.victim import inside

        own = inside(inputs)
        clips, samples = inputs["audio"] * own, inputs["audio"].shape[1]
        audible = torch.from_numpy(response[: direct + samples]).to(clips)
        size = next_fast_len(samples + len(audible) - 1, real=True)
        spectrum = torch.fft.rfft(clips, size) * torch.fft.rfft(audible, size)
        wet = torch.fft.irfft(spectrum, size)[:, direct : direct + samples] * own
        peak = wet.abs().amax(1, keepdim=True)
        return wet * (clips.abs().amax(1, keepdim=True) / peak.where(peak > 0, 1))

    return treated


@functools.cache  # a stage comes here with one file, once a shard
def read_response(path: Path, sample_rate_hz: int, longest_s: float) -> np.ndarray:
    """The impulse response, float32 of shape (samples,), at `sample_rate_hz`.

    Raises:
        UserError: the file can't be read (see `read_audio`), or is silent.
    """
    response = read_audio(path, sample_rate_hz=sample_rate_hz, recorded_at_hz=None, longest_s=longest_s)
    if not response.any():
        raise UserError(path, "an impulse response", "nothing but silence", "correct impulse_response in params.yaml")
    return response


def in_room(waveform: np.ndarray, response: np.ndarray) -> np.ndarray:
    """One clip convolved with `response`, counted from the direct sound, of the clip's own length and peak."""
    from scipy.signal import fftconvolve

    direct = int(np.argmax(np.abs(response)))
    # What follows in the response is heard only after the clip's end. What precedes the peak stays: cutting there
    # would cut the direct sound itself in halves, for a band-limited pulse swings before its peak as it does after.
    audible = response[: direct + len(waveform)]
    wet = fftconvolve(waveform, audible)[direct : direct + len(waveform)]
    peak = np.max(np.abs(wet))
    return wet * (np.max(np.abs(waveform)) / peak) if peak > 0 else wet
