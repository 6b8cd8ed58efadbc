"""Room of studies: UA, the transfer study's measure, with its intervals, of one model and of two on the same clips."""

import numpy as np
import pandas as pd

from stages.measures.recall import uar, uar_change, uar_interval
from stages.reporting.cells import Cells, cells


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
