"""Room of scoring: what listeners would say of a clip, told from the sound alone by a pretrained network (DNSMOS)."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from stages.victim import Victim


def opinions(waveforms: list[np.ndarray], *, model: Path, device: str) -> pd.DataFrame:
    """A row for each waveform (samples,): mean opinion scores, 1 to 5, of the speech, of the background, and overall.

    Args:
        waveforms: at 16 kHz.
        model: the folder of the network.
        device: where it is computed.

    Raises:
        UserError: there is no such model.
    """
    import torch

    from stages.victim import padded_batch

    module = _opened(model.resolve(), device).module
    with torch.no_grad():
        told = [module(padded_batch([one], device))[0].tolist() for one in waveforms]
    return pd.DataFrame(told, columns=[f"opinion_{name}" for name in module.names])


@functools.lru_cache(maxsize=1)  # a stage asks the same again with each shard
def _opened(model: Path, device: str) -> "Victim":
    from stages import victim

    return victim.load(model, device=device)
