"""Room of networks: speech enhancement by regression of log-power spectra (Xu et al. 2015; Qi et al. 2019).

From the noisy spectra of several frames to the clean one of the middle frame: three layers of 2048 units, three frames
of context on either side, windows of 32 ms every 16 ms. The phase stays the noisy one's. Xu et al. have sigmoid units
and pretrain each layer; here the units are rectified, and all layers are trained at once.
"""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from stages.features.context import windows
from stages.frame.errors import UserError
from stages.frame.parameters import Count, NonNegativeInt, Positive
from stages.victim import padded_batch

# Added to powers before the logarithm: what rounding to 16 bits leaves in a bin of a window of 32 ms is about as large.
LEAST_POWER = 1e-8
LEAST_DEVIATION = 1e-3


def build(
    number_of_labels: int,
    *,
    sample_rate_hz: int,
    window_s: Positive,
    hop_s: Positive,
    context: NonNegativeInt,
    hidden_units: list[Count],
    residual: bool,
) -> nn.Module:
    """The untrained enhancer.

    Args:
        number_of_labels: of no meaning to an enhancer.
        sample_rate_hz: of the waveforms.
        window_s: of a frame, Hann's.
        hop_s: from one frame to the next, at most half of `window_s`.
        context: frames seen beside each, on either side.
        hidden_units: of the hidden layers.
        residual: whether the noisy spectrum of the middle frame is added to what the last layer says; not in the paper.
            Without it so much training goes into passing spectra on that a small network lowers the ratio at 5 dB.

    Raises:
        UserError: frames that are too far apart.
    """
    if not 1 / sample_rate_hz <= hop_s <= window_s / 2:
        raise UserError(
            "network dnn_regression",
            "a hop_s of a sample at least and of half the window_s at most",
            f"{hop_s:g}",
            "correct the victim's parameters",
        )
    window, hop = round(window_s * sample_rate_hz), round(hop_s * sample_rate_hz)
    return DnnRegression(window, hop, context=context, hidden_units=hidden_units, residual=residual)


class DnnRegression(nn.Module):
    """Noisy waveforms to enhanced ones; made by `build`.

    Takes `audio` (clips, samples) in [-1, 1) and `audio_length` (clips,), gives (clips, samples), zero after each
    clip's end. `mean` and `deviation` (bins,) of noisy log-power spectra are set by training, see `fit`, and kept with
    the weights; both what comes in and what comes out is standardised by them.
    """

    takes = ("audio",)

    def __init__(self, window: int, hop: int, *, context: int, hidden_units: list[int], residual: bool):
        super().__init__()
        self.hop, self.context, self.residual = hop, context, residual
        bins = window // 2 + 1
        self.register_buffer("window", torch.hann_window(window), persistent=False)
        self.register_buffer("mean", torch.zeros(bins))
        self.register_buffer("deviation", torch.ones(bins))
        sizes = [(2 * context + 1) * bins, *hidden_units]
        hidden = [layer for pair in zip(sizes, hidden_units) for layer in (nn.Linear(*pair), nn.ReLU())]
        self.layers = nn.Sequential(*hidden, nn.Linear(sizes[-1], bins))

    @torch.no_grad()
    def fit(self, waveforms: Iterable[np.ndarray]) -> None:
        """Takes mean and deviation from noisy waveforms, each (samples,)."""
        total, squares, frames = 0.0, 0.0, 0
        for waveform in waveforms:
            inputs = padded_batch([waveform], self.mean.device)
            spectrum, inside = self.spectrum(inputs["audio"], inputs["audio_length"])
            powers = log_power(spectrum)[inside[..., 0]].double()
            total, squares = total + powers.sum(0), squares + powers.square().sum(0)
            frames += len(powers)
        self.mean.copy_(total / frames)
        self.deviation.copy_((squares / frames - (total / frames).square()).clamp_min(LEAST_DEVIATION**2).sqrt())

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Enhanced waveforms (clips, samples)."""
        spectrum, inside = self.spectrum(inputs["audio"], inputs["audio_length"])
        noisy = log_power(spectrum)
        enhanced = self.standardised_spectrum(noisy, inside) * self.deviation + self.mean
        # The noisy spectrum times a gain: the same as the enhanced magnitude with the noisy phase, and smooth at zero.
        return self.resynthesised(spectrum * ((enhanced - noisy) / 2).exp(), inside, inputs)

    def standardised_spectrum(self, noisy: Tensor, inside: Tensor) -> Tensor:
        """The network's own output: clean log-power spectra by its mean and deviation (clips, frames, bins)."""
        seen = (noisy - self.mean) / self.deviation * inside
        said = self.layers(windows(seen, self.context))
        return seen + said if self.residual else said

    def spectrum(self, audio: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Complex spectra (clips, frames, bins), and which frames (clips, frames, 1) hold something of their clip.

        Windows are centred on every hop from the first sample on, zeros stand before it and after each clip's end.
        """
        window, lengths = len(self.window), lengths.to(audio.device)[:, None]
        audio = audio * (torch.arange(audio.shape[1], device=audio.device) < lengths)
        framed = pad(audio, (window // 2, window)).unfold(1, window, self.hop)
        frames = torch.arange(framed.shape[1], device=audio.device)
        inside = frames * self.hop < lengths + window // 2
        return torch.fft.rfft(framed * self.window), inside[..., None]

    def resynthesised(self, spectrum: Tensor, inside: Tensor, inputs: dict[str, Tensor]) -> Tensor:
        """Waveforms (clips, samples) whose windowed spectra come nearest to these (Griffin and Lim 1984, Eq. 6)."""
        samples, window = inputs["audio"].shape[1], len(self.window)
        framed = torch.fft.irfft(spectrum * inside, window) * self.window
        weight = self.window.square().expand_as(framed[:1])
        waveform, weight = (self._overlapping(values)[:, window // 2 :][:, :samples] for values in (framed, weight))
        own = torch.arange(samples, device=waveform.device) < inputs["audio_length"].to(waveform.device)[:, None]
        return waveform / weight * own

    def _overlapping(self, framed: Tensor) -> Tensor:
        """The sum (clips, samples) of frames (clips, frames, window), each a hop after the one before."""
        length = (framed.shape[1] - 1) * self.hop + framed.shape[2]
        size = {"output_size": (1, length), "kernel_size": (1, framed.shape[2]), "stride": (1, self.hop)}
        return nn.functional.fold(framed.mT, **size).flatten(1)


def log_power(spectrum: Tensor) -> Tensor:
    """The natural logarithm of a complex spectrum's power."""
    return (spectrum.real.square() + spectrum.imag.square() + LEAST_POWER).log()
