"""Room of measures: 95 % confidence intervals."""

import math

import numpy as np

Z = 1.959963984540054


def wilson(successes: float, count: float) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927); (0, 1) where nothing was counted."""
    if count == 0:
        return 0.0, 1.0
    share = successes / count
    scale = 1 + Z**2 / count
    middle = (share + Z**2 / (2 * count)) / scale
    half = Z * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def exact(share: float, trials: float) -> tuple[float, float]:
    """Clopper and Pearson's interval (1934) of a proportion of so many independent trials, which need not be whole.

    (0, 1) where there are none.
    """
    from scipy.special import betaincinv

    hits, misses = trials * share, trials * (1 - share)
    # Residues of rounding are no trials.
    low = betaincinv(hits, misses + 1, 0.025) if hits > 1e-9 else 0.0
    high = betaincinv(hits + 1, misses, 0.975) if misses > 1e-9 else 1.0
    return float(low), float(high)


def exact_difference(gained: float, lost: float, trials: float) -> tuple[float, float]:
    """The interval of the difference of two shares of the same trials, from the `exact` one of each."""
    (gained_low, gained_high), (lost_low, lost_high) = exact(gained, trials), exact(lost, trials)
    return gained_low - lost_high, gained_high - lost_low


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """Student's t interval of a mean; (nan, nan) for fewer than two values."""
    from scipy import stats

    if len(values) < 2:
        return float("nan"), float("nan")
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


def clustered(successes: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """The interval of a pooled proportion whose trials come in clusters, such as all sets made of one clip.

    `successes` and `counts`, at least 1, are per cluster. See `clustered_share`; (0, 1) without clusters.
    """
    return exact(*pooled(successes, counts)) if len(counts) else (0.0, 1.0)


def pooled(successes: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """The pooled proportion of the trials of clusters, and of how many independent trials it has the variance."""
    count = counts.sum()
    share = successes.sum() / count
    hits, weights = successes / count, counts / count
    return float(hits.sum()), _trials(hits, weights, hits - share * weights, share * (1 - share) / count)


def clustered_share(
    hits: np.ndarray, weights: np.ndarray, errors: np.ndarray, independent: float
) -> tuple[float, float]:
    """The interval of a share of weighted trials that come in clusters, such as clips of one speaker.

    It is the exact interval of as many independent trials as have the clusters' variance (Korn and Graubard 1998), by
    the quantiles of Student's t. That variance is known from those clusters only that hold what is rarer: where a few
    hold it, it is estimated from these few, and too small if they hold little. So t has as many degrees of freedom as
    the fewer of the clusters with a hit and of those with a miss, less one. There are never fewer trials than clusters,
    as if all of a cluster's were alike, which is what remains where nothing varies, as where all are hits; clusters of
    unequal weights count as in Kish (1965), sum of the weights squared over the sum of their squares.

    Args:
        hits: (clusters,) what each adds to the share, at most its weight.
        weights: (clusters,) of all of a cluster's trials; they add up to 1.
        errors: (clusters,) what each adds to the share's linearised error; they add up to 0.
        independent: the variance if trials did not depend on each other; the clusters' one is taken for no less.
    """
    return exact(float(hits.sum()), _trials(hits, weights, errors, independent))


def _trials(hits: np.ndarray, weights: np.ndarray, errors: np.ndarray, independent: float) -> float:
    """Of how many independent trials a share has the variance, see `clustered_share`."""
    from scipy.special import stdtrit

    share, trials = float(hits.sum()), _equal(weights)
    freedom = min(_equal(weights[held > 1e-12]) for held in (hits, weights - hits)) - 1
    variance = max(independent, len(errors) / max(1, len(errors) - 1) * np.square(errors).sum())
    # Residues of rounding are neither freedom nor variance.
    if freedom > 1e-9 and variance > 1e-20:
        trials = max(trials, share * (1 - share) / variance * (Z / stdtrit(freedom, 0.975)) ** 2)
    return trials


def clusters_of(names: np.ndarray) -> np.ndarray:
    """Each trial's cluster as a number from 0; where there is a single one, each trial is its own."""
    codes = np.unique(np.asarray(names, dtype=str), return_inverse=True)[1]
    return codes if codes.max(initial=0) > 0 else np.arange(len(codes))


def effective_clusters(clusters: np.ndarray, weights: np.ndarray) -> float:
    """How many clusters of equal weight are worth as much as those of these trials (Kish 1965), from 1 on.

    `clusters` and `weights` are per trial.
    """
    return _equal(np.bincount(clusters, weights))


def _equal(weights: np.ndarray) -> float:
    return float(weights.sum() ** 2 / np.square(weights).sum()) if len(weights) else 0.0
