"""Room of studies: values of the studies of transcripts with their 95 % intervals, as cells of their tables.

A value comes as `name`, `name_low` and `name_high`, all NaN where there is nothing to tell it from. Rows that resemble
each other have the same `cluster`.
"""

import math

import numpy as np
import pandas as pd

from stages.measures import detection
from stages.measures.intervals import clustered, wilson

Cells = dict[str, float]


def with_clusters(clips: pd.DataFrame) -> pd.DataFrame:
    """With the column `cluster`: a clip's speaker; where the split has fewer than two, as LRW names none, the clip."""
    several = clips.groupby(["corpus", "split"]).speaker.transform("nunique") > 1
    return clips.assign(cluster=clips.speaker.where(several, clips.clip_id))


def share(hits: pd.Series, clusters: pd.Series, name: str) -> Cells:
    """The share of rows that are hits."""
    if hits.empty:
        return _cells(name)
    counts = hits.astype(float).groupby(clusters).agg(["sum", "count"])
    return _cells(name, hits.mean(), *clustered(counts["sum"].to_numpy(), counts["count"].to_numpy()))


def error_rate(clips: pd.DataFrame, name: str) -> Cells:
    """The WER, >= 0, of decisions with so many `errors` in `errors_of` words; of labels the share that is wrong.

    The interval of a WER is linearised (Taylor) over clusters, with Student's t; where they do not differ it is
    Wilson's of as many clips, and above 1 there is none.
    """
    from scipy import stats

    if (clips.label != "").any():
        return share(clips.errors > 0, clips.cluster, name)
    words = clips.errors_of.sum()
    if words == 0:
        return _cells(name)
    value = clips.errors.sum() / words
    sums = (clips.errors - value * clips.errors_of).groupby(clips.cluster).sum().to_numpy()
    spread = math.sqrt(np.square(sums).sum()) / words
    if spread > 1e-10:
        half = stats.t.ppf(0.975, len(sums) - 1) * math.sqrt(len(sums) / (len(sums) - 1)) * spread
        return _cells(name, value, max(0.0, value - half), value + half)
    return _cells(name, value, *(wilson(value * len(clips), len(clips)) if value <= 1 else ()))


def mean(values: pd.Series, clusters: pd.Series, name: str) -> Cells:
    """The mean of what is defined and finite, Student's interval over the clusters' sums; and how many are not so.

    The latter is `<name>_undefined`.
    """
    from scipy import stats

    values = pd.to_numeric(values)
    finite = np.isfinite(values)
    undefined = {f"{name}_undefined": int((~finite).sum())}
    values, clusters = values[finite], clusters[finite]
    if values.empty:
        return _cells(name) | undefined
    sums = (values - values.mean()).groupby(clusters).sum().to_numpy()
    if len(sums) < 2:
        return _cells(name, values.mean()) | undefined
    spread = math.sqrt(np.square(sums).sum() * len(sums) / (len(sums) - 1)) / len(values)
    half = stats.t.ppf(0.975, len(sums) - 1) * spread
    return _cells(name, values.mean(), values.mean() - half, values.mean() + half) | undefined


def auc(benign: pd.DataFrame, adversarial: pd.DataFrame, score: str, name: str) -> Cells:
    """The area under the ROC curve of the column `score`, higher being benign; clips without a score are left out."""
    sides = [one[[score, "cluster"]].dropna(subset=[score]) for one in (benign, adversarial)]
    if any(one.empty for one in sides):
        return _cells(name)
    scores, clusters = ([one[column].to_numpy() for one in sides] for column in (score, "cluster"))
    return _cells(name, detection.auc(*scores), *detection.auc_interval(*scores, *clusters))


def f1(benign: pd.DataFrame, adversarial: pd.DataFrame, score: str, name: str) -> Cells:
    """The mean F1 of both classes on test clips at the threshold that is best on validation clips.

    Each attacked clip is set against itself unattacked, so that both classes are as large.
    """
    columns = f"{score}_benign", score
    pairs = adversarial.merge(benign[["clip_id", score]], on="clip_id", suffixes=("", "_benign")).dropna(subset=columns)
    validation, test = (pairs[pairs.split == split] for split in ("validation", "test"))
    if validation.empty or test.empty:
        return _cells(name)
    threshold = detection.best_threshold(*(validation[column].to_numpy() for column in columns))
    scores, clusters = [test[column].to_numpy() for column in columns], test.cluster.to_numpy()
    low, high = detection.mean_f1_interval(*scores, threshold, clusters, clusters)
    return _cells(name, detection.mean_f1(*scores, threshold), low, high)


def _cells(name: str, value: float = math.nan, low: float = math.nan, high: float = math.nan) -> Cells:
    return {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}
