"""Intervals of published examples, by hand, and how often they hold the truth where trials come in clusters."""

import math

import numpy as np
import pytest
from scipy import stats

from stages.measures.intervals import (
    Z,
    clustered,
    clustered_share,
    clusters_of,
    effective_clusters,
    exact,
    exact_difference,
    mean_interval,
    wilson,
)

PROPORTIONS = (0.02, 0.03, 0.05, 0.2, 0.5, 0.8, 0.95, 0.97, 0.98)


def test_wilson_of_a_published_example():
    """Newcombe (1998): 81 of 263 gives .2553 to .3662; 0 of 20 gives 0 to .1611."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_exact_of_a_published_example():
    """Newcombe (1998), method 5: 81 of 263 gives .2527 to .3676, 15 of 148 .0578 to .1617, 0 of 20 0 to .1684."""
    assert exact(81 / 263, 263) == pytest.approx((0.2527, 0.3676), abs=1e-4)
    assert exact(15 / 148, 148) == pytest.approx((0.0578, 0.1617), abs=1e-4)
    assert exact(0, 20) == pytest.approx((0, 0.1684), abs=1e-4)
    assert exact(1, 20) == pytest.approx((1 - 0.1684, 1), abs=1e-4)
    assert exact(0.3, 0) == (0, 1)


def test_a_difference_of_nothing_is_as_uncertain_as_its_trials_are_few():
    """Of n trials that are all alike a share is at least .025^(1/n)."""
    end = 0.025 ** (1 / 8)
    assert exact_difference(0, 0, 8) == pytest.approx((end - 1, 1 - end))
    assert exact_difference(1, 0, 8) == pytest.approx((2 * end - 1, 1))


def test_clusters_by_hand():
    """Of four times ten 2, 4, 6, 8 hits: errors of -3 to 3 in 40, variance 4/3 * 20/1600 against .25/40 = 1/160.

    So there are 15 trials worth, by t of 3 degrees of freedom (1.959964 / 3.182446)^2 as many.
    """
    expected = exact(0.5, 15 * (1.959964 / 3.182446) ** 2)
    assert clustered(np.array([2, 4, 6, 8]), np.full(4, 10)) == pytest.approx(expected, abs=1e-5)


def test_clusters_that_are_more_alike_than_chance_has_it_are_worth_no_more_than_their_trials():
    expected = exact(0.5, 40 * (1.959964 / 3.182446) ** 2)
    for hits in ([5, 5, 5, 5], [5, 5, 4, 6]):
        assert clustered(np.array(hits), np.full(4, 10)) == pytest.approx(expected, abs=1e-5)


def test_trials_that_are_all_alike_are_worth_their_clusters():
    assert clustered(np.full(10, 30), np.full(10, 30)) == pytest.approx((0.025 ** (1 / 10), 1))
    assert clustered(np.zeros(10), np.full(10, 30)) == pytest.approx((0, 1 - 0.025 ** (1 / 10)))
    # Clusters of 1 and 3 trials are worth 16 / 10.
    assert clustered(np.array([1, 3]), np.array([1, 3])) == pytest.approx((0.025 ** (1 / 1.6), 1))
    # Where one cluster alone has a hit, nothing is known of how clusters vary.
    assert clustered(np.array([3, 0, 0, 0, 0]), np.full(5, 30)) == pytest.approx(exact(0.02, 5))
    assert clustered(np.array([5]), np.array([10])) == pytest.approx(exact(0.5, 1))
    assert clustered(np.zeros(0), np.zeros(0)) == (0, 1)


def test_clusters_of_one_are_independent_trials_and_copies_add_nothing():
    hits = np.array([1.0, 0, 1, 1, 0, 1, 0, 1, 1, 1])
    assert clustered(hits, np.ones(10)) == pytest.approx(exact(0.7, 10))
    assert clustered(5 * hits, np.full(10, 5.0)) == pytest.approx(exact(0.7, 10))


def test_a_share_whose_labels_do_not_vary_is_worth_its_clusters():
    """All of one label hits, all of the other misses."""
    halves = np.full(4, 1 / 8)
    assert clustered_share(halves, 2 * halves, np.zeros(4), 0.0) == pytest.approx(exact(0.5, 4))


def coverage(rng: np.random.Generator, counts: np.ndarray, share: float, alike: float, draws: int) -> float:
    """How often the interval holds `share`, where clusters' own are beta of the intraclass correlation `alike`."""
    own = rng.beta(share * (1 / alike - 1), (1 - share) * (1 / alike - 1), (draws, len(counts)))
    outcomes, times = np.unique(rng.binomial(counts, own), axis=0, return_counts=True)
    ends = np.array([clustered(hits, counts) for hits in outcomes])
    return float(times @ ((ends[:, 0] <= share) & (share <= ends[:, 1])) / draws)


@pytest.mark.parametrize("clusters", [5, 10, 40])
@pytest.mark.parametrize(("sizes", "alike"), [((20,), 0.2), ((20,), 0.8), ((2, 4, 8, 16, 30), 0.4)])
def test_intervals_of_few_clusters_hold_the_truth(clusters, sizes, alike):
    counts = np.resize(sizes, clusters)
    rng = np.random.default_rng(clusters)
    held = {share: coverage(rng, counts, share, alike, 800) for share in PROPORTIONS}
    assert min(held.values()) >= 0.93, held


def test_intervals_of_independent_trials_in_clusters_are_not_much_wider_than_they_must_be():
    rng = np.random.default_rng(0)
    for share in (0.1, 0.5):
        low, high = np.mean([clustered(rng.binomial(20, share, 40), np.full(40, 20)) for _ in range(50)], axis=0)
        least = 2 * Z * math.sqrt(share * (1 - share) / 800)
        assert least < high - low < 1.3 * least


def test_clusters_and_how_many_they_are_worth():
    assert clusters_of(["b", "a", "b"]).tolist() == [1, 0, 1]
    assert clusters_of(["a", "a", "a"]).tolist() == [0, 1, 2]
    assert clusters_of([]).tolist() == []
    assert effective_clusters(np.array([0, 0, 1, 1]), np.ones(4)) == 2
    assert effective_clusters(np.array([0, 1, 1, 1]), np.ones(4)) == pytest.approx(1.6)


def test_mean_interval_of_students_table():
    low, high = mean_interval(np.array([1.0, 2, 3]))
    half = stats.t.ppf(0.975, 2) / math.sqrt(3)
    assert (low, high) == pytest.approx((2 - half, 2 + half)) and half == pytest.approx(
        4.302653 / math.sqrt(3), abs=1e-5
    )
    assert math.isnan(mean_interval(np.array([1.0]))[0])
