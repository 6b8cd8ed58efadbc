"""Ground floor: clips of different lengths as one batch."""

import numpy as np
import torch

from stages.victim import Inputs


def padded_batch(waveforms: list[np.ndarray], device: str) -> Inputs:
    """`audio` (clips, longest) on the device, zero after each clip's end, and `audio_length` (clips,) on the CPU."""
    lengths = [len(waveform) for waveform in waveforms]
    audio = np.zeros((len(waveforms), max(lengths)), np.float32)
    for row, waveform in zip(audio, waveforms):
        row[: len(waveform)] = waveform
    return {"audio": torch.from_numpy(audio).to(device), "audio_length": torch.tensor(lengths)}
