"""Room of attacks: the phrase itself spoken over the clip, the control that tells what an attack as loud is worth."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stages.attacking.problem import Result, Setting, norm
from stages.attacks.clips import SAMPLE_RATE_HZ, Clips
from stages.features.audio import read_audio
from stages.frame.errors import UserError
from stages.frame.parameters import Positive
from stages.victim import Goal, Inputs, Victim


def attack(
    victim: Victim,
    inputs: Inputs,
    goal: Goal,
    *,
    setting: Setting,
    snr_db: float,
    quietest_db: float,
    step_db: Positive,
    longest_s: Positive = 30.0,
) -> Result:
    """The clips with a recording of their phrase from their start on, as quiet as the victim still writes the phrase.

    It is tried at falling ratios; where none gives the phrase the loudest is returned, and `success` is False. The
    ratio is that of the clip's energy over that of what is added, as of every attack; what reaches beyond the clip is
    cut off. Nothing here is adversarial: an attack that has to be as loud hides nothing that speaking would not do as
    well.

    Args:
        victim, inputs, goal, setting: as for every attack; the victim decides texts, from `audio` and `audio_length`.
            `quantum` and `spoken_phrases` are needed.
        snr_db, quietest_db: the lowest and the highest ratio.
        step_db: from one ratio to the next.
        longest_s: how long a recording may be.

    Raises:
        UserError: a phrase without a readable recording, or ratios in the wrong order.
    """
    if quietest_db < snr_db:
        raise UserError("attack spoken: quietest_db", f"at least snr_db, {snr_db:g}", f"{quietest_db:g}", "correct it")
    folder = Path(setting.needed("spoken_phrases", "spoken"))
    clips = Clips(inputs, setting, band_hz=None)
    spoken = clips.shaped(_recordings(folder, victim.names(goal.labels), longest_s, clips.clean))
    spoken = spoken / norm(spoken).clamp_min(1e-30)[:, None]
    best = clips.clean
    found = torch.zeros(len(best), dtype=torch.bool, device=best.device)
    forwards = torch.zeros(len(best), dtype=torch.long)
    for ratio_db in np.arange(quietest_db, snr_db - step_db / 2, -step_db):
        tried = clips.rounded(spoken * clips.radius(float(ratio_db)))
        with torch.no_grad():
            met = victim.meets(victim.logits(inputs | {"audio": tried}), goal)
        best = torch.where(found[:, None], best, tried)
        forwards += ~found.cpu()
        found = found | met
    none = torch.zeros_like(forwards)
    return Result(inputs | {"audio": best}, found, forwards, forwards, none, none.bool())


def _recordings(folder: Path, phrases: list[str], longest_s: float, like: Tensor) -> Tensor:
    """The recording of each phrase, of the shape of `like` (clips, samples): cut off, or silent behind its end."""
    files = {phrase: folder / f"{phrase.replace(' ', '-')}.wav" for phrase in phrases}
    heard = {phrase: _recording(path, longest_s) for phrase, path in files.items()}
    rows = np.zeros(like.shape, np.float32)
    for row, phrase in zip(rows, phrases):
        own = heard[phrase][: len(row)]
        row[: len(own)] = own
    return torch.from_numpy(rows).to(like)


def _recording(path: Path, longest_s: float) -> np.ndarray:
    samples = read_audio(path, sample_rate_hz=SAMPLE_RATE_HZ, recorded_at_hz=None, longest_s=longest_s)
    if not samples.any():
        raise UserError(path, "a spoken phrase", "nothing but silence", "record it again")
    return samples
