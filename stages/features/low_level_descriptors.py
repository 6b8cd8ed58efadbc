"""Room of features: the 34 short-term descriptors of pyAudioAnalysis 0.3 (Giannakopoulos 2015), quirks included.

In its order: zero crossing rate, energy, entropy of energy, spectral centroid, spread, entropy, flux and roll-off, 13
MFCCs, 12 chroma values and their deviation. What is odd about them is that library's: the whole clip decides the level
of each frame, there is no window, the mel-like filters act at half their nominal frequencies, and of the bins of one
semitone the last alone counts.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from stages.frame.errors import UserError
from stages.frame.parameters import Count, Positive

DESCRIPTORS = (
    *("zcr", "energy", "energy_entropy", "spectral_centroid", "spectral_spread", "spectral_entropy"),
    *("spectral_flux", "spectral_rolloff"),
    *(f"mfcc_{number}" for number in range(1, 14)),
    *(f"chroma_{number}" for number in range(1, 13)),
    "chroma_std",
)
EPS = float(np.finfo(np.float64).eps)
BLOCKS = 10
ROLL_OFF = 0.9
LOWEST_HZ, LINEAR_STEP_HZ, LOG_STEP = 133.33, 200 / 3, 1.0711703
LINEAR_FILTERS, LOG_FILTERS, COEFFICIENTS = 13, 27, 13
LOWEST_NOTE_HZ = 27.5


class LowLevelDescriptors(nn.Module):
    """Waveforms to descriptors; see `build` for the parameters.

    `signal` is what a network must know of the frames, `frames` the most there are, `shortest` how many samples a clip
    must have.
    """

    equally_long = False

    def __init__(self, *, sample_rate_hz: int, window_length: int, hop_length: int, longest: int):
        super().__init__()
        self.window_length, self.hop_length, self.longest = window_length, hop_length, longest
        self.shortest = window_length
        self.frames = (longest - window_length) // hop_length + 1
        self.signal = {"features": len(DESCRIPTORS)}
        self.bins = window_length // 2
        # Frequencies as shares of the highest.
        place = np.arange(1, self.bins + 1) / self.bins
        sums = np.vstack([place, place**2, _filters(self.bins, sample_rate_hz)]).T
        for name, matrix in (
            ("sums", sums),
            ("cosines", _cosines(LINEAR_FILTERS + LOG_FILTERS)),
            ("chroma", _chroma(self.bins, sample_rate_hz)),
        ):
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(matrix)), persistent=False)

    def frames_of(self, lengths: Tensor) -> Tensor:
        """Frames of whole clips of so many samples."""
        return (lengths - self.window_length).div(self.hop_length, rounding_mode="floor") + 1

    def forward(self, audio: Tensor, audio_length: Tensor) -> Tensor:
        """Descriptors (clips, frames, 34) of waveforms (clips, samples) in [-1, 1), `audio_length` being on the CPU.

        What lies beyond the longest duration is cut first. What lies after a clip's end has no influence, and the
        frames there are zero.
        """
        audio, lengths = audio[:, : self.longest], audio_length.clamp_max(self.longest)
        audio = _normalised(audio, lengths.to(audio.device))
        frames = audio.unfold(1, self.window_length, self.hop_length)
        spectrum = torch.view_as_real(torch.fft.rfft(frames)[..., : self.bins]) / self.bins
        power = spectrum.square().sum(-1)
        descriptors = torch.cat([self._of_waves(audio), self._of_spectra(power.sqrt(), power)], -1)
        own = torch.arange(descriptors.shape[1]) < self.frames_of(lengths)[:, None]
        return descriptors.masked_fill(~own[..., None].to(audio.device), 0)

    def _of_waves(self, audio: Tensor) -> Tensor:
        """Zero crossing rate, energy and its entropy, (clips, frames, 3), of normalised waveforms (clips, samples)."""
        sign, power = audio.sign(), audio.square()
        steps = (sign[:, 1:] - sign[:, :-1]).abs().unfold(1, self.window_length - 1, self.hop_length)
        power = power.unfold(1, self.window_length, self.hop_length)
        crossings = steps.sum(-1, keepdim=True) / 2 / (self.window_length - 1)
        total = power.sum(-1, keepdim=True)
        return torch.cat([crossings, total / self.window_length, _entropy(power, total)], -1)

    def _of_spectra(self, magnitude: Tensor, power: Tensor) -> Tensor:
        """The descriptors from the centroid on, of magnitudes and their squares (clips, frames, bins)."""
        sums, cosines, chroma = (one.to(magnitude) for one in (self.sums, self.cosines, self.chroma))
        total = power.sum(-1, keepdim=True)
        weight, highest = magnitude.sum(-1, keepdim=True), magnitude.amax(-1, keepdim=True)
        first, second, energies = (magnitude @ sums).split([1, 1, sums.shape[1] - 2], -1)
        # The library divides a spectrum by its maximum, and then by the sum of what that gives and epsilon.
        scale = _or_eps(weight + EPS * highest)
        centroid = first / scale
        spread = (second / scale - centroid.square() * (2 - weight / scale)).clamp_min(0).sqrt()
        share = magnitude / (weight + magnitude.shape[-1] * EPS)
        flux = (share[:, 1:] - share[:, :-1]).square().sum(-1, keepdim=True)
        # Sums in double precision: a threshold is crossed at one bin or another.
        cumulated = power.cumsum(-1, dtype=torch.float64)
        below = cumulated + EPS <= ROLL_OFF * cumulated[..., -1:]
        roll_off = below.sum(-1, keepdim=True).to(magnitude) / magnitude.shape[-1]
        mfcc = (energies + EPS).log10() @ cosines.T
        chroma = power @ chroma / _or_eps(total)
        parts = [centroid, spread, _entropy(power, total), nn.functional.pad(flux, (0, 0, 1, 0)), roll_off, mfcc]
        return torch.cat([*parts, chroma, chroma.std(-1, keepdim=True, correction=0)], -1)


def build(*, sample_rate_hz: Count, window_s: Positive, hop_s: Positive, longest_s: Positive) -> LowLevelDescriptors:
    """The front end.

    Args:
        sample_rate_hz: of the waveforms.
        window_s: of a frame.
        hop_s: from one frame to the next.
        longest_s: what of a clip is looked at.

    Raises:
        UserError: the window is longer than that, or too short to have a bin for each semitone, where the library
            fails.
    """
    window_length, hop_length, longest = (round(seconds * sample_rate_hz) for seconds in (window_s, hop_s, longest_s))
    highest = round(12 * math.log2(sample_rate_hz / 2 / LOWEST_NOTE_HZ))
    if not highest < window_length // 2 or window_length > longest or hop_length < 1:
        shortest = 2 * (highest + 1) / sample_rate_hz
        raise UserError(
            "params.yaml: window_s of low_level_descriptors",
            f"at least {shortest:.4f} (a bin for each of {highest} semitones) and at most longest_s",
            f"{window_s:g}",
            "change it",
        )
    return LowLevelDescriptors(
        sample_rate_hz=sample_rate_hz, window_length=window_length, hop_length=hop_length, longest=longest
    )


def _normalised(audio: Tensor, lengths: Tensor) -> Tensor:
    """Waveforms, each less its mean and with a peak of 1; zero after its end."""
    outside = torch.arange(audio.shape[1], device=audio.device) >= lengths[:, None]
    mean = audio.masked_fill(outside, 0).sum(1, dtype=torch.float64) / lengths
    audio = (audio - mean[:, None].to(audio)).masked_fill_(outside, 0)
    lowest, highest = audio.aminmax(dim=1, keepdim=True)
    return audio.div_(torch.maximum(-lowest, highest) + 1e-10)


def _entropy(power: Tensor, total: Tensor) -> Tensor:
    """Entropy in bits of ten blocks' shares of the power (..., values); what is left over at the end counts in none."""
    size = power.shape[-1] // BLOCKS
    share = power[..., : size * BLOCKS].unflatten(-1, (BLOCKS, size)).sum(-1) / (total + EPS)
    return -(share * (share + EPS).log2()).sum(-1, keepdim=True)


def _or_eps(values: Tensor) -> Tensor:
    return values.masked_fill(values == 0, EPS)


def _filters(bins: int, sample_rate_hz: int) -> np.ndarray:
    """Triangular filters (filters, bins) of unit area, laid out as if the bins reached up to the sample rate."""
    linear = LOWEST_HZ + LINEAR_STEP_HZ * np.arange(LINEAR_FILTERS)
    corners = np.append(linear, linear[-1] * LOG_STEP ** np.arange(1, LOG_FILTERS + 3))
    low, centre, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    bin_hz = sample_rate_hz / bins
    edges = np.floor(corners / bin_hz)
    number = np.arange(bins)
    height = 2 / (high - low)
    rising = (number > edges[:-2, None]) & (number <= edges[1:-1, None])
    falling = (number > edges[1:-1, None]) & (number <= edges[2:, None])
    up, down = (number * bin_hz - low) / (centre - low), (high - number * bin_hz) / (high - centre)
    return height * (rising * up + falling * down)


def _cosines(count: int) -> np.ndarray:
    """The first coefficients of the orthonormal cosine transform (coefficients, count)."""
    order, place = np.arange(COEFFICIENTS)[:, None], np.arange(count) + 0.5
    scale = np.where(order == 0, math.sqrt(1 / count), math.sqrt(2 / count))
    return scale * np.cos(math.pi * order * place / count)


def _chroma(bins: int, sample_rate_hz: int) -> np.ndarray:
    """What each bin's power adds to each of twelve semitones, (bins, 12).

    Bin k lies at semitone s(k) above the lowest note, counted from the end where it is negative, and the last bin of a
    semitone is all that stays of it. Place p of the semitones is then divided by the number of bins that lie where bin
    s(p) lies.
    """
    semitone = np.round(12 * np.log2(np.arange(1, bins + 1) * sample_rate_hz / (2 * bins) / LOWEST_NOTE_HZ)).astype(int)
    sharing = np.array([(semitone == own).sum() for own in semitone])
    placed = np.zeros((bins, bins))
    for number, place in enumerate(semitone):
        placed[:, place] = 0
        placed[number, place] = 1
    placed /= sharing[semitone]
    folded = np.pad(placed, ((0, 0), (0, -bins % 12)))
    return folded.reshape(bins, -1, 12).sum(1)
