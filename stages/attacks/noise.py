"""Room of attacks: white noise, the control that knows nothing of the victim, at the same SNR as an attack."""

import numpy as np
import torch

from stages.attacking.problem import Result, Setting, norm
from stages.attacks.clips import Clips
from stages.frame.clip_table import stable_hash
from stages.frame.pcm import to_pcm16
from stages.victim import Goal, Inputs, Victim


def attack(
    victim: Victim,
    inputs: Inputs,
    goal: Goal,
    *,
    setting: Setting,
    snr_db: float,
    band_hz: list[float] | None,
) -> Result:
    """The clips with Gaussian noise at `snr_db`, as 16-bit files; `success` is whether they meet the goal all the same.

    The noise depends on its clip alone. With `band_hz` it is of these frequencies.

    Raises:
        UserError: the band is none.
    """
    clips = Clips(inputs, setting, band_hz)
    noise = torch.zeros_like(clips.clean)
    for row, clip, length in zip(noise, clips.clean.cpu().numpy(), clips.lengths.tolist()):
        rng = np.random.default_rng(stable_hash(to_pcm16(clip[:length]).tobytes().hex()))
        row[:length] = torch.from_numpy(rng.standard_normal(length))
    shaped = clips.shaped(noise)
    x = clips.rounded(shaped * (clips.radius(snr_db) / norm(shaped).clamp_min(1e-30)[:, None]))
    perturbed = inputs | {"audio": x}
    with torch.no_grad():
        success = victim.meets(victim.logits(perturbed), goal)
    none = torch.zeros(len(x), dtype=torch.long)
    return Result(perturbed, success, none, none + 1, none, none.bool())
