"""Room of studies: UA, the transfer study's measure, with its intervals, of one model and of two on the same clips."""

import math

import numpy as np
import pandas as pd

from stages.measures import testing
from stages.measures.recall import balanced, uar, uar_change, uar_interval
from stages.reporting.cells import Cells, cells


def chosen(decisions: pd.DataFrame, feature: str, model: str, size: str, draw: int | None = None) -> pd.DataFrame:
    """The decisions of one kind of model, of all draws or one."""
    own = decisions[(decisions.feature == feature) & (decisions.model == model) & (decisions["size"] == size)]
    return own if draw is None else own[own.draw == draw]


def eight_times_as_many(decisions: pd.DataFrame, few: int) -> pd.DataFrame:
    """The decisions of the MLP on descriptors whose number of examples is nearest to eight times as many as few."""
    own = decisions[(decisions.feature == "lld") & (decisions.model == "mlp")]
    sizes = own.groupby("size").examples.mean()
    return own[own["size"] == (sizes / (8 * few)).map(math.log).abs().idxmin()] if len(own) else own


def draws(own: pd.DataFrame) -> np.ndarray:
    """UA of each draw."""
    folds = own.groupby(["draw", "fold"]).apply(lambda part: uar(part.label, part.decision))
    return folds.groupby("draw").mean().to_numpy()


def by_speaker(own: pd.DataFrame) -> pd.Series:
    """Each speaker's mean recall."""
    return own.groupby("speaker").apply(lambda part: uar(part.label, part.decision))


def ua(own: pd.DataFrame, name: str = "ua") -> Cells:
    """UA with its interval: that of the pooled recall, moved to the mean over sessions and draws."""
    if own.empty:
        return cells(name)
    value, pooled = float(draws(own).mean()), uar(own.label, own.decision)
    low, high = uar_interval(own.label, own.decision, own.speaker)
    return cells(name, value, max(0.0, value + low - pooled), min(1.0, value + high - pooled))


def change(before: pd.DataFrame, after: pd.DataFrame, name: str) -> Cells:
    """UA of `after` less that of `before` on the same clips and draws, and its interval."""
    both = before.merge(after, on=["draw", "clip_id"], suffixes=("", "_after"))
    if both.empty:
        return cells(name)
    pooled, low, high = uar_change(both.label, both.decision, both.decision_after, both.speaker)
    value = float(draws(after).mean() - draws(before).mean())
    return cells(name, value, max(-1.0, value + low - pooled), min(1.0, value + high - pooled))


def tested(before: pd.DataFrame, after: pd.DataFrame) -> testing.Evidence | None:
    """Whether UA of `after` is higher than that of `before` on the same clips and draws; speakers are the clusters.

    None where they share no clip.
    """
    both = before.merge(after, on=["draw", "clip_id"], suffixes=("", "_after"))
    more = (both.label == both.decision_after).astype(float) - (both.label == both.decision)
    return testing.mean(more.to_numpy(), both.speaker.to_numpy(), weights=balanced(both.fold + "/" + both.label))
