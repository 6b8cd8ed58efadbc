"""Room of treatments: MP3 at a constant bit rate, encoded by LAME and decoded again."""

import functools
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.frame.errors import UserError
from stages.frame.ffmpeg import binary
from stages.frame.parameters import Count
from stages.frame.pcm import to_pcm16

if TYPE_CHECKING:
    from torch import Tensor

# ISO/IEC 11172-3 (MPEG-1) and 13818-3 (MPEG-2), layer III.
_MPEG1_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_KBPS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
BIT_RATES_KBPS = dict.fromkeys((32000, 44100, 48000), _MPEG1_KBPS) | dict.fromkeys((16000, 22050, 24000), _MPEG2_KBPS)

# Starting a process costs as much as coding several short clips; beyond this many per process little more is saved.
CLIPS_PER_PROCESS = 16

# What the codec does on the average is heard in so many seconds of noise at this level, in windows of so many samples.
HEARD_S, LEVEL, WINDOW = 4, 0.1, 512


def treat(
    waveforms: list[np.ndarray], *, sample_rate_hz: int, seeds: list[int], device: str, bitrate_kbps: Count
) -> list[np.ndarray]:
    """The clips as an MP3 of `bitrate_kbps` gives them back; for the contract see `stages.treatments`.

    LAME codes the 16-bit samples with its own settings for the bit rate: a low-pass filter, and a level that is 5 %
    (0.45 dB) lower at all but the highest rates. Other versions of LAME give other samples.

    Raises:
        UserError: MP3 has no such bit rate at this sampling rate, or ffmpeg is missing or fails.
    """
    rates_kbps = BIT_RATES_KBPS.get(sample_rate_hz, ())
    if bitrate_kbps not in rates_kbps:
        raise UserError(
            f"params.yaml: the mp3 treatment's bitrate_kbps at {sample_rate_hz} Hz",
            f"one of {', '.join(map(str, rates_kbps))}" if rates_kbps else f"{sorted(BIT_RATES_KBPS)} Hz",
            str(bitrate_kbps) if rates_kbps else f"{sample_rate_hz} Hz",
            "choose one of these",
        )
    groups = [waveforms[at : at + CLIPS_PER_PROCESS] for at in range(0, len(waveforms), CLIPS_PER_PROCESS)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        coded = pool.map(partial(_code, sample_rate_hz=sample_rate_hz, bitrate_kbps=bitrate_kbps), groups)
        return [waveform for group in coded for waveform in group]


def through(*, sample_rate_hz: int, device: str, bitrate_kbps: Count) -> Callable[[dict[str, "Tensor"]], "Tensor"]:
    """The clips as the true codec gives them back, with the gradients of its mean gain at each frequency.

    No gradient passes the codec itself. A stand-in that is like it lets them pass backwards only (backward pass
    differentiable approximation; Athalye et al. 2018): here the filter without delay that the codec is to white noise,
    so that no effort goes into frequencies that it drops. On validation clips of the built-in sounds it fools more at
    48 kb/s than the identity in its place, and as many at 128.

    Raises:
        UserError: as `treat`.
    """
    code = partial(treat, sample_rate_hz=sample_rate_hz, seeds=[], device=device, bitrate_kbps=bitrate_kbps)
    gains = _gains(sample_rate_hz, bitrate_kbps)

    def treated(inputs: dict[str, "Tensor"]) -> "Tensor":
        import torch

        from stages.victim import inside, padded_batch

        own = inside(inputs)
        clips = inputs["audio"] * own
        files = [clip[:length] for clip, length in zip(clips.detach().cpu().numpy(), inputs["audio_length"].tolist())]
        coded = torch.zeros_like(clips)
        heard = padded_batch(code(files), clips.device)["audio"]
        coded[:, : heard.shape[1]] = heard
        size = clips.shape[1] + WINDOW
        places = np.linspace(0, len(gains) - 1, size // 2 + 1)
        gain = torch.from_numpy(np.interp(places, np.arange(len(gains)), gains)).to(clips)
        like_it = torch.fft.irfft(torch.fft.rfft(clips, size) * gain, size)[:, : clips.shape[1]] * own
        return like_it + (coded - like_it).detach()

    return treated


@functools.cache
def _gains(sample_rate_hz: int, bitrate_kbps: int) -> np.ndarray:
    """The codec's mean gain at equally spaced frequencies up to half the sampling rate, heard in white noise."""
    from scipy.signal import csd, welch

    noise = np.random.default_rng(0).normal(0, LEVEL, HEARD_S * sample_rate_hz).astype(np.float32)
    told = {"sample_rate_hz": sample_rate_hz, "bitrate_kbps": bitrate_kbps}
    (coded,) = treat([noise], seeds=[0], device="cpu", **told)
    return csd(noise, coded, nperseg=WINDOW)[1].real / welch(noise, nperseg=WINDOW)[1]


def _code(waveforms: list[np.ndarray], sample_rate_hz: int, bitrate_kbps: int) -> list[np.ndarray]:
    """The clips after one ffmpeg process that encodes them all; libsndfile decodes, in this process, in no time."""
    import soundfile

    # Files and no pipes: LAME's delay and padding stand in the first frame, which ffmpeg writes last by seeking back.
    with tempfile.TemporaryDirectory(prefix="mp3-") as folder:
        clips = [Path(folder, str(number)) for number in range(len(waveforms))]
        pcm, mp3 = ([clip.with_suffix(suffix) for clip in clips] for suffix in (".pcm", ".mp3"))
        for path, waveform in zip(pcm, waveforms):
            to_pcm16(waveform).astype("<i2").tofile(path)
        _encode(pcm, mp3, sample_rate_hz, bitrate_kbps)
        return [_fit(soundfile.read(path, dtype="float32")[0], len(waveform)) for path, waveform in zip(mp3, waveforms)]


def _encode(sources: list[Path], targets: list[Path], sample_rate_hz: int, bitrate_kbps: int) -> None:
    """Runs one ffmpeg process that turns each file of 16-bit samples into the MP3 of the same place in the list."""
    import ffmpeg

    given = {"protocol_whitelist": "file", "format": "s16le", "ar": sample_rate_hz, "ac": 1}
    wanted = {"format": "mp3", "acodec": "libmp3lame", "audio_bitrate": f"{bitrate_kbps}k"}
    # `.audio` spells the mapping out; without it ffmpeg-python leaves the first output to ffmpeg's own choice of input.
    outputs = [
        ffmpeg.input(f"file:{source}", **given).audio.output(str(target), **wanted)
        for source, target in zip(sources, targets)
    ]
    try:
        ffmpeg.merge_outputs(*outputs).global_args("-nostdin", "-loglevel", "error").run(cmd=binary(), quiet=True)
    except ffmpeg.Error as error:
        raise UserError(
            binary(),
            f"to turn {len(sources)} files into {targets[0].suffix}",
            error.stderr.decode(errors="replace").strip(),
            "check the room in the temporary folder, and this ffmpeg",
        ) from error


def _fit(samples: np.ndarray, length: int) -> np.ndarray:
    return np.pad(samples[:length], (0, max(0, length - len(samples))))
