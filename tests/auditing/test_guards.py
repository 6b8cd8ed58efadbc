"""A detector's threshold and what its attackers aim at, of the scores of validation clips."""

import numpy as np
import torch
from small_victims import affine

from stages.auditing import guards
from stages.victim import Goal


def test_no_validation_clip_is_refused_and_attackers_aim_at_the_median_and_then_at_the_threshold():
    victim = affine(3, 10, seed=1)
    victim.module.takes = ("audio",)
    clips = torch.randn(2, 15, 10, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    scores = clips[..., 0].flatten().numpy()

    def score(inputs):
        return {"score": inputs["audio"][:, 0]}

    batches = [({"audio": part}, Goal(torch.zeros(15, dtype=torch.long), targeted=False)) for part in clips]
    guard = guards.detector(victim, score, batches)
    assert scores.min() - 0.01 * scores.std() < guard.threshold < scores.min()
    assert guard.aimed().threshold == np.median(scores) and guard.again().threshold == guard.threshold
    assert guard.aimed().spread == scores.std()
    margins = torch.cat([victim.margin(victim.logits(inputs), goal) for inputs, goal in batches]).numpy()
    assert np.isclose(guard.aimed().margin_spread, margins.std())
    assert torch.equal(guard.score({"audio": clips[0]}), clips[0, :, 0])


def test_with_many_validation_clips_one_in_a_hundred_is_refused():
    victim = affine(3, 10, seed=1)
    victim.module.takes = ("audio",)
    clips = torch.randn(400, 10, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    batch = ({"audio": clips}, Goal(torch.zeros(400, dtype=torch.long), targeted=False))
    guard = guards.detector(victim, lambda inputs: {"score": inputs["audio"][:, 0]}, [batch])
    assert (clips[:, 0] < guard.threshold).sum() == 4
