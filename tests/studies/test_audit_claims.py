"""What papers say of defences, and what the audit finds of it, on clips whose shares can be counted by hand."""

import pandas as pd
import pytest
from guarded_rows import guarded, version
from test_audit_tables import rows

from stages.studies.audit import claims, guards

NOISE, SYNC = "Noise at 20 dB brings sounds back", "Lip sync detects attacks on words"
CLIPS = 16


def loudest(defended_unaware, defended_aware):
    """Nothing is left without the defence, by whoever attacks."""
    shares = {"unaware": defended_unaware, "aware": defended_aware}
    made = [rows(right, defence="noise_20dB", knowledge=knowledge) for knowledge, right in shares.items()]
    return pd.concat([*made, *(rows([0.0] * CLIPS, defence="none", knowledge=knowledge) for knowledge in shares)])


def judged(*shares, beside=None):
    return claims.claims(loudest(*shares), guarded() if beside is None else beside).set_index("claim")


def test_a_claim_is_judged_by_what_is_left_without_the_defence_against_either_attacker():
    made = judged([1.0] * CLIPS, [1.0] + [0.0] * (CLIPS - 1))
    unaware, aware = (made.loc[f"{NOISE}, {who}"] for who in claims.WHO.values())
    assert (unaware.verdict, unaware.difference, unaware.here) == ("supported", 1.0, "100 %; without it 0 %")
    assert (aware.verdict, aware.difference, aware.n) == ("undecided", 1 / CLIPS, CLIPS)
    assert unaware.p == pytest.approx(2 / 2**CLIPS, rel=0.05)  # as told


def test_a_defence_that_makes_it_worse_contradicts_its_claim():
    worse = loudest([0.0] * CLIPS, [0.0] * CLIPS)
    worse = worse.assign(right=worse.right.where(worse.defence == "noise_20dB", 1.0))
    made = claims.claims(worse, guarded()).set_index("claim")
    assert set(made.verdict[made.index.str.startswith(NOISE)]) == {"contradicted"}


def test_a_detector_is_judged_by_its_area_above_a_half():
    made = judged([1.0] * CLIPS, [1.0] * CLIPS)
    unaware, aware = (made.loc[f"{SYNC}, {who}"] for who in claims.WHO.values())
    assert (unaware.here, unaware.difference, unaware.unit) == ("AUC 1.00", 0.5, "speakers")
    # Of 64 pairs 39.5 are in order, see test_audit_guards.
    assert aware.difference == pytest.approx(39.5 / 64 - 0.5, abs=1e-4)


def test_an_enhancer_is_judged_beside_none_and_what_was_not_run_is_not():
    parts = [
        version(knowledge, float(guard != "none"), 0.0).assign(entry="treated", guard=guard)
        for guard in ("none", "u_net_attention")
        for knowledge in ("benign", "unaware", "aware")
    ]
    made = judged([1.0] * CLIPS, [1.0] * CLIPS, beside=pd.concat(parts, ignore_index=True))
    own = made[made.index.str.startswith("The attention U-Net defends")]
    assert set(own.difference) == {1.0} and (own.n == 4).all()
    rest = made[~made.index.str.startswith(("The attention", NOISE))]
    assert set(rest.verdict) == {"not testable here"}


def test_what_papers_say_stands_beside_what_is_left_with_verdicts():
    defences = pd.DataFrame({"study": ["events"], "defence": ["noise_20dB"], "n": [24]})
    for name, value in (("unaware", 0.9), ("aware", 0.2)):
        defences = defences.assign(**{name: value, f"{name}_low": value - 0.1, f"{name}_high": value + 0.1})
    verdicts = claims.claims(loudest([1.0] * CLIPS, [0.0] * CLIPS), guarded())
    made = claims.papers(defences, guards.guards(guarded()), verdicts).set_index("claim")
    assert list(made.index) == [NOISE, SYNC]
    assert made.loc[NOISE, ["unaware", "aware", "n"]].tolist() == [0.9, 0.2, 24]
    assert made.loc[NOISE, ["verdict_unaware", "verdict_aware"]].tolist() == ["supported", "undecided"]
    told = made.loc[SYNC]
    assert (told.unaware, told.n) == (1, 8) and told.aware < 1 and told.paper.startswith("AUC .99")
