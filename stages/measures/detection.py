"""Room of measures: how well a score tells adversarial from benign clips, higher scores being benign.

Intervals are of 95 %, by linearisation (Taylor; Woodruff 1971): each score's contribution to a measure's error is
summed within its cluster (a clip, whose versions resemble each other, or a speaker), the variance is K / (K - 1) times
the sum of the K clusters' squares, and Student's t has K - 1 degrees of freedom. For the AUC the contributions are
DeLong's placements (DeLong et al. 1988; for clusters Obuchowski 1997). Nothing is drawn at random.
"""

import math

import numpy as np

from stages.measures.intervals import clusters_of, effective_clusters, exact, exact_difference


def auc(benign: np.ndarray, adversarial: np.ndarray) -> float:
    """The area under the ROC curve: the probability that a benign score exceeds an adversarial one, ties counting half.

    NaN where there are no benign or no adversarial scores.
    """
    return float(_placements(benign, adversarial).mean()) if len(benign) and len(adversarial) else math.nan


def auc_interval(
    benign: np.ndarray, adversarial: np.ndarray, benign_clusters: np.ndarray, adversarial_clusters: np.ndarray
) -> tuple[float, float]:
    """The interval of an AUC, symmetric between logits, so that it stays within [0, 1].

    `*_clusters` name the cluster of each score; with a single cluster each score is its own. Where the variance
    vanishes, as where the scores do not overlap, it is the exact interval of as many trials as the side of fewer
    clusters has. (0, 1) where one side has no scores.
    """
    if len(benign) == 0 or len(adversarial) == 0:
        return 0.0, 1.0
    contributions = _auc_contributions(benign, adversarial)
    return _logit_interval(auc(benign, adversarial), contributions, benign_clusters, adversarial_clusters)


def auc_difference_interval(
    benign: np.ndarray,
    adversarial: np.ndarray,
    other_benign: np.ndarray,
    other_adversarial: np.ndarray,
    clusters: np.ndarray,
) -> tuple[float, float]:
    """The interval of auc(other_benign, other_adversarial) - auc(benign, adversarial), each (n,) of the same clips.

    So it compares two attacks (the benign scores are then the same) or two detectors; `clusters` (n,) names each clip
    or its speaker; with a single one each clip is its own. What both AUCs have in common is no error. Where they rank
    all clips alike, it is the interval of as many trials as there are clusters (`exact_difference`). Ends are clipped
    to [-1, 1], which they are too for fewer than two clips.
    """
    if len(clusters) < 2:
        return -1.0, 1.0
    middle = auc(other_benign, other_adversarial) - auc(benign, adversarial)
    contributions = _auc_contributions(other_benign, other_adversarial) - _auc_contributions(benign, adversarial)
    codes = clusters_of(clusters)
    half = _half_width(contributions.reshape(2, -1).sum(axis=0), codes)
    if half == 0:
        return exact_difference(max(middle, 0.0), max(-middle, 0.0), _clusters(codes))
    return max(-1.0, middle - half), min(1.0, middle + half)


def best_threshold(benign: np.ndarray, adversarial: np.ndarray) -> float:
    """The threshold of the highest `mean_f1`, the lowest one of several; at least one score of each side is needed.

    Tried are the lowest score (all benign), the middles between neighbouring scores, and just above the highest. Where
    no number lies between two neighbours it is the upper one, from which on scores are benign.

    Raises:
        ValueError: a score is not finite.
    """
    scores = np.unique(np.concatenate([benign, adversarial]).astype(np.float64))
    if not np.isfinite(scores).all():
        raise ValueError("a score that is not finite has no place beside a threshold")
    middles = scores[:-1] / 2 + scores[1:] / 2
    middles = np.where(middles > scores[:-1], middles, scores[1:])
    thresholds = np.concatenate([scores[:1], middles, [np.nextafter(scores[-1], np.inf)]])
    return float(thresholds[_mean_f1(benign, adversarial, thresholds).argmax()])


def mean_f1(benign: np.ndarray, adversarial: np.ndarray, threshold: float) -> float:
    """The mean of both classes' F1, in [0, 1], where scores from `threshold` on are taken for benign.

    F1 is 2 hits / (clips of the class + clips taken for it). NaN where there are no scores at all.
    """
    return float(_mean_f1(benign, adversarial, np.array([threshold]))[0])


def mean_f1_interval(
    benign: np.ndarray,
    adversarial: np.ndarray,
    threshold: float,
    benign_clusters: np.ndarray,
    adversarial_clusters: np.ndarray,
) -> tuple[float, float]:
    """The interval of `mean_f1` with a threshold that was chosen elsewhere, otherwise as `auc_interval`."""
    if len(benign) == 0 or len(adversarial) == 0:
        return 0.0, 1.0
    is_benign = np.repeat([True, False], [len(benign), len(adversarial)])
    taken_for_benign = np.concatenate([benign, adversarial], dtype=np.float64) >= threshold
    contributions = np.zeros(len(is_benign))
    for truth, taken in ((is_benign, taken_for_benign), (~is_benign, ~taken_for_benign)):
        weight = truth.astype(float) + taken
        f1 = 2 * (truth & taken).sum() / weight.sum()
        contributions += (2 * (truth & taken) - f1 * weight) / weight.sum() / 2
    middle = mean_f1(benign, adversarial, threshold)
    return _logit_interval(middle, contributions, benign_clusters, adversarial_clusters)


def _placements(scores: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each score the share of `others` below it, ties counting half."""
    ordered = np.sort(others)
    return (np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")) / (2 * len(others))


def _auc_contributions(benign: np.ndarray, adversarial: np.ndarray) -> np.ndarray:
    """Of each benign and then of each adversarial score; they add up to 0."""
    below, above = _placements(benign, adversarial), 1 - _placements(adversarial, benign)
    return np.concatenate([(below - below.mean()) / len(below), (above - above.mean()) / len(above)])


def _half_width(contributions: np.ndarray, clusters: np.ndarray) -> float:
    """Half the width of the interval; 0 where the clusters do not differ. `clusters` are numbers."""
    from scipy import stats

    sums = np.bincount(clusters, contributions)
    variance = len(sums) / (len(sums) - 1) * np.square(sums).sum()
    # Residues of rounding are no variance.
    return float(stats.t.ppf(0.975, len(sums) - 1) * math.sqrt(variance)) if variance > 1e-20 else 0.0


def _logit_interval(
    middle: float, contributions: np.ndarray, benign_clusters: np.ndarray, adversarial_clusters: np.ndarray
) -> tuple[float, float]:
    """The interval about `middle` that is symmetric between logits (Pepe 2003)."""
    clusters = clusters_of(np.concatenate([benign_clusters, adversarial_clusters]))
    half = _half_width(contributions, clusters)
    if half == 0 or not 0 < middle < 1:
        sides = np.split(clusters, [len(benign_clusters)])
        return exact(middle, min(_clusters(side) for side in sides))
    logit, half_logit = math.log(middle / (1 - middle)), half / (middle * (1 - middle))
    low, high = (0.5 + 0.5 * math.tanh((logit + side * half_logit) / 2) for side in (-1, 1))
    return low, high


def _clusters(clusters: np.ndarray) -> float:
    return effective_clusters(clusters, np.ones(len(clusters)))


def _mean_f1(benign: np.ndarray, adversarial: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """`mean_f1` at each of the thresholds (n,)."""
    missed, refused = (np.searchsorted(np.sort(scores), thresholds, "left") for scores in (benign, adversarial))
    kept, passed = len(benign) - missed, len(adversarial) - refused
    with np.errstate(invalid="ignore"):
        benign_f1 = 2 * kept / (len(benign) + kept + passed)
        adversarial_f1 = 2 * refused / (len(adversarial) + refused + missed)
    return (benign_f1 + adversarial_f1) / 2
