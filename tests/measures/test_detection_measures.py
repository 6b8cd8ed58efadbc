"""Measures of detection against values worked out by hand, and how often their intervals hold the truth."""

import math

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from stages.measures import detection
from stages.measures.intervals import exact

T_5 = 2.5705818366147395  # Student's t, .975, 5 degrees of freedom


def drawn(seed: int, clips: int, *, shift: float = 1.0, common: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Benign and adversarial scores of the same clips, which have a part in common."""
    rng = np.random.default_rng(seed)
    both = common * rng.standard_normal(clips)
    return both + rng.standard_normal(clips) + shift, both + rng.standard_normal(clips)


def truths(benign: np.ndarray, adversarial: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat([1, 0], [len(benign), len(adversarial)]), np.concatenate([benign, adversarial])


def test_auc_by_hand():
    assert detection.auc(np.array([3.0, 4.0]), np.array([1.0, 2.0, 2.5])) == 1
    assert detection.auc(np.array([1.0]), np.array([2.0])) == 0
    # 3 beats both; 1 beats 0 and ties with 1.
    assert detection.auc(np.array([3.0, 1.0]), np.array([1.0, 0.0])) == 3.5 / 4
    assert detection.auc(np.ones(4), np.ones(3)) == 0.5
    assert math.isnan(detection.auc(np.array([]), np.ones(3)))


def test_auc_is_that_of_scikit_learn():
    benign, adversarial = (np.round(scores, 1) for scores in drawn(0, 200))
    assert detection.auc(benign, adversarial[:120]) == pytest.approx(roc_auc_score(*truths(benign, adversarial[:120])))


def test_auc_interval_by_hand():
    benign, adversarial = np.array([2.0, 4.0, 5.0]), np.array([1.0, 2.0, 3.0])
    # Placements 1/2, 1, 1 and 1, 5/6, 2/3: mean 5/6; less it and over 3: -1/9, 1/18, 1/18 and 1/18, 0, -1/18.
    half = T_5 * math.sqrt(6 / 5 * (4 + 1 + 1 + 1 + 0 + 1) / 18**2)
    logits = [math.log(5) + side * half / (5 / 36) for side in (-1, 1)]
    expected = [1 / (1 + math.exp(-logit)) for logit in logits]
    assert detection.auc_interval(benign, adversarial, np.arange(3), np.arange(3, 6)) == pytest.approx(expected)
    # A single speaker tells nothing of others: each score stands for itself.
    one_speaker = ["s1"] * 3
    assert detection.auc_interval(benign, adversarial, one_speaker, one_speaker) == pytest.approx(expected)


def test_scores_that_do_not_overlap_are_worth_their_clusters():
    assert detection.auc_interval(np.array([3.0, 4.0, 5.0]), np.zeros(2), [0, 1, 2], [0, 1]) == exact(1, 2)
    assert detection.auc_interval(np.zeros(2), np.ones(4), [0, 1], [0, 1, 2, 3]) == exact(0, 2)
    assert detection.auc_interval(np.zeros(0), np.ones(1), [], [0]) == (0, 1)
    # A hundred clips of five speakers say no more of other speakers than five.
    speakers = np.repeat(np.arange(5), 20)
    expected = pytest.approx((0.025 ** (1 / 5), 1))
    assert detection.auc_interval(np.ones(100), np.zeros(100), speakers, speakers) == expected
    assert detection.mean_f1_interval(np.ones(100), np.zeros(100), 0.5, speakers, speakers) == expected


def test_a_clip_whose_two_scores_rise_together_narrows_the_interval():
    benign, adversarial = drawn(3, 80, common=3)
    clips = np.arange(80)
    low, high = detection.auc_interval(benign, adversarial, clips, clips)
    loose_low, loose_high = detection.auc_interval(benign, adversarial, clips, clips + 80)
    assert loose_low < low < detection.auc(benign, adversarial) < high < loose_high
    # Twice the same clips are no more clips.
    twice = (np.tile(values, 2) for values in (benign, adversarial, clips, clips))
    assert detection.auc_interval(*twice) == pytest.approx((low, high))


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    large = drawn(0, 200_000)
    threshold = 0.5
    truth = detection.auc(*large), detection.mean_f1(*large, threshold)
    covered = np.zeros(2)
    clips = np.arange(40)
    for seed in range(300):
        scores = drawn(seed + 1, 40)
        intervals = (
            detection.auc_interval(*scores, clips, clips),
            detection.mean_f1_interval(*scores, threshold, clips, clips),
        )
        covered += [low <= value <= high for value, (low, high) in zip(truth, intervals)]
    assert (covered / 300 > 0.92).all() and (covered / 300 < 0.98).all()


def test_difference_by_hand():
    benign, first, second = np.array([2.0, 4.0, 5.0]), np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.5, 3.0])
    # AUC 5/6 and 2/3. Placements of the second 1/3, 2/3, 1 and 1, 1/3, 2/3; centred, over 3, in 18ths: -2 0 2, 2 -2 0.
    # Less the first's -2 1 1, 1 0 -1: 0 -1 1, 1 -2 1; for each clip the sum of both: 1 -3 2.
    half = 4.302652729911275 * math.sqrt(3 / 2 * (1 + 9 + 4) / 18**2)
    expected = max(-1, -1 / 6 - half), min(1, -1 / 6 + half)
    for clusters in (["a", "b", "c"], ["s1", "s1", "s1"]):
        assert detection.auc_difference_interval(benign, first, benign, second, clusters) == pytest.approx(expected)


def test_difference_of_two_attacks_on_the_same_clips():
    clips = np.arange(100)
    benign, first = drawn(5, 100)
    end = 0.025 ** (1 / 100)
    unchanged = detection.auc_difference_interval(benign, first, benign, first, clips)
    assert unchanged == pytest.approx((end - 1, 1 - end))
    reversed_scores = detection.auc_difference_interval(first - 9, first, first + 9, first, clips)
    assert reversed_scores == pytest.approx((2 * end - 1, 1))
    # Somewhat lower each time, so the interval is narrower than one of other clips would be, and tells them apart.
    second = first - 0.3 - 0.1 * np.random.default_rng(0).random(100)
    low, high = detection.auc_difference_interval(benign, first, benign, second, clips)
    assert 0 < low < detection.auc(benign, second) - detection.auc(benign, first) < high
    own_low, own_high = detection.auc_interval(benign, second, clips, clips)
    assert high - low < (own_high - own_low) / 2
    backwards = detection.auc_difference_interval(benign, second, benign, first, clips)
    assert backwards == pytest.approx((-high, -low))
    assert detection.auc_difference_interval([], [], [], [], []) == (-1, 1)


def test_mean_f1_by_hand():
    benign, adversarial = np.array([1.0, 3.0, 4.0]), np.array([0.0, 2.0])
    # From 2 on: benign 2 hits of 3, taken 3; adversarial 1 hit of 2, taken 2.
    assert detection.mean_f1(benign, adversarial, 2) == pytest.approx((4 / 6 + 2 / 4) / 2)
    assert detection.mean_f1(benign, adversarial, 2.5) == pytest.approx((4 / 5 + 4 / 5) / 2)
    assert detection.mean_f1(benign, adversarial, -1) == pytest.approx(6 / 8 / 2)
    truth, scores = truths(*drawn(2, 50))
    expected = f1_score(truth, scores >= 0.3, average="macro")
    assert detection.mean_f1(*drawn(2, 50), 0.3) == pytest.approx(expected)


def test_best_threshold_by_hand():
    assert detection.best_threshold(np.array([3.0, 4.0]), np.array([0.0, 1.0])) == 2
    # Mean F1 .8 at 2.5; at most .583 at the others.
    assert detection.best_threshold(np.array([1.0, 3.0, 4.0]), np.array([0.0, 2.0])) == 2.5
    # One misses a benign, the other takes an adversarial for benign: equally good, so the lower one.
    assert detection.best_threshold(np.array([1.0, 3.0]), np.array([0.0, 2.0])) == 0.5
    assert detection.best_threshold(np.array([1.0, 1.0]), np.array([1.0])) == 1


@pytest.mark.parametrize("low", [1.0, 1e308, 5e-324, 0.1, -1.0])
def test_a_threshold_between_adjacent_floats_parts_them(low):
    high = np.nextafter(low, np.inf)
    best = detection.best_threshold(np.array([high]), np.array([low]))
    assert low < best <= high
    assert detection.mean_f1(np.array([high]), np.array([low]), best) == 1


def test_a_threshold_is_not_sought_among_scores_that_are_no_numbers():
    for score in (np.nan, np.inf):
        with pytest.raises(ValueError, match="not finite"):
            detection.best_threshold(np.array([1.0, score]), np.array([0.0]))


def test_no_threshold_is_better_than_the_best():
    benign, adversarial = drawn(7, 60)
    best = detection.mean_f1(benign, adversarial, detection.best_threshold(benign, adversarial))
    assert best == max(detection.mean_f1(benign, adversarial, t) for t in np.linspace(-5, 5, 4001))


def test_f1_interval_by_hand():
    benign, adversarial = np.array([1.0, 3.0, 4.0]), np.array([0.0, 2.0])
    # At 2.5: benign F1 4/5 of 5 parts, a missed one has -4/5, the kept ones 2 - 8/5 = 2/5 each, of 5, halved;
    # adversarial F1 4/5 of 5 parts: the missed benign one has -4/5 as well, the two refused ones 2/5 each.
    half = 2.7764451051977934 * math.sqrt(5 / 4 * (16**2 + 4 * 4**2) / 100**2)
    logits = [math.log(4) + side * half / 0.16 for side in (-1, 1)]
    expected = [1 / (1 + math.exp(-logit)) for logit in logits]
    found = detection.mean_f1_interval(benign, adversarial, 2.5, ["a", "b", "c"], ["d", "e"])
    assert found == pytest.approx(expected)
    assert detection.mean_f1_interval(benign + 5, adversarial, 2.5, [0, 1, 2], [0, 1]) == exact(1, 2)
    assert detection.mean_f1_interval(benign, np.zeros(0), 2.5, [0, 1, 2], []) == (0, 1)
