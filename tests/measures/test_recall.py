"""Unweighted average recall and its intervals, with values that can be checked by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from stages.measures.intervals import exact
from stages.measures.recall import one_tailed_z, uar, uar_change, uar_interval


def test_every_label_counts_the_same_however_many_clips_it_has():
    labels, decisions = list("aaaaaaaabb"), list("aaaaaaaaaa")
    assert uar(labels, decisions) == 0.5
    assert uar(list("aab"), list("abb")) == pytest.approx((1 / 2 + 1) / 2)
    assert math.isnan(uar([], []))


def test_a_decision_for_a_label_without_clips_is_merely_wrong():
    assert uar(list("aabb"), list("acbc")) == 0.5


def test_interval_of_six_speakers_who_do_not_say_all_labels_as_often_by_hand():
    """Twice each of x, y, z, with 10 clips of a and 5, 3, 2 of b: recalls 48/60 and 10/20, a UAR of .65.

    A clip of a weighs 1/120, of b 1/40. Errors of x, y, z in 120ths: 1 + 3 * 1.5, 0 - 3 * .5, -1 - 3 * 1, squares 48.5,
    so the variance is 6/5 * 2 * 48.5 / 120^2. Weights in 120ths: 25, 19, 16, worth 120^2 / 2484 speakers.
    """
    hits = {"x": ((9, 10), (4, 5)), "y": ((8, 10), (1, 3)), "z": ((7, 10), (0, 2))}
    rows = [
        (label, label if number < right else "-", f"{speaker}{copy}")
        for speaker, both in hits.items()
        for copy in range(2)
        for label, (right, clips) in zip("ab", both)
        for number in range(clips)
    ]
    labels, decisions, speakers = zip(*rows)
    assert uar(labels, decisions) == pytest.approx(0.65)
    variance = 6 / 5 * 2 * 48.5 / 120**2
    trials = 0.65 * 0.35 / variance * (1.959964 / stats.t.ppf(0.975, 120**2 / 2484 - 1)) ** 2
    assert uar_interval(labels, decisions, speakers) == pytest.approx(exact(0.65, trials), abs=1e-5)
    # Beside no hit at all it is a change, whose interval is Student's.
    half = stats.t.ppf(0.975, 5) * math.sqrt(variance)
    assert uar_change(labels, ["-"] * len(labels), decisions, speakers) == pytest.approx(
        (0.65, 0.65 - half, 0.65 + half)
    )


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
    _, low, high = uar_change(labels, np.full(len(labels), "z"), decisions, speakers)
    student = 2.022691  # 39 degrees of freedom
    assert (high - low) / 2 / student == pytest.approx(bootstrap.std(), rel=0.04)
    low, high = uar_interval(labels, decisions, speakers)
    assert (high - low) / 2 / student == pytest.approx(bootstrap.std(), rel=0.1)
    # Clips taken one by one look more certain than their speakers make them.
    each = uar_interval(labels, decisions, np.arange(len(labels)))
    assert high - low > 1.2 * (each[1] - each[0])


def test_one_speaker_leaves_the_clips_as_clusters():
    labels, decisions, _ = many_speakers()
    alone = uar_interval(labels, decisions, np.full(len(labels), "s"))
    assert alone == pytest.approx(uar_interval(labels, decisions, np.arange(len(labels))))


def test_without_variance_clips_are_worth_their_speakers():
    labels = np.array(list("aabb") * 50)
    speakers = list("xyxy") * 50
    assert uar_interval(labels, labels, speakers) == pytest.approx((0.025 ** (1 / 2), 1))
    assert uar_interval(labels, np.full(200, "z"), speakers) == pytest.approx((0, 1 - 0.025 ** (1 / 2)))
    assert uar_interval(labels, np.full(200, "a"), speakers) == pytest.approx(exact(0.5, 2))
    assert uar_interval([], [], []) == (0, 1)


def test_without_variance_a_change_is_as_uncertain_as_its_speakers_are_few():
    labels = np.array(list("aabb") * 50)
    speakers = list("wxyz") * 50
    end = 0.025 ** (1 / 4)
    assert uar_change(labels, labels, labels, speakers) == pytest.approx((0, end - 1, 1 - end))
    assert uar_change(labels, np.full(200, "-"), labels, speakers) == pytest.approx((1, 2 * end - 1, 1))
    assert uar_change(labels, labels, np.full(200, "-"), speakers) == pytest.approx((-1, -1, 1 - 2 * end))
    change, low, high = uar_change([], [], [], [])
    assert math.isnan(change) and (low, high) == (-1, 1)


@pytest.mark.parametrize("speakers", [5, 10, 40])
@pytest.mark.parametrize("recalls", [(0.98, 0.97, 0.96), (0.9, 0.6, 0.3), (0.02, 0.05, 0.02)])
def test_intervals_hold_the_truth(speakers, recalls):
    """Of speakers who are understood unequally well, and say one label six times as often as another."""
    rng = np.random.default_rng(speakers)
    clips = np.tile([12, 4, 2], speakers)
    labels, names = np.repeat(list("abc") * speakers, clips), np.repeat(np.arange(speakers).repeat(3), clips)
    held = 0
    for _ in range(400):
        own = rng.beta(3 * np.tile(recalls, speakers), 3 - 3 * np.tile(recalls, speakers))
        decisions = np.where(rng.random(len(labels)) < own.repeat(clips), labels, "-")
        low, high = uar_interval(labels, decisions, names)
        held += low <= np.mean(recalls) <= high
    assert held / 400 >= 0.93


def test_ends_stay_between_0_and_1():
    labels, decisions = list("aaabbb"), list("aazbbb")
    low, high = uar_interval(labels, decisions, list("xyxyxy"))
    assert 0 <= low < uar(labels, decisions) < high <= 1


def test_a_change_is_counted_on_the_same_clips():
    labels, decisions, speakers = many_speakers()
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
