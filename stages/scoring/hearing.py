"""Room of scoring: what victims decide on sound, also those that take images of it."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import nn

    from stages.victim import Victim


def decide(model: Path, device: str, waveforms: list[np.ndarray]) -> tuple[list[str], list[float]]:
    """What the model in a folder decides on each waveform (samples,), and how sure it is, 0 to 1.

    Raises:
        UserError: there is no such model.
    """
    import torch

    from stages.victim import padded_batch

    victim, front_end = _opened(model.resolve(), device)
    inputs = padded_batch(waveforms, device)
    with torch.no_grad():
        if front_end is not None:
            (image,) = victim.module.takes
            inputs = {image: front_end(inputs["audio"], inputs["audio_length"])}
        label, confidence = victim.decode(victim.logits(victim.module.prepare(inputs)))
    return victim.names(label), confidence.tolist()


@functools.lru_cache(maxsize=8)  # a stage asks the same few again with each shard
def _opened(model: Path, device: str) -> tuple["Victim", "nn.Module | None"]:
    """The victim, and where it takes no sound the front end that makes its images."""
    from stages import victim

    made = victim.load(model, device=device)
    return made, None if "audio" in made.module.takes else victim.front_end_of(model).to(device)
