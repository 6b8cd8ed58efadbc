"""Sizes of perturbations that can be checked by hand."""

import math

import numpy as np
import pytest

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
