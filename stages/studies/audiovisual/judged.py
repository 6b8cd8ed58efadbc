"""Room of studies: how well scores tell attacked clips from benign ones, as cells of the audio-visual tables."""

import numpy as np
import pandas as pd

from stages.measures import detection
from stages.reporting.cells import Cells, cells


def auc(benign: pd.DataFrame, adversarial: pd.DataFrame, score: str, name: str) -> Cells:
    """The area under the ROC curve of the column `score`, higher being benign; clips without one are left out.

    So are those whose score is not finite.
    """
    sides = [one.loc[np.isfinite(one[score]), [score, "cluster"]] for one in (benign, adversarial)]
    if any(one.empty for one in sides):
        return cells(name)
    scores, clusters = ([one[column].to_numpy() for one in sides] for column in (score, "cluster"))
    return cells(name, detection.auc(*scores), *detection.auc_interval(*scores, *clusters))


def f1(benign: pd.DataFrame, adversarial: pd.DataFrame, score: str, name: str) -> Cells:
    """The mean F1 of both classes on test clips at the threshold that is best on validation clips.

    Each attacked clip is set against itself unattacked, so that both classes are as large; clips that lack a finite
    score are left out.
    """
    columns = f"{score}_benign", score
    pairs = adversarial.merge(benign[["clip_id", score]], on="clip_id", suffixes=("", "_benign"))
    pairs = pairs[np.isfinite(pairs[list(columns)]).all(axis=1)]
    validation, test = (pairs[pairs.split == split] for split in ("validation", "test"))
    if validation.empty or test.empty:
        return cells(name)
    threshold = detection.best_threshold(*(validation[column].to_numpy() for column in columns))
    scores, clusters = [test[column].to_numpy() for column in columns], test.cluster.to_numpy()
    low, high = detection.mean_f1_interval(*scores, threshold, clusters, clusters)
    return cells(name, detection.mean_f1(*scores, threshold), low, high)
