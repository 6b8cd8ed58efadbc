"""Room of treatments: played in one of many rooms, with the noise of the place."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.frame.parameters import NonNegative, Positive
from stages.frame.sound_files import LONGEST_RESPONSE_S

if TYPE_CHECKING:
    from torch import Tensor


def treat(
    waveforms: list[np.ndarray],
    *,
    sample_rate_hz: int,
    seeds: list[int],
    device: str,
    impulse_responses: str,
    noise_snr_db: NonNegative,
    longest_s: Positive = LONGEST_RESPONSE_S,
) -> list[np.ndarray]:
    """The clips as heard in rooms that no attacker has seen, see `features.playback`; for the contract `treatments`.

    A clip's seed gives its noise and its room: seeds one apart have different rooms, as far as there are enough.

    Args:
        waveforms: the clips.
        sample_rate_hz: of the clips.
        seeds: one a clip.
        device: where it is computed.
        impulse_responses: a folder of files, every third of which is held out from attackers.
        noise_snr_db: how far the noise of the place lies below what is heard.
        longest_s: how long an impulse response may be.

    Raises:
        UserError: the folder can't be used, see `read_responses`.
    """
    import torch

    from stages.features.playback import played
    from stages.victim import padded_batch

    if not waveforms:
        return []
    rooms = _held_out(Path(impulse_responses).resolve(), sample_rate_hz, device, longest_s)
    batch = padded_batch(waveforms, device)
    noise = [np.random.default_rng(seed).standard_normal(len(one)) for seed, one in zip(seeds, waveforms)]
    noise = padded_batch([one.astype("f4") for one in noise], device)["audio"]
    own = rooms[torch.tensor([seed % len(rooms) for seed in seeds])]
    heard = played(batch["audio"], batch["audio_length"], own, noise, noise_snr_db).cpu().numpy()
    return [waveform[: len(one)].copy() for waveform, one in zip(heard, waveforms)]


@functools.cache  # a stage comes here with one folder, once a shard
def _held_out(folder: Path, sample_rate_hz: int, device: str, longest_s: float) -> "Tensor":
    """Impulse responses (rooms, taps)."""
    from stages.features.playback import read_responses

    return read_responses(folder, sample_rate_hz=sample_rate_hz, held_out=True, longest_s=longest_s).to(device)
