"""Room of features: the log-mel images of Ren et al. (ICASSP 2020), all equally long, and the way back to sound.

The paper gives window, hop, bins and frames. The rest is that of its group's earlier code for acoustic scenes (Ren et
al., ICASSP 2019): no padding, a symmetric Hamming window, magnitudes as scipy's spectrogram scales them (divided by
the square root of the window's energy), Slaney's mel filters, and the natural logarithm above a floor of 1e-8.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from stages.frame.errors import UserError
from stages.frame.parameters import Count, NonNegative

FLOOR = 1e-8
LARGEST = 1 - 2**-15  # of 16-bit samples
POWER_FLOOR = 1e-24  # keeps the square root's gradient finite and lies far below FLOOR
MOMENTUM = 0.9


class LogMelImage(nn.Module):
    """Waveforms to log-mel images in nats, differentiable; see `build` for the parameters.

    `signal` is what a network must know of the images, which all have `frames` frames; `shortest` is how many samples
    a clip must have.
    """

    equally_long = True
    shortest = 1

    def __init__(
        self,
        *,
        sample_rate_hz: int,
        window_length: int,
        hop_length: int,
        mels: int,
        lowest_hz: float,
        frames: int,
        fit: Literal["tile", "resize", "zero"],
    ):
        super().__init__()
        from torchaudio.functional import melscale_fbanks

        self.window_length, self.hop_length, self.frames, self.fit = window_length, hop_length, frames, fit
        self.signal = {"mels": mels}
        window = torch.hamming_window(window_length, periodic=False, dtype=torch.float64)
        filters = melscale_fbanks(
            window_length // 2 + 1,
            lowest_hz,
            sample_rate_hz / 2,
            mels,
            sample_rate_hz,
            norm="slaney",
            mel_scale="slaney",
        )
        self.register_buffer("window", (window / window.square().sum().sqrt()).float(), persistent=False)
        self.register_buffer("filters", filters, persistent=False)

    def frames_of(self, lengths: Tensor) -> Tensor:
        """Frames of clips of so many samples before they are made to fit; a clip shorter than a window has one."""
        return (lengths - self.window_length).clamp_min(0) // self.hop_length + 1

    def forward(self, waveform: Tensor, lengths: Tensor) -> Tensor:
        """Images (clips, frames, mels) of waveforms (clips, samples) in [-1, 1), `lengths` (clips,) being on the CPU.

        Clips with more frames are cut. What lies after a clip's end has no influence.
        """
        after_end = torch.arange(waveform.shape[1]) >= lengths[:, None]
        longest = self.window_length + (self.frames - 1) * self.hop_length  # no frame is made only to be cut
        waveform = waveform.masked_fill(after_end.to(waveform.device), 0)[:, :longest]
        missing = max(0, self.window_length - waveform.shape[1])
        spectrum = self._spectrum(nn.functional.pad(waveform, (0, missing)))
        power = spectrum.real.square() + spectrum.imag.square()
        magnitude = power.clamp_min(POWER_FLOOR).sqrt().transpose(1, 2)
        log_mel = (magnitude @ self.filters + FLOOR).log()
        return self._fitted(log_mel, self.frames_of(lengths).clamp_max(self.frames).to(waveform.device)[:, None])

    @torch.no_grad()
    def invert(self, log_mel: Tensor, *, iterations: int) -> Tensor:
        """Waveforms (clips, samples) in [-1, 1) whose images are close to these (clips, frames, mels), clipped to fit.

        As many samples as give just the image's frames. Griffin and Lim's (1984) alternation of synthesis and analysis
        with momentum (Perraudin et al. 2013); but where they keep the phases and put back given magnitudes, here each
        magnitude is scaled by how much its mel bins lack, since only those are given. From phases that are always the
        same.
        """
        mel = (log_mel.exp() - FLOOR).clamp_min(0).transpose(1, 2)
        generator = torch.Generator().manual_seed(0)
        phases = 2 * math.pi * torch.rand(len(self.filters), mel.shape[2], generator=generator).to(mel)
        spectrum = self._towards(mel, torch.polar(torch.ones_like(phases), phases).expand(len(mel), -1, -1))
        last = None
        for _ in range(iterations):
            seen = self._spectrum(self._waveform(spectrum))
            spectrum = self._towards(mel, seen if last is None else seen + MOMENTUM * (seen - last))
            last = seen
        return self._waveform(spectrum)

    def _towards(self, mel: Tensor, spectrum: Tensor) -> Tensor:
        """The spectra (clips, bins, frames), scaled by one multiplicative update to the mel magnitudes `mel`.

        The update is that of Lee and Seung (2001) for the Kullback-Leibler divergence, which counts relative errors.
        """
        lacking = mel / (self.filters.T @ spectrum.abs()).clamp_min(FLOOR)
        weight = self.filters.sum(1, keepdim=True)
        return spectrum * (self.filters @ lacking) / weight.masked_fill(weight == 0, 1)

    def _spectrum(self, waveform: Tensor) -> Tensor:
        """Complex spectra (clips, bins, frames)."""
        return torch.stft(
            waveform, self.window_length, self.hop_length, window=self.window, center=False, return_complex=True
        )

    def _waveform(self, spectrum: Tensor) -> Tensor:
        """The waveforms whose spectra are nearest, clipped."""
        waveform = torch.istft(spectrum, self.window_length, self.hop_length, window=self.window, center=False)
        return waveform.clamp(-1, LARGEST)

    def _fitted(self, log_mel: Tensor, own: Tensor) -> Tensor:
        """Images of `frames` frames of those of which the first `own` (clips, 1) are the clip's."""
        here = torch.arange(self.frames, device=log_mel.device)
        if self.fit == "tile":
            return _at(log_mel, here % own)
        if self.fit == "zero":
            return _at(log_mel, torch.minimum(here, own - 1)).masked_fill((here >= own)[:, :, None], math.log(FLOOR))
        position = here * (own - 1) / max(1, self.frames - 1)
        below = position.long()
        above = torch.minimum(below + 1, own - 1)
        return torch.lerp(_at(log_mel, below), _at(log_mel, above), (position - below)[:, :, None].to(log_mel))


def build(
    *,
    sample_rate_hz: Count,
    window_length: Count,
    hop_length: Count,
    mels: Count,
    lowest_hz: NonNegative,
    frames: Count,
    fit: Literal["tile", "resize", "zero"],
) -> LogMelImage:
    """The front end.

    Args:
        sample_rate_hz: of the waveforms.
        window_length: samples of a frame.
        hop_length: samples from one frame to the next.
        mels: bins of an image.
        lowest_hz: where the first mel filter begins; the last one ends at half the sample rate.
        frames: of an image.
        fit: how shorter clips come to as many: repeated in time, stretched linearly, or followed by silence.

    Raises:
        UserError: frames leave gaps, so that no sound could be made of an image.
    """
    if hop_length > window_length:
        raise UserError(
            "params.yaml: hop_length of log_mel_image",
            f"at most window_length, {window_length}",
            f"{hop_length}",
            "lower it",
        )
    return LogMelImage(
        sample_rate_hz=sample_rate_hz,
        window_length=window_length,
        hop_length=hop_length,
        mels=mels,
        lowest_hz=lowest_hz,
        frames=frames,
        fit=fit,
    )


def _at(log_mel: Tensor, frame: Tensor) -> Tensor:
    """The frames (clips, frames) of each clip."""
    return log_mel.gather(1, frame[:, :, None].expand(-1, -1, log_mel.shape[2]))
