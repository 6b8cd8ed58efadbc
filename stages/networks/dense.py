"""Room of networks: the DenseNet-like classifiers of Jeong and Lim (DCASE 2018), on log-mel or on raw audio.

`mel` follows the authors' code: a window of the waveform, peak-normalised, goes through batch normalisation, a
magnitude mel spectrogram in decibels (per window, floor -80 dB) and batch normalisation per mel bin; then modules that
double their growth, concatenate their input to their output, and pool; eight heads whose probabilities are averaged.
`wav` was never published in detail. Decided here: the same modules in one dimension on the waveform, behind a
strided convolution (kernel 64, stride 16) and pooling by 4, which leave each module about the span of time that it has
in `mel`.
"""

import math
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from stages.features.log_mel import LogMel, cut
from stages.frame.parameters import Count, Range
from stages.networks.clip_classifier import ClipClassifier

WINDOW_SAMPLES, LEAST_SAMPLES = 64000, 16000
GROWTH_LIMIT = 512


def build(
    number_of_labels: int,
    *,
    sample_rate_hz: int,
    architecture: Literal["mel", "wav"],
    growth: Annotated[int, Range(2)],
    modules: Annotated[int, Range(1, 8)],
    heads: Count,
    hop_length: Count = 128,
) -> ClipClassifier:
    """The classifier; growth 16, 8 modules, 8 heads and hop 128 are the authors'."""
    two_dimensional = architecture == "mel"
    stem = _mel_stem(sample_rate_hz, hop_length, growth) if two_dimensional else _wav_stem(growth)
    layers, channels = [], growth
    for number in range(modules):
        layer = DenseModule(channels, min(GROWTH_LIMIT, growth * 2**number), two_dimensional)
        layers.append(layer)
        channels = layer.channels_out
    return ClipClassifier(PeakWindows(), nn.Sequential(stem, *layers, Heads(channels, number_of_labels, heads)))


class PeakWindows(nn.Module):
    """Clips, each divided by its peak, to windows of 64000 samples, short ones padded with zeros."""

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Windows of the waveforms (clips, samples), and the clip that each was cut from."""
        peak = waveform.abs().amax(1, keepdim=True).clamp_min(1e-8)
        padded = nn.functional.pad(waveform / peak, (0, max(0, WINDOW_SAMPLES - waveform.shape[1])))
        return cut(padded, lengths, size=WINDOW_SAMPLES, least=LEAST_SAMPLES)


class _MelInput(nn.Module):
    """A window to a normalised image (windows, 1, mels, frames)."""

    def __init__(self, sample_rate_hz: int, hop_length: int):
        super().__init__()
        self.norm_waveform = nn.BatchNorm1d(1)
        self.log_mel = LogMel(sample_rate_hz=sample_rate_hz, hop_length=hop_length, magnitude=True, top_db=80)
        self.norm_mel = nn.BatchNorm1d(64)

    def forward(self, windows: Tensor) -> Tensor:
        lengths = torch.full((len(windows),), windows.shape[1])
        return self.norm_mel(self.log_mel(self.norm_waveform(windows[:, None])[:, 0], lengths))[:, None]


class _Concatenate(nn.Module):
    """A layer whose input is kept beside its output."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.layer(x)], 1)


def _mel_stem(sample_rate_hz: int, hop_length: int, growth: int) -> nn.Module:
    return nn.Sequential(_MelInput(sample_rate_hz, hop_length), _Concatenate(nn.Conv2d(1, growth - 1, 3, padding=1)))


def _wav_stem(growth: int) -> nn.Module:
    strided = nn.Conv1d(1, growth, 64, stride=16, padding=24)
    return nn.Sequential(nn.Unflatten(1, (1, -1)), nn.BatchNorm1d(1), strided, nn.MaxPool1d(4))


class DenseModule(nn.Module):
    """BN ReLU 1x1, BN ReLU 3x3, squeeze-excite; the input concatenated; pooled by two where more than one is left."""

    def __init__(self, channels: int, growth: int, two_dimensional: bool):
        super().__init__()
        conv, norm = (nn.Conv2d, nn.BatchNorm2d) if two_dimensional else (nn.Conv1d, nn.BatchNorm1d)
        self.pool = nn.functional.max_pool2d if two_dimensional else nn.functional.max_pool1d
        self.layers = nn.Sequential(
            norm(channels),
            nn.ReLU(),
            conv(channels, growth, 1),
            norm(growth),
            nn.ReLU(),
            conv(growth, growth, 3, padding=1),
        )
        hidden = max(1, growth // 2)
        self.excite = nn.Sequential(nn.Linear(growth, hidden), nn.ReLU(), nn.Linear(hidden, growth), nn.Sigmoid())
        self.channels_out = channels + growth

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, ...) to (batch, channels + growth, ... halved)."""
        new = self.layers(x)
        weights = self.excite(new.flatten(2).mean(2))
        joined = torch.cat([x, new * weights.view(*weights.shape, *[1] * (new.dim() - 2))], 1)
        return self.pool(joined, [min(2, size) for size in joined.shape[2:]])


class Heads(nn.Module):
    """Several linear heads; the logarithm of their mean probabilities (which is its own log-softmax)."""

    def __init__(self, channels: int, number_of_labels: int, heads: int):
        super().__init__()
        self.norm, self.heads, self.labels = nn.BatchNorm1d(channels), heads, number_of_labels
        self.linear = nn.Linear(channels, heads * number_of_labels)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, ...) to log-probabilities (batch, labels)."""
        # A linear map and the mean over positions commute, so pooling before the map saves the map at every position.
        pooled = self.norm(x.flatten(2)).relu().mean(2)
        log_probabilities = self.linear(pooled).view(-1, self.heads, self.labels).log_softmax(-1)
        return log_probabilities.logsumexp(1) - math.log(self.heads)
