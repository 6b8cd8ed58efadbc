"""Room of treatments: none, the control that shows what 16-bit storage alone does."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def treat(waveforms: list[np.ndarray], *, sample_rate_hz: int, seeds: list[int], device: str) -> list[np.ndarray]:
    """Copies of the clips; for the contract see `stages.treatments`."""
    return [waveform.copy() for waveform in waveforms]


def through(*, sample_rate_hz: int, device: str) -> Callable[[dict[str, "Tensor"]], "Tensor"]:
    """The clips as they are."""
    return lambda inputs: inputs["audio"]
