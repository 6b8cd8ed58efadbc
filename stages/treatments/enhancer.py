"""Room of treatments: a trained enhancer of speech, which takes for noise whatever was added, attacks among it."""

import functools
from pathlib import Path

import numpy as np
import torch
from torch import nn

from stages import victim


def treat(
    waveforms: list[np.ndarray], *, sample_rate_hz: int, seeds: list[int], device: str, model: str
) -> list[np.ndarray]:
    """The clips as the enhancer in the folder `model` leaves them; for the contract see `stages.treatments`.

    Raises:
        UserError: there is no such model.
    """
    if not waveforms:
        return []
    enhancer = through(sample_rate_hz=sample_rate_hz, device=device, model=model)
    with torch.no_grad():
        made = enhancer(victim.padded_batch(waveforms, device)).cpu().numpy()
    return [enhanced[: len(own)].copy() for enhanced, own in zip(made, waveforms)]


def through(*, sample_rate_hz: int, device: str, model: str) -> nn.Module:
    """The enhancer itself: gradients pass it as they are.

    Raises:
        UserError: there is no such model.
    """
    return _loaded(Path(model).resolve(), device)


@functools.cache  # a stage comes here with few models, once a shard
def _loaded(model: Path, device: str) -> nn.Module:
    return victim.load(model, device=device).module
