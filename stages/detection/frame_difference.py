"""Room of detection: how much each picture differs from the one before, a detector that knows nothing of speech."""

from collections.abc import Callable

import torch

from stages.victim import Inputs


def detector(device: str) -> Callable[[Inputs], dict[str, torch.Tensor]]:
    """Scores (clips,): minus the mean absolute difference of neighbouring pictures, in grey levels; NaN for one."""

    def score(inputs: Inputs) -> dict[str, torch.Tensor]:
        video = inputs["video"]
        pairs = video.shape[1] - 1
        differences = (video[:, 1:] - video[:, :-1]).abs().mean((2, 3))
        inside = torch.arange(pairs, device=video.device) < inputs["video_length"].to(video.device)[:, None] - 1
        return {"score": -(differences * inside).sum(1) / inside.sum(1)}

    return score
