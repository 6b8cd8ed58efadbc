"""Room of networks: Silero VAD (Silero Team 2024), which tells from a waveform whether somebody speaks.

The parameters have the names of the makers' `silero_vad_16k.safetensors`, which the method `finished` takes. As they
use it, a clip is heard in windows of 32 ms, each with the 4 ms before it, one after another.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from stages.frame.errors import UserError
from stages.networks.waveform_classifier import WaveformClassifier

SAMPLE_RATE_HZ = 16_000
WINDOW, BEFORE = 512, 64
# Of a window's spectra.
FRAME, HOP = 256, 128
# What is shorter, 256 ms, the makers take for no speech.
WINDOWS_OF_SPEECH = 8
# Below this a magnitude, which has no gradient at zero, is a constant.
LEAST_POWER = 1e-20


class SileroVad(nn.Module):
    """Waveforms to logits of no speech, which are zero, and of speech."""

    def __init__(self):
        super().__init__()
        bins = FRAME // 2 + 1
        self.stft_conv = nn.Conv1d(1, 2 * bins, FRAME, HOP, bias=False)
        self.conv1 = nn.Conv1d(bins, 128, 3, padding=1)
        self.conv2 = nn.Conv1d(128, 64, 3, 2, padding=1)
        self.conv3 = nn.Conv1d(64, 64, 3, 2, padding=1)
        self.conv4 = nn.Conv1d(64, 128, 3, padding=1)
        self.lstm_cell = nn.LSTMCell(128, 128)
        self.final_conv = nn.Conv1d(128, 1, 1)

    def forward(self, audio: Tensor) -> Tensor:
        """Logits (clips, 2) of waveforms (clips, samples) in [-1, 1): that of speech is the highest mean of 256 ms."""
        of_windows = self.of_windows(audio)
        runs = of_windows.unfold(1, min(WINDOWS_OF_SPEECH, of_windows.shape[1]), 1).mean(-1)
        speech = runs.amax(1)
        return torch.stack([torch.zeros_like(speech), speech], 1)

    def of_windows(self, audio: Tensor) -> Tensor:
        """The log odds (clips, windows) that there is speech in each window."""
        audio = pad(audio, (BEFORE, -audio.shape[1] % WINDOW))
        windows = audio.unfold(1, BEFORE + WINDOW, WINDOW)
        seen = self._seen(windows.flatten(0, 1)).unflatten(0, windows.shape[:2])
        state, told = None, []
        for one in seen.unbind(1):
            state = self.lstm_cell(one, state)
            told.append(self.final_conv(state[0].relu()[..., None])[:, 0, 0])
        return torch.stack(told, 1)

    def _seen(self, windows: Tensor) -> Tensor:
        """What the convolutions make (windows, 128) of the spectra of windows (windows, samples)."""
        spectra = self.stft_conv(pad(windows[:, None], (0, BEFORE), "reflect"))
        real, imaginary = spectra.chunk(2, 1)
        values = (real.square() + imaginary.square()).clamp_min(LEAST_POWER).sqrt()
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4):
            values = layer(values).relu()
        return values[..., 0]


def build(number_of_labels: int, *, sample_rate_hz: int) -> WaveformClassifier:
    """The untrained network.

    Args:
        number_of_labels: two, the first of no speech.
        sample_rate_hz: 16000.

    Raises:
        UserError: other labels or another rate.
    """
    if (number_of_labels, sample_rate_hz) != (2, SAMPLE_RATE_HZ):
        found = f"{number_of_labels} at {sample_rate_hz} Hz"
        raise UserError("network silero_vad", f"two labels at {SAMPLE_RATE_HZ} Hz", found, "correct the victim")
    return WaveformClassifier(SileroVad())
