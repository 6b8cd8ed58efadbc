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


def test_how_much_louder_who_knows_of_a_guard_is_than_without_one():
    """On the four clips that both succeed on, which take 1 to 4 dB more through the guard."""
    bare = version("aware", [1.0] * 2 + [0.0] * 6, 0.0).assign(guard="none", reached=30.0)
    through = version("aware", [0.0] * 6 + [1.0] * 2, 0.0)
    through = through.assign(guard="u_net", reached=[10.0, 10.0, 29.0, 28.0, 27.0, 26.0, 0.0, 0.0])
    others = [one.assign(knowledge=name) for one in (bare, through) for name in ("benign", "unaware")]
    made = guards.guards(pd.concat([bare, through, *others], ignore_index=True)).set_index("guard")
    assert made.extra_db["u_net"] == 2.5 and made.extra_db_low["u_net"] < 2.5 < made.extra_db_high["u_net"]
    assert pd.isna(made.extra_db["none"])


def test_versions_of_other_guards_are_rows_of_their_own():
    rows = pd.concat([guarded(), guarded().assign(guard="frame_difference"), version("unaware", 1.0, 0.0)[:0]])
    assert guards.guards(rows).guard.tolist() == ["sync_clean", "frame_difference"]
