"""Verdicts of claims, corrected over all that could be tested."""

import math

import numpy as np
import pandas as pd

from stages.measures import testing
from stages.reporting.verdicts import Claim, judged, unit_of


def evidence(effect: float, spread: float, clusters: int = 16) -> testing.Evidence:
    """What Student's t says of such an effect."""
    return testing.student(effect, spread**2 / clusters, clusters, "Student's t")


def test_a_claim_is_supported_contradicted_undecided_or_not_testable():
    claims = [
        Claim("a", "+1", "+2", "what", evidence(2, 1)),
        Claim("b", "+1", "-2", "what", evidence(-2, 1)),
        Claim("c", "+1", "+.2", "what", evidence(0.2, 1), stated=1.0),
        Claim("d", "+1", "nothing"),
        Claim("e", "", "+.2", "what", evidence(0.2, 1), unit="clips"),
    ]
    made = judged(claims).set_index("claim")
    assert made.verdict.tolist() == ["supported", "contradicted", "undecided", "not testable here", "undecided"]
    assert made.test["a"] == "what; Student's t over 16 speakers, two-sided"
    assert (made.n["c"], made.unit["e"], made.difference["b"]) == (16, "clips", -2)
    # At the effect that the paper states, or the one seen; at a fourth of .05.
    assert made.n_to_decide["c"] == testing.clusters_needed(1, 1, 0.0125)
    assert made.n_to_decide["e"] == testing.clusters_needed(1, 0.2, 0.0125)
    assert made.n_to_decide[["a", "b", "d"]].isna().all() and made.p.isna()["d"] and made.test["d"] == ""


def test_holm_is_over_the_claims_that_could_be_tested():
    one = evidence(0.6, 1)  # t 2.4 of 15 degrees of freedom: p .03
    assert judged([Claim("a", "", "", "x", one), Claim("b", "", "")]).verdict[0] == "supported"
    made = judged([Claim("a", "", "", "x", one), Claim("b", "", "", "x", evidence(0, 1))])
    assert made.verdict.tolist() == ["undecided", "undecided"]
    assert np.allclose(made.p_holm[0], 2 * made.p[0], rtol=0.05)
    assert judged([]).empty and judged([Claim("a", "", "")]).verdict.tolist() == ["not testable here"]


def test_one_cluster_decides_nothing_and_nobody_knows_how_many_would():
    (row,) = judged([Claim("a", "", "", "x", testing.mean(np.ones(9), np.zeros(9)))]).to_dict("records")
    assert (row["verdict"], row["n"]) == ("undecided", 1) and pd.isna(row["n_to_decide"])
    assert math.isnan(row["difference_low"])


def test_clusters_are_speakers_or_clips():
    rows = pd.DataFrame({"speaker": ["a", "b"], "clip_id": ["1", "2"]})
    assert unit_of(rows.assign(cluster=rows.speaker)) == "speakers"
    assert unit_of(rows.assign(cluster=rows.clip_id)) == "clips"
    assert unit_of(rows.assign(speaker="", cluster=rows.clip_id)) == "clips"
