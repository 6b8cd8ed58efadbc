"""Room of studies: differences between the same clips before and after something, as claims of them."""

import numpy as np
import pandas as pd

from stages.reporting.cells import Cells, mean
from stages.reporting.verdicts import Claim, judged, untested

# Values x with their intervals, by what they are of.
Parts = dict[str, Cells]
OURS = "no figure: a control that it lacks"
# More differences than these are told by how many there are and how far they go.
LISTED = 4
# A difference of sums of the same errors may miss zero by a rounding, and an interval of no width have one.
ROUNDING = 1e-9


def after(clips: pd.DataFrame, treatment: str) -> pd.DataFrame:
    """The rows of clips after this treatment."""
    return clips[clips.treatment == treatment]


def difference(before: pd.DataFrame, later: pd.DataFrame, measure: str) -> Cells:
    """What `later` has more than `before`, in the mean of the pairs of both; of WER, words over the mean number said.

    Pairs are rows of the same `pair`. Where all speakers have the same difference their spread tells nothing, and there
    is no interval.
    """
    column = {"rosa": "hit", "wer": "errors"}.get(measure, measure)
    pairs = before.merge(later[["pair", column]], on="pair", suffixes=("", "_after"))
    more = pairs[f"{column}_after"] - pairs[column]
    return with_width(mean(more / pairs.errors_of.mean() if measure == "wer" else more, pairs.cluster, "x"))


def with_width(value: Cells) -> Cells:
    """Without an interval if it has no width."""
    return value if value["x_high"] - value["x_low"] > ROUNDING else value | {"x_low": np.nan, "x_high": np.nan}


def all_rise(claim: str, paper: str, parts: Parts, *, rises: bool = True, lacking: str = "not measured") -> Claim:
    """A claim that every part is positive, or negative; those that could not be measured are left out.

    `certain` says whether the intervals that decide stand clear of zero: all of them where it holds, else one.
    """
    known = _known(parts)
    if not known:
        return untested(claim, paper, lacking)
    values, lows, highs = (np.array([part[end] for part in known.values()]) for end in ("x", "x_low", "x_high"))
    as_claimed = values > 0 if rises else values < 0
    if len(known) <= LISTED:
        here = "; ".join(f"{name} {value:+.3f}" for name, value in zip(known, values))
    else:
        here = f"{as_claimed.sum()} of {len(known)}; {values.min():+.3f} to {values.max():+.3f}"
    above, below = lows > 0, highs < 0
    if as_claimed.all():
        return judged(claim, paper, here, True, bool((above if rises else below).all()))
    return judged(claim, paper, here, False, bool((below if rises else above).any()))


def none_higher(claim: str, parts: Parts) -> Claim:
    """A claim, which the paper does not make, that no part is positive."""
    known = _known(parts)
    if not known:
        return untested(claim, OURS)
    higher = [part for part in known.values() if part["x"] > ROUNDING]
    values = [part["x"] for part in known.values()]
    here = f"{len(higher)} of {len(known)} higher; {min(values):+.3f} to {max(values):+.3f}"
    if higher:
        return judged(claim, OURS, here, False, any(part["x_low"] > 0 for part in higher))
    return judged(claim, OURS, here, True, all(part["x_high"] <= ROUNDING for part in known.values()))


def _known(parts: Parts) -> Parts:
    return {name: part for name, part in parts.items() if np.isfinite(part["x"])}
