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

    Exact for up to 20 differences (n,): over all 2^n choices of their signs. Of more, whose sum is nearly normal, it is
    the probability that a normal variable of the same variance lies as far from 0. NaN for none.
    """
    differences = np.asarray(differences, dtype=float)
    if len(differences) == 0:
        return math.nan
    if len(differences) > EXACT_UP_TO:
        squares = np.square(differences).sum()
        return math.erfc(abs(differences.sum()) / math.sqrt(2 * squares)) if squares else 1.0
    sums = np.zeros(1)
    for difference in differences:
        sums = np.concatenate([sums + difference, sums - difference])
    # Sums that are equal but for rounding count as equal.
    return float((np.abs(sums) >= abs(differences.sum()) - 1e-9 * np.abs(differences).sum()).mean())
