"""The emotion study's check by a longer attack, on sets of known recalls; and clips that no attack could move."""

import pandas as pd
import pytest
from emotion_sets import attacked

from stages.studies.emotion.check import check
from stages.studies.emotion.robustness import robustness
from stages.studies.emotion.scores import scores
from stages.studies.emotion.tables import named

MODEL = {"network": "cnn4", "regime": "similarity", "epsilon": 0.08}


@pytest.fixture
def rows() -> pd.DataFrame:
    return named(attacked("cnn4", ("single", "similarity")))


def with_check(rows: pd.DataFrame, spoilt: int) -> pd.DataFrame:
    """With a longer attack on half of each label's test clips, which turns so many more of anger than BIM does."""
    own = rows[(rows.attack == "bim") & (rows.split == "test") & (rows["rank"] % 2 == 0)].assign(attack="pgd")
    model = (own.regime == MODEL["regime"]) & (own.epsilon == MODEL["epsilon"])
    resisting = own[model & (own.label == "anger") & ~own.success].index[:spoilt]
    own.loc[resisting, ["adversarial_prediction", "success"]] = ["fear", True]
    return pd.concat([rows, own], ignore_index=True)


def row_of(table: pd.DataFrame) -> pd.Series:
    own = table[(table[list(MODEL)] == pd.Series(MODEL)).all(axis=1)]
    assert len(own) == 1
    return own.iloc[0]


def test_attacks_are_compared_on_the_clips_of_the_longest(rows):
    table = check(with_check(rows, spoilt=2))
    assert len(table) == 4 and set(table.n) == {25}
    row = row_of(table)
    # BIM leaves 4 of 10 of anger and of fear and 1 of 5 of neutral, PGD two of anger less: one third of .2.
    assert (row.uar_bim, row.uar_pgd, row.lowered) == (0.3333, 0.2667, 0.0667)
    assert row.lowered_low < row.lowered < row.lowered_high
    assert (row.flagged, row.grows, row.zero_gradient) == ("yes", "yes", 0)


def test_what_lowers_it_by_little_or_turns_fewer_is_told(rows):
    row = row_of(check(with_check(rows, spoilt=1)))
    assert (row.lowered, row.flagged) == (0.0333, "no")
    weak = with_check(rows, spoilt=0)
    gives_up = (weak.attack == "pgd") & (weak["rank"] < 12)
    weak.loc[gives_up, "adversarial_prediction"] = weak.label
    weak.loc[gives_up, "success"] = False
    row = row_of(check(weak))
    assert row.lowered < 0 and (row.flagged, row.grows) == ("no", "no")


def test_a_clip_that_one_attack_could_not_move_counts_once(rows):
    checked = with_check(rows, spoilt=0)
    clip = checked.clip_id[(checked.attack == "pgd")].iloc[0]
    stuck = checked.assign(zero_gradient=(checked.clip_id == clip) & (checked.attack != "none"))
    assert row_of(check(stuck)).zero_gradient == 1
    table = robustness(scores(stuck))
    assert (
        table.zero_gradient[table.split == "test"].eq(1).all() and table.zero_gradient[table.split == "dev"].eq(0).all()
    )


def test_the_check_is_in_no_other_table(rows):
    assert scores(with_check(rows, spoilt=2)).equals(scores(rows))


def test_without_a_check_there_is_no_row(rows):
    table = check(rows)
    assert table.empty and {"lowered", "flagged", "zero_gradient"} <= set(table)
