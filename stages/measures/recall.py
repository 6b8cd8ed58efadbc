"""Room of measures: unweighted average recall (UAR), its 95 % intervals, and the z-test that papers compare it with."""

import math

import numpy as np

from stages.measures.intervals import wilson


def uar(labels: np.ndarray, decisions: np.ndarray) -> float:
    """The mean over the labels that occur of the share of a label's clips that are decided correctly, in [0, 1].

    `labels` and `decisions` hold one name for each clip; NaN where there is no clip.
    """
    return _mean_over_labels(*_counted(labels), _right(labels, decisions))


def uar_interval(labels: np.ndarray, decisions: np.ndarray, speakers: np.ndarray) -> tuple[float, float]:
    """The interval of a UAR, whose clips are not independent: speakers are the clusters.

    By linearisation (Taylor; Woodruff 1971) speaker s contributes u_s = 1/C sum_c (hits_cs - recall_c clips_cs) /
    clips_c, the variance is S / (S - 1) sum_s u_s^2, and Student's t has S - 1 degrees of freedom. With one speaker
    the clips are the clusters instead. Where this variance vanishes, as where everything is right or everything wrong,
    it is Wilson's interval of as many clips. Ends are clipped to [0, 1]; (0, 1) where there is no clip.
    """
    if len(labels) == 0:
        return wilson(0, 0)
    right = _right(labels, decisions)
    middle, half = _linearised(labels, right, speakers)
    if half == 0:
        return wilson(middle * len(right), len(right))
    return max(0.0, middle - half), min(1.0, middle + half)


def uar_change(
    labels: np.ndarray, before: np.ndarray, after: np.ndarray, speakers: np.ndarray
) -> tuple[float, float, float]:
    """UAR of the decisions `after` less that of `before` on the same clips, in [-1, 1], and its interval.

    The interval is linearised as in `uar_interval`, on the clips' differences, so that what both have in common is no
    error. It has no width where all clips of a label changed alike.
    """
    middle, half = _linearised(labels, _right(labels, after) - _right(labels, before), speakers)
    return middle, max(-1.0, middle - half), min(1.0, middle + half)


def one_tailed_z(p1: float, n1: int, p2: float, n2: int) -> tuple[float, float]:
    """z of the difference of two proportions with pooled variance, and the probability of so large a z or a larger one.

    A small probability speaks for p1 > p2. The test takes all n1 + n2 trials for independent. Both are NaN where the
    pooled proportion is 0 or 1, which leaves no variance, or one of the proportions is NaN.
    """
    pooled = (p1 * n1 + p2 * n2) / (n1 + n2)
    if not 0 < pooled < 1:
        return math.nan, math.nan
    z = (p1 - p2) / math.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2))
    return z, math.erfc(z / math.sqrt(2)) / 2


def _right(labels: np.ndarray, decisions: np.ndarray) -> np.ndarray:
    return (np.asarray(labels) == np.asarray(decisions)).astype(float)


def _counted(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each clip's label as a number, and each label's clips."""
    _, codes, counts = np.unique(np.asarray(labels, dtype=str), return_inverse=True, return_counts=True)
    return codes, counts


def _mean_over_labels(codes: np.ndarray, counts: np.ndarray, values: np.ndarray) -> float:
    return float(np.mean(np.bincount(codes, values) / counts)) if len(values) else math.nan


def _linearised(labels: np.ndarray, values: np.ndarray, speakers: np.ndarray) -> tuple[float, float]:
    """The mean over labels of their clips' mean value, and half the width of its interval."""
    from scipy import stats

    codes, counts = _counted(labels)
    middle = _mean_over_labels(codes, counts, values)
    means = np.bincount(codes, values) / counts
    contributions = (values - means[codes]) / (len(counts) * counts[codes])
    clusters = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)[1]
    if clusters.max() > 0:
        contributions = np.bincount(clusters, contributions)
    count = len(contributions)
    if count < 2:
        return middle, 0.0
    variance = count / (count - 1) * np.square(contributions).sum()
    # Residues of rounding are no variance.
    return middle, float(stats.t.ppf(0.975, count - 1) * math.sqrt(variance)) if variance > 1e-20 else 0.0
