"""Room of reporting: the claims of a paper, each with the test that decides it, and what comes of it.

A claim is *supported* where its test finds the effect that it claims, *contradicted* where it finds the opposite, after
Holm's correction over all claims of the study that could be tested, *undecided* where it finds neither, and *not
testable here* where nothing was measured that could be tested.
"""

import math
from dataclasses import dataclass

import pandas as pd

from stages.measures.testing import LEVEL, Evidence, clusters_needed, holm

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
UNTESTABLE = "not testable here"
VERDICTS = (SUPPORTED, CONTRADICTED, UNDECIDED, UNTESTABLE)
COLUMNS = [
    *("claim", "paper", "here", "verdict", "test", "difference", "difference_low", "difference_high"),
    *("n", "unit", "p", "p_holm", "n_to_decide"),
]


@dataclass(frozen=True)
class Claim:
    """A claim, the paper's figure and ours, and its test.

    `compared` says what is compared, paired on which clips; `unit` what the clusters are; `stated` is the effect of the
    paper in the units of the test, NaN where it states none.
    """

    claim: str
    paper: str
    here: str
    compared: str = ""
    tested: Evidence | None = None
    unit: str = "speakers"
    stated: float = math.nan


def unit_of(rows: pd.DataFrame) -> str:
    """What the column `cluster` of rows names: speakers, or clips where there are none."""
    return "speakers" if len(rows) and rows.cluster.isin(rows.speaker[rows.speaker != ""]).all() else "clips"


def judged(claims: list[Claim]) -> pd.DataFrame:
    """The claims with their verdicts, Holm's correction being over those that could be tested.

    Tests are two-sided: each probability is twice the smaller one of both directions. `n_to_decide` is how many
    clusters would decide what is undecided, with a power of .8 and though all claims were corrected for, at the effect
    that the paper states, or at the one seen.
    """
    probabilities = {
        number: min(1.0, 2 * min(one.tested.supports, one.tested.contradicts))
        for number, one in enumerate(claims)
        if one.tested is not None
    }
    corrected = dict(zip(probabilities, holm(list(probabilities.values()))))
    level = LEVEL / max(1, len(probabilities))
    rows = [
        {"claim": one.claim, "paper": one.paper, "here": one.here, "verdict": UNTESTABLE, "test": "", "unit": ""}
        | ({} if one.tested is None else _decided(one, probabilities[number], corrected[number], level))
        for number, one in enumerate(claims)
    ]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"n": "Int64", "n_to_decide": "Int64"})


def _decided(one: Claim, p: float, p_holm: float, level: float) -> dict[str, object]:
    tested = one.tested
    verdict = UNDECIDED
    if p_holm <= LEVEL:
        verdict = SUPPORTED if tested.supports < tested.contradicts else CONTRADICTED
    needed = math.nan
    if verdict == UNDECIDED:
        effect = tested.effect if math.isnan(one.stated) else one.stated
        needed = clusters_needed(tested.spread, effect, level)
    ends = ("", tested.effect), ("_low", tested.low), ("_high", tested.high)
    return {
        "verdict": verdict,
        "test": f"{one.compared}; {tested.method} over {tested.clusters} {one.unit}, two-sided",
        **{f"difference{end}": round(value, 4) + 0.0 for end, value in ends},
        "n": tested.clusters,
        "unit": one.unit,
        "p": float(f"{p:.2g}"),
        "p_holm": float(f"{p_holm:.2g}"),
        "n_to_decide": pd.NA if math.isnan(needed) else needed,
    }
