"""Room of treatments: from a log-mel image to a sound that can be played, by Griffin and Lim's algorithm."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.frame.parameters import Count

if TYPE_CHECKING:
    from stages.features.log_mel_image import LogMelImage
    from stages.victim import Victim


def treat(
    waveforms: list[np.ndarray], *, sample_rate_hz: int, seeds: list[int], device: str, model: str, iterations: Count
) -> list[np.ndarray]:
    """Sounds whose images are near to these; for the contract see `stages.treatments`.

    What comes in is no waveforms but standardised log-mel images (frames, mels), as the victim in the folder `model`
    takes them: it knows by which mean, deviation and front end they were made.

    Raises:
        UserError: there is no such model, or it has no front end whose images can be inverted.
    """
    import torch

    if not waveforms:
        return []
    victim, front_end = _opened(Path(model).resolve(), device)
    log_mel = victim.module.unstandardised(torch.from_numpy(np.stack(waveforms)).to(device))
    return list(front_end.invert(log_mel, iterations=iterations).cpu().numpy())


@functools.lru_cache(maxsize=1)  # images of one model come together
def _opened(model: Path, device: str) -> tuple["Victim", "LogMelImage"]:
    from stages import victim

    return victim.load(model, device=device), victim.front_end_of(model).to(device)
