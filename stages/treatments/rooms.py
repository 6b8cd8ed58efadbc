"""Room of treatments: played in one of many rooms, with the noise of the place."""

import functools
import itertools
from collections.abc import Callable
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
    rooms = _read(Path(impulse_responses).resolve(), sample_rate_hz, device, longest_s, held_out=True)
    batch = padded_batch(waveforms, device)
    noise = [np.random.default_rng(seed).standard_normal(len(one)) for seed, one in zip(seeds, waveforms)]
    noise = padded_batch([one.astype("f4") for one in noise], device)["audio"]
    own = rooms[torch.tensor([seed % len(rooms) for seed in seeds])]
    heard = played(batch["audio"], batch["audio_length"], own, noise, noise_snr_db).cpu().numpy()
    return [waveform[: len(one)].copy() for waveform, one in zip(heard, waveforms)]


def through(
    *,
    sample_rate_hz: int,
    device: str,
    impulse_responses: str,
    noise_snr_db: NonNegative,
    longest_s: Positive = LONGEST_RESPONSE_S,
) -> Callable[[dict[str, "Tensor"]], "Tensor"]:
    """The clips as heard in one of the rooms that attackers may know, another one and other noise at each call.

    Raises:
        UserError: the folder can't be used, see `read_responses`.
    """
    rooms = _read(Path(impulse_responses).resolve(), sample_rate_hz, device, longest_s, held_out=False)
    calls = itertools.count()

    def treated(inputs: dict[str, "Tensor"]) -> "Tensor":
        import torch

        from stages.features.playback import played

        # A generator a call, so that noise begins alike however long the batch is.
        rng = np.random.default_rng(next(calls))
        room = int(rng.integers(len(rooms)))
        noise = torch.from_numpy(rng.standard_normal((1, inputs["audio"].shape[1]))).to(inputs["audio"])
        return played(inputs["audio"], inputs["audio_length"], rooms[room : room + 1], noise, noise_snr_db)

    return treated


@functools.cache  # a stage comes here with one folder, once a shard
def _read(folder: Path, sample_rate_hz: int, device: str, longest_s: float, *, held_out: bool) -> "Tensor":
    """Impulse responses (rooms, taps)."""
    from stages.features.playback import read_responses

    responses = read_responses(folder, sample_rate_hz=sample_rate_hz, held_out=held_out, longest_s=longest_s)
    return responses.to(device)
