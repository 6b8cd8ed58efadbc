"""Measures with values that can be checked by hand."""

import math

import numpy as np
import pytest

from stages.measures.intervals import clustered, mean_interval, wilson
from stages.measures.perturbation import relative_loudness_db, snr_db


def test_snr_of_powers_in_ratio_100_is_20_db():
    signal, noise = np.array([1.0, -1.0]), np.array([0.1, 0.1])
    assert snr_db(signal, noise) == pytest.approx(20)


def test_snr_of_nothing():
    one, none = np.ones(3), np.zeros(3)
    assert snr_db(one, none) == math.inf
    assert snr_db(none, one) == -math.inf
    assert math.isnan(snr_db(none, none))


def test_loudness_takes_the_largest_magnitude_of_either_sign():
    """Some toolkits take the maximum without the absolute value."""
    assert relative_loudness_db(np.array([0.1, -1.0]), np.array([0.001, -0.01])) == pytest.approx(-40)
    assert relative_loudness_db(np.ones(2), np.zeros(2)) == -math.inf


def test_wilson_of_a_published_example():
    """Newcombe (1998): 81 of 263 gives .2553 to .3662; 0 of 20 gives 0 to .1611."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_clusters_of_one_are_wilsons_interval_and_copies_add_nothing():
    hits = np.array([1.0, 0, 1, 1, 0, 1, 0, 1, 1, 1])
    assert clustered(hits, np.ones(10)) == pytest.approx(wilson(7, 10), abs=0.02)
    assert clustered(5 * hits, np.full(10, 5.0)) == pytest.approx(clustered(hits, np.ones(10)), abs=0.02)
    assert clustered(np.zeros(3), np.ones(3)) == wilson(0, 3)


def test_mean_interval_of_students_table():
    low, high = mean_interval(np.array([1.0, 2, 3]))
    assert (low, high) == pytest.approx((2 - 4.302653 / math.sqrt(3), 2 + 4.302653 / math.sqrt(3)), abs=1e-5)
    assert math.isnan(mean_interval(np.array([1.0]))[0])
