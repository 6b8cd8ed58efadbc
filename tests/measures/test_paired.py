"""Paired tests against values worked out by hand."""

import math

import numpy as np
import pytest

from stages.measures.paired import flip_tails, mcnemar, sign_flips


def test_mcnemar_by_hand():
    assert mcnemar(0, 0) == 1
    assert mcnemar(3, 3) == 1
    assert mcnemar(0, 5) == mcnemar(5, 0) == pytest.approx(2 / 32)
    assert mcnemar(1, 5) == pytest.approx(2 * (1 + 6) / 64)
    assert mcnemar(143, 65) < 1e-7


def test_sign_flips_by_hand():
    assert sign_flips([1.0, 1.0, 1.0]) == 2 / 8
    assert sign_flips([0.1] * 10) == 2 / 2**10
    assert sign_flips([1.0, -1.0]) == 1
    # Sums over all signs of 1, 2, 4 are the odd numbers from -7 to 7; 5 = 4 + 2 - 1 and 7 are as large as 5.
    assert sign_flips([-1.0, 2.0, 4.0]) == 4 / 8
    assert math.isnan(sign_flips([]))


def test_tails_of_flips_by_hand():
    # Sums of 1, 2 and 4 under all signs are the odd numbers from -7 to 7.
    assert flip_tails([-1.0, 2.0, 4.0]) == (2 / 8, 7 / 8)
    assert flip_tails([3.0]) == (1 / 2, 1)
    assert flip_tails(np.zeros(6)) == flip_tails([]) == (1, 1)
    assert flip_tails(np.ones(30))[0] < 1e-6 and flip_tails(np.ones(30))[1] > 0.999


def test_sign_flips_of_more_than_twenty_are_nearly_those_of_twenty():
    rng = np.random.default_rng(1)
    for _ in range(5):
        differences = rng.standard_normal(20) + 0.4
        # What is next to nothing hardly changes the exact probability.
        assert sign_flips([*differences, 1e-9]) == pytest.approx(sign_flips(differences), abs=0.01)
    assert sign_flips(np.ones(21)) < 1e-5
    assert sign_flips(np.zeros(21)) == 1
    assert sign_flips(np.tile([1.0, -1.0], 11)) == 1


def test_sign_flips_is_a_probability_that_chance_keeps():
    rng = np.random.default_rng(0)
    p = [sign_flips(rng.standard_normal(8)) for _ in range(300)]
    assert 0.02 < np.mean(np.array(p) <= 0.05) < 0.1
