"""Room of measures: unweighted average recall (UAR), its 95 % intervals, and the z-test that papers compare it with."""

import math

import numpy as np

from stages.measures.intervals import clustered_share, clusters_of, effective_clusters, exact_difference


def uar(labels: np.ndarray, decisions: np.ndarray) -> float:
    """The mean over the labels that occur of the share of a label's clips that are decided correctly, in [0, 1].

    `labels` and `decisions` hold one name for each clip; NaN where there is no clip.
    """
    return float(_recalls(labels, _right(labels, decisions)).mean()) if len(labels) else math.nan


def uar_interval(labels: np.ndarray, decisions: np.ndarray, speakers: np.ndarray) -> tuple[float, float]:
    """The interval of a UAR, whose clips are not independent: speakers are the clusters, see `clustered_share`.

    A clip's weight is 1 / (labels * clips of its label). By linearisation (Taylor; Woodruff 1971) what it adds to the
    error is its weight times the difference of its hit, 0 or 1, and its label's recall. With one speaker the clips are
    the clusters instead; (0, 1) where there is no clip.
    """
    if len(labels) == 0:
        return 0.0, 1.0
    right = _right(labels, decisions)
    weights, errors = balanced(labels), _errors(labels, right)
    clusters = clusters_of(speakers)
    of_clusters = (np.bincount(clusters, values) for values in (weights * right, weights, errors))
    return clustered_share(*of_clusters, float(np.square(errors).sum()))


def uar_change(
    labels: np.ndarray, before: np.ndarray, after: np.ndarray, speakers: np.ndarray
) -> tuple[float, float, float]:
    """UAR of the decisions `after` less that of `before` on the same clips, in [-1, 1], and its interval.

    The error is linearised as in `uar_interval`, on the clips' differences, so that what both have in common is no
    error; the variance is S / (S - 1) sum_s u_s^2 of what the S speakers add to it, and Student's t has S - 1 degrees
    of freedom. Where speakers do not differ, as where no decision changed, the interval is that of as many trials as
    there are speakers (`exact_difference`). (nan, -1, 1) where there is no clip.
    """
    from scipy import stats

    if len(labels) == 0:
        return math.nan, -1.0, 1.0
    changes, weights = _right(labels, after) - _right(labels, before), balanced(labels)
    middle = float(_recalls(labels, changes).mean())
    clusters = clusters_of(speakers)
    sums = np.bincount(clusters, _errors(labels, changes))
    squares = np.square(sums).sum()
    # Residues of rounding are no variance.
    if squares < 1e-20:
        gained, lost = (float(weights @ (changes == sign)) for sign in (1, -1))
        return middle, *exact_difference(gained, lost, effective_clusters(clusters, weights))
    half = float(stats.t.ppf(0.975, len(sums) - 1) * math.sqrt(len(sums) / (len(sums) - 1) * squares))
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


def balanced(labels: np.ndarray) -> np.ndarray:
    """The weight of each clip (n,) in the mean over labels; they add up to 1."""
    codes, counts = _counted(labels)
    return 1 / (len(counts) * counts[codes])


def _right(labels: np.ndarray, decisions: np.ndarray) -> np.ndarray:
    return (np.asarray(labels) == np.asarray(decisions)).astype(float)


def _counted(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each clip's label as a number, and each label's clips."""
    _, codes, counts = np.unique(np.asarray(labels, dtype=str), return_inverse=True, return_counts=True)
    return codes, counts


def _recalls(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The mean value of each label's clips."""
    codes, counts = _counted(labels)
    return np.bincount(codes, values) / counts


def _errors(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """What each clip adds to the error of the mean over labels of their clips' mean value; they add up to 0."""
    codes, _ = _counted(labels)
    return (values - _recalls(labels, values)[codes]) * balanced(labels)
