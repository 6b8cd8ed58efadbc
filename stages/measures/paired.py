"""Room of measures: tests of two classifiers on the same clips."""

import math

import numpy as np

EXACT_UP_TO = 20


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided probability of so uneven a split of the clips that just one of two decides correctly.

    It takes clips for independent, which those of one speaker are not (McNemar 1947; binomial form).
    """
    count = only_first + only_second
    tail = sum(math.comb(count, number) for number in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / 2**count)


def sign_flips(differences: np.ndarray) -> float:
    """The two-sided probability of so large a mean of clusters' differences, each of which may have the other sign.

    See `flip_tails`; NaN for none.
    """
    return min(1.0, 2 * min(flip_tails(differences))) if len(differences) else math.nan


def flip_tails(differences: np.ndarray) -> tuple[float, float]:
    """The probabilities of so large a sum of differences, and of so small a one, if each may have the other sign.

    Exact for up to 20 differences (n,): over all 2^n choices of their signs. Of more, whose sum is nearly normal, they
    are those of a normal variable of the same variance. (1, 1) for none.
    """
    differences = np.asarray(differences, dtype=float)
    if len(differences) > EXACT_UP_TO:
        squares = np.square(differences).sum()
        scaled = differences.sum() / math.sqrt(2 * squares) if squares else 0.0
        return (math.erfc(scaled) / 2, math.erfc(-scaled) / 2) if squares else (1.0, 1.0)
    first, second = (_signed_sums(half) for half in np.array_split(differences, 2))
    second = np.sort(second)
    # Sums that are equal but for rounding count as equal.
    seen, rounding = differences.sum(), 1e-9 * np.abs(differences).sum()
    above = len(second) - np.searchsorted(second, seen - rounding - first, "left")
    below = np.searchsorted(second, seen + rounding - first, "right")
    return float(above.mean() / len(second)), float(below.mean() / len(second))


def _signed_sums(differences: np.ndarray) -> np.ndarray:
    """The sums of differences (n,) under all choices of their signs (2 ** n,)."""
    sums = np.zeros(1)
    for difference in differences:
        sums = np.concatenate([sums + difference, sums - difference])
    return sums
