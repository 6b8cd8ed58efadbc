"""Room of attacks: clips as 16-bit files, and what may be added to them under a bound on the SNR."""

import torch
from torch import Tensor

from stages.attacking.problem import Setting, norm
from stages.features.playback import REACH, band_passed
from stages.frame.errors import UserError
from stages.victim import Inputs

SAMPLE_RATE_HZ = 16_000


class Clips:
    """Clips as 16-bit files, `clean` (clips, samples), and what perturbations of them may be.

    A perturbation is zero after its clip's end, and in its band; what is perturbed is within the bounds.

    Raises:
        UserError: `band_hz` is not two frequencies, the lower one first.
    """

    def __init__(self, inputs: Inputs, setting: Setting, band_hz: list[float] | None):
        if band_hz and not (len(band_hz) == 2 and 0 <= band_hz[0] < band_hz[1] <= SAMPLE_RATE_HZ / 2):
            raise UserError(
                "params.yaml: band_hz of an attack",
                f"two frequencies from 0 to {SAMPLE_RATE_HZ // 2}",
                f"{band_hz}",
                "correct it",
            )
        self.band_hz, self.lengths = band_hz, inputs["audio_length"]
        self.quantum = setting.needed("quantum", "on 16-bit files")["audio"]
        self.clean = (inputs["audio"] / self.quantum).round() * self.quantum
        here, ends = torch.arange(self.clean.shape[1]).to(self.clean), self.lengths.to(self.clean)[:, None]
        self.inside = here < ends
        # The band-pass sounds before and after what it is given; so what it gives lies within the clip all the same.
        margin = REACH if band_hz else 0
        self.free = (here >= margin) & (here < ends - margin)
        low, high = setting.bounds["audio"]
        self.low, self.high = max(low, -1.0), min(high, 1 - self.quantum)

    def radius(self, snr_db: float) -> Tensor:
        """L2 norms (clips, 1) of perturbations at this SNR."""
        return norm(self.clean * self.inside)[:, None] * 10 ** (-snr_db / 20)

    def shaped(self, waveform: Tensor) -> Tensor:
        """What of any waveforms (clips, samples) a perturbation may be."""
        free = waveform * self.free
        return band_passed(free, *self.band_hz, SAMPLE_RATE_HZ) * self.inside if self.band_hz else free

    def perturbed(self, perturbation: Tensor) -> Tensor:
        """The clips with it."""
        return (self.clean + perturbation).clamp(self.low, self.high)

    def rounded(self, perturbation: Tensor) -> Tensor:
        """The same as 16-bit files; towards the clean clips, so that no perturbation grows."""
        return self.clean + ((self.perturbed(perturbation) - self.clean) / self.quantum).trunc() * self.quantum
