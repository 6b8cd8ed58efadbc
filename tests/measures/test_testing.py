"""Tests of claims against values worked out by hand, against scipy's, and against chance."""

import math
import tracemalloc

import numpy as np
import pytest
from scipy import stats

from stages.measures import testing
from stages.measures.testing import Evidence


def test_holm_by_hand():
    # .01 x 4, .02 x 3, .04 x 2 = .08 (above .05 x 1).
    assert testing.holm([0.04, 0.01, 0.05, 0.02]) == pytest.approx([0.08, 0.04, 0.08, 0.06])
    assert testing.holm([0.6, 0.9]).tolist() == [1, 1]
    assert len(testing.holm([])) == 0


def test_few_clusters_of_many_trials_go_into_students_t():
    values = np.repeat([1.8, 2.0, 2.2], 5)
    told = testing.mean(values, np.repeat(["a", "b", "c"], 5))
    assert (told.effect, told.clusters, told.method) == (pytest.approx(2), 3, "Student's t")
    by_hand = stats.ttest_1samp([1.8, 2.0, 2.2], 0)
    assert 2 * told.supports == pytest.approx(by_hand.pvalue)
    assert (told.low, told.high) == pytest.approx(tuple(by_hand.confidence_interval()))
    assert told.supports + told.contradicts == pytest.approx(1)


def test_clusters_have_no_less_variance_than_their_trials_would_have():
    # Both clusters have the mean 1, but for a hair; their trials are 0 or 2.
    values = np.array([0, 2, 0, 2, 0, 2.001, 0, 2, 0, 2, 0, 2])
    told = testing.mean(values, np.repeat(["a", "b"], 6))
    assert told.spread**2 / 2 == pytest.approx(1 / 12, rel=0.01)


def test_where_clusters_are_many_or_alike_signs_are_flipped():
    told = testing.mean(np.ones(10), np.arange(10))
    assert (told.supports, told.contradicts, told.method) == (2**-10, 1, "sign flips")
    assert testing.mean(np.linspace(1, 2, 120), np.arange(120) % 12).supports == 2**-12
    # Weights are of trials: three of 1 against one of 5.
    weighed = testing.mean([1, 1, 1, 5], ["a", "b", "c", "d"], weights=[1, 1, 1, 3])
    assert weighed.effect == pytest.approx(3)
    assert testing.mean([np.nan, np.inf], ["a", "b"]) is None


def test_one_cluster_and_no_difference_say_nothing():
    for told in (testing.mean([1.0, 1.0], ["a", "a"]), testing.share_above([1, 1], ["a", "a"], 0.4)):
        assert 2 * min(told.supports, told.contradicts) > 0.05
    told = testing.mean(np.zeros(8), np.arange(8))
    assert (told.effect, told.supports, told.contradicts) == (0, 1, 1)
    assert testing.signed_ranks(np.zeros(8), np.arange(8)).supports == 1
    assert testing.ratio(np.zeros(4), np.ones(4), list("abcd")).supports == 1


def test_share_above_is_the_binomial_test():
    told = testing.share_above(np.repeat([1, 0], [9, 1]), np.arange(10), 0.5)
    assert told.supports == pytest.approx(stats.binomtest(9, 10, 0.5, alternative="greater").pvalue, rel=0.2)
    told = testing.share_above(np.ones(20), np.arange(20), 0.9)
    assert (told.supports, told.contradicts, told.effect) == (pytest.approx(0.9**20), 1, pytest.approx(0.1))
    # Ten trials that are all alike in a cluster are one.
    assert testing.share_above(np.ones(20), np.repeat(["a", "b"], 10), 0.5).supports == pytest.approx(0.25)
    assert testing.share_above(np.zeros(20), np.arange(20), 0.1).contradicts == pytest.approx(0.9**20)
    assert testing.share_above([], [], 0.5) is None


def test_a_ratio_is_tested_by_drawing_speakers_anew():
    words, more = np.array([10.0, 10, 20, 20, 5, 15]), np.array([1.0, 2, 2, 4, 1, 2])
    told = testing.ratio(more, words, list("abcdef"))
    assert (told.effect, told.clusters, told.method) == (12 / 80, 6, "bootstrap")
    # The linearised deviation, from which a bootstrap of few clusters differs little.
    errors = more - told.effect * words
    linear = math.sqrt(6 / 5 * np.square(errors).sum()) / 80
    assert told.spread / math.sqrt(6) == pytest.approx(linear, rel=0.15)
    assert told.low < told.effect < told.high
    assert testing.ratio([1.0], [0.0], ["a"]) is None


def test_an_auc_is_tested_by_drawing_speakers_anew():
    rng = np.random.default_rng(1)
    benign, names = rng.normal(1, 1, 60), np.repeat(np.arange(12), 5)
    adversarial = rng.normal(0, 1, 60)
    told = testing.auc_above_half(benign, adversarial, (names, names))
    u = stats.mannwhitneyu(benign, adversarial).statistic
    assert told.effect == pytest.approx(u / 3600 - 0.5)
    assert told.supports < 0.001 and told.contradicts > 0.99
    # Where all are in order nothing varies: clusters' signs are what is left.
    assert testing.auc_above_half(benign + 9, adversarial, (names, names)).supports == 2**-12
    same = testing.auc_greater((benign, adversarial), (benign, adversarial), (names,) * 4)
    assert (same.effect, same.supports) == (0, 1)
    better = testing.auc_greater((benign + 9, adversarial), (benign, adversarial), (names,) * 4)
    assert better.effect == pytest.approx(0.5 - told.effect) and better.supports < 0.001
    assert testing.auc_above_half(benign, adversarial[:0], (names, names[:0])) is None


def test_signed_ranks_are_of_speakers():
    values = np.repeat([0.1, 0.2, -0.05, 0.3, 0.4, 0.5], 2)
    told = testing.signed_ranks(values, np.repeat(list("abcdef"), 2))
    # Only the smallest is negative: 2 of the 64 signs leave a sum of ranks as large.
    assert (told.supports, told.clusters) == (2 / 64, 6)
    assert testing.signed_ranks([np.nan], ["a"]) is None
    drawn = np.random.default_rng(2).normal(0.4, 1, 18)
    by_scipy = stats.wilcoxon(drawn, alternative="less", method="exact").pvalue
    assert testing.signed_ranks(drawn, np.arange(18)).contradicts == pytest.approx(by_scipy)


def test_friedman_by_scipy_and_critical_differences_by_the_book():
    values = np.array([[1, 2, 3], [2, 1, 3], [1, 2, 3], [1, 1, 2], [3, 1, 2.0]])
    ranks, p, critical = testing.mean_ranks(values)
    assert ranks == pytest.approx([(1 + 2 + 1 + 1.5 + 3) / 5, (2 + 1 + 2 + 1.5 + 1) / 5, (3 + 3 + 3 + 3 + 2) / 5])
    assert p == pytest.approx(stats.friedmanchisquare(*values.T).pvalue)
    # Demšar's table: q is 2.343 for three.
    assert critical == pytest.approx(2.343 * math.sqrt(3 * 4 / (6 * 5)), abs=0.001)
    assert testing.mean_ranks(np.ones((4, 3)))[1] == 1


def test_what_ranks_above_all_others():
    values = np.tile([1.0, 2, 3], (20, 1))
    told = testing.ranked_above(values, 2, [0, 1])
    assert (told.effect, told.clusters) == (1, 20)
    assert told.supports < 0.005 and told.effect > told.high - told.effect  # its critical difference is smaller
    assert testing.ranked_above(values, 0, [1, 2]).contradicts < 0.005
    alike = testing.ranked_above(np.ones((5, 3)), 0, [1, 2])
    assert min(alike.supports, alike.contradicts) >= 0.5
    assert testing.ranked_above(values[:1], 0, [1]) is None


def test_columns_differ_by_friedmans_test():
    values = np.tile([0.0, 0.5, 1], (9, 1)) + np.arange(9)[:, None] % 2
    told = testing.differ(values)
    assert told.supports == pytest.approx(stats.friedmanchisquare(*values.T).pvalue / 2)
    assert (told.effect, told.contradicts, told.clusters) == (1, 1, 9)
    assert testing.differ(np.ones((9, 3))).supports == 0.5
    assert testing.differ(values[:1]) is None and testing.differ(values[:, :1]) is None


def test_all_of_is_as_sure_as_the_least_and_contradicted_by_any():
    sure = Evidence(1, 0.5, 1.5, 0.001, 0.999, 9, 2.0, "a")
    unsure = Evidence(0.2, -0.5, 0.9, 0.3, 0.7, 7, 3.0, "b")
    wrong = Evidence(-1, -1.5, -0.5, 0.998, 0.002, 9, 2.0, "c")
    told = testing.all_of([sure, None, unsure])
    assert (told.effect, told.supports, told.contradicts, told.clusters) == (0.2, 0.3, 1.0, 7)
    told = testing.all_of([sure, unsure, wrong])
    assert (told.effect, told.supports, told.contradicts) == (-1, 0.998, pytest.approx(0.006))
    assert testing.all_of([None]) is None
    other = testing.negated(wrong)
    assert (other.effect, other.low, other.high, other.supports, other.contradicts) == (1, 0.5, 1.5, 0.002, 0.998)


def test_shifted_asks_for_so_much_more():
    values, clusters = np.repeat([1.8, 2.0, 2.2], 5), np.repeat(["a", "b", "c"], 5)
    told = testing.shifted(testing.mean(values, clusters), 1.0)
    assert 2 * told.supports == pytest.approx(stats.ttest_1samp([1.8, 2.0, 2.2], 1).pvalue)
    assert testing.shifted(testing.mean(np.ones(4), np.arange(4)), 2.0).contradicts == 2**-4


def test_clusters_needed_by_the_textbook():
    # Half a deviation at .05 needs 34 (power .8; Cohen 1988, t test of one sample).
    assert testing.clusters_needed(1.0, 0.5, 0.05) == 34
    assert testing.clusters_needed(1.0, 50.0, 0.05) == 6  # below 2 of 2 ** 6 choices of signs
    assert math.isnan(testing.clusters_needed(1.0, 0.0, 0.05))
    # What is left of a difference of equals.
    assert math.isnan(testing.clusters_needed(1.0, 1e-17, 0.05))


def test_a_median_has_an_interval():
    values = np.random.default_rng(0).lognormal(0, 1, 200)
    low, high = testing.median_interval(values)
    assert low < np.median(values) < high and low > 0.6 and high < 1.5
    assert all(math.isnan(end) for end in testing.median_interval(np.ones(5)))
    assert all(math.isnan(end) for end in testing.median_interval(np.ones(0)))
    # All draws at once, as many as there are values left out in turn, would be 32 MB.
    tracemalloc.start()
    testing.median_interval(np.arange(2000.0))
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()


def _rejected(told: list[Evidence]) -> float:
    return float(np.mean([2 * min(one.supports, one.contradicts) <= 0.05 for one in told]))


def _draws(count: int, draw, test) -> list[Evidence]:
    rng = np.random.default_rng(3)
    return [test(draw(rng)) for _ in range(count)]


TEN = np.repeat(np.arange(10), 6)


@pytest.mark.parametrize("name", ["mean", "shares", "few", "flips", "share", "ratio", "auc", "ranks"])
def test_chance_is_taken_for_an_effect_in_at_most_six_of_a_hundred(name, monkeypatch):
    """Ten clusters whose own levels differ, of six trials each, and no effect."""
    monkeypatch.setattr(testing, "DRAWS", 200)

    def level(rng):
        return np.repeat(rng.normal(0, 1, 10), 6)

    def as_probability(rng):
        return 1 / (1 + np.exp(-level(rng)))

    tests = {
        "mean": lambda rng: testing.mean(level(rng) + rng.normal(0, 1, 60), TEN),
        # Differences of what is right before and after, -1, 0 or 1.
        "shares": lambda rng: testing.mean(
            (rng.random(60) < as_probability(rng)).astype(float) - (rng.random(60) < as_probability(rng)), TEN
        ),
        "few": lambda rng: testing.mean((rng.random(30) < 0.5).astype(float) - (rng.random(30) < 0.5), TEN[::2]),
        "flips": lambda rng: testing.mean(rng.standard_t(3, 14), np.arange(14)),
        "share": lambda rng: testing.share_above(rng.random(60) < as_probability(rng), TEN, 0.5),
        "ratio": lambda rng: testing.ratio(level(rng) + rng.normal(0, 1, 60), rng.integers(3, 9, 60), TEN),
        "auc": lambda rng: testing.auc_above_half(
            level(rng) + rng.normal(0, 1, 60), level(rng) + rng.normal(0, 1, 60), (TEN, TEN)
        ),
        "ranks": lambda rng: testing.signed_ranks(level(rng) + rng.normal(0, 1, 60), TEN),
    }
    # Half the standard error of 2000 draws is .0024.
    assert _rejected(_draws(2000, lambda rng: rng, tests[name])) <= 0.06
