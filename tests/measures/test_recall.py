"""Unweighted average recall and its intervals, with values that can be checked by hand."""

import math

import numpy as np
import pytest

from stages.measures.intervals import wilson
from stages.measures.recall import one_tailed_z, uar, uar_change, uar_interval


def test_every_label_counts_the_same_however_many_clips_it_has():
    labels, decisions = list("aaaaaaaabb"), list("aaaaaaaaaa")
    assert uar(labels, decisions) == 0.5
    assert uar(list("aab"), list("abb")) == pytest.approx((1 / 2 + 1) / 2)
    assert math.isnan(uar([], []))


def test_a_decision_for_a_label_without_clips_is_merely_wrong():
    assert uar(list("aabb"), list("acbc")) == 0.5


def test_interval_of_three_speakers_by_hand():
    """Ten clips of each label a speaker: u = (1/60, 1/60, -2/60), variance 3/2 * 6/3600 = .05^2, t(2) = 4.302653."""
    hits = {"x": (9, 5), "y": (8, 6), "z": (7, 4)}  # recalls 24/30 and 15/30
    rows = [
        (label, label if number < right else "-", speaker)
        for speaker, both in hits.items()
        for label, right in zip("ab", both)
        for number in range(10)
    ]
    labels, decisions, speakers = zip(*rows)
    assert uar(labels, decisions) == pytest.approx(0.65)
    expected = (0.65 - 4.302653 * 0.05, 0.65 + 4.302653 * 0.05)
    assert uar_interval(labels, decisions, speakers) == pytest.approx(expected, abs=1e-6)


def many_speakers() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, decisions and speakers of 40 speakers, who differ in how well they are understood and what they say."""
    rng = np.random.default_rng(3)
    rows = [
        (label, label if rng.random() < ease * skill else "z", f"s{number}")
        for number, skill in enumerate(rng.beta(6, 2, 40))
        for label, ease, most in (("a", 1.0, 16), ("b", 0.8, 8), ("c", 0.6, 4))
        for _ in range(rng.integers(1, most))
    ]
    return tuple(np.array(column) for column in zip(*rows))


def test_linearised_variance_is_that_of_a_bootstrap_over_speakers():
    labels, decisions, speakers = many_speakers()
    right, names = labels == decisions, np.unique(speakers)
    hits = np.array([[(right & (labels == c) & (speakers == s)).sum() for c in "abc"] for s in names])
    clips = np.array([[((labels == c) & (speakers == s)).sum() for c in "abc"] for s in names])
    drawn = np.random.default_rng(4).multinomial(40, np.full(40, 1 / 40), size=20_000)
    bootstrap = ((drawn @ hits) / (drawn @ clips)).mean(axis=1)
    low, high = uar_interval(labels, decisions, speakers)
    student = 2.022691  # 39 degrees of freedom
    assert (high - low) / 2 / student == pytest.approx(bootstrap.std(), rel=0.04)
    # Clips taken one by one look more certain than their speakers make them.
    each = uar_interval(labels, decisions, np.arange(len(labels)))
    assert high - low > 1.2 * (each[1] - each[0])


def test_one_speaker_leaves_the_clips_as_clusters():
    labels, decisions, _ = many_speakers()
    alone = uar_interval(labels, decisions, np.full(len(labels), "s"))
    assert alone == pytest.approx(uar_interval(labels, decisions, np.arange(len(labels))))


def test_without_variance_the_interval_is_wilsons():
    labels = np.array(list("aabb"))
    assert uar_interval(labels, labels, list("xyxy")) == wilson(4, 4)
    assert uar_interval(labels, np.full(4, "z"), list("xyxy")) == wilson(0, 4)
    assert uar_interval(labels, np.full(4, "a"), list("xyxy")) == wilson(2, 4)
    assert uar_interval([], [], []) == (0, 1)


def test_ends_stay_between_0_and_1():
    labels, decisions = list("aaabbb"), list("aazbbb")
    low, high = uar_interval(labels, decisions, list("xyxyxy"))
    assert 0 <= low < uar(labels, decisions) < high == 1


def test_a_change_is_counted_on_the_same_clips():
    labels, decisions, speakers = many_speakers()
    assert uar_change(labels, decisions, decisions, speakers) == (0, 0, 0)
    worse = np.where(np.arange(len(labels)) % 5 == 0, "z", decisions)
    change, low, high = uar_change(labels, decisions, worse, speakers)
    assert change == pytest.approx(uar(labels, worse) - uar(labels, decisions))
    assert low < change < high < 0
    back = uar_change(labels, worse, decisions, speakers)
    assert back == pytest.approx((-change, -high, -low))
    # What both have in common is no error: the interval is narrower than either one's own.
    own = uar_interval(labels, decisions, speakers)
    assert high - low < own[1] - own[0]


def test_z_of_a_textbook_example():
    """60 of 100 against 45 of 100: pooled .525, standard error .070622, z 2.123977, upper tail .016836."""
    z, p = one_tailed_z(0.60, 100, 0.45, 100)
    assert (z, p) == (pytest.approx(0.15 / math.sqrt(0.525 * 0.475 * 0.02)), pytest.approx(0.016836, abs=2e-6))
    back = one_tailed_z(0.45, 100, 0.60, 100)
    assert back == (pytest.approx(-z), pytest.approx(1 - p))
    assert one_tailed_z(0.5, 10, 0.5, 99) == (0, 0.5)


def test_z_without_variance_or_without_a_value_is_nan():
    for values in ((1.0, 1.0), (0.0, 0.0), (math.nan, 0.5)):
        assert all(math.isnan(value) for value in one_tailed_z(values[0], 10, values[1], 10))
