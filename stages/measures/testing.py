"""Room of measures: tests of what is claimed of values that come in clusters (a speaker's clips, a clip's versions).

Each tells of an effect, positive where a claim is right, how likely so much of it, and so little of it, are by chance.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from stages.measures.intervals import exact, pooled
from stages.measures.paired import flip_tails

LEVEL, POWER = 0.05, 0.8
# With fewer clusters a study's correction for some fifty tests leaves exact sign flips nothing that they could decide.
FLIPPED_FROM = 12
# With so many trials each the means of clusters are nearly normal.
TRIALS = 3
DRAWS = 2000
# As many of them are held at once, each as long as what is drawn from.
DRAWS_AT_ONCE = 50
RESIDUE = 1e-20
MOST_CLUSTERS = 1e9


@dataclass(frozen=True)
class Evidence:
    """An effect with its 95 % interval, and what it says.

    `supports` and `contradicts` are one-sided probabilities of so large and of so small an effect where there is none;
    `clusters` is how many there are, and `spread` the standard deviation of one, in units of the effect; `method` names
    the test.
    """

    effect: float
    low: float
    high: float
    supports: float
    contradicts: float
    clusters: int
    spread: float
    method: str


def mean(values: np.ndarray, clusters: np.ndarray, *, weights: np.ndarray | None = None) -> Evidence | None:
    """Whether the mean of values (n,) that come in clusters (n,) is above 0; of differences, whether they are.

    From 12 clusters on their sums' signs are flipped. Fewer are taken for nearly normal, with no smaller a variance
    than their trials would have by themselves, and are tested by Student's t (Ibragimov and Müller 2010), but where
    they have too few trials or do not vary. Values that are not finite are left out; None where nothing is left.
    """
    weights = np.ones(len(values)) if weights is None else np.asarray(weights, float)
    known = np.isfinite(np.asarray(values, float))
    values, weights, codes = np.asarray(values, float)[known], weights[known], _codes(np.asarray(clusters)[known])
    if not len(values):
        return None
    weights = weights / weights.sum()
    effect = float(weights @ values)
    errors, count = weights * (values - effect), codes.max() + 1
    of_clusters = count / max(1, count - 1) * np.square(np.bincount(codes, errors)).sum()
    variance = max(of_clusters, float(np.square(errors).sum()))
    if count < FLIPPED_FROM and len(values) >= TRIALS * count and of_clusters > RESIDUE:
        return student(effect, variance, count, "Student's t")
    tails = flip_tails(np.bincount(codes, weights * values))
    return _told(effect, variance, count, tails, "sign flips")


def share_above(hits: np.ndarray, clusters: np.ndarray, threshold: float) -> Evidence | None:
    """Whether more than the share `threshold` of trials (n,) are hits: the exact binomial test.

    It takes as many trials as have the clusters' variance, see `intervals.clustered_share`. None without trials.
    """
    from scipy.special import betainc, betaincc

    if not len(hits):
        return None
    codes = _codes(clusters)
    share, trials = pooled(np.bincount(codes, np.asarray(hits, float)), np.bincount(codes))
    hit, missed, count = trials * share, trials * (1 - share), codes.max() + 1
    # Residues of rounding are no trials.
    supports = float(betainc(hit, missed + 1, threshold)) if hit > 1e-9 else 1.0
    contradicts = float(betaincc(hit + 1, missed, threshold)) if missed > 1e-9 else 1.0
    spread = math.sqrt(threshold * (1 - threshold) * count / trials)
    ends = (end - threshold for end in exact(share, trials))
    return Evidence(share - threshold, *ends, supports, contradicts, count, spread, "exact binomial test")


def ratio(numerators: np.ndarray, denominators: np.ndarray, clusters: np.ndarray) -> Evidence | None:
    """Whether a sum over another one, such as a difference of wrong words over words, is above 0.

    Clusters are drawn anew (`bootstrapped`). None without denominators.
    """
    if not np.sum(denominators):
        return None
    codes = _codes(clusters)
    above, below = (np.bincount(codes, np.asarray(one, float)) for one in (numerators, denominators))
    return bootstrapped(lambda times: (times @ above) / (times @ below), len(above), len(above))


def auc_above_half(benign: np.ndarray, adversarial: np.ndarray, clusters: Sequence[np.ndarray]) -> Evidence | None:
    """Whether benign scores are higher than adversarial ones (AUC above .5); `clusters` name those of both sides.

    Clusters are drawn anew (`bootstrapped`). None where a side is empty.
    """
    names = np.unique(np.concatenate(clusters))
    ordered = _pairs(benign, adversarial, clusters, names)
    if ordered is None:
        return None
    return bootstrapped(lambda times: _auc(times, *ordered) - 0.5, len(names), _fewest(clusters))


def auc_greater(
    scores: Sequence[np.ndarray], others: Sequence[np.ndarray], clusters: Sequence[np.ndarray]
) -> Evidence | None:
    """Whether the AUC of (benign, adversarial) `scores` exceeds that of `others`, (benign, adversarial) themselves.

    `clusters` are those of the scores' benign and adversarial sides, and of the others' two. Clusters are drawn anew.
    """
    names = np.unique(np.concatenate(clusters))
    first, second = (_pairs(*one, own, names) for one, own in ((scores, clusters[:2]), (others, clusters[2:])))
    if first is None or second is None:
        return None
    return bootstrapped(lambda times: _auc(times, *first) - _auc(times, *second), len(names), _fewest(clusters))


def bootstrapped(statistic: Callable[[np.ndarray], np.ndarray], drawn_of: int, count: int) -> Evidence:
    """Whether a statistic of `drawn_of` clusters is above 0, by how much it varies where clusters are drawn anew.

    `statistic` takes how many times each is drawn (draws, clusters). The deviation over the draws, times
    sqrt(K / (K - 1)) for K clusters, goes into Student's t with K - 1 degrees of freedom, since draws of few clusters
    are too narrow; K is the `count` of those that tell of what they have fewest of. Where the deviation vanishes
    clusters are alike, and their signs are flipped.
    """
    effect = float(statistic(np.ones((1, drawn_of)))[0])
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = statistic(_times(drawn_of, DRAWS))
    drawn = drawn[np.isfinite(drawn)]
    variance = float(drawn.var(ddof=1)) * count / max(1, count - 1) if len(drawn) > 1 else 0.0
    if count > 1 and variance > RESIDUE:
        return student(effect, variance, count, "bootstrap")
    tails = flip_tails(np.full(count, effect))
    return _told(effect, variance, count, tails, "sign flips")


def student(effect: float, variance: float, count: int, method: str) -> Evidence:
    """An effect of this variance, tested by Student's t with `count` - 1 degrees of freedom."""
    from scipy.special import stdtr

    ratio = effect / math.sqrt(variance)
    tails = float(stdtr(count - 1, -ratio)), float(stdtr(count - 1, ratio))
    return _told(effect, variance, count, tails, method)


def signed_ranks(values: np.ndarray, clusters: np.ndarray) -> Evidence | None:
    """Whether values such as differences of log distances are above 0: Wilcoxon's signed ranks of clusters' means.

    Values that are not finite are left out. None where nothing is left.
    """
    from scipy.stats import rankdata

    known = np.isfinite(np.asarray(values, float))
    values, codes = np.asarray(values, float)[known], _codes(np.asarray(clusters)[known])
    if not len(values):
        return None
    means = np.bincount(codes, values) / np.bincount(codes)
    # Means that are equal but for rounding have one rank, and those of nothing no sign.
    means = means.round(12)
    tails = flip_tails(np.sign(means) * rankdata(np.abs(means)))
    variance = float(means.var(ddof=1)) / len(means) if len(means) > 1 else 0.0
    return _told(float(means.mean()), variance, len(means), tails, "Wilcoxon's signed ranks")


def mean_ranks(values: np.ndarray) -> tuple[np.ndarray, float, float]:
    """The mean rank of each column of values (blocks, k), the highest value having rank k; Friedman's p; and Nemenyi's
    critical difference of two mean ranks at .05 (Demšar 2006). At least two blocks and two columns."""
    from scipy import stats

    blocks, count = values.shape
    ranks = stats.rankdata(values, axis=1)
    untied = (np.ptp(values, axis=1) > 0).any()
    # Its two-column case is a sign test, which scipy refuses.
    chi2 = 12 * blocks / (count * (count + 1)) * np.square(ranks.mean(axis=0) - (count + 1) / 2).sum()
    ties = _tied(ranks) / (blocks * count * (count**2 - 1)) if untied else 0.0
    p = float(stats.chi2.sf(chi2 / (1 - ties), count - 1)) if untied else 1.0
    return ranks.mean(axis=0), p, float(stats.studentized_range.ppf(1 - LEVEL, count, np.inf)) * _rank_error(values)


def ranked_above(values: np.ndarray, column: int, others: Sequence[int]) -> Evidence | None:
    """Whether a column of values (blocks, k) ranks above each of the `others`, blocks being clips or speakers.

    By Friedman's test of all and, after it, Nemenyi's of the nearest pair, which allows for all pairs. None for fewer
    than two blocks.
    """
    from scipy import stats

    blocks, count = values.shape
    if blocks < 2 or not len(others):
        return None
    ranks, p, critical = mean_ranks(values)
    ahead = ranks[column] - ranks[list(others)]
    nearest, error = float(ahead.min()), _rank_error(values)
    tail = max(p, float(stats.studentized_range.sf(abs(nearest) / error, count, np.inf))) / 2
    tails = (tail, 1 - tail) if nearest > 0 else (1 - tail, tail)
    spread = error * math.sqrt(2 * blocks)
    method = "Friedman's ranks and Nemenyi's critical difference"
    return Evidence(nearest, nearest - critical, nearest + critical, *tails, blocks, spread, method)


def differ(values: np.ndarray) -> Evidence | None:
    """Whether the columns of values (blocks, k) differ at all, by Friedman's test; that they do not, none can show.

    The effect is that of the highest mean against the lowest. None for fewer than two blocks or columns.
    """
    if min(values.shape) < 2:
        return None
    means = values.mean(axis=0)
    apart = values[:, means.argmax()] - values[:, means.argmin()]
    p, effect = mean_ranks(values)[1], float(apart.mean())
    return Evidence(effect, math.nan, math.nan, p / 2, 1.0, len(values), float(apart.std(ddof=1)), "Friedman's test")


def all_of(parts: Sequence[Evidence | None]) -> Evidence | None:
    """Whether all of several effects are positive: supported as far as the least is, contradicted by any.

    Of the contradicting ones the smallest probability counts as many times as there are parts (Bonferroni). Parts that
    could not be tested are left out; None where all are.
    """
    known = [part for part in parts if part is not None]
    if not known:
        return None
    least = max(known, key=lambda part: (part.supports, -part.effect))
    contradicts = min(1.0, len(known) * min(part.contradicts for part in known))
    told = least.effect, least.low, least.high, least.supports, contradicts
    return Evidence(*told, min(part.clusters for part in known), least.spread, least.method)


def negated(tested: Evidence | None) -> Evidence | None:
    """The same of the claim's opposite."""
    if tested is None:
        return None
    ends = -tested.effect, -tested.high, -tested.low, tested.contradicts, tested.supports
    return Evidence(*ends, tested.clusters, tested.spread, tested.method)


def shifted(tested: Evidence | None, by: float) -> Evidence | None:
    """Whether the effect that Student's t or a bootstrap tested exceeds `by`."""
    if tested is None:
        return None
    variance = tested.spread**2 / tested.clusters
    if tested.clusters < 2 or variance <= RESIDUE:
        tails = flip_tails(np.full(tested.clusters, tested.effect - by))
        return _told(tested.effect - by, variance, tested.clusters, tails, "sign flips")
    return student(tested.effect - by, variance, tested.clusters, tested.method)


def holm(probabilities: Sequence[float]) -> np.ndarray:
    """Holm's corrected probabilities (n,) of a family of tests (Holm 1979), in the order given."""
    given = np.asarray(probabilities, float)
    order = np.argsort(given, kind="stable")
    corrected = np.empty(len(given))
    steps = given[order] * np.arange(len(given), 0, -1)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(given) else steps
    return corrected


def clusters_needed(spread: float, effect: float, level: float) -> float:
    """How many clusters find an effect with a power of .8 in a two-sided test at this level (Guenther 1981).

    At least as many as sign flips need to come below the level. NaN where there is no effect, none but rounding's
    (`MOST_CLUSTERS` would not find it), or nobody knows how much clusters differ.
    """
    from scipy.special import ndtri

    if not effect or not math.isfinite(spread / effect):
        return math.nan
    quantile = -ndtri(level / 2)
    count = ((quantile + ndtri(POWER)) * spread / effect) ** 2 + quantile**2 / 2
    return float(math.ceil(max(count, math.log2(2 / level)))) if count <= MOST_CLUSTERS else math.nan


def median_interval(values: np.ndarray) -> tuple[float, float]:
    """The 95 % BCa bootstrap interval of a median (Efron 1987); NaNs for fewer than three values or equal ones."""
    from scipy import stats

    if len(values) < 3 or np.ptp(values) == 0:
        return math.nan, math.nan
    how = {"n_resamples": DRAWS, "rng": np.random.default_rng(0), "vectorized": True, "batch": DRAWS_AT_ONCE}
    drawn = stats.bootstrap((values,), np.median, **how)
    low, high = drawn.confidence_interval
    return float(low), float(high)


def _told(effect: float, variance: float, count: int, tails: tuple[float, float], method: str) -> Evidence:
    """With Student's interval. One cluster says nothing of others."""
    from scipy.special import stdtrit

    if count < 2:
        return Evidence(effect, math.nan, math.nan, 1.0, 1.0, int(count), math.nan, method)
    half = float(stdtrit(count - 1, 1 - LEVEL / 2)) * math.sqrt(variance) if variance > RESIDUE else math.nan
    return Evidence(effect, effect - half, effect + half, *tails, int(count), math.sqrt(variance * count), method)


def _codes(clusters: np.ndarray) -> np.ndarray:
    return np.unique(np.asarray(clusters, dtype=str), return_inverse=True)[1]


def _pairs(
    benign: np.ndarray, adversarial: np.ndarray, clusters: Sequence[np.ndarray], names: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Of each pair of clusters how many pairs of scores are in order, ties counting half, and both sides' counts."""
    if not len(benign) or not len(adversarial):
        return None
    sides = [np.searchsorted(names, own)[:, None] == np.arange(len(names)) for own in clusters]
    above = (benign[:, None] > adversarial) + 0.5 * (benign[:, None] == adversarial)
    counts = [side.sum(axis=0).astype(float) for side in sides]
    return sides[0].T.astype(float) @ above @ sides[1], *counts


@cache
def _times(count: int, draws: int) -> np.ndarray:
    """How many times each of so many clusters is drawn, of as many as there are (draws, clusters)."""
    return np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), draws).astype(float)


def _fewest(clusters: Sequence[np.ndarray]) -> int:
    """How many clusters the side has that has the fewest."""
    return min(len(np.unique(own)) for own in clusters)


def _auc(times: np.ndarray, above: np.ndarray, benign: np.ndarray, adversarial: np.ndarray) -> np.ndarray:
    return ((times @ above) * times).sum(axis=1) / ((times @ benign) * (times @ adversarial))


def _rank_error(values: np.ndarray) -> float:
    blocks, count = values.shape
    return math.sqrt(count * (count + 1) / (12 * blocks))


def _tied(ranks: np.ndarray) -> float:
    counts = [np.unique(row, return_counts=True)[1].astype(float) for row in ranks]
    return float(sum((own**3 - own).sum() for own in counts))
