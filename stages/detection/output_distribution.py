"""Room of detection: how a recogniser's probabilities behave over time, against those of benign clips.

The characteristics of DistriBlock (Pizarro et al., UAI 2024), here by one Gaussian that knows no attack.
"""

import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from stages import victim
from stages.frame.errors import UserError
from stages.frame.shards import ShardSet
from stages.victim import Inputs, Victim, padded_batch

FITTED_TOGETHER = 16


def detector(device: str, *, model: str, clips: str) -> Callable[[Inputs], dict[str, Tensor]]:
    """Scores (clips,): minus the squared Mahalanobis distance of a clip's `characteristics` to those of benign clips.

    Args:
        device: where the recogniser works.
        model: the folder of a trained recogniser of `audio` by CTC, the one that may be attacked.
        clips: the folder of a set, whose validation clips with a text are the benign ones.

    Raises:
        UserError: the set has no two such clips.
    """
    recogniser = victim.load(model, device=device)
    with torch.no_grad():
        benign = _of_validation_clips(recogniser, ShardSet(Path(clips)))
    middle, spread = benign.mean(0), benign.std(0).clamp_min(1e-9)
    precision = _precision((benign - middle) / spread)

    def score(inputs: Inputs) -> dict[str, Tensor]:
        apart = (characteristics(recogniser.logits(inputs), recogniser.module.steps(inputs)) - middle) / spread
        return {"score": -((apart @ precision) * apart).sum(1)}

    return score


def characteristics(logits: Tensor, steps: Tensor) -> Tensor:
    """Mean, most, least and median over a clip's steps of four numbers, (clips, 16) in float64, NaN for a single step.

    They are the entropy of the probabilities at a step, the largest of them, and how far those of the next step are
    away: the Kullback-Leibler divergence and that of Jensen and Shannon, in nats.

    Args:
        logits: (clips, longest, classes).
        steps: how many of them each clip has, (clips,).
    """
    log_p = logits.double().log_softmax(-1)
    p, counts = log_p.exp(), steps.to(logits.device)[:, None]
    now, later = log_p[:, :-1], log_p[:, 1:]
    middle = torch.logaddexp(now, later) - math.log(2)
    halves = [(one.exp() * (one - middle)).sum(-1) for one in (now, later)]
    numbers = [
        (-(p * log_p).sum(-1), counts),
        (p.amax(-1), counts),
        ((now.exp() * (now - later)).sum(-1), counts - 1),
        ((halves[0] + halves[1]) / 2, counts - 1),
    ]
    return torch.cat([_over_time(*one) for one in numbers], 1)


def _over_time(values: Tensor, counts: Tensor) -> Tensor:
    """Mean, most, least and median (clips, 4) of each row's first `counts` (clips, 1) values, of two the lower."""
    outside = torch.arange(values.shape[1], device=values.device) >= counts
    missing = values.masked_fill(outside, torch.nan)
    most, least = (values.masked_fill(outside, fill) for fill in (-torch.inf, torch.inf))
    none = (counts < 1)[:, 0]
    summed = torch.stack([missing.nanmean(1), most.amax(1), least.amin(1), missing.nanmedian(1).values], 1)
    return summed.masked_fill(none[:, None], torch.nan)


def _of_validation_clips(recogniser: Victim, clips: ShardSet) -> Tensor:
    """The characteristics (clips, 16) of a set's validation clips."""
    table = clips.table
    chosen = table[(table.split == "validation") & (table.text != "") & (table.problem == "")]
    if len(chosen) < 2:
        raise UserError(clips.folder, "validation clips with a text, at least two", f"{len(chosen)}", "add some")
    names, made = list(chosen.sort_values("duration_s", kind="stable").clip_id), []
    for start in range(0, len(names), FITTED_TOGETHER):
        sounds = [clips.load(name)["audio"] for name in names[start : start + FITTED_TOGETHER]]
        inputs = padded_batch(sounds, str(recogniser.device))
        made.append(characteristics(recogniser.logits(inputs), recogniser.module.steps(inputs)))
    return torch.cat(made)


def _precision(values: Tensor) -> Tensor:
    """The inverse of the covariance (features, features) of values (clips, features), shrunk as far as they are few."""
    from sklearn.covariance import LedoitWolf

    return torch.from_numpy(LedoitWolf(assume_centered=True).fit(values.cpu().numpy()).precision_).to(values)
