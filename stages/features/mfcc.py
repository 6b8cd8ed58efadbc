"""Room of features: the MFCCs of python_speech_features, batched and differentiable.

Mel-frequency cepstral coefficients as networks of speech of the 2010s take them: 16-bit values, frames without a window
function, the first coefficient replaced by the logarithm of the frame's energy.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

FULL_SCALE = 2**15
PRE_EMPHASIS = 0.97
LIFTER = 22
EPS = float(np.finfo(np.float64).eps)


class Mfcc(nn.Module):
    """Waveforms to coefficients, by that library's definition; its defaults are ours.

    Args:
        sample_rate_hz: of the waveforms.
        window_s: of a frame.
        hop_s: from one frame to the next.
        coefficients: of each frame, at most as many as filters.
        filters: triangles, equally wide in mels, from 0 to half the sample rate.
    """

    def __init__(
        self,
        *,
        sample_rate_hz: int = 16_000,
        window_s: float = 0.025,
        hop_s: float = 0.01,
        coefficients: int = 13,
        filters: int = 26,
    ):
        super().__init__()
        self.window_length, self.hop_length = (_rounded(seconds * sample_rate_hz) for seconds in (window_s, hop_s))
        self.bins = 2 ** math.ceil(math.log2(self.window_length))
        self.register_buffer("triangles", _triangles(filters, self.bins, sample_rate_hz).T, persistent=False)
        self.register_buffer("cosines", _cosines(coefficients, filters).T, persistent=False)

    def frames_of(self, lengths: Tensor) -> Tensor:
        """Frames of waveforms of so many samples; what is left after the last whole one has a frame too."""
        after_first = (lengths - self.window_length).clamp_min(0)
        return 1 + (after_first + self.hop_length - 1).div(self.hop_length, rounding_mode="floor")

    def forward(self, audio: Tensor, audio_length: Tensor) -> Tensor:
        """Coefficients (clips, frames, coefficients) of waveforms (clips, samples) in [-1, 1).

        What lies after a clip's end, `audio_length` (clips,), has no influence; frames there are those of silence.
        """
        inside = torch.arange(audio.shape[1], device=audio.device) < audio_length.to(audio.device)[:, None]
        first, rest = audio[:, :1], audio[:, 1:] - PRE_EMPHASIS * audio[:, :-1]
        emphasised = FULL_SCALE * torch.cat([first, rest], 1) * inside
        frames = int(self.frames_of(torch.tensor(audio.shape[1])))
        missing = (frames - 1) * self.hop_length + self.window_length - audio.shape[1]
        framed = pad(emphasised, (0, missing)).unfold(1, self.window_length, self.hop_length)
        spectrum = torch.fft.rfft(pad(framed, (0, self.bins - self.window_length)))
        power = (spectrum.real.square() + spectrum.imag.square()) / self.bins
        log_energy = power.sum(-1, keepdim=True).clamp_min(EPS).log()
        log_mel = (power @ self.triangles.to(audio)).clamp_min(EPS).log()
        return torch.cat([log_energy, log_mel @ self.cosines.to(audio)], -1)


def _rounded(samples: float) -> int:
    """Halves are rounded up; the product of seconds and rate is not exact."""
    return math.floor(round(samples, 6) + 0.5)


def _triangles(filters: int, bins: int, sample_rate_hz: int) -> Tensor:
    """Weights (filters, bins / 2 + 1): each rises from one corner to the next and falls to the one after."""
    highest_mel = 2595 * math.log10(1 + sample_rate_hz / 2 / 700)
    corners_hz = 700 * (10 ** (np.linspace(0, highest_mel, filters + 2) / 2595) - 1)
    corners = np.floor((bins + 1) * corners_hz / sample_rate_hz)
    low, middle, high = (corners[start : start + filters, None] for start in range(3))
    here = np.arange(bins // 2 + 1)
    # Two corners may fall on one bin; then the side between them has no bins, and its slope is of no account.
    rising = (here - low) / np.maximum(1, middle - low)
    falling = (high - here) / np.maximum(1, high - middle)
    return torch.from_numpy(np.where(here < middle, rising, falling).clip(0))


def _cosines(coefficients: int, filters: int) -> Tensor:
    """The orthonormal cosine transform but for its first row, (coefficients - 1, filters), scaled by the lifter."""
    number = np.arange(1, coefficients)[:, None]
    cosines = np.cos(np.pi * number * (2 * np.arange(filters) + 1) / (2 * filters)) * math.sqrt(2 / filters)
    return torch.from_numpy(cosines * (1 + LIFTER / 2 * np.sin(np.pi * number / LIFTER)))
