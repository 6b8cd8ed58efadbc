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


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """Student's t interval of a mean; (nan, nan) for fewer than two values."""
    from scipy import stats

    if len(values) < 2:
        return float("nan"), float("nan")
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


def clustered(successes: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Wilson's interval of a pooled proportion whose trials come in clusters, such as all sets made of one clip.

    `successes` and `counts` are per cluster. The number of trials is divided by the design effect (Kish 1965), the
    ratio of the clusters' variance to that of independent trials, never below one.
    """
    count, share = counts.sum(), successes.sum() / max(1, counts.sum())
    if count == 0 or share in (0, 1) or len(counts) < 2:
        return wilson(int(successes.sum()), int(count))
    between = len(counts) / (len(counts) - 1) * np.square(successes - share * counts).sum() / count**2
    effective = count / max(1.0, between / (share * (1 - share) / count))
    return wilson(share * effective, effective)
