"""The audit's table of guards, on clips whose shares and scores can be counted by hand."""

import pandas as pd
import pytest
from guarded_rows import guarded, version

from stages.studies.audit import guards

THOSE_OF = "benign", "none", "transplant", "unaware", "aware"


def test_a_clip_counts_by_the_worst_of_all_tries():
    (row,) = guards.guards(guarded()).itertuples()
    assert [getattr(row, name) for name in THOSE_OF] == [0.875, 1, 1, 0.75, 0.125]
    assert (row.n, row.clusters, row.difference, row.victim) == (8, 4, 0.625, "reader")
    assert row.aware_low < 0.125 < row.aware_high < 1


def test_scores_are_set_against_those_of_benign_clips():
    """Noise and the unaware attack lie below all benign clips, another clip's perturbation among them.

    Of who knows the scores of three clips fall by 3.5, by which they and the first are below the others.
    """
    (row,) = guards.guards(guarded()).itertuples()
    assert (row.auc_none, row.auc_transplant, row.auc_unaware) == (1, 0.5, 1)
    aware = [0, -2.5, -1.5, -0.5, 4, 5, 6, 7]
    pairs = [(one > other) + 0.5 * (one == other) for one in range(8) for other in aware]
    assert row.auc_aware == pytest.approx(sum(pairs) / 64, abs=1e-4)


def test_a_treatment_has_no_scores():
    rows = guarded().assign(score=float("nan"))
    assert guards.guards(rows).filter(like="auc").isna().all(axis=None)


def test_what_nobody_knew_of_is_no_gain():
    rows = guarded()
    same = rows[rows.knowledge == "unaware"].assign(knowledge="aware")
    (row,) = guards.guards(pd.concat([rows[rows.knowledge != "aware"], same])).itertuples()
    assert (row.difference, row.p) == (0, 1)


def test_what_papers_say_stands_beside_what_is_left():
    defences = pd.DataFrame({"study": ["events"], "defence": ["noise_20dB"], "n": [24]})
    for name, value in (("unaware", 0.9), ("aware", 0.2)):
        defences = defences.assign(**{name: value, f"{name}_low": value - 0.1, f"{name}_high": value + 0.1})
    made = guards.papers(defences, guards.guards(guarded())).set_index("claim")
    assert list(made.index) == ["Noise at 20 dB brings sounds back", "Lip sync detects attacks on words"]
    assert made.loc["Noise at 20 dB brings sounds back", ["unaware", "aware", "n"]].tolist() == [0.9, 0.2, 24]
    told = made.loc["Lip sync detects attacks on words"]
    assert (told.unaware, told.n) == (1, 8) and told.aware < 1 and told.paper.startswith("AUC .99")


def test_versions_of_other_guards_are_rows_of_their_own():
    rows = pd.concat([guarded(), guarded().assign(guard="frame_difference"), version("unaware", 1.0, 0.0)[:0]])
    assert guards.guards(rows).guard.tolist() == ["sync_clean", "frame_difference"]
