"""Room of attacks: what evolution varies: how much of each mel band of a clip's own sound is added to it, and when.

A number for each sample would be too many to search without gradients; a few loud tones cannot spell a phrase.
"""

import numpy as np
import torch
from torch import Tensor

from stages.attacking.problem import norm
from stages.attacks.clips import SAMPLE_RATE_HZ, Clips


class Pieces:
    """From genes (members, segments * bands) to perturbations (members, samples) of one clip, within the bound.

    A piece is the clip through one of the bands, triangles equally wide in mels, during two segments, under a window
    that rises in the one and falls in the other. All pieces are equally loud but for those of digital silence; a gene
    is the signed amplitude of one. With random genes of unit variance a perturbation is about as large as the bound;
    larger ones are scaled down to it.

    Args:
        clip: one, of its own length.
        snr_db: the lowest signal-to-noise ratio that the perturbation may have.
        bands: how many, over the clip's band.
        segment_s: from one piece of a band to the next.
    """

    def __init__(self, clip: Clips, *, snr_db: float, bands: int, segment_s: float):
        self.clip, self.samples, self.radius = clip, clip.clean.shape[1], clip.radius(snr_db)
        hop = round(segment_s * SAMPLE_RATE_HZ)
        # A segment's pieces rise from nothing before it and fall to nothing after it; the first begins before the clip.
        self.segments = -(-self.samples // hop) + 1
        self.genes = self.segments * bands
        after = self.segments * hop - self.samples
        carriers = torch.nn.functional.pad(_in_bands(clip.clean.double(), bands, clip.band_hz), (hop, after))
        rise = (torch.arange(hop) + 0.5) / hop
        pieces = carriers.unfold(1, 2 * hop, hop) * torch.cat([rise, 1 - rise]).to(carriers)
        loudness = pieces.norm(dim=-1, keepdim=True).clamp_min(clip.quantum) * self.genes**0.5
        self.pieces = (pieces / loudness).transpose(0, 1).to(clip.clean).contiguous()

    def within(self, genes: np.ndarray) -> np.ndarray:
        """The genes (members, genes), scaled down where what they add is larger than the bound."""
        return genes * self._scale(self._perturbation(genes)).double().cpu().numpy()

    def added(self, genes: np.ndarray) -> Tensor:
        """The clip with them, as 16-bit files (members, samples)."""
        perturbation = self._perturbation(genes)
        return self.clip.rounded(self._scale(perturbation) * perturbation)

    def _perturbation(self, genes: np.ndarray) -> Tensor:
        amplitudes = torch.from_numpy(genes).to(self.pieces).unflatten(1, (self.segments, -1)).transpose(0, 1)
        rising, falling = (amplitudes @ self.pieces).chunk(2, -1)
        added = (rising[1:] + falling[:-1]).transpose(0, 1).flatten(1)[:, : self.samples]
        return self.radius * self.clip.shaped(added)

    def _scale(self, perturbation: Tensor) -> Tensor:
        """The factors (members, 1), at most 1, that bring them within the bound."""
        return (self.radius / norm(perturbation).clamp_min(1e-30)[:, None]).clamp_max(1)


def _in_bands(clean: Tensor, bands: int, band_hz: list[float] | None) -> Tensor:
    """A clip (1, samples) through each triangle, (bands, samples)."""
    low, high = 2595 * np.log10(1 + np.array(band_hz or [0, SAMPLE_RATE_HZ / 2]) / 700)
    spectrum = torch.fft.rfft(clean)
    mels = 2595 * np.log10(1 + np.linspace(0, SAMPLE_RATE_HZ / 2, spectrum.shape[1]) / 700)
    place = (mels - low) / (high - low) * (bands + 1) - np.arange(1, bands + 1)[:, None]
    triangles = torch.from_numpy(np.maximum(0, 1 - np.abs(place))).to(clean)
    return torch.fft.irfft(spectrum * triangles, clean.shape[1])
