"""Room of detection: how loud a clip's quietest moment is, a detector that knows nothing of speech."""

from collections.abc import Callable

import torch
from torch.nn.functional import pad

from stages.victim import Inputs

WINDOW = 400  # 25 ms at 16 kHz


def detector(device: str) -> Callable[[Inputs], dict[str, torch.Tensor]]:
    """Scores (clips,): minus the root mean square of the quietest 25 ms, one after another, full scale being 1.

    NaN for clips that are shorter.
    """

    def score(inputs: Inputs) -> dict[str, torch.Tensor]:
        audio = inputs["audio"]
        audio = pad(audio, (0, max(0, WINDOW - audio.shape[1])))
        windows = audio.unfold(1, WINDOW, WINDOW).square().mean(-1)
        counts = inputs["audio_length"].to(audio.device) // WINDOW
        outside = torch.arange(windows.shape[1], device=audio.device) >= counts[:, None]
        quietest = windows.masked_fill(outside, torch.inf).amin(1)
        # A square root has no slope at zero.
        level = torch.where(quietest > 0, quietest, 1).sqrt() * (quietest > 0)
        return {"score": -level.masked_fill(counts == 0, torch.nan)}

    return score
