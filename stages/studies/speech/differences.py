"""Room of studies: differences between the same clips before and after something, as claims of them."""

import math

import pandas as pd

from stages.measures import testing
from stages.measures.testing import Evidence
from stages.reporting.verdicts import Claim

# Differences with what speaks for them, by what they are of; None where there is none.
Parts = dict[str, Evidence | None]
OURS = "no figure: a control that it lacks"
UNMEASURED = "not measured"
# More differences than these are told by how many there are and how far they go.
LISTED = 4
# A difference of sums of the same errors may miss zero by a rounding.
ROUNDING = 1e-9
# What is meant by no rise of a WER.
NO_RISE = 0.02


def after(clips: pd.DataFrame, treatment: str) -> pd.DataFrame:
    """The rows of clips after this treatment."""
    return clips[clips.treatment == treatment]


def difference(before: pd.DataFrame, later: pd.DataFrame, measure: str) -> Evidence | None:
    """Whether `later` has more than `before`, in the mean of the pairs of both; of WER, words over those said.

    Pairs are rows of the same `pair`.
    """
    column = {"rosa": "hit", "wer": "errors"}.get(measure, measure)
    pairs = before[["pair", "cluster", "errors_of", column]].merge(
        later[["pair", column]], on="pair", suffixes=("", "_after")
    )
    more, clusters = (pairs[f"{column}_after"] - pairs[column]).to_numpy(float), pairs.cluster.to_numpy()
    return testing.ratio(more, pairs.errors_of, clusters) if measure == "wer" else testing.mean(more, clusters)


def all_rise(
    claim: Claim, parts: Parts, *, rises: bool = True, lacking: str = UNMEASURED, stated: float = math.nan
) -> Claim:
    """The claim, of which there are words alone, that every part is positive, or negative.

    Those that could not be measured are left out.
    """
    known = {name: part for name, part in parts.items() if part is not None}
    if not known:
        return Claim(claim.claim, claim.paper, lacking)
    values = [part.effect for part in known.values()]
    if len(known) <= LISTED:
        here = "; ".join(f"{name} {value:+.3f}" for name, value in zip(known, values))
    else:
        as_claimed = sum(value > 0 if rises else value < 0 for value in values)
        here = f"{as_claimed} of {len(known)}; {min(values):+.3f} to {max(values):+.3f}"
    each = testing.all_of([part if rises else testing.negated(part) for part in known.values()])
    return Claim(claim.claim, claim.paper, here, claim.compared, each, stated=stated)


def none_higher(claim: str, compared: str, parts: Parts) -> Claim:
    """A claim, which the paper does not make, that no WER rises."""
    claim = f"{claim} (taken as: by {100 * NO_RISE:.0f} points and more)"
    known = [part for part in parts.values() if part is not None]
    if not known:
        return Claim(claim, OURS, UNMEASURED)
    values = [part.effect for part in known]
    higher = sum(value > ROUNDING for value in values)
    here = f"{higher} of {len(known)} higher; {min(values):+.3f} to {max(values):+.3f}"
    none = testing.all_of([testing.shifted(testing.negated(part), -NO_RISE) for part in known])
    return Claim(claim, OURS, here, f"{compared}, each against {100 * NO_RISE:.0f} points", none)
